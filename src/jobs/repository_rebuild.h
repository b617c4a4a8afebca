/* repository_rebuild.h - the table of jobs anew from what an archive has.
 *
 * (spec: job-archive 12.3) The table is never emptied: each archived job replaces its row, which keeps its id and its tags,
 * or becomes a new one; then the rows go that say they are archived, and are not. Jobs that run, wait to be archived, or
 * whose change the archive does not have yet stay as they are, and so do those that were never archived. A run that dies
 * leaves a sound database and is begun again.
 *
 * Memory: one job. Which rows have been seen is a temporary table, in a file.
 */
#ifndef TARN_JOBS_REPOSITORY_REBUILD_H
#define TARN_JOBS_REPOSITORY_REBUILD_H

#include "jobs/repository.h"

struct ta_rebuild {
    struct ta_repository *r;
    unsigned n_open; /* jobs of the transaction under way */
};

int ta_rebuild_begin(struct ta_rebuild *b, struct ta_repository *r, struct ta_err *err);
/* An archived job, its tags included: 1 = the table has it now as given, 0 = the row that it has is newer. Tags that
 * there are with another scope keep that. TA_EINVAL: the table forbids a value, the other jobs are not touched. After
 * any other failure: abort. */
int ta_rebuild_put(struct ta_rebuild *b, const struct ta_job *job, struct ta_err *err);
/* All of the archive has been put. Returns how many rows have gone, each transaction at most 1,000. */
int64_t ta_rebuild_finish(struct ta_rebuild *b, struct ta_err *err);
/* The archive could not be read to its end: what was put stays, no row goes. Fine after anything. */
int ta_rebuild_abort(struct ta_rebuild *b, struct ta_err *err);

#endif
