/* data_spool.h - a job's data document on its way: written once, then read as often as needed.
 *
 * What a backend is given must have a known size, and a document's is known when it is written. So it
 * goes into a file of the worker's own first, compressed as the archive will have it: gzip when it is
 * longer than 2,000 bytes, else as it is. (spec: job-archive 2.1) The file is overwritten by the next
 * job, and removed in the end.
 *
 * Memory: 64 KiB and what zlib takes to compress (256 KiB).
 */
#ifndef TARN_JOBS_DATA_SPOOL_H
#define TARN_JOBS_DATA_SPOOL_H

#include "base/alloc.h"
#include "io/vfs.h"
#include "jobs/backend.h"

struct ta_data_spool {
    struct ta_sink sink; /* takes the document, between begin and finish */
    /* private */
    struct ta_vfs *vfs;
    char path[512];
    struct ta_alloc *alloc;
    struct ta_file *file;
    struct ta_data_deflate *deflate; /* NULL: not compressed so far */
    unsigned char head[TA_BACKEND_PLAIN_MAX];
    size_t n_head;
    uint64_t n_file;
};

/* Nothing is opened yet. TA_ERANGE: the path is too long. */
int ta_data_spool_init(struct ta_data_spool *s, struct ta_vfs *vfs, const char *path,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_data_spool_done(struct ta_data_spool *s); /* fine on a zeroed struct; removes the file */

int ta_data_spool_begin(struct ta_data_spool *s, struct ta_err *err);
/* All is written. */
int ta_data_spool_finish(struct ta_data_spool *s, struct ta_err *err);

/* After finish: what is there, as a source; any number of times, one after the other. */
struct ta_data_spool_source {
    struct ta_source source;
    struct ta_mem_source head;
    struct ta_file_source file;
    bool is_file;
    uint64_t n_left; /* bytes of the file */
};
void ta_data_spool_read(struct ta_data_spool *s, struct ta_data_spool_source *out);
uint64_t ta_data_spool_bytes(const struct ta_data_spool *s);
bool ta_data_spool_is_gzip(const struct ta_data_spool *s);

#endif
