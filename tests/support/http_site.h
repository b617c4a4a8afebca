/* http_site.h - a server with routes that show every way of answering.
 *
 *   GET  /hello        "hello\n"
 *   POST /echo         the body, streamed back when it has ended
 *   POST /count        "<bytes> <sum of bytes>\n" of the body; open
 *   POST /sync         the body, then waits for another thread's wake; "synced <bytes>\n"
 *   POST /skip, /wait  as /count and /sync, without looking at the bytes
 *   POST /early        asks for its wake when the headers are there, waits when the body is
 *   POST /slow         takes at most 1,000 bytes of each piece and waits between
 *   POST /stall        as /count, after holding its worker for SITE_STALL_MS
 *   GET  /big?n=N      N bytes of a pattern, waits for a wake before every 8th room when &wait=1
 *   GET  /break?n=N    N bytes, then an error
 * GET /api/query, POST /api/write, POST /api/free, GET /api/debug, GET /api/healthcheck: with
 * subpaths and
 *                      tokens; "ok\n"
 *   POST /influx       "Token" allowed; "ok\n"
 *   DELETE /admin      needs the admin role when roles are checked; "ok\n"
 *   POST /fail?code=N  the handler fails with that TA_E*
 */
#ifndef TESTS_HTTP_SITE_H
#define TESTS_HTTP_SITE_H

#include "net/http.h"

#include <pthread.h>

enum { SITE_QUEUE = 8192, SITE_STALL_MS = 900 };

struct site {
    struct ta_http_server *server;
    struct ta_http_config
        config; /* set before site_start what a test wants; routes are filled in */
    uint16_t port;
    /* The thread that wakes, as the log does: all that wait at once. */
    pthread_t waker;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct ta_http_req *queue[SITE_QUEUE]; /* guarded by lock */
    size_t n_queue;
    bool stop, paused; /* guarded by lock; paused: wakes are held back */
    _Atomic uint64_t begun, done, by_outcome[8], wakes;
    uint32_t waker_sleep_us; /* between rounds, like a sync */
};

void site_start(struct site *s);
/* The same, where failing is a result. */
int site_try(struct site *s);
/* Stops, checks that every begun request was done, frees. */
void site_stop(struct site *s);
void site_pause(struct site *s, bool paused);
/* Waits until n requests have ended; false after ten seconds. */
bool site_wait_done(struct site *s, uint64_t n);

#endif
