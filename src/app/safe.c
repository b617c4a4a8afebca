#include "app/safe.h"

#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 10,
    /* How far behind now a periodic checkpoint stays, so that ordinary lateness makes no file be written
     * again. The log covers what is newer. */
    LAG_S = 300
};

/* ---- waiters ------------------------------------------------------------------------------- */

static void link_waiter(struct ta_safe *d, struct ta_waiter *w)
{
    w->next = &d->waiters;
    w->previous = d->waiters.previous;
    w->previous->next = w;
    d->waiters.previous = w;
    w->is_linked = true;
}

static void unlink_waiter(struct ta_waiter *w)
{
    w->previous->next = w->next;
    w->next->previous = w->previous;
    w->is_linked = false;
}

/* From the log's thread, after each change of what is durable. The wakes come under the lock: that is what
 * makes unwait's answer true. They take one short mutex of the server each. */
static void on_log(struct ta_wal_listener *self)
{
    struct ta_safe *d = TA_CONTAINER(self, struct ta_safe, listener);

    pthread_mutex_lock(&d->lock);
    for (struct ta_waiter *w = d->waiters.next, *next; w != &d->waiters; w = next) {
        next = w->next;
        if (w->ticket == 0 || ta_wal_ticket(d->wal, w->ticket) != TA_TICKET_PENDING) {
            unlink_waiter(w);
            w->wake(w);
        }
    }
    pthread_mutex_unlock(&d->lock);
}

enum ta_ticket ta_safe_wait(struct ta_safe *d, struct ta_waiter *w, uint64_t ticket)
{
    if (ticket == 0)
        return TA_TICKET_DURABLE;
    pthread_mutex_lock(&d->lock);
    enum ta_ticket state = ta_wal_ticket(d->wal, ticket);
    if (state == TA_TICKET_PENDING && !w->is_linked) {
        w->ticket = ticket;
        link_waiter(d, w);
    }
    pthread_mutex_unlock(&d->lock);
    return state;
}

bool ta_safe_wait_room(struct ta_safe *d, struct ta_waiter *w)
{
    pthread_mutex_lock(&d->lock);
    bool is_room = ta_wal_wait_room(d->wal, 0) != TA_EAGAIN;
    if (!is_room && !w->is_linked) {
        w->ticket = 0;
        link_waiter(d, w);
    }
    pthread_mutex_unlock(&d->lock);
    return is_room;
}

bool ta_safe_unwait(struct ta_safe *d, struct ta_waiter *w)
{
    pthread_mutex_lock(&d->lock);
    bool was_linked = w->is_linked;
    if (was_linked)
        unlink_waiter(w);
    pthread_mutex_unlock(&d->lock);
    return was_linked;
}

/* ---- open ---------------------------------------------------------------------------------- */

