/* handle_influx.c - what InfluxDB clients such as Telegraf write to: doc/influx.md.
 *
 *     POST /write?db=<cluster>&precision=          204
 *     POST /api/v2/write?bucket=<cluster>&precision=
 *     GET  /ping                                   204
 *
 * Telegraf drops a batch on 400 and 413, and comes again after Retry-After on 429 and 503. So 400 means that
 * sending the same again is of no use: the good lines are stored, the bad ones never will be; 429, that the
 * memory for requests or for samples is used up at the moment; 503, that the log cannot take them.
 */
#include "app/routes.h"
#include "app/write_body.h"

static const struct {
    const char *word;
    enum ta_line_precision precision;
} precisions[] = {
    {"ns", TA_LINE_NS}, {"n", TA_LINE_NS}, {"us", TA_LINE_US}, {"u", TA_LINE_US},
    {"ms", TA_LINE_MS}, {"s", TA_LINE_S},  {"m", TA_LINE_MIN}, {"h", TA_LINE_HOUR},
};

static int precision_of(struct ta_http_req *req, enum ta_line_precision *out, struct ta_err *err)
{
    struct ta_str word = ta_http_param(req, "precision");

    *out = TA_LINE_AUTO; /* a client that says nothing may mean seconds, whatever the default is */
    if (word.len == 0)
        return TA_OK;
    for (size_t i = 0; i < TA_COUNT(precisions); i++)
        if (ta_str_is(word, precisions[i].word)) {
            *out = precisions[i].precision;
            return TA_OK;
        }
    return ta_fail(err, TA_EINVAL, "precision is one of ns, us, ms, s, m, h");
}

/* No memory is 503 elsewhere; here the clients know a word for "too much at once". */
static int told(struct ta_http_req *req, int r, const struct ta_err *err)
{
    if (r == TA_ENOMEM) {
        (void)ta_http_set_header(req, "Retry-After",
                                 "1"); /* without it the 429 still says enough */
        (void)ta_http_reply_error(req, 429, ta_str(err->code ? err->text : "no memory at present"));
    }
    return r;
}

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    static const char *const names[] = {"cluster", "bucket", "db"};
    const struct ta_app *app = ta_http_app(req);
    struct ta_line_options options = {
        .mode = TA_LINE_INFLUX, .tags = app->influx_tags, .n_tags = app->n_influx_tags};
    struct ta_str cluster = {0};
    int r = precision_of(req, &options.precision, err);

    for (size_t i = 0; r == TA_OK && cluster.len == 0 && i < TA_COUNT(names); i++)
        cluster = ta_http_param(req, names[i]);
    return told(req, r < 0 ? r : ta_write_begin(req, cluster, &options, err), err);
}

static int body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    return told(req, ta_write_body(req, at, len, taken, err), err);
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    int r = told(req, ta_write_end(req, err), err);

    return r < 0 ? r : ta_http_reply(req, 204, NULL, TA_STR(""));
}

static int pong(struct ta_http_req *req, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(req, 204, NULL, TA_STR(""));
}

const struct ta_http_handler ta_handle_influx = {
    .begin = begin, .body = body, .end = end, .done = ta_write_done};
const struct ta_http_handler ta_handle_ping = {.end = pong};
