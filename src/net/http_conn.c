/* http_conn.c - connections: who gets one, how long it may take, how it is cut.
 *
 * Deadlines are looked at every HTTP_TICK_MS for all connections of a worker: a walk over 4,096 of
 * them costs some 20 us, and no timer has to be moved on every byte.
 *
 * Answers that the library can not give (in the middle of a head or a body) are written to the
 * socket here. That is safe where it is done: nothing is in flight to that client then.
 */
#include "net/http_int.h"
#include "net/http_tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

enum { RAW_HEAD_MAX = 512, RAW_BODY_MAX = 1024 };

static int64_t ms(uint64_t n)
{
    return (int64_t)(n * 1000000);
}

struct http_conn *http_conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* ---- Opening and closing ---- */

static int fd_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

/* Counts the connection in both limits, or says why not. */
static const char *admit(struct http_conn *c)
{
    struct ta_http_server *s = c->worker->server;
    uint32_t n = atomic_fetch_add(&s->n_connections, 1);

    if (n >= s->config.limits.connections) {
        atomic_fetch_sub(&s->n_connections, 1);
        return "too many connections";
    }
    if (!http_peers_add(&s->peers, c->peer_key)) {
        atomic_fetch_sub(&s->n_connections, 1);
        return "too many connections from this address";
    }
    c->is_counted = true;
    return NULL;
}

/* Once a minute and worker: who is refused comes again at once. */
static void tell_operator(struct ta_http_worker *w, const char *refusal)
{
    if (w->told_ns && w->now_ns - w->told_ns < ms(60000))
        return;
    w->told_ns = w->now_ns;
    ta_logf(w->server->config.log, TA_LOG_WARN, "HTTP: connections are refused: %s", refusal);
}

static void open_conn(struct ta_http_worker *w, struct MHD_Connection *mhd, void **context)
{
    struct http_conn *c = ta_alloc(&w->server->memory.alloc, sizeof(*c));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    http_count(&w->counters.accepted, 1);
    if (!c) {
        /* Without a struct there is nobody to count it: it must not live. */
        http_count(&w->counters.refused, 1);
        (void)shutdown(fd_of(mhd), SHUT_RDWR);
        return;
    }
    *c = (struct http_conn){.worker = w, .mhd = mhd, .fd = fd_of(mhd), .phase_ns = w->now_ns};
    c->heard = 0;
    c->peer_key = http_peer_key(info ? info->client_addr : NULL, c->peer);
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    w->n_conns++;
    http_count(&w->counters.connections, 1);
    *context = c;
    const char *refusal = admit(c);
    if (refusal) {
        http_count(&w->counters.refused, 1);
        http_conn_tell(c, 503, refusal);
        tell_operator(w, refusal);
    }
}

static void close_conn(struct http_conn *c)
{
    struct ta_http_worker *w = c->worker;
    struct ta_http_server *s = w->server;

    if (c->is_counted) {
        http_peers_remove(&s->peers, c->peer_key);
        atomic_fetch_sub(&s->n_connections, 1);
    }
    if (c->prev)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    w->n_conns--;
    http_count(&w->counters.connections, (uint64_t)-1);
    http_cert_drop(s->tls, c->cert);
    ta_release(&s->memory.alloc, c, sizeof(*c));
}

void http_conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_conn(cls, mhd, context);
    else if (*context)
        close_conn(*context);
}

/* ---- Answers past the library ---- */

static bool is_tls(const struct http_conn *c)
{
    return c->worker->server->tls != NULL;
}

static void send_raw(struct http_conn *c, const char *bytes, size_t n)
{
    /* What does not fit at once is lost: the buffers of a connection that has sent nothing yet
     * take far more, and there is no one to wait for. */
    if (!is_tls(c)) {
        (void)send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    if (session && c->req) /* a request means that the handshake is over */
        (void)gnutls_record_send(session, bytes, n);
}

void http_conn_answer_raw(struct http_conn *c, int status, const char *content_type,
                          struct ta_str body)
{
    char text[RAW_HEAD_MAX + RAW_BODY_MAX];

    if (c->linger_ns || c->is_cut)
        return;
    c->linger_ns = c->worker->now_ns + ms(HTTP_LINGER_MS);
    if (body.len > RAW_BODY_MAX)
        body = (struct ta_str){"", 0};
    int n = snprintf(text, RAW_HEAD_MAX,
                     "HTTP/1.1 %d %s\r\nContent-Type: %.100s\r\n"
                     "X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     status, ta_http_reason(status), content_type, body.len);
    if (n > 0 && n < RAW_HEAD_MAX) {
        if (body.len)
            memcpy(text + n, body.at, body.len);
        send_raw(c, text, (size_t)n + body.len);
    }
    if (!is_tls(c))
        (void)shutdown(c->fd, SHUT_WR);
}

void http_conn_tell(struct http_conn *c, int status, const char *message)
{
    char line[128];
    int n = snprintf(line, sizeof(line), "%.120s\n", message);

    http_conn_answer_raw(c, status, "text/plain; charset=utf-8",
                         (struct ta_str){line, n > 0 ? (size_t)n : 0});
}

void http_conn_cut(struct http_conn *c)
{
    if (c->is_cut)
        return;
    c->is_cut = true;
    if (c->req)
        http_req_resume(c->req); /* the library does not look at one that is suspended */
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* ---- Deadlines ---- */

/* When the end of the client's bytes comes together with the last of them, the library's
 * edge-triggered loop reads the bytes and never learns of the end. Closing our reading side makes
 * the socket report it again. */
static void look_for_end(struct http_conn *c)
{
    char byte;

    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        (void)shutdown(c->fd, SHUT_RD);
}

static void time_out(struct http_conn *c, const char *message)
{
    http_count(&c->worker->counters.timed_out, 1);
    if (c->req) {
        c->req->timed_out = true;
        if (!c->req->answer.status)
            c->req->answer.status = 408;
    }
    if (!message) {
        http_conn_cut(c);
        return;
    }
    http_conn_tell(c, 408, message);
}

/* Bytes of this connection that the kernel has received so far. */
static uint64_t bytes_heard(const struct http_conn *c)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info));
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return info.tcpi_bytes_received;
}

