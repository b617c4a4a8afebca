/* recover_names.h - what a segment of our log calls its hosts and columns.
 *
 * Filled from the segment's own items while it is read; thrown away with it. Memory: about 64 bytes a host and
 * 56 a column of each shape, and the names. */
#ifndef TARN_PERSIST_RECOVER_NAMES_H
#define TARN_PERSIST_RECOVER_NAMES_H

#include "base/arena.h"
#include "persist/log_format.h"
#include "store/write.h"

struct log_host {
    uint64_t id;
    struct ta_str cluster, name; /* in the arena; name.at NULL: free slot */
    uint32_t shape;
};

struct log_column {
    struct ta_column_key key;
    bool is_named, is_known; /* known: the metric is in the table */
};

struct log_shape {
    uint32_t id;
    bool is_used;
    struct log_column *columns;
    uint32_t n_columns;
    /* The store's columns for the store's shape met last; 0: not looked up yet, else column + 1. */
    uint32_t store_shape;
    uint32_t *store_columns;
    uint32_t n_store_columns;
};

struct log_names {
    struct ta_alloc *alloc;
    struct ta_metrics *metrics; /* borrowed */
    struct log_host *hosts;     /* open addressing, powers of two */
    size_t n_hosts, cap_hosts;
    struct log_shape *shapes;
    size_t n_shapes, cap_shapes;
    struct ta_arena arena;
};

enum { LOG_COLUMNS_MAX = 1 << 20 };

void ta_log_names_init(struct log_names *n, struct ta_metrics *metrics, struct ta_alloc *alloc);
void ta_log_names_done(struct log_names *n);

/* An item HOST or COLUMN. TA_ENOMEM. */
int ta_log_names_host(struct log_names *n, const struct ta_log_item *item);
int ta_log_names_column(struct log_names *n, const struct ta_log_item *item);

/* NULL: not named. Valid until the next item. */
const struct log_host *ta_log_names_find_host(const struct log_names *n, uint64_t id);
struct log_shape *ta_log_names_find_shape(const struct log_names *n, uint32_t id);

#endif
