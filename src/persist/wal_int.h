/* wal_int.h - shared by wal.c (writers' side) and wal_commit.c (the log's thread). */
#ifndef TARN_PERSIST_WAL_INT_H
#define TARN_PERSIST_WAL_INT_H

#include "persist/log_format.h"
#include "persist/wal.h"
#include "persist/wal_names.h"

#include <pthread.h>

/* Records back to back, their payload lengths set, not yet sealed. */
struct wal_buffer {
    struct ta_buf bytes;
    size_t record_at;     /* offset of the open record's head; NO_RECORD: none is open */
    uint64_t first, next; /* sequences of the first record and of the one after the last */
    uint64_t samples;
    int64_t newest_s; /* time stamp; INT64_MIN: none */
};
#define NO_RECORD SIZE_MAX

struct ta_wal {
    struct ta_wal_conf conf;
    char *dir;
    size_t dir_room;

    pthread_mutex_t lock;
    pthread_cond_t work;    /* for the thread: something to do */
    pthread_cond_t settled; /* for waiters: tickets, room, cuts */
    pthread_t thread;

    /* guarded by lock */
    struct wal_buffer *fill;   /* writers add here */
    struct ta_wal_names *said; /* names of the segment that `fill` goes to */
    size_t promised;           /* bytes of the fill buffer that reserved batches may still use */
    bool is_stopping, is_failing;
    uint64_t cuts_wanted, cuts_done; /* requests numbered from 1; the newest that is served */
    uint64_t cut_segment;            /* first segment after that cut */
    struct ta_wal_counts counts;
    struct ta_wal_segment *segments; /* on disk, ascending; the last one is being written */
    size_t n_segments, cap_segments;

    _Atomic uint64_t durable;      /* every record below this sequence is */
    _Atomic uint64_t failed_below; /* tickets below it and not durable have failed */

    /* of the thread alone (the buffers and tables change hands under lock) */
    struct wal_buffer *flush;      /* being written; kept until a good sync */
    struct ta_wal_names *said_old; /* names of flush's segment while a rotation is under way */
    struct ta_file *file;
    uint64_t number;   /* of the current segment */
    uint64_t at;       /* where the next record goes */
    uint64_t reserved; /* disk blocks are there up to here */
    struct ta_log_chain chain;
    bool is_rotating;       /* flush is the last of its segment */
    uint64_t cut_serving;   /* cuts_wanted when that was decided */
    int64_t synced_mono_ns; /* last sync, or attempt */
    uint64_t salts;         /* state of the salt generator */

    struct wal_buffer buffers[2];
    struct ta_wal_names names[2];
};

/* Closes the open record of b, if any. */
void ta_wal_close_record(struct wal_buffer *b);

/* Adds to the list of segments. Under lock, or before the thread runs. TA_ENOMEM. */
int ta_wal_note_segment(struct ta_wal *w, struct ta_wal_segment segment);

/* The thread. */
void *ta_wal_run(void *wal);
/* Creates segment `number`, its head and its directory entry durable, as the current one. */
int ta_wal_begin_segment(struct ta_wal *w, uint64_t number, uint64_t first_sequence,
                         struct ta_err *err);
void ta_wal_end_segment(struct ta_wal *w);

#endif
