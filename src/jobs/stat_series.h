/* stat_series.h - minimum, median and maximum over all series of a metric, time step by time step.
 *
 * (spec: archiver 2.3) A step at which fewer than three series have a sample has none of the three;
 * neither has a step that some series ends before. A window of steps over all series is held at a
 * time: as many as MATRIX_BYTES have room for, at least one. The series are read once for each
 * window; for more than TA_STAT_BLOCK steps, once for each window and each of the three.
 *
 * Memory: 16 MiB (8 bytes a series, when there are more than two million of them) and 12 bytes a
 * step for a block of steps.
 */
#ifndef TARN_JOBS_STAT_SERIES_H
#define TARN_JOBS_STAT_SERIES_H

#include "base/alloc.h"
#include "jobs/job_source.h"

enum ta_step_stat { TA_STAT_MIN, TA_STAT_MEDIAN, TA_STAT_MAX, TA_STATS };

enum { TA_STAT_BLOCK = 64 * 1024, TA_STAT_SERIES_MIN = 8 };

/* What a metric has at one scope. */
struct ta_survey {
    size_t n_series, shortest, longest; /* values */
    int64_t timestep_s;                 /* of the first series */
};

/* Counts without reading. 0 series is no error. */
int ta_survey(struct ta_job_source *source, struct ta_str metric, enum ta_scope scope,
              struct ta_survey *out, struct ta_err *err);

struct ta_stat_series {
    /* private */
    struct ta_job_source *source;
    struct ta_str metric;
    enum ta_scope scope;
    struct ta_survey survey;
    bool is_compat;
    struct ta_alloc *alloc;
    double *block[TA_STATS];
    size_t block_first, block_n, block_cap;
    double *matrix; /* of a window: for each step room for a value of every series */
    size_t *count;  /* of each step: values there */
    double *column; /* a window of one series */
    size_t steps;   /* of a window */
};

/* `is_compat`: the median takes a missing sample for a zero, as the reference's does. Borrows all.
 * TA_ENOMEM. */
int ta_stat_series_init(struct ta_stat_series *s, struct ta_job_source *source,
                        struct ta_str metric, enum ta_scope scope, const struct ta_survey *survey,
                        bool is_compat, struct ta_alloc *alloc, struct ta_err *err);
void ta_stat_series_done(struct ta_stat_series *s); /* fine on a zeroed struct */

/* Values of `which` from step `first` on, at most max, NaN = none; returns how many, 0 past the
 * longest series. *out is borrowed until the next call. Reading forwards is what it is made for. */
int64_t ta_stat_series_read(struct ta_stat_series *s, enum ta_step_stat which, size_t first,
                            size_t max, const double **out, struct ta_err *err);

#endif
