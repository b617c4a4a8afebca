/* http.h - an HTTP/1.1 server whose requests and answers are streams.
 *
 * N workers, each a thread with its own event loop on one shared port. Handlers run on the
 * worker that owns the connection, must not block, and see a request as a series of calls:
 *
 *     begin -> body* -> end -> fill* -> done
 *
 * A handler that has to wait (for the log's sync, for room in a queue) says TA_EAGAIN; whoever
 * it waits for calls ta_http_wake() from any thread, and the same call is made again on the
 * worker. Meanwhile nothing is read from that client: that is the back-pressure.
 *
 * What a server takes is bounded: connections, requests (one budget for all their memory), and
 * per request the limits below, each with its status. Slow clients cost a descriptor and about
 * 20 KiB until their deadline and hold up nobody.
 *
 * Done here for every route: TLS, 404/405/307, tokens, HEAD, chunked bodies, Expect, compressed
 * bodies and answers, limits, counters. (spec: http-api 1-3)
 *
 * Does not know what the routes are about.
 */
#ifndef TARN_NET_HTTP_H
#define TARN_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "net/jwt.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_http_req;    /* one request; belongs to the server */
struct ta_http_server; /* opaque */

enum ta_http_method { /* bits, so that a route can name several */
                      TA_HTTP_GET =
                          /* a route with GET serves HEAD too; the body of a HEAD answer is dropped
                           * */
                      1,
                      TA_HTTP_HEAD = 2,
                      TA_HTTP_POST = 4,
                      TA_HTTP_PUT = 8,
                      TA_HTTP_DELETE = 16,
                      TA_HTTP_PATCH = 32,
                      TA_HTTP_OPTIONS = 64
};

/* How a request ended; given to `done`. */
enum ta_http_outcome {
    TA_HTTP_ANSWERED,  /* the whole answer was handed to the connection */
    TA_HTTP_GONE,      /* the client closed or broke off, or its body ended early */
    TA_HTTP_TIMED_OUT, /* a deadline or a minimum rate was missed */
    TA_HTTP_FAILED,    /* our side: a limit, no memory, or `fill` failed; the answer was cut */
    TA_HTTP_STOPPED    /* the server stopped at its deadline */
};

/* ---- Handlers ---------------------------------------------------------------------------- */

/* All calls for one request come from one worker thread, one at a time. Everything but `end` may
 * be NULL. A negative return other than TA_EAGAIN, with no answer given yet, makes the server
 * answer by itself: TA_EINVAL, TA_EFORMAT 400; TA_EDENIED 403; TA_ENOTFOUND 404; TA_ERANGE 413;
 * TA_ENOMEM, TA_ECANCELED 503; others 500 - as a JSON error with the words of *err.
 *
 * A handler may answer in begin or body already: the rest of the body is then read and thrown
 * away (up to body_bytes_max) before the answer goes out, so that clients which send first and
 * read later do get it. */
struct ta_http_handler {
    /* The headers are here. Usual work: allocate state in the arena, ta_http_set_state(). May not
     * return TA_EAGAIN. */
    int (*begin)(struct ta_http_req *req, struct ta_err *err);

    /* The next piece of the body: decompressed and de-chunked, 1..TA_HTTP_PIECE bytes, borrowed
     * for the call. *taken says how much was used and is preset to len; less is allowed only
     * together with TA_EAGAIN: the rest comes again after the wake. A handler without `body`
     * ignores the body. */
    int (*body)(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                struct ta_err *err);

    /* The body is complete. Must have answered when it returns TA_OK. Not called when the client
     * broke off: then the client gets 400 if it still listens, and `done` says TA_HTTP_GONE. */
    int (*end)(struct ta_http_req *req, struct ta_err *err);

