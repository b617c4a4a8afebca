/* job_load.h - what of a job is read, and its statistics without its values.
 *
 * (spec: archiver 2.2, 2.4, 2.6)
 */
#ifndef TARN_JOBS_JOB_LOAD_H
#define TARN_JOBS_JOB_LOAD_H

#include "base/clock.h"
#include "jobs/job_figures.h"
#include "jobs/job_source.h"
#include "jobs/load_plan.h"

#include <stdatomic.h>

struct ta_document_writer;

struct ta_job_load {
    struct ta_job_source *source;
    const struct ta_job *job;                       /* nodes, accelerators, subcluster */
    const struct ta_cluster_metric *const *metrics; /* sorted by name: ta_metrics_by_name */
    size_t n_metrics;
    struct ta_load_rules rules;
    struct ta_alloc *alloc;
    struct ta_clock *clock;  /* NULL: takes as long as it takes */
    int64_t deadline_ns;     /* of its monotonic time; TA_ERANGE when it is over */
    const atomic_bool *stop; /* true: give up with TA_ECANCELED, within a series; NULL: never */
    /* Which scopes of a metric are read, as ta_load_scopes; NULL: those that are archived. */
    size_t (*scopes)(const void *self, const struct ta_cluster_metric *metric,
                     enum ta_scope out[TA_LOAD_SCOPES_MAX]);
    /* Writes statistics series that the source has already; 1 = done, 0 = there are none; NULL: never any. */
    int (*statistics)(const void *self, struct ta_str metric, enum ta_scope scope,
                      struct ta_document_writer *w, struct ta_err *err);
    const void *self; /* of both */
};

/* The scopes of one metric. */
size_t ta_job_load_scopes(const struct ta_job_load *load, const struct ta_cluster_metric *metric,
                          enum ta_scope out[TA_LOAD_SCOPES_MAX]);

/* The cluster's metrics sorted by name; the array lives in the arena, NULL = no memory. */
const struct ta_cluster_metric **ta_metrics_by_name(const struct ta_cluster *cluster,
                                                    struct ta_arena *arena);

/* TA_ECANCELED when it is time to stop, TA_ERANGE when it is too late to go on. */
int ta_job_load_check(const struct ta_job_load *load, struct ta_err *err);

/* A series' statistics as they are archived. */
struct ta_stats ta_stats_archived(struct ta_stats s);

/* Fills tallies[0..n_metrics) from node scope alone, without reading values where the store has
 * sums: what a running job's footprint is made of. Errors are the source's, and TA_ECANCELED. */
int ta_job_tally_nodes(const struct ta_job_load *load, struct ta_job_tally *tallies,
                       struct ta_err *err);

#endif
