/* fetch.h - the metrics of a job or of nodes, at the scopes asked for, series by series.
 *
 *     ta_fetch_new(&l, store, cluster, &request, NULL, alloc, err)
 *     while (ta_fetch_next(l, &series) > 0) {
 *         while ((n = ta_fetch_window(l, v, max)) > 0) ...       if the data is wanted
 *         stats = ta_fetch_stats(l)                              reads what is left by itself
 *     }
 *     for (i = 0; ta_fetch_error(l, i, &text); i++) ...
 *     ta_fetch_free(l)
 *
 * One series is open at a time; memory is the names of one node's queries and, only when
 * resampling, one series (limits as in request.h), whatever the job. What cannot be had is an error
 * in words and the rest goes on. (spec: scope-queries 3, 4)
 *
 * Deviations: a series has the id it was asked by, also when others are missing; a metric that the
 * configuration does not know, or a scope that cannot be had, fails alone; all orders are those of
 * the request. An aggregated series has the first id of its list, as in the reference.
 */
#ifndef TARN_QUERY_FETCH_H
#define TARN_QUERY_FETCH_H

#include "query/cluster.h"
#include "query/request.h"
#include "query/values.h"
#include "store/store.h"

enum ta_fetch_kind {
    TA_FETCH_DATA,         /* of a job: metric, scope, series */
    TA_FETCH_STATS,        /* of a job: metric, host; node scope */
    TA_FETCH_SCOPED_STATS, /* of a job: metric, scope, series */
    TA_FETCH_NODE_DATA,    /* of nodes: host, metric; node scope, native resolution */
    TA_FETCH_NODE_LIST     /* of nodes: host, metric, scope, series */
};

/* A node of a job and what the job has of it. */
struct ta_resource {
    struct ta_dec_item item; /* first member */
    struct ta_str host;
    struct ta_int_list threads; /* not set: all of the node */
    struct ta_str_list accelerators;
};

struct ta_fetch_request {
    enum ta_fetch_kind kind;
    struct ta_str subcluster;      /* of nodes: empty = looked up for each host */
    struct ta_dec_chain resources; /* of a job; of struct ta_resource */
    int64_t n_accelerators;        /* of a job; < 0: as many as the resources list */
    struct ta_str_list nodes; /* of nodes; TA_FETCH_NODE_DATA: not set = all that the store has */
    struct ta_str_list metrics;
    struct ta_str_list scopes; /* TA_FETCH_DATA, SCOPED_STATS, NODE_LIST; their words */
    int64_t resolution_s;      /* TA_FETCH_DATA, NODE_LIST; 0 = native */
    int64_t from_s, to_s;
};

struct ta_fetch_series {
    const struct ta_cluster_metric *metric;
    enum ta_scope scope;
    struct ta_str host;
    struct ta_str id; /* at is NULL: none */
    int64_t from_s;   /* of the first value */
    int64_t timestep_s;
    size_t n_values;
};

struct ta_fetch;

/* limits NULL: the defaults. Borrows everything for its life. TA_EINVAL, with words: no resources,
 * an unknown subcluster, from after to. TA_ENOMEM. */
int ta_fetch_new(struct ta_fetch **out, struct ta_store *store, const struct ta_cluster *cluster,
                 const struct ta_fetch_request *request, const struct ta_query_limits *limits,
                 struct ta_alloc *alloc, struct ta_err *err);
void ta_fetch_free(struct ta_fetch *l); /* NULL is fine */

/* 1 = the next series is open and described in *out (borrowed until the next call), 0 = no more. */
int ta_fetch_next(struct ta_fetch *l, struct ta_fetch_series *out);
/* Its next values, at most max and 4,096; 0 = no more. */
size_t ta_fetch_window(struct ta_fetch *l, double *out, size_t max);
/* The next window begins at value `first`. Ask for the statistics before: they are of what has been
 * read since, and of the rest. */
void ta_fetch_seek(struct ta_fetch *l, size_t first);
/* Statistics of all its values; NaN when there are none. */
struct ta_stats ta_fetch_stats(struct ta_fetch *l);

/* Source samples touched since the last call of this, about: for pacing. */
uint64_t ta_fetch_cost(struct ta_fetch *l);

/* What went wrong so far: the i-th of the first 64; false when there is none. Borrowed until
 * free. */
bool ta_fetch_error(const struct ta_fetch *l, size_t i, struct ta_str *out);
uint64_t ta_fetch_n_errors(const struct ta_fetch *l);

#endif
