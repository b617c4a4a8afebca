/* retention_task.h - the server's thread that daily sends off old states of nodes and old jobs, and compresses plain
 * data of the archive.
 *
 * (spec: job-archive 11) One after the other in this order, so that they never meet. What fails is told in the log,
 * counted, and tried again at the next run; it holds up no other. When the last run was is kept as the time stamp of
 * DB.retention/ran: a restart neither repeats a run nor puts one off. A run that a stop ended is begun anew by the next
 * life; what it had recorded is finished then.
 */
#ifndef TARN_APP_RETENTION_TASK_H
#define TARN_APP_RETENTION_TASK_H

#include "app/archive_place.h"
#include "app/exposition.h"
#include "app/retention.h"

#include <pthread.h>

enum ta_retention_what { TA_RETAIN_NODES, TA_RETAIN_JOBS, TA_RETAIN_COMPRESS, TA_RETAIN_TASKS };

struct ta_retention_counts {
    uint64_t runs, failed; /* since the start */
    int64_t last_s;        /* Unix time of the end of the last run; 0: none yet */
    int64_t last_ms;       /* how long it took */
};

struct ta_retention_task {
    const struct ta_config *config;
    struct ta_clock *clock;
    struct ta_log *log;
    _Atomic bool stop; /* ends a run */
    char directory[4096], mark[4096];
    struct ta_archive_place archive, jobs_to, nodes_to;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_started, is_stopping; /* guarded by lock, as all below */
    bool is_running;
    struct ta_retention_counts of[TA_RETAIN_TASKS];
    struct ta_node_retained nodes; /* sums over all runs */
    struct ta_jobs_retained jobs;  /* the same, without `first` */
    struct ta_compressed compressed;
};

/* Borrows everything until the stop. Without main.db nothing runs. */
int ta_retention_task_start(struct ta_retention_task *t, const struct ta_config *config,
                            struct ta_clock *clock, struct ta_log *log, struct ta_err *err);
/* Ends a run under way between two of its steps. Fine when it never ran. */
void ta_retention_task_stop(struct ta_retention_task *t);
/* Its metrics; none when it does not run. */
void ta_retention_task_put(struct ta_retention_task *t, struct ta_exposition *e);

/* Unix time at which the next run is due after one that ended at last_s: an interval later, or with 0 the next time
 * that the local clock says of_day_s. */
int64_t ta_retention_due_s(int64_t last_s, int64_t interval_s, int of_day_s);

#endif
