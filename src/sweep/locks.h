/* locks.h - the names no input rule may be expired of, and whether they can be trusted.
 *
 * The union of global and parent locks as a set of hashes; a collision can only protect too much.
 * A set in use stays as it is while a newer one is fetched. An empty list of global locks, or one
 * that has shrunk below a fraction of the last, is believed only when the next fetch agrees (spec:
 * rule-cleaner 7.3).
 *
 * Memory: 12 to 24 bytes a distinct name, twice while refreshing.
 */
#ifndef TARN_SWEEP_LOCKS_H
#define TARN_SWEEP_LOCKS_H

#include "rest/hash_set.h"
#include "sweep/services.h"

#include <pthread.h>

struct ta_lock_set {
    struct ta_hash_set names; /* immutable once given out */
    _Atomic unsigned users;
};

struct ta_locks {
    struct ta_services *services;
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_alloc *alloc;
    double shrink_guard;
    uint64_t seed;
    pthread_mutex_t lock;
    struct ta_lock_set *now;    /* guarded by lock */
    int64_t fetched_mono_ns;    /* guarded by lock */
    bool has_last, has_suspect; /* guarded by lock */
    size_t last, suspect;       /* distinct global locks; guarded by lock */
};

void ta_locks_init(struct ta_locks *l, struct ta_services *services, double shrink_guard,
                   uint64_t seed, struct ta_clock *clock, struct ta_log *log,
                   struct ta_alloc *alloc);
void ta_locks_done(struct ta_locks *l);

/* A set not older than max_age_ns, fetched when the present one is; 0 always fetches. On success
 * *out is in use until it is given back. TA_EAGAIN: the list is suspicious; else the fetch's
 * error. The old set is then not given out any more. */
int ta_locks_get(struct ta_locks *l, int64_t max_age_ns, struct ta_lock_set **out,
                 struct ta_err *err);
void ta_locks_give_back(struct ta_locks *l, struct ta_lock_set *set); /* NULL is fine */

#endif
