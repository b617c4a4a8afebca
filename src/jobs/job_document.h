/* job_document.h - the data document of a job's archive, written while its series are read.
 *
 * (spec: archiver 2.3, job-archive 4) Metric after metric in the order of names, each at its scopes
 * in the order of theirs; one series is read at a time, twice in all: its statistics stand before
 * its values. The statistics that the job's own are made of are gathered on the way.
 *
 * Two metrics that job lists need at node scope, flops_any and mem_bw, are summed up from a finer
 * scope where the node's own cannot be had.
 *
 * Memory: a window of 4,096 values, what stat_series.h says for metrics with eight series or more,
 * and the sum of one node.
 */
#ifndef TARN_JOBS_JOB_DOCUMENT_H
#define TARN_JOBS_JOB_DOCUMENT_H

#include "jobs/document_write.h"
#include "jobs/job_load.h"

/* Writes the whole document and fills tallies[0..n_metrics). Errors are those of source and writer,
 * and TA_ECANCELED. */
int ta_job_document_write(const struct ta_job_load *d, struct ta_document_writer *w,
                          struct ta_job_tally *tallies, struct ta_err *err);

#endif
