/* store.h - the metric store: all samples of all hosts in memory, compressed, counted, capped.
 *
 * Four headers: this one (life, memory, retention, counters), write.h (samples in), read.h (windows and
 * statistics out, health, debug text), walk.h (hosts, levels and buffers one by one; restoring).
 *
 * Model (spec: metric-store 2-5). cluster / host / type+id / subtype+id. A series is a (host, column);
 * a column is (metric, type element, subtype element) and belongs to a *shape* that hosts of one cluster
 * share, so that a series costs 16 bytes and no object. The samples of a series are a chain of *buffers*
 * of up to 512 slots; slot k of a buffer covers [start + k*freq, start + (k+1)*freq), start = first
 * sample - freq/2. All columns of a host whose buffers have the same (start, freq, capacity) share one
 * *group*: rows of the newest slots as plain doubles, tick by tick, older slots as compressed runs
 * (run.h). Per column everything is as if it had a buffer of its own, as the reference's answers demand.
 *
 * Where tarn differs from the reference on purpose: a late sample goes to the buffer that covers it, or
 * opens one (weakness 4); children that do not line up are aligned by time instead of failing
 * (weakness 1); nothing is created by reading or freeing and nothing stays empty (13, 14); the order
 * of everything listed is bytewise; a restored array longer than 512 slots becomes several buffers.
 *
 * Why segments are per host and group, not per shard: hosts with running jobs are protected from
 * retention one by one, and must not pin the memory of their neighbours.
 *
 * Threads. Hosts are spread over shards by a keyed hash; a shard is one reader-writer lock. Every function
 * may be called from any thread unless it says otherwise. Lock order: one shard at a time, nothing under
 * it; no lock is held across a callback (there are none) or between two calls, except by ta_writer from
 * begin to end. Long work runs in slices with the lock dropped in between.
 *
 * Time is a parameter everywhere: `now_s` is Unix seconds.
 *
 * Memory. Everything that stays is taken from one budget (ta_store_bytes) and counted as taken, the C
 * library's headers included. At the cap the buffers whose newest sample is oldest go first, among equals those
 * of a single slot, so that a flood of new series does not push out who sends regularly; those of protected
 * hosts last; only when nothing is left to
 * free is TA_ENOMEM the answer. Rows and short segments are taken under the shard's lock, one to a few
 * microseconds each: a pool filled beforehand would hold as much again for every shard. What is large
 * (merging, restoring) is made before the lock and swapped in.
 */
#ifndef TARN_STORE_STORE_H
#define TARN_STORE_STORE_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"
#include "store/metric.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TA_NAME_MAX = 255, /* bytes of a cluster, host, type or subtype element */
    TA_STORE_SHARDS_MAX = 256,
    TA_BUFFER_SLOTS = 512, /* as the reference's buffers: numbers in free and debug correspond */
    TA_HOST_COLUMNS_MAX = 65536 /* columns of one host; a hostile sender ends here with TA_ERANGE */
};

struct ta_store;

struct ta_store_conf {
    struct ta_alloc *alloc;     /* borrowed for the store's life */
    struct ta_metrics *metrics; /* the store takes a reference of its own */
    size_t cap_bytes;           /* memory-cap; 0 = unlimited */
    int64_t retention_s;        /* how far back a sample may open a buffer; 0 = no bound */
    uint32_t n_shards;          /* 1 .. TA_STORE_SHARDS_MAX; 0 = 16 */
    uint64_t hash_seed; /* random in production, so that names cannot be chosen to collide */
};

int ta_store_new(struct ta_store **out, const struct ta_store_conf *conf, struct ta_err *err);
/* No other thread may be inside. NULL is fine. */
void ta_store_free(struct ta_store *s);

/* The table in force, referenced for the caller (unref it). */
struct ta_metrics *ta_store_metrics(struct ta_store *s);
/* Swaps the table for one built with the present one as `base` (else TA_EINVAL). Takes its own
 * reference. */
