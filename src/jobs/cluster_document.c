/* cluster_document.c - see cluster_document.h. */
#include "jobs/cluster_document.h"

#include "base/arena.h"
#include "io/json_write.h"
#include "query/cluster_file.h"

enum { ARENA_MAX = 32 * MiB, ENTRIES_MAX = 65536, TEXT_MAX = 8 * KiB };

/* ---- the file with what cluster_file.h leaves out ------------------------------------------------ */

struct subcluster {
    struct ta_dec_item item;
    struct ta_str name, nodes, processor;
    struct ta_file_topology topology;
    struct ta_file_value scalar, simd, bandwidth;
    struct ta_dec_chain metrics;
    struct ta_str_list footprint, energy_footprint;
    int64_t sockets, cores, threads;
};

struct cluster {
    struct ta_str name;
    struct ta_dec_chain metrics, subclusters;
};

#define FIELD(type, key, kind, member, of)                                                         \
    {                                                                                              \
        key, kind, offsetof(struct type, member), of                                               \
    }
#define TABLE(table, type)                                                                         \
    {                                                                                              \
#type, table, TA_COUNT(table), sizeof(struct type), false                                  \
    }

static const struct ta_dec_field subcluster_fields[] = {
    FIELD(subcluster, "name", TA_DEC_STR, name, NULL),
    FIELD(subcluster, "nodes", TA_DEC_STR, nodes, NULL),
    FIELD(subcluster, "processorType", TA_DEC_STR, processor, NULL),
    FIELD(subcluster, "topology", TA_DEC_OBJECT, topology, &ta_file_topology_type),
    FIELD(subcluster, "flopRateScalar", TA_DEC_OBJECT, scalar, &ta_file_value_type),
    FIELD(subcluster, "flopRateSimd", TA_DEC_OBJECT, simd, &ta_file_value_type),
    FIELD(subcluster, "memoryBandwidth", TA_DEC_OBJECT, bandwidth, &ta_file_value_type),
    FIELD(subcluster, "metricConfig", TA_DEC_OBJECTS, metrics, &ta_file_metric_type),
    FIELD(subcluster, "footprint", TA_DEC_STRS, footprint, NULL),
    FIELD(subcluster, "energyFootprint", TA_DEC_STRS, energy_footprint, NULL),
    FIELD(subcluster, "socketsPerNode", TA_DEC_I64, sockets, NULL),
    FIELD(subcluster, "coresPerSocket", TA_DEC_I64, cores, NULL),
    FIELD(subcluster, "threadsPerCore", TA_DEC_I64, threads, NULL),
};
static const struct ta_dec_type subcluster_type = TABLE(subcluster_fields, subcluster);

static const struct ta_dec_field cluster_fields[] = {
    FIELD(cluster, "name", TA_DEC_STR, name, NULL),
    FIELD(cluster, "metricConfig", TA_DEC_OBJECTS, metrics, &ta_file_metric_type),
    FIELD(cluster, "subClusters", TA_DEC_OBJECTS, subclusters, &subcluster_type),
};
static const struct ta_dec_type cluster_type = {
    "cluster.json", cluster_fields, TA_COUNT(cluster_fields), sizeof(struct cluster), false};
static const struct ta_dec_field root = {"", TA_DEC_OBJECT, 0, &cluster_type};

#undef FIELD
#undef TABLE

/* ---- written ------------------------------------------------------------------------------------ */

static void put_metrics(struct ta_json_writer *w, const struct ta_dec_chain *metrics)
{
    ta_json_put_key(w, "metricConfig");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = metrics->first; i; i = i->next) {
        const struct ta_file_metric *m = (const struct ta_file_metric *)(const void *)i;

        ta_file_put_metric(w, m, &m->figures, m->scope, true);
    }
    ta_json_put_array_end(w);
}

static void put_names(struct ta_json_writer *w, const char *key, const struct ta_str_list *names)
{
    if (!names->n)
        return;
    ta_json_put_key(w, key);
    ta_json_put_array(w);
    for (size_t i = 0; i < names->n; i++)
        ta_json_put_str(w, names->at[i]);
    ta_json_put_array_end(w);
}

static void put_subcluster(struct ta_json_writer *w, const struct subcluster *s)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", s->name);
    ta_json_member_str(w, "nodes", s->nodes);
    ta_json_member_str(w, "processorType", s->processor);
    ta_file_put_topology(w, &s->topology);
    ta_file_put_value(w, "flopRateScalar", &s->scalar);
    ta_file_put_value(w, "flopRateSimd", &s->simd);
    ta_file_put_value(w, "memoryBandwidth", &s->bandwidth);
    if (s->metrics.n)
        put_metrics(w, &s->metrics);
    put_names(w, "footprint", &s->footprint);
    put_names(w, "energyFootprint", &s->energy_footprint);
    ta_json_member_i64(w, "socketsPerNode", s->sockets);
    ta_json_member_i64(w, "coresPerSocket", s->cores);
    ta_json_member_i64(w, "threadsPerCore", s->threads);
    ta_json_put_object_end(w);
}

static int put_cluster(struct ta_buf *out, const struct cluster *c)
{
    struct ta_json_writer w;

    ta_buf_reset(out);
    ta_json_writer_init(&w, out);
    ta_json_put_object(&w);
    ta_json_member_str(&w, "name", c->name);
    put_metrics(&w, &c->metrics);
    ta_json_put_key(&w, "subClusters");
    ta_json_put_array(&w);
    for (const struct ta_dec_item *i = c->subclusters.first; i; i = i->next)
        put_subcluster(&w, (const struct subcluster *)(const void *)i);
    ta_json_put_array_end(&w);
    ta_json_put_object_end(&w);
    return w.error ? w.error : ta_buf_byte(out, '\n');
}

int ta_cluster_document_write(struct ta_source *src, struct ta_buf *out, struct ta_alloc *alloc,
                              struct ta_err *err)
{
    const struct ta_dec_limits limits = {ENTRIES_MAX, ENTRIES_MAX, TEXT_MAX};
    struct cluster cluster = {0};
    struct ta_decoder *d = NULL;
    struct ta_arena arena;

    ta_arena_init(&arena, alloc, ARENA_MAX);
    int r = ta_decoder_new(&d, src, &root, &cluster, &limits, &arena, alloc);
    if (r >= 0)
        r = ta_decoder_run(d, err);
    ta_decoder_free(d);
    if (r >= 0)
        r = put_cluster(out, &cluster);
    ta_arena_done(&arena);
    return r < 0 ? ta_fail(err, r, "a configuration: %s", ta_strerror(r)) : TA_OK;
}
