/* job_answer.h - the metrics of one job as somebody asks for them: some of them, at some scopes, thinned out.
 *
 * (spec: archiver 2.3, 2.10, 3.1) A job that is not archived is read from the store, as the archiver reads it;
 * only what is asked for is read, one series at a time. The document of an archived one is taken apart
 * (data_columns.h) and written anew from that. Statistics series that it has are kept; where there are eight
 * series and none, they are made.
 *
 * Memory: what job_document.h says, and store_source.h or data_columns.h.
 */
#ifndef TARN_JOBS_JOB_ANSWER_H
#define TARN_JOBS_JOB_ANSWER_H

#include "jobs/document_write.h"
#include "jobs/job_load.h"
#include "store/store.h"

enum { TA_JOB_RESOLUTION_COARSEST = -1 };

struct ta_job_question {
    struct ta_str_list metrics; /* not set: all */
    unsigned scopes; /* a set of TA_SCOPE_BIT; 0: node scope, or all that an archive has */
    /* Seconds; 0: as stored. TA_JOB_RESOLUTION_COARSEST: the largest time step of the cluster's metrics, and
     * those whose own does not divide it as they are stored. */
    int64_t resolution_s;
    enum ta_document_form form;
    struct ta_clock *clock; /* for the deadline */
    int64_t deadline_ns;    /* 0: none */
    const atomic_bool *stop;
};

/* Is that metric asked for? */
bool ta_job_is_asked(const struct ta_job_question *q, struct ta_str metric);

/* Writes the metrics to the sink. TA_ENOTFOUND with the reason: the store has none of them, or the cluster has
 * no such subcluster; TA_EINVAL: the resolution is no multiple of a metric's time step. */
int ta_job_answer_live(const struct ta_job_question *q, struct ta_store *store,
                       const struct ta_cluster *cluster, const struct ta_job *job,
                       struct ta_sink *out, struct ta_arena *arena, struct ta_alloc *alloc,
                       struct ta_err *err);

/* The same for an archived job; json is its document. The files are empty, and at most bytes_max are written to
 * each. `cluster` may be NULL: then the document's own metrics say what is coarsest. TA_EFORMAT: the document is
 * none. */
struct ta_job_files {
    struct ta_file *values, *series;
    uint64_t bytes_max;
};
int ta_job_answer_archived(const struct ta_job_question *q, struct ta_source *json,
                           const struct ta_job_files *files, const struct ta_cluster *cluster,
                           const struct ta_job *job, struct ta_sink *out, struct ta_arena *arena,
                           struct ta_alloc *alloc, struct ta_err *err);

#endif
