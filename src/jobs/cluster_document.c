/* cluster_document.c - see cluster_document.h. */
#include "jobs/cluster_document.h"

#include "base/arena.h"
#include "io/json_write.h"
#include "query/decode.h"

enum { ARENA_MAX = 32 * MiB, ENTRIES_MAX = 65536, TEXT_MAX = 8 * KiB };

/* ---- the file as it is -------------------------------------------------------------------------- */

struct unit {
    struct ta_str base, prefix;
};

/* What a metric and an override of it have in common. */
struct figures {
    struct unit unit;
    double peak, normal, caution, alert;
    struct ta_str footprint, energy;
    bool is_lower_better, is_restricted;
};

struct override {
    struct ta_dec_item item;
    struct ta_str name;
    struct figures f;
    bool is_removed;
};

struct metric {
    struct ta_dec_item item;
    struct ta_str name, scope, aggregation;
    struct figures f;
    int64_t timestep_s;
    struct ta_dec_chain overrides;
};

struct amount {
    struct unit unit;
    double value;
};

struct accelerator {
    struct ta_dec_item item;
    struct ta_str id, type, model;
};

struct topology {
    struct ta_int_list node;
    struct ta_dec_chain socket, domain, die, core, accelerators;
};

struct subcluster {
    struct ta_dec_item item;
    struct ta_str name, nodes, processor;
    struct topology topology;
    struct amount scalar, simd, bandwidth;
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
#define FIGURES(type)                                                                              \
    FIELD(type, "unit", TA_DEC_OBJECT, f.unit, &unit_type),                                        \
        FIELD(type, "peak", TA_DEC_FACTOR, f.peak, NULL),                                          \
        FIELD(type, "normal", TA_DEC_FACTOR, f.normal, NULL),                                      \
        FIELD(type, "caution", TA_DEC_FACTOR, f.caution, NULL),                                    \
        FIELD(type, "alert", TA_DEC_FACTOR, f.alert, NULL),                                        \
        FIELD(type, "footprint", TA_DEC_STR, f.footprint, NULL),                                   \
        FIELD(type, "energy", TA_DEC_STR, f.energy, NULL),                                         \
        FIELD(type, "lowerIsBetter", TA_DEC_BOOL, f.is_lower_better, NULL),                        \
        FIELD(type, "restrict", TA_DEC_BOOL, f.is_restricted, NULL)

static const struct ta_dec_field unit_fields[] = {
    FIELD(unit, "base", TA_DEC_STR, base, NULL),
    FIELD(unit, "prefix", TA_DEC_STR, prefix, NULL),
};
static const struct ta_dec_type unit_type = TABLE(unit_fields, unit);

static const struct ta_dec_field override_fields[] = {
    FIELD(override, "name", TA_DEC_STR, name, NULL),
    FIGURES(override),
    FIELD(override, "remove", TA_DEC_BOOL, is_removed, NULL),
};
static const struct ta_dec_type override_type = TABLE(override_fields, override);

static const struct ta_dec_field metric_fields[] = {
    FIELD(metric, "name", TA_DEC_STR, name, NULL),
    FIELD(metric, "scope", TA_DEC_STR, scope, NULL),
    FIELD(metric, "aggregation", TA_DEC_STR, aggregation, NULL),
    FIELD(metric, "timestep", TA_DEC_I64, timestep_s, NULL),
    FIGURES(metric),
    FIELD(metric, "subClusters", TA_DEC_OBJECTS, overrides, &override_type),
};
static const struct ta_dec_type metric_type = TABLE(metric_fields, metric);

static const struct ta_dec_field amount_fields[] = {
    FIELD(amount, "unit", TA_DEC_OBJECT, unit, &unit_type),
    FIELD(amount, "value", TA_DEC_FACTOR, value, NULL),
};
static const struct ta_dec_type amount_type = TABLE(amount_fields, amount);

static const struct ta_dec_field accelerator_fields[] = {
    FIELD(accelerator, "id", TA_DEC_STR, id, NULL),
    FIELD(accelerator, "type", TA_DEC_STR, type, NULL),
    FIELD(accelerator, "model", TA_DEC_STR, model, NULL),
};
static const struct ta_dec_type accelerator_type = TABLE(accelerator_fields, accelerator);

static const struct ta_dec_field topology_fields[] = {
    FIELD(topology, "node", TA_DEC_INTS, node, NULL),
    FIELD(topology, "socket", TA_DEC_INT_LISTS, socket, NULL),
    FIELD(topology, "memoryDomain", TA_DEC_INT_LISTS, domain, NULL),
    FIELD(topology, "die", TA_DEC_INT_LISTS, die, NULL),
    FIELD(topology, "core", TA_DEC_INT_LISTS, core, NULL),
    FIELD(topology, "accelerators", TA_DEC_OBJECTS, accelerators, &accelerator_type),
};
static const struct ta_dec_type topology_type = TABLE(topology_fields, topology);

static const struct ta_dec_field subcluster_fields[] = {
    FIELD(subcluster, "name", TA_DEC_STR, name, NULL),
    FIELD(subcluster, "nodes", TA_DEC_STR, nodes, NULL),
    FIELD(subcluster, "processorType", TA_DEC_STR, processor, NULL),
    FIELD(subcluster, "topology", TA_DEC_OBJECT, topology, &topology_type),
    FIELD(subcluster, "flopRateScalar", TA_DEC_OBJECT, scalar, &amount_type),
    FIELD(subcluster, "flopRateSimd", TA_DEC_OBJECT, simd, &amount_type),
    FIELD(subcluster, "memoryBandwidth", TA_DEC_OBJECT, bandwidth, &amount_type),
    FIELD(subcluster, "metricConfig", TA_DEC_OBJECTS, metrics, &metric_type),
    FIELD(subcluster, "footprint", TA_DEC_STRS, footprint, NULL),
    FIELD(subcluster, "energyFootprint", TA_DEC_STRS, energy_footprint, NULL),
    FIELD(subcluster, "socketsPerNode", TA_DEC_I64, sockets, NULL),
    FIELD(subcluster, "coresPerSocket", TA_DEC_I64, cores, NULL),
    FIELD(subcluster, "threadsPerCore", TA_DEC_I64, threads, NULL),
};
static const struct ta_dec_type subcluster_type = TABLE(subcluster_fields, subcluster);

static const struct ta_dec_field cluster_fields[] = {
    FIELD(cluster, "name", TA_DEC_STR, name, NULL),
    FIELD(cluster, "metricConfig", TA_DEC_OBJECTS, metrics, &metric_type),
    FIELD(cluster, "subClusters", TA_DEC_OBJECTS, subclusters, &subcluster_type),
};
static const struct ta_dec_type cluster_type = {
    "cluster.json", cluster_fields, TA_COUNT(cluster_fields), sizeof(struct cluster), false};
static const struct ta_dec_field root = {"", TA_DEC_OBJECT, 0, &cluster_type};

#undef FIELD
#undef TABLE
#undef FIGURES

/* ---- written ------------------------------------------------------------------------------------ */

static void put_number(struct ta_json_writer *w, const char *key, double v)
{
    ta_json_put_key(w, key);
    ta_json_put_f64(w, v == v ? v : 0); /* it was null */
}

static void put_word(struct ta_json_writer *w, const char *key, struct ta_str word)
{
    if (word.len)
        ta_json_member_str(w, key, word);
}

static void put_unit(struct ta_json_writer *w, const struct unit *unit)
{
    ta_json_put_key(w, "unit");
    ta_json_put_object(w);
    ta_json_member_str(w, "base", unit->base);
    put_word(w, "prefix", unit->prefix);
    ta_json_put_object_end(w);
}

static void put_thresholds(struct ta_json_writer *w, const struct figures *f)
{
    put_unit(w, &f->unit);
    put_number(w, "peak", f->peak);
    put_number(w, "normal", f->normal);
    put_number(w, "caution", f->caution);
    put_number(w, "alert", f->alert);
}

static void put_override(struct ta_json_writer *w, const struct override *o)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", o->name);
    put_thresholds(w, &o->f);
    put_word(w, "footprint", o->f.footprint);
    ta_json_member_str(w, "energy", o->f.energy);
    ta_json_member_bool(w, "lowerIsBetter", o->f.is_lower_better);
    ta_json_member_bool(w, "restrict", o->f.is_restricted);
    ta_json_member_bool(w, "remove", o->is_removed);
    ta_json_put_object_end(w);
}

