#include "app/safe.h"

#include "app/protector.h"

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
    LAG_S = 300,
    START_WAIT_MS = 1000,
    /* Checkpoints get a third of what an answer gets of a processor that both want. Not less: a thread holds the lock
     * of a shard while it copies from it. */
    CHECKPOINT_NICE = 5
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

/* Under lock. */
static bool is_settled(struct ta_safe *d, const struct ta_waiter *w)
{
    if (w->checkpoint > 0)
        return d->done >= w->checkpoint;
    return w->ticket == 0 || ta_wal_ticket(d->vault.wal, w->ticket) != TA_TICKET_PENDING;
}

/* The wakes come under the lock: that is what makes unwait's answer true. They take one short mutex of the
 * server each. */
static void wake_settled(struct ta_safe *d)
{
    pthread_mutex_lock(&d->lock);
    for (struct ta_waiter *w = d->waiters.next, *next; w != &d->waiters; w = next) {
        next = w->next;
        if (is_settled(d, w)) {
            unlink_waiter(w);
            w->wake(w);
        }
    }
    pthread_mutex_unlock(&d->lock);
}

/* From the log's thread, after each change of what is durable. */
static void on_log(struct ta_wal_listener *self)
{
    wake_settled(TA_CONTAINER(self, struct ta_safe, listener));
}

enum ta_ticket ta_safe_wait(struct ta_safe *d, struct ta_waiter *w, uint64_t ticket)
{
    if (ticket == 0)
        return TA_TICKET_DURABLE;
    pthread_mutex_lock(&d->lock);
    enum ta_ticket state = ta_wal_ticket(d->vault.wal, ticket);
    if (state == TA_TICKET_PENDING && !w->is_linked) {
        w->ticket = ticket;
        w->checkpoint = 0;
        link_waiter(d, w);
    }
    pthread_mutex_unlock(&d->lock);
    return state;
}

