/* store_source.h - the series of one job out of the store.
 *
 * Over fetch.h: one series is open at a time, whatever the job. What the store cannot give is
 * counted and told in words, and the rest goes on. Values before the first one that a host has are
 * "no sample", so that value i always is of start + i * timestep, also on a host that joined late.
 *
 * Thinning out (resample.h) is decided once for each metric and scope, by the longest series; shorter ones
 * count as having no samples at their ends, so that all have the same time step. A metric stays as it is
 * stored when its time step does not divide the resolution, or its series are shorter than
 * TA_RESAMPLE_MIN or longer than 2 million values.
 *
 * Memory: the job's resources in the words of the store, 32 KiB of window, and, when the data is
 * resampled, one series. (spec: archiver 2.3, metric-store 6)
 */
#ifndef TARN_JOBS_STORE_SOURCE_H
#define TARN_JOBS_STORE_SOURCE_H

#include "base/arena.h"
#include "jobs/job.h"
#include "jobs/job_source.h"
#include "query/fetch.h"
#include "query/resample.h"

struct ta_store_source {
    struct ta_job_source source;
    /* private */
    struct ta_store *store;
    const struct ta_cluster *cluster;
    struct ta_alloc *alloc;
    struct ta_fetch_request request;
    struct ta_query_limits limits;
    struct ta_fetch *fetch;
    struct ta_str metric, scope; /* what `request` lists */
    int64_t resolution_s;
    bool has_thin_stats; /* set after init: statistics are of what is left, not of all values */
    size_t n_pad;        /* of the open series */
    struct ta_fetch_series open;
    /* Of the metric and scope under way. */
    struct ta_resample plan;
    size_t n_whole; /* values of a series before thinning, padded */
    double *thin;   /* room for as many, or NULL */
    size_t thin_cap;
    bool is_thin_loaded; /* with the open series */
    uint64_t n_errors;   /* what could not be had, of all that was begun */
    char error[256];     /* the first */
};

/* Borrows all for its life; the lists go into the arena. resolution_s 0: as stored. TA_EINVAL (the
 * cluster has no such subcluster, the job no nodes), TA_ENOMEM. */
int ta_store_source_init(struct ta_store_source *s, struct ta_store *store,
                         const struct ta_cluster *cluster, const struct ta_job *job,
                         int64_t resolution_s, struct ta_arena *arena, struct ta_alloc *alloc,
                         struct ta_err *err);
void ta_store_source_done(struct ta_store_source *s); /* fine on a zeroed struct */

#endif
