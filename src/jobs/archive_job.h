/* archive_job.h - one job from the store into the archive.
 *
 * (spec: archiver 2.2, weaknesses 6 to 8) The series pass one after the other from the store through
 * statistics and encoder into a compressed file of the worker's own; then statistics, footprint and
 * energy of the job are known, it gets its tags, and the backend takes the data and after it the
 * metadata, which say once and for all what there is to say. The row in the database is the caller's
 * to change afterwards. Doing it again gives the same again.
 *
 * Memory: what job_document.h says, the job itself, and 400 KiB: at most 64 MiB in all, whatever the
 * job; beyond, it fails (TA_ENOMEM).
 */
#ifndef TARN_JOBS_ARCHIVE_JOB_H
#define TARN_JOBS_ARCHIVE_JOB_H

#include "jobs/archive_configuration.h"
#include "jobs/backend.h"
#include "jobs/data_spool.h"
#include "jobs/job_load.h"
#include "jobs/tag_rules.h"
#include "store/store.h"

struct ta_archive_rules {
    struct ta_load_rules load;
    int64_t resolution_s;            /* 0: as stored */
    int64_t timeout_ms;              /* of reading a job; 0: none */
    const struct ta_tag_rules *tags; /* NULL: none */
};

/* What a worker has at hand. */
struct ta_archive_bench {
    struct ta_store *store;
    const struct ta_cluster *const *clusters;
    size_t n_clusters;
    struct ta_backend *backend; /* NULL: nothing is archived, only footprints are made */
    struct ta_archive_configurations configurations; /* of the clusters */
    struct ta_data_spool *spool;
    struct ta_archive_rules rules;
    struct ta_clock *clock;
    struct ta_alloc *alloc;
    const atomic_bool *stop; /* NULL: never */
};

struct ta_archived {
    size_t first_tag;      /* tags of the job from here on are new */
    struct ta_str missing; /* names of metrics without samples, comma-separated */
    struct ta_str meta;    /* the metadata as they were put */
    uint64_t bytes;        /* of data and metadata, as they are kept */
};

/* NULL when it is not configured. */
const struct ta_cluster *ta_archive_cluster(const struct ta_archive_bench *bench,
                                            struct ta_str name);

/* Archives the job and completes it: statistics, footprint, energy, tags, status, metadata. What is
 * made lives in the arena. `is_last`: what cannot be had is left out and listed; else it is TA_EAGAIN
 * with the reason. TA_ENOTFOUND: cluster or subcluster are not configured, or the store has nothing of
 * the job; nothing is put then. */
int ta_archive_job(const struct ta_archive_bench *bench, struct ta_job *job, bool is_last,
                   struct ta_arena *arena, struct ta_archived *out, struct ta_err *err);

/* The footprint of a running job, up to now. */
int ta_archive_footprint(const struct ta_archive_bench *bench, struct ta_job *job, int64_t now_s,
                         struct ta_arena *arena, struct ta_err *err);

#endif
