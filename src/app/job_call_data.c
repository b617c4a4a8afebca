/* job_call_data.c - one job together with its metrics (spec: archiver 2.10, 3.1).
 *
 * A document may be larger than memory: it is laid down in a file without a name, from which the answer is
 * sent. The metrics of an archived job are those of the archive, of any other one those that the store has.
 */
#include "app/archive_reader.h"
#include "app/job_call_int.h"

#include "io/gzip.h"
#include "io/json_write.h"
#include "jobs/job_answer.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    MEMORY_MAX = 64 << 20, /* of making one: what the archiver's workers have, too */
    METRICS_MAX = 4096     /* asked for by one request */
};

static const uint64_t BYTES_MAX = JOB_ANSWER_BYTES_MAX;

/* ---- the file ----------------------------------------------------------------------------------- */

struct file_sink {
    struct ta_sink sink;
    struct ta_file *file;
    uint64_t at;
};

static int add(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err)
{
    struct file_sink *s = TA_CONTAINER(self, struct file_sink, sink);

    if (s->at + n > BYTES_MAX)
        return ta_fail(err, TA_ERANGE, "the data are more than %" PRIu64 " bytes", BYTES_MAX);
    int r = ta_pwrite_full(s->file, buf, n, s->at, err);
    s->at += n;
    return r;
}

static int open_file(struct ta_job_call *c, struct ta_file **out, struct ta_err *err)
{
    return job_open_file(c, ".job-answer", out, err);
}

/* ---- the data ----------------------------------------------------------------------------------- */

static int write_document(struct ta_job_call *c, const struct ta_job_question *q,
                          const struct ta_job *job, const struct ta_backend_data *data,
                          struct ta_sink *out, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_job_files files = {.bytes_max = BYTES_MAX};
    struct ta_gzip gzip = {0};
    int r = open_file(c, &files.values, err);

    if (r >= 0)
        r = open_file(c, &files.series, err);
    if (r >= 0 && data->is_gzip)
        r = ta_gzip_unpack(&gzip, data->source, alloc, err);
    if (r >= 0)
        r = ta_job_answer_archived(q, data->is_gzip ? &gzip.source : data->source, &files,
                                   job_cluster(c, job->cluster), job, out, &c->arena, alloc, err);
    ta_gzip_done(&gzip);
    (void)ta_close(&files.values, NULL); /* nothing in them is to be kept */
    (void)ta_close(&files.series, NULL);
    return r;
}

static int write_archived(struct ta_job_call *c, const struct ta_job_question *q,
                          const struct ta_job *job, struct ta_sink *out, struct ta_alloc *alloc,
                          struct ta_err *err)
{
    const struct ta_job_address at = {job->cluster, job->job_id, job->start_time};
    struct ta_archive_reader archive;
    struct ta_backend_data data;

    ta_archive_reader_init(&archive, c->place->archiving, ".archive-read-data", c->place->bytes_max,
                           alloc);
    int r = ta_archive_reader_open_data(&archive, &at, &data, err);
    if (r >= 0) {
        r = write_document(c, q, job, &data, out, alloc, err);
        ta_backend_close_data(archive.backend);
    }
    ta_archive_reader_done(&archive);
    return r;
}

static int write_live(struct ta_job_call *c, const struct ta_job_question *q,
                      const struct ta_job *job, struct ta_sink *out, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    const struct ta_cluster *cluster = job_cluster(c, job->cluster);

    if (!cluster)
        return ta_fail(err, TA_ENOTFOUND, "cluster \"%.*s\" is not configured",
                       TA_STR_FMT(job->cluster));
    return ta_job_answer_live(q, c->place->store, cluster, job, out, &c->arena, alloc, err);
}

/* ---- the answer --------------------------------------------------------------------------------- */

/* What stands before the data. */
static int put_head(struct ta_job_call *c, const struct ta_job *job, struct ta_err *err)
{
    struct ta_json_writer w;

    ta_buf_reset(&c->answer);
    ta_json_writer_init(&w, &c->answer);
    ta_json_put_object(&w);
    if (c->verb == TA_JOB_METRICS) {
        ta_json_put_key(&w, "data");
        ta_json_put_object(&w);
        ta_json_put_key(&w, "jobMetrics");
    } else {
        ta_json_put_key(&w, "Meta");
        ta_job_write(&w, job);
        ta_json_put_key(&w, "Data");
    }
    return w.error < 0 ? ta_fail(err, TA_ERANGE, "the job is too large for an answer") : TA_OK;
}

static struct ta_str tail_of(const struct ta_job_call *c)
{
    return c->verb == TA_JOB_METRICS ? TA_STR("},\"error\":null}\n") : TA_STR("}\n");
}

