/* The HTTP client pulls answers of any size through one buffer and never calls a broken one
 * complete. The peer is a thread that plays canned bytes on a loopback socket. */
#include "rest/client.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TALKS_MAX = 4 };

/* Answers its requests in turn, on as many connections as the client opens. */
struct peer {
    int listener, port;
    pthread_t thread;
    const char *answer[TALKS_MAX];
    int n;
    int blocks;      /* after each answer: this many blocks of 1000 'x' */
    char seen[8192]; /* what the client sent */
    size_t seen_len;
    int connections;
};

static size_t body_length(const char *head)
{
    const char *at = strstr(head, "Content-Length: ");

    return at ? strtoul(at + 16, NULL, 10) : 0;
}

static int read_request(struct peer *p, int fd)
{
    char *start = p->seen + p->seen_len;

    for (;;) {
        ssize_t got = recv(fd, p->seen + p->seen_len, sizeof(p->seen) - 1 - p->seen_len, 0);
        if (got <= 0)
            return 0;
        p->seen_len += (size_t)got;
        p->seen[p->seen_len] = 0;
        char *end = strstr(start, "\r\n\r\n");
        if (end && (size_t)(p->seen + p->seen_len - end - 4) >= body_length(start))
            return 1;
    }
}

static void send_all(int fd, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, at, n, MSG_NOSIGNAL);
        if (put <= 0)
            return;
        at += put;
        n -= (size_t)put;
    }
}

static void *play(void *arg)
{
    struct peer *p = arg;
    char block[1000];

    memset(block, 'x', sizeof(block));
    for (int served = 0; served < p->n;) {
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        p->connections++;
        while (served < p->n && read_request(p, fd)) {
            send_all(fd, p->answer[served], strlen(p->answer[served]));
            for (int i = 0; i < p->blocks; i++)
                send_all(fd, block, sizeof(block));
            served++;
        }
        close(fd);
    }
    return NULL;
}

static void peer_start(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);

    while (p->n < TALKS_MAX && p->answer[p->n])
        p->n++;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->listener >= 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 8), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, play, p), 0);
}

