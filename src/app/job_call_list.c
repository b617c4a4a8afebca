/* job_call_list.c - asking for jobs, and for the nodes in use (spec: archiver 3.1, 3.6).
 *
 * A page is asked of the database in pieces, each where the one before ended, so that no transaction is open
 * for as long as the archive takes to say the statistics of all of its jobs. What is longer than 1 MiB goes
 * into a file without a name, and from there to the client.
 */
#include "app/archive_reader.h"
#include "app/job_call_int.h"

#include "io/json_write.h"
#include "net/uri.h"

#include <inttypes.h>

enum {
    PAGE_DEFAULT = 25,
    PAGE_MAX = 100000,    /* jobs */
    PIECE_JOBS = 256,     /* asked of the database at once */
    SPILL_BYTES = 1 << 20 /* of the answer in memory; beyond, it is a file */
};

struct list_request {
    struct ta_job_filter filter;
    struct ta_job_wish wish;
    enum ta_job_state states[TA_JOB_STATES];
    int64_t page;
};

static bool refuse_value(struct ta_job_call *c, const char *name)
{
    job_refuse(c, 400, "invalid query parameter value: %s", name);
    return false;
}

static bool read_states(struct ta_job_call *c, struct list_request *q, struct ta_str value)
{
    enum ta_job_state state;

    if (ta_job_state_of(value, &state) < 0)
        return refuse_value(c, "state");
    for (size_t i = 0; i < q->filter.n_states; i++)
        if (q->states[i] == state)
            return true;
    q->states[q->filter.n_states++] = state;
    q->filter.states = q->states;
    return true;
}

static bool read_range(struct ta_job_call *c, struct list_request *q, struct ta_str value)
{
    const char *dash = value.len ? memchr(value.at, '-', value.len) : NULL;
    size_t n = dash ? (size_t)(dash - value.at) : 0;

    if (!dash || job_parse_i64((struct ta_str){value.at, n}, &q->filter.from_s, NULL) < 0 ||
        job_parse_i64((struct ta_str){dash + 1, value.len - n - 1}, &q->filter.to_s, NULL) < 0 ||
        q->filter.to_s <= 0)
        return refuse_value(c, "start-time");
    return true;
}

static bool read_count(struct ta_job_call *c, const char *name, struct ta_str value, int64_t max,
                       int64_t *out)
{
    struct ta_err why = {0};

    if (job_parse_i64(value, out, &why) < 0)
        job_refuse(c, 400, "%s", why.text);
    else if (*out < 1)
        job_refuse(c, 400, "%s must be >= 1", name);
    else if (*out > max)
        job_refuse(c, 400, "%s must be <= %" PRId64, name, max);
    else
        return true;
    return false;
}

static bool read_pair(struct ta_job_call *c, struct list_request *q, struct ta_str name,
                      struct ta_str value)
{
    if (ta_str_is(name, "state"))
        return read_states(c, q, value);
    if (ta_str_is(name, "cluster")) {
        q->filter.cluster = value;
        return true;
    }
    if (ta_str_is(name, "project")) {
        q->filter.project = value;
        return true;
    }
    if (ta_str_is(name, "start-time"))
        return read_range(c, q, value);
    if (ta_str_is(name, "page"))
        return read_count(c, "page", value, INT64_MAX, &q->page);
    if (ta_str_is(name, "items-per-page"))
        return read_count(c, "items-per-page", value, PAGE_MAX, &q->filter.limit);
    if (ta_str_is(name, "with-metadata")) {
        q->wish.meta_data = true;
        return true;
    }
    job_refuse(c, 400, "invalid query parameter: %.*s", TA_STR_FMT(name));
    return false;
}

/* Cuts the next piece off before `stop`; at == NULL at the end. */
static struct ta_str cut(struct ta_str *rest, char stop)
{
    struct ta_str piece = *rest;
    const char *at = rest->len ? memchr(rest->at, stop, rest->len) : NULL;

