/* data_check.h - is a job's data document one that readers can use, and what is in it?
 *
 * (spec: job-archive 4) Held against the shape: metrics of known scopes; each with a unit, a time step above
 * 0 and series; each of those with a host, values that are numbers or null, and, unless they are
 * missing as in some old jobs, statistics of three numbers; statistics series likewise. Unknown members are passed over,
 * order is free; so is the list of file systems that the schema of data has beside the metrics.
 *
 * Memory: the JSON reader's 96 KiB; documents of any size.
 */
#ifndef TARN_JOBS_DATA_CHECK_H
#define TARN_JOBS_DATA_CHECK_H

#include "base/alloc.h"
#include "io/stream.h"
#include "query/scope.h"
#include "query/values.h"

struct ta_data_counts {
    uint64_t metrics, series, values;
};

/* What has been read, in the order of the document: members of a scope or a series may come in any. */
enum ta_data_kind {
    TA_DATA_METRIC, /* text: its name */
    TA_DATA_SCOPE,
    TA_DATA_UNIT,     /* text: base, prefix */
    TA_DATA_TIMESTEP, /* number: seconds */
    TA_DATA_SERIES,
    TA_DATA_HOST,       /* text */
    TA_DATA_ID,         /* text */
    TA_DATA_STATISTICS, /* stats */
    TA_DATA_VALUES,     /* values, NaN = null: of the open series or statistic, in pieces */
    TA_DATA_SERIES_END,
    TA_DATA_STATISTIC, /* text: "min", ..., or the number of a percentile */
    TA_DATA_STATISTIC_END
};

struct ta_data_event {
    enum ta_data_kind kind;
    struct ta_str text, prefix; /* borrowed for the call */
    enum ta_scope scope;
    int64_t number;
    struct ta_stats stats;
    const double *values;
    size_t n;
    bool is_percentile, is_null; /* of a statistic; a null one has no values and no end */
};

struct ta_data_taker {
    /* TA_DATA_METRIC: 1 = the metric is wanted, 0 = nothing of it is told. Else TA_OK. < 0 ends the reading. */
    int (*take)(struct ta_data_taker *self, const struct ta_data_event *event, struct ta_err *err);
};

/* Checks the document and tells what is in it. */
int ta_data_read(struct ta_source *json, struct ta_data_taker *taker, struct ta_data_counts *out,
                 struct ta_alloc *alloc, struct ta_err *err);

/* Reads the document to its end. TA_EFORMAT tells the first fault with its line and column. */
int ta_data_check(struct ta_source *json, struct ta_data_counts *out, struct ta_alloc *alloc,
                  struct ta_err *err);

#endif
