/* job_call.c - making a call, reading its body, giving its answer. */
#include "app/archiving.h"
#include "app/job_call_int.h"

#include "app/archiving.h"

#include "io/json_write.h"
#include "net/http.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    void (*run)(struct ta_job_call *c, struct ta_repository *r);
} verbs[] = {
    [TA_JOB_START] = {"start_job", job_call_start},
    [TA_JOB_STOP] = {"stop_job", job_call_stop},
    [TA_JOB_LIST] = {"jobs", job_call_list},
    [TA_JOB_GET] = {"job", job_call_get},
    [TA_JOB_DATA] = {"job", job_call_data},
    [TA_JOB_SELECT] = {"job", job_call_select},
    [TA_JOB_CLUSTERS] = {"clusters", job_call_clusters},
    [TA_JOB_METRICS] = {"metrics", job_call_metrics},
    [TA_JOB_USED_NODES] = {"used_nodes", job_call_used_nodes},
    [TA_JOB_EDIT_META] = {"edit_meta", job_call_edit_meta},
    [TA_JOB_TAG] = {"tag_job", job_call_tag},
    [TA_JOB_UNTAG] = {"tag_job", job_call_tag},
    [TA_JOB_DROP_TAGS] = {"tags", job_call_drop_tags},
    [TA_JOB_DELETE] = {"delete_job", job_call_delete},
    [TA_JOB_DELETE_BEFORE] = {"delete_job_before", job_call_delete_before},
    [TA_JOB_ARCHIVE] = {"archive_job", job_call_archive},
    [TA_JOB_MACHINE] = {"machine_state", job_call_get_machine},
    [TA_JOB_MACHINE_PUT] = {"machine_state", job_call_put_machine},
    [TA_JOB_NODE_STATES] = {"nodestate", job_call_node_states},
};

const char *ta_job_verb_name(enum ta_job_verb verb)
{
    return verbs[verb].name;
}

int ta_job_call_new(struct ta_job_call **out, const struct ta_job_place *place,
                    enum ta_job_verb verb, struct ta_str rest, struct ta_str query,
                    const struct ta_token *token, bool own_only, struct ta_err *err)
{
    struct ta_job_call *c = ta_alloc_zero(place->alloc, 1, sizeof(*c));

    if (!c)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    c->place = place;
    c->verb = verb;
    c->token = *token;
    c->own_only = own_only;
    ta_arena_init(&c->arena, place->alloc, place->bytes_max);
    ta_buf_init(&c->body, place->alloc, place->bytes_max);
    ta_buf_init(&c->answer, place->alloc, place->bytes_max);
    c->rest = ta_arena_copy(&c->arena, rest);
    c->query = ta_arena_copy(&c->arena, query);
    if (!c->rest.at || !c->query.at) {
        ta_job_call_free(c);
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    }
    *out = c;
    return TA_OK;
}

void ta_job_call_free(struct ta_job_call *c)
{
    if (!c)
        return;
    if (c->file)
        (void)ta_close(&c->file, NULL); /* nothing in it is to be kept */
    if (c->answers)
        atomic_fetch_sub(c->answers, 1);
    ta_buf_done(&c->answer);
    ta_buf_done(&c->body);
    ta_arena_done(&c->arena);
    ta_release(c->place->alloc, c, sizeof(*c));
}

void ta_job_call_run(struct ta_job_call *c, struct ta_repository *r)
{
    verbs[c->verb].run(c, r);
    if (c->verb == TA_JOB_START)
        ta_job_counts_add(c->place->counts, TA_JOB_STARTS, c->way, c->status);
    else if (c->verb == TA_JOB_STOP)
        ta_job_counts_add(c->place->counts, TA_JOB_STOPS, c->way, c->status);
    else if (c->verb == TA_JOB_NODE_STATES)
        ta_job_counts_add(c->place->counts, TA_JOB_REPORTS, c->way, c->status);
}

/* ---- answers ------------------------------------------------------------------------------------ */

int job_reply(struct ta_job_call *c, int status, struct ta_str json)
{
    ta_buf_reset(&c->answer);
    if (ta_buf_str(&c->answer, json) < 0)
        return job_refuse(c, 503, "no memory for the answer");
    c->status = status;
    c->content_type = "application/json";
    return TA_OK;
}

