/* cleanup_task.c - the thread that cleans up again and again (cleanup.h). */
#include "app/cleanup.h"
#include "base/pause.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { LOOK_MS = 1000 }; /* between two looks whether a run is due */

static const int64_t NS = 1000000000;

/* Its time stamp is the end of the last run, or the first start. */
static int touch_mark(struct ta_cleanup_task *t, struct ta_err *err)
{
    struct ta_file *file;
    int r = ta_mkdir_all(&ta_vfs_posix, t->directory, 0750, err);

    if (r >= 0)
        r = ta_open(&ta_vfs_posix, t->mark, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600,
                    &file, err);
    if (r < 0)
        return r;
    r = ta_pwrite_full(file, "\n", 1, 0, err); /* an empty file that is cut again keeps its time */
    int c = ta_close(&file, err);
    return r < 0 ? r : c;
}

/* How long ago the last run of an earlier life ended. A time stamp of the future (the clock was put back) counts as
 * now. Only for the start: within a life the monotonic clock counts, which nobody puts forward or back. */
static int64_t age_of_mark_ns(struct ta_cleanup_task *t)
{
    int64_t now_ns = ta_now_s(t->what.clock) * NS;
    struct ta_stat stat;
    struct ta_err err = {0};

    if (t->what.retention_ns <= 0)
        return 0;
    int r = ta_vfs_posix.stat(&ta_vfs_posix, t->mark, &stat, &err);
    if (r == TA_OK && stat.mtime_ns < now_ns + NS) /* now is in whole seconds */
        return stat.mtime_ns < now_ns ? now_ns - stat.mtime_ns : 0;
    if (touch_mark(t, &err) < 0)
        ta_logf(t->what.log, TA_LOG_WARN, "[METRICSTORE]> clean-up: %s", err.text);
    return 0;
}

static bool is_due(const struct ta_cleanup_task *t, int64_t last_mono_ns)
{
    int64_t interval_ns = t->interval_ns ? t->interval_ns : t->what.retention_ns;

    return t->what.retention_ns > 0 && ta_safe_is_ready(t->safe) &&
           ta_mono_ns(t->what.clock) - last_mono_ns >= interval_ns;
}

static void run_once(struct ta_cleanup_task *t)
{
    struct ta_archive_result result;
    struct ta_err err = {0};
    int64_t from_ns = ta_mono_ns(t->what.clock);

    pthread_mutex_lock(&t->lock);
    t->state.is_running = true;
    pthread_mutex_unlock(&t->lock);
    int r = ta_cleanup_run(&t->what, &result, &err);
    bool is_stopped = r == TA_ECANCELED;
    if (!is_stopped) { /* a stopped run is begun anew by the next life */
        struct ta_err why = {0};
        if (touch_mark(t, &why) < 0)
            ta_logf(t->what.log, TA_LOG_WARN, "[METRICSTORE]> clean-up: %s", why.text);
    }
    pthread_mutex_lock(&t->lock);
    struct ta_cleanup_state *s = &t->state;
    s->is_running = false;
    s->runs += !is_stopped;
    s->failed += r < 0 && !is_stopped;
    s->files += result.files;
    s->rows += result.done.rows;
    s->bytes += result.done.bytes_out;
    s->damaged += result.damaged;
    s->last_s = ta_now_s(t->what.clock);
    s->last_ms = (ta_mono_ns(t->what.clock) - from_ns) / 1000000;
    pthread_mutex_unlock(&t->lock);
    if (r < 0 && !is_stopped)
        ta_logf(t->what.log, TA_LOG_ERROR, "[METRICSTORE]> clean-up failed: %s", err.text);
    else
        ta_logf(t->what.log, TA_LOG_INFO,
                "[METRICSTORE]> clean-up: %" PRIu64 " checkpoint files gone, %" PRIu64
                " rows archived",
                result.files, result.done.rows);
}

static void *run(void *self)
{
    struct ta_cleanup_task *t = self;

    int64_t last_mono_ns = ta_mono_ns(t->what.clock) - age_of_mark_ns(t);

    while (!ta_pause(&t->lock, &t->wake, &t->is_stopping, LOOK_MS))
        if (is_due(t, last_mono_ns)) {
            run_once(t);
            last_mono_ns = ta_mono_ns(t->what.clock);
        }
    return NULL;
}

int ta_cleanup_task_start(struct ta_cleanup_task *t, const struct ta_config *config,
                          struct ta_safe *safe, struct ta_protector *protector,
                          struct ta_clock *clock, struct ta_log *log, struct ta_err *err)
{
    const char *root = config->store.checkpoint_dir;
    pthread_condattr_t attr;

    *t = (struct ta_cleanup_task){.what = {.config = config,
                                           .protector = protector,
                                           .clock = clock,
                                           .log = log,
                                           .retention_ns = config->store.retention_ns},
                                  .safe = safe,
                                  .interval_ns = config->tarn.cleanup_interval_ns};
    snprintf(t->directory, sizeof(t->directory), "%s/.tarn/state", root);
    if ((size_t)snprintf(t->mark, sizeof(t->mark), "%s/.tarn/state/cleaned-up", root) >=
        sizeof(t->mark))
        return ta_fail(err, TA_EINVAL, "%.200s: the path is too long", root);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        return ta_fail(err, TA_ENOMEM, "starting the clean-up thread");
    t->is_started = true;
    return TA_OK;
}

void ta_cleanup_task_stop(struct ta_cleanup_task *t)
{
    if (!t->is_started)
        return;
    pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    t->what.stop = true;
    pthread_join(t->thread, NULL);
    t->is_started = false;
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
}

void ta_cleanup_task_state(struct ta_cleanup_task *t, struct ta_cleanup_state *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->state;
    pthread_mutex_unlock(&t->lock);
}
