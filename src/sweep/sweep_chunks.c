/* sweep_chunks.c - fetchers and workers.
 *
 * A fetcher owns one slot: a chunk of names, then its records, until the last of them is through.
 * Workers take records from one bounded queue. `lock` guards the report and the counts of what is
 * still at work; nobody holds it over a call.
 */
#include "base/queue.h"
#include "sweep/answer_read.h"
#include "sweep/sweep_int.h"
#include "sweep/url.h"

#include <stdio.h>
#include <unistd.h>

enum { SLOT_ARENA_MAX = 2 * 1024 * 1024, SLOTS_MAX = 16, WORKERS_MAX = 64 };

static const int64_t WATCH_NS = 60 * INT64_C(1000000000);

struct run {
    const struct ta_sweep_conf *conf;
    struct ta_sweep_gauges *gauges;
    struct ta_sweep_report *report; /* guarded by lock */
    struct ta_flow_env env;
    struct ta_chunk_feed feed;
    struct ta_queue work;
    struct ta_buf post_url, get_url;
    pthread_mutex_t lock;
    pthread_cond_t is_through;
    pthread_mutex_t watch_lock; /* one outcome is told at a time */
    _Atomic bool gives_up;      /* no new chunk: locks are gone, or memory */
    _Atomic unsigned slots_allowed;
    _Atomic int64_t watched_mono_ns;
    bool was_unasked_told; /* guarded by lock */
};

struct slot {
    struct run *run;
    unsigned index;
    struct ta_arena arena;
    struct ta_answer_reader answers;
    struct ta_lock_set *locks;
    size_t n_at_work; /* guarded by run->lock */
};

struct job {
    struct slot *slot;
    struct ta_record *record;
};

static bool is_stopping(const struct run *run)
{
    return atomic_load(&run->gives_up) || (run->conf->stop && atomic_load(run->conf->stop));
}

/* ---- workers ------------------------------------------------------------------------------------ */

static void tell(struct run *run, const struct ta_record *record, struct ta_outcome *o)
{
    const struct ta_sweep_conf *conf = run->conf;
    uint64_t n_rules = 0;

    for (size_t p = 0; p < TA_PIPELINES; p++)
        n_rules += o->rules[p].n;
    ta_logf(conf->log, TA_LOG_INFO, "workflow=%.*s status=%.*s result=%s gate=%s rules=%llu%s%s",
            TA_STR_FMT(record->name), TA_STR_FMT(record->status), ta_result_name(o->result),
            ta_gate_name(o->gate), (unsigned long long)n_rules, o->reason[0] ? " reason=" : "",
            o->reason);
    if (conf->watch) {
        pthread_mutex_lock(&run->watch_lock);
        conf->watch(conf->watcher, record, o);
        pthread_mutex_unlock(&run->watch_lock);
    }
}

static void work_off(struct run *run, struct job *job)
{
    struct ta_outcome outcome;
    struct ta_err err = {0};
    int r = ta_flow_run(&run->env, job->record, &job->slot->locks->names, &outcome, &err);

    if (r < 0)
        ta_logf(run->conf->log, TA_LOG_ERROR, "%s", err.text);
    tell(run, job->record, &outcome);
    atomic_fetch_add(&run->gauges->workflows, 1);
    pthread_mutex_lock(&run->lock);
    ta_report_add(run->report, &outcome);
    pthread_mutex_unlock(&run->lock);
    ta_outcome_done(&outcome);
    ta_record_free(job->record);
    pthread_mutex_lock(&run->lock);
    if (--job->slot->n_at_work == 0)
        pthread_cond_broadcast(&run->is_through);
    pthread_mutex_unlock(&run->lock);
}

static void *work(void *arg)
{
    struct run *run = arg;
    void *job;

    while (ta_queue_get(&run->work, &job, -1) == TA_OK)
        work_off(run, job);
    return NULL;
}

/* ---- fetchers ----------------------------------------------------------------------------------- */

static void note_name(struct run *run, const struct ta_chunk_slot *s)
{
    static const char *const words[] = {[TA_CHUNK_MISSING] = "missing",
                                        [TA_CHUNK_FOUND] = "",
                                        [TA_CHUNK_UNUSABLE] = "failed",
                                        [TA_CHUNK_FAILED] = "failed"};

    ta_logf(run->conf->log, TA_LOG_INFO, "workflow=%.*s result=%s", TA_STR_FMT(s->name),
            words[s->state]);
    if (run->conf->watch_name) {
        pthread_mutex_lock(&run->watch_lock);
        run->conf->watch_name(run->conf->watcher, s->name, s->state);
        pthread_mutex_unlock(&run->watch_lock);
    }
    pthread_mutex_lock(&run->lock);
    if (s->state == TA_CHUNK_MISSING)
        run->report->missing++;
    else
        run->report->failed++;
    pthread_mutex_unlock(&run->lock);
    if (s->state != TA_CHUNK_MISSING)
        atomic_fetch_add(&run->gauges->documents_failed, 1);
}

