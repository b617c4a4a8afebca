/* cluster_file.h - a cluster.json as it is written, member by member (spec: job-archive 5).
 *
 * What ta_cluster_new decodes, and ta_cluster_write writes. Lists are chains in the cluster's arena.
 */
#ifndef TARN_QUERY_CLUSTER_FILE_H
#define TARN_QUERY_CLUSTER_FILE_H

#include "query/cluster.h"
#include "query/decode.h"

/* What a metric and what takes its place on a subcluster have in common. */
struct ta_file_figures {
    double peak, normal, caution, alert;
    struct ta_str footprint, energy;
    bool is_lower_better, is_restricted;
};

struct ta_file_override {
    struct ta_dec_item item;
    struct ta_str name; /* of the subcluster */
    struct ta_unit unit;
    struct ta_file_figures figures;
    bool is_removed;
};

struct ta_file_metric {
    struct ta_dec_item item;
    struct ta_str name, scope, aggregation;
    struct ta_unit unit;
    struct ta_file_figures figures;
    int64_t timestep_s;
    struct ta_dec_chain overrides;
};

struct ta_file_accelerator {
    struct ta_dec_item item;
    struct ta_str id, type, model;
};

struct ta_file_topology {
    struct ta_int_list node;
    struct ta_dec_chain sockets, domains, dies, cores, accelerators;
};

/* A figure with its unit. */
struct ta_file_value {
    struct ta_unit unit;
    double value;
};

struct ta_file_subcluster {
    struct ta_dec_item item;
    struct ta_str name, nodes, processor;
    struct ta_file_topology topology;
    struct ta_file_value flop_rate_scalar, flop_rate_simd, memory_bandwidth;
    int64_t sockets_per_node, cores_per_socket, threads_per_core;
};

struct ta_cluster_file {
    struct ta_str name;
    struct ta_dec_chain metrics, subclusters;
};

/* Of the structs above, for tables of others that hold some more of the file. */
extern const struct ta_dec_type ta_file_metric_type, ta_file_topology_type, ta_file_value_type;

/* For ta_decoder_new: a struct ta_cluster_file. */
extern const struct ta_dec_field ta_cluster_file_root;

/* Written with the reference's keys and order (cluster_file_write.c); what is missing is 0, "" or false, words for a
 * prefix or footprint, overrides, dies and accelerators are left out when there are none. A metric with figures
 * that may be another's, its scope as given, and its overrides if wanted. */
void ta_file_put_metric(struct ta_json_writer *w, const struct ta_file_metric *m,
                        const struct ta_file_figures *f, struct ta_str scope, bool with_overrides);
/* As members of an object that is open: "topology", and the value of `key`. */
void ta_file_put_topology(struct ta_json_writer *w, const struct ta_file_topology *t);
void ta_file_put_value(struct ta_json_writer *w, const char *key, const struct ta_file_value *v);

/* The member "unit" of a metric or of a job's statistic; without a prefix when that is empty. */
void ta_unit_write(struct ta_json_writer *w, const struct ta_unit *unit);

#endif
