/* job_admit.h - may this job come into the database? (spec: archiver 3.3)
 *
 * What a request to start one and an import have in common.
 */
#ifndef TARN_JOBS_JOB_ADMIT_H
#define TARN_JOBS_JOB_ADMIT_H

#include "jobs/job.h"
#include "query/cluster.h"

/* `cluster` is the job's, NULL: none is known by its name. A job without a subcluster gets that of its first node,
 * whose name is borrowed from the cluster. TA_EINVAL with the first fault, in the reference's words. */
int ta_job_admit(struct ta_job *job, const struct ta_cluster *cluster, struct ta_err *err);

#endif
