/* cluster_write.c - a cluster's configuration with what holds for each of its subclusters worked out.
 *
 * (spec: job-archive 5, 5.1) What a subcluster has otherwise takes the place of all figures of a metric, also
 * where it leaves them out.
 */
#include "query/cluster_file.h"

static const struct ta_file_metric *metric_at(const struct ta_dec_item *i)
{
    return (const struct ta_file_metric *)(const void *)i;
}

static const struct ta_file_override *override_at(const struct ta_dec_item *i)
{
    return (const struct ta_file_override *)(const void *)i;
}

static void put_metric(struct ta_json_writer *w, const struct ta_file_metric *m,
                       const struct ta_file_figures *f, bool with_overrides)
{
    ta_file_put_metric(w, m, f, m->scope.len ? m->scope : TA_STR("node"), with_overrides);
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

static void put_subcluster(struct ta_json_writer *w, const struct ta_cluster_file *c,
                           const struct ta_file_subcluster *s)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", s->name);
    ta_json_member_str(w, "nodes", s->nodes);
    ta_json_member_str(w, "processorType", s->processor);
    ta_file_put_topology(w, &s->topology);
    ta_file_put_value(w, "flopRateScalar", &s->flop_rate_scalar);
    ta_file_put_value(w, "flopRateSimd", &s->flop_rate_simd);
    ta_file_put_value(w, "memoryBandwidth", &s->memory_bandwidth);
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
