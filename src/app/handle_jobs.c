/* handle_jobs.c - the routes about jobs (spec: archiver 3): HTTP on one side, the desk on the other.
 *
 * What is asked lives apart from the request, since a client may go while the desk is at work: whoever is
 * last, the request or the desk, frees it.
 */
#include "app/job_desk.h"
#include "app/routes.h"
#include "net/uri.h"

#include <stdatomic.h>

struct state {
    struct ta_desk_item item; /* first: the desk gives it back */
    struct ta_http_req *req;
    struct ta_job_call *call;
    struct ta_alloc *alloc;
    atomic_int holders; /* the request, and the desk while it has it */
    atomic_bool is_done;
    bool is_submitted;
    uint64_t at; /* of the answer, sent so far */
};

static void let_go(struct state *s)
{
    if (atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    ta_job_call_free(s->call);
    ta_release(s->alloc, s, sizeof(*s));
}

/* ---- who may ------------------------------------------------------------------------------------ */

static bool is_allowed_address(struct ta_http_req *req, const struct ta_conf_strings *allowed)
{
    struct ta_str from[] = {ta_http_header(req, "X-Real-Ip"),
                            ta_http_header(req, "X-Forwarded-For"), ta_http_peer(req)};

    if (allowed->n == 0 || ta_str_is(ta_str(allowed->at[0]), "*"))
        return true;
    for (size_t i = 0; i < allowed->n; i++)
        for (size_t k = 0; k < TA_COUNT(from); k++)
            if (from[k].len && ta_str_is(from[k], allowed->at[i]))
                return true;
    return false;
}

/* Of /api: the role api alone, or together with admin. What /userapi shows depends on user and roles: the
 * call refuses those who see nothing. */
static bool is_allowed_role(const struct ta_token *token, bool is_user)
{
    const uint32_t both = TA_ROLE_API | TA_ROLE_ADMIN;

    return is_user || token->roles == TA_ROLE_API || (token->roles & both) == both;
}

/* ---- the request -------------------------------------------------------------------------------- */

static enum ta_job_verb verb_of(struct ta_http_req *req, const struct ta_job_route *route)
{
    if (route->verb == TA_JOB_TAG && ta_http_method(req) == TA_HTTP_DELETE)
        return TA_JOB_UNTAG;
    if (route->verb == TA_JOB_MACHINE && !(ta_http_method(req) & (TA_HTTP_GET | TA_HTTP_HEAD)))
        return TA_JOB_MACHINE_PUT;
    if (route->verb == TA_JOB_LIST && ta_http_method(req) == TA_HTTP_POST)
        return TA_JOB_SELECT;
    if (route->verb == TA_JOB_LIST && ta_http_subpath(req).len)
        return ta_str_is(ta_uri_param(ta_http_query(req), TA_STR("all-metrics")), "true")
                   ? TA_JOB_DATA
                   : TA_JOB_GET;
    return route->verb;
}

static int make(struct ta_http_req *req, const struct ta_token *token, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    const struct ta_job_route *route = ta_http_data(req);
    struct state *s = ta_alloc_zero(app->alloc, 1, sizeof(*s));
    int r;

    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    s->req = req;
    s->alloc = app->alloc;
    s->holders = 1;
    ta_http_set_state(req, s);
    r = ta_job_call_new(&s->call, &app->jobs->place, verb_of(req, route), ta_http_subpath(req),
                        ta_http_query(req), token, route->is_user, err);
    s->item.call = s->call;
    return r;
}

/* A POST to the list, or to start_job where jobs come over NATS and it is no route of its own. */
static bool is_no_job(struct ta_http_req *req, const struct ta_job_route *route)
{
    struct ta_str rest = ta_http_subpath(req);

    if (rest.len && rest.at[rest.len - 1] == '/')
        rest.len--;
    return route->verb == TA_JOB_LIST && ta_http_method(req) == TA_HTTP_POST &&
           (rest.len == 0 || ta_str_is(rest, "start_job") || ta_str_is(rest, "stop_job"));
}

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    const struct ta_job_route *route = ta_http_data(req);
    const struct ta_token *token = ta_http_token(req);
    /* Without tokens all may do all. */
    const struct ta_token nobody = {.roles = TA_ROLE_API | TA_ROLE_ADMIN};

    if (!is_allowed_address(req, app->api_allowed))
        return ta_http_reply_error(req, 403, TA_STR("this address is not in main.api-allowed-ips"));
    if (token && !is_allowed_role(token, route->is_user))
        return ta_http_reply_error(req, 403, TA_STR("the token's roles do not allow this"));
    if (is_no_job(req, route)) {
        (void)ta_http_set_header(req, "Allow", "GET, HEAD");
        return ta_http_reply_text(req, 405, "Method Not Allowed");
    }
    return make(req, token ? token : &nobody, err);
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    int r;

    (void)taken; /* all of it */
    if (!s)
        return TA_OK;
    r = ta_buf_add(&s->call->body, at, len);
    return r < 0 ? ta_fail(err, r, "the body is too large") : TA_OK;
}

/* On the desk's thread. */
static void answered(struct ta_desk_item *item)
{
    struct state *s = TA_CONTAINER(item, struct state, item);

    atomic_store(&s->is_done, true);
    ta_http_wake(s->req);
    let_go(s);
}

static int submit(struct ta_http_req *req, struct state *s, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    int r;

    s->item.done = answered;
    atomic_store(&s->holders, 2);
    ta_http_hold(req);
    r = ta_job_desk_submit(app->jobs, &s->item);
    if (r == TA_OK) {
        s->is_submitted = true;
        return TA_EAGAIN;
    }
    atomic_store(&s->holders, 1);
    ta_http_wake(req);
    return ta_fail(err, TA_ECANCELED, "too many requests about jobs wait: try again");
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    struct state *s = ta_http_state(req);

    if (!s)
        return TA_OK; /* refused in begin */
    if (!s->is_submitted)
        return submit(req, s, err);
    if (!atomic_load(&s->is_done))
        return TA_EAGAIN;
    if (s->call->file_bytes || s->call->answer.len > TA_HTTP_ROOM)
        return ta_http_reply_stream(req, s->call->status, s->call->content_type);
    return ta_http_reply(req, s->call->status, s->call->content_type,
                         ta_buf_view(&s->call->answer));
}

/* From memory, or from a file that was just written: the system has it still, or reads it soon. */
static int add_piece(const struct ta_job_call *c, uint64_t at, size_t n, struct ta_buf *room,
                     struct ta_err *err)
{
    int r = ta_buf_reserve(room, n);

    if (r < 0)
        return ta_fail(err, r, "no memory for the answer");
    if (!c->file_bytes)
        return ta_buf_add(room, c->answer.at + at, n);
    int64_t got = ta_pread_full(c->file, room->at + room->len, n, at, err);
    if (got >= 0 && (size_t)got < n)
        return ta_fail(err, TA_EIO, "the answer's file ends early");
    room->len += got > 0 ? (size_t)got : 0;
    return got < 0 ? (int)got : TA_OK;
}

static int fill(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    uint64_t all = s->call->file_bytes ? s->call->file_bytes : s->call->answer.len;
    size_t n = all - s->at < TA_HTTP_ROOM ? (size_t)(all - s->at) : TA_HTTP_ROOM;
    int r = add_piece(s->call, s->at, n, room, err);

    if (r < 0)
        return r;
    s->at += n;
    return s->at < all ? TA_HTTP_MORE : TA_HTTP_END;
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s)
        let_go(s);
}

const struct ta_http_handler ta_handle_jobs = {
    .begin = begin, .body = body, .end = end, .fill = fill, .done = done};
