/* job.h - what is known of one job: the model behind meta.json, the REST bodies and the job table.
 *
 * (spec: job-archive 3) A job is plain data: every string and list stands in the arena that was
 * given to the reader, or in the caller's memory when the caller filled it in. Lists are sorted as
 * the reference writes them, maps by the bytes of their keys.
 *
 * Does not know where jobs are kept (repository.h) nor what a cluster looks like.
 */
#ifndef TARN_JOBS_JOB_H
#define TARN_JOBS_JOB_H

#include "base/arena.h"
#include "base/err.h"
#include "io/json_read.h"
#include "io/json_write.h"

enum ta_job_state {
    TA_JOB_BOOT_FAIL,
    TA_JOB_CANCELLED,
    TA_JOB_COMPLETED,
    TA_JOB_DEADLINE,
    TA_JOB_FAILED,
    TA_JOB_NODE_FAIL,
    TA_JOB_OUT_OF_MEMORY,
    TA_JOB_PENDING,
    TA_JOB_PREEMPTED,
    TA_JOB_RUNNING,
    TA_JOB_SUSPENDED,
    TA_JOB_TIMEOUT,
    TA_JOB_STATES
};

enum ta_job_shared { TA_JOB_SHARED_NONE, TA_JOB_SHARED_SINGLE_USER, TA_JOB_SHARED_MULTI_USER };

/* What the monitoring of a job has come to (spec: archiver 1). */
enum ta_job_monitoring {
    TA_JOB_UNMONITORED,
    TA_JOB_UNARCHIVED, /* running, or waiting for the archiver */
    TA_JOB_ARCHIVE_FAILED,
    TA_JOB_ARCHIVED
};

struct ta_job_tag {
    struct ta_str type, name, scope;
    int64_t id; /* of the writer's database */
};

/* One node of the job, with what the job had of it; empty lists: all of it. */
struct ta_job_node {
    struct ta_str hostname, configuration;
    const int64_t *hwthreads;
    size_t n_hwthreads;
    const struct ta_str *accelerators;
    size_t n_accelerators;
};

struct ta_job_number {
    struct ta_str key;
    double value;
};

struct ta_job_text {
    struct ta_str key, value;
};

struct ta_job_statistic {
    struct ta_str metric;
    struct ta_str base, prefix; /* of the unit */
    double avg, min, max;
};

/* `at` NULL: the document says null or nothing; an empty list has a non-NULL `at`. */
struct ta_job_tags {
    struct ta_job_tag *at;
    size_t n;
};
struct ta_job_nodes {
    struct ta_job_node *at;
    size_t n;
};
struct ta_job_numbers {
    struct ta_job_number *at;
    size_t n;
};
struct ta_job_texts {
    struct ta_job_text *at;
    size_t n;
};
struct ta_job_statistics {
    struct ta_job_statistic *at;
    size_t n;
};

/* The keys, in the order in which the reference writes them. */
enum ta_job_key {
    TA_JOB_CLUSTER,
    TA_JOB_SUBCLUSTER,
    TA_JOB_PARTITION,
    TA_JOB_PROJECT,
    TA_JOB_USER,
    TA_JOB_SHARED,
    TA_JOB_STATE,
    TA_JOB_TAGS,
    TA_JOB_RESOURCES,
    TA_JOB_ENERGY_FOOTPRINT,
    TA_JOB_FOOTPRINT,
    TA_JOB_META_DATA,
    TA_JOB_CONCURRENT,
    TA_JOB_ENERGY,
    TA_JOB_ARRAY_JOB_ID,
    TA_JOB_WALLTIME,
    TA_JOB_REQUESTED_MEMORY,
    TA_JOB_JOB_ID,
    TA_JOB_DURATION,
    TA_JOB_SMT,
    TA_JOB_MONITORING_STATUS,
    TA_JOB_NUM_ACC,
    TA_JOB_NUM_HWTHREADS,
    TA_JOB_NUM_NODES,
    TA_JOB_STATISTICS,
    TA_JOB_ID,
    TA_JOB_SUBMIT_TIME,
    TA_JOB_START_TIME,
    TA_JOB_KEYS
};