static void put_metric(struct ta_json_writer *w, const struct metric *m)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", m->name);
    put_thresholds(w, &m->f);
    ta_json_member_str(w, "energy", m->f.energy);
    ta_json_member_str(w, "scope", m->scope);
    ta_json_member_str(w, "aggregation", m->aggregation);
    put_word(w, "footprint", m->f.footprint);
    if (m->overrides.n) {
        ta_json_put_key(w, "subClusters");
        ta_json_put_array(w);
        for (const struct ta_dec_item *i = m->overrides.first; i; i = i->next)
            put_override(w, (const struct override *)(const void *)i);
        ta_json_put_array_end(w);
    }
    ta_json_member_i64(w, "timestep", m->timestep_s);
    ta_json_member_bool(w, "restrict", m->f.is_restricted);
    ta_json_member_bool(w, "lowerIsBetter", m->f.is_lower_better);
    ta_json_put_object_end(w);
}

static void put_metrics(struct ta_json_writer *w, const struct ta_dec_chain *metrics)
{
    ta_json_put_key(w, "metricConfig");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = metrics->first; i; i = i->next)
        put_metric(w, (const struct metric *)(const void *)i);
    ta_json_put_array_end(w);
}

static void put_ids(struct ta_json_writer *w, const struct ta_int_list *ids)
{
    ta_json_put_array(w);
    for (size_t i = 0; i < ids->n; i++)
        ta_json_put_i64(w, ids->at[i]);
    ta_json_put_array_end(w);
}

