/* schema.h - the tables of the job database: made, checked, brought up to date.
 *
 * (spec: job-repository 1-6) The schema is version 11 of the reference's, table by table and column by
 * column, so that either program opens what the other one made.
 */
#ifndef TARN_JOBS_SCHEMA_H
#define TARN_JOBS_SCHEMA_H

#include "jobs/sql.h"

#include <stdbool.h>

enum { TA_JOB_SCHEMA_VERSION = 11, TA_JOB_SCHEMA_OLDEST = 10 };

struct ta_job_schema_options {
    bool may_upgrade; /* an older version is brought up to date; else it is refused */
    /* Also the indexes that only the reference's list views use. Each costs time on every change of
     * a job and some 50 bytes a job; without them tarn's own statements have all they need. */
    bool has_all_indexes;
};

/* Makes the tables in an empty database, accepts one of the current version, upgrades an older one.
 * Each is one transaction: whatever fails, the database is as it was. An upgrade copies the job table
 * when it must (once, in the time and disk space of a copy), in the connection's page cache.
 * TA_ESTATE: the version is older (and may_upgrade is off), too old, newer, or marked as half
 * migrated; TA_EFORMAT: the file holds tables but is no job database. The text says what to do. */
int ta_job_schema_ready(struct ta_sql *sql, const struct ta_job_schema_options *options,
                        struct ta_err *err);

#endif
