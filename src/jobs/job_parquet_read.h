/* job_parquet_read.h - jobs from Parquet files, one at a time: ours, and those of the reference.
 *
 * (spec: job-archive 8) Columns are matched by name, in any order; unknown ones are left alone, missing ones
 * leave their member empty, but for job_id, cluster, start_time and resources_json, without which a
 * row is no job. A file that does not say how nodes were shared is taken to mean "none". Nothing is believed:
 * a damaged file gives TA_EFORMAT with its place.
 *
 * Memory: the Parquet reader's (at most 29 cursors of about 400 KiB), one job's lists, and one page of data documents:
 * in files of ours that is the one document, in place.
 */
#ifndef TARN_JOBS_JOB_PARQUET_READ_H
#define TARN_JOBS_JOB_PARQUET_READ_H

#include "io/vfs.h"
#include "jobs/job.h"

struct ta_job_parquet_reader;

/* Borrows file and alloc. `page_max` bounds one page, so one data document; 0 = 1 GiB. */
int ta_job_parquet_open(struct ta_job_parquet_reader **out, struct ta_file *file, size_t page_max,
                        struct ta_alloc *alloc, struct ta_err *err);
void ta_job_parquet_close(struct ta_job_parquet_reader *r); /* NULL is fine; the file stays open */

uint64_t ta_job_parquet_jobs(const struct ta_job_parquet_reader *r); /* rows of the file */

/* 1 = the next job: *out, and its data document as gzip bytes (len 0 = it has none); both are valid until the next
 * call. 0 = the end. TA_EFORMAT, TA_ERANGE, TA_EIO, TA_ENOMEM: the reader may only be closed. */
int ta_job_parquet_next(struct ta_job_parquet_reader *r, struct ta_job *out, struct ta_str *data_gz,
                        struct ta_err *err);

#endif
