/* retention.h - one run over old jobs, old states of nodes or plain data of an archive: what the commands and the
 * server's task (retention_task.h) have in common.
 *
 * (spec: job-archive 11) What is opened for a run is closed at its end. State directories are the same for both, so that
 * neither works while the other does, and each finishes what the other left.
 */
#ifndef TARN_APP_RETENTION_H
#define TARN_APP_RETENTION_H

#include "app/job_archives.h"
#include "base/clock.h"
#include "jobs/compression.h"
#include "jobs/job_retention.h"
#include "jobs/node_retention.h"

/* All borrowed for the run. Of the archives' and targets' confs `checkpoints` and `stop` are set by the run; their
 * address is "s3://BUCKET", "sqlite:FILE", "file:DIR" or a path, which is an SQLite archive when it is a file. */
struct ta_retention {
    const char *db;    /* the job database, which must be there */
    const char *state; /* lock, record, unfinished files; NULL: TARGET/.tarn or DB.retention */
    struct ta_bucket_conf target; /* address NULL: nothing goes anywhere */
    uint64_t file_bytes;          /* of rows in a Parquet file */
    int64_t age_s;
    struct ta_clock *clock;
    const _Atomic bool *stop;
};

/* Old states of nodes: into Parquet files of the target, or without one away. */
int ta_retention_nodes(const struct ta_retention *c, struct ta_node_retained *out,
                       struct ta_err *err);

struct ta_retention_jobs {
    struct ta_retention common;
    struct ta_bucket_conf archive; /* where the jobs are; its address is none of the target */
    enum ta_job_policy policy;
    enum ta_job_tag_rule tags;
    bool to_parquet; /* else the target is another job archive, made when missing */
    bool keep_rows;
    int64_t from_s; /* > 0: jobs that began before are left alone */
    bool again;     /* copy: also what the target has by the list, which is not kept then */
};
/* Copies are listed in STATE or DB.retention as copied-<hash of target and format>.db (copied_jobs.h). A target
 * directory to which cc-backend copied has its mark, ".copy-marker": what began before was copied by that. */
int ta_retention_jobs(const struct ta_retention_jobs *c, struct ta_jobs_retained *out,
                      struct ta_err *err);

enum ta_job_tag_rule ta_retention_tag_rule(const char *word); /* of omit-tagged */

/* Compresses what the archive has plain of jobs older than common.age_s (compression.h). The database may be missing:
 * then all of the archive is looked at. */
int ta_retention_compress(const struct ta_retention *common, const struct ta_bucket_conf *archive,
                          struct ta_compressed *out, struct ta_err *err);

#endif