    if (at) {
        piece.len = (size_t)(at - rest->at);
        *rest = (struct ta_str){at + 1, rest->len - piece.len - 1};
    } else {
        *rest = (struct ta_str){NULL, 0};
    }
    return piece;
}

static bool decode(struct ta_job_call *c, struct ta_str *text)
{
    char *out = ta_arena_get(&c->arena, text->len);
    int64_t n = out ? ta_uri_decode(*text, true, out) : -1;

    if (n < 0)
        return job_refuse(c, 400, "malformed query string") != TA_OK;
    *text = (struct ta_str){out, (size_t)n};
    return true;
}

int job_query_pair(struct ta_job_call *c, struct ta_str *rest, struct ta_str *name,
                   struct ta_str *value)
{
    while (rest->len) {
        *value = cut(rest, '&');
        if (!value->len)
            continue;
        *name = cut(value, '=');
        return decode(c, name) && decode(c, value) ? 1 : -1;
    }
    return 0;
}

static bool read_query(struct ta_job_call *c, struct list_request *q)
{
    struct ta_str rest = c->query, name, value;
    int more;

    while ((more = job_query_pair(c, &rest, &name, &value)) > 0)
        if (!read_pair(c, q, name, value))
            return false;
    return more == 0;
}

/* False: this user sees no jobs at all. (spec: archiver 3) */
static bool limit_to_user(struct ta_job_call *c, struct ta_job_filter *filter)
{
    const uint32_t all = TA_ROLE_ADMIN | TA_ROLE_SUPPORT;

    if (!c->own_only && (job_is_api(c) || (c->token.roles & all)))
        return true;
    filter->user = ta_str(c->token.user);
    filter->managed_too = (c->token.roles & TA_ROLE_MANAGER) != 0;
    if (!c->token.user[0])
        job_refuse(c, 403, "the token names no user");
    else if (!(c->token.roles & (all | TA_ROLE_API | TA_ROLE_MANAGER | TA_ROLE_USER)))
        job_refuse(c, 403, "none of the token's roles sees jobs");
    else
        return true;
    return false;
}

/* 1 = this job is one that the filter lets pass. */
static int may_see(struct ta_repository *r, const struct ta_job_filter *filter,
                   const struct ta_job *job, struct ta_err *why)
{
    if (!filter->user.at || ta_str_eq(job->user, filter->user))
        return 1;
    return filter->managed_too ? ta_repository_manages(r, filter->user, job->project, why) : 0;
}

struct listing {
    struct ta_job_call *call;
    struct ta_json_writer w;
    struct ta_archive_reader *archive; /* NULL: there is none */
    uint64_t at;                       /* bytes in the file */
    int64_t n, last_start, last_row;   /* jobs listed, and the last one */
};

/* What is in memory goes into the file. */
static int spill(struct listing *l, struct ta_err *err)
{
    struct ta_job_call *c = l->call;
    int r = TA_OK;

    if (!c->file) {
        r = job_take_room(c, err);
        if (r >= 0)
            r = job_open_file(c, ".job-list", &c->file, err);
    }
    if (r >= 0 && l->at + c->answer.len > JOB_ANSWER_BYTES_MAX)
        r = ta_fail(err, TA_ERANGE, "the page is more than %llu bytes: ask for fewer items",
                    JOB_ANSWER_BYTES_MAX);
    if (r >= 0)
        r = ta_pwrite_full(c->file, c->answer.at, c->answer.len, l->at, err);
    if (r < 0)
        return r;
    l->at += c->answer.len;
    ta_buf_reset(&c->answer);
    return TA_OK;
}

