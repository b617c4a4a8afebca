#include "net/http_int.h"
#include "net/http_tls.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

#define OR(value, fallback) ((value) ? (value) : (fallback))

static void fill_defaults(struct ta_http_config *c)
{
    struct ta_http_limits *l = &c->limits;

    l->connections = OR(l->connections, 4096);
    l->connections_per_peer = OR(l->connections_per_peer, l->connections);
    l->uri_bytes = OR(l->uri_bytes, 4096);
    l->header_bytes = OR(l->header_bytes, 8192);
    l->body_bytes_max = OR(l->body_bytes_max, 64 * MiB);
    l->expand_ratio_max = OR(l->expand_ratio_max, 100);
    l->request_bytes_max = OR(l->request_bytes_max, 16 * MiB);
    l->head_ms = OR(l->head_ms, 10000);
    l->idle_ms = OR(l->idle_ms, 60000);
    l->body_rate = OR(l->body_rate, 1024);
    l->answer_rate = OR(l->answer_rate, 1024);
    l->rate_grace_ms = OR(l->rate_grace_ms, 10000);
    l->total_ms = OR(l->total_ms, 300000);
    c->memory_cap = OR(c->memory_cap, 256 * MiB);
    c->backlog = OR(c->backlog, BACKLOG);
    c->alloc = OR(c->alloc, &ta_heap);
    c->clock = OR(c->clock, &ta_clock_system);
}

/* Connections may take half of the descriptors: the files of the store need the rest, and a server
 * that can not accept is better than one that can not write. */
static void cap_connections(struct ta_http_limits *l)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 2 >= l->connections)
        return;
    l->connections = files.rlim_cur >= 32 ? (uint32_t)(files.rlim_cur / 2) : 16;
    if (l->connections_per_peer > l->connections)
        l->connections_per_peer = l->connections;
}

static unsigned count_workers(unsigned wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = wanted ? wanted : cores > 0 ? (unsigned)cores : 1;

    return n < HTTP_WORKERS_MAX ? n : HTTP_WORKERS_MAX;
}

static int worker_init(struct ta_http_worker *w, struct ta_http_server *s, struct ta_err *err)
{
    w->server = s;
    pthread_mutex_init(&w->wake_lock, NULL);
    w->counters.routes =
        ta_alloc_zero(s->alloc, s->config.n_routes + 1, sizeof(w->counters.routes[0]));
    if (!w->counters.routes)
        return ta_fail(err, TA_ENOMEM, "HTTP server: no memory");
    return http_listen_bind(s->config.addr, &s->port, &w->listen_fd, err);
}

static int open_parts(struct ta_http_server *s, struct ta_err *err)
{
    const struct ta_http_config *c = &s->config;
    uint64_t seed = 0;

    (void)!getrandom(&seed, sizeof(seed), 0);
    if (http_peers_init(&s->peers, c->limits.connections, c->limits.connections_per_peer, seed,
                        s->alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "HTTP server: no memory");
    if (c->cert_pem.len && c->key_pem.len) {
        int r = http_tls_new(&s->tls, c->cert_pem, c->key_pem, s->alloc, err);
        if (r < 0)
            return r;
    }
    unsigned n = count_workers(c->n_workers);
    s->workers = ta_alloc_zero(s->alloc, n, sizeof(s->workers[0]));
    if (!s->workers)
        return ta_fail(err, TA_ENOMEM, "HTTP server: no memory");
    s->n_workers = n;
    for (unsigned i = 0; i < n; i++)
        s->workers[i].listen_fd = s->workers[i].loop_fd = s->workers[i].event_fd = -1;
    for (unsigned i = 0; i < n; i++) {
        int r = worker_init(&s->workers[i], s, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

int ta_http_server_open(struct ta_http_server **out, const struct ta_http_config *config,
                        struct ta_err *err)
{
    struct ta_http_config c = *config;

    fill_defaults(&c);
    cap_connections(&c.limits);
    struct ta_http_server *s = ta_alloc_zero(c.alloc, 1, sizeof(*s));
    if (!s)
        return ta_fail(err, TA_ENOMEM, "HTTP server: no memory");
    s->config = c;
    s->alloc = c.alloc;
    s->clock = c.clock;
    ta_budget_init(&s->memory, "http", c.memory_cap, c.alloc);
    int r = open_parts(s, err);
    s->config.cert_pem = s->config.key_pem = (struct ta_str){0}; /* were borrowed for the call */
    if (r < 0) {
        ta_http_server_free(s);
        return r;
    }
    *out = s;
    return TA_OK;
}

uint16_t ta_http_server_port(const struct ta_http_server *s)
{
    return s->port;
}

struct ta_alloc *ta_http_server_memory(struct ta_http_server *s)
{
    return &s->memory.alloc;
}

int ta_http_server_start(struct ta_http_server *s, struct ta_err *err)
{
    if (s->is_started)
        return ta_fail(err, TA_ESTATE, "HTTP server: started already");
    s->is_started = true;
    for (unsigned i = 0; i < s->n_workers; i++)
        if (listen(s->workers[i].listen_fd, s->config.backlog) < 0)
            return ta_fail_sys(err, "listen on %.100s", s->config.addr);
    for (unsigned i = 0; i < s->n_workers; i++) {
        int r = http_worker_start(&s->workers[i], err);
        if (r < 0) {
            (void)ta_http_server_stop(s, 0);
            return r;
        }
    }
    return TA_OK;
}

int ta_http_server_reload_tls(struct ta_http_server *s, struct ta_str cert_pem,
                              struct ta_str key_pem, struct ta_err *err)
{
    if (!s->tls)
        return ta_fail(err, TA_ESTATE, "the server runs without TLS");
    return http_tls_reload(s->tls, cert_pem, key_pem, err);
}

int ta_http_server_stop(struct ta_http_server *s, uint32_t deadline_ms)
{
    size_t n_cut = 0;

    atomic_store(&s->stop_ns, http_now(s) + (int64_t)deadline_ms * 1000000);
    atomic_store(&s->is_stopping, true);
    for (unsigned i = 0; i < s->n_workers; i++)
        if (s->workers[i].has_thread)
            http_worker_poke(&s->workers[i]);
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct ta_http_worker *w = &s->workers[i];
        if (w->has_thread)
            pthread_join(w->thread, NULL);
        w->has_thread = false;
        n_cut += w->n_cut;
    }
    return (int)n_cut;
}

static void worker_done(struct ta_http_worker *w)
{
    if (!w->server)
        return;
    http_worker_drain(w);
    http_worker_free_spare(w);
    if (w->mhd)
        MHD_stop_daemon(w->mhd); /* its thread did not start */
    if (w->listen_fd >= 0)
        close(w->listen_fd);
    if (w->loop_fd >= 0)
        close(w->loop_fd);
    if (w->event_fd >= 0)
        close(w->event_fd);
    ta_release(w->server->alloc, w->counters.routes,
               (w->server->config.n_routes + 1) * sizeof(w->counters.routes[0]));
    pthread_mutex_destroy(&w->wake_lock);
}

void ta_http_server_free(struct ta_http_server *s)
{
    if (!s)
        return;
    (void)ta_http_server_stop(s, 0);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_done(&s->workers[i]);
    ta_release(s->alloc, s->workers, s->n_workers * sizeof(s->workers[0]));
    http_tls_free(s->tls);
    http_peers_done(&s->peers);
    ta_release(s->alloc, s, sizeof(*s));
}
