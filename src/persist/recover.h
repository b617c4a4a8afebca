/* recover.h - at the start: everything durable back into the store.
 *
 *     ta_recover_new     looks at the log's directory; says from where a new log may number
 *     (the log is opened: writes can be taken from here on)
 *     ta_recover_run     hosts in parallel: checkpoint files in order, then the reference's current.wal;
 *                        then our own log, segment by segment
 *     ta_recover_settle  what was written meanwhile is put right
 *     (queries are answered from here on, checkpoints may run)
 *     ta_recover_hand_over   after each good checkpoint, until it says that nothing is left
 *
 * What comes back: from .json and from our log the binary64 that was stored, from .bin and current.wal the
 * nearest binary32. A file is chosen by the range it covers, not by its name (spec: formats, weakness 13);
 * its `start` is the centre of value 0, so nothing moves by half an interval (metric-store, weakness 3).
 *
 * Writes during recovery go to the store and to the new log at once; a restored value may then replace a newer
 * one. That is put right at the end: settle replays the new log, first while writes go on, then once more,
 * for what came during that, with the gate shut (gate.h) for some milliseconds. So the last writer wins in
 * every slot, and the memory needed does not depend on how much was written. Until then queries would
 * see a half-filled store: the caller answers 503 with ta_recover_state.
 *
 * Logs are read whole, whatever the retention: samples that no file has yet must get into one, for the archive, before
 * anything lets go of them.
 *
 * Nothing read stops the start. A damaged file gives what is good in it, a copy is set aside with a note
 * (data_dir.h) and its host is marked as changed, so that the next checkpoint writes a good one in its place; a file
 * that belongs nowhere moves to lost+found. Only memory that is refused and a root that cannot be listed are
 * errors: then nothing on disk has been changed that a second start would miss.
 *
 * Memory: a worker about 3 MiB (one reader and one session of the store), the log's replay the names of one
 * segment.
 */
#ifndef TARN_PERSIST_RECOVER_H
#define TARN_PERSIST_RECOVER_H

#include "base/clock.h"
#include "base/log.h"
#include "persist/data_dir.h"
#include "persist/gate.h"
#include "persist/wal.h"
#include "store/store.h"

enum ta_recover_kind {
    TA_RECOVER_BIN,
    TA_RECOVER_JSON,
    TA_RECOVER_REF_WAL,
    TA_RECOVER_LOG,
    TA_RECOVER_KINDS
};

/* "bin", "json", "wal", "log". Static storage. */
const char *ta_recover_kind_name(enum ta_recover_kind kind);

struct ta_recover_counts {
    uint64_t files;         /* read */
    uint64_t files_old;     /* left alone: their range lies before the retention */
    uint64_t files_damaged; /* of those read */
    uint64_t samples;       /* stored */
    uint64_t skipped;       /* samples of unknown metrics, or nameless */
    uint64_t skipped_memory;
    uint64_t damaged;      /* unreadable places with good things behind them */
    uint64_t torn;         /* unreadable ends, as a crash leaves them */
    uint64_t lost_records; /* log: missing by their sequence numbers */
    uint64_t bytes;        /* of the files read */
};

struct ta_recover_place {
    enum ta_recover_kind kind;
    char file[168]; /* the end of its path */
    uint64_t at, bytes;
    const char *why; /* static */
};

enum { TA_RECOVER_PLACES_MAX = 64 };

struct ta_recover_report {
    struct ta_recover_counts kind[TA_RECOVER_KINDS];
    uint64_t hosts, strays; /* directories visited; files moved to lost+found */
    uint64_t aside;         /* files set aside */
    uint64_t aside_failed;  /* that could not be: they stay where they are */
    int64_t elapsed_ns;
    struct ta_recover_place place[TA_RECOVER_PLACES_MAX]; /* the first ones */
    size_t n_places;                                      /* all of them */
};

enum ta_recover_phase { TA_PHASE_HOSTS, TA_PHASE_LOG, TA_PHASE_SETTLE, TA_PHASE_DONE };

struct ta_recover_state {
    enum ta_recover_phase phase;
    uint64_t hosts, hosts_done;
    uint64_t segments, segments_done;
};

struct ta_recover_conf {
    struct ta_store *store;
    const struct ta_data_dir *dir;
    struct ta_alloc *alloc;
    struct ta_clock *clock;
    int64_t retention_s;   /* files that end before it stay on disk; 0: everything is loaded */
    unsigned n_workers;    /* 0: 1 */
    struct ta_log *report; /* may be NULL */
    /* May be NULL. true: the host keeps its samples beyond the retention, since a job runs there; files of up
     * to 8 retentions back are loaded. Any thread. */
    bool (*is_protected)(void *self, struct ta_str cluster, struct ta_str host);
    void *protector; /* its self */
};

struct ta_recover;

/* Borrows all of *conf until freed. */
int ta_recover_new(struct ta_recover **out, const struct ta_recover_conf *conf, struct ta_err *err);
void ta_recover_free(struct ta_recover *r); /* NULL is fine */

/* Fills in next_segment, next_sequence and the segments that are there (their newest time stamp still
 * unknown: they are kept). The list is borrowed until ta_recover_free. */
void ta_recover_log_begin(const struct ta_recover *r, struct ta_wal_conf *conf);

/* Loads. May take long: call it from a thread of its own. `stop` (may be NULL): end early, TA_ECANCELED. */
int ta_recover_run(struct ta_recover *r, const _Atomic bool *stop, struct ta_err *err);

/* After run; both may be NULL: nothing was written meanwhile. Tells the log how new its old segments are. TA_EIO:
 * the log fails, to be tried again later. Afterwards the state is DONE. */
int ta_recover_settle(struct ta_recover *r, struct ta_wal *wal, struct ta_gate *gate,
                      struct ta_err *err);

/* Any thread, any time. */
void ta_recover_state(const struct ta_recover *r, struct ta_recover_state *out);
/* After run. */
const struct ta_recover_report *ta_recover_report(const struct ta_recover *r);

/* After a checkpoint up to boundary_s that wrote all hosts: takes the reference's logs out of the way whose
 * samples it covers; damaged ones are set aside. Returns 0 = all done, nothing left to hand over; 1 = the
 * boundary was not late enough; < 0 error, to be repeated after the next checkpoint. */
int ta_recover_hand_over(struct ta_recover *r, int64_t boundary_s, struct ta_err *err);

#endif
