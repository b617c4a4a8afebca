/* client.h - HTTP requests whose answers are pulled.
 *
 * One client belongs to one thread and has one request under way at a time; it keeps its
 * connections alive between requests. The answer's body is a source: bytes are taken from the
 * network only as fast as they are read (libcurl is paused while the buffer is full), so an
 * answer of any size costs one buffer. Many requests at once = many clients, one a thread.
 *
 * An answer counts as complete only when the source said 0: a connection that ends before the
 * declared length or the last chunk makes the read fail (TA_EIO).
 *
 * Memory: the client's buffer (`buffer` bytes), libcurl's own (about 40 KiB a connection, with
 * TLS about 100 KiB). Nothing else grows with the answer.
 *
 * Knows no service: S3, sweeps, node providers and the command line stand on it.
 */
#ifndef TARN_REST_CLIENT_H
#define TARN_REST_CLIENT_H

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_rest_conf {
    const char *user_agent;   /* NULL: "tarn/<version>" */
    const char *ca_file;      /* PEM bundle; NULL: the system's */
    const char *ca_dir;       /* hashed directory; NULL: the system's */
    const char *cert_file;    /* client certificate, PEM; NULL: none */
    const char *key_file;     /* its key; NULL with a certificate: the same file (a proxy) */
    bool insecure;            /* do not verify the server: callers warn */
    int64_t connect_ms;       /* 0: 30,000 */
    int64_t idle_ms;          /* longest time without a byte; 0: 60,000 */
    int64_t total_ms;         /* of one request; 0: no limit */
    size_t buffer;            /* body bytes held for the reader; 0: 64 KiB */
    unsigned redirects;       /* followed at most; 0: none */
    const _Atomic bool *stop; /* when it becomes true, waiting ends with TA_ECANCELED; or NULL */
};

enum { TA_REST_HEADERS_MAX = 32, TA_REST_HEADER_BYTES_MAX = 16 * 1024 };

struct ta_rest_header {
    const char *name, *value; /* NUL-terminated, borrowed for the call; no CR or LF */
};

struct ta_rest_request {
    const char *method; /* "GET", "PUT", ... */
    const char *url;    /* absolute http or https, sent as it is */
    const struct ta_rest_header *headers;
    size_t n_headers;
    struct ta_source *body; /* NULL: none. Pulled once: no repeat after a lost connection */
    int64_t body_bytes;     /* exact size of the body; -1: unknown, sent in chunks */
    bool decode;            /* ask for gzip/deflate and decode it while streaming */
};

/* What came before the body, valid until the next begin on the client. */
struct ta_rest_answer {
    int status; /* HTTP status of the last hop */
    /* The body; TA_EIO when the connection broke, TA_ECANCELED on stop. */
    struct ta_source body;
};

struct ta_rest_client;

/* Once per process before the first client, single-threaded (libcurl's global state). */
int ta_rest_global_init(struct ta_err *err);
void ta_rest_global_done(void);

/* Borrows the strings in conf. */
int ta_rest_client_new(struct ta_rest_client **out, const struct ta_rest_conf *conf,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_rest_client_free(struct ta_rest_client *c); /* NULL is fine */

/* Sends the request and waits for the answer's head. Errors: TA_EIO (connection, TLS, time-out),
 * TA_EINVAL (URL), TA_ECANCELED, or the body source's. An HTTP error status is no error here.
 * *out stays valid until the next begin or end on the client. */
int ta_rest_begin(struct ta_rest_client *c, const struct ta_rest_request *req,
                  struct ta_rest_answer **out, struct ta_err *err);

/* A header of the answer or, once the body has ended, a trailer: the last one of that name,
 * compared without case. {NULL, 0} when absent. Borrowed until the next begin. */
struct ta_str ta_rest_header(const struct ta_rest_client *c, const char *name);

/* Gives the request up or finishes it. The connection is kept only when the whole body was
 * read. Fine when nothing is under way. */
void ta_rest_end(struct ta_rest_client *c);

/* Reads the body to its end into `into` (limited by its maximum) and ends the request. */
int ta_rest_read_all(struct ta_rest_client *c, struct ta_rest_answer *answer, struct ta_buf *into,
                     struct ta_err *err);

/* What a repeat may help against: a failed connection (code TA_EIO), or 429, 502, 503, 504. */
bool ta_rest_is_transient(int code, int status);

/* How long to wait before repeat number `attempt` (0-based): 0.25 * 2^attempt s, at most 10 s,
 * raised to the answer's Retry-After (seconds form; at most 60 s). In milliseconds. */
int64_t ta_rest_backoff_ms(const struct ta_rest_client *c, unsigned attempt);

/* Percent-encodes everything but letters, digits and -._~ (and '/' when keep_slash). */
int ta_rest_encode(struct ta_buf *out, struct ta_str s, bool keep_slash);

#endif
