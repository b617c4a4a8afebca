/* job_parquet_dir.h - a directory of Parquet files of jobs, to and from a job archive (spec: job-archive 8).
 *
 *     <dir>/<cluster>/cluster.json
 *     <dir>/<cluster>/cc-archive-YYYY-MM-DD-NNN.parquet
 */
#ifndef TARN_APP_JOB_PARQUET_DIR_H
#define TARN_APP_JOB_PARQUET_DIR_H

#include "app/job_archives.h"

struct ta_job_convert {
    struct ta_archive_work *work;
    const char *cluster; /* NULL = all */
    bool may_replace;    /* else jobs that are there are passed over */
    uint64_t file_bytes; /* of rows in a Parquet file */
    const volatile _Atomic bool *stop;
    /* Called for each job with its result; may be NULL. */
    void (*told)(void *data, const struct ta_job_address *job, int result,
                 const struct ta_err *why);
    void *data;
    uint64_t done, passed, failed, files; /* results */
};

/* Both: a job that fails is told and counted, and the others go on; < 0 when nothing can. */
int ta_job_archive_to_parquet(struct ta_job_convert *c, struct ta_backend *from, const char *dir,
                              struct ta_err *err);
int ta_job_archive_from_parquet(struct ta_job_convert *c, const char *dir,
                                struct ta_job_archive *to, struct ta_err *err);

/* One result into the counts; < 0 when it ends the work. */
int ta_job_convert_told(struct ta_job_convert *c, const struct ta_job_address *job, int result,
                        struct ta_err *why, struct ta_err *err);

#endif
