/* metric.h - the metrics this store knows: name, seconds per slot, how to aggregate.
 *
 * A table is immutable and reference-counted; it may be used from any thread. A reload builds a
 * superset of the table in force and swaps it (ta_store_set_metrics): ids are dense, and a metric
 * keeps its id and its frequency for the life of the process. (spec: metric-store 1)
 */
#ifndef TARN_STORE_METRIC_H
#define TARN_STORE_METRIC_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

enum ta_agg { TA_AGG_NONE, TA_AGG_SUM, TA_AGG_AVG };

enum { TA_METRICS_MAX = 65535, TA_METRIC_NAME_MAX = 255 };

struct ta_metric {
    struct ta_str name; /* in a table: borrowed for the table's life */
    int64_t freq_s;     /* seconds per slot, 1 .. TA_METRIC_FREQ_MAX */
    enum ta_agg agg;
};

#define TA_METRIC_FREQ_MAX ((int64_t)1 << 30)

struct ta_metrics;

/* Builds a table of `n` definitions (copied). With `base` (may be NULL) the metrics of `base` keep
 * their ids, frequencies and aggregations, also those that `defs` does not name; new names get the ids
 * behind. TA_EINVAL for an empty or overlong name or a frequency out of range, TA_EEXIST for a name given
 * twice, TA_ERANGE beyond TA_METRICS_MAX, TA_ENOMEM. The caller owns one reference of *out. */
int ta_metrics_new(struct ta_metrics **out, struct ta_alloc *alloc, const struct ta_metrics *base,
                   const struct ta_metric *defs, size_t n, struct ta_err *err);
struct ta_metrics *ta_metrics_ref(struct ta_metrics *t); /* returns t */
void ta_metrics_unref(struct ta_metrics *t);             /* NULL is fine; the last one frees */

size_t ta_metrics_count(const struct ta_metrics *t);
/* The id (>= 0) or TA_ENOTFOUND. One hash; about 20 ns. */
int ta_metrics_find(const struct ta_metrics *t, struct ta_str name);
/* id < count. Borrowed for the table's life. */
const struct ta_metric *ta_metrics_at(const struct ta_metrics *t, uint32_t id);

/* The slots of the slowest metric, in seconds; 0 for an empty table. */
int64_t ta_metrics_slowest_s(const struct ta_metrics *t);

#endif
