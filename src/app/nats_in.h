/* nats_in.h - samples from NATS into the store: plain subscriptions and JetStream consumers.
 *
 * One thread a subscription or consumer, with its own ingest and its own default cluster. A message is a
 * batch of line protocol; a bad line costs itself.
 *
 * Plain: what the bounded queue cannot take is dropped and counted (core NATS cannot push back). JetStream:
 * a batch is fetched, stored, and acknowledged once the log's sync covers it; while the log fails nothing is
 * acknowledged and the messages come again. A message with bad lines is put aside (poison file) with its
 * reason and never delivered again: its good lines are stored.
 *
 * Redelivery is harmless: the same sample goes to the same slot.
 */
#ifndef TARN_APP_NATS_IN_H
#define TARN_APP_NATS_IN_H

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest.h"
#include "net/nats.h"
#include "persist/wal.h"

#include <pthread.h>
#include <stdatomic.h>

/* A file of messages that nobody could read: "# <RFC 3339> <subject>: <reason>" and the text. Written until
 * it holds max_bytes, then only counted. */
struct ta_poison {
    const char *path; /* borrowed; NULL: only count */
    uint64_t max_bytes;
    struct ta_vfs *vfs;
    struct ta_clock *clock;
    pthread_mutex_t lock;
    uint64_t bytes;                    /* guarded by lock */
    _Atomic uint64_t messages, unkept; /* all; those that did not fit or could not be written */
};

void ta_poison_init(struct ta_poison *p, struct ta_vfs *vfs, struct ta_clock *clock,
                    const char *path, uint64_t max_bytes);
void ta_poison_done(struct ta_poison *p);
void ta_poison_keep(struct ta_poison *p, struct ta_str subject, struct ta_str text,
                    const char *reason);

/* One source of messages. Strings are borrowed for the life of the input. */
struct ta_nats_source {
    const char *subject; /* of the subscription; the filter of a consumer, "" = the whole stream */
    const char *cluster; /* default cluster, "" = none */
    const char *stream;  /* NULL: a plain subscription */
    const char *durable;
    int max_ack_pending;
    int64_t ack_wait_ms;
    int batch; /* messages a fetch; 0: 256 */
};

struct ta_nats_in_conf {
    struct ta_nats *nats;
    struct ta_store *store;
    struct ta_journal *journal; /* NULL: none */
    struct ta_wal *wal;         /* behind the journal; NULL: an accepted sample counts as kept */
    struct ta_poison *poison;
    struct ta_alloc *alloc;
    struct ta_clock *clock;
    struct ta_log *log;
    int64_t max_future_s;
};

struct ta_nats_in_counts {
    uint64_t messages, bytes;
    uint64_t dropped;                     /* plain: did not fit the queue */
    uint64_t acked, redelivered, refused; /* JetStream; refused: given back while the log failed */
    uint64_t pending, ack_pending;        /* JetStream: as the server said last */
    struct ta_ingest_counts lines;
    bool is_attached; /* the consumer stands / always true for plain ones */
};

struct ta_nats_in;

/* Starts the thread. conf and source are copied, what they point to is borrowed until stop. */
int ta_nats_in_start(struct ta_nats_in **out, const struct ta_nats_in_conf *conf,
                     const struct ta_nats_source *source, struct ta_err *err);
/* Asks the thread to end: a consumer finishes its batch, a subscription ends its interest and takes what
 * waits in its queue. Returns at once. */
void ta_nats_in_quit(struct ta_nats_in *in);
/* The same, and waits for the end of the thread; counts can still be read. NULL is fine for both. */
void ta_nats_in_end(struct ta_nats_in *in);
void ta_nats_in_free(struct ta_nats_in *in); /* ends it when that was not done */
void ta_nats_in_counts(struct ta_nats_in *in, struct ta_nats_in_counts *out);

#endif
