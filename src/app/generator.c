#include "app/generator.h"

#include "app/clusters.h"
#include "query/fetch_json.h"
#include "query/health.h"
#include "query/query.h"

/* ---- rows ------------------------------------------------------------------------------------- */

static int query_make(void **out, const struct ta_app *app, struct ta_err *err)
{
    struct ta_query *q;
    int r = ta_query_new(&q, app->store, &app->query_limits, app->alloc, err);

    if (r == TA_OK)
        *out = q;
    return r;
}

static int query_parse(void *object, struct ta_source *body, struct ta_err *err)
{
    return ta_query_parse(object, body, err);
}

static int query_fill(void *object, const struct ta_app *app, struct ta_buf *room,
                      struct ta_err *err)
{
    (void)app;
    return ta_query_fill(object, room, err);
}

static void query_free(void *object)
{
    ta_query_free(object);
}

const struct ta_generator ta_generate_query = {query_make, query_parse, query_fill, query_free};

static int health_make(void **out, const struct ta_app *app, struct ta_err *err)
{
    struct ta_health_query *q;
    int r = ta_health_new(&q, app->store, &app->query_limits, app->alloc, err);

    if (r == TA_OK)
        *out = q;
    return r;
}

static int health_parse(void *object, struct ta_source *body, struct ta_err *err)
{
    int r = ta_health_parse(object, body, err);

    if (r == TA_EAGAIN || r == TA_OK)
        return r;
    return ta_fail_context(err, r, "parsing request body failed: ");
}

static int health_fill(void *object, const struct ta_app *app, struct ta_buf *room,
                       struct ta_err *err)
{
    return ta_health_fill(object, ta_now_s(app->clock), room, err);
}

static void health_free(void *object)
{
    ta_health_free(object);
}

const struct ta_generator ta_generate_health = {health_make, health_parse, health_fill,
                                                health_free};

static int load_make(void **out, const struct ta_app *app, struct ta_err *err)
{
    struct ta_fetch_query *q;
    int r = ta_fetch_query_new(&q, app->store, app->clusters->at, app->clusters->n,
                               &app->query_limits, app->alloc, err);

    if (r == TA_OK)
        *out = q;
    return r;
}

static int load_parse(void *object, struct ta_source *body, struct ta_err *err)
{
    return ta_fetch_query_parse(object, body, err);
}

static int load_fill(void *object, const struct ta_app *app, struct ta_buf *room,
                     struct ta_err *err)
{
    (void)app;
    return ta_fetch_query_fill(object, room, err);
}

static void load_free(void *object)
{
    ta_fetch_query_free(object);
}

const struct ta_generator ta_generate_load = {load_make, load_parse, load_fill, load_free};

/* ---- the handler ------------------------------------------------------------------------------ */

struct state {
    struct ta_body body;
    const struct ta_generator *row;
    void *object;
};

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    int r = ta_app_ready(req, err);

    if (r < 0)
        return r;
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){.row = ta_http_data(req)};
    ta_body_init(&s->body);
    r = s->row->make(&s->object, ta_http_app(req), err);
    if (r == TA_OK)
        ta_http_set_state(req, s);
    return r;
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    struct state *s = ta_http_state(req);

    (void)taken; /* all of it */
    return ta_body_piece(&s->body, at, len, s->row->parse, s->object, err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    int r = ta_body_end(&s->body, s->row->parse, s->object, err);

    return r < 0 ? r : ta_http_reply_stream(req, 200, "application/json");
}

static int fill(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    int r = s->row->fill(s->object, ta_http_app(req), room, err);

    return r == 1 ? TA_HTTP_MORE : r == 0 ? TA_HTTP_END : r;
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s)
        s->row->free(s->object);
}

const struct ta_http_handler ta_handle_generator = {
    .begin = begin, .body = body, .end = end, .fill = fill, .done = done};
