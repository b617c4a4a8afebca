#include "app/pump.h"

#include "app/http_answer.h"
#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    READ_BYTES = 64 * 1024,
    HEAD_MAX = 12 * 1024, /* of a request: a token may have 8 KiB */
    CONNECTIONS_MAX = 65536,
    SILENCE_MS = 60000,
    RETRY_MS = 50
};

struct connection {
    int fd;
    bool is_busy;
    struct ta_buf request; /* head and body */
    struct ta_buf body;
    size_t sent;
    int64_t begun_ns;
    struct ta_http_answer answer;
};

struct pump {
    const struct ta_pump_conf *conf;
    struct ta_pump_source *source;
    struct ta_pump_result *out;
    struct addrinfo *where;
    char host[256], port[8];
    int loop;
    struct connection *at;
    unsigned n, n_busy;
    bool is_dry;    /* the source has no more */
    int64_t due_ns; /* paced: when the next request is to begin */
    char block[READ_BYTES];
};

static int parse_url(struct pump *p, struct ta_err *err)
{
    static const char scheme[] = "http://";
    const char *at = p->conf->url;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

    if (strncmp(at, scheme, sizeof(scheme) - 1) != 0)
        return ta_fail(err, TA_EINVAL, "--url must begin with http://");
    at += sizeof(scheme) - 1;
    size_t len = strcspn(at, "/");
    const char *colon = memchr(at, ':', len);
    size_t host = colon ? (size_t)(colon - at) : len;
    if (host == 0 || host >= sizeof(p->host) || (colon && len - host > sizeof(p->port)))
        return ta_fail(err, TA_EINVAL, "--url must be http://host:port");
    snprintf(p->host, sizeof(p->host), "%.*s", (int)host, at);
    snprintf(p->port, sizeof(p->port), "%.*s", colon ? (int)(len - host - 1) : 2,
             colon ? colon + 1 : "80");
    int r = getaddrinfo(p->host, p->port, &hints, &p->where);
    if (r != 0)
        return ta_fail(err, TA_EIO, "%s: %s", p->host, gai_strerror(r));
    return TA_OK;
}

