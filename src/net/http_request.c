/* http_request.c - the life of one request, from the request line to `done`.
 *
 * The library calls http_req_line() with the target, http_req_call() once with the headers, then
 * with each piece of the body, then at its end, and http_req_completed() last. Between two calls a
 * request may be suspended; then the library does not touch the connection.
 */
#include "net/http_int.h"

#include <errno.h>
#include <stdio.h>

/* ---- Memory of a request ---- */

static void req_init(struct ta_http_req *q, struct ta_http_worker *w)
{
    struct ta_arena arena = q->arena;

    *q = (struct ta_http_req){.worker = w, .arena = arena, .length = -1};
    atomic_init(&q->refs, 1);
    atomic_init(&q->wakes, 0);
}

static struct ta_http_req *req_get(struct ta_http_worker *w)
{
    struct ta_http_server *s = w->server;
    struct ta_http_req *q = w->spare;

    if (q) {
        w->spare = q->spare_next;
        w->n_spare--;
    } else {
        q = ta_alloc(&s->memory.alloc, sizeof(*q));
        if (!q)
            return NULL;
        ta_arena_init(&q->arena, &s->memory.alloc, s->config.limits.request_bytes_max);
    }
    req_init(q, w);
    return q;
}

static void req_free(struct ta_http_req *q)
{
    ta_arena_done(&q->arena);
    ta_release(&q->worker->server->memory.alloc, q, sizeof(*q));
}

void http_req_drop(struct ta_http_req *q, uint32_t n)
{
    struct ta_http_worker *w = q->worker;

    if (n == 0 || atomic_fetch_sub(&q->refs, n) != n)
        return;
    ta_arena_reset(&q->arena);
    if (w->n_spare >= HTTP_SPARE_REQS || q->arena.used > HTTP_SPARE_ARENA) {
        req_free(q);
        return;
    }
    q->spare_next = w->spare;
    w->spare = q;
    w->n_spare++;
}

void http_worker_free_spare(struct ta_http_worker *w)
{
    while (w->spare) {
        struct ta_http_req *q = w->spare;
        w->spare = q->spare_next;
        req_free(q);
    }
    w->n_spare = 0;
}

/* ---- Waiting ---- */

bool http_req_suspend(struct ta_http_req *q)
{
    if (q->is_woken) {
        q->is_woken = false;
        return false;
    }
    q->is_suspended = true;
    q->suspended_ns = q->worker->now_ns;
    MHD_suspend_connection(q->conn->mhd);
    return true;
}

void http_req_resume(struct ta_http_req *q)
{
    if (!q->conn)
        return;
    if (!q->is_suspended) {
        q->is_woken = true;
        return;
    }
    q->is_suspended = false;
    q->waited_ns += q->worker->now_ns - q->suspended_ns;
    q->progress_ns = q->worker->now_ns;
    MHD_resume_connection(q->conn->mhd);
}

void ta_http_hold(struct ta_http_req *q)
{
    atomic_fetch_add(&q->refs, 1);
}

void ta_http_wake(struct ta_http_req *q)
{
    struct ta_http_worker *w = q->worker;

    /* Only the first wake since the worker last looked puts the request on the list. */
    if (atomic_fetch_add(&q->wakes, 1) != 0)
        return;
    pthread_mutex_lock(&w->wake_lock);
    bool was_empty = !w->wake_first;
    q->wake_next = NULL;
    if (was_empty)
        w->wake_first = q;
    else
        w->wake_last->wake_next = q;
    w->wake_last = q;
    if (was_empty) /* under the lock, so that free can not come in between */
        http_worker_poke(w);
    pthread_mutex_unlock(&w->wake_lock);
}

/* ---- The request line ---- */

void *http_req_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct ta_http_worker *w = cls;
    struct http_conn *c = http_conn_of(mhd);

    if (!c || c->linger_ns || c->is_cut)
        return NULL;
    struct ta_http_req *q = req_get(w);
    if (!q)
        return NULL;
    q->conn = c;
    c->req = q;
    c->phase = CONN_HEAD;
    c->n_requests++;
    q->start_ns = http_now(w->server);
    c->phase_ns = w->now_ns;
    struct ta_str s = ta_str(uri);
    q->uri_too_long = s.len > w->server->config.limits.uri_bytes;
    if (!q->uri_too_long) {
        q->uri = ta_arena_copy(&q->arena, s);
        q->no_memory = !q->uri.at;
    }
    http_count(&w->counters.requests_running, 1);
    return q;
}

