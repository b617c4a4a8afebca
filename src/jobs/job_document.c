/* job_document.c - see job_document.h. */
#include "jobs/job_document.h"

#include <math.h>

#include "jobs/stat_series.h"

enum { WINDOW = 4096 };

/* One metric under way. */
struct part {
    const struct ta_job_load *d;
    struct ta_document_writer *w;
    const struct ta_cluster_metric *metric;
    struct ta_job_tally *tally;
    enum ta_scope scopes[TA_LOAD_SCOPES_MAX];
    struct ta_survey surveys[TA_LOAD_SCOPES_MAX];
    size_t n_scopes;
    double window[WINDOW];
};

/* ---- one series --------------------------------------------------------------------------------- */

static int write_values(struct part *p, size_t n, struct ta_err *err)
{
    struct ta_job_source *src = p->d->source;
    int r = TA_OK;

    for (size_t at = 0; r >= 0 && at < n; at += WINDOW) {
        size_t piece = n - at < WINDOW ? n - at : WINDOW;

        r = src->read(src, at, p->window, piece, err);
        if (r >= 0)
            r = ta_document_values(p->w, p->window, piece, err);
        if (r >= 0)
            r = ta_job_load_check(p->d, err);
    }
    return r;
}

static int write_series(struct part *p, bool is_node, const struct ta_job_series *one,
                        struct ta_err *err)
{
    struct ta_job_source *src = p->d->source;
    struct ta_stats stats;
    int r = ta_job_load_check(p->d, err);

    if (r >= 0)
        r = src->stats(src, &stats, err);
    if (r < 0)
        return r;
    p->tally->has_samples = p->tally->has_samples || !isnan(stats.avg);
    stats = ta_stats_archived(stats);
    if (is_node)
        ta_job_tally_add(p->tally, stats);
    r = ta_document_series(p->w, one->host, one->id, &stats, err);
    if (r >= 0)
        r = write_values(p, one->n, err);
    return r < 0 ? r : ta_document_series_end(p->w, err);
}

/* ---- one scope ---------------------------------------------------------------------------------- */

static int write_statistics(struct part *p, enum ta_scope scope, const struct ta_survey *survey,
                            struct ta_err *err)
{
    static const enum ta_step_stat order[] = {TA_STAT_MEDIAN, TA_STAT_MIN, TA_STAT_MAX};
    static const char *const names[TA_STATS] = {"min", "median", "max"};
    struct ta_stat_series s;
    const double *v;
    int r = ta_stat_series_init(&s, p->d->source, p->metric->name, scope, survey,
                                p->d->rules.is_compat, p->d->alloc, err);

    if (r < 0)
        return r;
    r = ta_document_statistics(p->w, err);
    if (r >= 0)
        r = ta_document_statistic_null(p->w, TA_STR("mean"), err);
    for (size_t i = 0; r >= 0 && i < TA_COUNT(order); i++) {
        int64_t n = 0;

        r = ta_document_statistic(p->w, ta_str(names[order[i]]), err);
        for (size_t at = 0; r >= 0; at += (size_t)n) {
            n = ta_stat_series_read(&s, order[i], at, WINDOW, &v, err);
            if (n <= 0) {
                r = (int)n;
                break;
            }
            r = ta_document_values(p->w, v, (size_t)n, err);
            if (r >= 0)
                r = ta_job_load_check(p->d, err);
        }
        if (r >= 0)
            r = ta_document_statistic_end(p->w, err);
    }
    if (r >= 0)
        r = ta_document_statistics_end(p->w, err);
    ta_stat_series_done(&s);
    return r;
}

/* Those that are there already are not made again. */
static int give_statistics(struct part *p, enum ta_scope scope, const struct ta_survey *survey,
                           struct ta_err *err)
{
    int r =
        p->d->statistics ? p->d->statistics(p->d->self, p->metric->name, scope, p->w, err) : TA_OK;

    if (r == 0 && survey->n_series >= TA_STAT_SERIES_MIN)
        r = write_statistics(p, scope, survey, err);
    return r < 0 ? r : TA_OK;
}

static int write_scope(struct part *p, enum ta_scope scope, const struct ta_survey *survey,
                       struct ta_err *err)
{
    struct ta_job_source *src = p->d->source;
    struct ta_job_series one;
    int r = ta_document_scope(p->w, ta_str(ta_scope_name(scope)), err);

    if (r >= 0)
        r = give_statistics(p, scope, survey, err);
    if (r >= 0)
        r = ta_document_unit(p->w, p->metric->unit.base, p->metric->unit.prefix, err);
    if (r >= 0)
        r = src->begin(src, p->metric->name, scope, err);
    while (r >= 0 && (r = src->next(src, &one, err)) > 0)
        r = write_series(p, scope == TA_SCOPE_NODE, &one, err);
    return r < 0 ? r : ta_document_scope_end(p->w, survey->timestep_s, err);
}

/* ---- sums of a node ----------------------------------------------------------------------------- */

/* The series of one host, added up. */
struct node_sum {
    double *v;
    size_t cap, shortest, longest, n_series;
    struct ta_stats stats; /* avg: sum of the averages */
    char host[256];
    size_t host_len;
};

static int add_to_sum(struct part *p, struct node_sum *sum, const struct ta_job_series *one,
                      struct ta_err *err)
{
    struct ta_job_source *src = p->d->source;
    size_t longest = one->n < sum->cap ? one->n : sum->cap;
    struct ta_stats stats;
    int r = src->stats(src, &stats, err);

