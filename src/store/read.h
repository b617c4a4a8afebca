/* read.h - windows, statistics, health and the debug text out of the store.
 *
 * Nothing here hands out a pointer into the store. A reader names what it wants by path, metric and
 * time on every call, so data may be freed, sealed or moved between two calls: what is gone reads as NaN.
 * Each call holds the shard's read lock for a bounded time (at most TA_READ_HOLD cells copied or added) and
 * takes it again as often as needed.
 */
#ifndef TARN_STORE_READ_H
#define TARN_STORE_READ_H

#include "base/buf.h"
#include "store/store.h"

enum { TA_READ_HOLD = 1 << 19 }; /* source samples per lock hold: about a millisecond */

/* One element of a path below the host. */
enum ta_sel_kind { TA_SEL_EXACT, TA_SEL_GROUP, TA_SEL_ANY };
struct ta_sel {
    enum ta_sel_kind kind;
    struct ta_str name;         /* EXACT; empty matches nothing */
    const struct ta_str *names; /* GROUP: visited in this order, repetitions repeatedly */
    size_t n_names;
};

/* What to read. Everything is borrowed for the call. */
struct ta_selection {
    struct ta_str cluster, host;
    const struct ta_sel *path; /* below the host; NULL when n_path is 0 */
    size_t n_path;
    uint32_t metric;
};

/* What a selection covers of [from, to): the reference's returned range (metric-store 4.3 and 5), with
 * children aligned by time and their ranges united (weakness 1), and as many buffers stepped per slot as
 * needed (weakness 12). */
struct ta_span {
    int64_t from_s, to_s; /* to_s = from_s + n_slots * freq_s */
    int64_t freq_s;
    uint64_t n_slots;
    uint32_t n_series; /* series found, holding samples in the range or not */
};

/* Plans a read. TA_ENOTFOUND: no such host, or no series of the metric under the path ("metric or host
 * not found"). TA_EINVAL: from > to, or an unknown metric id. */
int ta_read_span(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, int64_t to_s,
                 struct ta_span *out);

/* out[i] = sum over the selected series, in visit order, of the slot at from_s + i * freq; a series without
 * a value there makes it NaN. from_s must be a time of the grid that ta_read_span gave. With one series the
 * values are its own, bit for bit. Cells past the data are NaN. Returns the number of series added (0 when
 * they have gone meanwhile: all NaN). */
int64_t ta_read_sum(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, double *out,
                    size_t n);

/* Statistics of stored samples, without fetching them: whole runs are answered from their headers. */
struct ta_read_stats {
    uint32_t n_series;
    uint64_t n_samples;   /* that hold a value */
    double sum, min, max; /* over all series; unset values when n_samples is 0 */
    double sum_of_means;  /* sum over the series of their means; NaN when one has no sample */
    int64_t from_s, to_s; /* as in ta_span */
};
int ta_read_stats(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, int64_t to_s,
                  struct ta_read_stats *out);

/* ---- health (metric-store 9) ---------------------------------------------------------------- */

enum ta_health { TA_HEALTH_MISSING, TA_HEALTH_DEGRADED, TA_HEALTH_OK };

/* out[i] says how metric ids[i] fares on that host (ids of TA_METRIC_UNKNOWN are missing). TA_ENOTFOUND: no
 * such host. */
#define TA_METRIC_UNKNOWN UINT32_MAX
int ta_read_health(struct ta_store *s, struct ta_str cluster, struct ta_str host, int64_t now_s,
                   const uint32_t *ids, size_t n, enum ta_health *out);

/* ---- debug dump (metric-store 10) ------------------------------------------------------------ */

/* The dump as a generator: fill appends text to `room` until it holds at least `want` bytes or all is
 * written. */
struct ta_dump;

/* `path` as in ta_store_free_before. TA_ENOTFOUND for an unknown path, TA_ENOMEM. */
int ta_dump_new(struct ta_dump **out, struct ta_store *s, struct ta_alloc *alloc,
                const struct ta_str *path, size_t n_path, struct ta_err *err);
/* 1 = more to come, 0 = complete, < 0 = TA_ENOMEM or TA_ERANGE of the buffer. One step adds at most a few
 * KiB more than `want`. */
int ta_dump_fill(struct ta_dump *d, struct ta_buf *room, size_t want);
void ta_dump_free(struct ta_dump *d);

#endif
