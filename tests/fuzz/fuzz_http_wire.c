/* Bytes from a stranger on a real connection, in two sends: the server answers or closes, and goes
 * on.
 *
 * The first byte says where the bytes are split. Every request that began is done in the end: when
 * the connection is over and the server idle, the two counts are equal.
 */
#include "net/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Atomic uint64_t begun, done;

static int begin(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    (void)ta_http_param(q, "a");
    (void)ta_http_subpath(q);
    atomic_fetch_add(&begun, 1);
    return TA_OK;
}

static int body(struct ta_http_req *q, const char *at, size_t len, size_t *taken,
                struct ta_err *err)
{
    (void)q;
    (void)at;
    (void)taken;
    (void)err;
    assert(len > 0 && len <= TA_HTTP_PIECE);
    return TA_OK;
}

static int end(struct ta_http_req *q, struct ta_err *err)
{
    (void)err;
    return ta_http_reply_stream(q, 200, "text/plain");
}

static int fill(struct ta_http_req *q, struct ta_buf *room, struct ta_err *err)
{
    (void)q;
    (void)err;
    (void)ta_buf_z(room, "ok\n");
    return TA_HTTP_END;
}

static void is_done(struct ta_http_req *q, enum ta_http_outcome outcome)
{
    (void)q;
    (void)outcome;
    atomic_fetch_add(&done, 1);
}

static const struct ta_http_handler handler = {begin, body, end, fill, is_done};
static const struct ta_http_route routes[] = {{.path = "/a",
                                               .methods = TA_HTTP_GET | TA_HTTP_POST,
                                               .subpaths = true,
                                               .body_bytes_max = 10000,
                                               .handler = &handler}};

static uint16_t serve(void)
{
    static struct ta_http_server *server;
    struct ta_http_config c = {
        .addr = "127.0.0.1:0", .n_workers = 1, .routes = routes, .n_routes = 1};

    if (!server &&
        (ta_http_server_open(&server, &c, NULL) < 0 || ta_http_server_start(server, NULL) < 0))
        abort();
    return ta_http_server_port(server);
}

static void converse(int fd, const uint8_t *data, size_t size, size_t split)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char answer[4096];

    (void)!send(fd, data, split, MSG_NOSIGNAL);
    (void)!send(fd, data + split, size - split, MSG_NOSIGNAL);
    while (poll(&p, 1, 1) > 0) /* one millisecond: what is incomplete gets no answer */
        if (recv(fd, answer, sizeof(answer), 0) <= 0)
            break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(serve())};
    struct linger hard = {.l_onoff = 1};

    if (size < 2)
        return 0;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        abort();
    converse(fd, data + 1, size - 1, data[0] % (size - 1));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    for (int i = 0; i < 2000 && atomic_load(&begun) != atomic_load(&done); i++)
        usleep(1000);
    assert(atomic_load(&begun) == atomic_load(&done));
    return 0;
}
