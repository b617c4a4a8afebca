/* trace.h - a recorded job as load: the data.json of a job archive, played again on any number of hosts.
 *
 * Reads the metrics of node scope: {"metric":{"node":{"timestep":60,"series":[{"hostname":"h","data":[1,null,
 * ...]},...]}}}; anything else in the document is passed over.
 *
 * Memory: 8 bytes a value, from `alloc` (cap it by a budget).
 */
#ifndef TARN_LOAD_TRACE_H
#define TARN_LOAD_TRACE_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"
#include "io/stream.h"

enum { TA_TRACE_SERIES_MAX = 65536, TA_TRACE_SAMPLES_MAX = 1 << 20, TA_TRACE_METRICS_MAX = 256 };

/* One metric on one host. */
struct ta_trace_series {
    uint32_t metric;
    uint32_t host; /* number within its metric, in the document's order */
    uint32_t n;
    double *values; /* NaN = null */
};

struct ta_trace {
    struct ta_alloc *alloc;
    struct ta_trace_series *series; /* metric by metric */
    uint32_t n_series, cap_series;
    uint32_t n_metrics;
    struct ta_trace_metric {
        char name[64];
        int64_t timestep_s;
    } metrics[TA_TRACE_METRICS_MAX];
};

/* TA_EFORMAT, TA_ERANGE (a limit above), TA_ENOMEM, or the source's error. On failure nothing is kept. */
int ta_trace_read(struct ta_trace *t, struct ta_source *src, struct ta_alloc *alloc,
                  struct ta_err *err);
void ta_trace_done(struct ta_trace *t); /* fine on a zeroed struct */

/* The value of a series at a tick of an endless play: the trace from its start again and again. Copies of
 * a host are told apart by `copy`, which shifts the start, so that they do not all say the same at once. */
double ta_trace_value(const struct ta_trace_series *s, uint64_t tick, uint32_t copy);

#endif
