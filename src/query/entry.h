/* entry.h - one element of an answer: a selection of series, read window by window.
 *
 *     r = ta_entry_open(&e, item, i)       the i-th selection of a query: planned, nothing read yet
 *     while ((n = ta_entry_window(&e, v, max)) > 0)   its values, resampled and scaled
 *     stats = ta_entry_stats(&e)            reads what the windows did not
 *     ta_entry_close(&e)
 *
 * Between the calls data may come, go and move: the range is fixed by open, what has gone reads as
 * NaN, and nothing points into the store. Memory: the names of the selection in an arena of its
 * own, and, only when resampling, one series of at most limits.window_bytes. (spec: http-api 4.2,
 * metric-store 5)
 */
#ifndef TARN_QUERY_ENTRY_H
#define TARN_QUERY_ENTRY_H

#include "query/request.h"
#include "query/resample.h"
#include "query/values.h"
#include "store/read.h"

enum {
    TA_ENTRY_SLOTS = 4096,      /* slots of one copy out of the store */
    TA_ENTRY_PAD_MAX = 1 << 20, /* empty slots in front; a range that needs more gets none */
};

enum ta_entry_kind {
    TA_ENTRY_NONE, /* nothing there: the answer has no element for it */
    TA_ENTRY_DATA,
    TA_ENTRY_ERROR
};

struct ta_entry {
    /* set once */
    struct ta_store *store;
    struct ta_metrics *metrics;
    const struct ta_query_request *request;
    const struct ta_query_limits *limits;
    struct ta_alloc *alloc;
    struct ta_arena names;
    double *window; /* TA_ENTRY_SLOTS; for values nobody wants to see */

    /* of the open entry */
    const struct ta_query_item *item;
    struct ta_str type_id, subtype_id; /* of a selection of one id; else empty */
    struct ta_selection selection;
    struct ta_sel path[2];
    const struct ta_metric *metric;
    struct ta_span span;
    struct ta_resample plan;
    int64_t n_pad;
    uint64_t n_read;    /* slots read so far */
    uint64_t n_cost;    /* work since the last reset by the owner, in source samples */
    uint64_t n_samples; /* source samples read so far */
    double *series;     /* when resampling: all of it; owned */
    size_t n_series_bytes, n_given;
    struct ta_summary summary;
    struct ta_err error;
    struct ta_str error_text; /* of kind ERROR; until the next open */
};

/* `window` and everything else is borrowed; metrics is not referenced. */
void ta_entry_init(struct ta_entry *e, struct ta_store *store, struct ta_metrics *metrics,
                   const struct ta_query_request *request, const struct ta_query_limits *limits,
                   struct ta_alloc *alloc, double *window);
void ta_entry_done(struct ta_entry *e); /* fine on a zeroed struct */

/* How many selections a query has. */
size_t ta_entry_count(const struct ta_query_item *item);

/* Opens the i-th. Whatever fails is an entry of kind ERROR, as in the reference. */
enum ta_entry_kind ta_entry_open(struct ta_entry *e, const struct ta_query_item *item, size_t i);
void ta_entry_close(struct ta_entry *e);

/* Values that the entry's data will have, padding not counted. */
size_t ta_entry_len(const struct ta_entry *e);

/* The next values, at most `max` of them and of TA_ENTRY_SLOTS; 0 = no more. */
size_t ta_entry_window(struct ta_entry *e, double *out, size_t max);

/* The next window begins at value `first`; the statistics are forgotten. */
void ta_entry_seek(struct ta_entry *e, size_t first);

/* avg, min and max of all values, scaled; zero when the request wants none. */
struct ta_stats ta_entry_stats(struct ta_entry *e);

#endif