/* Statistics are in the archive alone. One job that cannot be read there is no error of the list. */
static int put_job(void *self, const struct ta_job *job, struct ta_err *err)
{
    const struct ta_job_address at = {job->cluster, job->job_id, job->start_time};
    struct listing *l = self;
    struct ta_job shown = *job, archived = {0};
    struct ta_err why = {0};
    int found = TA_OK;

    if (l->archive && job->monitoring_status == TA_JOB_ARCHIVED) {
        found = ta_archive_reader_meta(l->archive, &at, &archived, &why);
        if (found >= 0)
            shown.statistics = archived.statistics;
    }
    ta_job_write_open(&l->w, &shown);
    if (found < 0)
        ta_json_member_str(&l->w, "statisticsError", ta_str(why.text));
    if (ta_json_put_object_end(&l->w) < 0)
        return ta_fail(err, l->w.error, "job %" PRId64 " is too large for an answer", job->job_id);
    l->n++;
    l->last_start = job->start_time;
    l->last_row = job->id;
    return l->call->answer.len > SPILL_BYTES && l->call->place->archiving ? spill(l, err) : TA_OK;
}

/* Piece by piece. */
static int list_page(struct ta_repository *r, const struct list_request *q, struct listing *l,
                     struct ta_err *why)
{
    struct ta_job_filter filter = q->filter;

    for (;;) {
        int64_t before = l->n, left = q->filter.limit - l->n;

        filter.limit = left < PIECE_JOBS ? left : PIECE_JOBS;
        int e = ta_repository_list(r, &filter, &q->wish, put_job, l, why);

        if (e < 0 || l->n - before < filter.limit || l->n == q->filter.limit)
            return e;
        filter.before_start = l->last_start;
        filter.before_row = l->last_row;
        filter.skip = 0;
    }
}

/* The archive, too, is there for this call alone. */
static int list(struct ta_job_call *c, struct ta_repository *r, const struct list_request *q,
                struct listing *l, struct ta_err *why)
{
    const struct ta_archiving *archiving = c->place->archiving;
    struct ta_archive_reader archive;

    if (!archiving || !archiving->archiver)
        return list_page(r, q, l, why);
    ta_archive_reader_init(&archive, archiving, ".archive-read", c->place->bytes_max,
                           c->place->alloc);
    l->archive = &archive;

    int e = list_page(r, q, l, why);

    l->archive = NULL;
    ta_archive_reader_done(&archive);
    return e;
}

/* Around the jobs: what the reference says of the page. */
static int write_list(struct ta_job_call *c, struct ta_repository *r, const struct list_request *q,
                      struct ta_err *why)
{
    struct listing l = {.call = c};

    ta_json_writer_init(&l.w, &c->answer);
    ta_json_put_object(&l.w);
    ta_json_put_key(&l.w, "jobs");
    ta_json_put_array(&l.w);

    int e = list(c, r, q, &l, why);

    if (e < 0)
        return e;
    ta_json_put_array_end(&l.w);
    ta_json_member_i64(&l.w, "items", q->filter.limit);
    ta_json_member_i64(&l.w, "page", q->page);
    if (ta_json_put_object_end(&l.w) < 0 || ta_buf_z(&c->answer, "\n") < 0)
        return ta_fail(why, TA_ERANGE, "the page is too large: ask for fewer items");
    if (c->file) {
        e = spill(&l, why);
        c->file_bytes = e < 0 ? 0 : l.at;
    }
    return e;
}

