/* Many at once: the wave on the minute, and wakes from other threads that may never get lost. */
#include "http_peer.h"
#include "http_site.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: x\r\n"

static struct site site;

static void start(unsigned n_workers, uint32_t sleep_us)
{
    memset(&site, 0, sizeof(site));
    site.config.n_workers = n_workers;
    site.config.limits.connections = 5000;
    site.waker_sleep_us = sleep_us;
    site_start(&site);
}

static size_t most_connections(void)
{
    struct rlimit l;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
    return l.rlim_cur > 200 ? (l.rlim_cur - 200) / 2 : 0;
}

static void ask_all(const int *fd, size_t n, const char *request, const char *answer)
{
    for (size_t i = 0; i < n; i++)
        assert_true(http_peer_say(fd[i], request));
    for (size_t i = 0; i < n; i++) {
        struct http_got g;
        http_peer_read(fd[i], false, &g);
        if (g.status != 200)
            print_error("connection %zu of %zu: %d\n", i, n, g.status);
        assert_int_equal(g.status, 200);
        assert_string_equal(g.body, answer);
        http_got_done(&g);
    }
}

/* All nodes post at the same moment. The library's own loop stalls when 128 * n are ready at once. */
static void a_wave_of_any_size_is_answered(void **state)
{
    static const size_t sizes[] = {1, 64, 127, 128, 129, 256, 512, 1024, 2048, 4096};
    static int fd[4096];
    size_t most = most_connections();

    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        start(workers, 0);
        for (size_t k = 0; k < TA_COUNT(sizes); k++) {
            size_t n = sizes[k];
            if (n > most) {
                print_message("only %zu descriptors: a wave of %zu is left out\n", most, n);
                continue;
            }
            for (size_t i = 0; i < n; i++)
                fd[i] = http_peer_connect(site.port);
            for (int round = 0; round < 2; round++)
                ask_all(fd, n, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc", "synced 3 294\n");
            for (size_t i = 0; i < n; i++)
                close(fd[i]);
        }
        site_stop(&site);
    }
}

static void a_wake_that_comes_before_the_wait_is_not_lost(void **state)
{
    struct http_got g;

    (void)state;
    start(1, 0);
    for (int delay_ms = 0; delay_ms <= 40; delay_ms += 20) {
        int fd = http_peer_connect(site.port);
        assert_true(http_peer_say(fd, "POST /early" HOST "Content-Length: 3\r\n\r\n"));
        usleep((unsigned)delay_ms * 1000);
        assert_true(http_peer_say(fd, "abc"));
        http_peer_read(fd, false, &g);
        assert_int_equal(g.status, 200);
        assert_string_equal(g.body, "early 3 294\n");
        http_got_done(&g);
        close(fd);
    }
    site_stop(&site);
}

enum { CLIENTS = 8, CONNS = 32, ROUNDS = 40 };

static void *client_main(void *arg)
{
    int fd[CONNS];

    (void)arg;
    for (size_t i = 0; i < CONNS; i++)
        fd[i] = http_peer_connect(site.port);
    for (int round = 0; round < ROUNDS; round++) {
        ask_all(fd, CONNS, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc", "synced 3 294\n");
        if (round % 8 == 0)
            ask_all(fd, CONNS, "GET /big?n=9&wait=1" HOST "\r\n", "abcdefghi");
    }
    for (size_t i = 0; i < CONNS; i++)
        close(fd[i]);
    return NULL;
}

static void no_wake_is_lost_under_load(void **state)
{
    pthread_t threads[CLIENTS];

    (void)state;
    for (uint32_t sleep_us = 0; sleep_us <= 200; sleep_us += 200) {
        start(2, sleep_us);
        for (size_t i = 0; i < CLIENTS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, client_main, NULL), 0);
        for (size_t i = 0; i < CLIENTS; i++)
            pthread_join(threads[i], NULL);
        uint64_t asked = (uint64_t)CLIENTS * CONNS * (ROUNDS + ROUNDS / 8);
        assert_true(site_wait_done(&site, asked));
        assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_ANSWERED]), asked);
        assert_int_equal(atomic_load(&site.wakes), asked);
        site_stop(&site);
    }
}

/* Memory is a constant per connection, not per request or byte. */
static void a_thousand_connections_stay_within_their_budget(void **state)
{
    static int fd[1000];
    static char request[60000];
    struct ta_http_stats stats;

    (void)state;
    size_t n_conns = most_connections() < 1000 ? most_connections() : 1000;
    start(1, 0);
    int n = snprintf(request, sizeof(request), "POST /sync" HOST "Content-Length: 52000\r\n\r\n");
    memset(request + n, 'x', 52000);
    site_pause(&site, true);
    for (size_t i = 0; i < n_conns; i++) {
        fd[i] = http_peer_connect(site.port);
        assert_true(http_peer_send(fd[i], request, (size_t)n + 52000));
    }
    for (int i = 0; i < 10000 && atomic_load(&site.begun) < n_conns; i++)
        usleep(1000);
    ta_http_server_stats(site.server, &stats, NULL);
    assert_int_equal(stats.connections, n_conns);
    assert_int_equal(stats.requests_running, n_conns);
    assert_true(stats.memory_bytes < n_conns * 8 * KiB);
    site_pause(&site, false);
    for (size_t i = 0; i < n_conns; i++) {
        struct http_got g;
        http_peer_read(fd[i], false, &g);
        assert_int_equal(g.status, 200);
        http_got_done(&g);
        close(fd[i]);
    }
    site_stop(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wave_of_any_size_is_answered),
        cmocka_unit_test(a_wake_that_comes_before_the_wait_is_not_lost),
        cmocka_unit_test(no_wake_is_lost_under_load),
        cmocka_unit_test(a_thousand_connections_stay_within_their_budget),
    };

    return cmocka_run_group_tests_name("http waiting", tests, NULL, NULL);
}
