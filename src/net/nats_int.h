/* nats_int.h - shared by nats.c (connection, core subscriptions) and nats_jetstream.c. */
#ifndef TARN_NET_NATS_INT_H
#define TARN_NET_NATS_INT_H

#include "net/nats.h"

#include <nats/nats.h>
#include <pthread.h>

struct ta_nats {
    struct ta_alloc *alloc;
    struct ta_log *report;
    natsOptions *options;
    /* Read by who makes subscriptions, written by who makes it anew: the library closes a connection for
     * good when the server refuses its credentials twice. */
    pthread_rwlock_t use;
    natsConnection *connection; /* guarded by use; NULL: to be made */
    pthread_mutex_t lock;
    struct ta_nats_state state; /* guarded by lock */
    pthread_cond_t closed;
    bool is_closed; /* guarded by lock */
};

/* The connection with `use` held for reading, made anew when the library has given it up; NULL with err when it
 * could not be. Given back by ta_nats_leave in either case. */
natsConnection *ta_nats_enter(struct ta_nats *n, struct ta_err *err);
void ta_nats_leave(struct ta_nats *n);

/* Words of a status, as an error of ours: TA_ENOMEM, TA_EAGAIN (away, timed out), TA_EINVAL, TA_EIO. */
int ta_nats_fail(natsStatus status, const char *what, struct ta_err *err);

/* Wraps a message of the library; takes it. */
void ta_nats_msg_from(struct ta_nats_msg *out, natsMsg *msg);

#endif
