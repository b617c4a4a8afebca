/* notify.h - telling systemd how the service is, without libsystemd.
 *
 * The protocol is one datagram of KEY=value lines to the socket named by $NOTIFY_SOCKET
 * (sd_notify(3)). Where the variable is not set every call does nothing.
 */
#ifndef TARN_APP_NOTIFY_H
#define TARN_APP_NOTIFY_H

#include "base/err.h"

#include <stdint.h>

struct ta_notify {
    int fd;              /* -1: nobody listens */
    int64_t watchdog_ns; /* half of the interval that systemd wants; 0 = none */
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. An unusable socket is an error that
 * the caller may only log. */
int ta_notify_init(struct ta_notify *n, struct ta_err *err);
/* `text`: lines such as "READY=1\nSTATUS=running". Never blocks; loss is ignored. */
void ta_notify_send(const struct ta_notify *n, const char *text);
/* RELOADING=1 with the monotonic time stamp that the protocol asks for. */
void ta_notify_reloading(const struct ta_notify *n, int64_t mono_ns);
void ta_notify_done(struct ta_notify *n);

#endif
