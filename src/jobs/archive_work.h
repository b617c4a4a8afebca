/* archive_work.h - what is done to one job of an archive: copied and compared, compressed,
 * brought up to date.
 *
 * Memory: the metadata document and its model (at most 2 x TA_BACKEND_META_MAX), 64 KiB for a piece of data,
 * zlib's 300 KiB; never the data.
 */
#ifndef TARN_JOBS_ARCHIVE_WORK_H
#define TARN_JOBS_ARCHIVE_WORK_H

#include "jobs/backend.h"
#include "jobs/data_spool.h"
#include "jobs/job.h"

struct ta_archive_work {
    struct ta_alloc *alloc;
    struct ta_data_spool *spool; /* a file that holds one job's data meanwhile */
    struct ta_buf meta, other;
    struct ta_arena arena;
};

/* Borrows spool and alloc. Takes no memory yet. */
void ta_archive_work_init(struct ta_archive_work *w, struct ta_data_spool *spool,
                          struct ta_alloc *alloc);
void ta_archive_work_done(struct ta_archive_work *w);

/* A job's metadata: the document stays in w->meta, what *out points to in w->arena, both until the next call.
 * Errors begin with "metadata: ". */
int ta_archive_read(struct ta_archive_work *w, struct ta_backend *b,
                    const struct ta_job_address *job, struct ta_job *out, struct ta_err *err);

/* TA_EFORMAT: the metadata are of another job than the address says. */
int ta_archive_is_of(const struct ta_job *job, const struct ta_job_address *address,
                     struct ta_err *err);

/* Copies a job's documents as they are, but that data of more than 2,000 bytes are stored compressed. Then
 * both are read back and compared: TA_EIO when they differ. `to` never is `from`. TA_EEXIST as in
 * ta_backend_put. */
int ta_archive_copy(struct ta_archive_work *w, struct ta_backend *from, struct ta_backend *to,
                    const struct ta_job_address *job, bool may_replace, struct ta_err *err);

/* A job whose data document comes from a source, unpacked, to its end: as ta_archive_copy. */
int ta_archive_put(struct ta_archive_work *w, struct ta_backend *to, const struct ta_job *job,
                   struct ta_source *plain, bool may_replace, struct ta_err *err);

/* The metadata document of a job as it is stored, into w->meta. */
int ta_archive_write_meta(struct ta_archive_work *w, const struct ta_job *job, struct ta_err *err);

/* A job whose data document is at hand as gzip bytes: as ta_archive_copy. */
int ta_archive_store(struct ta_archive_work *w, struct ta_backend *to, const struct ta_job *job,
                     struct ta_str data_gz, bool may_replace, struct ta_err *err);

/* Compresses data that are stored plain and longer than 2,000 bytes: 1 = done, 0 = no need. */
int ta_archive_compress(struct ta_archive_work *w, struct ta_backend *b,
                        const struct ta_job_address *job, struct ta_err *err);

/* The metadata of version 1 and 2 to version 3: 1 = changed (or would be, with `dry`), 0 = as it should be.
 * (spec: job-archive 12.2) Members that the model does not know are dropped. TA_EFORMAT: "exclusive" is none
 * of 0, 1, 2. */
int ta_archive_migrate(struct ta_archive_work *w, struct ta_backend *b,
                       const struct ta_job_address *job, bool dry, struct ta_err *err);

#endif
