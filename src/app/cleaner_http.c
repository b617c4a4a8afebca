#include "app/cleaner_http.h"

#include "app/cleaner_metrics.h"
#include "app/front_end.h"
#include "io/json_write.h"

#include <stdio.h>
#include <strings.h>

enum { ANSWER_MAX = 64 * 1024, STOP_MS = 2000 };

/* ---- front end ---------------------------------------------------------------------------------- */

struct gathering {
    struct ta_front_header at[TA_FRONT_HEADERS_MAX];
    size_t n;
    bool is_too_many;
};

static bool starts(struct ta_str name, const char *prefix)
{
    size_t n = strlen(prefix);

    return name.len >= n && strncasecmp(name.at, prefix, n) == 0;
}

static void gather(void *self, struct ta_str name, struct ta_str value)
{
    struct gathering *g = self;
    bool is_signed = starts(name, "cms-authn") || starts(name, "cms-authz");
    bool is_hmac = name.len == strlen("cms-authn-hmac") && starts(name, "cms-authn-hmac");

    if (!is_signed || is_hmac)
        return;
    if (g->n == TA_FRONT_HEADERS_MAX)
        g->is_too_many = true;
    else
        g->at[g->n++] = (struct ta_front_header){name, value};
}

static bool is_admitted(struct ta_http_req *req, const struct ta_cleaner_http *h)
{
    struct gathering g = {.n = 0};

    ta_http_each_header(req, gather, &g);
    return !g.is_too_many &&
           ta_front_admits(ta_http_peer(req), ta_http_header(req, "cms-auth-status"),
                           ta_http_header(req, "cms-authn-hmac"), g.at, g.n, h->key, h->key_bytes);
}

/* ---- data --------------------------------------------------------------------------------------- */

static int refuse(struct ta_http_req *req, int status, const char *app_status, const char *detail)
{
    char code[8];

    snprintf(code, sizeof(code), "%d", status);
    (void)ta_http_set_header(req, "X-REST-Status", app_status); /* fixed texts: cannot fail */
    (void)ta_http_set_header(req, "X-Error-HTTP", code);
    (void)ta_http_set_header(req, "X-Error-Detail", detail);
    return ta_http_reply_text(req, status, detail);
}

static bool wants_detail(struct ta_http_req *req)
{
    struct ta_str v = ta_http_param(req, "detail");

    return !v.at || ta_str_is(v, "true") || ta_str_is(v, "True") || ta_str_is(v, "TRUE");
}

static void write_row(struct ta_cleaner_http *h, bool is_status, bool has_detail,
                      struct ta_json_writer *w)
{
    struct ta_cleaner *c = h->cleaner;

    ta_json_put_object(w);
    ta_json_member_z(w, "wmcore_version", "tarn-" TARN_VERSION);
    ta_json_member_z(w, "microservice_version", "tarn-" TARN_VERSION);
    ta_json_member_z(w, "microservice", "MSManager");
    if (is_status) {
        ta_json_member_z(w, "status", "OK");
        pthread_mutex_lock(&c->lock);
        struct ta_sweep_report report = c->report;
        bool has_report = c->has_report;
        pthread_mutex_unlock(&c->lock);
        if (has_report && has_detail)
            (void)ta_report_write(&report, w); /* the writer keeps the error */
    }
    ta_json_put_object_end(w);
}

/* One member a line, as a person reads it. */
static int write_pretty(struct ta_str json, struct ta_buf *out)
{
    bool in_text = false;
    int depth = 0, r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < json.len; i++) {
        char ch = json.at[i];
        if (ch == '"' && (i == 0 || json.at[i - 1] != '\\'))
            in_text = !in_text;
        if (!in_text && (ch == '}' || ch == ']'))
            r = ta_buf_printf(out, "\n%*s", --depth * 2, "");
        if (r == TA_OK)
            r = ta_buf_byte(out, ch);
        if (r == TA_OK && !in_text && (ch == '{' || ch == '['))
            r = ta_buf_printf(out, "\n%*s", ++depth * 2, "");
        if (r == TA_OK && !in_text && ch == ',')
            r = ta_buf_printf(out, "\n%*s", depth * 2, "");
        if (r == TA_OK && !in_text && ch == ':')
            r = ta_buf_byte(out, ' ');
    }
    return r == TA_OK ? ta_buf_byte(out, '\n') : r;
}

static int reply_row(struct ta_http_req *req, struct ta_cleaner_http *h, bool is_status)
{
    struct ta_str accept = ta_http_header(req, "Accept");
    bool is_text = accept.len && memmem(accept.at, accept.len, "text/plain", 10);
    struct ta_buf body, row;
    struct ta_json_writer w;

    ta_buf_init(&row, &ta_heap, ANSWER_MAX);
    ta_buf_init(&body, &ta_heap, ANSWER_MAX);
    ta_json_writer_init(&w, &row);
    write_row(h, is_status, wants_detail(req), &w);
    int r = w.error;
    if (r == TA_OK && is_text)
        r = write_pretty(ta_buf_view(&row), &body);
    else if (r == TA_OK)
        r = ta_buf_printf(&body, "{\"result\": [\n %.*s\n]}\n", (int)row.len, row.at);
    (void)ta_http_set_header(req, "X-REST-Status", "100"); /* fixed texts: cannot fail */
    if (r == TA_OK)
        r = ta_http_reply(req, 200, is_text ? "text/plain" : "application/json",
                          ta_buf_view(&body));
    ta_buf_done(&body);
    ta_buf_done(&row);
    return r;
}

