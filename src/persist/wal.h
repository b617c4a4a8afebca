/* wal.h - the write-ahead log: what was acknowledged is on disk.
 *
 * Writers add samples to a buffer in memory while they hold a shard's lock; one thread writes the buffer
 * to the current segment and syncs it, while the next buffer fills (group commit: one fdatasync covers all
 * that came during the last one). A writer gets a ticket, the sequence of the record that its samples are
 * in; when ta_wal_ticket() has reached it, the samples survive a power cut.
 *
 * Memory: two buffers of `buffer_bytes`, 16 bytes a segment on disk, plus the table of what the segment has named (about 40 bytes a
 * host and the names of each shape's columns). Full buffers refuse (TA_EAGAIN): the caller lets go of its
 * lock, waits for room (ta_wal_wait_room) and repeats, so a slow disk slows the senders and drops nothing.
 *
 * Trouble. A failed write or sync poisons its segment for good: after a failed sync the kernel may have dropped
 * the pages, and a second sync may lie (reliability notes; Rebello et al., USENIX ATC 2020). The records that
 * no good sync covers are still in memory; they are written to a new segment, after what it must know of
 * hosts and columns. Until that succeeds the log is *failing*: tickets in flight are failed, new samples are
 * refused (TA_EIO), and a new segment is tried every `retry_ms`. It heals by itself.
 *
 * Segments are deleted only by ta_wal_drop, which the checkpoint calls when snapshots of all their samples are
 * durable. At most two files are open at any time.
 *
 * Threads: any number of writers; lock order shard -> log. The notify function is called from the log's
 * thread with no lock held.
 */
#ifndef TARN_PERSIST_WAL_H
#define TARN_PERSIST_WAL_H

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "io/vfs.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_durability {
    TA_DURABILITY_SYNC,    /* an answer waits for the sync that covers it */
    TA_DURABILITY_INTERVAL /* answers do not wait; at most one interval is lost on a power cut */
};

/* Told after every change of what is durable, and when the log begins to fail or heals. */
struct ta_wal_listener {
    void (*notify)(struct ta_wal_listener *self);
};

/* A segment and the newest time stamp in it; INT64_MIN when it has no sample. */
struct ta_wal_segment {
    uint64_t number;
    int64_t newest_s;
};

struct ta_wal_conf {
    struct ta_vfs *vfs;
    const char *dir; /* exists; borrowed for the log's life, as are vfs, clock and report */
    struct ta_alloc *alloc;
    struct ta_clock *clock;
    struct ta_log *report;            /* for the few lines an operator must see; may be NULL */
    struct ta_wal_listener *listener; /* may be NULL */
    enum ta_durability durability;
    int64_t sync_interval_ms; /* with INTERVAL; 0: 1,000 */
    size_t buffer_bytes;      /* of each of the two buffers; 0: 4 MiB; never less */
    uint64_t segment_bytes;   /* a segment that reached this is followed by a new one; 0: 256 MiB */
    int64_t retry_ms;         /* between attempts while failing; 0: 1,000 */
    uint64_t next_segment, next_sequence; /* greater than any that recovery found; 0: first */
    uint64_t seed;                        /* random: salts of the segments */
    /* Segments of earlier lives that are still there, ascending (copied). */
    const struct ta_wal_segment *old_segments;
    size_t n_old_segments;
};

struct ta_wal;

/* Creates the first segment (durable before this returns) and starts the thread. */
int ta_wal_open(struct ta_wal **out, const struct ta_wal_conf *conf, struct ta_err *err);

/* Writes and syncs what is buffered, stops the thread, closes the segment. The files stay. < 0: something
 * could not be made durable. Frees w in any case; NULL is fine. */
int ta_wal_close(struct ta_wal *w, struct ta_err *err);

/* What a batch of samples of one host belongs to. */
struct ta_wal_host {
    uint64_t host_id;
    uint32_t shape_id;
    struct ta_str cluster, host;
    /* Names of column `column` of that shape (for columns the segment has not named yet). Called with the
     * log's lock held: no locks, no waiting. The slices must live until the call on the log ends. */
    void (*column)(void *self, uint32_t column, struct ta_str *metric, struct ta_str *type,
                   struct ta_str *stype);
    void *self;
    uint32_t n_columns; /* of the shape now: those not yet named in the segment are */
};

