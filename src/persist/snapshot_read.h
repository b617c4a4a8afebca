/* snapshot_read.h - one pass over a .bin checkpoint: which series it has and where their values stand.
 *
 * (spec: formats 3; the bytes are in tree_write.h.) The values themselves are passed over; whoever wants them
 * reads them by offset, as much at a time as he likes. The file is not trusted: every count is checked
 * against what is left of the file, frequencies are above 0, time stamps do not overflow, levels nest at
 * most TA_TREE_DEPTH_MAX deep. A file cut short is TA_EFORMAT, wherever it was cut.
 *
 * Memory: one window of TA_SNAPSHOT_WINDOW bytes and the names of the open levels.
 */
#ifndef TARN_PERSIST_SNAPSHOT_READ_H
#define TARN_PERSIST_SNAPSHOT_READ_H

#include "base/alloc.h"
#include "base/buf.h"
#include "io/vfs.h"
#include "persist/tree_write.h"

#include <stdint.h>

enum { TA_SNAPSHOT_WINDOW = 128 * 1024 };

/* A series of a checkpoint file. Names are borrowed until the next call on the reader. */
struct ta_tree_series {
    const struct ta_str *level; /* names of the levels below the host's, outermost first */
    unsigned depth;             /* how many; 0 = the host's own */
    struct ta_str metric;
    int64_t freq_s;  /* > 0 */
    int64_t start_s; /* time stamp of value 0 */
    uint32_t n;      /* values, missing ones included */
    uint64_t at;     /* file offset of the n binary32 values */
};

struct ta_snapshot_level {
    uint32_t metrics_left, children_left;
    bool has_children_count;
    uint32_t path_len; /* of the names above this level */
};

struct ta_snapshot_reader {
    struct ta_file *file;
    uint64_t file_bytes;
    uint64_t at; /* offset of window[0] */
    struct ta_buf window;
    size_t pos;           /* next byte in the window */
    int64_t from_s, to_s; /* as the file's head says */
    unsigned n_levels;    /* open ones, the host's included; 0 at the end */
    struct ta_snapshot_level level[TA_TREE_DEPTH_MAX];
    struct ta_buf path; /* names of the open levels, each behind its u16 length */
    struct ta_str names[TA_TREE_DEPTH_MAX];
    uint64_t skip_to; /* offset behind the last series */
};

/* Reads the head. Borrows file and alloc. */
int ta_snapshot_open(struct ta_snapshot_reader *r, struct ta_file *file, struct ta_alloc *alloc,
                     struct ta_err *err);
void ta_snapshot_done(struct ta_snapshot_reader *r); /* fine on a zeroed struct */

/* 1 = *out filled, 0 = all levels are complete; TA_EFORMAT with the offset, TA_EIO, TA_ENOMEM. */
int ta_snapshot_next(struct ta_snapshot_reader *r, struct ta_tree_series *out, struct ta_err *err);

/* Reads values [from, from + n) of a series whose values stand at `at`. TA_EFORMAT when the file became
 * shorter. */
int ta_snapshot_values(struct ta_file *file, uint64_t at, uint32_t from, size_t n, float *out,
                       struct ta_err *err);

#endif
