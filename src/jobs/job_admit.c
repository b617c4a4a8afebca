#include "jobs/job_admit.h"

#include <inttypes.h>

static int find_subcluster(struct ta_job *job, const struct ta_cluster *cluster, struct ta_err *err)
{
    const struct ta_subcluster *sub;

    if (!cluster)
        return ta_fail(err, TA_EINVAL, "no such cluster: %.*s", TA_STR_FMT(job->cluster));
    if (job->subcluster.len)
        return ta_cluster_subcluster(cluster, job->subcluster)
                   ? TA_OK
                   : ta_fail(err, TA_EINVAL, "no such subcluster: %.*s",
                             TA_STR_FMT(job->subcluster));
    if (job->resources.n == 0)
        return ta_fail(err, TA_EINVAL, "ARCHIVE/CLUSTERCONFIG > job without any resources/hosts");
    sub = ta_cluster_of_host(cluster, job->resources.at[0].hostname);
    if (!sub)
        return ta_fail(err, TA_EINVAL,
                       "ARCHIVE/CLUSTERCONFIG > no subcluster found for cluster %.*s and host "
                       "%.*s",
                       TA_STR_FMT(job->cluster), TA_STR_FMT(job->resources.at[0].hostname));
    job->subcluster = sub->name;
    return TA_OK;
}

int ta_job_admit(struct ta_job *job, const struct ta_cluster *cluster, struct ta_err *err)
{
    enum ta_job_shared shared;
    int r = find_subcluster(job, cluster, err);

    if (r < 0)
        return r;
    if (job->resources.n == 0 || job->user.len == 0)
        return ta_fail(err, TA_EINVAL, "'user' and 'resources' must not be empty");
    if (job->num_acc < 0 || job->num_hwthreads < 0 || job->num_nodes < 1)
        return ta_fail(err, TA_EINVAL, "'numNodes', 'numAcc' or 'numHwthreads' is out of range");
    if ((int64_t)job->resources.n != job->num_nodes)
        return ta_fail(err, TA_EINVAL,
                       "len(resources) does not equal numNodes (%zu vs %" PRId64 ")",
                       job->resources.n, job->num_nodes);
    if (ta_job_shared_of(job->shared, &shared) < 0)
        return ta_fail(err, TA_EINVAL, "'shared' must be one of none, single_user, multi_user");
    if (job->monitoring_status < 0)
        return ta_fail(err, TA_EINVAL, "'monitoringStatus' of a job that starts is 0 or 1");
    if (job->smt < 0)
        return ta_fail(err, TA_EINVAL, "'smt' must not be negative");
    return TA_OK;
}
