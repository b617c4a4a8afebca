/* layout.h - which series a generated node has, and its lines as a collector would send them.
 *
 * A layout is a table of metrics times the node's components, in the order of a collector's plugins. Lines
 * have their tags in lexical order, floats in the shortest form of 'g' (exponent from 1e6 on), integers
 * with i, seconds: one batch per host and interval, as cc-metric-collector's sinks send it.
 */
#ifndef TARN_LOAD_LAYOUT_H
#define TARN_LOAD_LAYOUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum ta_load_scope {
    TA_LOAD_NODE,
    TA_LOAD_SOCKET,
    TA_LOAD_HWTHREAD,
    TA_LOAD_ACCELERATOR,
    TA_LOAD_LINK, /* nvlink of an accelerator: a subtype */
    TA_LOAD_N_SCOPES
};

/* One row of a metric table. */
struct ta_load_metric {
    const char *name, *unit; /* unit: "" = no unit tag */
    enum ta_load_scope scope;
    bool is_integer;  /* the value is sent with i */
    char aggregation; /* 's' sum, 'a' avg, 0 none: for the store's metric table */
    int kind;         /* of values: the generator's own */
    double level;     /* typical value */
};

struct ta_load_shape {
    uint32_t sockets, hwthreads, accelerators, links; /* links: per accelerator */
};

/* One series of a node. Slices live as long as the layout. */
struct ta_load_column {
    uint32_t metric;    /* row of the table */
    uint32_t component; /* number within its scope on the node */
    struct ta_str type, type_id, stype, stype_id;
    struct ta_str before, after; /* of a line: before the host, behind it up to the value */
};

struct ta_load_layout {
    const struct ta_load_metric *metrics;
    uint32_t n_metrics, n_columns;
    struct ta_load_column *columns;
    struct ta_arena arena;
};

/* `metrics` is borrowed. TA_ENOMEM. */
int ta_load_layout_init(struct ta_load_layout *l, struct ta_alloc *alloc, const char *cluster,
                        const struct ta_load_metric *metrics, uint32_t n_metrics,
                        const struct ta_load_shape *shape, struct ta_err *err);
void ta_load_layout_done(struct ta_load_layout *l); /* fine on a zeroed struct */

/* Adds one line per column to `out`; a NaN is not sent. values[i] belongs to columns[i]. TA_ENOMEM,
 * TA_ERANGE of the buffer. About 60 ns a line. */
int ta_load_lines(const struct ta_load_layout *l, struct ta_str host, int64_t ts_s,
                  const double *values, struct ta_buf *out);

/* The metric table as the store's configuration, {"name":{"frequency":F,"aggregation":"..."},...}. Names in
 * several scopes come once. */
int ta_load_metrics_json(const struct ta_load_layout *l, int64_t frequency_s, struct ta_buf *out);

/* v as Go prints it with format 'g' and the shortest precision; room for 32 bytes. */
size_t ta_load_print_g(char *out, double v);

/* A number in [0, 1) that depends on its arguments alone. */
static inline double ta_load_noise(uint64_t seed, uint64_t series, uint64_t tick)
{
    uint64_t x = seed ^ series * UINT64_C(0x9e3779b97f4a7c15) ^ tick * UINT64_C(0xd1b54a32d192ed03);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* The same, smooth in time: moves between values that change every `period` ticks. */
static inline double ta_load_slow(uint64_t seed, uint64_t series, uint64_t tick, uint64_t period)
{
    uint64_t at = tick / period;
    double x = (double)(tick % period) / (double)period;
    double a = ta_load_noise(seed + 1, series, at), b = ta_load_noise(seed + 1, series, at + 1);

    return a + (b - a) * x * x * (3 - 2 * x);
}

#endif
