/* tarn.h - libtarn: a metric store inside your program.
 *
 * The store holds samples of metrics of hosts of clusters, compressed without loss, in memory.
 * What belongs to a node stands at cluster / host; what belongs to a part of it below, at
 * cluster / host / type element [/ subtype element], where an element is a type and an id as one
 * name: "hwthread12", "socket0".
 *
 * Every function may be called from any thread, on one store by any number of them; only
 * tarn_keep is for one thread at a time, and tarn_close for when nobody else is inside.
 *
 * Results: >= 0 is good, < 0 one of TARN_E*. `err` may be NULL; else it is filled on failure.
 * Strings are NUL-terminated UTF-8 and borrowed for the call. Time is Unix seconds. What a
 * function hands out in a struct is freed with the _done function of that struct.
 *
 * Files are in <tarn/files.h>, the metrics of a job at its scopes in <tarn/load.h>.
 *
 * Link with `pkg-config --cflags --libs tarn` (add --static for libtarn.a).
 */
#ifndef TARN_TARN_H
#define TARN_TARN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TARN_API __attribute__((visibility("default")))

enum {
    TARN_OK = 0,
    TARN_ENOMEM = -1,    /* no memory, or the store's cap is reached and nothing is left to free */
    TARN_EIO = -2,       /* writing to a FILE or reading or writing files failed */
    TARN_EFORMAT = -3,   /* a line was refused; a description is not what it should be */
    TARN_ERANGE = -4,    /* past a limit; a sample older than the retention */
    TARN_ENOTFOUND = -6, /* no such metric, host or level, or no series of that metric there */
    TARN_ESTATE = -8,    /* files: the directory is in use by another process or call */
    TARN_EINVAL = -9     /* an argument is not usable */
};

struct tarn_error {
    int code;       /* TARN_E* */
    char text[344]; /* one line */
};

/* ---- a store --------------------------------------------------------------------------------- */

struct tarn_store;

enum tarn_aggregation { TARN_AGG_NONE, TARN_AGG_SUM, TARN_AGG_AVG };

struct tarn_metric {
    const char *name;
    int64_t frequency_s; /* seconds between two samples, > 0 */
    enum tarn_aggregation aggregation;
};

struct tarn_config {
    const struct tarn_metric *metrics; /* copied */
    size_t n_metrics;
    int64_t retention_s;       /* samples older than this are refused; 0: none are */
    uint64_t memory_cap_bytes; /* the oldest samples go first; 0: unlimited */
    int64_t max_future_s;      /* of lines: how far ahead of the clock; 0: 1 hour */
};

/* "0.1.0" */
TARN_API const char *tarn_version(void);

TARN_API int tarn_open(struct tarn_store **out, const struct tarn_config *config,
                       struct tarn_error *err);
TARN_API void tarn_close(struct tarn_store *s); /* NULL is fine */

/* Tending: compresses what is due, for about budget_us of CPU time. 1: there is more to do, 0:
 * all is done. Call it every second or so, again at once while it says 1. */
TARN_API int tarn_keep(struct tarn_store *s, uint32_t budget_us);

/* Bytes that the store holds now, all counted. */
TARN_API uint64_t tarn_size(const struct tarn_store *s);

/* Seconds per slot of a metric; TARN_ENOTFOUND. */
TARN_API int64_t tarn_frequency(struct tarn_store *s, const char *metric);

/* ---- samples in ------------------------------------------------------------------------------ */

/* A level: NULL ends it early. {0} is the root. */
struct tarn_path {
    const char *cluster, *host, *type, *subtype;
};

/* One value (not NaN). A value for a slot that has one replaces it. TARN_ENOTFOUND: unknown metric;
 * TARN_ERANGE: older than the retention; TARN_EINVAL: no host, a name over 255 bytes. */
TARN_API int tarn_write(struct tarn_store *s, const struct tarn_path *host_or_below,
                        const char *metric, int64_t time_s, double value, struct tarn_error *err);

struct tarn_lines {
    uint64_t n_stored;  /* samples */
    uint64_t n_refused; /* lines that are wrong: the first is in *err */
    uint64_t n_skipped; /* lines of unknown metrics, too old ones */
};

