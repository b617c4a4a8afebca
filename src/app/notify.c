#include "app/notify.h"

#include "base/number.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us = 0, for_pid = 0;

    if (!usec || ta_parse_i64(ta_str(usec), &us) < 0 || us <= 0 || us > INT64_MAX / 1000)
        return 0;
    if (pid && (ta_parse_i64(ta_str(pid), &for_pid) < 0 || for_pid != getpid()))
        return 0;
    return us * 1000 / 2;
}

int ta_notify_init(struct ta_notify *n, struct ta_err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    *n = (struct ta_notify){.fd = -1};
    if (!path || !path[0])
        return TA_OK;
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
        return ta_fail(err, TA_EINVAL, "NOTIFY_SOCKET is no usable socket address");
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = 0; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ta_fail_sys(err, "socket for NOTIFY_SOCKET");
    /* Connected once: after the privileges are dropped the path may be out of reach. */
    if (connect(fd, (const struct sockaddr *)&to,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        int r = ta_fail_sys(err, "connecting to NOTIFY_SOCKET");
        close(fd);
        return r;
    }
    n->fd = fd;
    n->watchdog_ns = watchdog();
    return TA_OK;
}

void ta_notify_send(const struct ta_notify *n, const char *text)
{
    if (n->fd < 0)
        return;
    ssize_t ignored = send(n->fd, text, strlen(text), MSG_NOSIGNAL);
    (void)ignored; /* a service manager that is gone is no reason to stop serving */
}

void ta_notify_reloading(const struct ta_notify *n, int64_t mono_ns)
{
    char text[80];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(mono_ns / 1000));
    ta_notify_send(n, text);
}

void ta_notify_done(struct ta_notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}
