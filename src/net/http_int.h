/* http_int.h - what the files of the HTTP server share.
 *
 * The library underneath is libmicrohttpd 0.9.75, one daemon per worker, driven by our own loop
 * (http_worker.c). Its internal epoll thread stalls when exactly 128 * n connections are ready at
 * once, and a resume from another thread can get lost: therefore MHD_run and MHD_resume_connection
 * are called by the worker alone, and other threads reach it through a list and an eventfd.
 *
 * The library can answer only before or after a body, has no deadline but an idle timeout and
 * closes without a word. What it can not say, http_conn.c writes to the socket itself.
 */
#ifndef TARN_NET_HTTP_INT_H
#define TARN_NET_HTTP_INT_H

#include "net/http.h"
#include "net/http_decode.h"
#include "net/http_encode.h"
#include "net/http_peers.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    HTTP_WORKERS_MAX = 8,
    /* libmicrohttpd's memory per connection; it reads with half of it. 16 KiB cost 15 % more CPU a
     * POST of 52 KB, 64 KiB save nothing measurable. */
    HTTP_POOL_BYTES = 32 * 1024,
    HTTP_FIELDS_MAX = 100,        /* header fields */
    HTTP_DRAIN_MAX = 1024 * 1024, /* bytes of a refused body that are read before the answer */
    HTTP_LINGER_MS = 2000,        /* time a client has to take an answer that came mid-body */
    HTTP_TICK_MS = 100,           /* how often deadlines are looked at */
    HTTP_SPARE_REQS = 64,         /* requests a worker keeps for reuse */
    HTTP_SPARE_ARENA = 16 * 1024, /* of which each keeps at most so much arena */
    HTTP_ENCODE_MIN = 1024        /* smaller answers are not compressed */
};

struct ta_http_worker;

/* A set of counters; one writer (the worker), readers everywhere. */
struct http_route_counters {
    _Atomic uint64_t by_status[TA_HTTP_STATUSES];
    _Atomic uint64_t latency[TA_HTTP_BUCKETS];
    _Atomic uint64_t latency_sum_us, body_bytes, answer_bytes;
};

struct http_counters {
    _Atomic uint64_t accepted, refused, connections, requests_running;
    _Atomic uint64_t timed_out, truncated, auth_refused;
    struct http_route_counters *routes; /* n_routes + 1 */
};

