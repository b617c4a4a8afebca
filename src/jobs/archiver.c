/* archiver.c - see archiver.h. */
#include "jobs/archiver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "jobs/archive_edit.h"
#include "jobs/archive_queue.h"

enum {
    LOOK_S = 2, /* for jobs that others have ended: one search of an index */
    RETRY_MAX_S = 3600,
    PAUSE_S = 5,             /* after the database has failed */
    COUNT_S = 15,            /* between two looks at the length of the queue */
    WORKER_BYTES = 64 << 20, /* beyond it a job fails */
    JOB_BYTES = 48 << 20,    /* of it, for what is known of the job */
    QUIET_S = 600            /* running for less has no footprint yet */
};

static const int64_t NS = 1000000000;

struct worker {
    struct ta_archiver *owner;
    pthread_t thread;
    struct ta_budget budget;
    struct ta_archive_queue *queue;
    struct ta_backend *backend; /* none of the tender */
    struct ta_data_spool spool;
    struct ta_arena arena;
    int64_t wake_s; /* when the next failed job may be tried */
    bool is_edit;   /* the job under way is archived, and its document is to be changed */
    bool is_running;
};

struct ta_archiver {
    struct ta_archiver_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;   /* guarded by lock: take no new job */
    uint64_t n_wakes;   /* guarded by lock */
    unsigned n_working; /* guarded by lock */
    atomic_bool give_up;
    int64_t began_ns; /* monotonic; of the start, not of the thread's first turn */

    /* One worker at a time looks for a job, so that no two take the same; held over that one query,
     * and by nobody else. */
    pthread_mutex_t pick;
    int64_t busy[TA_ARCHIVE_WORKERS_MAX]; /* guarded by pick; 0: none */

    pthread_mutex_t configuring;
    bool *is_configured; /* guarded by configuring; of each cluster, see archive_configuration.h */

    _Atomic uint64_t waiting, archived, failed, retried, hooks_failed, bytes, work_ns;
    _Atomic uint64_t edits_waiting, edits_written, edits_failed;
    _Atomic int64_t oldest_end_s;
    struct worker tender;
    unsigned n_workers;
    struct worker workers[TA_ARCHIVE_WORKERS_MAX];
};

/* ---- waiting ------------------------------------------------------------------------------------ */

/* Until a wake that came after `seen`, a stop, or seconds have passed. True: go on. */
static bool wait_for(struct ta_archiver *a, uint64_t *seen, int64_t seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(seconds < 1 ? 1 : seconds);
    pthread_mutex_lock(&a->lock);
    while (!a->is_stopping && (!seen || a->n_wakes == *seen))
        if (pthread_cond_timedwait(&a->changed, &a->lock, &until) != 0)
            break;
    bool goes_on = !a->is_stopping;
    if (seen)
        *seen = a->n_wakes;
    pthread_mutex_unlock(&a->lock);
    return goes_on;
}

