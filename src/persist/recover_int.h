/* recover_int.h - shared by recover.c (all), recover_host.c (files of a host), recover_log.c (our log). */
#ifndef TARN_PERSIST_RECOVER_INT_H
#define TARN_PERSIST_RECOVER_INT_H

#include "persist/recover.h"
#include "store/walk.h"

#include <pthread.h>

/* A disk that fails once is asked again before a file counts as unreadable. */
enum { TA_RECOVER_TRIES = 3 };

/* The present, for the store's writers: no sample of a log is too old for it. No file has it perhaps, and retention
 * takes it when one does. */
static const int64_t TA_RECOVER_ANY_AGE = INT64_MIN / 2;

struct ta_recover {
    struct ta_recover_conf conf;
    struct ta_vfs *vfs;
    int64_t now_s;
    int64_t keep_from_s; /* what ends before it stays on disk */
    struct ta_wal_segment *segments;
    size_t n_segments, cap_segments;
    uint64_t next_segment, next_sequence;

    pthread_mutex_t lock;
    struct ta_recover_report report; /* guarded by lock */
    bool has_ref_wal;                /* guarded by lock */
    bool has_damaged;                /* guarded by lock; a checkpoint file was copied aside */
    int64_t ref_wal_newest_s;        /* guarded by lock; over all hosts */

    _Atomic int phase;
    _Atomic uint64_t hosts, hosts_done, segments_all, segments_done;
};

/* Adds to the report. Any thread. */
void ta_recover_add(struct ta_recover *r, enum ta_recover_kind kind,
                    const struct ta_recover_counts *c);
void ta_recover_place(struct ta_recover *r, enum ta_recover_kind kind, const char *path,
                      uint64_t at, uint64_t bytes, const char *why);
void ta_recover_aside(struct ta_recover *r, int result, const struct ta_err *err);

void ta_recover_damage(struct ta_recover *r, enum ta_recover_kind kind, const char *path,
                       const struct ta_damage *d);
/* For the counts: 0 when it cannot be had. */
uint64_t ta_recover_size(struct ta_file *f);

struct ta_recover_job {
    struct ta_recover *r;
    struct ta_restore *restore; /* the worker's */
    struct ta_str cluster, host;
    struct ta_metrics *metrics;
    int64_t keep_from_s; /* of this host */
    char dir[TA_PATH_MAX];
};

/* The host's current.wal. Only TA_ENOMEM is an error. */
int ta_recover_ref_wal(struct ta_recover_job *job, struct ta_err *err);

/* One host's directory. Only TA_ENOMEM is an error. */
int ta_recover_host(struct ta_recover *r, struct ta_restore *restore, struct ta_str cluster,
                    struct ta_str host, struct ta_err *err);

/* Lists the segments and finds where a new log may begin. */
int ta_recover_list_segments(struct ta_recover *r, struct ta_err *err);

/* Segments with first <= number < end, in order, each with its newest time stamp into the list, if it stands there. */
int ta_recover_segments(struct ta_recover *r, uint64_t first, uint64_t end,
                        const _Atomic bool *stop, struct ta_err *err);
/* One of this life, not in the list. */
int ta_recover_one_segment(struct ta_recover *r, uint64_t number, struct ta_err *err);

#endif
