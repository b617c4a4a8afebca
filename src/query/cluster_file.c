/* cluster_file.c - see cluster_file.h. */
#include "query/cluster_file.h"

#define FIELD(type, key, kind, member, of)                                                         \
    {                                                                                              \
        key, kind, offsetof(struct type, member), of                                               \
    }
#define TABLE(table, type)                                                                         \
    {                                                                                              \
#type, table, TA_COUNT(table), sizeof(struct type), false                                  \
    }
#define FIGURES(type)                                                                              \
    FIELD(type, "peak", TA_DEC_FACTOR, figures.peak, NULL),                                        \
        FIELD(type, "normal", TA_DEC_FACTOR, figures.normal, NULL),                                \
        FIELD(type, "caution", TA_DEC_FACTOR, figures.caution, NULL),                              \
        FIELD(type, "alert", TA_DEC_FACTOR, figures.alert, NULL),                                  \
        FIELD(type, "footprint", TA_DEC_STR, figures.footprint, NULL),                             \
        FIELD(type, "energy", TA_DEC_STR, figures.energy, NULL),                                   \
        FIELD(type, "lowerIsBetter", TA_DEC_BOOL, figures.is_lower_better, NULL),                  \
        FIELD(type, "restrict", TA_DEC_BOOL, figures.is_restricted, NULL)

static const struct ta_dec_field unit_fields[] = {
    FIELD(ta_unit, "base", TA_DEC_STR, base, NULL),
    FIELD(ta_unit, "prefix", TA_DEC_STR, prefix, NULL),
};
static const struct ta_dec_type unit_type = TABLE(unit_fields, ta_unit);

static const struct ta_dec_field override_fields[] = {
    FIELD(ta_file_override, "name", TA_DEC_STR, name, NULL),
    FIELD(ta_file_override, "unit", TA_DEC_OBJECT, unit, &unit_type),
    FIELD(ta_file_override, "remove", TA_DEC_BOOL, is_removed, NULL),
    FIGURES(ta_file_override),
};
static const struct ta_dec_type override_type = TABLE(override_fields, ta_file_override);

static const struct ta_dec_field metric_fields[] = {
    FIELD(ta_file_metric, "name", TA_DEC_STR, name, NULL),
    FIELD(ta_file_metric, "scope", TA_DEC_STR, scope, NULL),
    FIELD(ta_file_metric, "aggregation", TA_DEC_STR, aggregation, NULL),
    FIELD(ta_file_metric, "unit", TA_DEC_OBJECT, unit, &unit_type),
    FIELD(ta_file_metric, "timestep", TA_DEC_I64, timestep_s, NULL),
    FIELD(ta_file_metric, "subClusters", TA_DEC_OBJECTS, overrides, &override_type),
    FIGURES(ta_file_metric),
};
const struct ta_dec_type ta_file_metric_type = TABLE(metric_fields, ta_file_metric);

static const struct ta_dec_field accelerator_fields[] = {
    FIELD(ta_file_accelerator, "id", TA_DEC_STR, id, NULL),
    FIELD(ta_file_accelerator, "type", TA_DEC_STR, type, NULL),
    FIELD(ta_file_accelerator, "model", TA_DEC_STR, model, NULL),
};
static const struct ta_dec_type accelerator_type = TABLE(accelerator_fields, ta_file_accelerator);

static const struct ta_dec_field topology_fields[] = {
    FIELD(ta_file_topology, "node", TA_DEC_INTS, node, NULL),
    FIELD(ta_file_topology, "socket", TA_DEC_INT_LISTS, sockets, NULL),
    FIELD(ta_file_topology, "memoryDomain", TA_DEC_INT_LISTS, domains, NULL),
    FIELD(ta_file_topology, "die", TA_DEC_INT_LISTS, dies, NULL),
    FIELD(ta_file_topology, "core", TA_DEC_INT_LISTS, cores, NULL),
    FIELD(ta_file_topology, "accelerators", TA_DEC_OBJECTS, accelerators, &accelerator_type),
};
const struct ta_dec_type ta_file_topology_type = TABLE(topology_fields, ta_file_topology);

static const struct ta_dec_field value_fields[] = {
    FIELD(ta_file_value, "unit", TA_DEC_OBJECT, unit, &unit_type),
    FIELD(ta_file_value, "value", TA_DEC_FACTOR, value, NULL),
};
const struct ta_dec_type ta_file_value_type = TABLE(value_fields, ta_file_value);

static const struct ta_dec_field subcluster_fields[] = {
    FIELD(ta_file_subcluster, "name", TA_DEC_STR, name, NULL),
    FIELD(ta_file_subcluster, "nodes", TA_DEC_STR, nodes, NULL),
    FIELD(ta_file_subcluster, "processorType", TA_DEC_STR, processor, NULL),
    FIELD(ta_file_subcluster, "topology", TA_DEC_OBJECT, topology, &ta_file_topology_type),
    FIELD(ta_file_subcluster, "flopRateScalar", TA_DEC_OBJECT, flop_rate_scalar,
          &ta_file_value_type),
    FIELD(ta_file_subcluster, "flopRateSimd", TA_DEC_OBJECT, flop_rate_simd, &ta_file_value_type),
    FIELD(ta_file_subcluster, "memoryBandwidth", TA_DEC_OBJECT, memory_bandwidth,
          &ta_file_value_type),
    FIELD(ta_file_subcluster, "socketsPerNode", TA_DEC_I64, sockets_per_node, NULL),
    FIELD(ta_file_subcluster, "coresPerSocket", TA_DEC_I64, cores_per_socket, NULL),
    FIELD(ta_file_subcluster, "threadsPerCore", TA_DEC_I64, threads_per_core, NULL),
};
static const struct ta_dec_type subcluster_type = TABLE(subcluster_fields, ta_file_subcluster);

static const struct ta_dec_field cluster_fields[] = {
    FIELD(ta_cluster_file, "name", TA_DEC_STR, name, NULL),
    FIELD(ta_cluster_file, "metricConfig", TA_DEC_OBJECTS, metrics, &ta_file_metric_type),
    FIELD(ta_cluster_file, "subClusters", TA_DEC_OBJECTS, subclusters, &subcluster_type),
};
static const struct ta_dec_type cluster_type = {"cluster.json", cluster_fields,
                                                TA_COUNT(cluster_fields),
                                                sizeof(struct ta_cluster_file), false};
const struct ta_dec_field ta_cluster_file_root = {"", TA_DEC_OBJECT, 0, &cluster_type};
