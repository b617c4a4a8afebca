/* store_source.c - see store_source.h. */
#include "jobs/store_source.h"

#include "jobs/load_plan.h"

#include <math.h>
#include <stdio.h>

enum { THIN_VALUES = 2 << 20 };

/* The words of errors are few, the rows of one node small. */
static const struct ta_query_limits limits = {.arena_bytes = 16 << 20,
                                              .window_bytes = 16 << 20,
                                              .queries_max = 1 << 20,
                                              .ids_max = 1 << 20,
                                              .name_max = 8 << 10};

/* ---- the job in the words of the store ---------------------------------------------------------- */

static int take_threads(const struct ta_job_node *node, struct ta_arena *arena,
                        struct ta_int_list *out)
{
    uint16_t *at;
    size_t n = 0;

    if (node->n_hwthreads == 0)
        return TA_OK; /* all of the node */
    at = ta_arena_get(arena, node->n_hwthreads * sizeof(*at));
    if (!at)
        return TA_ENOMEM;
    for (size_t i = 0; i < node->n_hwthreads; i++)
        if (node->hwthreads[i] >= 0 && node->hwthreads[i] <= UINT16_MAX)
            at[n++] = (uint16_t)node->hwthreads[i];
    *out = (struct ta_int_list){at, n, true};
    return TA_OK;
}

static int take_resources(struct ta_dec_chain *out, const struct ta_job *job,
                          struct ta_arena *arena)
{
    struct ta_resource *at = ta_arena_get(arena, job->resources.n * sizeof(*at));

    if (!at)
        return TA_ENOMEM;
    for (size_t i = 0; i < job->resources.n; i++) {
        const struct ta_job_node *node = &job->resources.at[i];

        at[i] =
            (struct ta_resource){.item = {i + 1 < job->resources.n ? &at[i + 1].item : NULL},
                                 .host = node->hostname,
                                 .accelerators = {node->accelerators, node->n_accelerators, true}};
        int r = take_threads(node, arena, &at[i].threads);
        if (r < 0)
            return r;
    }
    if (job->resources.n > 0)
        *out = (struct ta_dec_chain){&at[0].item, &at[job->resources.n - 1].item, job->resources.n};
    return TA_OK;
}

/* ---- the source --------------------------------------------------------------------------------- */

static void end(struct ta_store_source *s)
{
    struct ta_str text;

    if (!s->fetch)
        return;
    if (s->n_errors == 0 && ta_fetch_error(s->fetch, 0, &text))
        snprintf(s->error, sizeof(s->error), "%.*s", TA_STR_FMT(text));
    s->n_errors += ta_fetch_n_errors(s->fetch);
    ta_fetch_free(s->fetch);
    s->fetch = NULL;
}

static int open_series(struct ta_store_source *s)
{
    int r = s->fetch ? ta_fetch_next(s->fetch, &s->open) : 0;

    s->is_thin_loaded = false;
    if (r <= 0)
        return r;
    int64_t late = s->open.n_values > 0 ? s->open.from_s - s->request.from_s : 0;
    s->n_pad = late > 0 ? (size_t)(late / s->open.timestep_s) : 0;
    return r;
}

static int begin_fetch(struct ta_store_source *s, struct ta_err *err)
{
    ta_fetch_free(s->fetch);
    s->fetch = NULL;
    return ta_fetch_new(&s->fetch, s->store, s->cluster, &s->request, &s->limits, s->alloc, err);
}

/* What the longest series becomes; nothing is resampled when that cannot be done to all of them. */
static int plan_thinning(struct ta_store_source *s, int64_t want_s, struct ta_err *err)
{
    struct ta_err why = {0};
    bool is_even = true;
    int64_t step_s = 0;
    int r;

    s->n_whole = 0;
    while ((r = open_series(s)) > 0) {
        size_t n = s->n_pad + s->open.n_values;

        is_even = is_even && (step_s == 0 || step_s == s->open.timestep_s);
        step_s = s->open.timestep_s;
        s->n_whole = n > s->n_whole ? n : s->n_whole;
    }
    if (r < 0)
        return ta_fail(err, r, "the series of a job: %s", ta_strerror(r));
    if (!is_even || s->n_whole > THIN_VALUES ||
        ta_resample_plan(step_s, want_s, s->n_whole, &s->plan, &why) < 0)
        s->plan = (struct ta_resample){0};
    if (s->plan.is_changed && s->thin_cap < s->n_whole) {
        ta_release(s->alloc, s->thin, s->thin_cap * sizeof(*s->thin));
        s->thin_cap = 0;
        s->thin = ta_alloc(s->alloc, s->n_whole * sizeof(*s->thin));
        if (!s->thin)
            return ta_fail(err, TA_ENOMEM, "no memory to resample a series of a job");
        s->thin_cap = s->n_whole;
    }
    return begin_fetch(s, err);
}

static int source_begin(struct ta_job_source *self, struct ta_str metric, enum ta_scope scope,
                        struct ta_err *err)
{
    struct ta_store_source *s = TA_CONTAINER(self, struct ta_store_source, source);
    const struct ta_cluster_metric *m = ta_cluster_metric(s->cluster, metric);
    int64_t want_s = m ? ta_load_resolution(s->resolution_s, m->timestep_s) : 0;

