/* cluster_write.c - a cluster's configuration with what holds for each of its subclusters worked out.
 *
 * (spec: job-archive 5, 5.1) What a subcluster has otherwise takes the place of all figures of a metric, also
 * where it leaves them out.
 */
#include <math.h>

#include "query/cluster_file.h"

static const struct ta_file_metric *metric_at(const struct ta_dec_item *i)
{
    return (const struct ta_file_metric *)(const void *)i;
}

static const struct ta_file_override *override_at(const struct ta_dec_item *i)
{
    return (const struct ta_file_override *)(const void *)i;
}

/* null leaves a number at zero. */
static void put_number(struct ta_json_writer *w, const char *key, double v)
{
    ta_json_put_key(w, key);
    ta_json_put_f64(w, isnan(v) ? 0 : v);
}

static void put_unit(struct ta_json_writer *w, const struct ta_unit *unit)
{
    ta_json_put_key(w, "unit");
    ta_json_put_object(w);
    ta_json_member_str(w, "base", unit->base);
    if (unit->prefix.len)
        ta_json_member_str(w, "prefix", unit->prefix);
    ta_json_put_object_end(w);
}

static void put_thresholds(struct ta_json_writer *w, const struct ta_file_figures *f)
{
    put_number(w, "peak", f->peak);
    put_number(w, "normal", f->normal);
    put_number(w, "caution", f->caution);
    put_number(w, "alert", f->alert);
}

static void put_footprint(struct ta_json_writer *w, const struct ta_file_figures *f)
{
    if (f->footprint.len)
        ta_json_member_str(w, "footprint", f->footprint);
}

/* ---- metrics ------------------------------------------------------------------------------------ */

static void put_override(struct ta_json_writer *w, const struct ta_file_override *o)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", o->name);
    put_unit(w, &o->unit);
    put_thresholds(w, &o->figures);
    put_footprint(w, &o->figures);
    ta_json_member_str(w, "energy", o->figures.energy);
    ta_json_member_bool(w, "lowerIsBetter", o->figures.is_lower_better);
    ta_json_member_bool(w, "restrict", o->figures.is_restricted);
    ta_json_member_bool(w, "remove", o->is_removed);
    ta_json_put_object_end(w);
}

static void put_metric(struct ta_json_writer *w, const struct ta_file_metric *m,
                       const struct ta_file_figures *f, bool with_overrides)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", m->name);
    put_unit(w, &m->unit);
    put_thresholds(w, f);
    ta_json_member_str(w, "energy", f->energy);
    ta_json_member_str(w, "scope", m->scope.len ? m->scope : TA_STR("node"));
    ta_json_member_str(w, "aggregation", m->aggregation);
    put_footprint(w, f);
    if (with_overrides && m->overrides.n > 0) {
        ta_json_put_key(w, "subClusters");
        ta_json_put_array(w);
        for (const struct ta_dec_item *i = m->overrides.first; i; i = i->next)
            put_override(w, override_at(i));
        ta_json_put_array_end(w);
    }
    ta_json_member_i64(w, "timestep", m->timestep_s);
    ta_json_member_bool(w, "restrict", f->is_restricted);
    ta_json_member_bool(w, "lowerIsBetter", f->is_lower_better);
    ta_json_put_object_end(w);
}

/* ---- metrics of a subcluster -------------------------------------------------------------------- */

/* False: it does not have the metric. */
static bool merge(const struct ta_file_metric *m, struct ta_str subcluster,
                  struct ta_file_figures *out)
{
    *out =
        m->figures; /* the reference drops `restrict` here: what is kept from users would be shown */
    for (const struct ta_dec_item *i = m->overrides.first; i; i = i->next) {
        const struct ta_file_override *o = override_at(i);

        if (!ta_str_eq(o->name, subcluster))
            continue;
        *out = o->figures;
        return !o->is_removed;
    }
    return true;
}

static void put_metrics_of(struct ta_json_writer *w, const struct ta_cluster_file *c,
                           struct ta_str subcluster)
{
    struct ta_file_figures f;
    bool is_open = false;