    if (r < 0)
        return r;
    p->tally->has_samples = p->tally->has_samples || !isnan(stats.avg);
    stats = ta_series_stats(stats);
    for (size_t at = 0; r >= 0 && at < longest; at += WINDOW) {
        size_t n = longest - at < WINDOW ? longest - at : WINDOW;

        r = src->read(src, at, p->window, n, err);
        for (size_t i = 0; r >= 0 && i < n; i++)
            sum->v[at + i] = (sum->n_series ? sum->v[at + i] : 0) + p->window[i];
    }
    sum->stats.avg += stats.avg;
    sum->stats.min = sum->n_series && sum->stats.min < stats.min ? sum->stats.min : stats.min;
    sum->stats.max = sum->n_series && sum->stats.max > stats.max ? sum->stats.max : stats.max;
    sum->shortest = sum->n_series && sum->shortest < longest ? sum->shortest : longest;
    sum->longest = sum->n_series && sum->longest > longest ? sum->longest : longest;
    sum->n_series++;
    return r;
}

static int write_sum(struct part *p, struct node_sum *sum, struct ta_err *err)
{
    struct ta_stats stats = sum->stats;
    int r;

    if (sum->n_series == 0)
        return TA_OK;
    stats.avg /= (double)sum->n_series;
    stats = ta_stats_archived(stats);
    ta_job_tally_add(p->tally, stats);
    for (size_t i = sum->shortest; i < sum->longest; i++)
        sum->v[i] = NAN;
    r = ta_document_series(p->w, (struct ta_str){sum->host, sum->host_len}, (struct ta_str){0},
                           &stats, err);
    if (r >= 0)
        r = ta_document_values(p->w, sum->v, sum->longest, err);
    *sum = (struct node_sum){.v = sum->v, .cap = sum->cap};
    return r < 0 ? r : ta_document_series_end(p->w, err);
}

static int write_sums(struct part *p, enum ta_scope from, const struct ta_survey *survey,
                      struct ta_err *err)
{
    struct ta_job_source *src = p->d->source;
    struct node_sum sum = {.cap = survey->longest};
    struct ta_job_series one;
    int r = ta_document_scope(p->w, ta_str(ta_scope_name(TA_SCOPE_NODE)), err);

    sum.v = ta_alloc(p->d->alloc, (sum.cap + 1) * sizeof(double));
    if (!sum.v)
        r = ta_fail(err, TA_ENOMEM, "no memory for the sum of a node's series");
    if (r >= 0)
        r = ta_document_unit(p->w, p->metric->unit.base, p->metric->unit.prefix, err);
    if (r >= 0)
        r = src->begin(src, p->metric->name, from, err);
    while (r >= 0 && (r = src->next(src, &one, err)) > 0) {
        r = ta_job_load_check(p->d, err);
        if (r >= 0 && !ta_str_eq(one.host, (struct ta_str){sum.host, sum.host_len}))
            r = write_sum(p, &sum, err);
        if (r < 0)
            break;
        sum.host_len = one.host.len < sizeof(sum.host) ? one.host.len : sizeof(sum.host);
        memcpy(sum.host, one.host.at, sum.host_len);
        r = add_to_sum(p, &sum, &one, err);
    }
    if (r >= 0)
        r = write_sum(p, &sum, err);
    ta_release(p->d->alloc, sum.v, (sum.cap + 1) * sizeof(double));
    return r < 0 ? r : ta_document_scope_end(p->w, survey->timestep_s, err);
}

/* ---- one metric --------------------------------------------------------------------------------- */

/* The coarsest scope with series, n_scopes when there is none. */
static size_t coarsest(const struct part *p)
{
    size_t best = p->n_scopes;

    for (size_t i = 0; i < p->n_scopes; i++)
        if (p->surveys[i].n_series > 0 && (best == p->n_scopes || p->scopes[i] > p->scopes[best]))
            best = i;
    return best;
}

static int write_metric(struct part *p, struct ta_err *err)
{
    size_t finer;
    int r = TA_OK;

    for (size_t i = 0; r >= 0 && i < p->n_scopes; i++)
        r = ta_survey(p->d->source, p->metric->name, p->scopes[i], &p->surveys[i], err);
    finer = coarsest(p);
    if (r < 0 || finer == p->n_scopes)
        return r;
    p->tally->has_series = true;
    r = ta_document_metric(p->w, p->metric->name, err);
    for (size_t i = 0; r >= 0 && i < p->n_scopes; i++) {
        if (p->surveys[i].n_series > 0)
            r = write_scope(p, p->scopes[i], &p->surveys[i], err);
        else if (p->scopes[i] == TA_SCOPE_NODE && ta_load_is_summed(p->metric->name))
            r = write_sums(p, p->scopes[finer], &p->surveys[finer], err);
    }
    return r < 0 ? r : ta_document_metric_end(p->w, err);
}

int ta_job_document_write(const struct ta_job_load *d, struct ta_document_writer *w,
                          struct ta_job_tally *tallies, struct ta_err *err)
{
    struct part *p = ta_alloc(d->alloc, sizeof(*p));
    int r = p ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory for a job's data");

    for (size_t i = 0; r >= 0 && i < d->n_metrics; i++) {
        p->d = d;
        p->w = w;
        p->metric = d->metrics[i];
        p->tally = &tallies[i];
        ta_job_tally_init(p->tally);
        p->n_scopes = ta_job_load_scopes(d, p->metric, p->scopes);
        r = write_metric(p, err);
    }
    ta_release(d->alloc, p, sizeof(*p));
    return r < 0 ? r : ta_document_finish(w, err);
}