static void peer_stop(struct peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

static struct ta_rest_client *client(struct ta_alloc *alloc)
{
    struct ta_rest_conf conf = {.connect_ms = 2000, .idle_ms = 5000, .total_ms = 20000};
    struct ta_rest_client *c = NULL;

    assert_int_equal(ta_rest_client_new(&c, &conf, alloc, NULL), TA_OK);
    return c;
}

static char *url_of(const struct peer *p, char *url)
{
    snprintf(url, 64, "http://127.0.0.1:%d/a?b=c", p->port);
    return url;
}

static int get(struct ta_rest_client *c, const struct peer *p, struct ta_buf *into, int *status,
               struct ta_err *err)
{
    char url[64];
    struct ta_rest_request req = {.method = "GET", .url = url_of(p, url), .decode = true};
    struct ta_rest_answer *answer = NULL;
    int r = ta_rest_begin(c, &req, &answer, err);

    if (r < 0)
        return r;
    *status = answer->status;
    return ta_rest_read_all(c, answer, into, err);
}

static void connections_are_kept_and_headers_are_found(void **state)
{
    struct peer p = {.answer = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: one\r\n\r\nhello",
                                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nx-a:two\r\n\r\n"}};
    struct ta_buf body;
    int status = 0;

    (void)state;
    peer_start(&p);
    struct ta_rest_client *c = client(&ta_heap);
    ta_buf_init(&body, &ta_heap, 100);
    assert_int_equal(get(c, &p, &body, &status, NULL), TA_OK);
    assert_int_equal(status, 200);
    assert_true(ta_str_is(ta_buf_view(&body), "hello"));
    assert_true(ta_str_is(ta_rest_header(c, "x-a"), "one"));
    ta_buf_reset(&body);
    assert_int_equal(get(c, &p, &body, &status, NULL), TA_OK);
    assert_int_equal(status, 404);
    assert_int_equal(body.len, 0);
    assert_true(ta_str_is(ta_rest_header(c, "X-A"), "two"));
    assert_null(ta_rest_header(c, "X-B").at);
    ta_rest_client_free(c);
    peer_stop(&p);
    assert_int_equal(p.connections, 1);
    ta_buf_done(&body);
}

static void a_large_answer_is_pulled_through_a_bounded_buffer(void **state)
{
    struct peer p = {.answer = {"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n"},
                     .blocks = 20000};
    struct ta_budget budget;
    struct ta_rest_answer *answer = NULL;
    unsigned char piece[7777];
    char url[64];
    uint64_t sum = 0;
    int64_t got;

    (void)state;
    peer_start(&p);
    ta_budget_init(&budget, "client", 0, &ta_heap);
    struct ta_rest_client *c = client(&budget.alloc);
    struct ta_rest_request req = {.method = "GET", .url = url_of(&p, url)};
    assert_int_equal(ta_rest_begin(c, &req, &answer, NULL), TA_OK);
    while ((got = answer->body.read(&answer->body, piece, sizeof(piece), NULL)) > 0)
        sum += (uint64_t)got;
    assert_int_equal(got, 0);
    assert_int_equal(sum, 20000000);
    ta_rest_client_free(c);
    peer_stop(&p);
    assert_true(budget.peak < 128 * KiB);
    assert_int_equal(ta_budget_used(&budget), 0);
}

static void cut_short_by(const char *answer)
{
    struct peer p = {.answer = {answer}};
    struct ta_buf body;
    struct ta_err err = {0};
    int status = 0;

    peer_start(&p);
    struct ta_rest_client *c = client(&ta_heap);
    ta_buf_init(&body, &ta_heap, 100);
    assert_int_equal(get(c, &p, &body, &status, &err), TA_EIO);
    assert_true(err.text[0] != 0);
    ta_buf_done(&body);
    ta_rest_client_free(c);
    peer_stop(&p);
}

static void a_connection_that_ends_early_is_an_error_not_an_end(void **state)
{
    (void)state;
    cut_short_by("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    cut_short_by("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    cut_short_by("HTTP/1.1 200 OK\r\nContent-Le");
    cut_short_by("HTTP/1.1 200 OK\r\n");
    cut_short_by("");
    cut_short_by("this is no HTTP\r\n\r\n");
}

static void trailers_are_readable_after_the_body(void **state)
{
    struct peer p = {.answer = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5\r\nhello\r\n0\r\nX-REST-Status: 403\r\n\r\n"}};
    struct ta_buf body;
    int status = 0;

    (void)state;
    peer_start(&p);
    struct ta_rest_client *c = client(&ta_heap);
    ta_buf_init(&body, &ta_heap, 100);
    assert_int_equal(get(c, &p, &body, &status, NULL), TA_OK);
    assert_true(ta_str_is(ta_rest_header(c, "X-REST-Status"), "403"));
    ta_buf_done(&body);
    ta_rest_client_free(c);
    peer_stop(&p);
}

static void a_body_of_known_size_is_sent_from_its_source(void **state)
{
    struct peer p = {.answer = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    struct ta_rest_header extra[] = {{"X-Trace", "abc"}, {"X-Empty", ""}};
    struct ta_mem_source text;
    struct ta_rest_answer *answer = NULL;
    struct ta_buf body;
    char url[64];

    (void)state;
    peer_start(&p);
    struct ta_rest_client *c = client(&ta_heap);
    ta_mem_source_init(&text, "[\"a\",\"b\"]", 9, 2);
    struct ta_rest_request req = {.method = "POST",
                                  .url = url_of(&p, url),
                                  .headers = extra,
                                  .n_headers = 2,
                                  .body = &text.source,
                                  .body_bytes = 9};
    assert_int_equal(ta_rest_begin(c, &req, &answer, NULL), TA_OK);
    ta_buf_init(&body, &ta_heap, 10);
    assert_int_equal(ta_rest_read_all(c, answer, &body, NULL), TA_OK);
    ta_rest_client_free(c);
    peer_stop(&p);
    assert_non_null(strstr(p.seen, "POST /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(p.seen, "X-Trace: abc\r\n"));
    assert_non_null(strstr(p.seen, "X-Empty:\r\n"));
    assert_non_null(strstr(p.seen, "\r\n\r\n[\"a\",\"b\"]"));
    assert_null(strstr(p.seen, "Expect"));
}

static void nobody_listening_and_bad_requests_are_told_apart(void **state)
{
    struct ta_rest_client *c = client(&ta_heap);
    struct ta_rest_answer *answer = NULL;
    struct ta_rest_request req = {.method = "GET", .url = "http://127.0.0.1:1/"};
    struct ta_rest_header split[] = {{"X-A", "a\r\nX-B: b"}};

    (void)state;
    assert_int_equal(ta_rest_begin(c, &req, &answer, NULL), TA_EIO);
    req.url = "file:///etc/passwd";
    assert_int_equal(ta_rest_begin(c, &req, &answer, NULL), TA_EINVAL);
    req.url = "http://127.0.0.1:1/";
    req.headers = split;
    req.n_headers = 1;
    assert_int_equal(ta_rest_begin(c, &req, &answer, NULL), TA_EINVAL);
    ta_rest_client_free(c);
}

static void a_stop_ends_the_wait(void **state)
{
    _Atomic bool stop = true;
    struct peer p = {.answer = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}};
    struct ta_rest_conf conf = {.stop = &stop};
    struct ta_rest_client *c = NULL;
    struct ta_buf body;
    int status = 0;

    (void)state;
    peer_start(&p);
    ta_buf_init(&body, &ta_heap, 10);
    assert_int_equal(ta_rest_client_new(&c, &conf, &ta_heap, NULL), TA_OK);
    assert_int_equal(get(c, &p, &body, &status, NULL), TA_ECANCELED);
    ta_rest_client_free(c);
    ta_buf_done(&body);
    peer_stop(&p);
}

static void repeats_are_for_passing_faults_and_wait_longer_each_time(void **state)
{
    struct ta_rest_client *c = client(&ta_heap);

    (void)state;
    assert_true(ta_rest_is_transient(TA_EIO, 0));
    assert_true(ta_rest_is_transient(TA_OK, 503));
    assert_false(ta_rest_is_transient(TA_OK, 500));
    assert_false(ta_rest_is_transient(TA_ECANCELED, 0));
    assert_int_equal(ta_rest_backoff_ms(c, 0), 250);
    assert_int_equal(ta_rest_backoff_ms(c, 5), 8000);
    assert_int_equal(ta_rest_backoff_ms(c, 9), 10000);
    ta_rest_client_free(c);
}

static void names_are_percent_encoded(void **state)
{
    struct ta_buf b;

    (void)state;
    ta_buf_init(&b, &ta_heap, 100);
    assert_int_equal(ta_rest_encode(&b, TA_STR("/a b#\xc3\xa4=~"), false), TA_OK);
    assert_true(ta_str_is(ta_buf_view(&b), "%2Fa%20b%23%C3%A4%3D~"));
    ta_buf_reset(&b);
    assert_int_equal(ta_rest_encode(&b, TA_STR("/a/b="), true), TA_OK);
    assert_true(ta_str_is(ta_buf_view(&b), "/a/b%3D"));
    ta_buf_done(&b);
}

static int global_init(void **state)
{
    (void)state;
    return ta_rest_global_init(NULL);
}

static int global_done(void **state)
{
    (void)state;
    ta_rest_global_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept_and_headers_are_found),
        cmocka_unit_test(a_large_answer_is_pulled_through_a_bounded_buffer),
        cmocka_unit_test(a_connection_that_ends_early_is_an_error_not_an_end),
        cmocka_unit_test(trailers_are_readable_after_the_body),
        cmocka_unit_test(a_body_of_known_size_is_sent_from_its_source),
        cmocka_unit_test(nobody_listening_and_bad_requests_are_told_apart),
        cmocka_unit_test(a_stop_ends_the_wait),
        cmocka_unit_test(repeats_are_for_passing_faults_and_wait_longer_each_time),
        cmocka_unit_test(names_are_percent_encoded),
    };

    return cmocka_run_group_tests_name("rest client", tests, global_init, global_done);
}
