/* job_call.h - one request about jobs, without HTTP: what was asked, and what is answered.
 *
 * (spec: archiver 3, 5) A call is made by a handler or a NATS input, run on the thread of a desk
 * (job_desk.h), and answered from it. Statuses and words are the reference's, but where doc/jobs.md
 * says otherwise.
 *
 * Memory: the body, the answer and an arena, each with its maximum, from the allocator given. An answer with
 * the data of a job is in a file without a name.
 */
#ifndef TARN_APP_JOB_CALL_H
#define TARN_APP_JOB_CALL_H

#include "app/clusters.h"
#include "app/job_counts.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/vfs.h"
#include "jobs/repository.h"
#include "net/jwt.h"
#include "store/store.h"

#include <stdatomic.h>

enum ta_job_verb {
    TA_JOB_START,
    TA_JOB_STOP,
    TA_JOB_LIST,
    TA_JOB_GET,
    TA_JOB_DATA,    /* as GET, with its metrics */
    TA_JOB_SELECT,  /* those that the body lists */
    TA_JOB_METRICS, /* metrics alone, for programs that take GraphQL's answers */
    TA_JOB_CLUSTERS,
    TA_JOB_USED_NODES,
    TA_JOB_EDIT_META,
    TA_JOB_TAG,
    TA_JOB_UNTAG,
    TA_JOB_DROP_TAGS,
    TA_JOB_DELETE,
    TA_JOB_DELETE_BEFORE,
    TA_JOB_NODE_STATES,
    TA_JOB_ARCHIVE,
    TA_JOB_MACHINE,    /* GET */
    TA_JOB_MACHINE_PUT /* and POST */
};

struct ta_archiving;

/* What calls work with; immutable while they run. */
struct ta_job_place {
    const struct ta_clusters *clusters;
    struct ta_store *store;
    struct ta_archiving *archiving; /* is told of jobs that have ended; NULL: nobody */
    const atomic_bool *stop;        /* true: what takes long is given up */
    const char *machine_dir;        /* main.machine-state-dir */
    struct ta_job_counts *counts;   /* the desk's */
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_alloc *alloc;
    size_t bytes_max; /* of body, answer and arena, each */
};

struct ta_job_call {
    const struct ta_job_place *place;
    enum ta_job_verb verb;
    struct ta_str rest;  /* of the path: an id, a time; or empty */
    struct ta_str query; /* as sent */
    struct ta_token token;
    bool own_only; /* jobs of the token's user alone */
    enum ta_job_way way;
    struct ta_buf body; /* filled by the caller */
    struct ta_arena arena;

    int status;
    const char *content_type; /* NULL: none */
    struct ta_buf answer;
    struct ta_file *file; /* holds the answer instead, when file_bytes > 0 */
    uint64_t file_bytes;
    _Atomic unsigned *answers; /* counts such files while this is one */
};

/* `own_only` from /userapi. The strings are copied. TA_ENOMEM. */
int ta_job_call_new(struct ta_job_call **out, const struct ta_job_place *place,
                    enum ta_job_verb verb, struct ta_str rest, struct ta_str query,
                    const struct ta_token *token, bool own_only, struct ta_err *err);
void ta_job_call_free(struct ta_job_call *c); /* NULL is fine */

/* Does it and writes the answer: never fails, an error is an answer too. */
void ta_job_call_run(struct ta_job_call *c, struct ta_repository *r);

/* Words of a verb for a message of the log. */
const char *ta_job_verb_name(enum ta_job_verb verb);

#endif
