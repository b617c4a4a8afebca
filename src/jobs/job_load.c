/* job_load.c - see job_load.h. */
#include "jobs/job_load.h"

#include <math.h>
#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    return ta_str_cmp((*(const struct ta_cluster_metric *const *)a)->name,
                      (*(const struct ta_cluster_metric *const *)b)->name);
}

const struct ta_cluster_metric **ta_metrics_by_name(const struct ta_cluster *cluster,
                                                    struct ta_arena *arena)
{
    const struct ta_cluster_metric **at = ta_arena_get(arena, cluster->n_metrics * sizeof(*at));

    if (!at)
        return NULL;
    for (size_t i = 0; i < cluster->n_metrics; i++)
        at[i] = &cluster->metrics[i];
    qsort((void *)at, cluster->n_metrics, sizeof(*at), by_name);
    return at;
}

int ta_job_load_check(const struct ta_job_load *load, struct ta_err *err)
{
    if (load->stop && atomic_load_explicit(load->stop, memory_order_relaxed))
        return ta_fail(err, TA_ECANCELED, "stopped while a job was read");
    if (load->clock && ta_mono_ns(load->clock) > load->deadline_ns)
        return ta_fail(err, TA_ERANGE, "reading the job took longer than it may");
    return TA_OK;
}

size_t ta_job_load_scopes(const struct ta_job_load *load, const struct ta_cluster_metric *metric,
                          enum ta_scope out[TA_LOAD_SCOPES_MAX])
{
    const struct ta_job *job = load->job;

    if (load->scopes)
        return load->scopes(load->self, metric, out);
    return ta_load_scopes(metric, job->subcluster, job->num_nodes, job->num_acc, &load->rules, out);
}

struct ta_stats ta_stats_archived(struct ta_stats s)
{
    s = ta_series_stats(s);
    return (struct ta_stats){ta_round2(s.avg), ta_round2(s.min), ta_round2(s.max)};
}

static int tally_metric(const struct ta_job_load *load, struct ta_str metric,
                        struct ta_job_tally *tally, struct ta_err *err)
{
    struct ta_job_source *src = load->source;
    struct ta_job_series one;
    struct ta_stats stats;
    int r = src->begin(src, metric, TA_SCOPE_NODE, err);

    while (r >= 0 && (r = src->next(src, &one, err)) > 0) {
        r = src->stats(src, &stats, err);
        if (r >= 0) {
            tally->has_series = true;
            tally->has_samples = tally->has_samples || !isnan(stats.avg);
            ta_job_tally_add(tally, ta_stats_archived(stats));
            r = ta_job_load_check(load, err);
        }
    }
    return r;
}

int ta_job_tally_nodes(const struct ta_job_load *load, struct ta_job_tally *tallies,
                       struct ta_err *err)
{
    enum ta_scope scopes[TA_LOAD_SCOPES_MAX];
    int r = TA_OK;

    for (size_t i = 0; r >= 0 && i < load->n_metrics; i++) {
        const struct ta_cluster_metric *m = load->metrics[i];

        ta_job_tally_init(&tallies[i]);
        if (ta_job_load_scopes(load, m, scopes) > 0)
            r = tally_metric(load, m->name, &tallies[i], err);
    }
    return r;
}