static int write_answer(struct ta_job_call *c, const struct ta_job_question *q,
                        const struct ta_job *job, struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_str tail = tail_of(c);
    struct file_sink to = {.sink = {add}};
    int r = put_head(c, job, err);

    if (r >= 0)
        r = open_file(c, &c->file, err);
    to.file = c->file;
    if (r >= 0)
        r = add(&to.sink, c->answer.at, c->answer.len, err);
    ta_buf_reset(&c->answer);
    if (r >= 0)
        r = job->monitoring_status == TA_JOB_ARCHIVED
                ? write_archived(c, q, job, &to.sink, alloc, err)
                : write_live(c, q, job, &to.sink, alloc, err);
    if (r >= 0)
        r = add(&to.sink, tail.at, tail.len, err);
    c->file_bytes = r < 0 ? 0 : to.at;
    return r;
}

static bool take_room(struct ta_job_call *c)
{
    struct ta_err why = {0};

    return job_take_room(c, &why) >= 0 || job_refuse(c, 503, "%s", why.text) != TA_OK;
}

/* As the reference's: what the metrics of a job cannot be given for stands in an answer with status 200. */
static void refuse_metrics(struct ta_job_call *c, const char *message)
{
    ta_buf_reset(&c->answer);
    c->status = 200;
    c->content_type = "application/json";
    if (ta_buf_z(&c->answer, "{\"data\":null,\"error\":{\"message\":") < 0 ||
        ta_json_escape(&c->answer, ta_str(message)) < 0 || ta_buf_z(&c->answer, "}}\n") < 0)
        job_refuse(c, 503, "no memory for the answer");
}

static void refuse(struct ta_job_call *c, const struct ta_job *job, int code,
                   const struct ta_err *why)
{
    bool is_live = job->monitoring_status != TA_JOB_ARCHIVED;

    if (code == TA_EINVAL)
        job_refuse(c, 400, "%s", why->text);
    else if (code == TA_ECANCELED)
        job_refuse(c, 503, "%s", why->text);
    else if (code == TA_ENOTFOUND && is_live && c->verb == TA_JOB_METRICS)
        refuse_metrics(c, why->text);
    else if (code == TA_ENOTFOUND && is_live)
        job_refuse(c, 404, "%s", why->text);
    else
        job_fail(c, code, "reading the job's data failed", why);
}

static void answer(struct ta_job_call *c, struct ta_job_question *q, const struct ta_job *job)
{
    const struct ta_archiving *archiving = c->place->archiving;
    int64_t timeout_ns = archiving->config->tarn.archiver.timeout_ns;
    struct ta_budget budget;
    struct ta_err why = {0};

    if (job->monitoring_status == TA_JOB_ARCHIVED && !archiving->archiver) {
        job_refuse(c, 501, "the job is archived, and no job archive is configured");
        return;
    }
    if (!take_room(c))
        return;
    ta_budget_init(&budget, "a job's data", MEMORY_MAX, c->place->alloc);
    q->stop = c->place->stop;
    q->clock = c->place->clock;
    q->deadline_ns = timeout_ns ? ta_mono_ns(c->place->clock) + timeout_ns : 0;
    int e = write_answer(c, q, job, &budget.alloc, &why);
    if (e >= 0) {
        c->status = 200;
        c->content_type = "application/json";
    } else {
        refuse(c, job, e, &why);
    }
}

/* ---- the question ------------------------------------------------------------------------------- */

static bool read_scope(struct ta_job_call *c, struct ta_job_question *q, struct ta_str word)
{
    enum ta_scope scope = ta_scope_parse(word);

    if (scope != TA_SCOPE_INVALID) {
        q->scopes |= TA_SCOPE_BIT(scope);
        return true;
    }
    job_refuse(c, 400,
               "unmarshaling scope failed: SCHEMA/METRICS > %.*s is not a valid MetricScope",
               TA_STR_FMT(word));
    return false;
}

static bool read_resolution(struct ta_job_call *c, struct ta_job_question *q, struct ta_str word)
{
    struct ta_err why = {0};

    if (job_parse_i64(word, &q->resolution_s, &why) < 0)
        job_refuse(c, 400, "resolution: %s", why.text);
    else if (q->resolution_s < 0)
        job_refuse(c, 400, "resolution must be >= 0");
    else
        return true;
    return false;
}

