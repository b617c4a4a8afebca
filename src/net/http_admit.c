/* http_admit.c - what is decided from the headers alone.
 *
 * Order: framing (what could be read in two ways is refused before anything believes it), sizes,
 * path, route, token, body. 404, 405 and 307 come before the token, as in the reference.
 *
 * Framing the library has checked: one request line, Host in HTTP/1.1, decimal Content-Length, no
 * space in the target. It takes the first of two lengths and prefers Transfer-Encoding over a
 * length: both are refused here.
 */
#include "net/http_int.h"
#include "net/uri.h"

#include <stdio.h>
#include <strings.h>

/* ---- Headers ---- */

struct head {
    size_t n_fields, n_length, n_coding, n_host, n_auth;
    bool bad_name, bad_value;
};

static bool name_is(const char *name, size_t len, const char *what)
{
    return len == strlen(what) && strncasecmp(name, what, len) == 0;
}

static enum MHD_Result look_at(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_len,
                               const char *value, size_t value_len)
{
    struct head *h = cls;

    (void)kind;
    h->n_fields++;
    if (!ta_uri_is_token((struct ta_str){key, key_len}))
        h->bad_name = true;
    for (size_t i = 0; i < value_len; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 127)
            h->bad_value = true;
    h->n_length += name_is(key, key_len, "Content-Length");
    h->n_coding += name_is(key, key_len, "Transfer-Encoding");
    h->n_host += name_is(key, key_len, "Host");
    h->n_auth += name_is(key, key_len, "Authorization");
    return MHD_YES;
}

static int refuse(struct ta_http_req *q, int status, const char *message)
{
    (void)ta_http_reply_text(q, status, message);
    return 1;
}

static int read_framing(struct ta_http_req *q, const struct head *h)
{
    struct ta_str coding = ta_http_header(q, "Transfer-Encoding");
    struct ta_str length = ta_http_header(q, "Content-Length");
    uint64_t n = 0;

    if (h->bad_name || h->bad_value)
        return refuse(q, 400, "malformed header");
    if (h->n_host > 1 || h->n_auth > 1)
        return refuse(q, 400, "repeated header");
    if (h->n_length > 1 || h->n_coding > 1 || (h->n_length && h->n_coding))
        return refuse(q, 400, "the length of the body is given twice");
    q->is_chunked = h->n_coding == 1;
    if (q->is_chunked && !name_is(coding.at, coding.len, "chunked"))
        return refuse(q, 501, "unknown transfer coding");
    if (h->n_length) {
        for (size_t i = 0; i < length.len; i++) {
            if (length.at[i] < '0' || length.at[i] > '9' || n > (INT64_MAX - 9) / 10)
                return refuse(q, 400, "malformed Content-Length");
            n = n * 10 + (uint64_t)(length.at[i] - '0');
        }
        q->length = (int64_t)n;
    } else if (!q->is_chunked) {
        q->length = 0;
    }
    return 0;
}

static bool accepts_gzip(struct ta_str list)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        struct ta_str item = {list.at, n};
        list = (struct ta_str){list.at + n + (comma != NULL), list.len - n - (comma != NULL)};
        while (item.len && (*item.at == ' ' || *item.at == '\t'))
            item = (struct ta_str){item.at + 1, item.len - 1};
        if (item.len < 4 || strncasecmp(item.at, "gzip", 4) != 0)
            continue;
        struct ta_str rest = {item.at + 4, item.len - 4};
        if (!rest.len)
            return true;
        if (*rest.at != ';' && *rest.at != ' ')
            continue;
        const char *q = memchr(rest.at, '=', rest.len);
        /* A weight is zero when it has no other digit than 0. */
        for (size_t i = q ? (size_t)(q - rest.at) : 0; q && i < rest.len; i++)
            if (rest.at[i] >= '1' && rest.at[i] <= '9')
                return true;
        return !q;
    }
    return false;
}

static int read_head(struct ta_http_req *q)
{
    struct MHD_Connection *mhd = q->conn->mhd;
    const struct ta_http_limits *l = &q->worker->server->config.limits;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct head h = {0};

    if (q->uri_too_long)
        return refuse(q, 414, "the request target is too long");
    if (q->no_memory)
        return refuse(q, 503, "no memory for the request");
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, look_at, &h);
    if (h.n_fields > HTTP_FIELDS_MAX || (info && info->header_size > l->header_bytes))
        return refuse(q, 431, "the headers are too large");
    int r = read_framing(q, &h);
    if (r != 0)
        return r;
    struct ta_str expect = ta_http_header(q, "Expect");
    if (expect.at && !name_is(expect.at, expect.len, "100-continue"))
        return refuse(q, 417, "unknown expectation");
    q->expects_100 = expect.at != NULL;
    q->accepts_gzip = accepts_gzip(ta_http_header(q, "Accept-Encoding"));
    return 0;
}

