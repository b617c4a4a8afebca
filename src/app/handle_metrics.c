/* handle_metrics.c - GET /metrics: Prometheus text. */
#include "app/own_metrics.h"
#include "app/routes.h"

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct ta_buf text;

    ta_buf_init(&text, app->alloc, TA_OWN_METRICS_MAX);
    int r = ta_own_metrics_put(app->own, &text);
    if (r == TA_OK)
        r = ta_http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", ta_buf_view(&text));
    else
        ta_fail(err, TA_ENOMEM, "no memory for the metrics");
    ta_buf_done(&text);
    return r;
}

const struct ta_http_handler ta_handle_metrics = {.end = end};