/* Samples of one host, in the sender's order. Borrowed for the call. */
struct ta_wal_batch {
    const struct ta_wal_host *host;
    const uint32_t *columns; /* each < host->n_columns */
    const int64_t *ts_s;
    const double *values;
    size_t n; /* 0 .. TA_LOG_ITEM_SAMPLES_MAX */
};

struct ta_wal_room {
    size_t bytes; /* private */
};

/* Two steps, so that a sample is stored between them and neither visible unlogged nor logged unstored.
 * Sets room aside for the whole batch, names included. TA_EAGAIN: no room; TA_EIO: failing; TA_ENOMEM: in
 * each case nothing is set aside. Does not block on the disk. */
int ta_wal_reserve(struct ta_wal *w, const struct ta_wal_batch *batch, struct ta_wal_room *out,
                   struct ta_err *err);

/* Adds what the store accepted, a part of the batch (n may be 0), and gives the room back. Returns the
 * ticket to wait for; 0 for an empty batch. TA_WAL_LOST, a ticket that is always FAILED, when the log lost
 * its memory in between. */
#define TA_WAL_LOST UINT64_MAX
uint64_t ta_wal_commit(struct ta_wal *w, const struct ta_wal_batch *accepted,
                       const struct ta_wal_room *room);

/* After TA_EAGAIN: waits until the buffer has been taken to the disk and half of it is free again. TA_EIO:
 * the log is failing; TA_EAGAIN: `timeout_ms` has passed. */
int ta_wal_wait_room(struct ta_wal *w, int64_t timeout_ms);

enum ta_ticket { TA_TICKET_PENDING, TA_TICKET_DURABLE, TA_TICKET_FAILED };

/* How it stands with a ticket (with TA_DURABILITY_INTERVAL: DURABLE at once while the log works). FAILED: its
 * sync failed after the ticket was given; the samples may become durable later all the same, so the
 * sender is told to repeat. */
enum ta_ticket ta_wal_ticket(struct ta_wal *w, uint64_t ticket);

/* Blocks until the ticket is settled or the time has passed. For callers without an event loop. */
enum ta_ticket ta_wal_wait(struct ta_wal *w, uint64_t ticket, int64_t timeout_ms);

/* Begins a new segment. All samples added before the call are in segments below *out_segment. Waits for the
 * log's thread; TA_EIO while failing. One caller at a time. */
int ta_wal_cut(struct ta_wal *w, uint64_t *out_segment, struct ta_err *err);

/* Deletes all segments of the directory below `segment`, those of earlier lives included, and syncs the
 * directory. One that recovery found damaged is set aside instead (data_dir.h). A file that cannot be
 * deleted is an error and stays for the next time. */
int ta_wal_drop(struct ta_wal *w, uint64_t segment, struct ta_err *err);

/* How new a segment of an earlier life is, once that is known; until then it counts as newer than all. */
void ta_wal_set_newest(struct ta_wal *w, uint64_t number, int64_t newest_s);

/* The first segment that must stay when snapshots cover every sample before `boundary_s`: all older ones
 * hold nothing newer (to be given to ta_wal_drop). `reach_s`: how far a sample's slot may lie before its
 * time stamp. */
uint64_t ta_wal_first_needed(struct ta_wal *w, int64_t boundary_s, int64_t reach_s);

struct ta_wal_counts {
    uint64_t samples, records, bytes; /* since the start */
    uint64_t syncs, sync_ns_total, sync_ns_max;
    uint64_t sync_ns_bucket[16]; /* bucket i counts syncs below 2^i * 64 us; the last one all */
    uint64_t segments, segment_bytes; /* on disk now, earlier lives' not counted */
    uint64_t failures;                /* times the log began to fail */
    uint64_t buffered;                /* bytes in memory now */
    bool is_failing;
    char trouble[160]; /* last failure in words, "" when none */
};
void ta_wal_counts(struct ta_wal *w, struct ta_wal_counts *out);

/* "<dir>/<16 hex digits>.log" into out (at least strlen(dir) + 22 bytes). */
void ta_wal_segment_path(char *out, size_t room, const char *dir, uint64_t number);
/* The number in such a file name, or TA_EFORMAT for any other name. */
int ta_wal_segment_number(const char *name, uint64_t *out);

#endif
