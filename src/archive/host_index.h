/* host_index.h - which series the checkpoint files of one host hold, and where their values stand.
 *
 * One pass over each file fills it: a .bin is only looked through, a .json is copied into the spool (a
 * temporary file) as binary32 values, so that both are read alike afterwards: by offset, a block at a
 * time. A series is its tree path, not its columns: two accelerators' `nvlink0` stay two series.
 *
 * Memory: 32 bytes per series and file, about 150 per series, plus names, and 512 KiB in which small .bin files
 * stand whole (one read instead of one a series). All of it comes from one allocator with a cap: over it adding is TA_ENOMEM, and the caller indexes a part of the metrics at
 * a time (ta_arc_part): the files are looked through once for each part.
 */
#ifndef TARN_ARCHIVE_HOST_INDEX_H
#define TARN_ARCHIVE_HOST_INDEX_H

#include "base/arena.h"
#include "io/vfs.h"
#include "persist/host_files.h"
#include "persist/snapshot_read.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_ARC_NONE = UINT32_MAX, TA_ARC_OPEN_MAX = 48 };

/* A checkpoint file of the host. */
struct ta_arc_file {
    struct ta_host_file name;
    uint64_t bytes; /* as they were when the file was indexed */
    int64_t mtime_ns;
    struct ta_file *open; /* .bin; NULL = closed */
    uint32_t used;        /* when it was used last: the oldest is closed first */
    const char *whole;    /* .bin: its `bytes` bytes, or NULL */
};

/* n values of one series in one file. */
struct ta_arc_entry {
    uint64_t at; /* offset in the .bin, or in the spool */
    int64_t start_s;
    uint32_t n, freq_s;
    uint32_t file;
    uint32_t next; /* entry of the same series in a later file, or TA_ARC_NONE */
};

struct ta_arc_series {
    struct ta_str
        path; /* metric, then the level names, each with its length: what makes a series */
    struct ta_str metric, scope, scope_id; /* as columns: valid UTF-8 */
    uint32_t first, last;                  /* entries */
};

/* Those metrics whose hash leaves `number` when divided by `of`. */
struct ta_arc_part {
    uint32_t number, of;
};

struct ta_arc_index {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    char dir[TA_PATH_MAX]; /* the host's directory */
    struct ta_arc_file *files;
    size_t n_files;
    struct ta_arc_part part;
    int64_t slack_s;   /* > 0: values further than this outside their file's range are damage */
    int64_t newest_ns; /* files changed after this are refused with TA_ESTATE */
    unsigned n_open;
    uint32_t clock;
    struct ta_file *spool;
    uint64_t spool_bytes;
    char *wholes; /* of WHOLE_BYTES, for files[].whole of this host; NULL until wanted */
    size_t wholes_used;
    struct ta_arena names;
    struct ta_arc_series *series;
    uint32_t n_series, cap_series;
    uint32_t *slots; /* open addressing: series + 1 */
    uint32_t n_slots;
    uint32_t *order; /* series by metric, scope, scope id, path; after ta_arc_index_sort */
    struct ta_arc_entry **blocks;
    uint32_t n_entries, n_blocks;
};

/* Borrows vfs, alloc (the capped one) and the spool, a file open for reading and writing. */
void ta_arc_index_init(struct ta_arc_index *x, struct ta_vfs *vfs, struct ta_file *spool,
                       struct ta_alloc *alloc);
void ta_arc_index_done(struct ta_arc_index *x); /* fine on a zeroed struct */

/* Another host: forgets everything, borrows the files until the next begin. TA_EINVAL: a name that may
 * not be a path. */
int ta_arc_index_begin(struct ta_arc_index *x, const char *root, struct ta_str cluster,
                       struct ta_str host, struct ta_arc_file *files, size_t n_files,
                       struct ta_err *err);
/* Closes the host's files: its array may go. */
void ta_arc_index_end(struct ta_arc_index *x);
/* Forgets the series, keeps the host: from now on only those of `part` are added. */
void ta_arc_index_forget(struct ta_arc_index *x, struct ta_arc_part part);

/* Adds one file's series. TA_EFORMAT: the file is damaged (what it added so far must be forgotten);
 * TA_ENOMEM: the cap; TA_EIO. */
int ta_arc_index_add(struct ta_arc_index *x, uint32_t file, struct ta_err *err);
/* Fills x->order. */
void ta_arc_index_sort(struct ta_arc_index *x);

static inline struct ta_arc_entry *ta_arc_entry(const struct ta_arc_index *x, uint32_t i)
{
    enum { BLOCK = 1024 };
    return &x->blocks[i / BLOCK][i % BLOCK];
}

/* Values [from, from + n) of an entry. */
int ta_arc_values(struct ta_arc_index *x, const struct ta_arc_entry *e, uint32_t from, size_t n,
                  float *out, struct ta_err *err);

/* Same metric, scope and scope id: rows that differ in nothing but time and value. */
bool ta_arc_same_columns(const struct ta_arc_series *a, const struct ta_arc_series *b);

#endif
