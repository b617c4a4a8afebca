/* archiving.h - the archiver of a server, made from its configuration.
 *
 * It runs when there is a job database (main.db) and an archive (the section "archive"). Nothing is
 * archived before the store has loaded what the last life left: a job would lack it for ever.
 */
#ifndef TARN_APP_ARCHIVING_H
#define TARN_APP_ARCHIVING_H

#include "app/clusters.h"
#include "app/conf.h"
#include "app/exposition.h"
#include "app/job_archives.h"
#include "app/safe.h"
#include "jobs/archive_queue.h"
#include "jobs/archiver.h"

struct ta_archiving {
    const struct ta_config *config;
    struct ta_safe *safe;
    struct ta_clock *clock;
    struct ta_archiver *archiver; /* NULL: none runs */
    struct ta_tag_rules *rules;
    struct ta_clusters clusters; /* of the archive, when none are configured */
    char directory[4096];        /* of the job database */
    struct ta_job_archive
        *buckets;           /* of an archive in a bucket: one for each worker, one for the start */
    size_t n_buckets, room; /* opened, and how many there are */
    char address[300];
    _Atomic bool giving_up;     /* ends transfers under way */
    _Atomic unsigned n_answers; /* with the data of a job, not yet sent to their end */
};

/* TA_OK without any effect when it is not configured. Borrows all until the stop. */
int ta_archiving_start(struct ta_archiving *a, const struct ta_config *config,
                       struct ta_store *store, const struct ta_clusters *clusters,
                       struct ta_safe *safe, struct ta_clock *clock, struct ta_log *log,
                       struct ta_err *err);
/* A job has ended, or is to be archived again. Never waits; fine when none runs. Any thread. */
void ta_archiving_wake(struct ta_archiving *a);
/* The list of jobs to archive, for one call. */
int ta_archiving_open_queue(struct ta_archiving *a, struct ta_archive_queue **out,
                            struct ta_err *err);
int64_t ta_archiving_retention_s(const struct ta_archiving *a); /* of the store; 0: for ever */
void ta_archiving_stop(struct ta_archiving *a);                 /* fine when none runs, and twice */
/* Its own metrics. */
void ta_archiving_put(struct ta_archiving *a, struct ta_exposition *e);

#endif
