/* archive_job.c - see archive_job.h. */
#include "jobs/archive_job.h"

#include "jobs/job_document.h"
#include "jobs/store_source.h"

enum { META_MAX = 32 << 20 /* a script of megabytes, ten thousand nodes with their threads */ };

static const char missing_key[] = "tarn.missingMetrics";

/* One job under way. */
struct work {
    const struct ta_archive_bench *bench;
    struct ta_job *job;
    const struct ta_cluster *cluster;
    const struct ta_cluster_metric **metrics;
    size_t n_metrics;
    struct ta_job_tally *tallies;
    struct ta_store_source source;
    struct ta_arena *arena;
};

const struct ta_cluster *ta_archive_cluster(const struct ta_archive_bench *bench,
                                            struct ta_str name)
{
    for (size_t i = 0; i < bench->n_clusters; i++)
        if (ta_str_eq(bench->clusters[i]->name, name))
            return bench->clusters[i];
    return NULL;
}

static int prepare(struct work *w, struct ta_err *err)
{
    const struct ta_archive_bench *b = w->bench;

    w->cluster = ta_archive_cluster(b, w->job->cluster);
    if (!w->cluster)
        return ta_fail(err, TA_ENOTFOUND, "cluster \"%.*s\" is not configured",
                       TA_STR_FMT(w->job->cluster));
    w->metrics = ta_metrics_by_name(w->cluster, w->arena);
    w->n_metrics = w->cluster->n_metrics;
    w->tallies = ta_arena_get(w->arena, w->n_metrics * sizeof(*w->tallies));
    if (!w->metrics || !w->tallies)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metrics");
    return ta_store_source_init(&w->source, b->store, w->cluster, w->job, b->rules.resolution_s,
                                w->arena, b->alloc, err);
}

static struct ta_job_load load_of(struct work *w)
{
    const struct ta_archive_bench *b = w->bench;
    int64_t timeout_ms = b->rules.timeout_ms;

    return (struct ta_job_load){.source = &w->source.source,
                                .job = w->job,
                                .metrics = w->metrics,
                                .n_metrics = w->n_metrics,
                                .rules = b->rules.load,
                                .alloc = b->alloc,
                                .clock = timeout_ms ? b->clock : NULL,
                                .deadline_ns =
                                    timeout_ms ? ta_mono_ns(b->clock) + timeout_ms * 1000000 : 0,
                                .stop = b->stop};
}

/* ---- data --------------------------------------------------------------------------------------- */

static int spool_data(struct work *w, struct ta_err *err)
{
    struct ta_data_spool *spool = w->bench->spool;
    struct ta_job_load load = load_of(w);
    struct ta_document_writer writer;
    int r = ta_data_spool_begin(spool, err);

    if (r < 0)
        return r;
    ta_document_init(&writer, &spool->sink, w->bench->alloc);
    r = ta_job_document_write(&load, &writer, w->tallies, err);
    ta_document_done(&writer);
    return r < 0 ? r : ta_data_spool_finish(spool, err);
}

static int check_complete(const struct work *w, bool is_last, struct ta_err *err)
{
    bool has_any = false;

    for (size_t i = 0; i < w->n_metrics; i++)
        has_any = has_any || w->tallies[i].has_series;
    if (w->source.n_errors > 0 && !is_last)
        return ta_fail(err, TA_EAGAIN, "%s", w->source.error);
    if (!has_any)
        return ta_fail(err, TA_ENOTFOUND, "the store has no data of the job%s%s",
                       w->source.n_errors ? ": " : "", w->source.error);
    return TA_OK;
}

/* ---- metadata ----------------------------------------------------------------------------------- */

static int list_missing(struct work *w, struct ta_str *out)
{
    enum ta_scope scopes[TA_LOAD_SCOPES_MAX];
    struct ta_buf names;
    int r = TA_OK;

    ta_buf_init(&names, &w->arena->alloc, 1 << 20);
    for (size_t i = 0; r >= 0 && i < w->n_metrics; i++) {
        if (w->tallies[i].has_samples ||
            ta_load_scopes(w->metrics[i], w->job->subcluster, w->job->num_nodes, w->job->num_acc,
                           &w->bench->rules.load, scopes) == 0)
            continue;
        if (names.len)
            r = ta_buf_byte(&names, ',');
        if (r >= 0)
            r = ta_buf_str(&names, w->metrics[i]->name);
    }
    *out = ta_buf_view(&names);
    return r;
}