/* Nothing came, or a part of a request line. Only who began to say something is told. */
static void check_waiting(struct http_conn *c, int64_t now)
{
    const struct ta_http_limits *l = &c->worker->server->config.limits;

    if (now - c->phase_ns > ms(c->n_requests ? l->idle_ms : l->head_ms)) {
        bool begun = !is_tls(c) && c->heard != UINT64_MAX && bytes_heard(c) != c->heard;
        if (begun)
            time_out(c, "the request line did not come in time");
        else
            http_conn_cut(c);
        return;
    }
    if (c->heard == UINT64_MAX) {
        c->heard = bytes_heard(c);
        look_for_end(c);
    } else if (!c->n_requests) {
        look_for_end(c);
    }
}

static bool is_too_slow(uint64_t bytes, int64_t spent_ns, uint32_t rate, uint32_t grace_ms)
{
    if (spent_ns <= ms(grace_ms))
        return false;
    return (double)bytes * 1e9 < (double)rate * (double)spent_ns;
}

static void check_body(struct http_conn *c, int64_t now)
{
    const struct ta_http_limits *l = &c->worker->server->config.limits;
    struct ta_http_req *q = c->req;

    if (q->swept_wire == q->body_wire)
        look_for_end(c);
    q->swept_wire = q->body_wire;
    if (is_too_slow(q->body_wire, now - q->body_ns - q->waited_ns, l->body_rate, l->rate_grace_ms))
        time_out(c, "the body came too slowly");
}

static void check_answer(struct http_conn *c, int64_t now)
{
    const struct ta_http_limits *l = &c->worker->server->config.limits;
    const struct ta_http_req *q = c->req;

    if (now - q->progress_ns > ms(l->idle_ms) ||
        (q->encode && is_too_slow(q->answer_bytes, now - q->answer_ns - q->waited_ns,
                                  l->answer_rate, l->rate_grace_ms)))
        time_out(c, NULL);
}

/* A request that waits too long is woken; http_req_call() sees timed_out and gives the 503. */
static void check_total(struct http_conn *c)
{
    struct ta_http_req *q = c->req;

    http_count(&c->worker->counters.timed_out, 1);
    q->timed_out = true;
    if (q->phase == REQ_ENDING && q->is_suspended) {
        http_req_resume(q);
        return;
    }
    if (q->phase != REQ_ANSWER) {
        q->answer.status = 503;
        if (q->is_suspended)
            http_req_resume(q);
        http_conn_tell(c, 503, "the request took too long");
        return;
    }
    http_conn_cut(c);
}

static void check_request(struct http_conn *c, int64_t now)
{
    struct ta_http_req *q = c->req;
    const struct ta_http_limits *l = &c->worker->server->config.limits;

    if (q->timed_out)
        return;
    if (c->worker->turn_ns - q->start_ns > ms(l->total_ms))
        check_total(c);
    else if (q->is_suspended)
        return;
    else if (q->phase == REQ_BODY)
        check_body(c, now);
    else if (q->phase == REQ_ANSWER)
        check_answer(c, now);
}

static void check_conn(struct http_conn *c, int64_t now)
{
    const struct ta_http_server *s = c->worker->server;

    if (c->linger_ns) {
        if (now > c->linger_ns)
            http_conn_cut(c);
        return;
    }
    switch (c->phase) {
    case CONN_WAITING:
        if (atomic_load(&s->is_stopping))
            http_conn_cut(c);
        else
            check_waiting(c, now);
        break;
    case CONN_HEAD:
        if (now - c->phase_ns > ms(s->config.limits.head_ms))
            time_out(c, "the headers did not come in time");
        else
            look_for_end(c);
        break;
    case CONN_REQUEST:
        if (c->req)
            check_request(c, now);
        break;
    }
}

void http_conn_sweep(struct ta_http_worker *w)
{
    /* Nothing here frees a connection: that happens in MHD_run alone. */
    for (struct http_conn *c = w->conns; c; c = c->next)
        if (!c->is_cut)
            check_conn(c, w->now_ns);
}
