/* cluster.h - what a cluster.json says about metrics and hardware (spec: job-archive 5,
 * scope-queries 1).
 *
 * Read once, immutable afterwards, usable from any thread. What queries need is laid out; the rest is
 * kept as it was in the file, for ta_cluster_write.
 */
#ifndef TARN_QUERY_CLUSTER_H
#define TARN_QUERY_CLUSTER_H

#include "io/json_write.h"
#include "io/stream.h"
#include "query/scope.h"
#include "query/topology.h"

struct ta_unit {
    struct ta_str base, prefix;
};

/* What a subcluster has otherwise than its cluster. */
struct ta_cluster_override {
    struct ta_str subcluster;
    struct ta_str footprint, energy; /* replace the metric's, also when empty */
};

struct ta_cluster_metric {
    struct ta_str name;
    struct ta_unit unit;
    enum ta_scope scope; /* native */
    int64_t timestep_s;
    struct ta_str_list removed; /* names of the subclusters that do not have it */
    struct ta_str footprint;    /* "avg", "min", "max": part of a job's footprint so; or empty */
    struct ta_str energy;       /* "power", "energy": what a job's energy is made of; or empty */
    const struct ta_cluster_override *overrides;
    size_t n_overrides;
};

struct ta_subcluster {
    struct ta_str name;
    struct ta_str nodes; /* node list expression */
    struct ta_topology topology;
};

struct ta_cluster {
    struct ta_str name;
    const struct ta_cluster_metric *metrics;
    size_t n_metrics;
    const struct ta_subcluster *subclusters; /* at least one */
    size_t n_subclusters;
    /* private */
    const struct ta_cluster_file *file; /* cluster_file.h */
    struct ta_alloc *alloc;
    struct ta_arena arena;
};

/* Reads a cluster.json. TA_EFORMAT with what is wrong, TA_ERANGE over 16 MiB of content,
 * TA_ENOMEM. */
int ta_cluster_new(struct ta_cluster **out, struct ta_source *src, struct ta_alloc *alloc,
                   struct ta_err *err);
void ta_cluster_free(struct ta_cluster *c); /* NULL is fine */

/* Writes it with the reference's keys and order, each subcluster with the metrics that it has: their figures as
 * they hold there, and the names of those that make footprint and energy of a job. (spec: job-archive 5.1)
 * Returns the writer's error. */
int ta_cluster_write(struct ta_json_writer *w, const struct ta_cluster *c);

/* Borrowed for the cluster's life; NULL when there is none. */
const struct ta_cluster_metric *ta_cluster_metric(const struct ta_cluster *c, struct ta_str name);
const struct ta_subcluster *ta_cluster_subcluster(const struct ta_cluster *c, struct ta_str name);
/* The first subcluster whose node list has the host; else the first of all when its list is empty
 * or "*". */
const struct ta_subcluster *ta_cluster_of_host(const struct ta_cluster *c, struct ta_str host);

/* False when the configuration removes the metric from that subcluster. */
bool ta_cluster_has(const struct ta_cluster_metric *m, struct ta_str subcluster);

/* The metric's footprint and energy words as they hold for that subcluster. (spec: job-archive
 * 5.1) */
struct ta_str ta_cluster_footprint(const struct ta_cluster_metric *m, struct ta_str subcluster);
struct ta_str ta_cluster_energy(const struct ta_cluster_metric *m, struct ta_str subcluster);

/* Does a node list name the host? "a,b[01-12,20-24]c": literals, and ranges in brackets whose ends
 * have one width, which is how many digits are compared. (spec: job-archive 5.2) */
bool ta_node_list_has(struct ta_str list, struct ta_str host);

#endif
