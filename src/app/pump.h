/* pump.h - keeps a number of HTTP connections busy: the client of the benchmarks.
 *
 * One thread, its own sockets, keep-alive, one request under way per connection. Bodies are pulled
 * from a source of requests whenever a connection is free, or paced, one in so many ns. Plain
 * HTTP/1.1 only: what is measured is the server, and this costs a fraction of it.
 */
#ifndef TARN_APP_PUMP_H
#define TARN_APP_PUMP_H

#include "app/histogram.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct ta_pump_source {
    /* The next request's body into `body` (empty, with a maximum). 1 = filled, 0 = no more. */
    int (*next)(struct ta_pump_source *self, struct ta_buf *body, struct ta_err *err);
};

struct ta_pump_conf {
    const char *url;           /* http://host:port */
    const char *method;        /* "POST" */
    const char *path;          /* "/api/write?cluster=c" */
    const char *authorization; /* "Bearer ..." or NULL */
    unsigned connections;
    size_t body_max; /* bytes */
    int64_t pace_ns; /* from one request's begin to the next one's; 0: whenever one is answered */
    int64_t patience_ms; /* how long a server that refuses connections is tried */
    struct ta_alloc *alloc;
};

struct ta_pump_result {
    uint64_t requests, bad;         /* bad: answered with another status than 200 */
    uint64_t bytes_sent, bytes_got; /* bodies */
    int64_t wall_ns;
    struct ta_histogram latency_us; /* first byte out, paced: when it was due, to last byte in */
    char first_bad[200];            /* status and beginning of the first bad answer */
};

/* Until the source has no more and all is answered. TA_EIO when the server is not there or goes
 * away. *out counts what was done also on failure. */
int ta_pump_run(const struct ta_pump_conf *conf, struct ta_pump_source *source,
                struct ta_pump_result *out, struct ta_err *err);

#endif