int job_refuse(struct ta_job_call *c, int status, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ta_buf_reset(&c->answer);
    c->status = status;
    c->content_type = "application/json";
    if (ta_buf_printf(&c->answer, "{\"status\":\"%s\",\"error\":", ta_http_reason(status)) < 0 ||
        ta_json_escape(&c->answer, ta_str(text)) < 0 || ta_buf_z(&c->answer, "}\n") < 0) {
        c->status = 503;
        c->content_type = NULL;
        ta_buf_reset(&c->answer);
    }
    return TA_OK;
}

int job_fail(struct ta_job_call *c, int code, const char *what, const struct ta_err *why)
{
    /* What may pass by itself can be asked for again. */
    int status = code == TA_ENOMEM || code == TA_EAGAIN ? 503 : code == TA_ERANGE ? 413 : 500;

    ta_logf(c->place->log, TA_LOG_ERROR, "%s: %s: %s", ta_job_verb_name(c->verb), what, why->text);
    return job_refuse(c, status, "%s: %s", what, why->text[0] ? why->text : ta_strerror(code));
}

int job_reply_job(struct ta_job_call *c, const struct ta_job *job)
{
    struct ta_json_writer w;

    ta_buf_reset(&c->answer);
    ta_json_writer_init(&w, &c->answer);
    if (ta_job_write(&w, job) < 0 || ta_buf_z(&c->answer, "\n") < 0)
        return job_refuse(c, 413, "the job is too large for an answer");
    c->status = 200;
    c->content_type = "application/json";
    return TA_OK;
}

enum { FILES_MAX = 16 };

int job_take_room(struct ta_job_call *c, struct ta_err *err)
{
    _Atomic unsigned *n = &c->place->archiving->n_answers;

    if (atomic_fetch_add(n, 1) < FILES_MAX) {
        c->answers = n;
        return TA_OK;
    }
    atomic_fetch_sub(n, 1);
    return ta_fail(err, TA_EAGAIN, "too many answers with data are under way: try again");
}

int job_open_file(struct ta_job_call *c, const char *name, struct ta_file **out, struct ta_err *err)
{
    char path[4096 + 32];

    snprintf(path, sizeof(path), "%s/%s", c->place->archiving->directory, name);
    int r =
        ta_open(&ta_vfs_posix, path,
                TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE | TA_OPEN_NOFOLLOW,
                0600, out, err);
    return r < 0 ? r : ta_vfs_posix.unlink(&ta_vfs_posix, path, err);
}

/* ---- questions ---------------------------------------------------------------------------------- */

bool job_refuse_body(struct ta_job_call *c, int code, const struct ta_err *why)
{
    job_refuse(c,
               code == TA_ENOMEM   ? 503
               : code == TA_ERANGE ? 413
                                   : 400,
               "parsing request body failed: %s", why->text[0] ? why->text : ta_strerror(code));
    return false;
}

static int read_object(struct ta_job_call *c, struct ta_json_reader *r, job_member member,
                       void *self, struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e > 0 && t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while (e > 0 && (e = ta_json_next(r, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        struct ta_str key = ta_arena_copy(&c->arena, t.text);

        if (!key.at)
            return ta_fail(err, TA_ENOMEM, "no memory for a request");
        e = member(self, key, r, &c->arena, err);
        if (e == 0)
            return ta_fail(err, TA_EFORMAT, "json: unknown field \"%.*s\"", TA_STR_FMT(key));
    }
    return e < 0 ? e : TA_OK;
}

bool job_read_object(struct ta_job_call *c, job_member member, void *self)
{
    struct ta_json_limits limits = {.buffer = 2 * c->body.len + 4 * KiB};
    struct ta_mem_source source;
    struct ta_json_reader *r = NULL;
    struct ta_err why = {0};

    ta_mem_source_init(&source, c->body.at, c->body.len, 0);

    int e = ta_json_reader_new(&r, &source.source, &limits, c->place->alloc);

    if (e >= 0)
        e = read_object(c, r, member, self, &why);
    ta_json_reader_free(r);
    return e >= 0 || job_refuse_body(c, e, &why);
}

int job_read_i64(struct ta_json_reader *r, int64_t *out, struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e <= 0 || t.kind == TA_JSON_NULL)
        return e;
    if (t.kind != TA_JSON_NUMBER)
        return ta_json_expected(&t, "a number", err);
    e = ta_json_i64(&t, out);
    return e < 0 ? ta_fail(err, e, "%llu:%llu: not a whole number of 64 bits",
                           (unsigned long long)t.line, (unsigned long long)t.column)
                 : 1;
}

int job_read_str(struct ta_json_reader *r, struct ta_str *out, struct ta_arena *arena,
                 struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e <= 0 || t.kind == TA_JSON_NULL)
        return e;
    if (t.kind != TA_JSON_STRING)
        return ta_json_expected(&t, "a string", err);
    *out = ta_arena_copy(arena, t.text);
    return out->at ? 1 : ta_fail(err, TA_ENOMEM, "no memory for a request");
}

