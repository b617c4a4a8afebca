#include "app/used_nodes.h"

#include "io/json_read.h"
#include "io/json_write.h"
#include "jobs/repository.h"
#include "rest/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { URL_MAX = 4096, TOKEN_MAX = 8192, TIMEOUT_MS = 10000, BUFFER = 64 * 1024, PATH_ROOM = 4096 };

void ta_used_nodes_init(struct ta_used_nodes *u, struct ta_alloc *alloc)
{
    *u = (struct ta_used_nodes){0};
    ta_arena_init(&u->memory, alloc, TA_USED_NODES_BYTES);
}

void ta_used_nodes_done(struct ta_used_nodes *u)
{
    if (u->memory.parent)
        ta_arena_done(&u->memory);
    u->at = NULL;
    u->n = u->cap = 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int add(struct ta_used_nodes *u, struct ta_str cluster, struct ta_str host)
{
    if (u->n == u->cap) {
        size_t cap = u->cap ? u->cap * 2 : 64;
        struct ta_node *at =
            ta_resize(&u->memory.alloc, u->at, u->cap * sizeof(*at), cap * sizeof(*at));
        if (!at)
            return TA_ENOMEM;
        u->at = at;
        u->cap = cap;
    }
    struct ta_str copy = ta_arena_copy(&u->memory, host);
    if (!copy.at)
        return TA_ENOMEM;
    u->at[u->n++] = (struct ta_node){cluster, copy};
    return TA_OK;
}

/* [host, ...] or null, whose opening token is *t. */
static int read_hosts(struct ta_used_nodes *u, struct ta_json_reader *r, struct ta_json_token *t,
                      struct ta_str cluster, struct ta_err *err)
{
    int e = TA_OK;

    if (t->kind == TA_JSON_NULL)
        return TA_OK;
    if (t->kind != TA_JSON_ARRAY)
        return ta_json_expected(t, "a list of hosts", err);
    while (e == TA_OK && (e = ta_json_next(r, t, err)) > 0) {
        if (t->kind == TA_JSON_ARRAY_END)
            return TA_OK;
        if (t->kind != TA_JSON_STRING)
            return ta_json_expected(t, "a host name", err);
        e = add(u, cluster, t->text);
        if (e < 0)
            return ta_fail(err, e, "list of used nodes is too large");
    }
    return e < 0 ? e : TA_EFORMAT;
}

/* The members of an opened map cluster -> hosts, up to its end. "usedNodes" with an object is the other shape. */
static int read_map(struct ta_used_nodes *u, struct ta_json_reader *r, bool is_top,
                    struct ta_err *err)
{
    struct ta_json_token t;
    int e;

    while ((e = ta_json_next(r, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        bool may_wrap = is_top && ta_str_is(t.text, "usedNodes");
        struct ta_str cluster = ta_arena_copy(&u->memory, t.text);
        if (!cluster.at)
            return ta_fail(err, TA_ENOMEM, "list of used nodes is too large");
        e = ta_json_next(r, &t, err);
        if (e > 0 && may_wrap && t.kind == TA_JSON_OBJECT)
            e = read_map(u, r, false, err);
        else if (e > 0)
            e = read_hosts(u, r, &t, cluster, err);
        if (e < 0)
            return e;
    }
    return e < 0 ? e : TA_OK;
}

static int compare(const void *a, const void *b)
{
    const struct ta_node *x = a;
    const struct ta_node *y = b;
    int c = ta_str_cmp(x->cluster, y->cluster);

    return c ? c : ta_str_cmp(x->host, y->host);
}

bool ta_used_nodes_has(const struct ta_used_nodes *u, struct ta_str cluster, struct ta_str host)
{
    struct ta_node key = {cluster, host};

    return u->n && bsearch(&key, u->at, u->n, sizeof(*u->at), compare);
}

int ta_used_nodes_parse(struct ta_used_nodes *out, struct ta_source *json, struct ta_err *err)
{
    struct ta_json_reader *r = NULL;
    struct ta_json_token t;
    int e = ta_json_reader_new(&r, json, NULL, out->memory.parent);

    if (e < 0)
        return ta_fail(err, e, "used nodes");
    e = ta_json_next(r, &t, err);
    if (e > 0)
        e = t.kind == TA_JSON_OBJECT ? read_map(out, r, true, err)
                                     : ta_json_expected(&t, "a map of clusters", err);
    ta_json_reader_free(r);
    if (out->n)
        qsort(out->at, out->n, sizeof(*out->at), compare);
    if (e < 0) {
        struct ta_alloc *parent = out->memory.parent;
        ta_used_nodes_done(out);
        ta_used_nodes_init(out, parent);
    }
    return e < 0 ? e : TA_OK;
}

/* ---- of our own jobs ----------------------------------------------------------------------------- */

/* They come sorted, the cluster's name with each. */
static int add_of_job(void *self, struct ta_str cluster, struct ta_str host, struct ta_err *err)
{
    struct ta_used_nodes *u = self;
    int e;

    if (u->n && ta_str_eq(u->at[u->n - 1].cluster, cluster))
        cluster = u->at[u->n - 1].cluster;
    else
        cluster = ta_arena_copy(&u->memory, cluster);
    e = cluster.at ? add(u, cluster, host) : TA_ENOMEM;
    return e < 0 ? ta_fail(err, e, "list of used nodes is too large") : TA_OK;
}

int ta_used_nodes_of_jobs(struct ta_used_nodes *out, const char *database, int64_t now_s,
                          struct ta_err *err)
{
    const struct ta_sql_options options = {.path = database, .cache_bytes = 1 << 20};
    struct ta_alloc *parent = out->memory.parent;
    struct ta_repository *r = NULL;
    int e = ta_repository_open(&r, &options, parent, err);

    if (e >= 0)
        e = ta_repository_used_nodes(r, now_s + 1, add_of_job, out, err);
    ta_repository_close(r);
    if (out->n)
        qsort(out->at, out->n, sizeof(*out->at), compare);
    if (e < 0) {
        ta_used_nodes_done(out);
        ta_used_nodes_init(out, parent);
    }
    return e < 0 ? e : TA_OK;
}

/* ---- keeping ---------------------------------------------------------------------------------- */

static int put_text(const struct ta_used_nodes *u, struct ta_buf *text)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, text);
    ta_json_put_object(&w);
    for (size_t i = 0; i < u->n;) {
        struct ta_str cluster = u->at[i].cluster;
        ta_json_put_key_str(&w, cluster);
        ta_json_put_array(&w);
        for (; i < u->n && ta_str_eq(u->at[i].cluster, cluster); i++)
            ta_json_put_str(&w, u->at[i].host);
        ta_json_put_array_end(&w);
    }
    return ta_json_put_object_end(&w);
}

static int write_new(struct ta_vfs *vfs, const char *temp, struct ta_str text, struct ta_err *err)
{
    struct ta_file *file = NULL;
    int r = ta_open(vfs, temp, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0640, &file, err);

    if (r < 0)
        return r;
    r = ta_pwrite_full(file, text.at, text.len, 0, err);
    if (r == TA_OK)
        r = ta_sync(file, err);
    int c = ta_close(&file, r < 0 ? NULL : err);
    return r < 0 ? r : c;
}

int ta_used_nodes_save(const struct ta_used_nodes *u, struct ta_vfs *vfs, const char *path,
                       struct ta_err *err)
{
    char temp[PATH_ROOM];
    struct ta_buf text;
    int n = snprintf(temp, sizeof(temp), "%s.tmp", path);

    if (n < 0 || (size_t)n >= sizeof(temp))
        return ta_fail(err, TA_ERANGE, "path too long");
    ta_buf_init(&text, u->memory.parent, 2 * (size_t)TA_USED_NODES_BYTES);
    int r = put_text(u, &text);
    if (r < 0)
        ta_fail(err, r, "no memory for the list of used nodes");
    if (r == TA_OK)
        r = write_new(vfs, temp, ta_buf_view(&text), err);
    ta_buf_done(&text);
    return r < 0 ? r : vfs->rename(vfs, temp, path, err);
}

int ta_used_nodes_load(struct ta_used_nodes *out, struct ta_vfs *vfs, const char *path,
                       struct ta_err *err)
{
    struct ta_file_source src;
    struct ta_file *file = NULL;
    struct ta_err why = {0};
    int r = ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, &why);

    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    ta_file_source_init(&src, file);
    r = ta_used_nodes_parse(out, &src.source, err);
    (void)ta_close(&file, NULL); /* only read */
    return r;
}