/* Into the map, whose keys are sorted; what an earlier archiving has left there is replaced. */
static int note_missing(struct work *w, struct ta_str missing)
{
    const struct ta_job_texts *old = &w->job->meta_data;
    struct ta_job_text *at = ta_arena_get(w->arena, (old->n + 1) * sizeof(*at));
    const struct ta_str key = {missing_key, sizeof(missing_key) - 1};
    bool is_in = missing.len == 0;
    size_t n = 0;

    if (!at)
        return TA_ENOMEM;
    for (size_t i = 0; i < old->n; i++) {
        int c = ta_str_cmp(old->at[i].key, key);

        if (c >= 0 && !is_in) {
            at[n++] = (struct ta_job_text){key, missing};
            is_in = true;
        }
        if (c != 0)
            at[n++] = old->at[i];
    }
    if (!is_in)
        at[n++] = (struct ta_job_text){key, missing};
    if (n > 0)
        w->job->meta_data = (struct ta_job_texts){at, n};
    return TA_OK;
}

static int complete(struct work *w, struct ta_archived *out, struct ta_err *err)
{
    const struct ta_archive_rules *rules = &w->bench->rules;
    const struct ta_figure_rules figures = {rules->load.is_compat};
    int r = ta_job_set_figures(w->job, w->metrics, w->tallies, w->n_metrics, &figures, w->arena);

    out->missing = TA_STR("");
    if (r >= 0 && !rules->load.is_compat) {
        r = list_missing(w, &out->missing);
        if (r >= 0)
            r = note_missing(w, out->missing);
    }
    out->first_tag = w->job->tags.n;
    if (r >= 0 && rules->tags)
        r = ta_tag_rules_apply(rules->tags, w->job, w->arena, w->bench->alloc, &out->first_tag);
    w->job->monitoring_status = TA_JOB_ARCHIVED;
    return r < 0 ? ta_fail(err, r, "no memory for a job's metadata") : TA_OK;
}

static int write_meta(struct work *w, struct ta_str *out, struct ta_err *err)
{
    struct ta_json_writer json;
    struct ta_buf text;

    ta_buf_init(&text, &w->arena->alloc, META_MAX);
    ta_json_writer_init(&json, &text);
    int r = ta_job_write(&json, w->job);
    if (r >= 0)
        r = ta_buf_byte(&text, '\n');
    *out = ta_buf_view(&text);
    return r < 0 ? ta_fail(err, r, "a job's metadata: %s", ta_strerror(r)) : TA_OK;
}

/* ---- both --------------------------------------------------------------------------------------- */

static int put_configuration(struct work *w, struct ta_err *err)
{
    const struct ta_archive_bench *b = w->bench;
    size_t i = 0;

    while (b->clusters[i] != w->cluster)
        i++;
    return ta_archive_put_configuration(&b->configurations, i, b->backend, w->cluster->name,
                                        b->alloc, err);
}

static int put(struct work *w, struct ta_archived *out, struct ta_err *err)
{
    const struct ta_job *job = w->job;
    const struct ta_job_address address = {job->cluster, job->job_id, job->start_time};
    struct ta_data_spool *spool = w->bench->spool;
    struct ta_data_spool_source source;

    ta_data_spool_read(spool, &source);
    const struct ta_backend_data data = {&source.source, ta_data_spool_bytes(spool),
                                         ta_data_spool_is_gzip(spool)};
    out->bytes = data.bytes + out->meta.len;
    int r = put_configuration(w, err);
    return r < 0 ? r : ta_backend_put(w->bench->backend, &address, &data, out->meta, true, err);
}

int ta_archive_job(const struct ta_archive_bench *bench, struct ta_job *job, bool is_last,
                   struct ta_arena *arena, struct ta_archived *out, struct ta_err *err)
{
    struct work w = {.bench = bench, .job = job, .arena = arena};
    int r = prepare(&w, err);

    *out = (struct ta_archived){0};
    if (r >= 0)
        r = spool_data(&w, err);
    if (r >= 0)
        r = check_complete(&w, is_last, err);
    if (r >= 0)
        r = complete(&w, out, err);
    if (r >= 0)
        r = write_meta(&w, &out->meta, err);
    if (r >= 0)
        r = put(&w, out, err);
    ta_store_source_done(&w.source);
    return r;
}

int ta_archive_footprint(const struct ta_archive_bench *bench, struct ta_job *job, int64_t now_s,
                         struct ta_arena *arena, struct ta_err *err)
{
    struct work w = {.bench = bench, .job = job, .arena = arena};
    const struct ta_figure_rules figures = {bench->rules.load.is_compat};
    size_t n = 0;

    job->duration = now_s > job->start_time ? now_s - job->start_time : 0;
    int r = prepare(&w, err);
    if (r >= 0) {
        for (size_t i = 0; i < w.n_metrics; i++)
            if (ta_cluster_footprint(w.metrics[i], job->subcluster).len > 0)
                w.metrics[n++] = w.metrics[i];
        w.n_metrics = n;
        struct ta_job_load load = load_of(&w);
        r = ta_job_tally_nodes(&load, w.tallies, err);
    }
    if (r >= 0 && ta_job_set_figures(job, w.metrics, w.tallies, n, &figures, arena) < 0)
        r = ta_fail(err, TA_ENOMEM, "no memory for a job's footprint");
    ta_store_source_done(&w.source);
    return r;
}