/* Line protocol; whole lines. `cluster`: of lines without that tag; NULL: such lines are refused.
 * TARN_EFORMAT when a line was refused: the others are stored all the same. `out` may be NULL. */
TARN_API int tarn_write_lines(struct tarn_store *s, const char *cluster, const char *text,
                              size_t len, struct tarn_lines *out, struct tarn_error *err);

/* ---- samples out ----------------------------------------------------------------------------- */

/* Series below a host: that of the level itself or, where it has none, all those below it;
 * several are aggregated as the metric says. With types, those levels; with subtypes, below them. */
struct tarn_selection {
    const char *cluster, *host;
    const char *const *types;
    size_t n_types;
    const char *const *subtypes;
    size_t n_subtypes;
};

struct tarn_series {
    double *values; /* NaN: no sample */
    size_t n;
    int64_t from_s, to_s, step_s; /* values[i] is at from_s + i * step_s */
};

/* The values in [from_s, to_s), as far as there are any. resolution_s: thin out to this, a
 * multiple of the metric's frequency (at least 1,000 values); 0: as stored. Costs 8 bytes a value. */
TARN_API int tarn_read(struct tarn_store *s, const struct tarn_selection *what, const char *metric,
                       int64_t from_s, int64_t to_s, int64_t resolution_s, struct tarn_series *out,
                       struct tarn_error *err);
TARN_API void tarn_series_done(struct tarn_series *series); /* fine on a zeroed struct */

struct tarn_stats {
    uint64_t n_samples;
    double avg, min, max; /* NaN without samples */
    int64_t from_s, to_s;
};

/* Without fetching: compressed samples are answered from their headers. Over several series avg is
 * that of sums, or of averages, of the series' averages, as the metric says. */
TARN_API int tarn_statistics(struct tarn_store *s, const struct tarn_selection *what,
                             const char *metric, int64_t from_s, int64_t to_s,
                             struct tarn_stats *out, struct tarn_error *err);

/* ---- freeing --------------------------------------------------------------------------------- */

/* Samples leave in buffers of up to 512. Each returns the number of buffers freed. */

/* Those that end before `before_s`, at `where` and below. */
TARN_API int64_t tarn_free_before(struct tarn_store *s, const struct tarn_path *where,
                                  int64_t before_s);
/* The same for all hosts but `used` (cluster and host of each): nodes with running jobs. */
TARN_API int64_t tarn_free_except(struct tarn_store *s, int64_t before_s,
                                  const struct tarn_path *used, size_t n_used,
                                  struct tarn_error *err);
/* The oldest buffer of every series. */
TARN_API int64_t tarn_force_free(struct tarn_store *s);

/* ---- what is there --------------------------------------------------------------------------- */

struct tarn_names {
    char **at; /* sorted bytewise */
    size_t n;
};

/* Names of the levels right below `where`: clusters, hosts, type elements, subtype elements. */
TARN_API int tarn_children(struct tarn_store *s, const struct tarn_path *where,
                           struct tarn_names *out, struct tarn_error *err);
/* All levels of that depth (1: clusters, 2: hosts, 3, 4), elements joined by ':'. */
TARN_API int tarn_paths(struct tarn_store *s, unsigned depth, struct tarn_names *out,
                        struct tarn_error *err);
TARN_API void tarn_names_done(struct tarn_names *names); /* fine on a zeroed struct */

enum tarn_health { TARN_MISSING, TARN_DEGRADED, TARN_HEALTHY };
enum tarn_state { TARN_FAILED, TARN_PARTIAL, TARN_FULL };

/* How a node fares: out[i] for metrics[i] (`out` may be NULL). Healthy: no series of it is more
 * than five intervals behind `now_s`. Returns enum tarn_state; TARN_FAILED also for an unknown node. */
TARN_API int tarn_node_health(struct tarn_store *s, const char *cluster, const char *host,
                              const char *const *metrics, size_t n_metrics, int64_t now_s,
                              enum tarn_health *out, struct tarn_error *err);

/* The buffers of all series at `where` and below, as text for eyes. */
TARN_API int tarn_dump(struct tarn_store *s, const struct tarn_path *where, FILE *to,
                       struct tarn_error *err);

#ifdef __cplusplus
}
#endif

#endif
