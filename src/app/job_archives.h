/* job_archives.h - job archives as the command line names them.
 *
 *     DIR, file:DIR            a tree of files
 *     FILE.db, sqlite:FILE     an SQLite database
 *     s3://BUCKET              a bucket; keys, region and endpoint from the environment (bucket.h)
 */
#ifndef TARN_APP_JOB_ARCHIVES_H
#define TARN_APP_JOB_ARCHIVES_H

#include "app/bucket.h"
#include "jobs/archive_work.h"

struct ta_job_archive {
    struct ta_backend *backend;
    struct ta_bucket bucket;
};

/* `number` tells the archives of one process apart. TA_EINVAL: the address is none. */
int ta_job_archive_open(struct ta_job_archive *a, const char *address, unsigned number,
                        const struct ta_backend_options *options, struct ta_err *err);
/* A bucket whose server and keys are given. The file `spool` keeps what is put meanwhile; no other archive
 * may use it. Borrows the strings of conf until the close, which is due on failure, too. */
int ta_job_archive_open_bucket(struct ta_job_archive *a, const struct ta_bucket_conf *conf,
                               const char *spool, const struct ta_backend_options *options,
                               struct ta_err *err);
void ta_job_archive_close(struct ta_job_archive *a); /* fine on a zeroed struct */

/* Each job of the archive, or of one cluster (NULL = all). `visit` may remove it; < 0 ends the walk. With
 * *stop it ends with TA_ECANCELED. `enter` (may be NULL) is called for each cluster before its jobs. */
struct ta_job_walk {
    const char *cluster;
    const volatile _Atomic bool *stop;
    int (*visit)(void *data, const struct ta_job_address *job, struct ta_err *err);
    void *data;
    int (*enter)(void *data, struct ta_str cluster, struct ta_err *err);
};
int ta_job_archive_walk(struct ta_backend *b, const struct ta_job_walk *walk, struct ta_err *err);

/* A path in $TMPDIR, else /tmp, that no other process has. */
int ta_job_archive_temporary(char *out, size_t room, const char *what, unsigned number,
                             struct ta_err *err);
/* A file for one job's data, for ta_archive_work_init; removed by ta_data_spool_done. */
int ta_job_archive_spool(struct ta_data_spool *spool, struct ta_err *err);

#endif
