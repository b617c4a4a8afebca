/* job_call_data.c - one job together with its metrics (spec: archiver 2.10, 3.1).
 *
 * A document may be larger than memory: it is laid down in a file without a name, from which the answer is
 * sent. The metrics of an archived job are those of the archive, of any other one those that the store has.
 */
#include "app/archive_reader.h"
#include "app/job_call_int.h"

#include "io/gzip.h"
#include "io/json_write.h"
#include "jobs/data_check.h"
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

/* A source that keeps what passes through it. */
struct copy {
    struct ta_source source;
    struct ta_source *from;
    struct ta_sink *to;
};

static int64_t read_copy(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct copy *c = TA_CONTAINER(self, struct copy, source);
    int64_t got = c->from->read(c->from, buf, n, err);
    int r = got > 0 ? ta_sink_write(c->to, buf, (size_t)got, err) : TA_OK;

    return r < 0 ? r : got;
}

static int copy_archived(const struct ta_backend_data *data, struct ta_sink *out,
                         struct ta_alloc *alloc, struct ta_err *err)
{
    struct copy copy = {.source = {read_copy}, .from = data->source, .to = out};
    struct ta_data_counts counts;
    struct ta_gzip gzip = {0};
    int r = TA_OK;

    if (data->is_gzip) {
        r = ta_gzip_unpack(&gzip, data->source, alloc, err);
        copy.from = &gzip.source;
    }
    if (r >= 0)
        r = ta_data_check(&copy.source, &counts, alloc, err);
    ta_gzip_done(&gzip);
    return r;
}

static int write_archived(struct ta_job_call *c, const struct ta_job *job, struct ta_sink *out,
                          struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_job_address at = {job->cluster, job->job_id, job->start_time};
    struct ta_archive_reader archive;
    struct ta_backend_data data;

    ta_archive_reader_init(&archive, c->place->archiving, ".archive-read-data", c->place->bytes_max,
                           alloc);
    int r = ta_archive_reader_open_data(&archive, &at, &data, err);
    if (r >= 0) {
        r = copy_archived(&data, out, alloc, err);
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
    ta_json_put_key(&w, "Meta");
    ta_job_write(&w, job);
    return ta_json_put_key(&w, "Data") < 0
               ? ta_fail(err, TA_ERANGE, "the job is too large for an answer")
               : TA_OK;
}

static int write_answer(struct ta_job_call *c, const struct ta_job_question *q,
                        const struct ta_job *job, struct ta_alloc *alloc, struct ta_err *err)
{
    struct file_sink to = {.sink = {add}};
    int r = put_head(c, job, err);

    if (r >= 0)
        r = open_file(c, &c->file, err);
    to.file = c->file;
    if (r >= 0)
        r = add(&to.sink, c->answer.at, c->answer.len, err);
    ta_buf_reset(&c->answer);
    if (r >= 0)
        r = job->monitoring_status == TA_JOB_ARCHIVED ? write_archived(c, job, &to.sink, alloc, err)
                                                      : write_live(c, q, job, &to.sink, alloc, err);
    if (r >= 0)
        r = add(&to.sink, "}\n", 2, err);
    c->file_bytes = r < 0 ? 0 : to.at;
    return r;
}

static bool take_room(struct ta_job_call *c)
{
    struct ta_err why = {0};

    return job_take_room(c, &why) >= 0 || job_refuse(c, 503, "%s", why.text) != TA_OK;
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
    } else if (e == TA_ENOTFOUND && job->monitoring_status != TA_JOB_ARCHIVED) {
        job_refuse(c, 404, "%s", why.text);
    } else if (e == TA_EINVAL) {
        job_refuse(c, 400, "%s", why.text);
    } else {
        job_fail(c, e, "reading the job's data failed", &why);
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

/* Scopes and resolution: the latter ours. */
static bool read_query(struct ta_job_call *c, struct ta_job_question *q)
{
    struct ta_str rest = c->query, name, value;
    int more;

    while ((more = job_query_pair(c, &rest, &name, &value)) > 0) {
        if (ta_str_is(name, "scope") && !read_scope(c, q, value))
            return false;
        if (ta_str_is(name, "resolution") && !read_resolution(c, q, value))
            return false;
    }
    return more == 0;
}

void job_call_data(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_question q = {.resolution_s = TA_JOB_RESOLUTION_COARSEST};
    struct ta_job job;

    if (!read_query(c, &q) || !job_find(c, r, &job))
        return;
    if (q.scopes == 0)
        q.scopes = TA_SCOPE_BIT(job.num_nodes == 1 ? TA_SCOPE_CORE : TA_SCOPE_NODE);
    answer(c, &q, &job);
}