static bool read_metric(struct ta_job_call *c, struct ta_job_question *q, struct ta_str name)
{
    struct ta_str *at = (struct ta_str *)(uintptr_t)q->metrics.at; /* ours, until all are there */

    if (!at)
        at = ta_arena_get(&c->arena, METRICS_MAX * sizeof(*at));
    if (at && q->metrics.n < METRICS_MAX) {
        at[q->metrics.n] = name;
        q->metrics = (struct ta_str_list){at, q->metrics.n + 1, true};
        return true;
    }
    job_refuse(c, at ? 413 : 503, at ? "more than %d metrics are asked for" : "no memory",
               METRICS_MAX);
    return false;
}

/* The resolution is ours. */
static bool read_query(struct ta_job_call *c, struct ta_job_question *q)
{
    struct ta_str rest = c->query, name, value;
    int more;

    while ((more = job_query_pair(c, &rest, &name, &value)) > 0) {
        if (ta_str_is(name, "scope") && !read_scope(c, q, value))
            return false;
        if (ta_str_is(name, "resolution") && !read_resolution(c, q, value))
            return false;
        if (ta_str_is(name, "metric") && c->verb == TA_JOB_METRICS && !read_metric(c, q, value))
            return false;
    }
    return more == 0;
}

/* ["metric", ...], or null for all. */
static int read_names(struct ta_job_call *c, struct ta_job_question *q, struct ta_json_reader *r,
                      struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e < 0 || t.kind == TA_JSON_NULL)
        return e;
    if (t.kind != TA_JSON_ARRAY)
        return ta_json_expected(&t, "a list of metrics", err);
    q->metrics.is_set = true;
    while ((e = ta_json_next(r, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        struct ta_str name = ta_arena_copy(&c->arena, t.text);

        if (t.kind != TA_JSON_STRING)
            return ta_json_expected(&t, "the name of a metric", err);
        if (!name.at)
            return ta_fail(err, TA_ENOMEM, "no memory for a request");
        if (!read_metric(c, q, name))
            return TA_EDENIED; /* it has been refused */
    }
    return e < 0 ? e : ta_json_finish(r, err);
}

static bool read_body(struct ta_job_call *c, struct ta_job_question *q)
{
    struct ta_json_limits limits = {.buffer = 2 * c->body.len + 4 * KiB};
    struct ta_json_reader *r = NULL;
    struct ta_mem_source source;
    struct ta_err why = {0};

    ta_mem_source_init(&source, c->body.at, c->body.len, 0);
    int e = ta_json_reader_new(&r, &source.source, &limits, c->place->alloc);
    if (e >= 0)
        e = read_names(c, q, r, &why);
    ta_json_reader_free(r);
    return e >= 0 || (e != TA_EDENIED && job_refuse_body(c, e, &why));
}

/* ---- the calls ---------------------------------------------------------------------------------- */

static void answer_job(struct ta_job_call *c, struct ta_repository *r, struct ta_job_question *q)
{
    struct ta_job job;

    if (!job_find(c, r, &job))
        return;
    if (q->scopes == 0)
        q->scopes = TA_SCOPE_BIT(job.num_nodes == 1 ? TA_SCOPE_CORE : TA_SCOPE_NODE);
    answer(c, q, &job);
}

void job_call_data(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_question q = {.resolution_s = TA_JOB_RESOLUTION_COARSEST};

    if (read_query(c, &q))
        answer_job(c, r, &q);
}

void job_call_select(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_question q = {.resolution_s = TA_JOB_RESOLUTION_COARSEST,
                                .form = TA_DOCUMENT_NAMED};

    if (read_query(c, &q) && read_body(c, &q))
        answer_job(c, r, &q);
}

/* A program with the role api alone has no jobs of its own, and here it sees no others. */
static bool may_see(const struct ta_job_call *c, const struct ta_job *job)
{
    return (c->token.roles & (TA_ROLE_ADMIN | TA_ROLE_SUPPORT | TA_ROLE_MANAGER)) != 0 ||
           ta_str_is(job->user, c->token.user);
}

void job_call_metrics(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_question q = {.form = TA_DOCUMENT_LABELLED};
    struct ta_err why = {0};
    struct ta_job job;
    int64_t row;

    if (!read_query(c, &q))
        return;
    int e = job_parse_i64(c->rest, &row, &why);
    if (e >= 0)
        e = job_get(c, r, row, &job, &why);
    if (e == TA_EDENIED)
        return; /* it has been refused */
    if (e == TA_ENOTFOUND || e == TA_EFORMAT || e == TA_ERANGE)
        refuse_metrics(c, why.text);
    else if (e < 0)
        job_fail(c, e, "finding job failed", &why);
    else if (!may_see(c, &job))
        refuse_metrics(c, "you are not allowed to see this job");
    else
        answer(c, &q, &job);
}
