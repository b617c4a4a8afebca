/* tree_write.h - one host's checkpoint file, written as it comes, in either of the reference's formats.
 *
 * (spec: formats 3 and 4)
 *   .bin   u32 0xCC5B0001, i64 from, i64 to, level
 *          level:  u32 nMetrics, metrics, u32 nChildren, { u16 length, name, level } ...
 *          metric: u16 length, name, i64 frequency, i64 start, u32 nValues, nValues x binary32
 *   .json  {"metrics":{"<name>":{"frequency":f,"start":s,"data":[...]}},"children":{...},"from":F,"to":T} LF
 *
 * `start` is the time stamp (the centre) of value 0. Missing values are the quiet NaN 0x7FC00000, or null.
 * JSON values have as many digits as it takes to come back as the same binary64.
 *
 * Behind the tree, and as two more keys of the outermost object, may stand checksums (seal.h).
 *
 * The counts of the binary format stand before what they count; they are put in afterwards, so nothing is
 * held in memory but one buffer. The caller opens the file under a temporary name, and syncs and renames
 * it after ta_tree_end.
 */
#ifndef TARN_PERSIST_TREE_WRITE_H
#define TARN_PERSIST_TREE_WRITE_H

#include "base/str.h"
#include "io/vfs.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_tree_format { TA_TREE_BIN, TA_TREE_JSON };

enum {
    TA_TREE_DEPTH_MAX = 8,      /* levels of a file, the host's included */
    TA_TREE_BUFFER = 64 * 1024, /* bytes to hand to ta_tree_begin, or more */
    TA_TREE_NAME_MAX = 65535    /* what the format can carry; we never write more than 255 */
};

struct ta_seal; /* seal.h */

struct ta_tree_level {
    uint64_t metrics_at,
        children_at; /* file offsets of the counts (bin); children_at 0: not yet there */
    uint32_t n_metrics, n_children;
};

struct ta_tree_writer {
    struct ta_file_sink out;
    enum ta_tree_format format;
    int64_t from_s, to_s;
    unsigned depth; /* levels open */
    struct ta_tree_level level[TA_TREE_DEPTH_MAX];
    uint64_t values_left; /* of the metric being written */
    bool has_value;       /* JSON: a comma is due before the next value */
    uint64_t n_samples;   /* values written that are not missing */
    struct ta_seal *seal; /* may be NULL */
};

/* Begins at the start of `file` with the host's level open. Borrows file and buf until end. */
int ta_tree_begin(struct ta_tree_writer *w, enum ta_tree_format format, struct ta_file *file,
                  void *buf, size_t buf_bytes, int64_t from_s, int64_t to_s, struct ta_err *err);

/* Right after begin: ta_tree_end puts checksums into the file (seal.h), which readers of the format pass over.
 * Borrows *seal until end. */
void ta_tree_seal(struct ta_tree_writer *w, struct ta_seal *seal);

/* Opens the child `name` below the level at `depth` (0 = the host's), closing deeper levels. A level's
 * metrics come before its children. TA_EINVAL: depth too deep or name too long. */
int ta_tree_child(struct ta_tree_writer *w, unsigned depth, struct ta_str name, struct ta_err *err);

/* A metric of the open level with `n` values, which must follow before anything else. */
int ta_tree_metric(struct ta_tree_writer *w, struct ta_str name, int64_t freq_s, int64_t start_s,
                   uint32_t n, struct ta_err *err);
int ta_tree_values(struct ta_tree_writer *w, const double *v, size_t n, struct ta_err *err);

/* Closes all levels, puts the counts in and writes out the buffer; does not sync. *out_bytes: the size. */
int ta_tree_end(struct ta_tree_writer *w, uint64_t *out_bytes, struct ta_err *err);

#endif