struct ta_job {
    struct ta_str cluster, subcluster, partition, project, user;
    struct ta_str shared, state; /* the words; ta_job_state_of() gives the enum */
    struct ta_job_tags tags;
    struct ta_job_nodes resources;
    struct ta_job_numbers energy_footprint; /* kWh by metric */
    struct ta_job_numbers footprint;        /* by <metric>_<avg|min|max> */
    struct ta_job_texts meta_data;
    double energy; /* kWh */
    int64_t array_job_id;
    int64_t walltime;         /* s */
    int64_t requested_memory; /* MB */
    int64_t job_id;           /* the scheduler's */
    int64_t duration;         /* s, 32 bit */
    int64_t smt, monitoring_status, num_acc, num_hwthreads, num_nodes;
    struct ta_job_statistics statistics;
    int64_t id;                      /* database row, 0 = none */
    int64_t submit_time, start_time; /* Unix seconds */

    uint32_t given;          /* bit per ta_job_key that the document had, null included */
    bool concurrent_is_null; /* "concurrentJobs" was null or had no list of items */
};

static inline bool ta_job_has(const struct ta_job *job, enum ta_job_key key)
{
    return job->given >> key & 1;
}

/* TA_ENOTFOUND when it is none of the twelve words. */
int ta_job_state_of(struct ta_str word, enum ta_job_state *out);
const char *ta_job_state_word(enum ta_job_state state); /* static */
/* A state in which a job can be stopped: it is neither running, nor pending, nor suspended. */
bool ta_job_state_is_final(enum ta_job_state state);
int ta_job_shared_of(struct ta_str word, enum ta_job_shared *out);
const char *ta_job_shared_word(enum ta_job_shared shared); /* static */

/* Most items of a list (nodes, tags, hardware threads) and members of a map that are accepted. */
enum { TA_JOB_ITEMS_MAX = 1 << 20, TA_JOB_MAP_MAX = 4096 };

/* Reads one job from the top-level value of `r` (not what follows it). Memory comes from `arena`,
 * whose maximum bounds the job. The source must be one that never says TA_EAGAIN.
 * `strict`: an unknown key is an error, as for a request; else it is passed over, as in an archive
 * that an older or newer program wrote. Null leaves a scalar at its zero; of two equal keys the last
 * one counts. Words of states are not judged here: see
 * document_check.h.
 * TA_EFORMAT with line and column, TA_ERANGE (number, list), TA_ENOMEM; *out is then undefined. */
int ta_job_read(struct ta_job *out, struct ta_json_reader *r, bool strict, struct ta_arena *arena,
                struct ta_err *err);

/* The same from text in memory; only white space may follow. `alloc` lends the reader's buffer of
 * 2 x json.len + 4 KiB for the call. */
int ta_job_read_text(struct ta_job *out, struct ta_str json, bool strict, struct ta_arena *arena,
                     struct ta_alloc *alloc, struct ta_err *err);

/* One member's value alone, as the columns of the job table keep it. Empty text is null. */
int ta_job_read_member(struct ta_job *job, enum ta_job_key key, struct ta_str json,
                       struct ta_arena *arena, struct ta_alloc *alloc, struct ta_err *err);

/* Writes the object with the reference's keys, order and omissions; numbers in the shortest form
 * that reads back equal. No line feed. Returns the writer's error. */
int ta_job_write(struct ta_json_writer *w, const struct ta_job *job);
/* The same with the object left open, for members that the reference does not have. */
int ta_job_write_open(struct ta_json_writer *w, const struct ta_job *job);
int ta_job_write_member(struct ta_json_writer *w, const struct ta_job *job, enum ta_job_key key);

#endif
