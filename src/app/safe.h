/* safe.h - the log and the checkpoints of a running server.
 *
 *     open        the data directory is locked, the log takes samples
 *     start       a thread loads what is durable, then writes checkpoints; until it is ready no queries
 *     stop        the thread ends; nothing may write any more; a final checkpoint of everything
 *     close       the log is closed
 *
 * ROOT/.tarn/log holds our log and nothing at the first two levels below ROOT is a file: the reference refuses
 * to start on one.
 */
#ifndef TARN_APP_SAFE_H
#define TARN_APP_SAFE_H

#include "app/conf.h"
#include "base/clock.h"
#include "base/log.h"
#include "persist/vault.h"

#include <pthread.h>
#include <stdbool.h>

/* Somebody who waits for the log or a checkpoint. Embedded in a request's state. */
struct ta_protector;

struct ta_waiter {
    struct ta_waiter *next, *previous;
    uint64_t ticket;     /* of the log; 0: room in its buffer */
    uint64_t checkpoint; /* not 0: the end of that one, instead */
    void (*wake)(
        struct ta_waiter *w); /* from the log's thread, once, the waiter already unlinked */
    bool is_linked;
};

struct ta_safe_state {
    struct ta_wal_counts log;
    struct ta_recover_state loading;
    struct ta_checkpoint_counts last; /* of the last complete checkpoint */
    int64_t last_checkpoint_s;        /* Unix time of its start; 0: none yet */
    int64_t last_checkpoint_ms;       /* how long it took */
    uint64_t checkpoints, checkpoints_failed;
    bool is_checkpointing;
    char trouble[200]; /* of the last checkpoint that failed; "" after a good one */
    /* Samples older than that are in files, but for those that came later; INT64_MIN: none are known to be. */
    int64_t saved_before_s;
    int64_t saved_mono_ns; /* when that was said; the start at first */
};

struct ta_safe {
    struct ta_store *store;
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_vault vault; /* hand &s->vault.gate.journal to ingest */
    struct ta_wal_listener listener;
    int64_t interval_ns, lag_ns;
    unsigned workers_beside; /* threads of a checkpoint while samples come in */
    bool is_open;

    pthread_mutex_t lock;
    struct ta_waiter waiters; /* ring; guarded by lock */
    pthread_cond_t wake;      /* the checkpoint thread */
    pthread_t thread;
    bool is_running, is_stopping; /* guarded by lock */
    uint64_t wanted, done;        /* checkpoints asked for and served, guarded by lock */
    bool is_due;                  /* a periodic one shall not wait any longer; guarded by lock */
    struct ta_safe_state state;   /* guarded by lock; without .log and .loading */
    _Atomic bool is_ready;
    _Atomic bool stop;
};

/* Makes the directories, takes the lock and begins a log segment. `protector` says which hosts are loaded
 * beyond the retention. Borrows everything until close. */
int ta_safe_open(struct ta_safe *d, const struct ta_config *config, struct ta_protector *protector,
                 struct ta_store *store, struct ta_vfs *vfs, struct ta_clock *clock,
                 struct ta_log *log, struct ta_err *err);
int ta_safe_start(struct ta_safe *d, struct ta_err *err);
/* `is_final`: everything into checkpoint files, and with that the log goes. TA_OK: it is so. */
int ta_safe_stop(struct ta_safe *d, bool is_final, struct ta_err *err);
void ta_safe_close(struct ta_safe *d); /* fine on a zeroed struct */

/* Has everything been loaded? Until then queries would see half of it. */
static inline bool ta_safe_is_ready(const struct ta_safe *d)
{
    return atomic_load_explicit(&d->is_ready, memory_order_acquire);
}
/* How far the loading is, in words: "3 of 400 hosts loaded". */
void ta_safe_progress(struct ta_safe *d, char *out, size_t room);

/* Is the ticket settled? PENDING: w is linked and will be woken when it may be (look again then). */
enum ta_ticket ta_safe_wait(struct ta_safe *d, struct ta_waiter *w, uint64_t ticket);
/* After TA_EAGAIN of an ingest: true = there is room now, feed again; false = w is linked. */
bool ta_safe_wait_room(struct ta_safe *d, struct ta_waiter *w);
/* The waiter gives up. true: it was still linked and will not be woken. */
bool ta_safe_unwait(struct ta_safe *d, struct ta_waiter *w);

/* Asks for a checkpoint of everything now and returns its number; it runs in the thread. */
uint64_t ta_safe_ask_checkpoint(struct ta_safe *d);
/* TA_OK: it has ended and its files are durable. TA_EAGAIN: w is linked. Else why it failed. */
int ta_safe_wait_checkpoint(struct ta_safe *d, struct ta_waiter *w, uint64_t number,
                            struct ta_err *err);

/* Where retention may free, if it wants to free what is older than before_s: not so far that samples go which no
 * file has, for the next checkpoint would let go of their log. When before_s is too far, the next periodic
 * checkpoint comes at once. While none succeeds for a whole retention, memory wins, and before_s it is. */
int64_t ta_safe_free_before(struct ta_safe *d, int64_t before_s, int64_t retention_s);

void ta_safe_state(struct ta_safe *d, struct ta_safe_state *out);

#endif
