/* archive_queue.h - the jobs that wait to be archived: the job database is the queue.
 *
 * A job waits when it has ended (it is not running) and its monitoring_status is 1. Nothing is kept
 * in memory, so nothing is lost: what a crash leaves behind is found at the next start. What the
 * job table has no place for stands in a table of tarn's own, which the reference passes over:
 *
 *     tarn_archive(job, attempts, not_before, reason)      one row for a job that failed at least
 *                                                          once; gone when it is archived
 *     tarn_edit(job, revision, attempts, not_before,       one row for a job that was archived, or about
 *               reason)                                    to be, when its tags or metadata changed; gone
 *                                                          when the archive has what the database has
 *
 * Every change is one transaction, durable when the call returns. A queue is a connection of its own
 * and belongs to one thread. (spec: archiver 1, 2; job-repository 2)
 */
#ifndef TARN_JOBS_ARCHIVE_QUEUE_H
#define TARN_JOBS_ARCHIVE_QUEUE_H

#include "jobs/job.h"
#include "jobs/sql.h"

struct ta_archive_queue;

struct ta_archive_waiting {
    uint64_t n;
    uint64_t n_edits;     /* archived jobs whose documents lag behind */
    int64_t oldest_end_s; /* when the one that waits longest ended; 0: none */
};

/* Makes the tables above where they are missing. */
int ta_archive_queue_tables(struct ta_sql *sql, struct ta_err *err);

/* Opens the database, whose tables must be there, and makes the tables above. */
int ta_archive_queue_open(struct ta_archive_queue **out, const struct ta_sql_options *options,
                          struct ta_alloc *alloc, struct ta_err *err);
void ta_archive_queue_close(struct ta_archive_queue *q); /* NULL is fine */

/* ---- the work list ------------------------------------------------------------------------------ */

/* The next job that may be tried now and is not one of busy[0..n_busy): 1 and its row, or 0 with
 * *out_row the time at which one may be tried (INT64_MAX: none waits). *out_attempts: how often it
 * has failed. */
int ta_archive_queue_next(struct ta_archive_queue *q, int64_t now_s, const int64_t *busy,
                          size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                          struct ta_err *err);

/* All that the database knows of a job, tags included, into the arena. TA_ENOTFOUND, TA_EFORMAT (the
 * row cannot be read). */
int ta_archive_queue_load(struct ta_archive_queue *q, int64_t row, struct ta_arena *arena,
                          struct ta_job *out, struct ta_err *err);

/* The job is archived: footprint, energy, tags from `first_tag` on, and status 3. `missing`, when it is not
 * empty, becomes the value of "tarn.missingMetrics" in its metadata. TA_ENOTFOUND: it has been
 * deleted meanwhile, TA_ESTATE: it no longer waits. */
int ta_archive_queue_done(struct ta_archive_queue *q, const struct ta_job *job, size_t first_tag,
                          struct ta_str missing, struct ta_err *err);
/* It failed, and is to be tried again from then on. */
int ta_archive_queue_retry(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                           int64_t not_before_s, const char *reason, struct ta_err *err);
/* It failed for good: status 2, with the reason. */
int ta_archive_queue_fail(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                          const char *reason, struct ta_err *err);

int ta_archive_queue_count(struct ta_archive_queue *q, struct ta_archive_waiting *out,
                           struct ta_err *err);

/* ---- changes of archived jobs ------------------------------------------------------------------- */

/* What repository.h changes of such a job it marks in the same transaction; this finds the marks. As
 * ta_archive_queue_next: 1 and the row, or 0. */
int ta_archive_queue_next_edit(struct ta_archive_queue *q, int64_t now_s, const int64_t *busy,
                               size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                               struct ta_err *err);
/* The number of the last change; 0: there is no mark. What is loaded after this call has that change. */
int ta_archive_queue_revision(struct ta_archive_queue *q, int64_t row, int64_t *out,
                              struct ta_err *err);
/* The archive has all up to that change: the mark goes, unless another change came. */
int ta_archive_queue_edited(struct ta_archive_queue *q, int64_t row, int64_t revision,
                            struct ta_err *err);
/* It could not be written, and is to be tried again from then on. */
int ta_archive_queue_retry_edit(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                                int64_t not_before_s, const char *reason, struct ta_err *err);

/* ---- again -------------------------------------------------------------------------------------- */

/* Puts a job that failed or is archived back on the list. One that is archived only when it began at
 * or after `archived_from_s`: what the store has dropped cannot be archived anew. TA_ENOTFOUND; TA_ESTATE
 * with the reason: it runs, is not monitored, or began too early. One that waits already may be tried
 * at once. */
int ta_archive_queue_again(struct ta_archive_queue *q, int64_t row, int64_t archived_from_s,
                           struct ta_err *err);
/* All that failed, in transactions of at most 1,000. Returns how many. */
int64_t ta_archive_queue_again_failed(struct ta_archive_queue *q, struct ta_err *err);
/* Why the job failed, and how often; TA_ENOTFOUND. */
int ta_archive_queue_reason(struct ta_archive_queue *q, int64_t row, char *out, size_t room,
                            unsigned *out_attempts, struct ta_err *err);

/* ---- running jobs ------------------------------------------------------------------------------- */

/* The first running job behind row `after` that began before `before_s`; 1, or 0. */
int ta_archive_queue_running(struct ta_archive_queue *q, int64_t after, int64_t before_s,
                             int64_t *out_row, struct ta_err *err);
/* The footprint of a running job; no error when it does not run any more. */
int ta_archive_queue_footprint(struct ta_archive_queue *q, const struct ta_job *job,
                               struct ta_err *err);
/* Running jobs have run until now. This and the next in transactions of at most 1,000 jobs. */
int ta_archive_queue_durations(struct ta_archive_queue *q, int64_t now_s, struct ta_err *err);
/* Ends the jobs that ran `grace_s` longer than their limit, at the limit, as failed. Returns how many. */
int64_t ta_archive_queue_overdue(struct ta_archive_queue *q, int64_t now_s, int64_t grace_s,
                                 struct ta_err *err);

#endif
