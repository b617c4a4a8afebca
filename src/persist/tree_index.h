/* tree_index.h - the series of a checkpoint file and where their values stand.
 *
 * For work that needs a file's series in another order than they stand in: merging, archiving. One pass over
 * the heads; the values of a binary file are passed over unread and can be fetched afterwards in any order.
 * Of a JSON file the list says what is there (and how many), without offsets.
 *
 * Memory: 56 bytes a series and the distinct names, of one file at a time; the caller's allocator bounds it.
 */
#ifndef TARN_PERSIST_TREE_INDEX_H
#define TARN_PERSIST_TREE_INDEX_H

#include "base/arena.h"
#include "persist/tree_read.h"

struct ta_tree_index_level {
    struct ta_str name; /* empty for the host's own, which is number 0 */
    uint32_t parent;
    unsigned depth;
};

struct ta_tree_index_series {
    struct ta_str metric;
    uint32_t level; /* number of its level */
    uint32_t count; /* values that the file really has; a cut array has fewer than announced */
    int64_t freq_s, start_s;
    uint64_t values_at; /* offset of value 0; 0 in a JSON file */
};

struct ta_tree_index {
    struct ta_tree_index_level *levels;
    struct ta_tree_index_series *series; /* in the file's order */
    size_t n_levels, n_series;
    uint64_t n_damaged; /* places; the first of them: */
    uint64_t damage_at;
    const char *damage_why; /* static */

    /* private */
    size_t cap_levels, cap_series;
    struct ta_alloc *alloc;
    struct ta_arena names;
};

enum { TA_TREE_INDEX_NAMES_MAX = 64 * 1024 * 1024 };

/* Lists the file. A damaged one gives what can be read. TA_ENOMEM, or the file could not be read: *out is
 * empty. */
int ta_tree_index_read(struct ta_tree_index *out, enum ta_tree_format format, struct ta_file *file,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_tree_index_done(struct ta_tree_index *x); /* fine on a zeroed struct */

/* out[i] = value first + i of a series of a binary file, NaN = missing; first + n <= s->count. */
int ta_tree_index_values(struct ta_file *file, const struct ta_tree_index_series *s, uint32_t first,
                         float *out, size_t n, struct ta_err *err);

#endif