static int end_data(struct ta_http_req *req, struct ta_err *err)
{
    struct ta_cleaner_http *h = ta_http_app(req);
    struct ta_str what = ta_http_subpath(req);

    (void)err;
    if (!is_admitted(req, h))
        return refuse(req, 403, "102", "not authorised");
    switch (ta_http_method(req)) {
    case TA_HTTP_POST:
        return refuse(req, 400, "208", "POST is not supported here");
    case TA_HTTP_PUT:
    case TA_HTTP_DELETE:
        (void)ta_http_set_header(req, "X-REST-Status", "100"); /* fixed texts: cannot fail */
        return ta_http_reply(req, 200, "application/json", TA_STR("{\"result\": [\n]}\n"));
    default:
        break;
    }
    if (ta_str_is(what, "status") || ta_str_is(what, "info"))
        return reply_row(req, h, ta_str_is(what, "status"));
    return refuse(req, 404, "207", "API not supported");
}

/* ---- health and metrics ------------------------------------------------------------------------- */

static int end_health(struct ta_http_req *req, struct ta_err *err)
{
    struct ta_cleaner_http *h = ta_http_app(req);
    struct ta_cleaner *c = h->cleaner;

    (void)err;
    pthread_mutex_lock(&c->lock);
    int64_t age_ns = ta_mono_ns(&ta_clock_system) - c->ended_mono_ns;
    pthread_mutex_unlock(&c->lock);
    if (age_ns / 1000000000 < 3 * c->conf->data.interval_s)
        return ta_http_reply_text(req, 200, "ok");
    return ta_http_reply_text(req, 503, "no cycle has ended for three intervals");
}

static int end_metrics(struct ta_http_req *req, struct ta_err *err)
{
    struct ta_cleaner_http *h = ta_http_app(req);
    struct ta_buf body;

    ta_buf_init(&body, &ta_heap, ANSWER_MAX);
    int r = ta_cleaner_metrics(h->cleaner, &body);
    if (r == TA_OK)
        r = ta_http_reply(req, 200, "text/plain; version=0.0.4", ta_buf_view(&body));
    ta_buf_done(&body);
    return r < 0 ? ta_fail(err, r, "metrics") : TA_OK;
}

static const struct ta_http_handler data_handler = {.end = end_data};
static const struct ta_http_handler health_handler = {.end = end_health};
static const struct ta_http_handler metrics_handler = {.end = end_metrics};

/* ---- start and stop ----------------------------------------------------------------------------- */

static int read_key(struct ta_cleaner_http *h, const char *path, struct ta_err *err)
{
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return ta_fail_context(err, r, "cmsAuthKeyFile: ");
    int64_t n = ta_pread_full(file, h->key, sizeof(h->key), 0, err);
    (void)ta_close(&file, NULL); /* it was only read */
    if (n < 0)
        return (int)n;
    if (n == 0 || n == sizeof(h->key))
        return ta_fail(err, TA_EINVAL, "cmsAuthKeyFile: is empty, or no key");
    h->key_bytes = (size_t)n;
    return TA_OK;
}

int ta_cleaner_http_start(struct ta_cleaner_http *h, struct ta_cleaner *cleaner, struct ta_err *err)
{
    const struct ta_cleaner_conf *conf = cleaner->conf;
    char addr[32];
    int r = TA_OK;

    *h = (struct ta_cleaner_http){.cleaner = cleaner};
    snprintf(h->mount, sizeof(h->mount), "/%.100s/data", conf->main.application);
    if (conf->data.auth_key_file[0])
        r = read_key(h, conf->data.auth_key_file, err);
    if (r < 0)
        return r;
    snprintf(addr, sizeof(addr), "%s:%d", h->key_bytes ? "" : "127.0.0.1", (int)conf->main.port);
    h->routes[0] =
        (struct ta_http_route){.path = h->mount,
                               .methods = TA_HTTP_GET | TA_HTTP_POST | TA_HTTP_PUT | TA_HTTP_DELETE,
                               .subpaths = true,
                               .handler = &data_handler};
    h->routes[1] = (struct ta_http_route){
        .path = "/healthz", .methods = TA_HTTP_GET, .handler = &health_handler};
    h->routes[2] = (struct ta_http_route){
        .path = "/metrics", .methods = TA_HTTP_GET, .handler = &metrics_handler};
    struct ta_http_config http = {.addr = addr,
                                  .n_workers = 1,
                                  .routes = h->routes,
                                  .n_routes = TA_COUNT(h->routes),
                                  .limits = {.connections = 64, .body_bytes_max = MiB},
                                  .memory_cap = 8 * MiB,
                                  .log = cleaner->log,
                                  .app = h};
    r = ta_http_server_open(&h->server, &http, err);
    if (r == TA_OK)
        r = ta_http_server_start(h->server, err);
    if (r == TA_OK)
        ta_logf(cleaner->log, TA_LOG_INFO, "status interface at %s (port %u)", h->mount,
                ta_http_server_port(h->server));
    return r;
}

void ta_cleaner_http_stop(struct ta_cleaner_http *h)
{
    if (h->server) {
        (void)ta_http_server_stop(h->server, STOP_MS); /* requests cut short get no answer */
        ta_http_server_free(h->server);
    }
    explicit_bzero(h->key, sizeof(h->key));
    *h = (struct ta_cleaner_http){0};
}
