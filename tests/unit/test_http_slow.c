/* Slow clients meet their deadlines and hold up nobody; stopping waits, then cuts. */
#include "http_peer.h"
#include "http_site.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: x\r\n"

static struct site site;

static int start(void **state)
{
    (void)state;
    memset(&site, 0, sizeof(site));
    site.config.n_workers = 1; /* one, so that a slow client shares it with the good one */
    site.config.limits = (struct ta_http_limits){.head_ms = 400,
                                                 .idle_ms = 600,
                                                 .rate_grace_ms = 300,
                                                 .body_rate = 100000,
                                                 .answer_rate = 100000,
                                                 .total_ms = 1500};
    site_start(&site);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    site_stop(&site);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A paced good client. */
struct good {
    _Atomic bool stop;
    _Atomic uint64_t asked;
    uint64_t served;
};

static void *good_main(void *arg)
{
    struct good *g = arg;

    while (!atomic_load(&g->stop)) {
        struct http_got got;
        http_peer_ask(site.port, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc", &got);
        g->asked++;
        g->served += got.status == 200;
        http_got_done(&got);
        usleep(2000);
    }
    return NULL;
}

/* Lets it ask some times, however slow the machine is. */
static void stop_good(struct good *g, pthread_t thread)
{
    for (int i = 0; i < 10000 && atomic_load(&g->asked) <= 10; i++)
        usleep(1000);
    atomic_store(&g->stop, true);
    pthread_join(thread, NULL);
    assert_true(g->asked > 10);
    assert_int_equal(g->served, g->asked);
}

static void expect_status(int fd, int status)
{
    struct http_got g;

    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, status);
    http_got_done(&g);
}

static void trickle(const int *fd, size_t n, const char *text, int ms)
{
    int64_t end = now_ms() + ms;

    for (size_t i = 0; now_ms() < end; i++) {
        for (size_t k = 0; k < n; k++)
            (void)send(fd[k], text + i % strlen(text), 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        usleep(20000);
    }
}

static void slow_heads_and_bodies_are_408_and_a_good_client_is_served_meanwhile(void **state)
{
    struct good good = {0};
    pthread_t thread;
    int line[20], head[20], body[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        line[i] = http_peer_connect(site.port);
        (void)http_peer_say(line[i], "GET /he");
        head[i] = http_peer_connect(site.port);
        (void)http_peer_say(head[i], "GET /hello" HOST "X: ");
        body[i] = http_peer_connect(site.port);
        (void)http_peer_say(body[i], "POST /count" HOST "Content-Length: 100000\r\n\r\n");
    }
    assert_int_equal(pthread_create(&thread, NULL, good_main, &good), 0);
    trickle(line, 20, "x", 150);
    trickle(head, 20, "y", 150);
    trickle(body, 20, "z", 300);
    for (size_t i = 0; i < 20; i++) {
        expect_status(line[i], 408);
        expect_status(head[i], 408);
        expect_status(body[i], 408);
        close(line[i]);
        close(head[i]);
        close(body[i]);
    }
    stop_good(&good, thread);
    assert_true(site_wait_done(&site, 20 + good.asked));
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_TIMED_OUT]), 20);
    struct ta_http_stats stats;
    ta_http_server_stats(site.server, &stats, NULL);
    assert_int_equal(stats.timed_out, 60);
}

static void a_client_that_says_nothing_is_closed_without_a_word(void **state)
{
    struct http_got g;

    (void)state;
    int fd = http_peer_connect(site.port);
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 0);
    assert_true(g.is_closed);
    close(fd);
    /* Between requests as well, and not before the idle time is over. */
    fd = http_peer_connect(site.port);
    int64_t from = now_ms();
    assert_true(http_peer_say(fd, "GET /hello" HOST "\r\n"));
    expect_status(fd, 200);
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 0);
    assert_true(g.is_closed);
    assert_true(now_ms() - from >= 600);
    close(fd);
}

static void a_client_that_does_not_read_is_cut(void **state)
{
    struct good good = {0};
    pthread_t thread;
    int fd[10];

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        fd[i] = http_peer_connect(site.port);
        assert_true(http_peer_say(fd[i], "GET /big?n=100000000" HOST "\r\n"));
    }
    assert_int_equal(pthread_create(&thread, NULL, good_main, &good), 0);
    for (int i = 0; i < 10000 && atomic_load(&site.by_outcome[TA_HTTP_TIMED_OUT]) < 10; i++)
        usleep(1000);
    stop_good(&good, thread);
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_TIMED_OUT]), 10);
    for (size_t i = 0; i < 10; i++)
        close(fd[i]);
}