    /* More of a streamed answer: append 1..TA_HTTP_ROOM bytes to `room` (empty, TA_HTTP_ROOM bytes
     * of space, never grows). TA_HTTP_MORE: call again; TA_HTTP_END: that was all (room may hold
     * the last bytes); TA_EAGAIN: nothing now, a wake will come (room must be empty). An error
     * before the first byte has left becomes an error answer; later it cuts the connection, so
     * that the client can not take half an answer for a whole one. */
    int (*fill)(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err);

    /* Exactly once for each request whose begin was called, the last call. Must let go of
     * everything. Wakes that are still to come stay harmless. */
    void (*done)(struct ta_http_req *req, enum ta_http_outcome outcome);
};

enum { TA_HTTP_END = 0, TA_HTTP_MORE = 1 };
enum {
    TA_HTTP_ROOM = 32 * 1024, /* bytes offered to one `fill` */
    TA_HTTP_PIECE = 32 * 1024 /* most bytes of one `body` call */
};

enum ta_http_auth {
    TA_HTTP_OPEN,        /* anybody */
    TA_HTTP_BEARER,      /* "Authorization: Bearer <jwt>" when the server has a key */
    TA_HTTP_AUTH_TOKEN,  /* the same, or "X-Auth-Token: <jwt>" (clients of job routes) */
    TA_HTTP_BEARER_TOKEN /* as BEARER, or "Authorization: Token <jwt>" (InfluxDB clients) */
};

/* Routes are static const tables. The longest matching path wins; among rows of one path the
 * method decides. A path no row matches is 404, a method no row has is 405 with Allow. */
struct ta_http_route {
    const char *path; /* "/api/write", absolute, without trailing slash; "/" is the root alone */
    unsigned methods; /* TA_HTTP_* bits */
    bool subpaths;    /* also everything below: "/api/write/", "/api/write/x" */
    enum ta_http_auth auth;
    uint32_t roles; /* TA_ROLE_* bits of which the token must have one when the server checks
                        * roles; 0: any valid token */
    uint64_t body_bytes_max; /* 0: the server's limit. Counted before and after decompression */
    bool raw_body;           /* do not decompress: Content-Encoding is ignored */
    const struct ta_http_handler *handler;
    void *data; /* for the handler: ta_http_data() */
};

/* ---- A request, as a handler sees it. Strings are borrowed until `done` returns. ------------ */

enum ta_http_method ta_http_method(const struct ta_http_req *req);
/* Percent-decoded and clean: no empty, "." or ".." element (those were redirected). */
struct ta_str ta_http_path(const struct ta_http_req *req);
/* The path behind the route's own, without leading slash: "x/y" of "/api/write/x/y". */
struct ta_str ta_http_subpath(const struct ta_http_req *req);
/* The first pair of that name: as sent / percent- and plus-decoded (in the arena). at == NULL when
 * there is none, when an escape is malformed, or when memory is refused. */
struct ta_str ta_http_param_raw(const struct ta_http_req *req, const char *name);
struct ta_str ta_http_param(struct ta_http_req *req, const char *name);
/* All pairs as sent, without '?'; at == NULL when there is none. */
struct ta_str ta_http_query(const struct ta_http_req *req);
/* Of a route with tokens; NULL when the server checks none. */
const struct ta_token *ta_http_token(const struct ta_http_req *req);
/* Case-insensitive; the first of that name; at == NULL when there is none. Costs a walk over the
 * headers. */
struct ta_str ta_http_header(const struct ta_http_req *req, const char *name);
/* Every header in turn, for signatures over several; the callback's strings as above. */
void ta_http_each_header(const struct ta_http_req *req,
                         void (*each)(void *self, struct ta_str name, struct ta_str value),
                         void *self);
/* Numeric address of the peer, "192.0.2.7" or "2001:db8::1". */
struct ta_str ta_http_peer(const struct ta_http_req *req);
/* Which worker this request belongs to, 0 .. n_workers - 1: all its calls come from that thread,
 * so what is kept per worker needs no lock. */
unsigned ta_http_worker_of(const struct ta_http_req *req);

