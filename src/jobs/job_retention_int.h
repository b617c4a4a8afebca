/* job_retention_int.h - what the parts of a retention run share. */
#ifndef TARN_JOBS_JOB_RETENTION_INT_H
#define TARN_JOBS_JOB_RETENTION_INT_H

#include "jobs/copied_jobs.h"
#include "jobs/job_retention.h"
#include "jobs/moved_rows.h"

#include <sqlite3.h>

struct retained_job {
    int64_t row, job_id, start_time;
};

struct retention {
    const struct ta_job_retention *conf;
    struct ta_jobs_retained *out;
    sqlite3_stmt *next_cluster, *next_job, *find, *drop;
    char cluster[TA_BACKEND_NAME_MAX + 1]; /* being worked on */
    struct ta_buf meta, again;             /* a job's metadata; as the target has it */
    struct ta_arena arena;
    struct ta_copied_jobs copied;
};

int retention_stopped(const struct retention *r, struct ta_err *err);
/* Notes a job that stays. */
void retention_failed(struct retention *r, const struct retained_job *job,
                      const struct ta_err *err);
struct ta_job_address retention_address(const struct retention *r, const struct retained_job *job);
/* The next old job of the cluster behind *job (all zero at first): 1 = *job is it, 0 = end. */
int retention_next(struct retention *r, struct retained_job *job, struct ta_err *err);
/* Out of the archive, then out of the database. A job that the archive does not have (any more) is no error. */
int retention_remove(struct retention *r, const struct retained_job *jobs, size_t n,
                     struct ta_err *err);

/* Jobs that the target has now, in one transaction. */
int retention_note_copied(struct retention *r, const struct retained_job *jobs, size_t n,
                          struct ta_err *err);

/* job_retention_files.c: completes what an earlier run recorded; the cluster's jobs into files. A copy without a list
 * publishes what was recorded and leaves its jobs where they are: they may be meant to stay. */
int retention_resume(struct retention *r, struct ta_err *err);
int retention_to_files(struct retention *r, struct ta_err *err);
/* job_retention_copy.c: the cluster's jobs into the other archive. */
int retention_to_archive(struct retention *r, struct ta_err *err);

#endif
