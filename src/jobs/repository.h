/* repository.h - the jobs that the database knows: started, stopped, asked for, tagged, deleted.
 *
 * (spec: job-repository 2-4, archiver 3, 5) Every change is one transaction, durable when the call
 * returns: whatever fails, nothing or all of it is there. What waits to be archived is the archiver's
 * matter; this only ends jobs. A change of tags or metadata that the archive is to be told of is marked in
 * the same transaction (archive_queue.h). Jobs are never gathered: lists go job by job to a callback.
 *
 * A repository is one connection with its statements and belongs to one thread at a time. Memory: the
 * connection's cache and one job, of at most 64 MiB as SQLite gives it and the same decoded.
 *
 * Errors: TA_EIO, TA_ENOMEM, TA_EFORMAT (a row that cannot be read), TA_EAGAIN (locked for too long),
 * and what is said at each function.
 */
#ifndef TARN_JOBS_REPOSITORY_H
#define TARN_JOBS_REPOSITORY_H

#include "jobs/job.h"
#include "jobs/sql.h"

struct ta_repository;

/* Opens a database whose tables are there (schema.h) and moves jobs that the reference left in its
 * job_cache to the others. Borrows alloc. */
int ta_repository_open(struct ta_repository **out, const struct ta_sql_options *options,
                       struct ta_alloc *alloc, struct ta_err *err);
void ta_repository_close(struct ta_repository *r); /* NULL is fine */

/* ---- one job ------------------------------------------------------------------------------------ */

/* Who asks: tags of other scopes are not shown. "global" is for everybody, a name is its user's. */
struct ta_job_viewer {
    struct ta_str user; /* at NULL: nobody's private tags */
    bool sees_admin;    /* scope "admin" too */
};

/* What a job is filled with beside its columns. */
struct ta_job_wish {
    bool meta_data;                     /* else null */
    const struct ta_job_viewer *viewer; /* NULL: without tags; by id, those to be seen */
    int64_t now_s;                      /* not 0: a running job has run until then */
};

struct ta_job_match {
    int64_t job_id;
    struct ta_str cluster; /* at NULL: any */
    int64_t start_time;
    bool has_start_time; /* else any */
};

/* The job goes into the arena, without its energy footprint, which the reference does not show either.
 * TA_ENOTFOUND. */
int ta_repository_get(struct ta_repository *r, int64_t row, const struct ta_job_wish *wish,
                      struct ta_arena *arena, struct ta_job *out, struct ta_err *err);
/* Of several the newest: the highest row. TA_ENOTFOUND. */
int ta_repository_find(struct ta_repository *r, const struct ta_job_match *match,
                       const struct ta_job_wish *wish, struct ta_arena *arena, struct ta_job *out,
                       struct ta_err *err);

/* ---- its life ----------------------------------------------------------------------------------- */

/* A day: two jobs of one id and cluster that began closer together are one. */
enum { TA_JOB_SAME_S = 86400 };

/* Adds a job as it is given, tags included, which are made when there are none. TA_EEXIST: *out_row is
 * the job that it repeats; 0: a tag of that name has another scope. */
int ta_repository_start(struct ta_repository *r, const struct ta_job *job, int64_t *out_row,
                        struct ta_err *err);
/* Ends a running job. TA_ENOTFOUND; TA_ESTATE: it does not run. */
int ta_repository_stop(struct ta_repository *r, int64_t row, enum ta_job_state state,
                       int64_t duration_s, struct ta_err *err);
/* TA_ENOTFOUND; TA_ERANGE: more than 16 MiB of metadata. `alloc` of the repository lends them. */
int ta_repository_set_meta(struct ta_repository *r, int64_t row, struct ta_str key,
                           struct ta_str value, struct ta_err *err);
/* Its tags go with it. No error when there is none. */
int ta_repository_delete(struct ta_repository *r, int64_t row, struct ta_err *err);

enum ta_job_tagged { TA_TAGGED_TOO, TA_TAGGED_NOT, TA_TAGGED_BY_USER_NOT };

/* Deletes jobs that began before then, in transactions of at most 1,000; never one that runs or waits
 * to be archived. Returns how many, also when a later transaction fails is that error. */
int64_t ta_repository_delete_before(struct ta_repository *r, int64_t before_s,
                                    enum ta_job_tagged tagged, struct ta_err *err);

/* ---- tags --------------------------------------------------------------------------------------- */

/* All or none. TA_ENOTFOUND: no such job; TA_EEXIST: a tag of that type and name has another scope. */
int ta_repository_tag(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                      struct ta_err *err);
/* Those of scope global or admin; others, and those it does not have, are passed over. */
int ta_repository_untag(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                        struct ta_err *err);
/* Removes tags of scope global or admin from all jobs, each in transactions of at most 1,000 jobs: when one
 * fails, the jobs before are rid of it. Returns how many tags there were. */
int64_t ta_repository_drop_tags(struct ta_repository *r, const struct ta_job_tags *tags,
                                struct ta_err *err);

/* ---- lists -------------------------------------------------------------------------------------- */

struct ta_job_filter {
    struct ta_str cluster, project; /* at NULL: any */
    const enum ta_job_state *states;
    size_t n_states;      /* 0: any */
    int64_t from_s, to_s; /* of the start, both included; to_s 0: any */
    struct ta_str user;   /* at NULL: all; else only that user's, */
    bool managed_too;     /* and those of the projects that they manage */
    /* Where the page begins: behind that job; before_row 0: at the newest. Then `skip` jobs further. */
    int64_t before_start, before_row;
    int64_t skip, limit;
};

typedef int (*ta_job_each)(void *self, const struct ta_job *job, struct ta_err *err);

/* The jobs newest start first, each borrowed for its call. The first error of `each` ends the list. */
int ta_repository_list(struct ta_repository *r, const struct ta_job_filter *filter,
                       const struct ta_job_wish *wish, ta_job_each each, void *self,
                       struct ta_err *err);

/* 1 = the table of users says that this one manages that project, 0 = it does not. */
int ta_repository_manages(struct ta_repository *r, struct ta_str user, struct ta_str project,
                          struct ta_err *err);

typedef int (*ta_node_each)(void *self, struct ta_str cluster, struct ta_str host,
                            struct ta_err *err);

/* Nodes whose samples are still wanted: of jobs that run or wait to be archived, and began before
 * then. Sorted, each once. */
int ta_repository_used_nodes(struct ta_repository *r, int64_t before_s, ta_node_each each,
                             void *self, struct ta_err *err);

/* ---- nodes -------------------------------------------------------------------------------------- */

struct ta_node_report {
    struct ta_str host, subcluster;
    const char *state, *health;   /* of the words that the database knows */
    struct ta_str health_metrics; /* JSON, or empty */
    int64_t cpus, memory_mb, gpus, jobs;
};

/* One transaction for all of a cluster's nodes; new ones are made. */
int ta_repository_report_nodes(struct ta_repository *r, struct ta_str cluster, int64_t at_s,
                               const struct ta_node_report *nodes, size_t n, struct ta_err *err);

#endif
