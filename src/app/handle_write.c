/* handle_write.c - POST /api/write?cluster=<default> (spec: http-api 5, 8).
 *
 * Lines go into the store as they arrive. A bad line costs itself; the answer is 400 with the
 * first of them and the counts. A body that ends early is refused, without its partial line.
 */
#include "app/routes.h"
#include "ingest/ingest.h"

struct state {
    struct ta_feed feed;
    struct ta_ingest *ingest; /* of the worker: it keeps what it learned from the lines before */
};

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    struct ta_line_options options = {.line_max = app->line_bytes_max};

    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){.ingest = app->ingests[ta_http_worker_of(req)]};
    /* Raw: the reference does not decode this parameter (spec: http-api 5). */
    int r = ta_feed_init(&s->feed, app->alloc, ta_http_param_raw(req, "cluster"), &options,
                         ta_now_s(app->clock));
    if (r < 0)
        return ta_fail(err, r, "the cluster parameter is longer than %d bytes", TA_NAME_MAX);
    ta_http_set_state(req, s);
    return TA_OK;
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    struct ta_str bytes = {at, len};

    return ta_ingest_feed(s->ingest, &s->feed, bytes, ta_now_s(app->clock), taken, err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    int r = ta_ingest_end(s->ingest, &s->feed, true, ta_now_s(app->clock), err);

    if (r == TA_OK)
        r = ta_feed_verdict(&s->feed, err);
    return r < 0 ? r : ta_http_reply(req, 200, "application/json", TA_STR(""));
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);

    if (!s)
        return;
    /* What was read of a broken body counts, but for its last, partial line. */
    if (outcome == TA_HTTP_GONE)
        (void)ta_ingest_end(s->ingest, &s->feed, false, ta_now_s(app->clock), NULL);
    ta_feed_done(&s->feed);
}

const struct ta_http_handler ta_handle_write = {
    .begin = begin, .body = body, .end = end, .done = done};
