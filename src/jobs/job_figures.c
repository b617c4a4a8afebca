/* job_figures.c - see job_figures.h. */
#include "jobs/job_figures.h"

#include <float.h>
#include <math.h>

double ta_round2(double v)
{
    return round(v * 100) / 100;
}

struct ta_stats ta_series_stats(struct ta_stats s)
{
    if (!isfinite(s.avg) || !isfinite(s.min) || !isfinite(s.max))
        return (struct ta_stats){0};
    return s;
}

void ta_job_tally_init(struct ta_job_tally *t)
{
    *t = (struct ta_job_tally){.min = FLT_MAX, .max = -FLT_MAX};
}

void ta_job_tally_add(struct ta_job_tally *t, struct ta_stats s)
{
    t->sum_of_avgs += s.avg;
    t->min = s.min < t->min ? s.min : t->min;
    t->max = s.max > t->max ? s.max : t->max;
    t->n_series++;
}

/* ---- one metric -------------------------------------------------------------------------------- */

static bool is_known(const struct ta_job_tally *t, const struct ta_figure_rules *rules)
{
    return t->n_series > 0 && (t->has_samples || rules->is_compat);
}

static struct ta_job_statistic
statistic(const struct ta_job *job, const struct ta_cluster_metric *m, const struct ta_job_tally *t)
{
    double n_nodes = job->num_nodes > 0 ? (double)job->num_nodes : 1;

    return (struct ta_job_statistic){.metric = m->name,
                                     .base = m->unit.base,
                                     .prefix = m->unit.prefix,
                                     .avg = ta_round2(t->sum_of_avgs / n_nodes),
                                     .min = t->min,
                                     .max = t->max};
}

static double value_of(const struct ta_job_statistic *s, struct ta_str type)
{
    return ta_str_is(type, "min") ? s->min : ta_str_is(type, "max") ? s->max : s->avg;
}

static bool is_type(struct ta_str word)
{
    return ta_str_is(word, "avg") || ta_str_is(word, "min") || ta_str_is(word, "max");
}

/* What one unit of the metric is in kWh; 0: it is no energy. */
static double in_kwh(const struct ta_unit *unit)
{
    static const struct {
        const char *prefix;
        double factor;
    } prefixes[] = {{"", 1},    {"m", 1e-3}, {"u", 1e-6}, {"K", 1e3},
                    {"k", 1e3}, {"M", 1e6},  {"G", 1e9}};
    double base = ta_str_is(unit->base, "J") ? 1 / 3.6e6 : ta_str_is(unit->base, "Wh") ? 1e-3 : 0;

    for (size_t i = 0; i < TA_COUNT(prefixes); i++)
        if (ta_str_is(unit->prefix, prefixes[i].prefix))
            return base * prefixes[i].factor;
    return 0;
}

/* In kWh, of a metric in watts or one that counts the energy of each time step. */
static double energy_of(const struct ta_job *job, const struct ta_cluster_metric *m,
                        const struct ta_job_statistic *s, struct ta_str kind,
                        const struct ta_figure_rules *rules)
{
    double all_nodes = s->avg * (double)job->num_nodes;

    if (ta_str_is(kind, "power"))
        return ta_round2(all_nodes * ((double)job->duration / 3600.0) / 1000.0);
    if (!ta_str_is(kind, "energy") || rules->is_compat)
        return 0;
    return ta_round2(all_nodes * (double)job->duration / (double)m->timestep_s * in_kwh(&m->unit));
}

/* ---- all of them ------------------------------------------------------------------------------- */

static int add_footprint(struct ta_job *job, struct ta_str metric, struct ta_str type, double value,
                         struct ta_arena *arena)
{
    char *key = ta_arena_get(arena, metric.len + 1 + type.len);

    if (!key)
        return TA_ENOMEM;
    memcpy(key, metric.at, metric.len);
    key[metric.len] = '_';
    memcpy(key + metric.len + 1, type.at, type.len);
    job->footprint.at[job->footprint.n++] =
        (struct ta_job_number){{key, metric.len + 1 + type.len}, value};
    return TA_OK;
}

