/* archive_reader.h - documents of jobs out of the archive that a server's configuration names.
 *
 * One belongs to one call and one thread; the archive is opened when the first job is asked for, beside the
 * archiver, whose own stay as they are. Memory: one metadata document and the job decoded from it, each at
 * most `bytes_max`, and what the backend takes.
 */
#ifndef TARN_APP_ARCHIVE_READER_H
#define TARN_APP_ARCHIVE_READER_H

#include "app/archiving.h"

struct ta_archive_reader {
    const struct ta_archiving *archiving;
    struct ta_alloc *alloc;
    struct ta_job_archive bucket;
    struct ta_backend *backend; /* NULL: not yet opened, or it cannot be */
    int failed;                 /* < 0: why it cannot be opened, which is not tried again */
    struct ta_err why;
    char address[300];
    const char *spool_name;
    char spool[4096 + 32];
    struct ta_buf meta;
    struct ta_arena arena;
};

/* Borrows archiving, whose archiver runs, and alloc. `spool`: the name, a static string, of a file beside the
 * database that a bucket's client has to itself; each thread gives its own. */
void ta_archive_reader_init(struct ta_archive_reader *a, const struct ta_archiving *archiving,
                            const char *spool, size_t bytes_max, struct ta_alloc *alloc);
void ta_archive_reader_done(struct ta_archive_reader *a);

/* The job's metadata, borrowed until the next call. TA_ENOTFOUND: it is not in the archive; else the errors
 * of backend.h and of ta_job_read_text. */
int ta_archive_reader_meta(struct ta_archive_reader *a, const struct ta_job_address *at,
                           struct ta_job *out, struct ta_err *err);

/* The job's data, to be closed with ta_backend_close_data(a->backend). TA_ENOTFOUND and the errors of
 * backend.h. */
int ta_archive_reader_open_data(struct ta_archive_reader *a, const struct ta_job_address *at,
                                struct ta_backend_data *out, struct ta_err *err);

#endif
