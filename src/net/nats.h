/* nats.h - messages from NATS: plain subscriptions, and durable JetStream consumers.
 *
 * One connection keeps trying for ever: a server that is down at the start, or for a week, only shows in
 * the state. Messages are pulled, one thread a subscription; nothing happens in the library's callbacks but
 * noting the state.
 *
 * Core NATS cannot push back: what does not fit the bounded queue of a subscription is dropped by the client
 * library and counted. JetStream can: only what was asked for comes, and what is not acknowledged comes
 * again. Which message is good is not known here.
 */
#ifndef TARN_NET_NATS_H
#define TARN_NET_NATS_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_nats_conf {
    const char *servers;         /* comma-separated URLs, nats:// or tls:// */
    const char *user, *password; /* used when both are non-empty */
    const char *creds_file;      /* JWT and nkey seed; NULL or empty: none */
    const char *ca_file;         /* NULL or empty: the system's */
    const char *cert_file, *key_file;
    const char *name;      /* shown by the server; NULL: "tarn" */
    struct ta_log *report; /* connects and disconnects; may be NULL */
    int64_t reconnect_ms;  /* between attempts; 0: 1,000 */
};

enum { TA_NATS_SERVERS_MAX = 32 };

struct ta_nats_state {
    bool is_connected;
    uint64_t connects; /* times a connection was made */
    char trouble[160]; /* last error in words, "" when none */
};

struct ta_nats;

/* Starts connecting in the background; copies the configuration. TA_EINVAL: unusable URL, credentials or TLS
 * files (named). TA_ENOMEM. A server that refuses the credentials is tried again, as one that is away. */
int ta_nats_open(struct ta_nats **out, const struct ta_nats_conf *conf, struct ta_alloc *alloc,
                 struct ta_err *err);
/* All subscriptions must be closed. NULL is fine. */
void ta_nats_close(struct ta_nats *n);
void ta_nats_state(struct ta_nats *n, struct ta_nats_state *out);

/* A message. `text` and `subject` are valid until it is done. */
struct ta_nats_msg {
    struct ta_str text, subject;
    uint64_t deliveries; /* JetStream: 1 the first time; core: 0 */
    void *handle;        /* private */
};
void ta_nats_msg_done(struct ta_nats_msg *m); /* fine on a zeroed struct */

/* ---- core NATS ----------------------------------------------------------------------------- */

struct ta_nats_sub;

/* `queue_bytes` and `queue_msgs` bound what waits here. The subscription is made again by itself after every
 * reconnect. TA_EAGAIN: the server refused the connection, try again later. */
int ta_nats_subscribe(struct ta_nats_sub **out, struct ta_nats *n, const char *subject,
                      int queue_msgs, int queue_bytes, struct ta_err *err);
void ta_nats_unsubscribe(struct ta_nats_sub *s); /* NULL is fine */

/* Ends the interest at the server; what waits here can still be taken. Without a connection the queue is all
 * there is anyway. */
void ta_nats_sub_quit(struct ta_nats_sub *s);

/* 1 = *out filled, 0 = nothing came within timeout_ms, < 0: the subscription has ended with its connection,
 * which a new one makes again. */
int ta_nats_next(struct ta_nats_sub *s, int64_t timeout_ms, struct ta_nats_msg *out,
                 struct ta_err *err);

struct ta_nats_sub_counts {
    uint64_t dropped; /* messages that did not fit the queue */
    uint64_t waiting; /* messages in it now */
};
void ta_nats_sub_counts(struct ta_nats_sub *s, struct ta_nats_sub_counts *out);

/* ---- JetStream ------------------------------------------------------------------------------- */

struct ta_nats_consumer_conf {
    const char *stream;  /* must exist on the server */
    const char *durable; /* name of the consumer: made when missing, else taken up */
    const char *subject; /* filter; NULL or empty: the whole stream */
    int max_ack_pending; /* unacknowledged messages at the server's side; 0: 1,000 */
    int64_t ack_wait_ms; /* after which an unacknowledged message comes again; 0: 30,000 */
};

struct ta_nats_consumer;

/* Waits for the server up to timeout_ms: TA_EAGAIN when it cannot be reached or the stream is not there (yet):
 * try again later; TA_EINVAL when the server refuses the consumer as configured. */
int ta_nats_consume(struct ta_nats_consumer **out, struct ta_nats *n,
                    const struct ta_nats_consumer_conf *conf, int64_t timeout_ms,
                    struct ta_alloc *alloc, struct ta_err *err);
void ta_nats_consumer_close(struct ta_nats_consumer *c); /* the durable stays; NULL is fine */

enum { TA_NATS_FETCH_MAX = 512 };

/* Up to `max` (<= TA_NATS_FETCH_MAX) messages into out[]; returns how many, 0 when none came within
 * timeout_ms, TA_EIO when the connection is away (try again). */
int ta_nats_fetch(struct ta_nats_consumer *c, struct ta_nats_msg *out, int max, int64_t timeout_ms,
                  struct ta_err *err);

/* Each ends the life of the message. ack: the samples are durable. term: never deliver again. nak: deliver
 * again soon. A lost acknowledgement means one more delivery, nothing worse. */
int ta_nats_ack(struct ta_nats_msg *m, struct ta_err *err);
int ta_nats_term(struct ta_nats_msg *m, struct ta_err *err);
int ta_nats_nak(struct ta_nats_msg *m, struct ta_err *err);

struct ta_nats_lag {
    uint64_t pending;     /* in the stream, not delivered yet */
    uint64_t ack_pending; /* delivered, not acknowledged */
    uint64_t redelivered;
};
/* Asks the server. */
int ta_nats_consumer_lag(struct ta_nats_consumer *c, struct ta_nats_lag *out, struct ta_err *err);

#endif
