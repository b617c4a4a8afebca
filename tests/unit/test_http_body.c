/* Bodies: every split, every coding, early ends; compressed answers. */
#include "http_peer.h"
#include "http_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: x\r\n"

static struct site site;

static int start(void **state)
{
    (void)state;
    memset(&site, 0, sizeof(site));
    site.config.n_workers = 1;
    site_start(&site);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    site_stop(&site);
    return 0;
}

static void expect_answer(int fd, int status, const char *body)
{
    struct http_got g;

    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, status);
    if (body)
        assert_string_equal(g.body, body);
    http_got_done(&g);
}

/* The pieces must reach the server one by one, or the split is none. */
static void pause_a_little(void)
{
    usleep(300);
}

static const char chunked[] = "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n"
                              "5;ext=1\r\nhello\r\n00A\r\n, chunked \r\n1\r\nw\r\n4\r\norld\r\n"
                              "0\r\nTrailer: x\r\n\r\n";
static const char sized[] = "POST /echo" HOST "Content-Length: 20\r\n\r\nhello, chunked world";

static void a_body_split_anywhere_is_the_same_body(void **state)
{
    static const char *const requests[] = {chunked, sized};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        int fd = http_peer_connect(site.port);
        size_t len = strlen(requests[k]);
        for (size_t split = 1; split < len; split++) {
            assert_true(http_peer_send(fd, requests[k], split));
            pause_a_little();
            assert_true(http_peer_send(fd, requests[k] + split, len - split));
            expect_answer(fd, 200, "hello, chunked world");
        }
        for (size_t i = 0; i < len; i++) {
            assert_true(http_peer_send(fd, requests[k] + i, 1));
            pause_a_little();
        }
        expect_answer(fd, 200, "hello, chunked world");
        close(fd);
    }
}

static void a_get_request_may_carry_a_body(void **state)
{
    struct http_got g;

    (void)state;
    http_peer_ask(site.port, "GET /echo" HOST "Content-Length: 2\r\n\r\n{}", &g);
    assert_string_equal(g.body, "{}");
    http_got_done(&g);
    http_peer_ask(site.port,
                  "GET /echo" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", &g);
    assert_string_equal(g.body, "{}");
    http_got_done(&g);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int fd = http_peer_connect(site.port);
    char answers[4096];
    size_t n = 0;

    (void)state;
    assert_true(http_peer_say(fd, "POST /count" HOST "Content-Length: 1\r\n\r\nA"
                                  "POST /sync" HOST "Content-Length: 1\r\n\r\nB"
                                  "POST /count" HOST
                                  "Connection: close\r\nContent-Length: 1\r\n\r\nC"));
    for (ssize_t got;
         n < sizeof(answers) - 1 && (got = recv(fd, answers + n, sizeof(answers) - 1 - n, 0)) > 0;)
        n += (size_t)got;
    answers[n] = 0;
    const char *a = strstr(answers, "1 65\n");
    const char *b = strstr(answers, "synced 1 66\n");
    const char *c = strstr(answers, "1 67\n");
    assert_true(a && b && c && a < b && b < c);
    close(fd);
}

/* ---- Early ends ---- */

static void a_body_that_ends_early_is_400_and_never_complete(void **state)
{
    static const char *const requests[] = {
        "POST /count" HOST "Content-Length: 10\r\n\r\n12345",
        "POST /count" HOST "Content-Length: 10\r\n\r\n",
        "POST /count" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "POST /count" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\n123"};
    struct ta_http_stats stats;

    (void)state;
    for (size_t i = 0; i < TA_COUNT(requests); i++) {
        int fd = http_peer_connect(site.port);
        assert_true(http_peer_say(fd, requests[i]));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        expect_answer(fd, 400, "the body ended early\n");
        close(fd);
        assert_true(site_wait_done(&site, i + 1));
    }
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_GONE]), TA_COUNT(requests));
    ta_http_server_stats(site.server, &stats, NULL);
    assert_int_equal(stats.truncated, TA_COUNT(requests));
}

static void a_malformed_chunk_is_answered_once(void **state)
{
    char answers[4096];
    size_t n = 0;
    int fd = http_peer_connect(site.port);

    (void)state;
    assert_true(http_peer_say(fd, "POST /count" HOST
                                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"));
    for (ssize_t got;
         n < sizeof(answers) - 1 && (got = recv(fd, answers + n, sizeof(answers) - 1 - n, 0)) > 0;)
        n += (size_t)got;
    answers[n] = 0;
    assert_memory_equal(answers, "HTTP/1.1 400 Bad Request\r\n", 26);
    assert_null(strstr(answers + 1, "HTTP/1.1"));
    assert_true(site_wait_done(&site, 1));
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_GONE]), 1);
    close(fd);
}

static void close_hard(int fd)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
    close(fd);
}

