/* job.c - the words and keys of a job. */
#include "jobs/job_int.h"

#define AT(member) offsetof(struct ta_job, member)

const struct job_key ta_job_keys[TA_JOB_KEYS] = {
    [TA_JOB_CLUSTER] = {"cluster", JOB_STRING, AT(cluster), false},
    [TA_JOB_SUBCLUSTER] = {"subCluster", JOB_STRING, AT(subcluster), false},
    [TA_JOB_PARTITION] = {"partition", JOB_STRING, AT(partition), true},
    [TA_JOB_PROJECT] = {"project", JOB_STRING, AT(project), false},
    [TA_JOB_USER] = {"user", JOB_STRING, AT(user), false},
    [TA_JOB_SHARED] = {"shared", JOB_STRING, AT(shared), false},
    [TA_JOB_STATE] = {"jobState", JOB_STRING, AT(state), false},
    [TA_JOB_TAGS] = {"tags", JOB_TAG_LIST, AT(tags), true},
    [TA_JOB_RESOURCES] = {"resources", JOB_NODE_LIST, AT(resources), false},
    [TA_JOB_ENERGY_FOOTPRINT] = {"energyFootprint", JOB_NUMBER_MAP, AT(energy_footprint), false},
    [TA_JOB_FOOTPRINT] = {"footprint", JOB_NUMBER_MAP, AT(footprint), false},
    [TA_JOB_META_DATA] = {"metaData", JOB_TEXT_MAP, AT(meta_data), false},
    [TA_JOB_CONCURRENT] = {"concurrentJobs", JOB_CONCURRENT_LIST, AT(concurrent_is_null), false},
    [TA_JOB_ENERGY] = {"energy", JOB_DOUBLE, AT(energy), false},
    [TA_JOB_ARRAY_JOB_ID] = {"arrayJobId", JOB_INT64, AT(array_job_id), true},
    [TA_JOB_WALLTIME] = {"walltime", JOB_INT64, AT(walltime), true},
    [TA_JOB_REQUESTED_MEMORY] = {"requestedMemory", JOB_INT64, AT(requested_memory), true},
    [TA_JOB_JOB_ID] = {"jobId", JOB_INT64, AT(job_id), false},
    [TA_JOB_DURATION] = {"duration", JOB_INT32, AT(duration), false},
    [TA_JOB_SMT] = {"smt", JOB_INT32, AT(smt), true},
    [TA_JOB_MONITORING_STATUS] = {"monitoringStatus", JOB_INT32, AT(monitoring_status), true},
    [TA_JOB_NUM_ACC] = {"numAcc", JOB_INT32, AT(num_acc), true},
    [TA_JOB_NUM_HWTHREADS] = {"numHwthreads", JOB_INT32, AT(num_hwthreads), true},
    [TA_JOB_NUM_NODES] = {"numNodes", JOB_INT32, AT(num_nodes), false},
    [TA_JOB_STATISTICS] = {"statistics", JOB_STATISTIC_MAP, AT(statistics), false},
    [TA_JOB_ID] = {"id", JOB_INT64, AT(id), true},
    [TA_JOB_SUBMIT_TIME] = {"submitTime", JOB_INT64, AT(submit_time), true},
    [TA_JOB_START_TIME] = {"startTime", JOB_INT64, AT(start_time), false},
};

static const char *const states[TA_JOB_STATES] = {
    "boot_fail",     "cancelled", "completed", "deadline", "failed",    "node_fail",
    "out_of_memory", "pending",   "preempted", "running",  "suspended", "timeout",
};

static const char *const shares[] = {"none", "single_user", "multi_user"};

int ta_job_state_of(struct ta_str word, enum ta_job_state *out)
{
    for (unsigned i = 0; i < TA_JOB_STATES; i++) {
        if (ta_str_is(word, states[i])) {
            *out = (enum ta_job_state)i;
            return TA_OK;
        }
    }
    return TA_ENOTFOUND;
}

const char *ta_job_state_word(enum ta_job_state state)
{
    return states[state];
}

bool ta_job_state_is_final(enum ta_job_state state)
{
    return state != TA_JOB_RUNNING && state != TA_JOB_PENDING && state != TA_JOB_SUSPENDED;
}

int ta_job_shared_of(struct ta_str word, enum ta_job_shared *out)
{
    for (unsigned i = 0; i < TA_COUNT(shares); i++) {
        if (ta_str_is(word, shares[i])) {
            *out = (enum ta_job_shared)i;
            return TA_OK;
        }
    }
    return TA_ENOTFOUND;
}

const char *ta_job_shared_word(enum ta_job_shared shared)
{
    return shares[shared];
}
