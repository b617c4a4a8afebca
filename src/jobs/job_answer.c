/* job_answer.c - see job_answer.h. */
#include "jobs/job_answer.h"

#include <inttypes.h>

#include "jobs/job_document.h"
#include "jobs/store_source.h"

bool ta_job_is_asked(const struct ta_job_question *q, struct ta_str metric)
{
    for (size_t i = 0; i < q->metrics.n; i++)
        if (ta_str_eq(q->metrics.at[i], metric))
            return true;
    return !q->metrics.is_set;
}

static struct ta_job_load load_of(const struct ta_job_question *q, const struct ta_job *job,
                                  struct ta_alloc *alloc)
{
    return (struct ta_job_load){.job = job,
                                .alloc = alloc,
                                .clock = q->deadline_ns ? q->clock : NULL,
                                .deadline_ns = q->deadline_ns,
                                .stop = q->stop};
}

/* ---- from the store ----------------------------------------------------------------------------- */

struct live {
    const struct ta_job_question *q;
    const struct ta_job *job;
    const struct ta_cluster_metric **metrics;
    size_t n_metrics;
    int64_t resolution_s;
    struct ta_store_source source;
};

static size_t live_scopes(const void *self, const struct ta_cluster_metric *metric,
                          enum ta_scope out[TA_LOAD_SCOPES_MAX])
{
    const struct live *l = self;
    unsigned asked = l->q->scopes ? l->q->scopes : TA_SCOPE_BIT(TA_SCOPE_NODE);

    return ta_load_asked_scopes(metric, l->job->subcluster, l->job->num_acc, asked, out);
}

static int check_resolution(int64_t want_s, int64_t timestep_s, struct ta_str metric,
                            struct ta_err *err)
{
    if (want_s <= timestep_s || ta_load_resolution(want_s, timestep_s))
        return TA_OK;
    return ta_fail(err, TA_EINVAL,
                   "the resolution %" PRId64 " s is no multiple of the time step of %.*s, %" PRId64
                   " s",
                   want_s, TA_STR_FMT(metric), timestep_s);
}

static int choose(struct live *l, const struct ta_cluster *cluster, struct ta_arena *arena,
                  struct ta_err *err)
{
    l->resolution_s = l->q->resolution_s;
    l->metrics = ta_metrics_by_name(cluster, arena);
    if (!l->metrics)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    for (size_t i = 0; i < cluster->n_metrics; i++) {
        const struct ta_cluster_metric *m = l->metrics[i];

        if (l->q->resolution_s < 0 && m->timestep_s > l->resolution_s)
            l->resolution_s = m->timestep_s;
        if (ta_job_is_asked(l->q, m->name))
            l->metrics[l->n_metrics++] = m;
    }
    for (size_t i = 0; l->q->resolution_s > 0 && i < l->n_metrics; i++) {
        int r =
            check_resolution(l->resolution_s, l->metrics[i]->timestep_s, l->metrics[i]->name, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static int write_live(struct live *l, struct ta_sink *out, struct ta_arena *arena,
                      struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_job_tally *tallies = ta_arena_get(arena, (l->n_metrics + 1) * sizeof(*tallies));
    struct ta_job_load load = load_of(l->q, l->job, alloc);
    struct ta_document_writer w;
    bool has_any = l->n_metrics == 0;

    if (!tallies)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    load.source = &l->source.source;
    load.metrics = l->metrics;
    load.n_metrics = l->n_metrics;
    load.scopes = live_scopes;
    load.self = l;
    ta_document_init_part(&w, out, l->q->form, alloc);
    int r = ta_job_document_write(&load, &w, tallies, err);
    ta_document_done(&w);
    for (size_t i = 0; r >= 0 && i < l->n_metrics; i++)
        has_any = has_any || tallies[i].has_series;
    if (r >= 0 && !has_any && l->source.n_errors > 0)
        return ta_fail(err, TA_ENOTFOUND, "the store has no data of the job: %s", l->source.error);
    return r;
}

int ta_job_answer_live(const struct ta_job_question *q, struct ta_store *store,
                       const struct ta_cluster *cluster, const struct ta_job *job,
                       struct ta_sink *out, struct ta_arena *arena, struct ta_alloc *alloc,
                       struct ta_err *err)
{
    struct live l = {.q = q, .job = job};
    int r = choose(&l, cluster, arena, err);

    if (r >= 0)
        r = ta_store_source_init(&l.source, store, cluster, job, l.resolution_s, arena, alloc, err);
    l.source.has_thin_stats = true; /* as the reference's store answers */
    if (r >= 0)
        r = write_live(&l, out, arena, alloc, err);
    ta_store_source_done(&l.source);
    return r;
}
