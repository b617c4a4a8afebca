/* handle_checkpoint.c - POST /api/checkpoint: everything stored into checkpoint files, now.
 *
 * The answer comes when the files are durable: 200, or 503 with the reason. (The reference has no such route.)
 */
#include "app/routes.h"
#include "app/safe.h"

struct state {
    struct ta_http_req *req;
    struct ta_waiter waiter;
    uint64_t number;
};

static void wake(struct ta_waiter *w)
{
    ta_http_wake(TA_CONTAINER(w, struct state, waiter)->req);
}

static int begin(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    int r = ta_app_ready(req, err);

    if (r < 0)
        return r;
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){.req = req, .number = ta_safe_ask_checkpoint(app->safe)};
    s->waiter.wake = wake;
    ta_http_set_state(req, s);
    return TA_OK;
}

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);

    /* One hold for as long as the waiter may be linked. */
    if (!ta_safe_unwait(app->safe, &s->waiter))
        ta_http_hold(req);
    int r = ta_safe_wait_checkpoint(app->safe, &s->waiter, s->number, err);
    if (r == TA_EAGAIN)
        return r;
    ta_http_wake(req); /* gives the hold back */
    if (r < 0)
        return TA_ECANCELED; /* 503: it can be asked for again */
    return ta_http_reply(req, 200, "application/json", TA_STR("{\"status\":\"OK\"}\n"));
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s && ta_safe_unwait(app->safe, &s->waiter))
        ta_http_wake(req); /* the hold that nobody else will give back */
}

const struct ta_http_handler ta_handle_checkpoint = {.begin = begin, .end = end, .done = done};