int ta_store_set_metrics(struct ta_store *s, struct ta_metrics *t, struct ta_err *err);

/* A change of the configuration while running. */
void ta_store_set_cap(struct ta_store *s, size_t cap_bytes);
void ta_store_set_retention(struct ta_store *s, int64_t retention_s);

/* ---- retention and freeing ---------------------------------------------------------------- */

/* Drops, per series and from its oldest buffer on, every buffer whose end is < t (metric-store 8.1), in
 * the subtree that `path` names: {}, {cluster}, {cluster, host}, {cluster, host, type element} or with
 * the subtype element. Unknown paths (and longer ones) free nothing. Returns the number of buffers.
 * Cost: one visit of every group in the subtree; a bounded number of hosts per lock hold. */
uint64_t ta_store_free_before(struct ta_store *s, const struct ta_str *path, size_t n_path,
                              int64_t t);

struct ta_node {
    struct ta_str cluster, host;
};

/* One run of retention: remembers `used[0..n)` (any order; nodes with running jobs) as the protected
 * hosts in place of those of the last run, then frees before t on all other hosts. Copies what it needs.
 * Returns the number of buffers freed, or TA_ENOMEM (then nothing was changed). */
int64_t ta_store_retain(struct ta_store *s, int64_t t, const struct ta_node *used, size_t n,
                        struct ta_err *err);

/* Frees oldest buffers first, protected hosts last, until the store holds at most `bytes` or nothing.
 * Returns the number of buffers freed. Writers call it by themselves at the cap. */
uint64_t ta_store_shrink(struct ta_store *s, size_t bytes);

/* Drops the oldest buffer of every series, also the one being written. Returns their number. */
uint64_t ta_store_force_free(struct ta_store *s);

/* A slice of the keeper's work: compresses what is due (merging short runs, folding late samples,
 * sealing rows of series that went quiet since `idle_s`), moves hosts off outgrown shapes. At most about
 * `budget_us` of CPU time; no lock is held for the long parts. Returns 1 when there is more to do, 0
 * when all is done. One thread at a time. */
int ta_store_keep(struct ta_store *s, int64_t now_s, int64_t idle_s, uint32_t budget_us);

/* ---- what it holds ------------------------------------------------------------------------ */

struct ta_store_counts {
    uint64_t hosts, series, buffers, groups, shapes; /* now */
    uint64_t
        slots; /* of all buffers, now: a little more than their lengths, each counted as long as the
                     * longest of its group */
    uint64_t stored;              /* samples accepted since the start, restored ones not counted */
    uint64_t stored_late;         /* of those: older than the newest buffer of their series */
    uint64_t restored;            /* samples restored */
    uint64_t refused_old;         /* older than every buffer and than the retention */
    uint64_t refused_memory;      /* at the cap with nothing left to free */
    uint64_t refused_columns;     /* beyond TA_HOST_COLUMNS_MAX */
    uint64_t freed_buffers;       /* by retention and requests */
    uint64_t freed_early_buffers; /* to stay below the cap */
    uint64_t merged_runs;         /* runs of 512 slots made of short ones */
    uint64_t bytes, bytes_peak, bytes_cap; /* cap 0 = none */
    uint64_t bytes_open, bytes_sealed;     /* rows of doubles; compressed runs */
};

/* Sums over the shards, each at its own moment. Visits every host: milliseconds at 10,000 hosts. */
void ta_store_counts(struct ta_store *s, struct ta_store_counts *out);

/* The same for who asks often: cost of the shards, not of the hosts. In a store of more than 500 hosts buffers,
 * groups, slots, bytes_open and bytes_sealed are those of the last ta_store_counts(), by whomever. */
void ta_store_counts_quick(struct ta_store *s, struct ta_store_counts *out);

/* Bytes in use now; one load. */
size_t ta_store_bytes(const struct ta_store *s);

#endif
