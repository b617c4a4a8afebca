/* job_figures.h - statistics, footprint and energy of a job from those of its nodes.
 *
 * Pure arithmetic, in the order of the reference's, so that results agree to the last digit.
 * (spec: archiver 2.4, 2.5)
 */
#ifndef TARN_JOBS_JOB_FIGURES_H
#define TARN_JOBS_JOB_FIGURES_H

#include "jobs/job.h"
#include "query/cluster.h"
#include "query/values.h"

/* To two digits, half away from zero. */
double ta_round2(double v);

/* A series' statistics as an archive has them: all three zero when one is not a number, so that a
 * series without samples can be told in JSON. Not rounded. */
struct ta_stats ta_series_stats(struct ta_stats s);

/* One metric of a job, gathered node by node. */
struct ta_job_tally {
    double sum_of_avgs, min, max;
    size_t n_series;  /* at node scope */
    bool has_series;  /* at any scope */
    bool has_samples; /* any of them */
};

void ta_job_tally_init(struct ta_job_tally *t);
/* One node's series; `s` as ta_series_stats gives it, rounded. */
void ta_job_tally_add(struct ta_job_tally *t, struct ta_stats s);

struct ta_figure_rules {
    /* As the reference: a metric without samples has statistics and footprint of zero; energy
     * counters are worth nothing. Else what is not known is left out, and counters are summed up. */
    bool is_compat;
};

/* Sets the job's statistics, footprint, energy and energy footprint from the tallies of
 * metrics[0..n), which are sorted by name; what the job had there is replaced. Everything lives in
 * the arena. TA_ENOMEM. */
int ta_job_set_figures(struct ta_job *job, const struct ta_cluster_metric *const *metrics,
                       const struct ta_job_tally *tallies, size_t n,
                       const struct ta_figure_rules *rules, struct ta_arena *arena);

/* Footprint and energy from the statistics that the job has, for one whose samples are not at hand; what it had is
 * replaced. Metrics that the cluster does not know are passed over. TA_ENOMEM. */
int ta_job_set_footprint(struct ta_job *job, const struct ta_cluster *cluster,
                         struct ta_arena *arena);

#endif
