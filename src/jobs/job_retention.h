/* job_retention.h - old jobs out of the archive and the database: away, or into Parquet files or another archive.
 *
 * (spec: job-archive 11.1) A job is old when it began before the cutoff. One that runs, or waits to be archived, never
 * goes, and of those with tags none that the rule keeps. None is copied or moved while the archive lags behind a
 * change of its tags or metadata (archive_queue.h). A job that cannot be read or copied stays, is counted, and
 * holds up no other; so does one that the archive does not have (there is nothing to move).
 *
 * Into Parquet: file after file, of one cluster each; written, read back, recorded together with the list of its
 * jobs (moved_rows.h), published; then exactly these jobs leave the archive and the database. Into an archive: job by
 * job, each read back and compared before it leaves. Whatever fails or dies, the next run goes on: no job is lost, and
 * none stands in two files, but for one that changes while its file is written: that stays, and may go later. Of
 * copies there is a list (copied_jobs.h): no run makes one again.
 *
 * Memory: job_parquet.h or the target's, and one job's metadata (at most 64 MiB as text, and decoded).
 */
#ifndef TARN_JOBS_JOB_RETENTION_H
#define TARN_JOBS_JOB_RETENTION_H

#include "jobs/backend.h"
#include "jobs/job_parquet.h"
#include "jobs/sql.h"

#include <stdatomic.h>

enum ta_job_policy { TA_JOBS_DELETE, TA_JOBS_COPY, TA_JOBS_MOVE };

enum ta_job_tag_rule {
    TA_JOBS_ALL,
    TA_JOBS_UNTAGGED, /* omit-tagged "all": none with a tag */
    TA_JOBS_NO_USERS_TAGS, /* omit-tagged "user": none with a tag of a type other than app and jobClass */
    TA_JOB_TAG_RULES
};

struct ta_job_retention {
    struct ta_sql *sql;
    struct ta_backend *archive;
    enum ta_job_policy policy;
    enum ta_job_tag_rule tags;
    int64_t from_s, cutoff_s; /* start times in [from, cutoff) */
    bool keep_rows;           /* the rows of the database stay (include-db false) */
    const atomic_bool *stop;  /* TA_ECANCELED between two steps; may be NULL */
    struct ta_alloc *alloc;

    /* Copying and moving: `to`, or if it is NULL Parquet files. parquet.state belongs to this task alone. */
    struct ta_backend *to;
    const char *
        copied; /* copying: file with the list of what the target has; NULL: all are copied again */
    struct ta_job_parquet_conf parquet;
};

/* What was done, also when the run failed. */
struct ta_jobs_retained {
    uint64_t copied, removed;
    uint64_t failed, absent; /* jobs that stay: an error, or not in the archive */
    uint64_t files;
    struct ta_err first; /* of the failures */
};

/* TA_ESTATE: another run works in the same state directory. */
int ta_jobs_retain(const struct ta_job_retention *conf, struct ta_jobs_retained *out,
                   struct ta_err *err);

#endif
