/* copied_jobs.h - which jobs one target has copies of: an SQLite file of its own, attached to the job database.
 *
 *   CREATE TABLE job (cluster TEXT, start_time INTEGER, job_id INTEGER, PRIMARY KEY (...)) WITHOUT ROWID
 *
 * A list and not a time up to which all is copied: a job that failed, or was archived long after its begin, is copied by a
 * later run, and none twice. The key is what a job is known by everywhere, so the list outlives a database that is
 * built anew. About 40 bytes a job on disk; nothing in memory but SQLite's cache.
 */
#ifndef TARN_JOBS_COPIED_JOBS_H
#define TARN_JOBS_COPIED_JOBS_H

#include "jobs/backend.h"
#include "jobs/sql.h"

struct sqlite3_stmt;

struct ta_copied_jobs {
    struct ta_sql *sql; /* NULL: no list is kept */
    struct sqlite3_stmt *add;
};

/* For the statements that choose jobs: true of a row of "job" that the list does not have. */
#define TA_COPIED_NOT_YET                                                                          \
    "NOT EXISTS (SELECT 1 FROM copied.job AS c WHERE c.cluster = job.cluster AND c.start_time = "  \
    "job.start_time AND c.job_id = job.job_id)"

/* Attaches the list as "copied" and makes it when it is not there. On failure, and always at the end: done. */
int ta_copied_jobs_open(struct ta_copied_jobs *c, struct ta_sql *sql, const char *path,
                        struct ta_err *err);
/* Durable when it returns, unless a transaction is open. A job that is listed already is fine. */
int ta_copied_jobs_add(struct ta_copied_jobs *c, const struct ta_job_address *job,
                       struct ta_err *err);
/* No statement that names the list may be left. Fine on a zeroed struct. */
void ta_copied_jobs_done(struct ta_copied_jobs *c);

#endif
