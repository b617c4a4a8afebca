#include "app/retention_task.h"

#include "app/conf_retention.h"
#include "base/pause.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LOOK_MS = 1000,   /* between two looks whether a run is due */
    COMPRESS_DAYS = 7 /* the default age from which data are compressed */
};

static const int64_t NS = 1000000000;

static const char *const task_names[TA_RETAIN_TASKS] = {"nodes", "jobs", "compression"};

/* ---- when --------------------------------------------------------------------------------------- */

int64_t ta_retention_due_s(int64_t last_s, int64_t interval_s, int of_day_s)
{
    time_t last = (time_t)last_s;
    struct tm tm;

    if (interval_s > 0 || !localtime_r(&last, &tm))
        return last_s + (interval_s > 0 ? interval_s : 86400);
    for (int day = 0;; day++) {
        struct tm then = tm;
        then.tm_mday += day;
        then.tm_hour = of_day_s / 3600;
        then.tm_min = of_day_s / 60 % 60;
        then.tm_sec = 0;
        then.tm_isdst = -1; /* days on which the clock is changed have 23 or 25 hours */
        time_t at = mktime(&then);
        if (at > last || day > 1)
            return at;
    }
}

/* The end of the last run, or the first start. */
static void touch_mark(struct ta_retention_task *t)
{
    struct ta_file *file = NULL;
    struct ta_err err = {0};
    int r = ta_mkdir_all(&ta_vfs_posix, t->directory, 0750, &err);

    if (r >= 0)
        r = ta_open(&ta_vfs_posix, t->mark, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600,
                    &file, &err);
    if (r >= 0)
        /* Not empty: an empty file that is cut again keeps its time. */
        r = ta_pwrite_full(file, "\n", 1, 0, &err);
    int c = ta_close(&file, r < 0 ? NULL : &err);
    if (r < 0 || c < 0)
        ta_logf(t->log, TA_LOG_WARN, "retention: the time of this run is not kept: %s", err.text);
}

/* A time stamp of the future (the clock was put back) counts as now. */
static bool is_due(struct ta_retention_task *t)
{
    const struct ta_conf_tarn *c = &t->config->tarn;
    int64_t now_s = ta_now_s(t->clock);
    struct ta_stat stat;

    if (ta_vfs_posix.stat(&ta_vfs_posix, t->mark, &stat, NULL) < 0 ||
        stat.mtime_ns / NS > now_s + 1) {
        touch_mark(t);
        return false;
    }
    int64_t interval_s = (c->retention_interval_ns + NS - 1) / NS;
    return now_s >= ta_retention_due_s(stat.mtime_ns / NS, interval_s,
                                       ta_conf_time_of_day(c->retention_time));
}

/* ---- what --------------------------------------------------------------------------------------- */

static struct ta_retention common_of(const struct ta_retention_task *t, int64_t age_s)
{
    return (struct ta_retention){
        .db = t->config->main.db, .age_s = age_s, .clock = t->clock, .stop = &t->stop};
}

/* Each returns < 0, or 1 when something stayed that should have gone, with its reason in err. */

static int run_nodes(struct ta_retention_task *t, struct ta_err *err)
{
    const struct ta_conf_node_retention *c = &t->config->main.node_retention;
    struct ta_retention conf = common_of(t, c->age_hours * 3600);
    struct ta_node_retained done;

    conf.target = t->nodes_to.conf;
    conf.file_bytes = (uint64_t)c->target.file_mb * MiB;
    int r = ta_retention_nodes(&conf, &done, err);
    pthread_mutex_lock(&t->lock);
    t->nodes.exported += done.exported;
    t->nodes.deleted += done.deleted;
    t->nodes.files += done.files;
    t->nodes.bytes += done.bytes;
    pthread_mutex_unlock(&t->lock);
    ta_logf(t->log, TA_LOG_INFO,
            "retention of states of nodes: %" PRIu64 " gone, %" PRIu64 " of them into %" PRIu64
            " Parquet files",
            done.deleted, done.exported, done.files);
    if (r >= 0 && done.odd)
        (void)ta_fail(err, TA_EFORMAT, "%" PRIu64 " states stay, no file can hold them", done.odd);
    return r < 0 ? r : done.odd > 0;
}

