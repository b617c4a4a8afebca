/* caller.h - calls of services, with everything that makes an answer trustworthy.
 *
 * A caller keeps at most `per_host` connections to one host, used by any number of threads: a call
 * waits for a free one. Idempotent calls are repeated on failed connections and on 429, 502, 503,
 * 504, with growing waits. A 2xx counts only when it is complete: its bytes ended as declared, its
 * reader was content to the last byte, and neither header nor trailer X-REST-Status says other than
 * 100 (spec: rule-cleaner 4.1).
 *
 * Memory: per connection 16 KiB, the client's head, and libcurl's own.
 */
#ifndef TARN_REST_CALLER_H
#define TARN_REST_CALLER_H

#include "base/clock.h"
#include "rest/client.h"
#include "rest/token.h"

enum { TA_CALL_UPSTREAMS = 10, TA_CALL_STATUSES = 18 };

/* Calls by upstream and status; the caller's user says what upstream i is. Any thread. */
struct ta_call_stats {
    _Atomic uint64_t n[TA_CALL_UPSTREAMS][TA_CALL_STATUSES];
};

/* The status counted at index i; 0 is a failed connection, -1 any other status. */
int ta_call_status_of(size_t i);

struct ta_caller_conf {
    struct ta_rest_conf rest;    /* certificates, redirects, times; stop ends calls and waits */
    unsigned per_host;           /* 0: 8 */
    unsigned retries;            /* repeats of one idempotent call */
    struct ta_token_file *token; /* sent as bearer token; NULL: none */
    struct ta_clock *clock;
    struct ta_call_stats *stats; /* NULL: not counted */
    struct ta_alloc *alloc;
};

/* Reads a body to its end. Called anew for each attempt: it begins by forgetting what an earlier
 * attempt gave. */
typedef int (*ta_call_reader)(void *self, struct ta_source *body, struct ta_err *err);

struct ta_call {
    const char *method, *url;
    const struct ta_rest_header *headers; /* at most 16 */
    size_t n_headers;
    struct ta_str body; /* at == NULL: none */
    bool is_idempotent;
    unsigned upstream;
    ta_call_reader read; /* NULL: the body is passed over */
    /* Looks at the headers of a 2xx before its body; may be NULL. */
    void (*take_head)(void *self, const struct ta_rest_client *client);
    void *self;
};

/* How a call ended, filled in any case. */
struct ta_call_end {
    int status;           /* of the last answer; 0: there was none (whole) */
    char error_class[64]; /* ExceptionClass of a refusal, "" without */
};

struct ta_caller;

int ta_caller_new(struct ta_caller **out, const struct ta_caller_conf *conf, struct ta_err *err);
void ta_caller_free(struct ta_caller *c); /* NULL is fine; no call may be under way */

/* TA_OK: a complete 2xx. TA_EDENIED for 401 and 403, TA_ENOTFOUND for 404, TA_EIO for any other
 * answer and for connections, TA_EFORMAT for bytes that are not what they should be, TA_ECANCELED.
 * `end` may be NULL. */
int ta_caller_call(struct ta_caller *c, const struct ta_call *call, struct ta_call_end *end,
                   struct ta_err *err);

/* Sleeps; TA_ECANCELED when the stop came before or meanwhile. */
int ta_caller_wait(struct ta_caller *c, int64_t ms);

#endif
