/* handle_health.c - GET /healthz: is the process there and answering? GET /readyz: is everything loaded, and
 * are writes taken? */
#include "app/routes.h"
#include "app/safe.h"

#include <stdio.h>

static int alive(struct ta_http_req *req, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(req, 200, "text/plain; charset=utf-8", TA_STR("ok\n"));
}

const struct ta_http_handler ta_handle_alive = {.end = alive};

static int ready(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct ta_safe_state state;
    char text[320] = "ready\n";
    int status = 200;

    (void)err;
    if (app->safe && !ta_safe_is_ready(app->safe)) {
        status = 503;
        ta_safe_progress(app->safe, text, sizeof(text));
    } else if (app->safe) {
        ta_safe_state(app->safe, &state);
        if (state.log.is_failing) {
            status = 503;
            snprintf(text, sizeof(text), "writes are refused: %s", state.log.trouble);
        }
    }
    return ta_http_reply(req, status, "text/plain; charset=utf-8", ta_str(text));
}

const struct ta_http_handler ta_handle_ready = {.end = ready};

int ta_app_ready(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    char text[80];

    if (!app->safe || ta_safe_is_ready(app->safe))
        return TA_OK;
    ta_safe_progress(app->safe, text, sizeof(text));
    (void)ta_http_set_header(req, "Retry-After", "1"); /* without it the 503 still says enough */
    return ta_fail(err, TA_ECANCELED, "%s", text);
}
