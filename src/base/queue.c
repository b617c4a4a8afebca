#include "base/queue.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

int ta_queue_init(struct ta_queue *q, size_t cap, struct ta_alloc *alloc)
{
    pthread_condattr_t attr;

    assert(cap >= 1);
    void **slot = ta_alloc_zero(alloc, cap, sizeof(*slot));
    if (!slot)
        return TA_ENOMEM;
    *q = (struct ta_queue){.alloc = alloc, .slot = slot, .cap = cap};
    /* None of these can fail on Linux: they fill structs. */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->not_empty, &attr);
    (void)pthread_cond_init(&q->not_full, &attr);
    (void)pthread_condattr_destroy(&attr);
    return TA_OK;
}

void ta_queue_done(struct ta_queue *q)
{
    if (!q->slot)
        return;
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    ta_release(q->alloc, q->slot, q->cap * sizeof(*q->slot));
    memset(q, 0, sizeof(*q));
}

static struct timespec deadline_after(int64_t wait_ns)
{
    struct timespec t = {0};

    if (wait_ns <= 0)
        return t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ns / 1000000000;
    t.tv_nsec += wait_ns % 1000000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

/* One wait on cond; false when the time is over. */
static bool wait_until(struct ta_queue *q, pthread_cond_t *cond, int64_t wait_ns,
                       const struct timespec *deadline)
{
    if (wait_ns == 0)
        return false;
    if (wait_ns < 0)
        return pthread_cond_wait(cond, &q->lock) == 0;
    return pthread_cond_timedwait(cond, &q->lock, deadline) != ETIMEDOUT;
}

int ta_queue_put(struct ta_queue *q, void *item, int64_t wait_ns)
{
    struct timespec deadline = deadline_after(wait_ns);
    int r = TA_OK;

    pthread_mutex_lock(&q->lock);
    while (q->n == q->cap && !q->closed)
        if (!wait_until(q, &q->not_full, wait_ns, &deadline))
            break;
    if (q->closed) {
        r = TA_ESTATE;
    } else if (q->n == q->cap) {
        r = TA_EAGAIN;
    } else {
        q->slot[(q->first + q->n++) % q->cap] = item;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    return r;
}

int ta_queue_get(struct ta_queue *q, void **out, int64_t wait_ns)
{
    struct timespec deadline = deadline_after(wait_ns);
    int r = TA_OK;

    pthread_mutex_lock(&q->lock);
    while (q->n == 0 && !q->closed)
        if (!wait_until(q, &q->not_empty, wait_ns, &deadline))
            break;
    if (q->n) {
        *out = q->slot[q->first];
        q->first = (q->first + 1) % q->cap;
        q->n--;
        pthread_cond_signal(&q->not_full);
    } else {
        r = q->closed ? TA_ESTATE : TA_EAGAIN;
    }
    pthread_mutex_unlock(&q->lock);
    return r;
}

void ta_queue_close(struct ta_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

size_t ta_queue_count(struct ta_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}
