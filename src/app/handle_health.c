/* handle_health.c - GET /api/healthcheck (spec: http-api 7), and GET /healthz: is the process
 * there and answering? */
#include "app/body.h"
#include "app/routes.h"
#include "query/health.h"

struct state {
    struct ta_body body;
    struct ta_health_query *query;
};

static int parse(void *object, struct ta_source *body, struct ta_err *err)
{
    int r = ta_health_parse(object, body, err);

    if (r == TA_EAGAIN || r == TA_OK)
        return r;
    return ta_fail_context(err, r, "parsing request body failed: ");
}

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));

    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    ta_body_init(&s->body);
    int r = ta_health_new(&s->query, app->store, &app->query_limits, app->alloc, err);
    if (r == TA_OK)
        ta_http_set_state(req, s);
    return r;
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    struct state *s = ta_http_state(req);

    (void)taken; /* all of it */
    return ta_body_piece(&s->body, at, len, parse, s->query, err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    int r = ta_body_end(&s->body, parse, s->query, err);

    return r < 0 ? r : ta_http_reply_stream(req, 200, "application/json");
}

static int fill(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    int r = ta_health_fill(s->query, ta_now_s(app->clock), room, err);

    return r == 1 ? TA_HTTP_MORE : r == 0 ? TA_HTTP_END : r;
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s)
        ta_health_free(s->query);
}

const struct ta_http_handler ta_handle_health = {
    .begin = begin, .body = body, .end = end, .fill = fill, .done = done};

static int alive(struct ta_http_req *req, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(req, 200, "text/plain; charset=utf-8", TA_STR("ok\n"));
}

const struct ta_http_handler ta_handle_alive = {.end = alive};