static void add_working(struct ta_archiver *a, int by)
{
    pthread_mutex_lock(&a->lock);
    a->n_working += (unsigned)by;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* ---- one job ------------------------------------------------------------------------------------ */

static struct ta_archive_bench bench_of(struct worker *w)
{
    struct ta_archiver *a = w->owner;

    return (struct ta_archive_bench){.store = a->conf.store,
                                     .clusters = a->conf.clusters,
                                     .n_clusters = a->conf.n_clusters,
                                     .backend = w->backend,
                                     .configurations = {.paths = a->conf.cluster_files,
                                                        .vfs = a->conf.vfs,
                                                        .lock = &a->configuring,
                                                        .is_there = a->is_configured},
                                     .spool = &w->spool,
                                     .rules = a->conf.rules,
                                     .clock = a->conf.clock,
                                     .alloc = &w->budget.alloc,
                                     .stop = &a->give_up};
}

static int64_t wait_after(const struct ta_archiver_conf *conf, unsigned attempts)
{
    int64_t s = conf->retry_s;

    for (unsigned i = 1; i < attempts && s < RETRY_MAX_S; i++)
        s *= 2;
    return s < RETRY_MAX_S ? s : RETRY_MAX_S;
}

/* No further try after this one: all are used up, or the store will have dropped data by then. */
static bool is_last_try(const struct ta_archiver_conf *conf, const struct ta_job *job,
                        unsigned attempts, int64_t now_s)
{
    return attempts >= conf->attempts ||
           (conf->retention_s > 0 &&
            now_s + wait_after(conf, attempts) > job->start_time + conf->retention_s);
}

/* What failed is written down; when that fails too, the job simply waits. */
static int note_failure(struct worker *w, int64_t row, unsigned attempts, bool is_last, int code,
                        const struct ta_err *why, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    const char *reason = why->text[0] ? why->text : ta_strerror(code);
    int64_t now_s = ta_now_s(a->conf.clock);
    int r;

    if (is_last) {
        r = ta_archive_queue_fail(w->queue, row, attempts, reason, err);
        if (r >= 0)
            a->failed++;
    } else {
        r = ta_archive_queue_retry(w->queue, row, attempts, now_s + wait_after(&a->conf, attempts),
                                   reason, err);
        if (r >= 0)
            a->retried++;
    }
    ta_logf(a->conf.log, is_last ? TA_LOG_ERROR : TA_LOG_WARN,
            "[ARCHIVER]> job with id %" PRId64 ", attempt %u: %s%s", row, attempts, reason,
            is_last ? "; given up" : "");
    return r;
}

static void call_hook(struct worker *w, int64_t row, struct ta_str meta)
{
    struct ta_archiver *a = w->owner;
    struct ta_err err = {0};

    if (ta_archive_hook_run(&a->conf.hook, meta, &w->budget.alloc, &err) >= 0)
        return;
    a->hooks_failed++;
    ta_logf(a->conf.log, TA_LOG_WARN, "[ARCHIVER]> job with id %" PRId64 ": %s", row, err.text);
}

/* From row to row: < 0 only when the database does not take it. */
static int archive_row(struct worker *w, int64_t row, unsigned attempts, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    const struct ta_archive_bench bench = bench_of(w);
    struct ta_archived done = {0};
    struct ta_job job = {0};
    struct ta_err why = {0};
    int64_t now_s = ta_now_s(a->conf.clock), revision = 0;
    bool is_last = attempts >= a->conf.attempts;

    int r = ta_archive_queue_revision(w->queue, row, &revision, err);
    if (r < 0)
        return r;
    r = ta_archive_queue_load(w->queue, row, &w->arena, &job, &why);
    if (r == TA_ENOTFOUND)
        return TA_OK; /* deleted meanwhile */
    if (r >= 0) {
        is_last = is_last_try(&a->conf, &job, attempts, now_s);
        r = ta_archive_job(&bench, &job, is_last, &w->arena, &done, &why);
    }
    if (r == TA_ECANCELED && atomic_load(&a->give_up))
        return TA_OK; /* waits for the next start */
    if (r < 0)
        return note_failure(w, row, attempts, is_last, r, &why, err);
    r = ta_archive_queue_done(w->queue, &job, done.first_tag, done.missing, err);
    if (r == TA_ESTATE)
        return TA_OK; /* deleted, or changed by hand */
    if (r < 0)
        return r; /* the same again, later */
    a->archived++;
    a->bytes += done.bytes;
    if (done.missing.len)
        ta_logf(a->conf.log, TA_LOG_INFO,
                "[ARCHIVER]> job with id %" PRId64 " archived without %.*s", row,
                TA_STR_FMT(done.missing));
    call_hook(w, row, done.meta);
    return revision ? ta_archive_queue_edited(w->queue, row, revision, err) : TA_OK;
}

/* What fails is written down and waits; < 0 only when the database does not take it. */
static int edit_row(struct worker *w, int64_t row, unsigned attempts, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    struct ta_job job = {0};
    struct ta_err why = {0};
    int64_t revision = 0;

    int r = ta_archive_queue_revision(w->queue, row, &revision, err);
    if (r < 0)
        return r;
    r = ta_archive_queue_load(w->queue, row, &w->arena, &job, &why);
    if (r >= 0)
        r = ta_archive_edit(w->backend, &job, &w->arena, &w->budget.alloc, &why);
    if (r >= 0) {
        a->edits_written += (uint64_t)r;
        return ta_archive_queue_edited(w->queue, row, revision, err);
    }
    a->edits_failed++;
    ta_logf(a->conf.log, TA_LOG_WARN,
            "[ARCHIVER]> changing the archived job with id %" PRId64 ", attempt %u: %s", row,
            attempts, why.text[0] ? why.text : ta_strerror(r));
    return ta_archive_queue_retry_edit(w->queue, row, attempts,
                                       ta_now_s(a->conf.clock) + wait_after(&a->conf, attempts),
                                       why.text, err);
}

/* ---- workers ------------------------------------------------------------------------------------ */

/* Jobs to archive and documents to change take turns, so that neither waits for all of the other. */
static int pick(struct worker *w, int64_t *out_row, unsigned *out_attempts, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    int64_t now_s = ta_now_s(a->conf.clock);
    int r = 0;

    pthread_mutex_lock(&a->pick);
    for (int i = 0; i < 2 && r == 0; i++) {
        w->is_edit = !w->is_edit;
        if (w->is_edit) {
            r = ta_archive_queue_next_edit(w->queue, now_s, a->busy, a->n_workers, out_row,
                                           out_attempts, err);
        } else {
            r = ta_archive_queue_next(w->queue, now_s, a->busy, a->n_workers, out_row, out_attempts,
                                      err);
            w->wake_s = *out_row;
        }
    }
    if (r > 0)
        a->busy[w - a->workers] = *out_row;
    pthread_mutex_unlock(&a->pick);
    return r;
}

static void put_back(struct worker *w)
{
    struct ta_archiver *a = w->owner;

    pthread_mutex_lock(&a->pick);
    a->busy[w - a->workers] = 0;
    pthread_mutex_unlock(&a->pick);
}

/* 1 = did one, 0 = nothing to do until w->wake_s, < 0 = the database failed. */
static int one_job(struct worker *w, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    unsigned attempts = 0;
    int64_t row = 0;
    int r = pick(w, &row, &attempts, err);

    if (r <= 0)
        return r;
    int64_t begin = ta_mono_ns(a->conf.clock);
    add_working(a, 1);
    r = w->is_edit ? edit_row(w, row, attempts + 1, err) : archive_row(w, row, attempts + 1, err);
    ta_arena_reset(&w->arena);
    add_working(a, -1);
    put_back(w);
    a->work_ns += (uint64_t)(ta_mono_ns(a->conf.clock) - begin);
    return r < 0 ? r : 1;
}

static bool is_stopping(struct ta_archiver *a)
{
    pthread_mutex_lock(&a->lock);
    bool yes = a->is_stopping;
    pthread_mutex_unlock(&a->lock);
    return yes;
}

static bool is_ready(struct ta_archiver *a)
{
    return !a->conf.is_ready || a->conf.is_ready(a->conf.self);
}

static void *work(void *self)
{
    struct worker *w = self;
    struct ta_archiver *a = w->owner;
    uint64_t seen = 0;

    while (!is_stopping(a)) {
        struct ta_err err = {0};

        if (!is_ready(a)) {
            wait_for(a, NULL, 1);
            continue;
        }
        int r = one_job(w, &err);

        if (r > 0)
            continue;
        if (r < 0) {
            ta_logf(a->conf.log, TA_LOG_ERROR, "[ARCHIVER]> %s", err.text);
            wait_for(a, NULL, PAUSE_S);
            continue;
        }
        int64_t left_s = w->wake_s == INT64_MAX ? LOOK_S : w->wake_s - ta_now_s(a->conf.clock);
        wait_for(a, &seen, left_s < LOOK_S ? left_s : LOOK_S);
    }
    return NULL;
}

/* ---- running jobs ------------------------------------------------------------------------------- */

static int footprints(struct worker *w, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    const struct ta_archive_bench bench = bench_of(w);
    int64_t now_s = ta_now_s(a->conf.clock), row = INT64_MIN;
    int r = TA_OK;

    if (!is_ready(a))
        return TA_OK;
    while ((r = ta_archive_queue_running(w->queue, row, now_s - QUIET_S, &row, err)) > 0 &&
           !is_stopping(a)) {
        struct ta_err why = {0};
        struct ta_job job = {0};

        r = ta_archive_queue_load(w->queue, row, &w->arena, &job, &why);
        if (r >= 0)
            r = ta_archive_footprint(&bench, &job, now_s, &w->arena, &why);
        if (r < 0)
            ta_logf(a->conf.log, TA_LOG_DEBUG, "[ARCHIVER]> footprint of id %" PRId64 ": %s", row,
                    why.text);
        else if ((r = ta_archive_queue_footprint(w->queue, &job, err)) < 0)
            return r;
        ta_arena_reset(&w->arena);
    }
    return r < 0 ? r : TA_OK;
}

static int durations(struct worker *w, struct ta_err *err)
{
    struct ta_archiver *a = w->owner;
    int64_t now_s = ta_now_s(a->conf.clock), n = 0;

    if (a->conf.walltime_grace_s > 0)
        n = ta_archive_queue_overdue(w->queue, now_s, a->conf.walltime_grace_s, err);
    if (n < 0)
        return (int)n;
    if (n > 0) {
        ta_logf(a->conf.log, TA_LOG_WARN,
                "[ARCHIVER]> %" PRId64 " jobs ran beyond their limit and were ended there", n);
        ta_archiver_wake(a);
    }
    return ta_archive_queue_durations(w->queue, now_s, err);
}

static int count(struct worker *w, struct ta_err *err)
{
    struct ta_archive_waiting waiting = {0};
    int r = ta_archive_queue_count(w->queue, &waiting, err);

    if (r >= 0) {
        w->owner->waiting = waiting.n;
        w->owner->edits_waiting = waiting.n_edits;
        w->owner->oldest_end_s = waiting.oldest_end_s;
    }
    return r;
}

static void *tend(void *self)
{
    struct worker *w = self;
    struct ta_archiver *a = w->owner;
    struct {
        int (*run)(struct worker *w, struct ta_err *err);
        int64_t period_s, last_ns;
    } duties[] = {{count, COUNT_S, 0},
                  {durations, a->conf.duration_s, a->began_ns},
                  {footprints, a->conf.footprint_s, a->began_ns}};

    do {
        int64_t now_ns = ta_mono_ns(a->conf.clock);

        for (size_t i = 0; i < TA_COUNT(duties); i++) {
            struct ta_err err = {0};

            if (duties[i].period_s == 0 ||
                (duties[i].last_ns && now_ns - duties[i].last_ns < duties[i].period_s * NS))
                continue;
            duties[i].last_ns = now_ns;
            if (duties[i].run(w, &err) < 0)
                ta_logf(a->conf.log, TA_LOG_ERROR, "[ARCHIVER]> running jobs: %s", err.text);
        }
    } while (wait_for(a, NULL, 1));
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------------- */

static int open_worker(struct ta_archiver *a, struct worker *w, const char *name, unsigned number,
                       void *(*run)(void *), struct ta_err *err)
{
    char path[512];

    w->owner = a;
    ta_budget_init(&w->budget, name, WORKER_BYTES, a->conf.alloc);
    ta_arena_init(&w->arena, &w->budget.alloc, JOB_BYTES);
    snprintf(path, sizeof(path), "%.480s/.archiver-%u", a->conf.spool_dir, number);
    int r = ta_data_spool_init(&w->spool, a->conf.vfs, path, &w->budget.alloc, err);
    if (r >= 0)
        r = ta_archive_queue_open(&w->queue, &a->conf.database, a->conf.alloc, err);
    if (r >= 0 && run == work)
        r = a->conf.open_backend(a->conf.self, &w->backend, a->conf.alloc, err);
    if (r < 0)
        return r;
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return ta_fail(err, TA_ENOMEM, "starting a thread of the archiver");
    w->is_running = true;
    return TA_OK;
}

static void close_worker(struct worker *w)
{
    if (w->is_running)
        pthread_join(w->thread, NULL);
    ta_archive_queue_close(w->queue);
    ta_backend_close(w->backend);
    ta_data_spool_done(&w->spool);
    ta_arena_done(&w->arena);
}

static void init_locks(struct ta_archiver *a)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->pick, NULL);
    pthread_mutex_init(&a->configuring, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
}

int ta_archiver_start(struct ta_archiver **out, const struct ta_archiver_conf *conf,
                      struct ta_err *err)
{
    struct ta_archiver *a;
    int r;

    if (conf->workers < 1 || conf->workers > TA_ARCHIVE_WORKERS_MAX || conf->attempts < 1)
        return ta_fail(err, TA_EINVAL, "the archiver needs 1 to %d workers and an attempt",
                       TA_ARCHIVE_WORKERS_MAX);
    a = ta_alloc_zero(conf->alloc, 1, sizeof(*a));
    if (!a)
        return ta_fail(err, TA_ENOMEM, "no memory for the archiver");
    a->conf = *conf;
    a->conf.hook.stop = &a->give_up;
    a->began_ns = ta_mono_ns(conf->clock);
    init_locks(a);
    a->n_workers = conf->workers;
    a->is_configured = ta_alloc_zero(conf->alloc, conf->n_clusters + 1, sizeof(bool));
    r = a->is_configured ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory for the archiver");
    if (r >= 0)
        r = open_worker(a, &a->tender, "running jobs", conf->workers, tend, err);
    for (unsigned i = 0; r >= 0 && i < conf->workers; i++)
        r = open_worker(a, &a->workers[i], "archiver", i, work, err);
    if (r < 0) {
        (void)ta_archiver_stop(a, 0);
        return r;
    }
    *out = a;
    return TA_OK;
}

void ta_archiver_wake(struct ta_archiver *a)
{
    pthread_mutex_lock(&a->lock);
    a->n_wakes++;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

unsigned ta_archiver_stop(struct ta_archiver *a, int64_t timeout_ms)
{
    struct timespec until;
    unsigned n_left;

    if (!a)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / NS;
    until.tv_nsec %= NS;
    pthread_mutex_lock(&a->lock);
    a->is_stopping = true;
    pthread_cond_broadcast(&a->changed);
    while (a->n_working > 0 && pthread_cond_timedwait(&a->changed, &a->lock, &until) == 0)
        continue;
    n_left = a->n_working;
    pthread_mutex_unlock(&a->lock);
    atomic_store(&a->give_up, true);
    if (a->conf.giving_up)
        atomic_store(a->conf.giving_up, true);
    for (unsigned i = 0; i < a->n_workers; i++)
        close_worker(&a->workers[i]);
    close_worker(&a->tender);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->pick);
    pthread_mutex_destroy(&a->configuring);
    pthread_mutex_destroy(&a->lock);
    ta_release(a->conf.alloc, a->is_configured, a->conf.n_clusters + 1);
    ta_release(a->conf.alloc, a, sizeof(*a));
    return n_left;
}

void ta_archiver_counts(struct ta_archiver *a, struct ta_archiver_counts *out)
{
    int64_t oldest_s = a->oldest_end_s, now_s = ta_now_s(a->conf.clock);

    *out = (struct ta_archiver_counts){.waiting = a->waiting,
                                       .oldest_age_s =
                                           oldest_s > 0 && now_s > oldest_s ? now_s - oldest_s : 0,
                                       .archived = a->archived,
                                       .failed = a->failed,
                                       .retried = a->retried,
                                       .hooks_failed = a->hooks_failed,
                                       .edits_waiting = a->edits_waiting,
                                       .edits_written = a->edits_written,
                                       .edits_failed = a->edits_failed,
                                       .bytes = a->bytes,
                                       .work_ns = a->work_ns};
    for (unsigned i = 0; i < a->n_workers; i++) {
        size_t peak = atomic_load(&a->workers[i].budget.peak);
        out->peak_bytes = peak > out->peak_bytes ? peak : out->peak_bytes;
    }
    pthread_mutex_lock(&a->lock);
    out->working = a->n_working;
    pthread_mutex_unlock(&a->lock);
}