static int try_connect(struct pump *p, struct connection *c)
{
    int one = 1;

    c->fd = socket(p->where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -1;
    if (connect(c->fd, p->where->ai_addr, p->where->ai_addrlen) < 0) {
        close(c->fd);
        c->fd = -1;
        return -1;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return 0;
}

static int open_connection(struct pump *p, struct connection *c, struct ta_err *err)
{
    struct epoll_event event = {.data.ptr = c};
    struct timespec pause = {0, RETRY_MS * 1000000L};
    int64_t until = ta_mono_ns(&ta_clock_system) + p->conf->patience_ms * 1000000;

    while (try_connect(p, c) < 0) {
        if (errno != ECONNREFUSED || ta_mono_ns(&ta_clock_system) > until)
            return ta_fail_sys(err, "connecting to %s port %s", p->host, p->port);
        nanosleep(&pause, NULL);
    }
    if (epoll_ctl(p->loop, EPOLL_CTL_ADD, c->fd, &event) < 0)
        return ta_fail_sys(err, "watching a connection");
    return TA_OK;
}

static void watch(struct pump *p, struct connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    (void)epoll_ctl(p->loop, EPOLL_CTL_MOD, c->fd, &event); /* it was added: can not fail */
}

static int write_some(struct pump *p, struct connection *c, struct ta_err *err)
{
    while (c->sent < c->request.len) {
        ssize_t n = send(c->fd, c->request.at + c->sent, c->request.len - c->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            watch(p, c, EPOLLOUT | EPOLLIN);
            return TA_OK;
        }
        if (n < 0 && errno != EINTR)
            return ta_fail_sys(err, "sending to %s port %s", p->host, p->port);
        c->sent += n > 0 ? (size_t)n : 0;
    }
    watch(p, c, EPOLLIN);
    return TA_OK;
}

/* Begins the next request on a free connection. */
static int begin(struct pump *p, struct connection *c, struct ta_err *err)
{
    const struct ta_pump_conf *conf = p->conf;

    if (p->is_dry)
        return TA_OK;
    ta_buf_reset(&c->body);
    int r = p->source->next(p->source, &c->body, err);
    if (r <= 0) {
        p->is_dry = true;
        return r;
    }
    ta_buf_reset(&c->request);
    r = ta_buf_printf(
        &c->request, "%s %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Length: %zu\r\n%s%s%s\r\n",
        conf->method, conf->path, p->host, p->port, c->body.len,
        conf->authorization ? "Authorization: " : "",
        conf->authorization ? conf->authorization : "", conf->authorization ? "\r\n" : "");
    if (r == TA_OK)
        r = ta_buf_str(&c->request, ta_buf_view(&c->body));
    if (r < 0)
        return ta_fail(err, r, "a request is larger than %zu bytes", conf->body_max + HEAD_MAX);
    c->sent = 0;
    c->is_busy = true;
    /* A request that had to wait for a free connection is late by that too. */
    c->begun_ns = conf->pace_ns > 0 ? p->due_ns : ta_mono_ns(&ta_clock_system);
    p->due_ns += conf->pace_ns;
    ta_http_answer_init(&c->answer);
    p->n_busy++;
    p->out->bytes_sent += c->body.len;
    return write_some(p, c, err);
}

static void note_bad(struct pump *p, const struct connection *c)
{
    if (p->out->bad++ > 0)
        return;
    snprintf(p->out->first_bad, sizeof(p->out->first_bad), "%d %.*s", c->answer.status,
             (int)c->answer.n_kept, c->answer.kept);
}

static void end(struct pump *p, struct connection *c)
{
    int64_t took = ta_mono_ns(&ta_clock_system) - c->begun_ns;

    p->out->requests++;
    p->out->bytes_got += c->answer.body_bytes;
    ta_histogram_add(&p->out->latency_us, (uint64_t)(took > 0 ? took : 0) / 1000);
    if (c->answer.status != 200)
        note_bad(p, c);
    c->is_busy = false;
    p->n_busy--;
}

static int read_some(struct pump *p, struct connection *c, struct ta_err *err)
{
    ssize_t n = recv(c->fd, p->block, sizeof(p->block), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TA_OK;
    if (n < 0)
        return ta_fail_sys(err, "reading from %s port %s", p->host, p->port);
    if (n == 0)
        return ta_fail(err, TA_EIO, "%s port %s closed a connection in the middle", p->host,
                       p->port);
    int r = ta_http_answer_feed(&c->answer, p->block, (size_t)n);
    if (r < 0)
        return ta_fail(err, TA_EFORMAT, "%s port %s: not an HTTP answer", p->host, p->port);
    if (r == 0)
        return TA_OK;
    bool closes = c->answer.closes;
    end(p, c);
    if (closes) {
        close(c->fd);
        c->fd = -1;
        r = open_connection(p, c, err);
        if (r < 0)
            return r;
    }
    return p->conf->pace_ns > 0 ? TA_OK : begin(p, c, err);
}

static bool waits_for_due(const struct pump *p)
{
    return p->conf->pace_ns > 0 && !p->is_dry && p->n_busy < p->n;
}

static int begin_due(struct pump *p, struct ta_err *err)
{
    int r = TA_OK;

    for (unsigned i = 0; r == TA_OK && i < p->n; i++) {
        if (!waits_for_due(p) || ta_mono_ns(&ta_clock_system) < p->due_ns)
            break;
        if (!p->at[i].is_busy)
            r = begin(p, &p->at[i], err);
    }
    return r;
}

/* Events as of epoll_wait; 0 also when a request is due. */
static int wait_for_events(struct pump *p, struct epoll_event events[static EVENTS])
{
    if (!waits_for_due(p))
        return epoll_wait(p->loop, events, EVENTS, SILENCE_MS);
    struct pollfd any = {.fd = p->loop, .events = POLLIN};
    int64_t left = p->due_ns - ta_mono_ns(&ta_clock_system);
    struct timespec ts = {0};
    if (left > 0)
        ts = (struct timespec){left / 1000000000, left % 1000000000};
    (void)ppoll(&any, 1, &ts, NULL); /* milliseconds would be too coarse */
    return epoll_wait(p->loop, events, EVENTS, 0);
}

/* The server closed a connection that waited for its next request. */
static int reopen(struct pump *p, struct connection *c, struct ta_err *err)
{
    close(c->fd);
    c->fd = -1;
    int r = open_connection(p, c, err);
    if (r == TA_OK)
        watch(p, c, EPOLLIN);
    return r;
}

static int loop(struct pump *p, struct ta_err *err)
{
    struct epoll_event events[EVENTS];
    int r = TA_OK;

    while (r == TA_OK && (p->n_busy > 0 || waits_for_due(p))) {
        bool is_paced = waits_for_due(p);
        int n = wait_for_events(p, events);

        if (n == 0 && !is_paced)
            return ta_fail(err, TA_EIO, "%s port %s is silent for %d s", p->host, p->port,
                           SILENCE_MS / 1000);
        for (int i = 0; r == TA_OK && i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                r = write_some(p, c, err);
            if (r == TA_OK && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && c->is_busy)
                r = read_some(p, c, err);
            else if (r == TA_OK && !c->is_busy && waits_for_due(p))
                r = reopen(p, c, err);
        }
        if (r == TA_OK)
            r = begin_due(p, err);
    }
    return r;
}

static int start(struct pump *p, struct ta_err *err)
{
    const struct ta_pump_conf *conf = p->conf;
    int r = parse_url(p, err);

    if (r < 0)
        return r;
    p->loop = epoll_create1(EPOLL_CLOEXEC);
    if (p->loop < 0)
        return ta_fail_sys(err, "epoll");
    p->at = ta_alloc_zero(conf->alloc, conf->connections, sizeof(*p->at));
    if (!p->at)
        return ta_fail(err, TA_ENOMEM, "no memory for %u connections", conf->connections);
    for (; r == TA_OK && p->n < conf->connections; p->n++) {
        struct connection *c = &p->at[p->n];

        c->fd = -1;
        ta_buf_init(&c->body, conf->alloc, conf->body_max);
        ta_buf_init(&c->request, conf->alloc, conf->body_max + HEAD_MAX);
        r = open_connection(p, c, err);
    }
    return r;
}

static void stop(struct pump *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->at[i].fd >= 0)
            close(p->at[i].fd);
        ta_buf_done(&p->at[i].request);
        ta_buf_done(&p->at[i].body);
    }
    ta_release(p->conf->alloc, p->at, p->conf->connections * sizeof(*p->at));
    if (p->loop >= 0)
        close(p->loop);
    if (p->where)
        freeaddrinfo(p->where);
}

int ta_pump_run(const struct ta_pump_conf *conf, struct ta_pump_source *source,
                struct ta_pump_result *out, struct ta_err *err)
{
    if (conf->connections < 1 || conf->connections > CONNECTIONS_MAX)
        return ta_fail(err, TA_EINVAL, "1 to %d connections", CONNECTIONS_MAX);
    struct pump *p = ta_alloc_zero(conf->alloc, 1, sizeof(*p));
    if (!p)
        return ta_fail(err, TA_ENOMEM, "no memory for the client");
    *out = (struct ta_pump_result){0};
    p->conf = conf;
    p->source = source;
    p->out = out;
    p->loop = -1;
    int r = start(p, err);
    int64_t begun = ta_mono_ns(&ta_clock_system);
    p->due_ns = begun;
    for (unsigned i = 0; r == TA_OK && conf->pace_ns == 0 && i < p->n; i++)
        r = begin(p, &p->at[i], err);
    if (r == TA_OK)
        r = loop(p, err);
    out->wall_ns = ta_mono_ns(&ta_clock_system) - begun;
    stop(p);
    ta_release(conf->alloc, p, sizeof(*p));
    return r;
}
