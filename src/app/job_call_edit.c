/* job_call_edit.c - metadata, tags and deletion of jobs (spec: archiver 3.1). */
#include "app/archiving.h"
#include "app/job_call_int.h"

#include "net/uri.h"

#include <inttypes.h>
#include <stdio.h>

/* The row of the path, or of the job that the body names. False: refused, with `missing` for no job. */
static bool find_row(struct ta_job_call *c, struct ta_repository *r, const struct job_request *q,
                     int64_t *out)
{
    const struct ta_job_wish wish = {0};
    struct ta_err why = {0};
    struct ta_job job;

    if (c->rest.len)
        return job_read_row(c, out);
    if (!q->has_job_id) {
        job_refuse(c, 400, "the field 'jobId' is required");
        return false;
    }

    int e = ta_repository_find(r, &q->match, &wish, &c->arena, &job, &why);

    if (e >= 0) {
        *out = job.id;
        return true;
    }
    if (e == TA_ENOTFOUND)
        job_refuse(c, 422, "finding job failed: %s", why.text);
    else
        job_fail(c, e, "finding job failed", &why);
    return false;
}

/* A changed job may be archived. */
static void wake(struct ta_job_call *c)
{
    if (c->place->archiving)
        ta_archiving_wake(c->place->archiving);
}

/* The job after a change of it. */
static void answer_job(struct ta_job_call *c, struct ta_repository *r, int64_t row, int e,
                       const char *what, const struct ta_job_wish *wish, struct ta_err *why)
{
    struct ta_job job;

    if (e >= 0) {
        wake(c);
        e = ta_repository_get(r, row, wish, &c->arena, &job, why);
    }
    if (e >= 0)
        job_reply_job(c, &job);
    else if (e == TA_ENOTFOUND)
        job_refuse(c, 404, "finding job failed: %s", why->text);
    else if (e == TA_EEXIST)
        job_refuse(c, 422, "%s: %s", what, why->text);
    else
        job_fail(c, e, what, why);
}

void job_call_edit_meta(struct ta_job_call *c, struct ta_repository *r)
{
    const struct ta_job_wish wish = {.meta_data = true, .now_s = ta_now_s(c->place->clock)};
    struct job_request q = {0};
    struct ta_err why = {0};
    int64_t row;

    if (!job_read_object(c, job_request_member, &q) || !find_row(c, r, &q, &row))
        return;
    if (!q.key.len) {
        job_refuse(c, 400, "the field 'key' is required");
        return;
    }
    answer_job(c, r, row, ta_repository_set_meta(r, row, q.key, q.value, &why),
               "changing the metadata failed", &wish, &why);
}

/* ---- tags --------------------------------------------------------------------------------------- */

/* The body is the list of tags that a job has: read as one. False: refused. */
static bool read_tags(struct ta_job_call *c, struct ta_job *out)
{
    struct ta_err why = {0};
    int e;

    *out = (struct ta_job){0};
    e = ta_job_read_member(out, TA_JOB_TAGS, ta_buf_view(&c->body), &c->arena, c->place->alloc,
                           &why);
    return e >= 0 || job_refuse_body(c, e, &why);
}

void job_call_tag(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_viewer viewer = job_viewer(c);
    const struct ta_job_wish wish = {.viewer = &viewer, .now_s = ta_now_s(c->place->clock)};
    struct ta_err why = {0};
    struct ta_job given;
    int64_t row;

    if (!job_read_row(c, &row) || !read_tags(c, &given))
        return;
    for (size_t i = 0; i < given.tags.n; i++)
        if (c->verb == TA_JOB_TAG && !job_may_tag(c, given.tags.at[i].scope)) {
            job_refuse(c, 403, "no permission to give a tag of scope '%.*s'",
                       TA_STR_FMT(given.tags.at[i].scope));
            return;
        }
    answer_job(c, r, row,
               c->verb == TA_JOB_TAG ? ta_repository_tag(r, row, &given.tags, &why)
                                     : ta_repository_untag(r, row, &given.tags, &why),
               c->verb == TA_JOB_TAG ? "adding tag failed" : "removing tag failed", &wish, &why);
}

void job_call_drop_tags(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_err why = {0};
    struct ta_job given;

    if (!read_tags(c, &given))
        return;

    int64_t n = ta_repository_drop_tags(r, &given.tags, &why);

    if (n < 0) {
        job_fail(c, (int)n, "removing tags failed", &why);
        return;
    }
    wake(c);
    if (ta_buf_printf(&c->answer,
                      "Deleted Tags from DB: %" PRId64 " successfull of %zu requested\n", n,
                      given.tags.n) < 0) {
        job_refuse(c, 503, "no memory for the answer");
        return;
    }
    c->status = 200;
}

/* ---- deletion ----------------------------------------------------------------------------------- */

static void say_deleted(struct ta_job_call *c, const char *head, int64_t n, const char *tail)
{
    char text[80];

    snprintf(text, sizeof(text), "{\"msg\":\"Successfully deleted %s%" PRId64 "%s\"}\n", head, n,
             tail);
    job_reply(c, 200, ta_str(text));
}

void job_call_delete(struct ta_job_call *c, struct ta_repository *r)
{
    struct job_request q = {0};
    struct ta_err why = {0};
    int64_t row;

    if ((!c->rest.len && !job_read_object(c, job_request_member, &q)) || !find_row(c, r, &q, &row))
        return;

    int e = ta_repository_delete(r, row, &why);

    if (e < 0)
        job_fail(c, e, "deleting job failed", &why);
    else
        say_deleted(c, "job ", row, "");
}

void job_call_delete_before(struct ta_job_call *c, struct ta_repository *r)
{
    static const char *const words[] = {
        [TA_TAGGED_TOO] = "none", [TA_TAGGED_NOT] = "all", [TA_TAGGED_BY_USER_NOT] = "user"};
    struct ta_str word = ta_uri_param_decoded(c->query, TA_STR("omit-tagged"), &c->arena);
    struct ta_err why = {0};
    int64_t before_s, n;
    size_t rule = 0;

    if (job_parse_i64(c->rest, &before_s, &why) < 0) {
        job_refuse(c, 400, "integer expected in path for ts: %s", why.text);
        return;
    }
    while (word.len && rule < TA_COUNT(words) && !ta_str_is(word, words[rule]))
        rule++;
    if (rule == TA_COUNT(words)) {
        job_refuse(c, 400, "omit-tagged must be one of: none, all, user");
        return;
    }
    n = ta_repository_delete_before(r, before_s, (enum ta_job_tagged)rule, &why);
    if (n < 0)
        job_fail(c, (int)n, "deleting jobs failed", &why);
    else
        say_deleted(c, "", n, " jobs");
}
