/* http_access.c - what a handler asks a request. */
#include "net/http_int.h"
#include "net/uri.h"

enum ta_http_method ta_http_method(const struct ta_http_req *q)
{
    return q->method;
}

struct ta_str ta_http_path(const struct ta_http_req *q)
{
    return q->path;
}

struct ta_str ta_http_subpath(const struct ta_http_req *q)
{
    size_t own = strlen(q->route->path);

    while (own < q->path.len && q->path.at[own] == '/')
        own++;
    return (struct ta_str){q->path.at + own, q->path.len - own};
}

struct ta_str ta_http_param_raw(const struct ta_http_req *q, const char *name)
{
    return ta_uri_param(q->query, ta_str(name));
}

struct ta_str ta_http_param(struct ta_http_req *q, const char *name)
{
    return ta_uri_param_decoded(q->query, ta_str(name), &q->arena);
}

struct ta_str ta_http_query(const struct ta_http_req *q)
{
    return q->query;
}

const struct ta_token *ta_http_token(const struct ta_http_req *q)
{
    bool is_checked = q->worker->server->config.jwt && q->route->auth != TA_HTTP_OPEN;

    return is_checked ? &q->token : NULL;
}

struct ta_str ta_http_header(const struct ta_http_req *q, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    if (!q->conn || MHD_lookup_connection_value_n(q->conn->mhd, MHD_HEADER_KIND, name, strlen(name),
                                                  &value, &n) != MHD_YES)
        return (struct ta_str){0};
    while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        n--;
    return (struct ta_str){value ? value : "", n};
}

struct each {
    void (*call)(void *self, struct ta_str name, struct ta_str value);
    void *self;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    const struct each *e = arg;

    (void)kind;
    e->call(e->self, ta_str(name), ta_str(value ? value : ""));
    return MHD_YES;
}

void ta_http_each_header(const struct ta_http_req *q,
                         void (*each)(void *self, struct ta_str name, struct ta_str value),
                         void *self)
{
    struct each e = {each, self};

    if (q->conn)
        (void)MHD_get_connection_values(q->conn->mhd, MHD_HEADER_KIND, on_header, &e);
}

struct ta_str ta_http_peer(const struct ta_http_req *q)
{
    return q->conn ? ta_str(q->conn->peer) : TA_STR("");
}

unsigned ta_http_worker_of(const struct ta_http_req *q)
{
    return (unsigned)(q->worker - q->worker->server->workers);
}

struct ta_arena *ta_http_arena(struct ta_http_req *q)
{
    return &q->arena;
}

void *ta_http_data(const struct ta_http_req *q)
{
    return q->route->data;
}

void *ta_http_app(const struct ta_http_req *q)
{
    return q->worker->server->config.app;
}

void *ta_http_state(const struct ta_http_req *q)
{
    return q->state;
}

void ta_http_set_state(struct ta_http_req *q, void *state)
{
    q->state = state;
}