static void a_client_that_vanishes_ends_its_request(void **state)
{
    char some[4096];

    (void)state;
    int fd = http_peer_connect(site.port);
    assert_true(http_peer_say(fd, "POST /count" HOST "Content-Length: 10\r\n\r\n123"));
    usleep(20000);
    close_hard(fd);
    assert_true(site_wait_done(&site, 1));

    /* In the middle of an answer, at any depth of it. */
    for (uint64_t i = 0; i < 10; i++) {
        fd = http_peer_connect(site.port);
        assert_true(http_peer_say(fd, "GET /big?n=1000000000" HOST "\r\n"));
        assert_true(recv(fd, some, sizeof(some), 0) > 0);
        close_hard(fd);
        assert_true(site_wait_done(&site, 2 + i));
    }
    assert_int_equal(atomic_load(&site.by_outcome[TA_HTTP_GONE]), 11);

    /* While it waits: found out at the wake. */
    site_pause(&site, true);
    fd = http_peer_connect(site.port);
    assert_true(http_peer_say(fd, "POST /sync" HOST "Content-Length: 1\r\n\r\nA"));
    usleep(50000);
    close_hard(fd);
    usleep(50000);
    site_pause(&site, false);
    assert_true(site_wait_done(&site, 12));
}

/* ---- Compressed bodies ---- */

static char *plain;
static size_t plain_len;
static char expected[64];

static int make_text(void **state)
{
    uint64_t sum = 0;

    (void)state;
    plain = malloc(400000);
    for (int i = 0; plain_len < 300000; i++)
        plain_len += (size_t)sprintf(plain + plain_len, "cpu_load,hostname=n%04d value=%d\n", i,
                                     i * 7919 % 1000);
    for (size_t i = 0; i < plain_len; i++)
        sum += (unsigned char)plain[i];
    sprintf(expected, "%zu %llu\n", plain_len, (unsigned long long)sum);
    return 0;
}

static int drop_text(void **state)
{
    (void)state;
    free(plain);
    return 0;
}

static size_t press_zlib(const void *p, size_t n, int window, char *out, size_t room)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)p;
    z.avail_in = (unsigned)n;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = z.total_out;
    deflateEnd(&z);
    return len;
}

static void post(int fd, const char *path, const char *coding, const char *body, size_t n,
                 size_t step)
{
    char head[256];

    snprintf(head, sizeof(head),
             "POST %s" HOST "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", path, coding, n);
    assert_true(http_peer_say(fd, head));
    for (size_t at = 0; at < n; at += step) {
        assert_true(http_peer_send(fd, body + at, n - at < step ? n - at : step));
        if (step < n)
            pause_a_little();
    }
}

static void a_compressed_body_is_decompressed(void **state)
{
    static char pressed[400000];
    static const char *const routes[] = {"/count", "/slow"};

    (void)state;
    for (size_t r = 0; r < 2; r++) {
        for (size_t step = 977; step <= 400000; step *= 20) {
            int fd = http_peer_connect(site.port);
            size_t n = press_zlib(plain, plain_len, 15 + 16, pressed, sizeof(pressed));
            post(fd, routes[r], "gzip", pressed, n, step);
            expect_answer(fd, 200, expected);
            n = press_zlib(plain, plain_len, 15, pressed, sizeof(pressed));
            post(fd, routes[r], "deflate", pressed, n, step);
            expect_answer(fd, 200, expected);
            n = ZSTD_compress(pressed, sizeof(pressed), plain, plain_len, 3);
            post(fd, routes[r], "zstd", pressed, n, step);
            expect_answer(fd, 200, expected);
            /* Two members are one body. */
            n = press_zlib(plain, 1000, 15 + 16, pressed, sizeof(pressed));
            n += press_zlib(plain + 1000, plain_len - 1000, 15 + 16, pressed + n,
                            sizeof(pressed) - n);
            post(fd, routes[r], "x-gzip", pressed, n, step);
            expect_answer(fd, 200, expected);
            post(fd, routes[r], "identity", plain, plain_len, step * 10);
            expect_answer(fd, 200, expected);
            close(fd);
        }
    }
}

static void a_damaged_or_unknown_coding_is_refused(void **state)
{
    static char pressed[400000];
    int fd = http_peer_connect(site.port);

    (void)state;
    post(fd, "/count", "br", "abc", 3, 3);
    expect_answer(fd, 415, NULL);
    size_t n = press_zlib(plain, plain_len, 15 + 16, pressed, sizeof(pressed));
    post(fd, "/count", "gzip", pressed, n - 1, n);
    expect_answer(fd, 400,
                  "{\"status\":\"Bad Request\",\"error\":\"the compressed body ends early\"}\n");
    pressed[n / 2] ^= 0x55;
    post(fd, "/count", "gzip", pressed, n, n);
    expect_answer(fd, 400, NULL);
    post(fd, "/count", "deflate", plain, 1000, 1000);
    expect_answer(fd, 400, NULL);
    post(fd, "/count", "gzip", "\x1f\x8b nothing", 10, 10);
    expect_answer(fd, 400, NULL);
    n = ZSTD_compress(pressed, sizeof(pressed), plain, plain_len, 3);
    post(fd, "/count", "zstd", pressed, n - 1, n);
    expect_answer(fd, 400, NULL);
    post(fd, "/count", "zstd", plain, 1000, 1000);
    expect_answer(fd, 400, NULL);
    n = press_zlib(plain, 1000, 15, pressed, sizeof(pressed));
    memcpy(pressed + n, "more", 4);
    post(fd, "/count", "deflate", pressed, n + 4, n + 4);
    expect_answer(fd, 400, NULL);
    close(fd);
}