static void give_up(struct run *run, const char *what, const struct ta_err *err)
{
    bool was = atomic_exchange(&run->gives_up, true);

    if (was)
        return;
    ta_logf(run->conf->log, TA_LOG_ERROR, "cycle stopped: %s: %s", what, err->text);
    pthread_mutex_lock(&run->lock);
    ta_report_error(run->report, "cycle stopped: %s: %.200s", what, err->text);
    run->report->was_stopped = true;
    pthread_mutex_unlock(&run->lock);
}

static void drop_items(struct ta_chunk *chunk)
{
    for (size_t i = 0; i < chunk->n; i++)
        ta_record_free(chunk->slot[i].item);
}

/* Hands the records of a chunk to the workers and waits for the last of them. */
static int hand_over(struct slot *slot, struct ta_chunk *chunk, struct ta_err *err)
{
    struct run *run = slot->run;
    struct job *jobs = ta_arena_get(&slot->arena, chunk->n * sizeof(*jobs));
    size_t n = 0;

    if (!jobs) {
        drop_items(chunk);
        return ta_fail(err, TA_ENOMEM, "a chunk of workflows");
    }
    for (size_t i = 0; i < chunk->n; i++) {
        if (chunk->slot[i].state == TA_CHUNK_FOUND)
            jobs[n++] = (struct job){slot, chunk->slot[i].item};
        else
            note_name(run, &chunk->slot[i]);
    }
    pthread_mutex_lock(&run->lock);
    slot->n_at_work = n;
    pthread_mutex_unlock(&run->lock);
    for (size_t i = 0; i < n; i++)
        (void)ta_queue_put(&run->work, &jobs[i], -1); /* closed only after all fetchers ended */
    pthread_mutex_lock(&run->lock);
    while (slot->n_at_work)
        pthread_cond_wait(&run->is_through, &run->lock);
    pthread_mutex_unlock(&run->lock);
    return TA_OK;
}

