/* cleanup.h - old checkpoint files go: into Parquet or away, once or again and again.
 *
 * (spec: formats 8) Files whose whole range is older than the retention go, as metric-store.cleanup says:
 * into Parquet files below its directory or in its bucket, or away. Hosts with running jobs keep theirs: after a
 * restart their samples are read from there.
 */
#ifndef TARN_APP_CLEANUP_H
#define TARN_APP_CLEANUP_H

#include "app/conf.h"
#include "app/protector.h"
#include "app/safe.h"
#include "archive/archive.h"
#include "base/clock.h"

#include <pthread.h>

struct ta_cleanup {
    const struct ta_config *config;
    struct ta_protector *protector; /* NULL or off: nobody is protected */
    struct ta_clock *clock;
    struct ta_log *log;
    _Atomic int64_t retention_ns; /* <= 0: nothing goes */
    _Atomic bool stop;            /* ends a run */
};

/* One clean-up. TA_ESTATE when some could not be archived: the error names their clusters, the others are done.
 * *out says in any case what was done. */
int ta_cleanup_run(struct ta_cleanup *c, struct ta_archive_result *out, struct ta_err *err);

struct ta_cleanup_state {
    uint64_t runs, failed; /* since the start */
    uint64_t files, rows;  /* of all runs: checkpoint files gone, rows archived */
    uint64_t bytes;        /* of all runs: Parquet written */
    uint64_t damaged;      /* of all runs: checkpoint files set aside */
    int64_t last_s;        /* Unix time of the end of the last run; 0: none yet */
    int64_t last_ms;       /* how long it took */
    bool is_running;
};

/* The thread that cleans up every tarn.cleanup-interval. When the last clean-up was is kept as the time stamp of
 * ROOT/.tarn/state/cleaned-up: restarts that are more frequent than the interval do not put it off for ever. */
struct ta_cleanup_task {
    struct ta_cleanup what;
    struct ta_safe *safe; /* nothing goes before everything is loaded */
    int64_t interval_ns;  /* 0: the retention */
    char directory[4096], mark[4096];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_started, is_stopping;  /* guarded by lock */
    struct ta_cleanup_state state; /* guarded by lock */
};

/* Borrows everything until the stop. Without a retention the thread only waits for one (a reload). */
int ta_cleanup_task_start(struct ta_cleanup_task *t, const struct ta_config *config,
                          struct ta_safe *safe, struct ta_protector *protector,
                          struct ta_clock *clock, struct ta_log *log, struct ta_err *err);
/* Ends a run under way within some hundred milliseconds; what it had decided the next one finishes. Fine when it
 * never ran. */
void ta_cleanup_task_stop(struct ta_cleanup_task *t);
void ta_cleanup_task_state(struct ta_cleanup_task *t, struct ta_cleanup_state *out);

#endif