/* Memory that dies with the request; at most limits.request_bytes_max. */
struct ta_arena *ta_http_arena(struct ta_http_req *req);
/* What route.data and config.app point to; the handler's own state. */
void *ta_http_data(const struct ta_http_req *req);
void *ta_http_app(const struct ta_http_req *req);
void *ta_http_state(const struct ta_http_req *req);
void ta_http_set_state(struct ta_http_req *req, void *state);

/* ---- Answers. Exactly one per request; a second one is ignored (TA_ESTATE). ----------------- */

/* Before the answer. Name and value are copied; TA_EINVAL when they hold CR, LF or NUL. Not for
 * Content-Length, Transfer-Encoding, Connection, Date. */
int ta_http_set_header(struct ta_http_req *req, const char *name, const char *value);

/* A small answer, copied. content_type may be NULL (no such header). */
int ta_http_reply(struct ta_http_req *req, int status, const char *content_type,
                  struct ta_str body);
/* {"status":"<reason>","error":"<message>"} LF (spec: http-api 3). */
int ta_http_reply_error(struct ta_http_req *req, int status, struct ta_str message);
/* text/plain; charset=utf-8, nosniff, message + LF, as 404 and 401 look. */
int ta_http_reply_text(struct ta_http_req *req, int status, const char *message);
/* An answer that `fill` makes. What fits the first room goes with Content-Length, more is chunked.
 * gzip when the client accepts it and the answer is larger than one KiB. */
int ta_http_reply_stream(struct ta_http_req *req, int status, const char *content_type);

/* "Bad Request" for 400; "" for numbers without a name. Static. */
const char *ta_http_reason(int status);

/* ---- Waiting ------------------------------------------------------------------------------- */

/* Before a request is handed to another thread that will wake it: takes a reference. */
void ta_http_hold(struct ta_http_req *req);
/* From any thread, once for each hold: gives that reference back and makes the worker call the
 * waiting handler function again. Never lost, whether it comes before or after the TA_EAGAIN; may
 * cause one call too many, so a handler checks its condition again. Harmless when the request is
 * over. Must come before ta_http_server_free(). Never blocks for long (one short mutex, at most
 * one write(2)). */
void ta_http_wake(struct ta_http_req *req);

/* ---- The server ---------------------------------------------------------------------------- */

/* 0 in any field means the default that is named here. */
struct ta_http_limits {
    uint32_t connections; /* 4,096, at most half of RLIMIT_NOFILE at open; one over it gets 503 */
    uint32_t connections_per_peer; /* connections; same address; over it 503 */
    uint32_t uri_bytes;            /* 4 KiB; longer 414 */
    uint32_t header_bytes;         /* 8 KiB with the request line, 100 fields; more 431 */
    uint64_t body_bytes_max;       /* 64 MiB; more 413 */
    uint32_t expand_ratio_max;     /* 100: decompressed to compressed bytes beyond the first
                                    * MiB; more 413 */
    uint64_t request_bytes_max;    /* 16 MiB of arena and buffers for one request; more 503 */
    uint32_t head_ms;              /* 10,000 from the first byte to the end of the headers, TLS
                                    * handshake included; later 408 */
    uint32_t idle_ms;              /* 60,000 between requests and without progress; then closed */
    uint32_t body_rate;            /* 1,024 bytes/s, after rate_grace_ms; slower 408 */
    uint32_t answer_rate;          /* 1,024 bytes/s, after rate_grace_ms; slower is cut */
    uint32_t rate_grace_ms;        /* 10,000 */
    uint32_t total_ms;             /* 300,000 for one request, waiting included; then cut (503
                                    * when no answer has begun) */
};

