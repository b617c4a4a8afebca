/* job_int.h - the table of keys that reading and writing share. */
#ifndef TARN_JOBS_JOB_INT_H
#define TARN_JOBS_JOB_INT_H

#include "jobs/job.h"

enum job_kind {
    JOB_STRING,
    JOB_INT32,
    JOB_INT64,
    JOB_DOUBLE,
    JOB_TAG_LIST,
    JOB_NODE_LIST,
    JOB_NUMBER_MAP,
    JOB_TEXT_MAP,
    JOB_STATISTIC_MAP,
    JOB_CONCURRENT_LIST
};

struct job_key {
    const char *name;
    enum job_kind kind;
    size_t offset; /* in struct ta_job */
    bool may_omit; /* left out when empty or zero */
};

extern const struct job_key ta_job_keys[TA_JOB_KEYS];

/* Archives of version 1 have units as one word: how many of its bytes are the prefix, 0 or 1. */
size_t ta_job_unit_prefix(struct ta_str word);

#endif
