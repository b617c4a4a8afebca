/* job_call_life.c - jobs begin and end (spec: archiver 3.3, 3.4). */
#include "app/archiving.h"
#include "app/job_call_int.h"

#include "jobs/job_admit.h"

#include <inttypes.h>

/* ---- start -------------------------------------------------------------------------------------- */

static bool check_job(struct ta_job_call *c, struct ta_job *job)
{
    struct ta_err why = {0};

    if (ta_job_admit(job, job_cluster(c, job->cluster), &why) < 0)
        job_refuse(c, 400, "%s", why.text);
    else if (job->monitoring_status > 1)
        job_refuse(c, 400, "'monitoringStatus' of a job that starts is 0 or 1");
    else
        return true;
    return false;
}

void job_call_start(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_err why = {0};
    struct ta_job job;
    int64_t row;
    int e = ta_job_read_text(&job, ta_buf_view(&c->body), true, &c->arena, c->place->alloc, &why);

    if (e < 0) {
        job_refuse_body(c, e, &why);
        return;
    }
    if (!job.shared.len)
        job.shared = TA_STR("none");
    if (!ta_job_has(&job, TA_JOB_MONITORING_STATUS))
        job.monitoring_status = TA_JOB_UNARCHIVED;
    if (!ta_job_has(&job, TA_JOB_SMT))
        job.smt = 1;
    job.state = ta_str(ta_job_state_word(TA_JOB_RUNNING));
    job.duration = 0;
    job.submit_time = 0; /* as the reference, whose answers do not have it */
    if (!check_job(c, &job))
        return;
    for (size_t i = 0; i < job.tags.n; i++)
        if (!job_may_tag(c, job.tags.at[i].scope)) {
            job_refuse(c, 403, "no permission to give a tag of scope '%.*s'",
                       TA_STR_FMT(job.tags.at[i].scope));
            return;
        }
    e = ta_repository_start(r, &job, &row, &why);
    if (e >= 0)
        job_reply(c, 201, TA_STR("{\"msg\":\"success\"}\n"));
    else if (e == TA_EEXIST)
        job_refuse(c, 422, "%s", why.text);
    else if (e == TA_EINVAL)
        job_refuse(c, 400, "%s", why.text);
    else
        job_fail(c, e, "insert into database failed", &why);
}

/* ---- stop --------------------------------------------------------------------------------------- */

struct stop_request {
    struct ta_job_match match;
    bool has_job_id;
    struct ta_str state;
    int64_t stop_time;
};

static int stop_member(void *self, struct ta_str key, struct ta_json_reader *r,
                       struct ta_arena *arena, struct ta_err *err)
{
    struct stop_request *q = self;

    if (ta_str_is(key, "jobId")) {
        q->has_job_id = true;
        return job_read_i64(r, &q->match.job_id, err);
    }
    if (ta_str_is(key, "startTime")) {
        q->match.has_start_time = true;
        return job_read_i64(r, &q->match.start_time, err);
    }
    if (ta_str_is(key, "cluster"))
        return job_read_str(r, &q->match.cluster, arena, err);
    if (ta_str_is(key, "jobState"))
        return job_read_str(r, &q->state, arena, err);
    if (ta_str_is(key, "stopTime"))
        return job_read_i64(r, &q->stop_time, err);
    return 0;
}

#define ABOUT         "jobId %" PRId64 " (id %" PRId64 ") on %.*s : "
#define ABOUT_OF(job) (job)->job_id, (job)->id, TA_STR_FMT((job)->cluster)

/* False: refused. */
static bool check_stop(struct ta_job_call *c, const struct stop_request *q,
                       const struct ta_job *job, enum ta_job_state *out)
{
    if (!ta_str_is(job->state, ta_job_state_word(TA_JOB_RUNNING)))
        job_refuse(c, 422, ABOUT "job has already been stopped (state is: %.*s)", ABOUT_OF(job),
                   TA_STR_FMT(job->state));
    else if (q->stop_time < job->start_time)
        job_refuse(c, 400,
                   ABOUT "stopTime %" PRId64 " must be larger/equal than startTime %" PRId64,
                   ABOUT_OF(job), q->stop_time, job->start_time);
    else if (q->stop_time - job->start_time > INT32_MAX)
        job_refuse(c, 400, ABOUT "a duration of %" PRId64 " s is too long", ABOUT_OF(job),
                   q->stop_time - job->start_time);
    else if (q->state.len && (ta_job_state_of(q->state, out) < 0 || !ta_job_state_is_final(*out)))
        job_refuse(c, 400, ABOUT "invalid requested job state: \"%.*s\"", ABOUT_OF(job),
                   TA_STR_FMT(q->state));
    else
        return true;
    return false;
}

void job_call_stop(struct ta_job_call *c, struct ta_repository *r)
{
    const struct ta_job_wish wish = {0};
    struct stop_request q = {0};
    enum ta_job_state state = TA_JOB_COMPLETED;
    struct ta_err why = {0};
    struct ta_job job;

    if (!job_read_object(c, stop_member, &q))
        return;
    if (!q.has_job_id) {
        job_refuse(c, 400, "the field 'jobId' is required");
        return;
    }

    int e = ta_repository_find(r, &q.match, &wish, &c->arena, &job, &why);

    if (e >= 0 && !check_stop(c, &q, &job, &state))
        return;
    if (e >= 0)
        e = ta_repository_stop(r, job.id, state, q.stop_time - job.start_time, &why);
    if (e == TA_ESTATE)
        job_refuse(c, 422, ABOUT "job has already been stopped", ABOUT_OF(&job));
    else if (e == TA_ENOTFOUND)
        job_refuse(c, 404, "finding job failed: %s", why.text);
    else if (e < 0)
        job_fail(c, e, "updating the job failed", &why);
    if (e < 0)
        return;
    if (c->place->archiving)
        ta_archiving_wake(c->place->archiving);
    job.state = ta_str(ta_job_state_word(state));
    job.duration = q.stop_time - job.start_time;
    job_reply_job(c, &job);
}
