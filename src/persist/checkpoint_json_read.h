/* checkpoint_json_read.h - a .json checkpoint as a stream of series and their values.
 *
 * (spec: formats 4.) Keys come in any order, so a metric's values may stand before its frequency and
 * start: the values are given out as they come, and what they mean at the end of the metric. Unknown keys
 * are passed over, null stands for an empty map or list, a null value is NaN. Bytes behind the first JSON
 * value are not looked at, as in the reference.
 *
 * Memory: the JSON reader's buffer, the names of the open levels, one batch of values.
 */
#ifndef TARN_PERSIST_CHECKPOINT_JSON_READ_H
#define TARN_PERSIST_CHECKPOINT_JSON_READ_H

#include "base/alloc.h"
#include "base/buf.h"
#include "io/json_read.h"
#include "persist/snapshot_read.h"

#include <stdint.h>

enum { TA_CHECKPOINT_JSON_BATCH = 512 };

enum ta_checkpoint_json_kind {
    TA_CHECKPOINT_JSON_VALUES, /* the next values of the metric that is open */
    TA_CHECKPOINT_JSON_SERIES  /* the metric is complete: `series` tells all but `at` */
};

struct ta_checkpoint_json_event {
    enum ta_checkpoint_json_kind kind;
    const double *values; /* borrowed until the next call; NaN = missing */
    size_t n;
    struct ta_tree_series series;
};

struct ta_checkpoint_json {
    struct ta_json_reader *json;
    struct ta_alloc *alloc;
    unsigned n_stack; /* containers open */
    uint8_t stack[2 * TA_TREE_DEPTH_MAX + 4];
    uint32_t path_len[TA_TREE_DEPTH_MAX + 1]; /* of `path` above the n-th level */
    unsigned n_levels;                        /* levels below the host's that are open */
    struct ta_buf path;                       /* their names, each behind a u16 length */
    struct ta_buf metric;
    struct ta_str names[TA_TREE_DEPTH_MAX];
    int64_t freq_s, start_s;
    uint64_t n_values; /* of the open metric */
    bool has_data;
    int64_t from_s, to_s; /* of the whole file; known at the end */
    double values[TA_CHECKPOINT_JSON_BATCH];
    size_t n_batch;
};

/* Borrows source and alloc. */
int ta_checkpoint_json_open(struct ta_checkpoint_json *r, struct ta_source *source,
                            struct ta_alloc *alloc, struct ta_err *err);
void ta_checkpoint_json_done(struct ta_checkpoint_json *r); /* fine on a zeroed struct */

/* 1 = *out filled; 0 = the file is complete, from_s and to_s are known; TA_EFORMAT with line and column. */
int ta_checkpoint_json_next(struct ta_checkpoint_json *r, struct ta_checkpoint_json_event *out,
                            struct ta_err *err);

#endif
