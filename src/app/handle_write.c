/* handle_write.c - POST /api/write?cluster=<default> (spec: http-api 5, 8).
 *
 * 200 when every line was taken or can never be; 400 with the first bad line and the counts when some were
 * refused. A body that ends early is refused, without its partial line.
 */
#include "app/routes.h"
#include "app/write_body.h"

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    /* Raw: the reference does not decode this parameter (spec: http-api 5). */
    return ta_write_begin(req, ta_http_param_raw(req, "cluster"), NULL, err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    int r = ta_write_end(req, err);

    return r < 0 ? r : ta_http_reply(req, 200, "application/json", TA_STR(""));
}

const struct ta_http_handler ta_handle_write = {
    .begin = begin, .body = ta_write_body, .end = end, .done = ta_write_done};
