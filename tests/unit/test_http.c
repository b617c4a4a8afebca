/* The HTTP server: routes, tokens, generic answers, framing, limits - on the wire. */
#include "http_peer.h"
#include "http_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Recorded from the reference (golden/http, session 01-main). */
static const char recorded_key[] = "14W0lYPuc2xmz1Xch0dPTzN8lxv8PWnLoeIeZ3Y2U68=";
#define TOKEN                                                                                      \
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyaWciLCJyb2xlcyI6WyJST0xFX0FQSSJdfQ."         \
    "ZgsTFP7ExRG0xiW2JP_iLI7S4rXEjTlDJ2DeWBbfrl6P-PAryUAaddIWt4ggeuDIJTcz9qqr-G7WlCMj-UXqDg"
#define AUTH  "Authorization: Bearer " TOKEN "\r\n"
#define HOST  " HTTP/1.1\r\nHost: x\r\n"
#define PLAIN "text/plain; charset=utf-8"

static struct site site;
static struct ta_jwt *jwt;

static int start(void **state)
{
    (void)state;
    memset(&site, 0, sizeof(site));
    assert_int_equal(ta_jwt_new(&jwt, ta_str(recorded_key), &ta_heap, NULL), TA_OK);
    site.config.jwt = jwt;
    site.config.n_workers = 2;
    site_start(&site);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    site_stop(&site);
    ta_jwt_free(jwt);
    return 0;
}

struct expectation {
    const char *request;
    int status;
    const char *body; /* NULL: any */
    const char *type; /* NULL: none */
    const char *header, *value;
};

static void expect(const struct expectation *e)
{
    struct http_got g;

    http_peer_ask(site.port, e->request, &g);
    if (g.status != e->status)
        print_error("request: %s\nanswer: %s", e->request, g.head);
    assert_int_equal(g.status, e->status);
    assert_true(g.is_whole);
    if (e->body)
        assert_string_equal(g.body ? g.body : "", e->body);
    if (e->type)
        assert_string_equal(http_got_header(&g, "Content-Type"), e->type);
    else
        assert_null(http_got_header(&g, "Content-Type"));
    if (e->header && e->value)
        assert_string_equal(http_got_header(&g, e->header), e->value);
    http_got_done(&g);
}

static void expect_all(const struct expectation *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect(&list[i]);
}