    for (const struct ta_dec_item *i = c->metrics.first; i; i = i->next) {
        if (!merge(metric_at(i), subcluster, &f))
            continue;
        if (!is_open) {
            ta_json_put_key(w, "metricConfig");
            ta_json_put_array(w);
        }
        is_open = true;
        put_metric(w, metric_at(i), &f, false);
    }
    if (is_open)
        ta_json_put_array_end(w);
}

static void put_names_of(struct ta_json_writer *w, const struct ta_cluster_file *c,
                         struct ta_str subcluster, const char *key, bool is_energy)
{
    struct ta_file_figures f;
    bool is_open = false;

    for (const struct ta_dec_item *i = c->metrics.first; i; i = i->next) {
        if (!merge(metric_at(i), subcluster, &f) || !(is_energy ? f.energy : f.footprint).len)
            continue;
        if (!is_open) {
            ta_json_put_key(w, key);
            ta_json_put_array(w);
        }
        is_open = true;
        ta_json_put_str(w, metric_at(i)->name);
    }
    if (is_open)
        ta_json_put_array_end(w);
}

/* ---- subclusters -------------------------------------------------------------------------------- */

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

static void put_accelerators(struct ta_json_writer *w, const struct ta_dec_chain *all)
{
    ta_json_put_key(w, "accelerators");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = all->first; i; i = i->next) {
        const struct ta_file_accelerator *a = (const struct ta_file_accelerator *)(const void *)i;

        ta_json_put_object(w);
        ta_json_member_str(w, "id", a->id);
        ta_json_member_str(w, "type", a->type);
        ta_json_member_str(w, "model", a->model);
        ta_json_put_object_end(w);
    }
    ta_json_put_array_end(w);
}

static void put_topology(struct ta_json_writer *w, const struct ta_file_topology *t)
{
    ta_json_put_key(w, "topology");
    ta_json_put_object(w);
    ta_json_put_key(w, "node");
    put_ids(w, &t->node);
    put_groups(w, "socket", &t->sockets);
    put_groups(w, "memoryDomain", &t->domains);
    if (t->dies.n > 0)
        put_groups(w, "die", &t->dies);
    put_groups(w, "core", &t->cores);
    if (t->accelerators.n > 0)
        put_accelerators(w, &t->accelerators);
    ta_json_put_object_end(w);
}

static void put_value(struct ta_json_writer *w, const char *key, const struct ta_file_value *v)
{
    ta_json_put_key(w, key);
    ta_json_put_object(w);
    put_unit(w, &v->unit);
    put_number(w, "value", v->value);
    ta_json_put_object_end(w);
}

static void put_subcluster(struct ta_json_writer *w, const struct ta_cluster_file *c,
                           const struct ta_file_subcluster *s)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", s->name);
    ta_json_member_str(w, "nodes", s->nodes);
    ta_json_member_str(w, "processorType", s->processor);
    put_topology(w, &s->topology);
    put_value(w, "flopRateScalar", &s->flop_rate_scalar);
    put_value(w, "flopRateSimd", &s->flop_rate_simd);
    put_value(w, "memoryBandwidth", &s->memory_bandwidth);
    put_metrics_of(w, c, s->name);
    put_names_of(w, c, s->name, "footprint", false);
    put_names_of(w, c, s->name, "energyFootprint", true);
    ta_json_member_i64(w, "socketsPerNode", s->sockets_per_node);
    ta_json_member_i64(w, "coresPerSocket", s->cores_per_socket);
    ta_json_member_i64(w, "threadsPerCore", s->threads_per_core);
    ta_json_put_object_end(w);
}

int ta_cluster_write(struct ta_json_writer *w, const struct ta_cluster *cluster)
{
    const struct ta_cluster_file *c = cluster->file;

    ta_json_put_object(w);
    ta_json_member_str(w, "name", c->name);
    ta_json_put_key(w, "metricConfig");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = c->metrics.first; i; i = i->next)
        put_metric(w, metric_at(i), &metric_at(i)->figures, true);
    ta_json_put_array_end(w);
    ta_json_put_key(w, "subClusters");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = c->subclusters.first; i; i = i->next)
        put_subcluster(w, c, (const struct ta_file_subcluster *)(const void *)i);
    ta_json_put_array_end(w);
    return ta_json_put_object_end(w);
}