    end(s);
    s->metric = metric;
    s->scope = ta_str(ta_scope_name(scope));
    s->request.metrics = (struct ta_str_list){&s->metric, 1, true};
    s->request.scopes = (struct ta_str_list){&s->scope, 1, true};
    s->plan = (struct ta_resample){0};
    int r = begin_fetch(s, err);
    return r < 0 || want_s == 0 ? r : plan_thinning(s, want_s, err);
}

static int source_next(struct ta_job_source *self, struct ta_job_series *out, struct ta_err *err)
{
    struct ta_store_source *s = TA_CONTAINER(self, struct ta_store_source, source);
    int r = open_series(s);

    (void)err; /* what goes wrong with one series is counted */
    if (r <= 0) {
        end(s);
        return r;
    }
    *out = (struct ta_job_series){
        .host = s->open.host,
        .id = s->open.id,
        .timestep_s = s->plan.is_changed ? s->plan.resolution_s : s->open.timestep_s,
        .n = s->plan.is_changed ? s->plan.n_out : s->n_pad + s->open.n_values};
    return 1;
}

/* As stored: no sample before its beginning and past its end. */
static void read_whole(struct ta_store_source *s, size_t first, double *out, size_t n)
{
    size_t done = 0, got;

    for (; done < n && first + done < s->n_pad; done++)
        out[done] = NAN;
    if (done < n)
        ta_fetch_seek(s->fetch, first + done - s->n_pad);
    while (done < n && (got = ta_fetch_window(s->fetch, out + done, n - done)) > 0)
        done += got;
    for (; done < n; done++)
        out[done] = NAN;
}

static void load_thin(struct ta_store_source *s)
{
    if (s->is_thin_loaded)
        return;
    read_whole(s, 0, s->thin, s->n_whole);
    ta_resample_run(&s->plan, s->thin, s->n_whole, s->thin);
    s->is_thin_loaded = true;
}

static struct ta_stats thin_stats(struct ta_store_source *s)
{
    struct ta_stats out = {NAN, NAN, NAN};
    double sum = 0;
    size_t n = 0;

    load_thin(s);
    for (size_t i = 0; i < s->plan.n_out; i++) {
        double v = s->thin[i];

        if (isnan(v))
            continue;
        out.min = n == 0 || v < out.min ? v : out.min;
        out.max = n == 0 || v > out.max ? v : out.max;
        sum += v;
        n++;
    }
    if (n > 0)
        out.avg = sum / (double)n;
    return out;
}

static int source_stats(struct ta_job_source *self, struct ta_stats *out, struct ta_err *err)
{
    struct ta_store_source *s = TA_CONTAINER(self, struct ta_store_source, source);

    (void)err;
    *out = s->plan.is_changed && s->has_thin_stats ? thin_stats(s) : ta_fetch_stats(s->fetch);
    return TA_OK;
}

static int source_read(struct ta_job_source *self, size_t first, double *out, size_t n,
                       struct ta_err *err)
{
    struct ta_store_source *s = TA_CONTAINER(self, struct ta_store_source, source);

    (void)err;
    if (!s->plan.is_changed) {
        read_whole(s, first, out, n);
        return TA_OK;
    }
    load_thin(s);
    for (size_t i = 0; i < n; i++)
        out[i] = first + i < s->plan.n_out ? s->thin[first + i] : NAN;
    return TA_OK;
}

int ta_store_source_init(struct ta_store_source *s, struct ta_store *store,
                         const struct ta_cluster *cluster, const struct ta_job *job,
                         int64_t resolution_s, struct ta_arena *arena, struct ta_alloc *alloc,
                         struct ta_err *err)
{
    *s = (struct ta_store_source){.source = {source_begin, source_next, source_stats, source_read},
                                  .store = store,
                                  .cluster = cluster,
                                  .alloc = alloc,
                                  .resolution_s = resolution_s,
                                  .limits = limits,
                                  .request = {.kind = TA_FETCH_DATA,
                                              .subcluster = job->subcluster,
                                              .n_accelerators = job->num_acc,
                                              .from_s = job->start_time,
                                              .to_s = job->start_time + job->duration}};
    if (job->resources.n == 0)
        return ta_fail(err, TA_EINVAL, "the job has no nodes");
    if (!ta_cluster_subcluster(cluster, job->subcluster))
        return ta_fail(err, TA_EINVAL, "cluster %.*s has no subcluster \"%.*s\"",
                       TA_STR_FMT(cluster->name), TA_STR_FMT(job->subcluster));
    int r = take_resources(&s->request.resources, job, arena);
    return r < 0 ? ta_fail(err, r, "no memory for the nodes of the job") : TA_OK;
}

void ta_store_source_done(struct ta_store_source *s)
{
    if (!s->alloc)
        return;
    end(s);
    ta_release(s->alloc, s->thin, s->thin_cap * sizeof(*s->thin));
    s->thin = NULL;
    s->thin_cap = 0;
}
