/* load.h - libtarn: the metrics of a job or of nodes, at the scopes a job page asks for.
 *
 * "Metric M of these nodes at scope S": with the description of a cluster (cluster.json of
 * ClusterCockpit) the library knows where each metric is measured and which threads make a core, a
 * socket, a memory domain or an accelerator's node, and aggregates what is asked coarser.
 *
 *     tarn_cluster_open(&cluster, json, json_len, &err)
 *     tarn_load_open(&load, store, cluster, &request, &err)
 *     while ((r = tarn_load_next(load, &series, &err)) > 0)
 *         while ((n = tarn_load_values(load, values, 512)) > 0) ...
 *     for (i = 0; (text = tarn_load_problem(load, i)); i++) ...
 *     tarn_load_close(load)
 *
 * One series is open at a time, and memory does not grow with the job. What cannot be had (an unknown
 * metric, a scope that is none) is a problem in words, and the rest goes on. A load is one thread's.
 * The rules are those of POST /api/load (doc/load-api.md).
 */
#ifndef TARN_LOAD_H
#define TARN_LOAD_H

#include <tarn/tarn.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tarn_cluster;

/* Reads a cluster.json; usable from any thread afterwards. TARN_EFORMAT with what is wrong. */
TARN_API int tarn_cluster_open(struct tarn_cluster **out, const char *json, size_t len,
                               struct tarn_error *err);
TARN_API void tarn_cluster_close(struct tarn_cluster *c); /* NULL is fine */

/* A node of a job and what the job has of it. */
struct tarn_resource {
    const char *host;
    const uint16_t *threads; /* ids; n_threads 0: all of the node */
    size_t n_threads;
    const char *const *accelerators; /* ids */
    size_t n_accelerators;
};

enum tarn_load_kind {
    TARN_LOAD_JOB_DATA,         /* by metric, scope */
    TARN_LOAD_JOB_STATS,        /* by metric, host; node scope: ask tarn_load_statistics */
    TARN_LOAD_JOB_SCOPED_STATS, /* by metric, scope: ask tarn_load_statistics */
    TARN_LOAD_NODE_DATA,        /* by host, metric; node scope, as stored */
    TARN_LOAD_NODE_LIST         /* by host, metric, scope */
};

struct tarn_load_request {
    enum tarn_load_kind kind;
    const char *subcluster; /* of a job required; of nodes NULL: looked up for each host */
    const struct tarn_resource *resources; /* of a job */
    size_t n_resources;
    const char *const *nodes; /* of nodes; TARN_LOAD_NODE_DATA, n_nodes 0: all there are */
    size_t n_nodes;
    const char *const *metrics;
    size_t n_metrics;
    const char *const *scopes; /* "node", "socket", "memoryDomain", "core", "hwthread", ... */
    size_t n_scopes;
    int64_t from_s, to_s;
    int64_t resolution_s; /* 0: as stored */
};

struct tarn_load_series {
    /* Until the next tarn_load_next. */
    const char *metric, *scope, *host;
    const char *id; /* of the thread, core, ...; aggregated: the first thread; NULL: none */
    int64_t from_s; /* of the first value */
    int64_t step_s;
    size_t n; /* values */
};

struct tarn_load;

/* Copies the request; borrows store and cluster until close. TARN_EINVAL: no resources, an unknown
 * subcluster, from after to. */
TARN_API int tarn_load_open(struct tarn_load **out, struct tarn_store *s,
                            const struct tarn_cluster *cluster,
                            const struct tarn_load_request *request, struct tarn_error *err);
TARN_API void tarn_load_close(struct tarn_load *l); /* NULL is fine */

/* 1: the next series is open; 0: there are no more. */
TARN_API int tarn_load_next(struct tarn_load *l, struct tarn_load_series *out,
                            struct tarn_error *err);
/* Its next values, at most `max` (NaN: no sample); 0: no more. */
TARN_API size_t tarn_load_values(struct tarn_load *l, double *out, size_t max);
/* Of all its values, read or not; NaN when there are none. n_samples is not counted: 0. */
TARN_API void tarn_load_statistics(struct tarn_load *l, struct tarn_stats *out);

/* What could not be had so far: the i-th of the first 64 in words, until the next call; NULL: no more. */
TARN_API const char *tarn_load_problem(struct tarn_load *l, size_t i);

#ifdef __cplusplus
}
#endif

#endif