static void a_request_that_waits_too_long_is_503(void **state)
{
    static const char waits[] = "GET /big?n=9&wait=1" HOST "\r\n";
    static const char syncs[] = "POST /sync" HOST "Content-Length: 3\r\n\r\nabc";
    static const char slow[] = "POST /slow" HOST "Content-Length: 3\r\n\r\nabc";

    (void)state;
    site_pause(&site, true);
    int fd[3];
    const char *text[3] = {syncs, slow, waits};
    for (size_t i = 0; i < 3; i++) {
        fd[i] = http_peer_connect(site.port);
        assert_true(http_peer_say(fd[i], text[i]));
    }
    for (size_t i = 0; i < 3; i++) {
        expect_status(fd[i], 503);
        close(fd[i]);
    }
    assert_true(site_wait_done(&site, 3));
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_TIMED_OUT]), 3);
    site_pause(&site, false); /* wakes for requests that are over */
}

static void *stop_main(void *arg)
{
    uint32_t *deadline = arg;
    static int n_cut;

    n_cut = ta_http_server_stop(site.server, *deadline);
    return &n_cut;
}

static void stopping_lets_running_requests_finish(void **state)
{
    uint32_t deadline = 10000;
    pthread_t thread;
    void *n_cut;

    (void)state;
    site_pause(&site, true);
    int idle = http_peer_connect(site.port);
    assert_true(http_peer_say(idle, "GET /hello" HOST "\r\n"));
    expect_status(idle, 200);
    int fd = http_peer_connect(site.port);
    assert_true(http_peer_say(fd, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc"));
    for (int i = 0; i < 10000 && atomic_load(&site.begun) < 2; i++)
        usleep(1000);
    assert_int_equal(pthread_create(&thread, NULL, stop_main, &deadline), 0);
    assert_true(http_peer_is_closed(idle, 500));
    site_pause(&site, false);
    struct http_got g;
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 200);
    assert_string_equal(http_got_header(&g, "Connection"), "close");
    http_got_done(&g);
    pthread_join(thread, &n_cut);
    assert_int_equal(*(int *)n_cut, 0);
    close(fd);
    close(idle);
}

static void stopping_cuts_what_is_left_at_the_deadline(void **state)
{
    struct http_got g;
    char some[16];

    (void)state;
    site_pause(&site, true);
    int waits = http_peer_connect(site.port);
    assert_true(http_peer_say(waits, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc"));
    int reads = http_peer_connect(site.port);
    assert_true(http_peer_say(reads, "GET /big?n=1000000000" HOST "\r\n"));
    assert_int_equal(recv(reads, some, sizeof(some), MSG_WAITALL), sizeof(some));
    int sends = http_peer_connect(site.port);
    assert_true(http_peer_say(sends, "POST /count" HOST "Content-Length: 300000\r\n\r\nabc"));
    for (int i = 0; i < 10000 && atomic_load(&site.begun) < 3; i++)
        usleep(1000);
    assert_int_equal(ta_http_server_stop(site.server, 200), 3);
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_STOPPED]), 3);
    http_peer_read(waits, false, &g);
    assert_int_equal(g.status, 0);
    close(waits);
    close(reads);
    close(sends);
}

static void wait_begun(uint64_t n)
{
    for (int i = 0; i < 10000 && atomic_load(&site.begun) < n; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&site.begun), n);
}

/* The limits of this server are all shorter than the stall. */
static void nobody_is_called_slow_for_the_time_the_server_was_busy(void **state)
{
    (void)state;
    int kept = http_peer_connect(site.port), body = http_peer_connect(site.port),
        head = http_peer_connect(site.port), stalls = http_peer_connect(site.port);
    assert_true(http_peer_say(kept, "GET /hello" HOST "\r\n"));
    expect_status(kept, 200);
    assert_true(http_peer_say(body, "POST /count" HOST "Content-Length: 3\r\n\r\n"));
    wait_begun(2);
    assert_true(http_peer_say(head, "GET /hello" HOST "X: "));
    assert_true(http_peer_say(stalls, "POST /stall" HOST "Content-Length: 3\r\n\r\nabc"));
    wait_begun(3);
    assert_true(http_peer_say(kept, "GET /hello" HOST "\r\n"));
    assert_true(http_peer_say(body, "abc"));
    assert_true(http_peer_say(head, "y\r\n\r\n"));
    expect_status(stalls, 200);
    expect_status(kept, 200);
    expect_status(body, 200);
    expect_status(head, 200);
    close(kept);
    close(body);
    close(head);
    close(stalls);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(slow_heads_and_bodies_are_408_and_a_good_client_is_served_meanwhile),
        TEST(a_client_that_says_nothing_is_closed_without_a_word),
        TEST(nobody_is_called_slow_for_the_time_the_server_was_busy),
        TEST(a_client_that_does_not_read_is_cut),
        TEST(a_request_that_waits_too_long_is_503),
        TEST(stopping_lets_running_requests_finish),
        TEST(stopping_cuts_what_is_left_at_the_deadline),
    };

    return cmocka_run_group_tests_name("slow clients", tests, NULL, NULL);
}