static void put_groups(struct ta_json_writer *w, const char *key, const struct ta_dec_chain *groups)
{
    ta_json_put_key(w, key);
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = groups->first; i; i = i->next)
        put_ids(w, &((const struct ta_dec_ints *)(const void *)i)->list);
    ta_json_put_array_end(w);
}

static void put_topology(struct ta_json_writer *w, const struct topology *t)
{
    ta_json_put_key(w, "topology");
    ta_json_put_object(w);
    ta_json_put_key(w, "node");
    put_ids(w, &t->node);
    put_groups(w, "socket", &t->socket);
    put_groups(w, "memoryDomain", &t->domain);
    if (t->die.n)
        put_groups(w, "die", &t->die);
    put_groups(w, "core", &t->core);
    if (t->accelerators.n) {
        ta_json_put_key(w, "accelerators");
        ta_json_put_array(w);
        for (const struct ta_dec_item *i = t->accelerators.first; i; i = i->next) {
            const struct accelerator *a = (const struct accelerator *)(const void *)i;

            ta_json_put_object(w);
            ta_json_member_str(w, "id", a->id);
            ta_json_member_str(w, "type", a->type);
            ta_json_member_str(w, "model", a->model);
            ta_json_put_object_end(w);
        }
        ta_json_put_array_end(w);
    }
    ta_json_put_object_end(w);
}

static void put_amount(struct ta_json_writer *w, const char *key, const struct amount *amount)
{
    ta_json_put_key(w, key);
    ta_json_put_object(w);
    put_unit(w, &amount->unit);
    put_number(w, "value", amount->value);
    ta_json_put_object_end(w);
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
    put_topology(w, &s->topology);
    put_amount(w, "flopRateScalar", &s->scalar);
    put_amount(w, "flopRateSimd", &s->simd);
    put_amount(w, "memoryBandwidth", &s->bandwidth);
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
