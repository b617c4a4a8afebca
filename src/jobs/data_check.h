/* data_check.h - is a job's data document one that readers can use?
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

struct ta_data_counts {
    uint64_t metrics, series, values;
};

/* Reads the document to its end. TA_EFORMAT tells the first fault with its line and column. */
int ta_data_check(struct ta_source *json, struct ta_data_counts *out, struct ta_alloc *alloc,
                  struct ta_err *err);

#endif