bool ta_safe_wait_room(struct ta_safe *d, struct ta_waiter *w)
{
    pthread_mutex_lock(&d->lock);
    bool is_room =
        !atomic_load(&d->vault.gate.is_shut) && ta_wal_wait_room(d->vault.wal, 0) != TA_EAGAIN;
    if (!is_room && !w->is_linked) {
        w->ticket = w->checkpoint = 0;
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

/* While samples come in, their answers wait for the same cores and for the same disk. */
static unsigned count_workers_beside(const struct ta_config *c)
{
    unsigned n = count_workers(c);

    return c->store.num_workers <= 0 && n > 1 ? n - 1 : n;
}

/* Samples leave memory after the retention: what is to be kept must be in a file by then. */
static int64_t interval_of(const struct ta_config *c)
{
    int64_t interval = c->store.checkpoint_interval_ns;
    int64_t half = c->store.retention_ns / 2;

    return half > 0 && half < interval ? half : interval;
}

/* A retention of minutes leaves less room between now and what is freed. */
static int64_t lag_of(const struct ta_config *c)
{
    const int64_t lag_ns = LAG_S * (int64_t)1000000000;
    int64_t quarter_ns = c->store.retention_ns / 4;

    return quarter_ns > 0 && quarter_ns < lag_ns ? quarter_ns : lag_ns;
}

static bool is_protected(void *protector, struct ta_str cluster, struct ta_str host)
{
    return ta_protector_has(protector, cluster, host);
}

int ta_safe_open(struct ta_safe *d, const struct ta_config *config, struct ta_protector *protector,
                 struct ta_store *store, struct ta_vfs *vfs, struct ta_clock *clock,
                 struct ta_log *log, struct ta_err *err)
{
    *d = (struct ta_safe){
        .store = store,
        .clock = clock,
        .log = log,
        .listener = {on_log},
        .interval_ns = interval_of(config),
        .lag_ns = lag_of(config),
        .workers_beside = count_workers_beside(config),
        .state = {.saved_before_s = INT64_MIN, .saved_mono_ns = ta_mono_ns(clock)}};
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    d->waiters.next = d->waiters.previous = &d->waiters;
    d->is_open = true;
    struct ta_vault_conf conf = {
        .store = store,
        .vfs = vfs,
        .root = config->store.checkpoint_dir,
        .alloc = &ta_heap,
        .clock = clock,
        .report = log,
        .listener = &d->listener,
        .durability =
            config->tarn.durability[0] == 'i' ? TA_DURABILITY_INTERVAL : TA_DURABILITY_SYNC,
        .sync_interval_ms = config->tarn.sync_interval_ns / 1000000,
        .retention_s = config->store.retention_ns / 1000000000,
        .is_protected = is_protected,
        .protector = protector,
        .format = config->store.checkpoint_format[0] == 'j' ? TA_TREE_JSON : TA_TREE_BIN,
        .n_workers = count_workers(config)};
    if (getrandom(&conf.seed, sizeof(conf.seed), 0) != sizeof(conf.seed))
        return ta_fail_sys(err, "reading random bytes");
    return ta_vault_open(&d->vault, &conf, err);
}

void ta_safe_close(struct ta_safe *d)
{
    struct ta_err err = {0};

    if (!d->is_open)
        return;
    if (ta_vault_close(&d->vault, &err) < 0)
        ta_logf(d->log, TA_LOG_ERROR, "%s", err.text);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    *d = (struct ta_safe){0};
}

/* ---- loading -------------------------------------------------------------------------------- */

static void report_loaded(struct ta_safe *d)
{
    const struct ta_recover_report *r = ta_recover_report(d->vault.recover);

    for (int i = 0; i < TA_RECOVER_KINDS; i++) {
        const struct ta_recover_counts *c = &r->kind[i];
        if (c->files + c->files_old == 0)
            continue;
        ta_logf(d->log, c->damaged + c->lost_records ? TA_LOG_WARN : TA_LOG_INFO,
                "[METRICSTORE]> loaded %s: %" PRIu64 " files (%" PRIu64 " too old, %" PRIu64
                " damaged), %" PRIu64 " samples, %" PRIu64 " skipped, %" PRIu64
                " unreadable places, %" PRIu64 " torn ends, %" PRIu64 " records lost",
                ta_recover_kind_name((enum ta_recover_kind)i), c->files, c->files_old,
                c->files_damaged, c->samples, c->skipped + c->skipped_memory, c->damaged, c->torn,
                c->lost_records);
    }
    ta_logf(d->log, TA_LOG_INFO, "[METRICSTORE]> %" PRIu64 " hosts loaded in %.1f s", r->hosts,
            (double)r->elapsed_ns / 1e9);
}

/* The log fails: what was loaded is in the store, and the rest of the work is tried again when it may have
 * healed. */
static void rest_after_failure(struct ta_safe *d)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&d->lock);
    if (!d->is_stopping)
        pthread_cond_timedwait(&d->wake, &d->lock, &until);
    pthread_mutex_unlock(&d->lock);
}

static void load(struct ta_safe *d)
{
    int r = TA_EIO;

    while (r < 0 && !atomic_load(&d->stop)) {
        struct ta_err err = {0};
        r = ta_vault_load(&d->vault, &d->stop, &err);
        if (r < 0 && r != TA_ECANCELED) {
            ta_logf(d->log, TA_LOG_ERROR, "loading: %s", err.text);
            rest_after_failure(d);
        }
    }
    if (r < 0)
        return;
    report_loaded(d);
    atomic_store_explicit(&d->is_ready, true, memory_order_release);
    wake_settled(d); /* who met the shut gate */
}

void ta_safe_progress(struct ta_safe *d, char *out, size_t room)
{
    struct ta_recover_state s;

    ta_vault_state(&d->vault, &s);
    if (s.phase == TA_PHASE_HOSTS)
        snprintf(out, room, "loading: %" PRIu64 " of %" PRIu64 " hosts", s.hosts_done, s.hosts);
    else
        snprintf(out, room, "loading: %" PRIu64 " of %" PRIu64 " log segments", s.segments_done,
                 s.segments);
}

/* ---- checkpoints --------------------------------------------------------------------------- */

static void report(struct ta_safe *d, int64_t started_s, int64_t boundary_s, int64_t took_ms, int r,
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
        s->saved_before_s = boundary_s < started_s ? boundary_s : started_s;
        s->saved_mono_ns = ta_mono_ns(d->clock);
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

static int checkpoint_now(struct ta_safe *d, int64_t boundary_s, unsigned n_workers,
                          struct ta_err *err)
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
    int r = ta_vault_checkpoint(&d->vault, boundary_s, n_workers, &d->stop, &counts, &why);
    report(d, started_s, boundary_s, (ta_mono_ns(d->clock) - start) / 1000000, r, &counts, &why);
    return r < 0 ? ta_fail(err, r, "%s", why.text) : TA_OK;
}

