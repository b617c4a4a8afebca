#include "http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

int http_peer_connect(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static bool ready(int fd, short what, int ms)
{
    struct pollfd p = {.fd = fd, .events = what};

    return poll(&p, 1, ms) > 0;
}

bool http_peer_send(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n) {
        if (!ready(fd, POLLOUT, PATIENCE_MS))
            return false;
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool http_peer_say(int fd, const char *text)
{
    return http_peer_send(fd, text, strlen(text));
}

struct reader {
    int fd;
    char buf[65536];
    size_t at, len;
    bool closed;
};

static int get_byte(struct reader *r)
{
    if (r->at == r->len) {
        if (r->closed || !ready(r->fd, POLLIN, PATIENCE_MS))
            return -1;
        ssize_t n = recv(r->fd, r->buf, sizeof(r->buf), 0);
        if (n <= 0) {
            r->closed = true;
            return -1;
        }
        r->at = 0;
        r->len = (size_t)n;
    }
    return (unsigned char)r->buf[r->at++];
}

static bool add_bytes(struct reader *r, struct http_got *g, size_t n)
{
    while (n--) {
        int c = get_byte(r);
        if (c < 0)
            return false;
        if ((g->body_len & (g->body_len + 1)) == 0) {
            g->body = realloc(g->body, g->body_len * 2 + 2);
            assert_non_null(g->body);
        }
        g->body[g->body_len++] = (char)c;
        g->body[g->body_len] = 0;
    }
    return true;
}

static bool read_line(struct reader *r, char *line, size_t room)
{
    size_t n = 0;
    int c;

    while ((c = get_byte(r)) >= 0 && c != '\n')
        if (c != '\r' && n + 1 < room)
            line[n++] = (char)c;
    line[n] = 0;
    return c == '\n';
}

static bool read_chunks(struct reader *r, struct http_got *g)
{
    char line[64];

    for (;;) {
        if (!read_line(r, line, sizeof(line)))
            return false;
        size_t n = strtoul(line, NULL, 16);
        if (n == 0)
            return read_line(r, line, sizeof(line));
        if (!add_bytes(r, g, n) || !read_line(r, line, sizeof(line)))
            return false;
    }
}

static bool read_head(struct reader *r, struct http_got *g)
{
    size_t n = 0;

    while (n + 1 < sizeof(g->head)) {
        int c = get_byte(r);
        if (c < 0)
            return false;
        g->head[n++] = (char)c;
        g->head[n] = 0;
        if (n >= 4 && memcmp(g->head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

void http_peer_read(int fd, bool is_head, struct http_got *g)
{
    static _Thread_local struct reader r;

    r.fd = fd;
    r.at = r.len = 0;
    r.closed = false;
    do {
        memset(g, 0, sizeof(*g));
        if (!read_head(&r, g)) {
            g->is_closed = r.closed;
            return;
        }
        g->status = atoi(g->head + 9);
    } while (g->status == 100);
    const char *coding = http_got_header(g, "Transfer-Encoding");
    const char *length = http_got_header(g, "Content-Length");
    if (is_head || g->status == 204 || g->status == 304)
        g->is_whole = true;
    else if (coding && strcmp(coding, "chunked") == 0)
        g->is_whole = read_chunks(&r, g);
    else if (length)
        g->is_whole = add_bytes(&r, g, strtoul(length, NULL, 10));
    else
        while (add_bytes(&r, g, 1)) {
        }
    g->is_closed = r.closed;
}

void http_got_done(struct http_got *g)
{
    free(g->body);
    g->body = NULL;
}

void http_peer_ask(uint16_t port, const char *text, struct http_got *out)
{
    int fd = http_peer_connect(port);

    (void)http_peer_say(fd, text);
    http_peer_read(fd, strncmp(text, "HEAD ", 5) == 0, out);
    close(fd);
}

const char *http_got_header(const struct http_got *g, const char *name)
{
    static _Thread_local char value[1024];
    size_t n = strlen(name);

    for (const char *line = strstr(g->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        const char *at = line + n + 1;
        while (*at == ' ')
            at++;
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
        return value;
    }
    return NULL;
}

bool http_peer_is_closed(int fd, int ms)
{
    char byte[4096];

    while (ready(fd, POLLIN, ms)) {
        if (recv(fd, byte, sizeof(byte), MSG_DONTWAIT) <= 0)
            return true;
    }
    return false;
}
