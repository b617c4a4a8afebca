#include "app/write_body.h"

#include "app/own_metrics.h"
#include "app/routes.h"
#include "app/safe.h"
#include "ingest/ingest.h"

struct state {
    struct ta_feed feed;
    struct ta_ingest *ingest; /* of the worker: it keeps what it learned from the lines before */
    struct ta_http_req *req;
    struct ta_waiter waiter; /* for room in the log, or for the sync */
    bool is_fed;             /* the body is stored: only the sync is waited for */
    bool is_counted;         /* its lines are in the totals */
};

static void wake(struct ta_waiter *w)
{
    ta_http_wake(TA_CONTAINER(w, struct state, waiter)->req);
}

/* 503: the sender keeps its batch and comes again. */
static int fail_for_now(struct ta_http_req *req, int code)
{
    if (code == TA_EIO || code == TA_ENOMEM)
        (void)ta_http_set_header(req, "Retry-After",
                                 "1");           /* without it the 503 still says enough */
    return code == TA_EIO ? TA_ECANCELED : code; /* the server's 503 */
}

/* One hold for as long as the waiter may be linked: a call too many finds the last one still there. */
static void begin_wait(struct ta_safe *d, struct state *s)
{
    if (!ta_safe_unwait(d, &s->waiter))
        ta_http_hold(s->req);
}

/* The log was full: TA_OK = there is room now, feed again; TA_EAGAIN = a wake will come. */
static int wait_for_room(struct ta_safe *d, struct state *s)
{
    begin_wait(d, s);
    if (!ta_safe_wait_room(d, &s->waiter))
        return TA_EAGAIN;
    ta_http_wake(s->req); /* gives the hold back; the call too many looks again */
    return TA_OK;
}

/* TA_OK: everything stored is durable. */
static int wait_for_sync(struct ta_safe *d, struct state *s, struct ta_err *err)
{
    if (!d)
        return TA_OK;
    begin_wait(d, s);
    enum ta_ticket ticket = ta_safe_wait(d, &s->waiter, s->feed.ticket);
    if (ticket == TA_TICKET_PENDING)
        return TA_EAGAIN;
    ta_http_wake(s->req);
    if (ticket == TA_TICKET_DURABLE)
        return TA_OK;
    return ta_fail(err, TA_EIO, "the samples could not be made durable; send them again");
}

int ta_write_begin(struct ta_http_req *req, struct ta_str cluster,
                   const struct ta_line_options *options, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    struct ta_line_options given = options ? *options : (struct ta_line_options){0};

    given.line_max = app->line_bytes_max;
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){.ingest = app->ingests[ta_http_worker_of(req)], .req = req};
    s->waiter.wake = wake;
    int r = ta_feed_init(&s->feed, app->alloc, cluster, &given, ta_now_s(app->clock));
    if (r < 0)
        return ta_fail(err, r, "the cluster's name is longer than %d bytes", TA_NAME_MAX);
    ta_http_set_state(req, s);
    return TA_OK;
}

int ta_write_body(struct ta_http_req *req, const char *at, size_t len, size_t *taken,
                  struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    struct ta_str bytes = {at, len};
    int64_t now_s = ta_now_s(app->clock);
    int r;

    *taken = 0;
    do {
        size_t used = 0;
        r = ta_ingest_feed(s->ingest, &s->feed, bytes, now_s, &used, err);
        *taken += used;
        bytes = (struct ta_str){bytes.at + used, bytes.len - used};
    } while (r == TA_EAGAIN && (r = wait_for_room(app->safe, s)) == TA_OK);
    return r < 0 && r != TA_EAGAIN ? fail_for_now(req, r) : r;
}

static void count(const struct ta_app *app, struct state *s)
{
    if (!s->is_counted)
        ta_ingest_totals_add(app->lines, &s->feed.counts);
    s->is_counted = true;
}

int ta_write_end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    int r = TA_OK;

    while (!s->is_fed && r == TA_OK) {
        r = ta_ingest_end(s->ingest, &s->feed, true, ta_now_s(app->clock), err);
        s->is_fed = r == TA_OK;
        if (r == TA_EAGAIN)
            r = wait_for_room(app->safe, s);
    }
    if (r == TA_OK)
        r = wait_for_sync(app->safe, s, err);
    if (r == TA_EAGAIN)
        return r;
    count(app, s); /* before the answer: who has it finds its lines counted */
    if (r < 0)
        return fail_for_now(req, r);
    return ta_feed_verdict(&s->feed, err);
}

void ta_write_done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);

    if (!s)
        return;
    if (app->safe && ta_safe_unwait(app->safe, &s->waiter))
        ta_http_wake(req); /* the hold that nobody else will give back */
    /* What was read of a broken body counts, but for its last, partial line. */
    if (outcome == TA_HTTP_GONE)
        (void)ta_ingest_end(s->ingest, &s->feed, false, ta_now_s(app->clock), NULL);
    count(app, s);
    ta_feed_done(&s->feed);
}
