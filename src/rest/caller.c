#include "rest/caller.h"

#include "io/json_read.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum {
    HOSTS_MAX = 16,
    PER_HOST_MAX = 64,
    HEADERS_MAX = 16,
    ERROR_BODY_MAX = 4096,
    DRAIN_MAX = 1024 * 1024,
    WAIT_SLICE_MS = 50
};

/* Connections to one scheme, name and port. */
struct host {
    char name[264];
    struct ta_rest_client *idle[PER_HOST_MAX];
    unsigned n_idle, n_open;
};

struct ta_caller {
    struct ta_caller_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t has_idle;
    struct host host[HOSTS_MAX]; /* guarded by lock */
    size_t n_hosts;              /* guarded by lock */
};

static const int statuses[TA_CALL_STATUSES] = {0,   200, 201, 204, 400, 401, 403, 404, 405,
                                               409, 413, 414, 429, 500, 502, 503, 504, -1};

int ta_call_status_of(size_t i)
{
    return statuses[i];
}

static void count(struct ta_caller *c, const struct ta_call *call, int status)
{
    size_t i = 0;

    if (!c->conf.stats || call->upstream >= TA_CALL_UPSTREAMS)
        return;
    while (i < TA_CALL_STATUSES - 1 && statuses[i] != status)
        i++;
    atomic_fetch_add_explicit(&c->conf.stats->n[call->upstream][i], 1, memory_order_relaxed);
}

int ta_caller_new(struct ta_caller **out, const struct ta_caller_conf *conf, struct ta_err *err)
{
    struct ta_caller *c = ta_alloc_zero(conf->alloc, 1, sizeof(*c));

    if (!c)
        return ta_fail(err, TA_ENOMEM, "HTTP connections");
    c->conf = *conf;
    if (c->conf.per_host == 0)
        c->conf.per_host = 8;
    if (c->conf.per_host > PER_HOST_MAX)
        c->conf.per_host = PER_HOST_MAX;
    c->conf.rest.buffer = 16 * KiB;
    (void)pthread_mutex_init(&c->lock, NULL); /* these fill structs: they cannot fail here */
    (void)pthread_cond_init(&c->has_idle, NULL);
    *out = c;
    return TA_OK;
}

void ta_caller_free(struct ta_caller *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_hosts; i++)
        for (unsigned k = 0; k < c->host[i].n_idle; k++)
            ta_rest_client_free(c->host[i].idle[k]);
    pthread_cond_destroy(&c->has_idle);
    pthread_mutex_destroy(&c->lock);
    ta_release(c->conf.alloc, c, sizeof(*c));
}

static bool is_stopped(const struct ta_caller *c)
{
    return c->conf.rest.stop && atomic_load_explicit(c->conf.rest.stop, memory_order_relaxed);
}

/* The entry for a URL's host; lock is held. NULL: too many hosts, or not a URL. */
static struct host *find_host(struct ta_caller *c, const char *url)
{
    const char *at = strstr(url, "://");
    size_t len = at ? (size_t)(at - url) + 3 + strcspn(at + 3, "/?#") : 0;

    if (len == 0 || len >= sizeof(c->host[0].name))
        return NULL;
    for (size_t i = 0; i < c->n_hosts; i++)
        if (strlen(c->host[i].name) == len && memcmp(c->host[i].name, url, len) == 0)
            return &c->host[i];
    if (c->n_hosts == HOSTS_MAX)
        return NULL;
    struct host *h = &c->host[c->n_hosts++];
    memcpy(h->name, url, len);
    return h;
}

static int acquire(struct ta_caller *c, const char *url, struct host **host,
                   struct ta_rest_client **out, struct ta_err *err)
{
    int r = TA_OK;

    pthread_mutex_lock(&c->lock);
    struct host *h = find_host(c, url);
    *host = h;
    if (!h) {
        pthread_mutex_unlock(&c->lock);
        return ta_fail(err, TA_EINVAL, "%.200s: not a usable URL", url);
    }
    while (h->n_idle == 0 && h->n_open == c->conf.per_host)
        pthread_cond_wait(&c->has_idle, &c->lock);
    if (h->n_idle)
        *out = h->idle[--h->n_idle];
    else
        r = 1;
    h->n_open += r == 1;
    pthread_mutex_unlock(&c->lock);
    if (r == TA_OK)
        return TA_OK;
    r = ta_rest_client_new(out, &c->conf.rest, c->conf.alloc, err);
    if (r < 0) {
        pthread_mutex_lock(&c->lock);
        h->n_open--;
        pthread_cond_broadcast(&c->has_idle);
        pthread_mutex_unlock(&c->lock);
    }
    return r;
}