static int run_jobs(struct ta_retention_task *t, struct ta_err *err)
{
    const struct ta_conf_job_retention *c = &t->config->archive.retention;
    struct ta_jobs_retained done;
    struct ta_retention_jobs conf = {.common = common_of(t, c->age_days * 86400),
                                     .archive = t->archive.conf,
                                     .policy = c->policy[0] == 'm'   ? TA_JOBS_MOVE
                                               : c->policy[0] == 'c' ? TA_JOBS_COPY
                                                                     : TA_JOBS_DELETE,
                                     .tags = ta_retention_tag_rule(c->omit_tagged),
                                     .keep_rows = !c->include_db};

    conf.common.target = t->jobs_to.conf;
    conf.common.file_bytes = (uint64_t)c->target.file_mb * MiB;
    conf.to_parquet = conf.common.target.address && c->format[0] == 'p';
    int r = ta_retention_jobs(&conf, &done, err);
    pthread_mutex_lock(&t->lock);
    t->jobs.copied += done.copied;
    t->jobs.removed += done.removed;
    t->jobs.failed += done.failed;
    t->jobs.absent += done.absent;
    t->jobs.files += done.files;
    pthread_mutex_unlock(&t->lock);
    ta_logf(t->log, TA_LOG_INFO,
            "retention of jobs: %" PRIu64 " copied, %" PRIu64 " removed, %" PRIu64
            " failed, %" PRIu64 " not in the archive",
            done.copied, done.removed, done.failed, done.absent);
    if (r >= 0 && done.failed)
        (void)ta_fail(err, done.first.code, "%" PRIu64 " jobs stay, first: %s", done.failed,
                      done.first.text);
    return r < 0 ? r : done.failed > 0;
}

static int run_compression(struct ta_retention_task *t, struct ta_err *err)
{
    int64_t days = t->config->archive.compression_days;
    const struct ta_retention common = common_of(t, (days > 0 ? days : COMPRESS_DAYS) * 86400);
    struct ta_compressed done;
    int r = ta_retention_compress(&common, &t->archive.conf, &done, err);

    pthread_mutex_lock(&t->lock);
    t->compressed.seen += done.seen;
    t->compressed.compressed += done.compressed;
    t->compressed.failed += done.failed;
    pthread_mutex_unlock(&t->lock);
    ta_logf(t->log, TA_LOG_INFO,
            "compression of jobs: %" PRIu64 " of %" PRIu64 " were plain and are compressed",
            done.compressed, done.seen);
    if (r >= 0 && done.failed)
        (void)ta_fail(err, done.first.code, "%" PRIu64 " jobs stay plain, first: %s", done.failed,
                      done.first.text);
    return r < 0 ? r : done.failed > 0;
}

typedef int task_fn(struct ta_retention_task *t, struct ta_err *err);

static task_fn *const tasks[TA_RETAIN_TASKS] = {run_nodes, run_jobs, run_compression};

static bool is_wanted(const struct ta_retention_task *t, enum ta_retention_what what)
{
    const struct ta_config *c = t->config;

    return what == TA_RETAIN_NODES ? strcmp(c->main.node_retention.policy, "keep") != 0
           : what == TA_RETAIN_JOBS
               ? c->has_archive && strcmp(c->archive.retention.policy, "none") != 0
               : c->has_archive;
}

/* False: it was stopped. */
static bool run_task(struct ta_retention_task *t, enum ta_retention_what what)
{
    struct ta_retention_counts *counts = &t->of[what];
    int64_t from_ns = ta_mono_ns(t->clock);
    struct ta_err err = {0};
    int r = tasks[what](t, &err);
    bool is_stopped = r == TA_ECANCELED || (r < 0 && t->stop);

    pthread_mutex_lock(&t->lock);
    counts->runs += !is_stopped;
    counts->failed += r != 0 && !is_stopped;
    counts->last_s = ta_now_s(t->clock);
    counts->last_ms = (ta_mono_ns(t->clock) - from_ns) / 1000000;
    pthread_mutex_unlock(&t->lock);
    if (r != 0 && !is_stopped)
        ta_logf(t->log, TA_LOG_ERROR, "retention: %s: %s", task_names[what], err.text);
    return !is_stopped;
}

static void set_running(struct ta_retention_task *t, bool is_running)
{
    pthread_mutex_lock(&t->lock);
    t->is_running = is_running;
    pthread_mutex_unlock(&t->lock);
}

static void run_all(struct ta_retention_task *t)
{
    bool goes_on = true;

    set_running(t, true);
    for (enum ta_retention_what i = 0; i < TA_RETAIN_TASKS && goes_on; i++)
        if (is_wanted(t, i))
            goes_on = run_task(t, i);
    if (goes_on)
        touch_mark(t);
    set_running(t, false);
}

/* ---- the thread --------------------------------------------------------------------------------- */

static void *run(void *self)
{
    struct ta_retention_task *t = self;

    while (!ta_pause(&t->lock, &t->wake, &t->is_stopping, LOOK_MS))
        if (is_due(t))
            run_all(t);
    return NULL;
}

