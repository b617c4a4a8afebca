/* http_listen.c - from "host:port" to a bound socket. Listening begins later. */
#include "net/http_int.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct where {
    char host[256];
    char port[8];
};

static int parse_addr(const char *addr, struct where *out, struct ta_err *err)
{
    const char *colon = strrchr(addr, ':');
    size_t n = colon ? (size_t)(colon - addr) : 0;
    const char *host = addr;

    if (!colon || strlen(colon + 1) >= sizeof(out->port) || !colon[1])
        return ta_fail(err, TA_EINVAL, "address \"%.100s\" is not host:port", addr);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    } else if (n && memchr(host, ':', n)) {
        return ta_fail(err, TA_EINVAL, "address \"%.100s\": an IPv6 host stands in brackets", addr);
    }
    if (n >= sizeof(out->host))
        return ta_fail(err, TA_EINVAL, "address: the host name is too long");
    memcpy(out->host, host, n);
    out->host[n] = 0;
    snprintf(out->port, sizeof(out->port), "%s", colon + 1);
    for (const char *p = out->port; *p; p++)
        if (*p < '0' || *p > '9')
            return ta_fail(err, TA_EINVAL, "address \"%.100s\": the port is not a number", addr);
    return TA_OK;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

static uint16_t get_port(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port);
}

static int bind_one(const char *addr, const struct addrinfo *ai, bool shared, uint16_t *port,
                    int *out_fd, struct ta_err *err)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    int on = 1, off = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return ta_fail_sys(err, "socket for %.100s", addr);
    memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
    if (*port)
        set_port(&sa, *port);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6) /* "[::]" and ":port" take both families */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) ||
        bind(fd, (const struct sockaddr *)&sa, ai->ai_addrlen) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
        int r = ta_fail_sys(err, "bind to %.100s", addr);
        close(fd);
        return r;
    }
    *port = get_port(&sa);
    *out_fd = fd;
    return TA_OK;
}

int http_listen_bind(const char *addr, uint16_t *port, int *out_fd, struct ta_err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct where w = {0};

    int r = parse_addr(addr, &w, err);
    if (r < 0)
        return r;
    int gai = getaddrinfo(w.host[0] ? w.host : "0.0.0.0", w.port, &hints, &list);
    if (gai != 0)
        return ta_fail(err, TA_EINVAL, "address %.100s: %s", addr, gai_strerror(gai));
    /* The workers share the port among themselves. Without this test they would also share it with
     * another process of the same user, which would get half of the connections in silence. */
    if (!*port) {
        int probe = -1;
        uint16_t unused = 0;
        r = bind_one(addr, list, false, &unused, &probe, err);
        if (r == TA_OK)
            close(probe);
    }
    if (r == TA_OK)
        r = bind_one(addr, list, true, port, out_fd, err);
    freeaddrinfo(list);
    return r;
}
