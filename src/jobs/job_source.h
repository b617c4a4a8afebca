/* job_source.h - the series of one job, wherever they come from: one open at a time, read at will.
 *
 * The archiver's arithmetic and its document stand on this alone, so that they can be held against
 * recorded data. Implemented over the store by store_source.h.
 */
#ifndef TARN_JOBS_JOB_SOURCE_H
#define TARN_JOBS_JOB_SOURCE_H

#include "base/err.h"
#include "base/str.h"
#include "query/scope.h"
#include "query/values.h"

struct ta_job_series {
    struct ta_str host;
    struct ta_str id; /* at is NULL: none */
    int64_t timestep_s;
    size_t n; /* values; value i is of the job's start + i * timestep_s */
};

struct ta_job_source {
    /* Begins the series of one metric at one scope, from the first one. May be called again for the
     * same: the same series come in the same order, but for what came or went meanwhile. */
    int (*begin)(struct ta_job_source *self, struct ta_str metric, enum ta_scope scope,
                 struct ta_err *err);
    /* 1 = the next series is open (borrowed until the next call of next or begin), 0 = no more. The
     * series of one host stand together. */
    int (*next)(struct ta_job_source *self, struct ta_job_series *out, struct ta_err *err);
    /* Of the open series; all NaN when it has no sample. Asked for before its values. */
    int (*stats)(struct ta_job_source *self, struct ta_stats *out, struct ta_err *err);
    /* Values [first, first + n) of the open series, NaN = no sample and past its end. */
    int (*read)(struct ta_job_source *self, size_t first, double *out, size_t n,
                struct ta_err *err);
};

#endif