static void generic_answers_are_those_of_the_reference(void **state)
{
    static const char not_found[] = "404 page not found\n";
    static const char not_allowed[] = "Method Not Allowed\n";
    static const struct expectation list[] = {
        {"GET /" HOST AUTH "\r\n", 404, not_found, PLAIN, "X-Content-Type-Options", "nosniff"},
        {"GET /api" HOST AUTH "\r\n", 404, not_found, PLAIN, "Content-Length", "19"},
        {"GET /api/nope" HOST AUTH "\r\n", 404, not_found, PLAIN, NULL, NULL},
        {"GET /api/queryx" HOST AUTH "\r\n", 404, not_found, PLAIN, NULL, NULL},
        {"GET /api/write" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "Allow", "POST"},
        {"PUT /api/write" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "Allow", "POST"},
        {"DELETE /api/free" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "Allow", "POST"},
        {"POST /api/debug" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "Allow", "GET, HEAD"},
        {"OPTIONS /api/query" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "Allow", "GET, HEAD"},
        {"BREW /api/query" HOST AUTH "\r\n", 405, not_allowed, PLAIN, "X-Content-Type-Options",
         "nosniff"},
        {"POST /api/query?version=v2" HOST AUTH "Content-Length: 5\r\n\r\n12345", 405, not_allowed,
         PLAIN, "Content-Length", "19"},
        {"GET /api/query" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        {"GET /api/query/" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        {"GET /api/query/more" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        {"POST /api/write/deeper" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        {"GET http://x/api/query" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        {"HEAD /api/query" HOST AUTH "\r\n", 200, "", "text/plain", "Content-Length", "3"},
    };

    (void)state;
    expect_all(list, TA_COUNT(list));
}

static void an_unclean_path_is_redirected_to_the_clean_one(void **state)
{
    static const struct expectation list[] = {
        {"GET //api/query" HOST "\r\n", 307, "<a href=\"/api/query\">Temporary Redirect</a>.\n\n",
         "text/html; charset=utf-8", "Location", "/api/query"},
        {"GET /api/../api/./query/?a=b&c=%20" HOST "\r\n", 307,
         "<a href=\"/api/query/?a=b&amp;c=%20\">Temporary Redirect</a>.\n\n",
         "text/html; charset=utf-8", "Location", "/api/query/?a=b&c=%20"},
        {"POST /api//write" HOST "Content-Length: 3\r\n\r\nabc", 307, "", NULL, "Location",
         "/api/write"},
        {"GET /%2e%2e/a%20b/./" HOST "\r\n", 307, NULL, "text/html; charset=utf-8", "Location",
         "/a%20b/"},
        {"GET /a/%zz" HOST "\r\n", 400, "malformed request target\n", PLAIN, NULL, NULL},
        {"GET /a%00b" HOST "\r\n", 400, "malformed request target\n", PLAIN, NULL, NULL},
    };

    (void)state;
    expect_all(list, TA_COUNT(list));
}

#define QUERY "GET /api/query" HOST
static void tokens_are_refused_in_the_words_of_the_reference(void **state)
{
    static const char use_jwt[] = "Use JWT Authentication\n";
    static const struct expectation list[] = {
        {QUERY "\r\n", 401, use_jwt, PLAIN, "Content-Length", "23"},
        {"POST /api/write" HOST "Content-Length: 3\r\n\r\nabc", 401, use_jwt, PLAIN,
         "X-Content-Type-Options", "nosniff"},
        {QUERY "Authorization: Token " TOKEN "\r\n\r\n", 401, use_jwt, PLAIN, NULL, NULL},
        {QUERY "Authorization: bearer " TOKEN "\r\n\r\n", 401, use_jwt, PLAIN, NULL, NULL},
        {QUERY "Authorization: Bearer \r\n\r\n", 401, use_jwt, PLAIN, NULL, NULL},
        {QUERY "Authorization: Bearer abc\r\n\r\n", 401,
         "token contains an invalid number of segments\n", PLAIN, NULL, NULL},
        {QUERY "Authorization: Bearer " TOKEN "A\r\n\r\n", 401, NULL, PLAIN, NULL, NULL},
        {QUERY AUTH AUTH "\r\n", 400, "repeated header\n", PLAIN, NULL, NULL},
        {"POST /influx" HOST "Authorization: Token " TOKEN "\r\n\r\n", 200, "ok\n", "text/plain",
         NULL, NULL},
        {"POST /influx" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
        /* Roles count only when the server is told to check them. */
        {"DELETE /admin" HOST AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
    };

    (void)state;
    expect_all(list, TA_COUNT(list));
}

static void roles_count_when_the_server_checks_them(void **state)
{
    static const struct expectation list[] = {
        {"DELETE /admin" HOST AUTH "\r\n", 403, NULL, PLAIN, NULL, NULL},
        {QUERY AUTH "\r\n", 200, "ok\n", "text/plain", NULL, NULL},
    };

    stop(state);
    memset(&site, 0, sizeof(site));
    assert_int_equal(ta_jwt_new(&jwt, ta_str(recorded_key), &ta_heap, NULL), TA_OK);
    site.config.jwt = jwt;
    site.config.check_roles = true;
    site_start(&site);
    expect_all(list, TA_COUNT(list));
}

static void a_body_that_can_be_read_in_two_ways_is_refused(void **state)
{
#define ECHO "POST /echo" HOST
    static const struct expectation list[] = {
        {ECHO "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, NULL, PLAIN, NULL, NULL},
        {ECHO "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL, PLAIN,
         NULL, NULL},
        {ECHO "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         NULL, PLAIN, NULL, NULL},
        {ECHO "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, NULL, PLAIN, NULL, NULL},
        {ECHO "Transfer-Encoding: identity\r\n\r\n", 501, NULL, PLAIN, NULL, NULL},
        {ECHO "Content-Length : 3\r\n\r\nabc", 400, NULL, PLAIN, NULL, NULL},
        {ECHO "X\x01Y: 3\r\n\r\n", 400, NULL, PLAIN, NULL, NULL},
        {ECHO "X: a\x02\r\n\r\n", 400, NULL, PLAIN, NULL, NULL},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, NULL, PLAIN, NULL, NULL},
        {ECHO "Expect: something\r\n\r\n", 417, NULL, PLAIN, NULL, NULL},
    };
    static const char *const by_library[] = {ECHO "Content-Length: +3\r\n\r\nabc",
                                             ECHO "Content-Length: -3\r\n\r\nabc",
                                             ECHO "Content-Length: 0x3\r\n\r\nabc",
                                             ECHO "Content-Length: 3, 3\r\n\r\nabc",
                                             ECHO "Content-Length:\r\n\r\n",
                                             "GET /hello HTTP/1.1\r\n\r\n",
                                             ECHO "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"};

    (void)state;
    expect_all(list, TA_COUNT(list));
    for (size_t i = 0; i < TA_COUNT(by_library); i++) {
        struct http_got g;
        http_peer_ask(site.port, by_library[i], &g);
        assert_int_equal(g.status, 400);
        http_got_done(&g);
    }
}

static void what_is_too_large_is_refused_with_its_status(void **state)
{
    static char text[20000], filler[9000];
    struct http_got g;

    (void)state;
    memset(filler, 'a', sizeof(filler) - 1);
    snprintf(text, sizeof(text), "GET /%s" HOST "\r\n", filler + 2000);
    http_peer_ask(site.port, text, &g);
    assert_int_equal(g.status, 414);
    assert_string_equal(g.body, "the request target is too long\n");
    http_got_done(&g);

    snprintf(text, sizeof(text), "GET /hello" HOST "X: %s\r\n\r\n", filler);
    http_peer_ask(site.port, text, &g);
    assert_int_equal(g.status, 431);
    http_got_done(&g);

    size_t n = (size_t)snprintf(text, sizeof(text), "GET /hello" HOST);
    for (int i = 0; i < 101; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "a:b\r\n");
    snprintf(text + n, sizeof(text) - n, "\r\n");
    http_peer_ask(site.port, text, &g);
    assert_int_equal(g.status, 431);
    assert_string_equal(g.body, "the headers are too large\n");
    http_got_done(&g);

    snprintf(text, sizeof(text), "POST /small" HOST "Content-Length: 1001\r\n\r\n%.1001s", filler);
    http_peer_ask(site.port, text, &g);
    assert_int_equal(g.status, 413);
    assert_string_equal(g.body, "{\"status\":\"Request Entity Too Large\",\"error\":\"the body is "
                                "larger than 1000 bytes\"}\n");
    http_got_done(&g);

    snprintf(text, sizeof(text),
             "POST /small" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n%.1001s\r\n0\r\n\r\n",
             filler);
    http_peer_ask(site.port, text, &g);
    assert_int_equal(g.status, 413);
    http_got_done(&g);
}

static void a_client_that_asks_first_is_answered_without_sending(void **state)
{
    struct http_got g;

    (void)state;
    int fd = http_peer_connect(site.port);
    assert_true(http_peer_say(fd, "POST /small" HOST
                                  "Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n"));
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 413);
    http_got_done(&g);
    close(fd);

    fd = http_peer_connect(site.port);
    assert_true(
        http_peer_say(fd, "POST /count" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    char line[64] = {0};
    assert_int_equal(read(fd, line, 25), 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_true(http_peer_say(fd, "abc"));
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 200);
    assert_string_equal(g.body, "3 294\n");
    http_got_done(&g);
    close(fd);
}

/* A refused client that sends first and reads later must be able to read its answer. */
static void an_early_refusal_of_a_large_body_reaches_the_client(void **state)
{
    static char block[65536];
    struct http_got g;

    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = http_peer_connect(site.port);
        assert_true(http_peer_say(
            fd, chunked ? "POST /nope" HOST "Transfer-Encoding: chunked\r\n\r\n2000000\r\n"
                        : "POST /nope" HOST "Content-Length: 33554432\r\n\r\n"));
        for (int i = 0; i < 64; i++)
            if (!http_peer_send(fd, block, sizeof(block)))
                break;
        http_peer_read(fd, false, &g);
        assert_int_equal(g.status, 404);
        assert_string_equal(g.body, "404 page not found\n");
        http_got_done(&g);
        close(fd);
    }
}

static void several_requests_share_a_connection(void **state)
{
    struct http_got g;

    (void)state;
    int fd = http_peer_connect(site.port);
    for (int i = 0; i < 50; i++) {
        assert_true(http_peer_say(fd, i % 2 ? "GET /hello" HOST "\r\n"
                                            : "POST /count" HOST "Content-Length: 1\r\n\r\nA"));
        http_peer_read(fd, false, &g);
        assert_int_equal(g.status, 200);
        assert_string_equal(g.body, i % 2 ? "hello\n" : "1 65\n");
        http_got_done(&g);
    }
    /* A refused body of bearable size does not cost the connection. */
    assert_true(http_peer_say(fd, "POST /nope" HOST "Content-Length: 3\r\n\r\nabc"));
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 404);
    http_got_done(&g);
    assert_true(http_peer_say(fd, "GET /hello" HOST "\r\n"));
    http_peer_read(fd, false, &g);
    assert_int_equal(g.status, 200);
    http_got_done(&g);
    close(fd);
}

static void a_failing_handler_gives_the_status_of_its_error(void **state)
{
    static const struct {
        int code, status;
        const char *reason;
    } list[] = {{TA_EINVAL, 400, "Bad Request"},
                {TA_EFORMAT, 400, "Bad Request"},
                {TA_EDENIED, 403, "Forbidden"},
                {TA_ENOTFOUND, 404, "Not Found"},
                {TA_ERANGE, 413, "Request Entity Too Large"},
                {TA_ENOMEM, 503, "Service Unavailable"},
                {TA_ECANCELED, 503, "Service Unavailable"},
                {TA_EIO, 500, "Internal Server Error"}};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        char request[128], body[128];
        snprintf(request, sizeof(request), "POST /fail?code=%d" HOST "\r\n", list[i].code);
        snprintf(body, sizeof(body),
                 "{\"status\":\"%s\",\"error\":\"failed \\u003cas\\u003e asked\"}\n",
                 list[i].reason);
        const struct expectation e = {request, list[i].status, body, "application/json", NULL,
                                      NULL};
        expect(&e);
    }
}

static void a_streamed_answer_is_chunked_only_when_it_is_large(void **state)
{
    struct http_got g;

    (void)state;
    http_peer_ask(site.port, "GET /big?n=32768" HOST "\r\n", &g);
    assert_int_equal(g.status, 200);
    assert_string_equal(http_got_header(&g, "Content-Length"), "32768");
    http_got_done(&g);

    http_peer_ask(site.port, "GET /big?n=1000000&wait=1" HOST "\r\n", &g);
    assert_int_equal(g.status, 200);
    assert_true(g.is_whole);
    assert_int_equal(g.body_len, 1000000);
    for (size_t i = 0; i < g.body_len; i++)
        assert_int_equal(g.body[i], 'a' + (int)(i % 23));
    http_got_done(&g);

    http_peer_ask(site.port, "HEAD /big?n=1000" HOST "\r\n", &g);
    assert_int_equal(g.status, 200);
    assert_string_equal(http_got_header(&g, "Content-Length"), "1000");
    http_got_done(&g);

    http_peer_ask(site.port, "HEAD /big?n=1000000" HOST "\r\n", &g);
    assert_int_equal(g.status, 200);
    http_got_done(&g);
}

static void a_broken_stream_is_never_taken_for_a_whole_answer(void **state)
{
    struct http_got g;

    (void)state;
    http_peer_ask(site.port, "GET /break?n=100000" HOST "\r\n", &g);
    assert_int_equal(g.status, 200);
    assert_false(g.is_whole);
    http_got_done(&g);

    /* Before the first byte has left, it is an error answer. */
    char request[64];
    snprintf(request, sizeof(request), "GET /break?n=0&code=%d" HOST "\r\n", TA_EIO);
    http_peer_ask(site.port, request, &g);
    assert_int_equal(g.status, 500);
    assert_string_equal(http_got_header(&g, "Content-Type"), "application/json");
    http_got_done(&g);
}

static void connections_over_the_limits_are_told(void **state)
{
    struct http_got g;
    int fd[9];

    stop(state);
    memset(&site, 0, sizeof(site));
    assert_int_equal(ta_jwt_new(&jwt, ta_str(recorded_key), &ta_heap, NULL), TA_OK);
    site.config.limits.connections = 16;
    site.config.limits.connections_per_peer = 8;
    site_start(&site);
    for (int i = 0; i < 9; i++)
        fd[i] = http_peer_connect(site.port);
    /* Which of them was one too many is the kernel's choice: ask all. */
    int served = 0, refused = 0;
    for (int i = 0; i < 9; i++) {
        (void)http_peer_say(fd[i], "GET /hello" HOST "\r\n");
        http_peer_read(fd[i], false, &g);
        served += g.status == 200;
        refused += g.status == 503;
        http_got_done(&g);
    }
    for (int i = 0; i < 9; i++)
        close(fd[i]);
    assert_int_equal(served, 8);
    assert_int_equal(refused, 1);
    /* Closed ones no longer count. */
    for (int i = 0; i < 200 && served < 9; i++) {
        http_peer_ask(site.port, "GET /hello" HOST "\r\n", &g);
        served += g.status == 200;
        http_got_done(&g);
        usleep(10000);
    }
    assert_int_equal(served, 9);
}

static void requests_are_counted_by_route_and_status(void **state)
{
    struct ta_http_stats stats;
    struct ta_http_route_stats routes[32] = {0};
    struct http_got g;

    (void)state;
    for (int i = 0; i < 3; i++) {
        http_peer_ask(site.port, "POST /count" HOST "Content-Length: 10\r\n\r\n0123456789", &g);
        http_got_done(&g);
    }
    http_peer_ask(site.port, "GET /nowhere" HOST "\r\n", &g);
    http_got_done(&g);
    assert_true(site_wait_done(&site, 3));
    for (int i = 0; i < 1000; i++) {
        ta_http_server_stats(site.server, &stats, routes);
        if (!stats.connections)
            break;
        usleep(1000);
    }
    size_t ok = 0, missing = 0;
    for (size_t i = 0; i < TA_HTTP_STATUSES; i++) {
        ok = ta_http_status_of(i) == 200 ? i : ok;
        missing = ta_http_status_of(i) == 404 ? i : missing;
    }
    assert_int_equal(routes[2].by_status[ok], 3);
    assert_int_equal(routes[2].body_bytes, 30);
    assert_int_equal(routes[2].answer_bytes, 3 * strlen("10 525\n"));
    assert_int_equal(routes[site.config.n_routes].by_status[missing], 1);
    uint64_t timed = 0;
    for (size_t i = 0; i < TA_HTTP_BUCKETS; i++)
        timed += routes[2].latency[i];
    assert_int_equal(timed, 3);
    assert_int_equal(stats.accepted, 4);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.requests_running, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(generic_answers_are_those_of_the_reference),
        TEST(an_unclean_path_is_redirected_to_the_clean_one),
        TEST(tokens_are_refused_in_the_words_of_the_reference),
        TEST(roles_count_when_the_server_checks_them),
        TEST(a_body_that_can_be_read_in_two_ways_is_refused),
        TEST(what_is_too_large_is_refused_with_its_status),
        TEST(a_client_that_asks_first_is_answered_without_sending),
        TEST(an_early_refusal_of_a_large_body_reaches_the_client),
        TEST(several_requests_share_a_connection),
        TEST(a_failing_handler_gives_the_status_of_its_error),
        TEST(a_streamed_answer_is_chunked_only_when_it_is_large),
        TEST(a_broken_stream_is_never_taken_for_a_whole_answer),
        TEST(connections_over_the_limits_are_told),
        TEST(requests_are_counted_by_route_and_status),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
