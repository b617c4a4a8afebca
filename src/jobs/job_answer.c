/* job_answer.c - see job_answer.h. */
#include "jobs/job_answer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "jobs/data_columns.h"
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

/* ---- from an archive ---------------------------------------------------------------------------- */

enum { WINDOW = 4096 };

struct archived {
    const struct ta_job_question *q;
    struct ta_source source; /* the document, for as long as there is time for it */
    struct ta_source *json;
    struct ta_job_load limits; /* of time */
    struct ta_data_columns columns;
    const struct ta_cluster_metric **metrics; /* what the document has, by name */
    size_t n_metrics;
    double window[WINDOW];
};

static int64_t read_in_time(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct archived *a = TA_CONTAINER(self, struct archived, source);
    int r = ta_job_load_check(&a->limits, err);

    return r < 0 ? r : a->json->read(a->json, buf, n, err);
}

static bool is_wanted(const void *self, struct ta_str metric)
{
    return ta_job_is_asked(self, metric);
}

/* A metric of one scope comes at that; of several, at those asked for, or at all when it has none of them. */
static size_t archived_scopes(const void *self, const struct ta_cluster_metric *metric,
                              enum ta_scope out[TA_LOAD_SCOPES_MAX])
{
    const struct archived *a = self;
    unsigned has = 0;
    size_t n = 0;

    for (const struct ta_data_part *p = a->columns.parts; p; p = p->next)
        if (p->n_series > 0 && ta_str_eq(p->metric, metric->name))
            has |= TA_SCOPE_BIT(p->scope);
    unsigned wanted = has & a->q->scopes ? has & a->q->scopes : has;
    if (has && ta_load_is_summed(metric->name))
        wanted |= TA_SCOPE_BIT(TA_SCOPE_NODE);
    for (enum ta_scope s = TA_SCOPE_ACCELERATOR; s <= TA_SCOPE_NODE; s++)
        if (wanted & TA_SCOPE_BIT(s))
            n = ta_load_add_scope(out, n, s);
    return n;
}

static int copy_values(struct archived *a, size_t n, struct ta_document_writer *w,
                       struct ta_err *err)
{
    struct ta_job_source *source = &a->columns.source;
    int r = TA_OK;

    for (size_t at = 0; r >= 0 && at < n; at += WINDOW) {
        size_t piece = n - at < WINDOW ? n - at : WINDOW;

        r = source->read(source, at, a->window, piece, err);
        if (r >= 0)
            r = ta_document_values(w, a->window, piece, err);
    }
    return r;
}

static int copy_statistic(struct archived *a, const struct ta_data_statistic *s,
                          struct ta_document_writer *w, struct ta_err *err)
{
    if (s->is_null)
        return ta_document_statistic_null(w, ta_str(s->name), err);
    int r = ta_document_statistic(w, ta_str(s->name), err);
    if (r >= 0)
        r = copy_values(a, s->n, w, err);
    return r < 0 ? r : ta_document_statistic_end(w, err);
}

static int archived_statistics(const void *self, struct ta_str metric, enum ta_scope scope,
                               struct ta_document_writer *w, struct ta_err *err)
{
    struct archived *a = (struct archived *)(uintptr_t)self; /* ours: it has a place to read from */
    const struct ta_data_part *part = ta_data_columns_part(&a->columns, metric, scope);
    bool is_in_percentiles = false;
    struct ta_data_statistic s;
    int r;

    if (!part || part->n_statistics == 0)
        return 0;
    ta_data_columns_open_statistics(&a->columns, part);
    r = ta_document_statistics(w, err);
    while (r >= 0 && (r = ta_data_columns_next_statistic(&a->columns, &s, err)) > 0) {
        if (s.is_percentile != is_in_percentiles)
            r = s.is_percentile ? ta_document_percentiles(w, err)
                                : ta_document_percentiles_end(w, err);
        is_in_percentiles = s.is_percentile;
        if (r >= 0)
            r = copy_statistic(a, &s, w, err);
    }
    if (r >= 0 && is_in_percentiles)
        r = ta_document_percentiles_end(w, err);
    if (r >= 0)
        r = ta_document_statistics_end(w, err);
    return r < 0 ? r : 1;
}