/* ---- Path and route ---- */

static enum ta_http_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum ta_http_method method;
    } table[] = {{"GET", TA_HTTP_GET},        {"HEAD", TA_HTTP_HEAD},     {"POST", TA_HTTP_POST},
                 {"PUT", TA_HTTP_PUT},        {"DELETE", TA_HTTP_DELETE}, {"PATCH", TA_HTTP_PATCH},
                 {"OPTIONS", TA_HTTP_OPTIONS}};

    for (size_t i = 0; i < TA_COUNT(table); i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].method;
    return 0;
}

static int add_html(struct ta_buf *b, struct ta_str s)
{
    int r = TA_OK;

    for (size_t i = 0; i < s.len && r == TA_OK; i++) {
        switch (s.at[i]) {
        case '&':
            r = ta_buf_z(b, "&amp;");
            break;
        case '<':
            r = ta_buf_z(b, "&lt;");
            break;
        case '>':
            r = ta_buf_z(b, "&gt;");
            break;
        case '"':
            r = ta_buf_z(b, "&#34;");
            break;
        case '\'':
            r = ta_buf_z(b, "&#39;");
            break;
        default:
            r = ta_buf_byte(b, s.at[i]);
        }
    }
    return r;
}

/* To the clean path, with the reference's little page. */
static int redirect(struct ta_http_req *q)
{
    struct ta_buf to, page;
    struct ta_str clean = ta_uri_clean(q->path, &q->arena);

    clean = clean.at ? ta_uri_escape_path(clean, &q->arena) : clean;
    if (!clean.at)
        return refuse(q, 503, "no memory for the request");
    ta_buf_init(&to, &q->arena.alloc, 64 * KiB);
    ta_buf_init(&page, &q->arena.alloc, 512 * KiB);
    int r = ta_buf_str(&to, clean);
    if (r == TA_OK && q->query.at) {
        r = ta_buf_byte(&to, '?');
        if (r == TA_OK)
            r = ta_buf_str(&to, q->query);
    }
    if (r == TA_OK)
        r = ta_buf_z(&page, "<a href=\"");
    if (r == TA_OK)
        r = add_html(&page, ta_buf_view(&to));
    if (r == TA_OK)
        r = ta_buf_z(&page, "\">Temporary Redirect</a>.\n\n");
    if (r == TA_OK)
        r = ta_buf_byte(&to, 0);
    if (r == TA_OK)
        r = ta_http_set_header(q, "Location", to.at);
    if (r < 0)
        return refuse(q, r == TA_EINVAL ? 400 : 503, "the request can not be redirected");
    bool reads = q->method == TA_HTTP_GET || q->method == TA_HTTP_HEAD;
    (void)ta_http_reply(q, 307, reads ? "text/html; charset=utf-8" : NULL,
                        reads ? ta_buf_view(&page) : TA_STR(""));
    return 1;
}

/* Bytes of `path` that the route's own path takes; 0: no match. */
static size_t match(const struct ta_http_route *r, struct ta_str path)
{
    struct ta_str own = ta_str(r->path);

    if (!ta_str_starts(path, own))
        return 0;
    if (path.len == own.len)
        return own.len;
    return r->subpaths && (path.at[own.len] == '/' || own.at[own.len - 1] == '/') ? own.len : 0;
}

static void add_allow(char *allow, size_t room, unsigned methods)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    static const unsigned sorted[] = {4, 0, 1, 6, 5, 2, 3}; /* by name, as the reference has it */
    size_t n = 0;

    allow[0] = 0;
    for (size_t i = 0; i < TA_COUNT(sorted); i++)
        if (methods & 1u << sorted[i])
            n += (size_t)snprintf(allow + n, room - n, "%s%s", n ? ", " : "", names[sorted[i]]);
}