/* ---- The headers ---- */

static bool has_body(const struct ta_http_req *q)
{
    return q->is_chunked || q->length > 0;
}

/* The rest of a refused body is thrown away first; too long a rest is not waited for. */
static bool is_worth_draining(const struct ta_http_req *q)
{
    if (q->drained > HTTP_DRAIN_MAX)
        return false;
    return q->length < 0 || (uint64_t)q->length - q->body_wire <= HTTP_DRAIN_MAX;
}

/* The answer is set although the body has not come (whole). */
static enum MHD_Result refuse(struct ta_http_req *q)
{
    /* The library closes after an answer that comes before the body. Who asks first sends nothing.
     * */
    if (q->phase == REQ_HEAD && (q->is_unframed || (q->expects_100 && has_body(q))))
        return http_reply_queue(q) ? MHD_YES : MHD_NO;
    if (has_body(q) && !is_worth_draining(q))
        http_conn_answer_raw(q->conn, q->answer.status,
                             q->answer.content_type ? q->answer.content_type : "text/plain",
                             q->answer.body);
    return MHD_YES;
}

static enum MHD_Result begin(struct ta_http_req *q, const char *method)
{
    struct ta_err err = {0};

    q->conn->phase = CONN_REQUEST;
    int r = http_admit(q, method);
    if (r == 0 && q->route->handler->begin) {
        q->has_begun = true;
        r = q->route->handler->begin(q, &err);
        if (r < 0 && !q->answer.status)
            http_reply_failure(q, r, &err);
    }
    q->has_begun = q->has_begun || r == 0;
    enum MHD_Result result = q->answer.status ? refuse(q) : MHD_YES;
    if (q->phase == REQ_HEAD)
        q->phase = REQ_BODY;
    q->body_ns = q->progress_ns = q->worker->now_ns;
    return result;
}

/* ---- The body ---- */

enum { BODY_ALL = 0, BODY_WAITS = 1, BODY_REFUSED = 2 };

static int hand_over(struct ta_http_req *q, struct ta_str *data)
{
    const struct ta_http_handler *h = q->route->handler;

    while (data->len && h->body) {
        struct ta_err err = {0};
        size_t n = data->len < TA_HTTP_PIECE ? data->len : TA_HTTP_PIECE;
        size_t taken = n;
        int r = h->body(q, data->at, n, &taken, &err);
        if (taken > n || (r >= 0 && taken < n))
            r = ta_fail(&err, TA_ESTATE, "a handler took a wrong number of bytes");
        if (q->answer.status)
            return BODY_REFUSED;
        if (r < 0 && r != TA_EAGAIN) {
            http_reply_failure(q, r, &err);
            return BODY_REFUSED;
        }
        *data = (struct ta_str){data->at + taken, data->len - taken};
        if (r == TA_EAGAIN && http_req_suspend(q))
            return BODY_WAITS;
    }
    data->len = 0;
    return BODY_ALL;
}

/* Moves *data over what was used. With in.len 0 only what the decoder still holds is handed on. */
static int decode_over(struct ta_http_req *q, struct ta_str *data)
{
    for (;;) {
        struct ta_err err = {0};
        struct ta_str piece;
        int r = http_decode_next(q->decode, data, &piece, &err);
        if (r == 0)
            return BODY_ALL;
        if (r < 0) {
            http_reply_failure(q, r, &err);
            return BODY_REFUSED;
        }
        struct ta_str rest = piece;
        r = hand_over(q, &rest);
        http_decode_taken(q->decode, piece.len - rest.len);
        if (r != BODY_ALL)
            return r;
    }
}

static enum MHD_Result body(struct ta_http_req *q, const char *at, size_t *size)
{
    struct ta_str data = {at, *size};
    uint64_t before = q->body_wire;

    if (!q->answer.status && before + data.len > q->body_max) {
        char words[80];
        snprintf(words, sizeof(words), "the body is larger than %llu bytes",
                 (unsigned long long)q->body_max);
        (void)ta_http_reply_error(q, 413, ta_str(words));
    }
    int r = BODY_REFUSED;
    if (!q->answer.status)
        r = q->decode ? decode_over(q, &data) : hand_over(q, &data);
    if (r == BODY_REFUSED) {
        q->drained += data.len;
        data.len = 0;
    }
    q->body_wire += *size - data.len;
    *size = data.len;
    if (r == BODY_REFUSED)
        return refuse(q);
    return MHD_YES;
}