static void give_back(struct ta_caller *c, struct host *h, struct ta_rest_client *client)
{
    ta_rest_end(client);
    pthread_mutex_lock(&c->lock);
    h->idle[h->n_idle++] = client;
    pthread_cond_broadcast(&c->has_idle);
    pthread_mutex_unlock(&c->lock);
}

/* ---- one attempt -------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t cap, struct ta_str s)
{
    size_t n = s.len < cap - 1 ? s.len : cap - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = (char)(s.at[i] >= ' ' && s.at[i] < 0x7f ? s.at[i] : '?');
    out[n] = 0;
}

static void read_class(struct ta_str body, char *out, size_t cap)
{
    struct ta_mem_source src;
    struct ta_json_reader *j;
    struct ta_json_token t;

    ta_mem_source_init(&src, body.at, body.len, 0);
    if (ta_json_reader_new(&j, &src.source, NULL, &ta_heap) < 0)
        return;
    if (ta_json_next(j, &t, NULL) > 0 && t.kind == TA_JSON_OBJECT)
        while (ta_json_next(j, &t, NULL) > 0 && t.kind == TA_JSON_KEY) {
            if (ta_str_is(t.text, "ExceptionClass")) {
                if (ta_json_next(j, &t, NULL) > 0 && t.kind == TA_JSON_STRING)
                    copy_text(out, cap, t.text);
                break;
            }
            if (ta_json_skip(j, NULL) < 0)
                break;
        }
    ta_json_reader_free(j);
}

/* What a refusal says about itself; its body is read as far as it is small. */
static int read_refusal(struct ta_rest_client *client, struct ta_rest_answer *a,
                        struct ta_call_end *end, struct ta_err *err)
{
    char body[ERROR_BODY_MAX], detail[160] = "";
    int64_t n = ta_read_full(&a->body, body, sizeof(body), NULL);

    copy_text(end->error_class, sizeof(end->error_class), ta_rest_header(client, "ExceptionClass"));
    if (!end->error_class[0] && n > 0)
        read_class((struct ta_str){body, (size_t)n}, end->error_class, sizeof(end->error_class));
    copy_text(detail, sizeof(detail), ta_rest_header(client, "X-Error-Detail"));
    int code = a->status == 401 || a->status == 403 ? TA_EDENIED
               : a->status == 404                   ? TA_ENOTFOUND
                                                    : TA_EIO;
    return ta_fail(err, code, "HTTP status %d%s%s%s%s", a->status, end->error_class[0] ? ", " : "",
                   end->error_class, detail[0] ? ", " : "", detail);
}

static int drain(struct ta_source *body, struct ta_err *err)
{
    char piece[4096];
    size_t total = 0;
    int64_t n;

    while ((n = body->read(body, piece, sizeof(piece), err)) > 0)
        if ((total += (size_t)n) > DRAIN_MAX)
            return ta_fail(err, TA_ERANGE, "the answer goes on behind its end");
    return n < 0 ? (int)n : TA_OK;
}

static int check_rest_status(struct ta_rest_client *client, struct ta_err *err)
{
    struct ta_str status = ta_rest_header(client, "X-REST-Status");
    char detail[160];

    if (!status.at || ta_str_is(status, "100"))
        return TA_OK;
    copy_text(detail, sizeof(detail), ta_rest_header(client, "X-Error-Detail"));
    return ta_fail(err, TA_EIO, "the answer is incomplete: X-REST-Status %.*s%s%s",
                   (int)(status.len < 20 ? status.len : 20), status.at, detail[0] ? ", " : "",
                   detail);
}

static int read_answer(struct ta_rest_client *client, struct ta_rest_answer *a,
                       const struct ta_call *call, struct ta_call_end *end, struct ta_err *err)
{
    end->status = a->status;
    if (a->status < 200 || a->status > 299)
        return read_refusal(client, a, end, err);
    int r = check_rest_status(client, err);
    if (r == TA_OK && call->take_head)
        call->take_head(call->self, client);
    if (r == TA_OK && call->read)
        r = call->read(call->self, &a->body, err);
    if (r >= 0)
        r = drain(&a->body, err); /* trailers stand behind the last byte */
    if (r == TA_OK)
        r = check_rest_status(client, err);
    return r < 0 ? r : TA_OK;
}

