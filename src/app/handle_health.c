/* handle_health.c - GET /healthz: is the process there and answering? */
#include "app/routes.h"

static int alive(struct ta_http_req *req, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(req, 200, "text/plain; charset=utf-8", TA_STR("ok\n"));
}

const struct ta_http_handler ta_handle_alive = {.end = alive};