int job_parse_i64(struct ta_str text, int64_t *out, struct ta_err *why)
{
    struct ta_json_token t = {.kind = TA_JSON_NUMBER, .text = text};
    int e = text.len ? ta_json_i64(&t, out) : TA_EFORMAT;

    return e < 0 ? ta_fail(why, e, "strconv.ParseInt: parsing \"%.*s\": %s", TA_STR_FMT(text),
                           e == TA_ERANGE ? "value out of range" : "invalid syntax")
                 : TA_OK;
}

bool job_read_row(struct ta_job_call *c, int64_t *out)
{
    struct ta_err why = {0};

    if (job_parse_i64(c->rest, out, &why) >= 0)
        return true;
    job_refuse(c, 400, "integer expected in path for id: %s", why.text);
    return false;
}

static int read_payload(struct job_request *q, struct ta_json_reader *r, struct ta_arena *arena,
                        struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e > 0 && t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while (e > 0 && (e = ta_json_next(r, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        if (ta_str_is(t.text, "key"))
            e = job_read_str(r, &q->key, arena, err);
        else if (ta_str_is(t.text, "value"))
            e = job_read_str(r, &q->value, arena, err);
        else
            return ta_fail(err, TA_EFORMAT, "json: unknown field \"%.*s\"", TA_STR_FMT(t.text));
    }
    return e;
}

int job_request_member(void *self, struct ta_str key, struct ta_json_reader *r,
                       struct ta_arena *arena, struct ta_err *err)
{
    struct job_request *q = self;

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
    if (ta_str_is(key, "payload"))
        return read_payload(q, r, arena, err);
    if (ta_str_is(key, "key"))
        return job_read_str(r, &q->key, arena, err);
    if (ta_str_is(key, "value"))
        return job_read_str(r, &q->value, arena, err);
    return 0;
}

/* ---- who asks ----------------------------------------------------------------------------------- */

bool job_is_api(const struct ta_job_call *c)
{
    return c->token.roles == TA_ROLE_API;
}

struct ta_job_viewer job_viewer(const struct ta_job_call *c)
{
    return (struct ta_job_viewer){
        .user = ta_str(c->token.user),
        .sees_admin = job_is_api(c) || (c->token.roles & TA_ROLE_ADMIN) != 0,
    };
}

bool job_may_tag(const struct ta_job_call *c, struct ta_str scope)
{
    bool is_admin = job_is_api(c) || (c->token.roles & TA_ROLE_ADMIN);

    if (ta_str_is(scope, "admin"))
        return is_admin;
    if (ta_str_is(scope, "global"))
        return is_admin || (c->token.roles & TA_ROLE_SUPPORT);
    return scope.len && ta_str_is(scope, c->token.user);
}

const struct ta_clusters *job_clusters(const struct ta_job_call *c)
{
    const struct ta_job_place *p = c->place;

    return p->clusters->n == 0 && p->archiving ? &p->archiving->clusters : p->clusters;
}

const struct ta_cluster *job_cluster(const struct ta_job_call *c, struct ta_str name)
{
    const struct ta_clusters *all = job_clusters(c);

    for (size_t i = 0; i < all->n; i++)
        if (ta_str_eq(all->at[i]->name, name))
            return all->at[i];
    return NULL;
}