/* The reference ignores the header, so such senders work there. */
static void text_that_is_announced_as_gzip_is_taken_as_it_is(void **state)
{
    int fd = http_peer_connect(site.port);

    (void)state;
    post(fd, "/count", "gzip", plain, plain_len, plain_len);
    expect_answer(fd, 200, expected);
    post(fd, "/count", "gzip", plain, plain_len, 100000);
    expect_answer(fd, 200, expected);
    post(fd, "/count", "gzip", "", 0, 1);
    expect_answer(fd, 200, "0 0\n");
    close(fd);
}

static void a_bomb_is_refused_while_it_is_small(void **state)
{
    static char zeros[1 << 20], pressed[1 << 20];
    struct ta_http_stats stats;
    z_stream z = {0};

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = (unsigned char *)pressed;
    z.avail_out = sizeof(pressed);
    for (int i = 0; i < 256; i++) {
        z.next_in = (unsigned char *)zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, i < 255 ? Z_NO_FLUSH : Z_FINISH),
                         i < 255 ? Z_OK : Z_STREAM_END);
    }
    size_t n = z.total_out;
    deflateEnd(&z);
    int fd = http_peer_connect(site.port);
    post(fd, "/count", "gzip", pressed, n, n);
    expect_answer(fd, 413, NULL);
    post(fd, "/small", "gzip", pressed, 900, 900);
    expect_answer(fd, 413, NULL);
    n = ZSTD_compress(pressed, sizeof(pressed), zeros, sizeof(zeros), 3);
    for (size_t i = 1; i < 64; i++)
        memcpy(pressed + i * n, pressed, n);
    post(fd, "/count", "zstd", pressed, 64 * n, 64 * n);
    expect_answer(fd, 413, NULL);
    ta_http_server_stats(site.server, &stats, NULL);
    assert_true(stats.memory_peak_bytes < 4 * MiB);
    close(fd);
}

/* ---- Compressed answers ---- */

static size_t unpress(const struct http_got *g, char *out, size_t room)
{
    z_stream z = {0};

    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    z.next_in = (unsigned char *)g->body;
    z.avail_in = (unsigned)g->body_len;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)room;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = z.total_out;
    inflateEnd(&z);
    return n;
}

static void a_large_answer_is_compressed_when_the_client_accepts_it(void **state)
{
    static const struct {
        const char *path, *accept;
        size_t n;
        bool pressed;
    } list[] = {
        {"/big?n=1023", "gzip", 1023, false},
        {"/big?n=1024", "gzip", 1024, true},
        {"/big?n=500000", "deflate, gzip;q=0.5", 500000, true},
        {"/big?n=500000&wait=1", "GZIP", 500000, true},
        {"/big?n=500000", "gzip;q=0", 500000, false},
        {"/big?n=500000", "gzip;q=0.000, br", 500000, false},
        {"/big?n=500000", "br, gzipped", 500000, false},
    };
    static char out[600000];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        char request[256];
        struct http_got g;
        snprintf(request, sizeof(request), "GET %s" HOST "Accept-Encoding: %s\r\n\r\n",
                 list[i].path, list[i].accept);
        http_peer_ask(site.port, request, &g);
        assert_int_equal(g.status, 200);
        assert_true(g.is_whole);
        assert_int_equal(http_got_header(&g, "Content-Encoding") != NULL, list[i].pressed);
        size_t n = list[i].pressed ? unpress(&g, out, sizeof(out)) : g.body_len;
        const char *text = list[i].pressed ? out : g.body;
        assert_int_equal(n, list[i].n);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(text[k], 'a' + (int)(k % 23));
        http_got_done(&g);
    }
}

static void back_pressure_loses_no_byte(void **state)
{
    (void)state;
    int fd = http_peer_connect(site.port);
    post(fd, "/slow", "identity", plain, plain_len, plain_len);
    expect_answer(fd, 200, expected);
    assert_true(atomic_load(&site.wakes) >= plain_len / 1000);
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_body_split_anywhere_is_the_same_body),
        TEST(a_get_request_may_carry_a_body),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_body_that_ends_early_is_400_and_never_complete),
        TEST(a_malformed_chunk_is_answered_once),
        TEST(a_client_that_vanishes_ends_its_request),
        TEST(a_compressed_body_is_decompressed),
        TEST(a_damaged_or_unknown_coding_is_refused),
        TEST(text_that_is_announced_as_gzip_is_taken_as_it_is),
        TEST(a_bomb_is_refused_while_it_is_small),
        TEST(a_large_answer_is_compressed_when_the_client_accepts_it),
        TEST(back_pressure_loses_no_byte),
    };

    return cmocka_run_group_tests_name("http bodies", tests, make_text, drop_text);
}
