/* compression.h - the plain data of old jobs of an archive become compressed.
 *
 * (spec: job-archive 11.2) The archive keeps a mark: up to which start time its jobs have been seen. Without it all of
 * the archive is looked at; with it the jobs that the database has from the mark on, so that a daily run costs what a
 * day's jobs cost. The mark moves when the work is done, and not beyond a job that failed for another reason than
 * damage: that one is tried again.
 *
 * Memory: archive_work.h's, and a directory listing.
 */
#ifndef TARN_JOBS_COMPRESSION_H
#define TARN_JOBS_COMPRESSION_H

#include "jobs/archive_work.h"

#include <stdatomic.h>

struct ta_compression {
    struct ta_archive_work *work;
    struct ta_backend *archive;
    struct ta_sql *sql;      /* the job database; NULL: all of the archive is looked at */
    int64_t before_s;        /* jobs that began before */
    const atomic_bool *stop; /* TA_ECANCELED between two jobs; may be NULL */
};

/* What was done, also when the run failed. */
struct ta_compressed {
    uint64_t seen, compressed, failed;
    struct ta_err first; /* of the failures */
};

int ta_compression_run(const struct ta_compression *c, struct ta_compressed *out,
                       struct ta_err *err);

#endif