static int by_name(const void *a, const void *b)
{
    return ta_str_cmp((*(const struct ta_cluster_metric *const *)a)->name,
                      (*(const struct ta_cluster_metric *const *)b)->name);
}

/* The document says itself what its metrics are: the cluster may have others by now, or be gone. */
static int list_metrics(struct archived *a, struct ta_arena *arena, struct ta_err *err)
{
    size_t n = a->columns.n_parts, kept = 0;
    struct ta_cluster_metric *all = ta_arena_get(arena, (n + 1) * sizeof(*all));

    a->metrics = ta_arena_get(arena, (n + 1) * sizeof(*a->metrics));
    if (!all || !a->metrics)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    n = 0;
    for (const struct ta_data_part *p = a->columns.parts; p; p = p->next, n++) {
        all[n] = (struct ta_cluster_metric){
            .name = p->metric, .unit = p->unit, .scope = p->scope, .timestep_s = p->timestep_s};
        a->metrics[n] = &all[n];
    }
    qsort((void *)a->metrics, n, sizeof(*a->metrics), by_name);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !ta_str_eq(a->metrics[kept - 1]->name, a->metrics[i]->name))
            a->metrics[kept++] = a->metrics[i];
    a->n_metrics = kept;
    return TA_OK;
}

static int choose_resolution(struct archived *a, const struct ta_cluster *cluster,
                             struct ta_err *err)
{
    int64_t coarsest_s = 0;
    int r = TA_OK;

    for (size_t i = 0; cluster && i < cluster->n_metrics; i++)
        if (cluster->metrics[i].timestep_s > coarsest_s)
            coarsest_s = cluster->metrics[i].timestep_s;
    for (const struct ta_data_part *p = a->columns.parts; r >= 0 && p; p = p->next) {
        if (!cluster && p->timestep_s > coarsest_s)
            coarsest_s = p->timestep_s;
        if (a->q->resolution_s > 0)
            r = check_resolution(a->q->resolution_s, p->timestep_s, p->metric, err);
    }
    a->columns.resolution_s = a->q->resolution_s < 0 ? coarsest_s : a->q->resolution_s;
    return r;
}

static int write_archived(struct archived *a, const struct ta_job *job, struct ta_sink *out,
                          struct ta_arena *arena, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_job_tally *tallies = ta_arena_get(arena, (a->n_metrics + 1) * sizeof(*tallies));
    struct ta_job_load load = load_of(a->q, job, alloc);
    struct ta_document_writer w;

    if (!tallies)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    load.source = &a->columns.source;
    load.metrics = a->metrics;
    load.n_metrics = a->n_metrics;
    load.scopes = archived_scopes;
    load.statistics = archived_statistics;
    load.self = a;
    ta_document_init_part(&w, out, a->q->form, alloc);
    int r = ta_job_document_write(&load, &w, tallies, err);
    ta_document_done(&w);
    return r;
}

int ta_job_answer_archived(const struct ta_job_question *q, struct ta_source *json,
                           const struct ta_job_files *files, const struct ta_cluster *cluster,
                           const struct ta_job *job, struct ta_sink *out, struct ta_arena *arena,
                           struct ta_alloc *alloc, struct ta_err *err)
{
    struct archived *a = ta_alloc(alloc, sizeof(*a));

    if (!a)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    a->q = q;
    a->n_metrics = 0;
    a->json = json;
    a->source = (struct ta_source){read_in_time};
    a->limits = load_of(q, job, alloc);
    int r = ta_data_columns_read(&a->columns, &a->source, is_wanted, q, files->values,
                                 files->series, files->bytes_max, arena, alloc, err);
    if (r >= 0)
        r = list_metrics(a, arena, err);
    if (r >= 0)
        r = choose_resolution(a, cluster, err);
    if (r >= 0)
        r = write_archived(a, job, out, arena, alloc, err);
    ta_data_columns_done(&a->columns);
    ta_release(alloc, a, sizeof(*a));
    return r;
}