static unsigned count_workers(const struct ta_config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long n = c->store.num_workers > 0 ? (long)c->store.num_workers : cores / 2 + 1;

    return n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* Samples leave memory after the retention: what is to be kept must be in a file by then. */
static int64_t interval_of(const struct ta_config *c)
{
    int64_t interval = c->store.checkpoint_interval_ns;
    int64_t half = c->store.retention_ns / 2;

    return half > 0 && half < interval ? half : interval;
}

int ta_safe_open(struct ta_safe *d, const struct ta_config *config, const struct ta_safe_past *past,
                 struct ta_store *store, struct ta_vfs *vfs, struct ta_clock *clock,
                 struct ta_log *log, struct ta_err *err)
{
    const char *root = config->store.checkpoint_dir;

    *d = (struct ta_safe){.store = store,
                          .vfs = vfs,
                          .clock = clock,
                          .log = log,
                          .listener = {on_log},
                          .n_workers = count_workers(config),
                          .interval_ns = interval_of(config),
                          .checkpoint = {.store = store,
                                         .vfs = vfs,
                                         .root = root,
                                         .format = config->store.checkpoint_format[0] == 'j'
                                                       ? TA_TREE_JSON
                                                       : TA_TREE_BIN,
                                         .alloc = &ta_heap}};
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &monotonic);
    pthread_cond_init(&d->checkpointed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    d->waiters.next = d->waiters.previous = &d->waiters;
    int n = snprintf(d->dir, sizeof(d->dir), "%s/.tarn/log", root);
    if (n < 0 || (size_t)n >= sizeof(d->dir))
        return ta_fail(err, TA_ERANGE, "metric-store.checkpoints.directory is too long");
    int r = ta_mkdir_all(vfs, d->dir, 0750, err);
    if (r < 0)
        return r;
    struct ta_wal_conf conf = {.vfs = vfs,
                               .dir = d->dir,
                               .alloc = &ta_heap,
                               .clock = clock,
                               .report = log,
                               .listener = &d->listener,
                               .durability = config->tarn.durability[0] == 'i'
                                                 ? TA_DURABILITY_INTERVAL
                                                 : TA_DURABILITY_SYNC,
                               .sync_interval_ms = config->tarn.sync_interval_ns / 1000000,
                               .next_segment = past->next_segment,
                               .next_sequence = past->next_sequence,
                               .old_segments = past->segments,
                               .n_old_segments = past->n_segments};
    if (getrandom(&conf.seed, sizeof(conf.seed), 0) != sizeof(conf.seed))
        return ta_fail_sys(err, "reading random bytes");
    r = ta_wal_open(&d->wal, &conf, err);
    if (r == TA_OK)
        ta_wal_journal_init(&d->journal, d->wal);
    return r;
}

void ta_safe_close(struct ta_safe *d)
{
    struct ta_err err = {0};

    if (!d->vfs)
        return;
    if (ta_wal_close(d->wal, &err) < 0)
        ta_logf(d->log, TA_LOG_ERROR, "%s", err.text);
    pthread_cond_destroy(&d->wake);
    pthread_cond_destroy(&d->checkpointed);
    pthread_mutex_destroy(&d->lock);
    *d = (struct ta_safe){0};
}

/* ---- checkpoints --------------------------------------------------------------------------- */

static int64_t reach_of(struct ta_store *s)
{
    struct ta_metrics *m = ta_store_metrics(s);
    int64_t reach = 0;

    for (uint32_t i = 0; i < ta_metrics_count(m); i++)
        if (ta_metrics_at(m, i)->freq_s > reach)
            reach = ta_metrics_at(m, i)->freq_s;
    ta_metrics_unref(m);
    return reach;
}

/* Files first, then the log's segments that they cover. Only segments from before the cut: a late sample that
 * came while its host was already written stands in a later one. */
static int run_checkpoint(struct ta_safe *d, int64_t boundary_s,
                          struct ta_checkpoint_counts *counts, struct ta_err *err)
{
    uint64_t segment = 0;
    int r = ta_wal_cut(d->wal, &segment, err);

    if (r == TA_OK)
        r = ta_checkpoint_run(&d->checkpoint, boundary_s, d->n_workers, &d->stop, counts, err);
    if (r == TA_OK && boundary_s != TA_CHECKPOINT_ALL) {
        uint64_t needed = ta_wal_first_needed(d->wal, boundary_s, reach_of(d->store));
        segment = needed < segment ? needed : segment;
    }
    return r < 0 ? r : ta_wal_drop(d->wal, segment, err);
}

static void report(struct ta_safe *d, int64_t started_s, int64_t took_ms, int r,
                   const struct ta_checkpoint_counts *counts, const struct ta_err *err)
{
    pthread_mutex_lock(&d->lock);
    struct ta_safe_state *s = &d->state;
    s->is_checkpointing = false;
    s->checkpoints += r == TA_OK;
    s->checkpoints_failed += r < 0;
    snprintf(s->trouble, sizeof(s->trouble), "%.190s", r < 0 ? err->text : "");
    if (r == TA_OK) {
        s->last = *counts;
        s->last_checkpoint_s = started_s;
        s->last_checkpoint_ms = took_ms;
    }
    pthread_mutex_unlock(&d->lock);
    if (r < 0)
        ta_logf(d->log, TA_LOG_ERROR, "[METRICSTORE]> checkpoint failed: %s", err->text);
    else
        ta_logf(d->log, TA_LOG_INFO,
                "[METRICSTORE]> done: %" PRIu64 " binary snapshot files created (%" PRIu64
                " of them again, %" PRIu64 " samples, %" PRId64 " ms)",
                counts->files, counts->files_again, counts->samples, took_ms);
}

static int checkpoint_now(struct ta_safe *d, int64_t boundary_s, struct ta_err *err)
{
    struct ta_checkpoint_counts counts = {0};
    struct ta_err why = {0};
    char when[32];
    int64_t started_s = ta_now_s(d->clock);
    int64_t start = ta_mono_ns(d->clock);

    pthread_mutex_lock(&d->lock);
    d->state.is_checkpointing = true;
    pthread_mutex_unlock(&d->lock);
    ta_logf(d->log, TA_LOG_INFO, "[METRICSTORE]> start checkpointing (starting at %s)...",
            ta_format_time(when, started_s));
    int r = run_checkpoint(d, boundary_s, &counts, &why);
    report(d, started_s, (ta_mono_ns(d->clock) - start) / 1000000, r, &counts, &why);
    return r < 0 ? ta_fail(err, r, "%s", why.text) : TA_OK;
}

static struct timespec at_mono(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static void *run(void *arg)
{
    struct ta_safe *d = arg;
    int64_t next = ta_mono_ns(d->clock) + d->interval_ns;

    pthread_mutex_lock(&d->lock);
    while (!d->is_stopping) {
        struct timespec until = at_mono(next);
        if (d->wanted == d->done && ta_mono_ns(d->clock) < next) {
            pthread_cond_timedwait(&d->wake, &d->lock, &until);
            continue;
        }
        uint64_t serving = d->wanted;
        int64_t boundary = serving > d->done ? TA_CHECKPOINT_ALL : ta_now_s(d->clock) - LAG_S;
        pthread_mutex_unlock(&d->lock);
        (void)checkpoint_now(d, boundary,
                             NULL); /* said in the log and the state; the next one retries */
        next = ta_mono_ns(d->clock) + d->interval_ns;
        pthread_mutex_lock(&d->lock);
        d->done = serving;
        pthread_cond_broadcast(&d->checkpointed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

int ta_safe_start(struct ta_safe *d, struct ta_err *err)
{
    int e = pthread_create(&d->thread, NULL, run, d);

    if (e != 0) {
        errno = e;
        return ta_fail_sys(err, "starting the checkpoint thread");
    }
    d->is_running = true;
    return TA_OK;
}

int ta_safe_stop(struct ta_safe *d, bool is_final, struct ta_err *err)
{
    if (!d->vfs)
        return TA_OK;
    pthread_mutex_lock(&d->lock);
    d->is_stopping = true;
    pthread_cond_broadcast(&d->wake);
    pthread_cond_broadcast(&d->checkpointed);
    pthread_mutex_unlock(&d->lock);
    if (d->is_running) {
        atomic_store(&d->stop, true); /* the final checkpoint covers what a running one does not */
        pthread_join(d->thread, NULL);
        atomic_store(&d->stop, false);
        d->is_running = false;
    }
    return is_final && d->wal ? checkpoint_now(d, TA_CHECKPOINT_ALL, err) : TA_OK;
}

uint64_t ta_safe_ask_checkpoint(struct ta_safe *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t number = ++d->wanted;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    return number;
}

int ta_safe_await_checkpoint(struct ta_safe *d, uint64_t number, int64_t timeout_ms,
                             struct ta_err *err)
{
    struct timespec until = at_mono(ta_mono_ns(d->clock) + timeout_ms * 1000000);
    int e = 0;
    int r = TA_OK;

    pthread_mutex_lock(&d->lock);
    while (d->done < number && !d->is_stopping && e != ETIMEDOUT)
        e = pthread_cond_timedwait(&d->checkpointed, &d->lock, &until);
    if (d->done < number)
        r = ta_fail(err, TA_EAGAIN, "the checkpoint has not ended yet");
    else if (d->state.trouble[0])
        r = ta_fail(err, TA_EIO, "%s", d->state.trouble);
    pthread_mutex_unlock(&d->lock);
    return r;
}

void ta_safe_state(struct ta_safe *d, struct ta_safe_state *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->state;
    pthread_mutex_unlock(&d->lock);
    if (d->wal)
        ta_wal_counts(d->wal, &out->log);
}
