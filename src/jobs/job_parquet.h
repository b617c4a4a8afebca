/* job_parquet.h - finished jobs as rows of Parquet files: the columns, and writing.
 *
 * (spec: job-archive 8) The columns of the reference, in its order and with its types, then those that it has
 * no place for (shared, array_job_id, submit_time, requested_memory, monitoring_status, id), so that what
 * comes back is what went in. Reading is job_parquet_read.h.
 *
 * A job's data document is not unpacked: its gzip bytes are copied. They pass through a temporary file, since a
 * page says its length and checksum before its content.
 *
 * Memory: 64 KiB for the data document, however large it is; the writer's (writer.h; 29 columns of 32 KiB pages,
 * row groups of 4 MiB beside the data documents), and the job's own lists as JSON, at most 64 MiB.
 */
#ifndef TARN_JOBS_JOB_PARQUET_H
#define TARN_JOBS_JOB_PARQUET_H

#include "jobs/export_file.h"
#include "jobs/job.h"
#include "jobs/moved_rows.h"

enum ta_job_column {
    TA_JOB_COL_JOB_ID,
    TA_JOB_COL_CLUSTER,
    TA_JOB_COL_SUB_CLUSTER,
    TA_JOB_COL_PARTITION,
    TA_JOB_COL_PROJECT,
    TA_JOB_COL_USER,
    TA_JOB_COL_JOB_STATE,
    TA_JOB_COL_START_TIME,
    TA_JOB_COL_DURATION,
    TA_JOB_COL_WALLTIME,
    TA_JOB_COL_NUM_NODES,
    TA_JOB_COL_NUM_HWTHREADS,
    TA_JOB_COL_NUM_ACC,
    TA_JOB_COL_EXCLUSIVE, /* always 0 */
    TA_JOB_COL_ENERGY,
    TA_JOB_COL_SMT,
    TA_JOB_COL_RESOURCES,
    TA_JOB_COL_STATISTICS,
    TA_JOB_COL_TAGS,
    TA_JOB_COL_META_DATA,
    TA_JOB_COL_FOOTPRINT,
    TA_JOB_COL_ENERGY_FOOTPRINT,
    TA_JOB_COL_DATA,
    TA_JOB_COL_SHARED, /* from here on ours */
    TA_JOB_COL_ARRAY_JOB_ID,
    TA_JOB_COL_SUBMIT_TIME,
    TA_JOB_COL_REQUESTED_MEMORY,
    TA_JOB_COL_MONITORING_STATUS,
    TA_JOB_COL_ID,
    TA_JOB_COLUMNS
};

#define TA_JOB_PARQUET_PREFIX "cc-archive"

extern const struct ta_pq_schema ta_job_parquet_schema;

/* Which key of a job each column holds; TA_JOB_KEYS for those that are none's. */
extern const enum ta_job_key ta_job_column_key[TA_JOB_COLUMNS];

struct ta_job_parquet_conf {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_arc_place *place; /* the target's root */
    const char *state;          /* directory for temporary files (export_file.h) */
    const char *date;           /* "2026-11-28" */
    unsigned file_mode;         /* 0 = 0640 */
    uint64_t file_bytes;        /* of rows, unpacked, in a file; 0 = 512 MiB */
    uint32_t file_rows;         /* 0 = 65536 */
};

/* One file of one cluster. */
struct ta_job_parquet_writer;

/* Borrows conf; copies cluster, which must be a single path component (TA_EINVAL). */
int ta_job_parquet_begin(struct ta_job_parquet_writer **out, const struct ta_job_parquet_conf *conf,
                         struct ta_str cluster, struct ta_err *err);
/* One job. `data_gz` is its data document as gzip bytes to the end, NULL = it has none. After a failure the file goes
 * on without the job, unless ta_job_parquet_is_broken. */
int ta_job_parquet_put(struct ta_job_parquet_writer *w, const struct ta_job *job,
                       struct ta_source *data_gz, struct ta_err *err);
bool ta_job_parquet_is_broken(const struct ta_job_parquet_writer *w);
/* Another job belongs in another file. */
bool ta_job_parquet_is_full(const struct ta_job_parquet_writer *w);
uint64_t ta_job_parquet_rows(const struct ta_job_parquet_writer *w);
/* Completes, verifies and publishes the file; out_name is its name in the place ("CLUSTER/cc-archive-...").
 * *number is the last number that this run used for the cluster, 0 at first. Without rows there is no file, out_name is
 * "". Until this succeeded, no source may go. */
int ta_job_parquet_finish(struct ta_job_parquet_writer *w, unsigned *number,
                          char out_name[static TA_EXPORT_NAME], struct ta_err *err);
/* The same for a file that has rows, when its jobs are going to leave: `moved` lists them, sealed, and is recorded
 * before the file is published. */
int ta_job_parquet_finish_moved(struct ta_job_parquet_writer *w, unsigned *number,
                                struct ta_moved_rows *moved, struct ta_err *err);
void ta_job_parquet_free(struct ta_job_parquet_writer *w); /* NULL is fine; unfinished: no file */

#endif