static int do_chunk(struct slot *slot, struct ta_chunk *chunk, struct ta_err *err)
{
    struct run *run = slot->run;
    const struct ta_sweep_conf *conf = run->conf;
    struct ta_chunk_fetcher fetcher = {.caller = conf->caller,
                                       .feed = &run->feed,
                                       .reader = &slot->answers.reader,
                                       .post_url = run->post_url.at,
                                       .get_url = run->get_url.at,
                                       .headers = ta_service_headers,
                                       .n_headers = TA_SERVICE_HEADERS,
                                       .retries = conf->fetch_retries,
                                       .upstream = TA_UP_REQMGR,
                                       .log = conf->log,
                                       .alloc = conf->alloc};
    int r = ta_chunk_fetch(&fetcher, chunk, err);

    if (r < 0)
        return r;
    r = ta_locks_get(conf->locks, conf->locks_max_age_s * 1000000000, &slot->locks, err);
    if (r < 0) {
        drop_items(chunk);
        return r;
    }
    r = hand_over(slot, chunk, err);
    ta_locks_give_back(conf->locks, slot->locks);
    slot->locks = NULL;
    return r;
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%llu %llu", &pages, &resident) != 2)
            resident = 0;
        (void)fclose(f); /* it was only read */
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Once a minute: over the limit fewer chunks are in flight from now on. */
static void watch_memory(struct run *run)
{
    int64_t now = ta_mono_ns(run->conf->clock);
    int64_t last = atomic_load(&run->watched_mono_ns);

    if (now - last < WATCH_NS || !atomic_compare_exchange_strong(&run->watched_mono_ns, &last, now))
        return;
    uint64_t used = resident_bytes();
    unsigned slots = atomic_load(&run->slots_allowed);
    if (used <= run->conf->memory_limit || run->conf->memory_limit == 0)
        return;
    ta_logf(run->conf->log, TA_LOG_WARN, "%llu MiB in use, memoryLimit is %llu MiB",
            (unsigned long long)(used >> 20), (unsigned long long)(run->conf->memory_limit >> 20));
    if (slots > 1)
        atomic_store(&run->slots_allowed, slots / 2);
}

static void *fetch(void *arg)
{
    struct slot *slot = arg;
    struct run *run = slot->run;
    struct ta_chunk chunk;

    while (!is_stopping(run) && slot->index < atomic_load(&run->slots_allowed)) {
        struct ta_err err = {0};
        ta_arena_reset(&slot->arena);
        int r = ta_chunk_take(&run->feed, &slot->arena, &chunk, &err);
        if (r == 0)
            break;
        if (r > 0) {
            atomic_fetch_add(&run->gauges->chunks_in_flight, 1);
            r = do_chunk(slot, &chunk, &err);
            atomic_fetch_sub(&run->gauges->chunks_in_flight, 1);
        }
        if (r < 0)
            give_up(run, r == TA_ECANCELED ? "asked to" : "no further workflow is begun", &err);
        watch_memory(run);
    }
    return NULL;
}

/* ---- the run ------------------------------------------------------------------------------------ */

static void end_slot(struct slot *s)
{
    struct run *run = s->run;

    if (s->answers.n_unasked && !run->was_unasked_told) {
        ta_logf(run->conf->log, TA_LOG_WARN, "answers held documents that were not asked for");
        run->was_unasked_told = true;
    }
    ta_answer_reader_done(&s->answers);
    ta_arena_done(&s->arena);
}

static int run_threads(struct run *run)
{
    const struct ta_sweep_conf *conf = run->conf;
    pthread_t workers[WORKERS_MAX], fetchers[SLOTS_MAX];
    struct slot slots[SLOTS_MAX];
    unsigned n_workers = 0, n_slots = 0;
    unsigned want_workers = conf->workers < WORKERS_MAX ? conf->workers : WORKERS_MAX;
    unsigned want_slots = conf->chunks_in_flight < SLOTS_MAX ? conf->chunks_in_flight : SLOTS_MAX;

    while (n_workers < want_workers && pthread_create(&workers[n_workers], NULL, work, run) == 0)
        n_workers++;
    for (; n_workers && n_slots < want_slots; n_slots++) {
        struct slot *s = &slots[n_slots];
        *s = (struct slot){.run = run, .index = n_slots};
        ta_arena_init(&s->arena, conf->alloc, SLOT_ARENA_MAX);
        ta_answer_reader_init(&s->answers, conf->max_workflow_bytes, conf->log, conf->alloc);
        if (pthread_create(&fetchers[n_slots], NULL, fetch, s) != 0) {
            end_slot(s);
            break;
        }
    }
    for (unsigned i = 0; i < n_slots; i++) {
        pthread_join(fetchers[i], NULL);
        end_slot(&slots[i]);
    }
    ta_queue_close(&run->work);
    for (unsigned i = 0; i < n_workers; i++)
        pthread_join(workers[i], NULL);
    return n_workers && n_slots ? TA_OK : TA_ENOMEM;
}

static int make_urls(struct run *run)
{
    struct ta_alloc *alloc = run->conf->alloc;
    const char *base = run->conf->services->conf.reqmgr_url;

    ta_buf_init(&run->post_url, alloc, TA_URL_MAX);
    ta_buf_init(&run->get_url, alloc, TA_URL_MAX);
    int r = ta_url_add(&run->post_url, base, "/data/request/bynames", NULL);
    return r == TA_OK ? ta_url_add(&run->get_url, base, "/data/request", NULL) : r;
}

/* What is left in the list once no chunk is begun any more stays for the next cycle. */
static void note_failures(struct run *run)
{
    struct ta_sweep_report *r = run->report;

    if (r->failed)
        ta_report_error(r, "fetch of %llu documents failed", (unsigned long long)r->failed);
    if (!r->was_stopped && run->conf->stop && atomic_load(run->conf->stop)) {
        r->was_stopped = true;
        ta_report_error(r, "cycle stopped on request");
    }
}

int ta_sweep_chunks(const struct ta_sweep_conf *conf, struct ta_id_spool *names,
                    struct ta_sweep_gauges *gauges, struct ta_sweep_report *report)
{
    struct run run = {.conf = conf,
                      .gauges = gauges,
                      .report = report,
                      .env = {.policy = &conf->policy,
                              .port = &conf->services->port,
                              .clock = conf->clock,
                              .log = conf->log,
                              .vfs = conf->vfs,
                              .temp_dir = conf->temp_dir,
                              .alloc = conf->alloc},
                      .slots_allowed = conf->chunks_in_flight,
                      .watched_mono_ns = ta_mono_ns(conf->clock)};
    int r = make_urls(&run);

    if (r == TA_OK)
        r = ta_queue_init(&run.work, (size_t)conf->workers * 2, conf->alloc);
    if (r == TA_OK) {
        /* These fill structs: they cannot fail here. */
        (void)pthread_mutex_init(&run.lock, NULL);
        (void)pthread_mutex_init(&run.watch_lock, NULL);
        (void)pthread_cond_init(&run.is_through, NULL);
        ta_chunk_feed_init(&run.feed, names, conf->chunk_size);
        r = run_threads(&run);
        ta_chunk_feed_done(&run.feed);
        pthread_cond_destroy(&run.is_through);
        pthread_mutex_destroy(&run.watch_lock);
        pthread_mutex_destroy(&run.lock);
        ta_queue_done(&run.work);
        note_failures(&run);
    }
    ta_buf_done(&run.post_url);
    ta_buf_done(&run.get_url);
    if (r < 0)
        ta_report_error(report, "no cycle: %s", ta_strerror(r));
    return r;
}
