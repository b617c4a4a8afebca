#include "http_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct page {
    struct ta_buf echo;
    size_t at;
    uint64_t n, sum;
    uint64_t left, rooms;
    bool waits, waited, breaks;
    int code;
};

static struct site *site_of(struct ta_http_req *q)
{
    return ta_http_app(q);
}

/* What a handler does that waits: a reference goes to the thread that will wake it. */
static int wait_for_waker(struct ta_http_req *q)
{
    struct site *s = site_of(q);

    ta_http_hold(q);
    pthread_mutex_lock(&s->lock);
    bool full = s->n_queue == SITE_QUEUE;
    if (!full)
        s->queue[s->n_queue++] = q;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->lock);
    if (full)
        ta_http_wake(q);
    return TA_EAGAIN;
}

static void *waker_main(void *arg)
{
    struct site *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stop || s->n_queue) {
        if (!s->n_queue || (s->paused && !s->stop)) {
            pthread_cond_wait(&s->more, &s->lock);
            continue;
        }
        struct ta_http_req *batch[64];
        size_t n = s->n_queue < 64 ? s->n_queue : 64;
        memcpy(batch, s->queue, n * sizeof(batch[0]));
        s->n_queue -= n;
        memmove(s->queue, s->queue + n, s->n_queue * sizeof(batch[0]));
        pthread_mutex_unlock(&s->lock);
        if (s->waker_sleep_us)
            usleep(s->waker_sleep_us);
        for (size_t i = 0; i < n; i++) {
            atomic_fetch_add(&s->wakes, 1);
            ta_http_wake(batch[i]);
        }
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int page_begin(struct ta_http_req *q, struct ta_err *err)
{
    struct page *p = ta_arena_get(ta_http_arena(q), sizeof(*p));
    struct ta_str n = ta_http_param(q, "n");
    struct ta_str code = ta_http_param(q, "code");

    atomic_fetch_add(&site_of(q)->begun, 1);
    if (!p)
        return ta_fail(err, TA_ENOMEM, "no memory for a page");
    *p = (struct page){.left = n.at ? strtoull(n.at, NULL, 10) : 0};
    p->code = code.at ? (int)strtol(code.at, NULL, 10) : 0;
    p->waits = ta_http_param_raw(q, "wait").at != NULL;
    p->breaks = ta_str_is(ta_http_path(q), "/break");
    ta_buf_init(&p->echo, &ta_http_arena(q)->alloc, 8 * MiB);
    ta_http_set_state(q, p);
    return TA_OK;
}

static void page_done(struct ta_http_req *q, enum ta_http_outcome outcome)
{
    struct site *s = site_of(q);

    atomic_fetch_add(&s->by_outcome[outcome], 1);
    atomic_fetch_add(&s->done, 1);
}

static int ok_end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(q, 200, "text/plain", TA_STR("ok\n"));
}

static int hello_end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return ta_http_reply(q, 200, "text/plain", TA_STR("hello\n"));
}

static int echo_body(struct ta_http_req *q, const char *at, size_t len, size_t *taken,
                     struct ta_err *err)
{
    struct page *p = ta_http_state(q);
    int r = ta_buf_add(&p->echo, at, len);

    (void)taken;
    return r < 0 ? ta_fail(err, r, "the echo is full") : TA_OK;
}

static int echo_end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return ta_http_reply_stream(q, 200, "application/octet-stream");
}

static int echo_fill(struct ta_http_req *q, struct ta_buf *room, struct ta_err *err)
{
    struct page *p = ta_http_state(q);
    size_t n = p->echo.len - p->at;

    (void)err;
    if (n > TA_HTTP_ROOM)
        n = TA_HTTP_ROOM;
    (void)ta_buf_add(room, p->echo.at + p->at, n);
    p->at += n;
    return p->at == p->echo.len ? TA_HTTP_END : TA_HTTP_MORE;
}

static int count_body(struct ta_http_req *q, const char *at, size_t len, size_t *taken,
                      struct ta_err *err)
{
    struct page *p = ta_http_state(q);