static int attempt(struct ta_caller *c, struct ta_rest_client *client, const struct ta_call *call,
                   struct ta_call_end *end, struct ta_err *err)
{
    struct ta_rest_header headers[HEADERS_MAX + 1];
    struct ta_rest_answer *answer;
    struct ta_mem_source body;
    struct ta_buf bearer;
    size_t n = 0;

    ta_buf_init(&bearer, c->conf.alloc, TA_TOKEN_MAX + 16);
    while (n < call->n_headers && n < HEADERS_MAX) {
        headers[n] = call->headers[n];
        n++;
    }
    int r = TA_OK;
    if (c->conf.token) {
        r = ta_buf_z(&bearer, "Bearer ");
        if (r == TA_OK)
            r = ta_token_file_get(c->conf.token, ta_now_s(c->conf.clock), &bearer, err);
        if (r == TA_OK)
            r = ta_buf_byte(&bearer, 0);
        if (r == TA_OK)
            headers[n++] = (struct ta_rest_header){"Authorization", bearer.at};
    }
    ta_mem_source_init(&body, call->body.at, call->body.len, 0);
    struct ta_rest_request req = {.method = call->method,
                                  .url = call->url,
                                  .headers = headers,
                                  .n_headers = n,
                                  .body = call->body.at ? &body.source : NULL,
                                  .body_bytes = (int64_t)call->body.len,
                                  .decode = true};
    if (r == TA_OK)
        r = ta_rest_begin(client, &req, &answer, err);
    if (r == TA_OK)
        r = read_answer(client, answer, call, end, err);
    count(c, call, end->status);
    if (bearer.at)
        explicit_bzero(bearer.at, bearer.cap);
    ta_buf_done(&bearer);
    return r;
}

/* ---- repeats ------------------------------------------------------------------------------------ */

int ta_caller_wait(struct ta_caller *c, int64_t ms)
{
    while (ms > 0 && !is_stopped(c)) {
        int64_t slice = ms < WAIT_SLICE_MS ? ms : WAIT_SLICE_MS;
        struct timespec t = {0, slice * 1000000};
        (void)nanosleep(&t, NULL);
        ms -= slice;
    }
    return is_stopped(c) ? TA_ECANCELED : TA_OK;
}

/* A connection that failed, or an answer that says "later". A 2xx that was incomplete is none:
 * its own reader decides. */
static bool is_repeatable(int r, const struct ta_call_end *end)
{
    if (end->status >= 200 && end->status < 300)
        return false;
    return r == TA_EIO && ta_rest_is_transient(end->status ? TA_OK : r, end->status);
}

int ta_caller_call(struct ta_caller *c, const struct ta_call *call, struct ta_call_end *end,
                   struct ta_err *err)
{
    struct ta_call_end unused;
    struct ta_rest_client *client = NULL;
    struct host *host = NULL;
    bool was_refused = false;

    if (!end)
        end = &unused;
    *end = (struct ta_call_end){0};
    if (is_stopped(c))
        return ta_fail(err, TA_ECANCELED, "stopped");
    int r = acquire(c, call->url, &host, &client, err);
    if (r < 0)
        return r;
    for (unsigned i = 0;; i++) {
        struct ta_err why = {0};
        *end = (struct ta_call_end){0};
        r = attempt(c, client, call, end, &why);
        if (r == TA_OK)
            break;
        bool again = call->is_idempotent && i < c->conf.retries && is_repeatable(r, end);
        if (end->status == 401 && c->conf.token && !was_refused) {
            ta_token_file_refused(c->conf.token);
            was_refused = again = true;
        } else if (again) {
            int64_t ms = ta_rest_backoff_ms(client, i);
            ta_rest_end(client);
            again = ta_caller_wait(c, ms) == TA_OK;
        }
        if (!again) {
            ta_fail(err, r, "%s %.*s: %s", call->method, (int)strcspn(call->url, "?"), call->url,
                    why.text[0] ? why.text : ta_strerror(r));
            break;
        }
    }
    give_back(c, host, client);
    return r;
}