void job_call_list(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_job_viewer viewer = job_viewer(c);
    struct list_request q = {.filter.limit = PAGE_DEFAULT,
                             .wish = {.viewer = &viewer, .now_s = ta_now_s(c->place->clock)},
                             .page = 1};
    struct ta_err why = {0};

    if (!read_query(c, &q) || !limit_to_user(c, &q.filter))
        return;
    if (q.page - 1 > INT64_MAX / q.filter.limit) {
        job_refuse(c, 400, "page is out of range");
        return;
    }
    q.filter.skip = (q.page - 1) * q.filter.limit;

    int e = write_list(c, r, &q, &why);

    if (e < 0) {
        job_fail(c, e, "listing jobs failed", &why);
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
}

int job_get(struct ta_job_call *c, struct ta_repository *r, int64_t row, struct ta_job *out,
            struct ta_err *why)
{
    struct ta_job_viewer viewer = job_viewer(c);
    struct ta_job_wish wish = {.viewer = &viewer, .now_s = ta_now_s(c->place->clock)};
    struct ta_job_filter filter = {0};

    if (!limit_to_user(c, &filter))
        return TA_EDENIED;

    int e = ta_repository_get(r, row, &wish, &c->arena, out, why);

    if (e >= 0)
        e = may_see(r, &filter, out, why);
    if (e == 0)
        e = ta_fail(why, TA_ENOTFOUND, "sql: no rows in result set");
    return e < 0 ? e : TA_OK;
}

bool job_find(struct ta_job_call *c, struct ta_repository *r, struct ta_job *out)
{
    struct ta_err why = {0};
    int64_t row;

    if (!job_read_row(c, &row))
        return false;

    int e = job_get(c, r, row, out, &why);

    if (e == TA_ENOTFOUND)
        job_refuse(c, 422, "finding job with db id %" PRId64 " failed: %s", row, why.text);
    else if (e < 0 && e != TA_EDENIED)
        job_fail(c, e, "finding job failed", &why);
    return e >= 0;
}

void job_call_get(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_json_writer w;
    struct ta_job job;

    if (!job_find(c, r, &job))
        return;
    ta_json_writer_init(&w, &c->answer);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "Meta");
    ta_job_write(&w, &job);
    ta_json_put_key(&w, "Data");
    ta_json_put_null(&w);
    if (ta_json_put_object_end(&w) < 0 || ta_buf_z(&c->answer, "\n") < 0) {
        job_refuse(c, 413, "the job is too large for an answer");
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
}

/* ---- used nodes --------------------------------------------------------------------------------- */

struct node_listing {
    struct ta_json_writer w;
    struct ta_str cluster;
    struct ta_arena *arena;
};

static int put_node(void *self, struct ta_str cluster, struct ta_str host, struct ta_err *err)
{
    struct node_listing *l = self;

    if (!l->cluster.at || !ta_str_eq(l->cluster, cluster)) {
        if (l->cluster.at)
            ta_json_put_array_end(&l->w);
        l->cluster = ta_arena_copy(l->arena, cluster);
        if (!l->cluster.at)
            return ta_fail(err, TA_ENOMEM, "no memory for the list of nodes");
        ta_json_put_key_str(&l->w, cluster);
        ta_json_put_array(&l->w);
    }

    int e = ta_json_put_str(&l->w, host);

    return e < 0 ? ta_fail(err, e, "the list of nodes is too large") : TA_OK;
}

void job_call_used_nodes(struct ta_job_call *c, struct ta_repository *r)
{
    struct ta_str ts = ta_uri_param_decoded(c->query, TA_STR("ts"), &c->arena);
    struct node_listing l = {.arena = &c->arena};
    struct ta_err why = {0};
    int64_t before_s;

    if (!ts.len) {
        job_refuse(c, 400, "missing required query parameter: ts");
        return;
    }
    if (job_parse_i64(ts, &before_s, &why) < 0) {
        job_refuse(c, 400, "invalid timestamp format: %s", why.text);
        return;
    }
    ta_json_writer_init(&l.w, &c->answer);
    ta_json_put_object(&l.w);
    ta_json_put_key(&l.w, "usedNodes");
    ta_json_put_object(&l.w);

    int e = ta_repository_used_nodes(r, before_s, put_node, &l, &why);

    if (e < 0) {
        job_fail(c, e, "listing nodes failed", &why);
        return;
    }
    if (l.cluster.at)
        ta_json_put_array_end(&l.w);
    ta_json_put_object_end(&l.w);
    if (ta_json_put_object_end(&l.w) < 0 || ta_buf_z(&c->answer, "\n") < 0) {
        job_refuse(c, 413, "the list of nodes is too large");
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
}
