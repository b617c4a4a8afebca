/* The HTTP server with each allocation refused in turn: an answer, a 503 or a closed connection;
 * never a crash, a hang or a leak, and the next client is served. */
#include "fault.h"
#include "http_peer.h"
#include "http_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: x\r\n"

static const char key[] = "kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0=";
#define TOKEN                                                                                      \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJ1c2VyIjoiYWRtaW4iLCJyb2xlcyI6WyJST0xFX0FETUlOIiwiUk9" \
    "MRV9BTkFMWVNUIiwiUk9MRV9VU0VSIl19.d-3_3FZTsadPjDEdsWrrQ7nS0edMAR4zjl-eK7rJU3HziNBfI9PDHDIpJV" \
    "HTNN5E5SlLGLFXctWyKAkwhXL-Dw"

/* "x" as gzip */
#define GZIP "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x00\x00\x83\x16\xdc\x8c\x01\x00\x00\x00"

static const struct {
    const char *text;
    size_t len;
    int status;
} asks[] = {
#define ASK(status, text)                                                                          \
    {                                                                                              \
        text, sizeof(text) - 1, status                                                             \
    }
    ASK(200, "GET /hello" HOST "\r\n"),
    ASK(200, "GET /api/query" HOST "Authorization: Bearer " TOKEN "\r\n\r\n"),
    ASK(200, "POST /echo" HOST "Content-Length: 3\r\n\r\nabc"),
    ASK(200, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc"),
    ASK(200, "POST /count" HOST "Content-Encoding: gzip\r\nContent-Length: 21\r\n\r\n" GZIP),
    ASK(200, "GET /big?n=40000" HOST "Accept-Encoding: gzip\r\n\r\n"),
    ASK(307, "GET //hello" HOST "\r\n"),
    ASK(404, "GET /nowhere" HOST "\r\n"),
};

/* Everything that begins is ended: site_stop() checks it. */
static int serve(struct fault *f)
{
    static struct site site;
    struct ta_jwt *jwt = NULL;
    bool all = true;

    memset(&site, 0, sizeof(site));
    int r = ta_jwt_new(&jwt, ta_str(key), &f->alloc, NULL);
    if (r < 0)
        return r;
    site.config.jwt = jwt;
    site.config.n_workers = 1;
    site.config.alloc = &f->alloc;
    r = site_try(&site);
    if (r < 0) {
        ta_jwt_free(jwt);
        return r;
    }
    for (size_t i = 0; i < TA_COUNT(asks); i++) {
        struct http_got g;
        int fd = http_peer_connect(site.port);
        (void)http_peer_send(fd, asks[i].text, asks[i].len);
        http_peer_read(fd, false, &g);
        assert_true(g.status == asks[i].status || g.status == 503 || g.status == 413 ||
                    (g.status == 0 && g.is_closed));
        all = all && g.status == asks[i].status && g.is_whole;
        http_got_done(&g);
        close(fd);
    }
    site_stop(&site);
    ta_jwt_free(jwt);
    return all ? TA_OK : TA_ENOMEM;
}

static void a_refused_allocation_costs_one_request(void **state)
{
    (void)state;
    for (struct fault f = {.mode = FAULT_ONCE, .may_succeed = true}; fault_next(&f);)
        fault_judge(&f, serve(&f));
}

static void without_memory_every_client_is_told_or_closed(void **state)
{
    (void)state;
    for (struct fault f = {.mode = FAULT_FOR_GOOD, .may_succeed = true}; fault_next(&f);)
        fault_judge(&f, serve(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_allocation_costs_one_request),
        cmocka_unit_test(without_memory_every_client_is_told_or_closed),
    };

    return cmocka_run_group_tests_name("http without memory", tests, NULL, NULL);
}