/* Where the archive is, and where what goes. */
static int find_places(struct ta_retention_task *t, struct ta_err *err)
{
    const struct ta_conf_job_retention *j = &t->config->archive.retention;
    const struct ta_conf_node_retention *n = &t->config->main.node_retention;
    const char *db = t->config->main.db;
    int r;

    if ((size_t)snprintf(t->directory, sizeof(t->directory), "%s.retention", db) >=
            sizeof(t->directory) ||
        (size_t)snprintf(t->mark, sizeof(t->mark), "%s.retention/ran", db) >= sizeof(t->mark))
        return ta_fail(err, TA_ERANGE, "main.db: the path is too long");
    r = ta_archive_place_init(&t->archive, t->config, err);
    if (r >= 0 && (j->policy[0] == 'm' || j->policy[0] == 'c'))
        r = ta_archive_place_target(&t->jobs_to, t->config, &j->target, j->format[0] == 'j', err);
    if (r >= 0 && n->policy[0] == 'm')
        r = ta_archive_place_target(&t->nodes_to, t->config, &n->target, false, err);
    return r;
}

int ta_retention_task_start(struct ta_retention_task *t, const struct ta_config *config,
                            struct ta_clock *clock, struct ta_log *log, struct ta_err *err)
{
    pthread_condattr_t attr;

    *t = (struct ta_retention_task){.config = config, .clock = clock, .log = log};
    if (!config->main.db[0])
        return TA_OK;
    int r = find_places(t, err);
    if (r < 0)
        return r;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        return ta_fail(err, TA_ENOMEM, "starting the thread of the retention");
    t->is_started = true;
    return TA_OK;
}

void ta_retention_task_stop(struct ta_retention_task *t)
{
    if (!t->is_started)
        return;
    pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    t->stop = true;
    pthread_join(t->thread, NULL);
    t->is_started = false;
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
}

/* ---- metrics ------------------------------------------------------------------------------------ */

static void put_family(struct ta_exposition *e, const char *name, const char *type,
                       const char *help, const double *values)
{
    ta_expo_family(e, name, type, help);
    for (int i = 0; i < TA_RETAIN_TASKS; i++)
        ta_expo_f64(e, "", "task", task_names[i], values[i]);
}

void ta_retention_task_put(struct ta_retention_task *t, struct ta_exposition *e)
{
    double runs[TA_RETAIN_TASKS], failed[TA_RETAIN_TASKS], last[TA_RETAIN_TASKS],
        took[TA_RETAIN_TASKS];

    if (!t->is_started)
        return;
    pthread_mutex_lock(&t->lock);
    const struct ta_node_retained nodes = t->nodes;
    const uint64_t jobs[] = {t->jobs.copied, t->jobs.removed, t->jobs.failed, t->jobs.files};
    uint64_t compressed = t->compressed.compressed;
    bool is_running = t->is_running;
    for (int i = 0; i < TA_RETAIN_TASKS; i++) {
        runs[i] = (double)t->of[i].runs;
        failed[i] = (double)t->of[i].failed;
        last[i] = (double)t->of[i].last_s;
        took[i] = (double)t->of[i].last_ms / 1000;
    }
    pthread_mutex_unlock(&t->lock);
    put_family(e, "tarn_retention_runs_total", "counter",
               "Runs over old states of nodes, old jobs and plain data of the archive.", runs);
    put_family(e, "tarn_retention_failed_total", "counter",
               "Of those: something stayed that should have gone.", failed);
    put_family(e, "tarn_retention_last_time_seconds", "gauge",
               "Unix time of the end of the last run; 0: none since the start.", last);
    put_family(e, "tarn_retention_last_duration_seconds", "gauge", "How long it took.", took);
    ta_expo_gauge(e, "tarn_retention_running", "1 while one runs.", is_running);
    ta_expo_counter(e, "tarn_retention_states_moved_total",
                    "States of nodes written into Parquet files.", nodes.exported);
    ta_expo_counter(e, "tarn_retention_states_deleted_total",
                    "States of nodes deleted from the job database.", nodes.deleted);
    ta_expo_counter(e, "tarn_retention_jobs_copied_total",
                    "Jobs written into Parquet files or another archive.", jobs[0]);
    ta_expo_counter(e, "tarn_retention_jobs_removed_total", "Jobs removed from the archive.",
                    jobs[1]);
    ta_expo_counter(e, "tarn_retention_jobs_failed_total",
                    "Jobs that stayed because of an error, once a run.", jobs[2]);
    ta_expo_counter(e, "tarn_retention_files_total", "Parquet files with jobs or states of nodes.",
                    nodes.files + jobs[3]);
    ta_expo_counter(e, "tarn_retention_jobs_compressed_total",
                    "Jobs whose plain data were compressed.", compressed);
}