/* What footprint and energy have of a metric with these statistics. */
static int add_figures(struct ta_job *job, const struct ta_cluster_metric *m,
                       const struct ta_job_statistic *s, const struct ta_figure_rules *rules,
                       struct ta_arena *arena)
{
    struct ta_str footprint = ta_cluster_footprint(m, job->subcluster);
    struct ta_str energy = ta_cluster_energy(m, job->subcluster);

    if (!ta_cluster_has(m, job->subcluster))
        return TA_OK;
    if (energy.len) {
        double kwh = energy_of(job, m, s, energy, rules);
        job->energy_footprint.at[job->energy_footprint.n++] = (struct ta_job_number){m->name, kwh};
        job->energy += kwh;
    }
    return is_type(footprint)
               ? add_footprint(job, m->name, footprint, value_of(s, footprint), arena)
               : TA_OK;
}

static int add_metric(struct ta_job *job, const struct ta_cluster_metric *m,
                      const struct ta_job_tally *t, const struct ta_figure_rules *rules,
                      struct ta_arena *arena)
{
    struct ta_job_statistic s = {0};

    if (is_known(t, rules)) {
        s = statistic(job, m, t);
        job->statistics.at[job->statistics.n++] = s;
    } else if (!rules->is_compat) {
        return TA_OK;
    }
    return add_figures(job, m, &s, rules, arena);
}

/* By key, so that the maps read as the reference's: "a" stands before "a_b", but "a_avg" not always
 * before "a_b_avg". */
static void sort_footprint(struct ta_job_numbers *f)
{
    for (size_t i = 1; i < f->n; i++)
        for (size_t k = i; k > 0 && ta_str_cmp(f->at[k].key, f->at[k - 1].key) < 0; k--) {
            struct ta_job_number t = f->at[k];
            f->at[k] = f->at[k - 1];
            f->at[k - 1] = t;
        }
}

int ta_job_set_figures(struct ta_job *job, const struct ta_cluster_metric *const *metrics,
                       const struct ta_job_tally *tallies, size_t n,
                       const struct ta_figure_rules *rules, struct ta_arena *arena)
{
    job->statistics.at = ta_arena_get(arena, n * sizeof(*job->statistics.at));
    job->footprint.at = ta_arena_get(arena, n * sizeof(*job->footprint.at));
    job->energy_footprint.at = ta_arena_get(arena, n * sizeof(*job->energy_footprint.at));
    job->statistics.n = job->footprint.n = job->energy_footprint.n = 0;
    job->energy = 0;
    if (!job->statistics.at || !job->footprint.at || !job->energy_footprint.at)
        return TA_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int r = add_metric(job, metrics[i], &tallies[i], rules, arena);
        if (r < 0)
            return r;
    }
    job->energy = ta_round2(job->energy);
    sort_footprint(&job->footprint);
    return TA_OK;
}

int ta_job_set_footprint(struct ta_job *job, const struct ta_cluster *cluster,
                         struct ta_arena *arena)
{
    const struct ta_figure_rules rules = {0};
    size_t n = job->statistics.n;

    job->footprint.at = ta_arena_get(arena, (n + 1) * sizeof(*job->footprint.at));
    job->energy_footprint.at = ta_arena_get(arena, (n + 1) * sizeof(*job->energy_footprint.at));
    job->footprint.n = job->energy_footprint.n = 0;
    job->energy = 0;
    if (!job->footprint.at || !job->energy_footprint.at)
        return TA_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct ta_job_statistic *s = &job->statistics.at[i];
        const struct ta_cluster_metric *m = ta_cluster_metric(cluster, s->metric);
        int r = m ? add_figures(job, m, s, &rules, arena) : TA_OK;
        if (r < 0)
            return r;
    }
    job->energy = ta_round2(job->energy);
    sort_footprint(&job->footprint);
    return TA_OK;
}