static inline void http_count(_Atomic uint64_t *c, uint64_t n)
{
    /* One writer: a load and a store are enough and cheaper than a locked add. */
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

enum conn_phase {
    CONN_WAITING, /* for a request line */
    CONN_HEAD,    /* the line is there, the headers are not */
    CONN_REQUEST  /* a request runs */
};

/* One connection; worker's thread only. */
struct http_conn {
    struct ta_http_worker *worker;
    struct MHD_Connection *mhd;
    struct http_conn *prev, *next; /* worker->conns */
    struct ta_http_req *req;       /* while one runs */
    struct http_cert *cert;        /* reference held; NULL without TLS */
    int fd;
    enum conn_phase phase;
    int64_t phase_ns;  /* in the time of clients, when the phase began */
    int64_t linger_ns; /* 0, or: an answer was written past the library; cut then */
    uint64_t heard;    /* bytes the kernel had received when waiting began; UINT64_MAX: not known */
    uint32_t n_requests;
    bool is_counted; /* in the limits */
    bool is_cut;     /* shutdown(2) was called */
    struct ta_http_peer_key peer_key;
    char peer[INET6_ADDRSTRLEN];
};

enum req_phase {
    REQ_HEAD,   /* request line seen */
    REQ_BODY,   /* begun, body coming */
    REQ_ENDING, /* body complete, `end` not yet done */
    REQ_ANSWER  /* answer queued */
};

struct http_field {
    struct http_field *next;
    const char *name, *value;
};

/* The answer while it is not queued yet. */
struct http_answer {
    int status; /* 0: none */
    bool is_stream;
    const char *content_type;
    struct ta_str body;
    struct http_field *fields; /* newest first */
};

struct ta_http_req {
    struct ta_http_worker *worker;
    struct http_conn *conn; /* NULL once it is over */
    const struct ta_http_route *route;
    struct ta_arena arena;
    enum req_phase phase;
    enum ta_http_method method;
    struct ta_str uri, path, query;
    bool uri_too_long;
    bool no_memory; /* for the URI */
    bool has_begun; /* handler->begin was called, `done` is owed */
    bool expects_100;
    bool is_chunked;  /* request body */
    bool is_unframed; /* where the body ends is not to be trusted: answer at once and close */
    bool accepts_gzip;
    struct ta_token token;
    void *state;

    int64_t start_ns;                        /* monotonic */
    int64_t body_ns, answer_ns, progress_ns; /* in the time of clients: worker->now_ns */
    int64_t length;                          /* Content-Length, -1 */
    uint64_t body_max;
    uint64_t body_wire;         /* bytes of the body received */
    uint64_t swept_wire;        /* the same when deadlines were looked at last */
    uint64_t drained;           /* of them thrown away */
    uint64_t answer_bytes;      /* handed to the connection */
    struct http_decode *decode; /* NULL: body as it is */
    struct http_answer answer;
    struct http_encode *encode; /* the running streamed answer */
    bool cut_short;             /* `fill` failed, or the encoder */
    bool timed_out, stopped;

    /* Waiting. refs: the server's and one per hold. wakes: those the worker has not seen. */
    _Atomic uint32_t refs, wakes;
    struct ta_http_req *wake_next; /* guarded by worker->wake_lock */
    bool is_suspended, is_woken;   /* worker's thread */
    int64_t suspended_ns, waited_ns;
    struct ta_http_req *spare_next;
};

struct ta_http_worker {
    struct ta_http_server *server;
    struct MHD_Daemon *mhd;
    pthread_t thread;
    bool has_thread;
    int listen_fd; /* -1 once the library owns it */
    int loop_fd, event_fd;
    struct http_conn *conns;
    size_t n_conns;
    int64_t turn_ns;  /* monotonic, when this turn of the loop began */
    int64_t away_ns;  /* of the time so far, what long turns took */
    int64_t now_ns;   /* turn_ns - away_ns, the time of clients: whose bytes lie in the socket while
                       * the worker is at other work is not slow */
    int64_t sweep_ns; /* when deadlines are looked at next */
    struct ta_http_req *spare;
    size_t n_spare;
    struct http_counters counters;
    size_t n_cut;    /* requests cut by stop */
    int64_t told_ns; /* when the operator was last told of refused connections */

    pthread_mutex_t wake_lock;
    struct ta_http_req *wake_first, *wake_last; /* guarded by wake_lock */
};

struct ta_http_server {
    struct ta_http_config config; /* limits filled in */
    struct ta_alloc *alloc;       /* the parent of memory; for the server itself */
    struct ta_budget memory;      /* all requests and connections */
    struct ta_clock *clock;
    struct http_tls *tls; /* NULL: plain */
    struct http_peers peers;
    unsigned n_workers;
    struct ta_http_worker *workers;
    uint16_t port;
    bool is_started;
    _Atomic uint32_t n_connections;
    _Atomic bool is_stopping;
    _Atomic int64_t stop_ns; /* monotonic deadline of stop */
};

/* ---- http_listen.c ---- */
/* A bound socket; *port is taken and, when 0, set. */
int http_listen_bind(const char *addr, uint16_t *port, int *out_fd, struct ta_err *err);

/* ---- http_worker.c ---- */
int http_worker_start(struct ta_http_worker *w, struct ta_err *err);
void http_worker_poke(struct ta_http_worker *w);
/* After the thread is gone: takes wakes that came late. */
void http_worker_drain(struct ta_http_worker *w);

/* ---- http_conn.c: connections, admission, deadlines, answers past the library ---- */
void http_conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode what);
struct http_conn *http_conn_of(struct MHD_Connection *mhd);
/* Writes a short answer to the socket, then lets the client read it for HTTP_LINGER_MS. A body of
 * more than a KiB is left out. */
void http_conn_answer_raw(struct http_conn *c, int status, const char *content_type,
                          struct ta_str body);
/* The same as plain text, with a line end. */
void http_conn_tell(struct http_conn *c, int status, const char *message);
void http_conn_cut(struct http_conn *c);
void http_conn_sweep(struct ta_http_worker *w);

/* ---- http_request.c: the library's callbacks, the life of a request ---- */
void *http_req_line(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_req_call(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **context);
void http_req_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode why);
/* The request waits, unless a wake has come already: then false, and the call is to be repeated. */
bool http_req_suspend(struct ta_http_req *req);
void http_req_resume(struct ta_http_req *req);
/* Gives back n references. */
void http_req_drop(struct ta_http_req *req, uint32_t n);
void http_worker_free_spare(struct ta_http_worker *w);

/* ---- http_admit.c: what is decided from the headers alone ---- */
/* Fills the request from the headers and finds its route. 0: go on; 1: refused, the answer is set.
 * */
int http_admit(struct ta_http_req *req, const char *method);

/* ---- http_reply.c ---- */
/* The answer for an error of a handler. */
void http_reply_failure(struct ta_http_req *req, int code, const struct ta_err *err);
/* Hands the set answer to the library; false: the connection is to be closed. */
bool http_reply_queue(struct ta_http_req *req);

/* ---- http_stats.c ---- */
size_t http_status_index(int status);
void http_stats_request(struct ta_http_req *req, int64_t now_ns);

static inline int64_t http_now(const struct ta_http_server *s)
{
    return ta_mono_ns(s->clock);
}

#endif
