/* job_rebuild.h - `-init-db`: the table of jobs of main.db anew from the archive (repository_rebuild.h). */
#ifndef TARN_APP_JOB_REBUILD_H
#define TARN_APP_JOB_REBUILD_H

#include "app/conf.h"

struct ta_job_rebuilt {
    uint64_t put, newer; /* taken from the archive; left, as the row is newer */
    uint64_t gone;       /* rows that were said to be archived and are not */
    uint64_t failed;     /* archived jobs that cannot be read or are refused: their rows stay */
};

/* Makes the tables in a new database. A job that fails is told in the log and holds up no other, but then no row goes.
 * With *stop it ends with TA_ECANCELED; may be NULL. *out says in any case what was done. */
int ta_job_rebuild(const struct ta_config *config, const _Atomic bool *stop, struct ta_log *log,
                   struct ta_job_rebuilt *out, struct ta_err *err);

#endif
