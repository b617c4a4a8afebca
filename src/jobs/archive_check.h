/* archive_check.h - is what an archive holds sound, and does it keep the rules of the published schemas?
 *
 * Two questions: ta_archive_check asks whether readers can use a job at all; the other two hold documents
 * against the schemas (spec: job-archive 4.1), which many sound archives break. The names of documents in what is
 * told are those of the tree of files: "fritz/1403/244/1608923076/data.json.gz".
 *
 * Memory: the metadata or configuration document and a reader's buffer of the same order; 96 KiB for data.
 */
#ifndef TARN_JOBS_ARCHIVE_CHECK_H
#define TARN_JOBS_ARCHIVE_CHECK_H

#include "jobs/archive_work.h"
#include "jobs/data_check.h"

/* Reads both documents whole. TA_EFORMAT: the metadata are no job's or another job's, the data are
 * damaged or have not the shape of data. */
int ta_archive_check(struct ta_archive_work *w, struct ta_backend *b,
                     const struct ta_job_address *job, struct ta_data_counts *counts,
                     struct ta_err *err);
/* The configuration of a cluster likewise. TA_ENOTFOUND: it has none. */
int ta_archive_check_cluster(struct ta_archive_work *w, struct ta_backend *b, struct ta_str cluster,
                             struct ta_err *err);

/* Adds the lines of ta_document_check to `lines` and the number of broken rules to *n. TA_EFORMAT: a document
 * is no JSON. */
int ta_archive_rules(struct ta_archive_work *w, struct ta_backend *b,
                     const struct ta_job_address *job, struct ta_buf *lines, uint64_t *n,
                     struct ta_err *err);
int ta_archive_cluster_rules(struct ta_archive_work *w, struct ta_backend *b, struct ta_str cluster,
                             struct ta_buf *lines, uint64_t *n, struct ta_err *err);

#endif
