/* job_desk.h - threads that carry out calls about jobs, so that no HTTP worker waits for a disk.
 *
 * Three, each with a connection of its own: what changes something is done by one, in the order in which
 * it came, so that the start of a job is stored before its stop; what only asks is done by the second,
 * so that long lists delay no change; and the third reads the metrics of jobs, which takes longest. What waits is bounded: one call more is refused.
 */
#ifndef TARN_APP_JOB_DESK_H
#define TARN_APP_JOB_DESK_H

#include "app/job_call.h"
#include "jobs/schema.h"

#include <pthread.h>
#include <stdbool.h>

enum { TA_DESK_WAITING_MAX = 1024 };

/* Embedded in whatever waits for the call. */
struct ta_desk_item {
    struct ta_desk_item *next;
    struct ta_job_call *call;
    void (*done)(struct ta_desk_item *item); /* on the desk's thread, once */
};

struct ta_desk_line {
    struct ta_repository *repository;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct ta_desk_item *first, **last; /* guarded by lock */
    size_t n_waiting;                   /* guarded by lock */
    bool is_running, is_stopping;       /* guarded by lock */
};

struct ta_job_desk {
    struct ta_job_place place;
    bool is_open;
    atomic_bool is_ending; /* what takes long is given up */
    struct ta_desk_line change, ask, data;
    struct ta_job_counts counts;
};

/* Makes the tables in a new database and checks those of another one, or brings them up to date (schema.h). */
int ta_job_desk_prepare(const char *path, const struct ta_job_schema_options *schema,
                        struct ta_err *err);
/* The database is made ready and opened; nothing runs yet. Borrows what `place` points to. */
int ta_job_desk_open(struct ta_job_desk *d, const struct ta_job_place *place,
                     const struct ta_sql_options *database,
                     const struct ta_job_schema_options *schema, struct ta_err *err);
int ta_job_desk_start(struct ta_job_desk *d, struct ta_err *err);
/* TA_EAGAIN: too many wait; TA_ECANCELED: the desk stops. Else `done` will be called. */
int ta_job_desk_submit(struct ta_job_desk *d, struct ta_desk_item *item);
/* Carries out what waits, but for the metrics of jobs, and ends the threads. */
void ta_job_desk_stop(struct ta_job_desk *d);
void ta_job_desk_close(struct ta_job_desk *d); /* fine on a zeroed struct */
/* Its metrics; none when it is not open. */
void ta_job_desk_put(struct ta_job_desk *d, struct ta_exposition *e);

#endif
