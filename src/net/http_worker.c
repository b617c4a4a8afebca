/* http_worker.c - one thread: wait, take wakes, look at deadlines, let the library work.
 *
 * Everything that touches a connection happens here. Two things wake the loop besides its sockets:
 * the eventfd of the wake list and the tick of the deadlines.
 */
#include "net/http_int.h"
#include "net/http_tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void http_worker_poke(struct ta_http_worker *w)
{
    uint64_t one = 1;

    /* Fails only when the counter is full, and then the loop is awake anyway. */
    (void)!write(w->event_fd, &one, sizeof(one));
}

static struct ta_http_req *take_wakes(struct ta_http_worker *w)
{
    pthread_mutex_lock(&w->wake_lock);
    struct ta_http_req *first = w->wake_first;
    w->wake_first = w->wake_last = NULL;
    pthread_mutex_unlock(&w->wake_lock);
    return first;
}

void http_worker_drain(struct ta_http_worker *w)
{
    struct ta_http_req *q = take_wakes(w);

    while (q) {
        struct ta_http_req *next = q->wake_next;
        /* From here on a new wake puts it on the list again: wake_next was read before. */
        uint32_t n = atomic_exchange(&q->wakes, 0);
        http_req_resume(q);
        http_req_drop(q, n);
        q = next;
    }
}

/* Sleeps until a socket, a wake or a deadline asks for a turn. While the library has data that it
 * did not come to, there is nothing to wait for: wakes are looked at in each turn anyway, and the
 * system calls saved are as dear as the reading of a kilobyte. */
static void wait_for_work(struct ta_http_worker *w)
{
    bool is_busy = w->n_conns || atomic_load(&w->server->is_stopping);
    MHD_UNSIGNED_LONG_LONG ms;
    struct epoll_event events[2];
    uint64_t count;

    if (MHD_get_timeout(w->mhd, &ms) == MHD_YES && ms == 0)
        return;
    /* EINTR: one empty turn */
    int n = epoll_wait(w->loop_fd, events, 2, is_busy ? HTTP_TICK_MS : -1);
    for (int i = 0; i < n; i++)
        if (events[i].data.fd == w->event_fd)
            (void)!read(w->event_fd, &count, sizeof(count));
}

static void turn(struct ta_http_worker *w)
{
    const int64_t tick_ns = HTTP_TICK_MS * 1000000LL;

    w->turn_ns = http_now(w->server);
    w->now_ns = w->turn_ns - w->away_ns;
    http_worker_drain(w);
    if (w->now_ns >= w->sweep_ns) {
        http_conn_sweep(w);
        w->sweep_ns = w->now_ns + tick_ns;
    }
    (void)MHD_run(w->mhd);
    int64_t took_ns = http_now(w->server) - w->turn_ns;
    if (took_ns > tick_ns)
        w->away_ns += took_ns - tick_ns;
}

static void stop_listening(struct ta_http_worker *w)
{
    int fd = MHD_quiesce_daemon(w->mhd);

    if (fd >= 0)
        close(fd);
}

static void cut_all(struct ta_http_worker *w)
{
    for (struct http_conn *c = w->conns; c; c = c->next) {
        if (c->req)
            c->req->stopped = true;
        http_conn_cut(c);
    }
}

static void stop(struct ta_http_worker *w)
{
    stop_listening(w);
    while (w->n_conns && http_now(w->server) < atomic_load(&w->server->stop_ns)) {
        wait_for_work(w);
        turn(w);
    }
    cut_all(w);
    /* Suspended connections may not be stopped: they were resumed, and the library has to see it.
     * */
    (void)MHD_run(w->mhd);
    MHD_stop_daemon(w->mhd);
    w->mhd = NULL;
}

static void *worker_main(void *arg)
{
    struct ta_http_worker *w = arg;

    while (!atomic_load(&w->server->is_stopping)) {
        wait_for_work(w);
        turn(w);
    }
    stop(w);
    return NULL;
}

/* GnuTLS asks for the certificate of a handshake; only the session leads back to us. */
static int give_cert(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                     gnutls_pcert_st **certs, unsigned *n_certs, gnutls_ocsp_data_st **ocsp,
                     unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
    struct http_conn *c = mhd ? http_conn_of(mhd) : NULL;

    (void)info;
    if (!c)
        return -1;
    if (!c->cert)
        c->cert = http_tls_get(c->worker->server->tls);
    http_cert_give(c->cert, certs, n_certs, key);
    *ocsp = NULL;
    *n_ocsp = 0;
    *flags = 0; /* ours, not to be freed */
    return 0;
}

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s); /* http_admit.c decodes, where it can refuse */
}

static struct MHD_Daemon *start_daemon(struct ta_http_worker *w)
{
    bool tls = w->server->tls != NULL;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    struct MHD_OptionItem with_tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(uintptr_t)HTTP_TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)give_cert},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, http_req_call, w, /* */
        MHD_OPTION_LISTEN_SOCKET, w->listen_fd,                           /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_BYTES,      /* */
        /* Over ours an answer is given; the library's own limit lets them wait unaccepted. */
        MHD_OPTION_CONNECTION_LIMIT, w->server->config.limits.connections + 64, /* */
        MHD_OPTION_STRICT_FOR_CLIENT, 1,                                        /* */
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,                                   /* */
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,                       /* */
        MHD_OPTION_URI_LOG_CALLBACK, http_req_line, w,                          /* */
        MHD_OPTION_NOTIFY_COMPLETED, http_req_completed, w,                     /* */
        MHD_OPTION_NOTIFY_CONNECTION, http_conn_notify, w,                      /* */
        MHD_OPTION_ARRAY, tls ? with_tls : none, MHD_OPTION_END);
}

static int watch(int loop, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &ev);
}

static int make_loop(struct ta_http_worker *w, struct ta_err *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);

    w->loop_fd = epoll_create1(EPOLL_CLOEXEC);
    w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->loop_fd < 0 || w->event_fd < 0 || !info || watch(w->loop_fd, info->epoll_fd) < 0 ||
        watch(w->loop_fd, w->event_fd) < 0)
        return ta_fail_sys(err, "HTTP worker: event loop");
    return TA_OK;
}

int http_worker_start(struct ta_http_worker *w, struct ta_err *err)
{
    sigset_t all, before;

    w->mhd = start_daemon(w);
    if (!w->mhd)
        return ta_fail(err, TA_EIO, "HTTP worker: the server library did not start");
    w->listen_fd = -1;
    int r = make_loop(w, err);
    if (r < 0)
        return r;
    /* Signals are the main thread's business; SIGPIPE from a TLS write nobody's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int sys = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (sys) {
        errno = sys;
        return ta_fail_sys(err, "HTTP worker: thread");
    }
    w->has_thread = true;
    return TA_OK;
}