/* ---- The end of the body ---- */

static void call_end(struct ta_http_req *q)
{
    struct ta_str none = {"", 0};
    struct ta_err err = {0};

    if (q->decode) {
        int r = decode_over(q, &none);
        if (r == BODY_WAITS || r == BODY_REFUSED)
            return;
        r = http_decode_end(q->decode, &err);
        if (r < 0) {
            http_reply_failure(q, r, &err);
            return;
        }
    }
    for (;;) {
        int r = q->route->handler->end(q, &err);
        if (q->answer.status)
            return;
        if (r == TA_EAGAIN) {
            if (http_req_suspend(q))
                return;
            continue;
        }
        if (r >= 0)
            r = ta_fail(&err, TA_ESTATE, "no answer was given");
        http_reply_failure(q, r, &err);
        return;
    }
}

static enum MHD_Result finish(struct ta_http_req *q)
{
    q->phase = REQ_ENDING;
    if (q->timed_out) {
        q->answer = (struct http_answer){0}; /* perhaps a stream that never began */
        (void)ta_http_reply_error(q, 503, TA_STR("the request took too long"));
    }
    if (!q->answer.status)
        call_end(q);
    if (q->is_suspended)
        return MHD_YES;
    return http_reply_queue(q) ? MHD_YES : MHD_NO;
}

enum MHD_Result http_req_call(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **context)
{
    struct ta_http_req *q = *context;
    struct http_conn *c = http_conn_of(mhd);

    (void)cls;
    (void)url;
    (void)version;
    if (!c || c->is_cut)
        return MHD_NO;
    /* answered already: read on so that the client is not reset while it reads */
    if (c->linger_ns) {
        if (!data)
            return MHD_NO;
        *size = 0;
        return MHD_YES;
    }
    if (!q) {
        http_conn_tell(c, 503, "no memory for the request");
        return MHD_YES;
    }
    if (q->phase == REQ_HEAD)
        return begin(q, method);
    /* a wake is on its way; the library may call early after a failed suspend */
    if (q->is_suspended)
        return MHD_YES;
    if (*size)
        return body(q, data, size);
    return finish(q);
}

/* ---- The end ---- */

static enum ta_http_outcome outcome_of(const struct ta_http_req *q,
                                       enum MHD_RequestTerminationCode why)
{
    if (q->stopped || why == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
        return TA_HTTP_STOPPED;
    if (q->timed_out)
        return TA_HTTP_TIMED_OUT;
    if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK || q->conn->linger_ns)
        return TA_HTTP_ANSWERED;
    return q->cut_short ? TA_HTTP_FAILED : TA_HTTP_GONE;
}

/* Of the answer the library has, perhaps one of its own (a malformed chunk, a header too many). */
static int library_status(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

    return info ? (int)info->http_status : 0;
}

void http_req_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode why)
{
    struct ta_http_req *q = *context;
    struct ta_http_worker *w = cls;

    *context = NULL;
    if (!q)
        return;
    struct http_conn *c = q->conn;
    int answered = library_status(mhd);
    if (!q->answer.status)
        q->answer.status = answered;
    /* The body ended early. A client that only closed its sending side can still be told. */
    if (q->phase == REQ_BODY && !answered && !c->linger_ns && !c->is_cut) {
        http_count(&w->counters.truncated, 1);
        if (!q->answer.status)
            q->answer.status = 400;
        http_conn_tell(c, 400, "the body ended early");
        c->linger_ns = 0;
        why = MHD_REQUEST_TERMINATED_CLIENT_ABORT;
    }
    enum ta_http_outcome outcome = outcome_of(q, why);
    http_stats_request(q, http_now(w->server));
    if (outcome == TA_HTTP_STOPPED)
        w->n_cut++;
    if (q->has_begun && q->route->handler->done)
        q->route->handler->done(q, outcome);
    http_decode_free(q->decode);
    http_encode_free(q->encode);
    http_count(&w->counters.requests_running, (uint64_t)-1);
    c->req = NULL;
    c->phase = CONN_WAITING;
    c->phase_ns = w->now_ns;
    c->heard = UINT64_MAX;
    q->conn = NULL;
    http_req_drop(q, 1);
}