static int find_route(struct ta_http_req *q)
{
    const struct ta_http_config *c = &q->worker->server->config;
    size_t best = 0;
    unsigned allowed = 0;

    for (size_t i = 0; i < c->n_routes; i++) {
        const struct ta_http_route *r = &c->routes[i];
        size_t n = match(r, q->path);
        unsigned methods = r->methods | (r->methods & TA_HTTP_GET ? TA_HTTP_HEAD : 0u);
        if (n == 0 || n < best)
            continue;
        if (n > best) {
            best = n;
            allowed = 0;
            q->route = NULL;
        }
        allowed |= methods;
        if (!q->route && methods & q->method)
            q->route = r;
    }
    if (!best)
        return refuse(q, 404, "404 page not found");
    if (!q->route) {
        char allow[64];
        add_allow(allow, sizeof(allow), allowed);
        (void)ta_http_set_header(q, "Allow", allow);
        return refuse(q, 405, "Method Not Allowed");
    }
    return 0;
}

static int find_path(struct ta_http_req *q, const char *method)
{
    struct ta_uri uri = ta_uri_split(q->uri);
    char *decoded = ta_arena_get(&q->arena, uri.path.len + 1);
    int64_t n = decoded ? ta_uri_decode(uri.path, false, decoded) : -1;

    q->method = method_of(method);
    q->query = uri.query;
    if (!decoded)
        return refuse(q, 503, "no memory for the request");
    if (n < 0 || memchr(decoded, 0, (size_t)n))
        return refuse(q, 400, "malformed request target");
    decoded[n] = 0;
    q->path = (struct ta_str){decoded, (size_t)n};
    if (ta_str_is(q->path, "*")) /* OPTIONS * */
        return refuse(q, 404, "404 page not found");
    if (!ta_uri_is_clean(q->path))
        return redirect(q);
    return find_route(q);
}

/* ---- Token and body ---- */

static int check_token(struct ta_http_req *q)
{
    const struct ta_http_config *c = &q->worker->server->config;
    struct ta_str value = ta_http_header(q, "Authorization");
    struct ta_str bare = {0};
    struct ta_err err = {0};
    size_t skip = 0;

    if (q->route->auth == TA_HTTP_OPEN || !c->jwt)
        return 0;
    if (q->route->auth == TA_HTTP_AUTH_TOKEN)
        bare = ta_http_header(q, "X-Auth-Token");
    if (bare.len)
        value = bare;
    else if (ta_str_starts(value, TA_STR("Bearer ")))
        skip = sizeof("Bearer ") - 1;
    else if (q->route->auth == TA_HTTP_BEARER_TOKEN && ta_str_starts(value, TA_STR("Token ")))
        skip = sizeof("Token ") - 1;
    if (!skip && !bare.len)
        return refuse(q, 401, "Use JWT Authentication");
    value = (struct ta_str){value.at + skip, value.len - skip};
    int r = ta_jwt_check(c->jwt, value, ta_now_s(c->clock), &q->token, &err);
    if (r == TA_ENOMEM)
        return refuse(q, 503, "no memory for the request");
    if (r < 0)
        return refuse(q, 401, err.text);
    if (c->check_roles && q->route->roles && !(q->token.roles & q->route->roles))
        return refuse(q, 403, "the token's roles do not allow this");
    return 0;
}

static int prepare_body(struct ta_http_req *q)
{
    const struct ta_http_limits *l = &q->worker->server->config.limits;
    struct ta_str coding = ta_http_header(q, "Content-Encoding");
    char words[80];

    q->body_max = q->route->body_bytes_max ? q->route->body_bytes_max : l->body_bytes_max;
    if (q->length > 0 && (uint64_t)q->length > q->body_max) {
        snprintf(words, sizeof(words), "the body is larger than %llu bytes",
                 (unsigned long long)q->body_max);
        (void)ta_http_reply_error(q, 413, ta_str(words));
        return 1;
    }
    if (q->route->raw_body || !q->route->handler->body)
        return 0;
    int r = http_decode_new(&q->decode, coding, q->body_max, l->expand_ratio_max, &q->arena);
    if (r == TA_ENOMEM)
        return refuse(q, 503, "no memory for the request");
    if (r < 0) {
        (void)ta_http_set_header(q, "Accept-Encoding", "gzip, deflate, zstd");
        (void)ta_http_reply_error(q, 415, TA_STR("unknown Content-Encoding"));
        return 1;
    }
    return 0;
}

int http_admit(struct ta_http_req *q, const char *method)
{
    int r = read_head(q);

    q->is_unframed = r != 0; /* the headers alone were wrong */
    if (r == 0)
        r = find_path(q, method);
    if (r == 0)
        r = check_token(q);
    if (r == 0)
        r = prepare_body(q);
    return r;
}
