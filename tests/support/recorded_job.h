/* recorded_job.h - the series of jobs out of tests/data/archiver/loaded-data.json, as a source. */
#ifndef TESTS_RECORDED_JOB_H
#define TESTS_RECORDED_JOB_H

#include "base/arena.h"
#include "jobs/job.h"
#include "jobs/job_source.h"
#include "query/cluster.h"

enum { RECORDED_SERIES_MAX = 512 };

struct recorded_series {
    struct ta_str metric, scope;
    struct ta_str host, id;
    int64_t timestep_s;
    double *data;
    size_t n;
    struct ta_stats stats;
};

struct recorded_job {
    struct ta_job_source source;
    struct ta_arena arena;
    struct recorded_series series[RECORDED_SERIES_MAX];
    size_t n_series;
    struct ta_str metrics[64]; /* requested */
    size_t n_metrics;
    struct ta_str scopes[8];
    size_t n_scopes;
    /* of the pass under way */
    struct ta_str metric;
    enum ta_scope scope;
    size_t at;
    size_t
        fail_metric; /* series of the n-th of `metrics` cannot be had: begin fails; SIZE_MAX: none */
};

/* A job without series; its arena is there to be used. */
void recorded_job_init(struct recorded_job *out);
/* False when there is no such job. */
bool recorded_job_read(struct recorded_job *out, const char *path, const char *job_id);
void recorded_job_done(struct recorded_job *job);

/* The rest of the recording; each fails the test when it is not there. `path` is below
 * tests/data/archiver/archive. */
#define RECORDED_LOADED "tests/data/archiver/loaded-data.json"
struct ta_str recorded_file(struct ta_arena *arena, const char *path);
struct ta_job recorded_meta(struct ta_arena *arena, const char *path);
struct ta_cluster *recorded_cluster(const char *name);

#endif