struct ta_http_config {
    const char *addr;   /* "host:port", ":port", "[v6]:port"; port 0: the system chooses */
    unsigned n_workers; /* 0: one per core, at most 8 */
    int backlog;        /* 0: 4,096 (the kernel caps it at net.core.somaxconn) */
    struct ta_str cert_pem, key_pem; /* TLS (1.2 or newer) when both are there; copied by open */
    const struct ta_http_route *routes;
    size_t n_routes;
    struct ta_jwt *jwt; /* NULL: no authentication at all */
    bool
        /* opt-in: route.roles matter; else any valid token may do anything, as the reference */
        check_roles;
    struct ta_http_limits limits;
    uint64_t memory_cap;    /* bytes for all requests together; 0: 256 MiB. Beside it the library
                             * takes 17 KiB for each connection, with TLS 25 KiB */
    struct ta_alloc *alloc; /* NULL: the heap */
    struct ta_clock *clock; /* NULL: the system's */
    struct ta_log *log;     /* NULL: silent. Told when connections are refused, once a minute */
    void *app;              /* ta_http_app() */
};

/* Binds the port and reads the key, nothing more: do this before privileges are dropped. Borrows
 * routes, jwt, alloc, clock, log until free. Errors: TA_EINVAL (address, certificate), TA_EIO
 * (bind). */
int ta_http_server_open(struct ta_http_server **out, const struct ta_http_config *config,
                        struct ta_err *err);
/* The bound port, in host order. */
uint16_t ta_http_server_port(const struct ta_http_server *s);
/* What all requests share, capped by memory_cap and counted: for what a handler holds beside its arena.
 * Valid until the server is freed. */
struct ta_alloc *ta_http_server_memory(struct ta_http_server *s);
/* Listens and starts the workers. On failure nothing runs and free is the only call left. */
int ta_http_server_start(struct ta_http_server *s, struct ta_err *err);
/* New connections get the new certificate; on error (TA_EINVAL) the old one stays. Any thread. */
int ta_http_server_reload_tls(struct ta_http_server *s, struct ta_str cert_pem,
                              struct ta_str key_pem, struct ta_err *err);
/* Stops accepting, closes idle connections, lets running requests finish for at most deadline_ms,
 * then cuts the rest (done: TA_HTTP_STOPPED) and joins the workers. The number of requests that
 * were cut. */
int ta_http_server_stop(struct ta_http_server *s, uint32_t deadline_ms);
/* Stops with deadline 0 when it still runs. Waits for no wake: every hold must have been woken.
 * NULL is fine. */
void ta_http_server_free(struct ta_http_server *s);

/* ---- Counters ------------------------------------------------------------------------------ */

enum { TA_HTTP_BUCKETS = 16, TA_HTTP_STATUSES = 24 };

/* Upper bounds of the latency histogram in microseconds; the last bucket has no bound. */
extern const uint32_t ta_http_bucket_us[TA_HTTP_BUCKETS - 1];

struct ta_http_route_stats {
    uint64_t by_status[TA_HTTP_STATUSES]; /* index: ta_http_status_of() */
    uint64_t latency[TA_HTTP_BUCKETS];    /* requests by time from first line to `done` */
    uint64_t latency_sum_us;
    uint64_t body_bytes, answer_bytes; /* as on the wire, without headers and chunk frames */
};

struct ta_http_stats {
    uint64_t accepted, refused; /* connections; refused: over a connection limit */
    uint64_t connections;       /* open now */
    uint64_t requests_running;  /* now */
    uint64_t timed_out;         /* requests and connections cut for slowness */
    uint64_t truncated;         /* bodies that ended early */
    uint64_t auth_refused;      /* 401 and 403 */
    uint64_t memory_bytes, memory_peak_bytes, memory_refused;
};

/* The status counted at index i; 0 for "any other". */
int ta_http_status_of(size_t i);
/* Sums over the workers; each number is exact, together they are not one instant. Any thread.
 * `routes` (NULL, or room for config.n_routes + 1) in the order of the table; the last row is for
 * requests that matched no route. */
void ta_http_server_stats(const struct ta_http_server *s, struct ta_http_stats *out,
                          struct ta_http_route_stats *routes);

#endif