    (void)err;
    (void)taken;
    p->n += len;
    for (size_t i = 0; i < len; i++)
        p->sum += (unsigned char)at[i];
    return TA_OK;
}

static int skip_body(struct ta_http_req *q, const char *at, size_t len, size_t *taken,
                     struct ta_err *err)
{
    struct page *p = ta_http_state(q);

    (void)at;
    (void)taken;
    (void)err;
    p->n += len;
    return TA_OK;
}

static int tell(struct ta_http_req *q, const char *word)
{
    struct page *p = ta_http_state(q);
    struct ta_buf b;

    ta_buf_init(&b, &ta_http_arena(q)->alloc, 256);
    int r = ta_buf_printf(&b, "%s%llu %llu\n", word, (unsigned long long)p->n,
                          (unsigned long long)p->sum);
    return r < 0 ? r : ta_http_reply(q, 200, "text/plain", ta_buf_view(&b));
}

static int count_end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return tell(q, "");
}

static int sync_end(struct ta_http_req *q, struct ta_err *err)
{
    struct page *p = ta_http_state(q);

    (void)err;
    if (p->waited)
        return tell(q, "synced ");
    p->waited = true;
    return wait_for_waker(q);
}

/* Starts what it will wait for when the headers are there; the wake may come long before the wait. */
static int early_begin(struct ta_http_req *q, struct ta_err *err)
{
    int r = page_begin(q, err);

    if (r == TA_OK)
        (void)wait_for_waker(q);
    return r;
}

static int early_end(struct ta_http_req *q, struct ta_err *err)
{
    struct page *p = ta_http_state(q);

    (void)err;
    if (p->waited)
        return tell(q, "early ");
    p->waited = true;
    return TA_EAGAIN;
}

/* Back-pressure: a thousand bytes, then a wait, then the next thousand. */
static int slow_body(struct ta_http_req *q, const char *at, size_t len, size_t *taken,
                     struct ta_err *err)
{
    size_t n = len < 1000 ? len : 1000;

    (void)count_body(q, at, n, taken, err);
    *taken = n;
    return wait_for_waker(q);
}

static int big_end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return ta_http_reply_stream(q, 200, "application/octet-stream");
}

static int big_fill(struct ta_http_req *q, struct ta_buf *room, struct ta_err *err)
{
    struct page *p = ta_http_state(q);

    if (p->waits && p->rooms % 8 == 0 && !p->waited) {
        p->waited = true;
        return wait_for_waker(q);
    }
    p->waited = false;
    p->rooms++;
    size_t n = p->left < TA_HTTP_ROOM ? (size_t)p->left : TA_HTTP_ROOM;
    for (size_t i = 0; i < n; i++)
        (void)ta_buf_byte(room, (char)('a' + (p->n++ % 23)));
    p->left -= n;
    if (p->left)
        return TA_HTTP_MORE;
    if (p->breaks && p->code)
        return ta_fail(err, p->code, "the source broke");
    if (p->breaks) {
        p->code = TA_EIO;
        return n ? TA_HTTP_MORE : ta_fail(err, TA_EIO, "the source broke");
    }
    return TA_HTTP_END;
}

static int fail_end(struct ta_http_req *q, struct ta_err *err)
{
    const struct page *p = ta_http_state(q);

    return ta_fail(err, p->code, "failed <as> asked");
}

/* Keeps the worker from everybody else, as a store short of memory does. */
static int stall_end(struct ta_http_req *q, struct ta_err *err)
{
    usleep(SITE_STALL_MS * 1000);
    return count_end(q, err);
}

static const struct ta_http_handler hello = {page_begin, NULL, hello_end, NULL, page_done};
static const struct ta_http_handler ok = {page_begin, NULL, ok_end, NULL, page_done};
static const struct ta_http_handler echo = {page_begin, echo_body, echo_end, echo_fill, page_done};
static const struct ta_http_handler count = {page_begin, count_body, count_end, NULL, page_done};
static const struct ta_http_handler sync_h = {page_begin, count_body, sync_end, NULL, page_done};
static const struct ta_http_handler skip = {page_begin, skip_body, count_end, NULL, page_done};
static const struct ta_http_handler wait_h = {page_begin, skip_body, sync_end, NULL, page_done};
static const struct ta_http_handler early = {early_begin, count_body, early_end, NULL, page_done};
static const struct ta_http_handler slow = {page_begin, slow_body, count_end, NULL, page_done};
static const struct ta_http_handler stall = {page_begin, count_body, stall_end, NULL, page_done};
static const struct ta_http_handler big = {page_begin, NULL, big_end, big_fill, page_done};
static const struct ta_http_handler fails = {page_begin, NULL, fail_end, NULL, page_done};

