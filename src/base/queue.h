/* queue.h - messages between threads: bounded, blocking, closable.
 *
 * Holds pointers and does not own what they point to. When it is full, a put waits or
 * is refused, as it asked: that is the back-pressure. After close nothing is put any more; what is inside can
 * still be taken, then `get` says TA_ESTATE.
 */
#ifndef TARN_BASE_QUEUE_H
#define TARN_BASE_QUEUE_H

#include "base/alloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ta_queue {
    struct ta_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void **slot;
    size_t cap;
    size_t first, n; /* guarded by lock */
    bool closed;     /* guarded by lock */
};

/* Takes cap * 8 bytes from alloc; cap >= 1. TA_ENOMEM. */
int ta_queue_init(struct ta_queue *q, size_t cap, struct ta_alloc *alloc);
/* No thread may be inside any more. Fine on a zeroed struct. */
void ta_queue_done(struct ta_queue *q);

/* wait_ns < 0 waits without end, 0 not at all. TA_EAGAIN: full until then; TA_ESTATE: closed. */
int ta_queue_put(struct ta_queue *q, void *item, int64_t wait_ns);
/* TA_EAGAIN: empty until then; TA_ESTATE: closed and empty. *out is untouched on failure. */
int ta_queue_get(struct ta_queue *q, void **out, int64_t wait_ns);
/* Wakes everybody who waits. May be called more than once. */
void ta_queue_close(struct ta_queue *q);
/* Items inside, a moment ago. */
size_t ta_queue_count(struct ta_queue *q);

#endif
