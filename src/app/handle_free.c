/* handle_free.c - POST /api/free?to=<unix seconds> (spec: http-api 6, metric-store 8.1).
 *
 * The selectors are decoded whole before the first is acted upon, so that a broken body frees
 * nothing.
 */
#include "app/body.h"
#include "app/routes.h"
#include "query/manage.h"

#include <inttypes.h>
#include <stdio.h>

struct state {
    struct ta_body body;
    struct ta_free_query *query;
    int64_t before_s;
    bool is_answered;
};

static int parse(void *object, struct ta_source *body, struct ta_err *err)
{
    return ta_free_parse(object, body, err);
}

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    struct ta_err why = {0};
    int r = ta_app_ready(req, err);

    if (r < 0)
        return r;
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){0};
    ta_body_init(&s->body);
    ta_http_set_state(req, s);
    r = ta_free_time(ta_http_param(req, "to"), &s->before_s, &why);
    if (r < 0) { /* 500 for what is no number: clients of the reference know it so */
        s->is_answered = true;
        return ta_http_reply_error(req, r == TA_EINVAL ? 400 : 500, ta_str(why.text));
    }
    return ta_free_new(&s->query, &app->query_limits, app->alloc, err);
}

/* A body that is no JSON is answered in plain text here. */
static int judge(struct ta_http_req *req, struct state *s, int r, const struct ta_err *why,
                 struct ta_err *err)
{
    if (r >= 0)
        return r;
    if (r != TA_EFORMAT)
        return ta_fail(err, r, "%s", why->text[0] ? why->text : ta_strerror(r));
    s->is_answered = true;
    return ta_http_reply_text(req, 400, why->text);
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    struct state *s = ta_http_state(req);
    struct ta_err why = {0};

    (void)taken; /* all of it */
    if (s->is_answered)
        return TA_OK;
    return judge(req, s, ta_body_piece(&s->body, at, len, parse, s->query, &why), &why, err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    struct ta_err why = {0};
    char text[64];

    if (s->is_answered)
        return TA_OK;
    int r = judge(req, s, ta_body_end(&s->body, parse, s->query, &why), &why, err);
    if (r < 0 || s->is_answered)
        return r;
    snprintf(text, sizeof(text), "buffers freed: %" PRIu64,
             ta_free_run(s->query, app->store, s->before_s));
    return ta_http_reply_text(req, 200, text);
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s)
        ta_free_free(s->query);
}

const struct ta_http_handler ta_handle_free = {
    .begin = begin, .body = body, .end = end, .done = done};