/* ---- asking ----------------------------------------------------------------------------------- */

/* "Bearer <first line of the file>" */
static int read_token(char *out, size_t room, const char *path, struct ta_err *err)
{
    struct ta_file *file = NULL;
    size_t n = (size_t)snprintf(out, room, "Bearer ");
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    int64_t got = ta_pread_full(file, out + n, room - n - 1, 0, err);
    (void)ta_close(&file, NULL); /* only read */
    if (got < 0)
        return (int)got;
    out[n + (size_t)got] = 0;
    out[n + strcspn(out + n, " \t\r\n")] = 0;
    return TA_OK;
}

static int ask(struct ta_rest_client *client, const struct ta_rest_request *req,
               struct ta_used_nodes *out, struct ta_err *err)
{
    struct ta_rest_answer *answer = NULL;
    int r = ta_rest_begin(client, req, &answer, err);

    if (r < 0)
        return r;
    if (answer->status == 401 || answer->status == 403)
        r = ta_fail(err, TA_EDENIED,
                    "the backend answered %d: tarn.backend-token-file is wrong or missing",
                    answer->status);
    else if (answer->status != 200)
        r = ta_fail(err, TA_EIO, "the backend answered %d", answer->status);
    else
        r = ta_used_nodes_parse(out, &answer->body, err);
    ta_rest_end(client);
    return r;
}

int ta_used_nodes_ask(struct ta_used_nodes *out, const struct ta_node_provider_conf *conf,
                      int64_t now_s, struct ta_err *err)
{
    struct ta_rest_conf rest = {.connect_ms = conf->timeout_ms ? conf->timeout_ms : TIMEOUT_MS,
                                .total_ms = conf->timeout_ms ? conf->timeout_ms : TIMEOUT_MS,
                                .stop = conf->stop};
    char url[URL_MAX];
    char token[TOKEN_MAX];
    struct ta_rest_header headers[] = {{"Accept", "application/json"}, {"Authorization", token}};
    struct ta_rest_client *client = NULL;
    bool has_token = conf->token_file && conf->token_file[0];
    int n = snprintf(url, sizeof(url), "%s/api/jobs/used_nodes?ts=%" PRId64, conf->url, now_s);
    int r = TA_OK;

    if (n < 0 || (size_t)n >= sizeof(url))
        return ta_fail(err, TA_EINVAL, "main.backend-url is too long");
    if (has_token)
        r = read_token(token, sizeof(token), conf->token_file, err);
    if (r == TA_OK)
        r = ta_rest_client_new(&client, &rest, out->memory.parent, err);
    if (r == TA_OK) {
        struct ta_rest_request req = {.method = "GET",
                                      .url = url,
                                      .headers = headers,
                                      .n_headers = has_token ? 2 : 1,
                                      .decode = true};
        r = ask(client, &req, out, err);
    }
    ta_rest_client_free(client);
    explicit_bzero(token, sizeof(token));
    return r;
}
