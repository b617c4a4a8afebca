/* archiver.h - the workers that archive finished jobs, and what is done for running ones.
 *
 * (spec: archiver 2, weaknesses 1 to 6) The database is the queue (archive_queue.h): workers look at
 * it at the start, whenever they are woken, when a failed job may be tried again, and every LOOK_S
 * seconds. Stopping a job is a transaction of whoever stops it, and a wake here: nothing waits for
 * the archiver. A job that fails is tried again after growing waits, for as often as it may be and
 * the store still has its data; then it is archived without what could not be had, or failed, with
 * the reason. Whatever one job is, the others go on.
 *
 * The order is data, metadata, row; so at a crash at any point a job either waits still, and is
 * archived again in the same way, or is archived. A stop ends the jobs under way at the next series;
 * they wait for the next start.
 *
 * The same workers write into the archive what was changed of archived jobs (archive_edit.h), in turn with
 * jobs to archive; what fails is tried again after growing waits, for as long as it takes.
 *
 * One more thread keeps running jobs up to date: their duration, their footprint, their time limit.
 *
 * Memory: WORKER_BYTES each, and a database connection for each thread.
 */
#ifndef TARN_JOBS_ARCHIVER_H
#define TARN_JOBS_ARCHIVER_H

#include "base/log.h"
#include "jobs/archive_hook.h"
#include "jobs/archive_job.h"
#include "jobs/sql.h"

enum { TA_ARCHIVE_WORKERS_MAX = 32 };

struct ta_archiver_conf {
    struct ta_sql_options database; /* with its tables */
    struct ta_store *store;
    const struct ta_cluster *const *clusters;
    size_t n_clusters;
    const char *const
        *cluster_files; /* of each its configuration, for an archive that has none of it;
                                       * NULL: the clusters came from the archive */
    /* Opens the archive for one worker, who closes it. */
    int (*open_backend)(void *self, struct ta_backend **out, struct ta_alloc *alloc,
                        struct ta_err *err);
    /* False: nothing may be archived yet, the store is being filled. NULL: it is. */
    bool (*is_ready)(void *self);
    void *self; /* of both */
    _Atomic bool
        *giving_up; /* set when a stop waits no longer for jobs under way; NULL: nobody asks */
    struct ta_vfs *vfs;
    const char *spool_dir; /* for the files of the workers, must exist */
    struct ta_archive_rules rules;
    struct ta_archive_hook hook; /* its stop is set here */
    unsigned workers;            /* 1 to TA_ARCHIVE_WORKERS_MAX */
    unsigned attempts;           /* of a job, in all; >= 1 */
    int64_t retry_s;          /* before the second one; doubled for each further, at most an hour */
    int64_t retention_s;      /* of the store; 0: for ever */
    int64_t duration_s;       /* between two updates of durations and looks at limits; 0: never */
    int64_t footprint_s;      /* between two updates of footprints; 0: never */
    int64_t walltime_grace_s; /* beyond its limit, after which a job is ended; 0: none is */
    struct ta_clock *clock;
    struct ta_log *log; /* NULL: silent */
    struct ta_alloc *alloc;
};

struct ta_archiver_counts {
    uint64_t waiting;     /* in the queue, a moment ago */
    int64_t oldest_age_s; /* of the one that ended first, since its end */
    uint64_t archived, failed, retried, hooks_failed;
    uint64_t edits_waiting; /* archived jobs whose documents lag behind, a moment ago */
    uint64_t edits_written, edits_failed; /* failed tries */
    uint64_t bytes;                       /* put into the archive */
    uint64_t work_ns;                     /* spent by workers on jobs */
    uint64_t working;                     /* workers with a job */
    uint64_t peak_bytes;                  /* the most memory a worker had */
};

struct ta_archiver;

/* Starts the threads. Borrows what conf points to. TA_EINVAL, errors of the database, TA_ENOMEM. */
int ta_archiver_start(struct ta_archiver **out, const struct ta_archiver_conf *conf,
                      struct ta_err *err);
/* There may be something to do. Any thread, never waits. */
void ta_archiver_wake(struct ta_archiver *a);
/* Jobs under way have so long to be finished; then they are given up. Frees. NULL is fine. Returns how
 * many were given up. */
unsigned ta_archiver_stop(struct ta_archiver *a, int64_t timeout_ms);
/* Any thread. */
void ta_archiver_counts(struct ta_archiver *a, struct ta_archiver_counts *out);

#endif