static struct timespec at_mono(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static void *run(void *arg)
{
    struct ta_safe *d = arg;

    load(d);
    /* For this thread and those that it starts, as Linux has it. The checkpoint of a clean stop runs in another
     * one, since there is no way back. */
    (void)nice(CHECKPOINT_NICE);
    int64_t next = ta_mono_ns(d->clock) + d->interval_ns;

    pthread_mutex_lock(&d->lock);
    while (!d->is_stopping) {
        struct timespec until = at_mono(next);
        if (d->wanted == d->done && !d->is_due && ta_mono_ns(d->clock) < next) {
            pthread_cond_timedwait(&d->wake, &d->lock, &until);
            continue;
        }
        uint64_t serving = d->wanted;
        int64_t boundary =
            serving > d->done ? TA_CHECKPOINT_ALL : ta_now_s(d->clock) - d->lag_ns / 1000000000;
        d->is_due = false;
        pthread_mutex_unlock(&d->lock);
        (void)checkpoint_now(d, boundary, d->workers_beside,
                             NULL); /* said in the log and the state; the next one retries */
        next = ta_mono_ns(d->clock) + d->interval_ns;
        pthread_mutex_lock(&d->lock);
        d->done = serving;
        pthread_mutex_unlock(&d->lock);
        wake_settled(d);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* A small directory is loaded before the first request can come: so its clients need not know of loading. */
static void wait_a_little(struct ta_safe *d)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t until = ta_mono_ns(d->clock) + (int64_t)START_WAIT_MS * 1000000;

    while (!ta_safe_is_ready(d) && ta_mono_ns(d->clock) < until)
        nanosleep(&pause, NULL);
}

int ta_safe_start(struct ta_safe *d, struct ta_err *err)
{
    int e = pthread_create(&d->thread, NULL, run, d);

    if (e != 0) {
        errno = e;
        return ta_fail_sys(err, "starting the checkpoint thread");
    }
    d->is_running = true;
    wait_a_little(d);
    return TA_OK;
}

int ta_safe_stop(struct ta_safe *d, bool is_final, struct ta_err *err)
{
    if (!d->is_open)
        return TA_OK;
    pthread_mutex_lock(&d->lock);
    d->is_stopping = true;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);
    if (d->is_running) {
        atomic_store(
            &d->stop,
            true); /* ends a loading, too; the final checkpoint covers what a running one does not */
        pthread_join(d->thread, NULL);
        atomic_store(&d->stop, false);
        d->is_running = false;
    }
    return is_final && ta_safe_is_ready(d) ? checkpoint_now(d, TA_CHECKPOINT_ALL, 0, err) : TA_OK;
}

int64_t ta_safe_free_before(struct ta_safe *d, int64_t before_s, int64_t retention_s)
{
    pthread_mutex_lock(&d->lock);
    int64_t unsaved_ns = ta_mono_ns(d->clock) - d->state.saved_mono_ns;
    if (before_s > d->state.saved_before_s) {
        d->is_due = true;
        pthread_cond_signal(&d->wake);
        if (unsaved_ns / 1000000000 < retention_s)
            before_s = d->state.saved_before_s;
    }
    pthread_mutex_unlock(&d->lock);
    return before_s;
}

uint64_t ta_safe_ask_checkpoint(struct ta_safe *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t number = ++d->wanted;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    return number;
}

int ta_safe_wait_checkpoint(struct ta_safe *d, struct ta_waiter *w, uint64_t number,
                            struct ta_err *err)
{
    int r = TA_OK;

    pthread_mutex_lock(&d->lock);
    if (d->done < number) {
        r = TA_EAGAIN;
        if (!w->is_linked) {
            w->checkpoint = number;
            link_waiter(d, w);
        }
    } else if (d->state.trouble[0]) {
        r = ta_fail(err, TA_EIO, "%s", d->state.trouble);
    }
    pthread_mutex_unlock(&d->lock);
    return r;
}

void ta_safe_state(struct ta_safe *d, struct ta_safe_state *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->state;
    pthread_mutex_unlock(&d->lock);
    ta_wal_counts(d->vault.wal, &out->log);
    ta_vault_state(&d->vault, &out->loading);
}
