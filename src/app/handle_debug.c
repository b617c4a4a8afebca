/* handle_debug.c - GET /api/debug?selector=cluster:host:... (spec: http-api 7, metric-store 10).
 *
 * The dump is made while it is sent; a slow client holds up nobody.
 */
#include "app/routes.h"
#include "query/manage.h"

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct ta_debug *dump;
    struct ta_err why = {0};
    int r = ta_app_ready(req, err);

    if (r < 0)
        return r;
    r = ta_debug_new(&dump, app->store, ta_http_param(req, "selector"), app->alloc, &why);

    if (r == TA_ENOTFOUND)
        return ta_http_reply_error(req, 400, ta_str(why.text));
    if (r < 0)
        return ta_fail(err, r, "%s", why.text[0] ? why.text : ta_strerror(r));
    ta_http_set_state(req, dump);
    return ta_http_reply_stream(req, 200, "application/json");
}

static int fill(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err)
{
    int r = ta_debug_fill(ta_http_state(req), room, err);

    return r == 1 ? TA_HTTP_MORE : r == 0 ? TA_HTTP_END : r;
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    (void)outcome;
    ta_debug_free(ta_http_state(req));
}

const struct ta_http_handler ta_handle_debug = {.end = end, .fill = fill, .done = done};
