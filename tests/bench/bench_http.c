/* What the HTTP server costs: CPU of the server process per request, and answers per second.
 *
 * The server (one worker) is this process, the clients are another one, so that the server's CPU
 * time is its own. Each client connection sends a request, waits for the answer, sends the next
 * (keep-alive). "sync": the answer waits for another thread, which wakes all that wait at once, as
 * the log does.
 */
#include "http_site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONNS_MAX = 1024, BODY_MAX = 64 * 1024 };

struct conn {
    int fd;
    size_t sent;
};

static char request[BODY_MAX + 256];
static size_t request_len;

static int64_t now_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int dial(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        exit(2);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void send_more(struct conn *c)
{
    while (c->sent < request_len) {
        ssize_t n = send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            exit(3);
        c->sent += (size_t)n;
    }
}

/* The whole answer comes in one piece: it is smaller than a segment. */
static size_t run_clients(uint16_t port, size_t n_conns, size_t n_requests)
{
    static struct conn conns[CONNS_MAX];
    struct epoll_event events[256];
    char answer[4096];
    int ep = epoll_create1(0);
    size_t asked = 0, answered = 0;

    for (size_t i = 0; i < n_conns; i++) {
        conns[i].fd = dial(port);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev);
    }
    for (size_t i = 0; i < n_conns; i++, asked++)
        send_more(&conns[i]);
    while (answered < n_requests) {
        int n = epoll_wait(ep, events, 256, 10000);
        if (n <= 0)
            exit(4);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            send_more(c);
            ssize_t got = recv(c->fd, answer, sizeof(answer), 0);
            if (got < 0)
                continue;
            if (got < 15 || memcmp(answer, "HTTP/1.1 200 OK", 15) != 0)
                exit(5);
            answered++;
            if (asked < n_requests) {
                asked++;
                c->sent = 0;
                send_more(c);
            }
        }
    }
    return answered;
}

static void make_request(const char *path, size_t body)
{
    int n = snprintf(request, sizeof(request),
                     "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", path, body);

    memset(request + n, 'x', body);
    request_len = (size_t)n + body;
}

/* Best of three: the machine is shared. */
static void measure(const char *what, const char *path, size_t body, size_t n_conns,
                    size_t n_requests)
{
    double best_cpu = 1e9, best_rate = 0;

    make_request(path, body);
    for (int round = 0; round < 3; round++) {
        struct site site;
        memset(&site, 0, sizeof(site));
        site.config.n_workers = 1;
        site_start(&site);
        int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        pid_t pid = fork();
        if (pid == 0) {
            run_clients(site.port, n_conns, n_requests);
            _exit(0);
        }
        int status = 1;
        waitpid(pid, &status, 0);
        wall = now_ns(CLOCK_MONOTONIC) - wall;
        cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (status != 0) {
            printf("%s: the clients failed (%d)\n", what, status);
            exit(1);
        }
        site_stop(&site);
        double us = (double)cpu / 1e3 / (double)n_requests;
        double rate = (double)n_requests / ((double)wall / 1e9);
        best_cpu = us < best_cpu ? us : best_cpu;
        best_rate = rate > best_rate ? rate : best_rate;
    }
    printf(
        "%-6s body=%-6zu connections=%-5zu server_cpu_us_per_request=%-6.1f answers_per_s=%.0f\n",
        what, body, n_conns, best_cpu, best_rate);
    fflush(stdout);
}

int main(void)
{
    static const size_t conns[] = {1, 64, 128, 256, 1024};

    for (size_t i = 0; i < TA_COUNT(conns); i++)
        measure("plain", "/skip", 52000, conns[i], 20000);
    for (size_t i = 0; i < TA_COUNT(conns); i++)
        measure("plain", "/skip", 300, conns[i], conns[i] == 1 ? 20000 : 50000);
    for (size_t i = 0; i < TA_COUNT(conns); i++)
        measure("sync", "/wait", 300, conns[i], conns[i] == 1 ? 10000 : 50000);
    return 0;
}