static const struct ta_http_route routes[] = {
    {.path = "/hello", .methods = TA_HTTP_GET, .handler = &hello},
    {.path = "/echo", .methods = TA_HTTP_POST | TA_HTTP_GET, .handler = &echo},
    {.path = "/count", .methods = TA_HTTP_POST, .handler = &count},
    {.path = "/small", .methods = TA_HTTP_POST, .handler = &count, .body_bytes_max = 1000},
    {.path = "/sync", .methods = TA_HTTP_POST, .handler = &sync_h},
    {.path = "/skip", .methods = TA_HTTP_POST, .handler = &skip},
    {.path = "/wait", .methods = TA_HTTP_POST, .handler = &wait_h},
    {.path = "/early", .methods = TA_HTTP_POST, .handler = &early},
    {.path = "/slow", .methods = TA_HTTP_POST, .handler = &slow},
    {.path = "/stall", .methods = TA_HTTP_POST, .handler = &stall},
    {.path = "/big", .methods = TA_HTTP_GET, .handler = &big},
    {.path = "/break", .methods = TA_HTTP_GET, .handler = &big},
    {.path = "/fail", .methods = TA_HTTP_POST, .handler = &fails},
    {"/api/query", TA_HTTP_GET, true, TA_HTTP_BEARER, 0, 0, false, &ok, NULL},
    {"/api/write", TA_HTTP_POST, true, TA_HTTP_BEARER, 0, 0, false, &ok, NULL},
    {"/api/free", TA_HTTP_POST, true, TA_HTTP_BEARER, 0, 0, false, &ok, NULL},
    {"/api/debug", TA_HTTP_GET, true, TA_HTTP_BEARER, 0, 0, false, &ok, NULL},
    {"/api/healthcheck", TA_HTTP_GET, true, TA_HTTP_BEARER, 0, 0, false, &ok, NULL},
    {"/influx", TA_HTTP_POST, false, TA_HTTP_BEARER_TOKEN, 0, 0, false, &ok, NULL},
    {"/admin", TA_HTTP_DELETE, false, TA_HTTP_BEARER, TA_ROLE_ADMIN, 0, false, &ok, NULL},
};

int site_try(struct site *s)
{
    struct ta_err err = {0};

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    s->config.routes = routes;
    s->config.n_routes = TA_COUNT(routes);
    s->config.app = s;
    if (!s->config.addr)
        s->config.addr = "127.0.0.1:0";
    int r = ta_http_server_open(&s->server, &s->config, &err);
    if (r == TA_OK) {
        s->port = ta_http_server_port(s->server);
        r = ta_http_server_start(s->server, &err);
        if (r < 0)
            ta_http_server_free(s->server);
    }
    if (r == TA_OK)
        assert_int_equal(pthread_create(&s->waker, NULL, waker_main, s), 0);
    return r;
}

void site_start(struct site *s)
{
    assert_int_equal(site_try(s), TA_OK);
}

void site_pause(struct site *s, bool paused)
{
    pthread_mutex_lock(&s->lock);
    s->paused = paused;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->lock);
}

bool site_wait_done(struct site *s, uint64_t n)
{
    for (int i = 0; i < 10000; i++) {
        if (atomic_load(&s->done) >= n)
            return true;
        usleep(1000);
    }
    return false;
}

void site_stop(struct site *s)
{
    (void)ta_http_server_stop(s->server, 5000);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->waker, NULL);
    ta_http_server_free(s->server);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->more);
    assert_int_equal(atomic_load(&s->begun), atomic_load(&s->done));
}
