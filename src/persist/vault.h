/* vault.h - log, recovery and checkpoints of one data directory, in the one order that loses nothing.
 *
 *     ta_vault_open        locks the directory, opens the log: writes are safe from here on
 *     ta_vault_load        everything back into the store (recover.h); until it returns, no queries
 *     ta_vault_checkpoint  now and then: samples into checkpoint files, covered log segments away
 *     ta_vault_close       with a last checkpoint of everything
 *
 * A checkpoint begins with a cut of the log. Only segments before the cut whose newest time stamp lies
 * before the boundary are deleted, and only when every host was written: so a sample is in the log until
 * a file has it, whatever fails in between and however late it came.
 */
#ifndef TARN_PERSIST_VAULT_H
#define TARN_PERSIST_VAULT_H

#include "persist/checkpoint.h"
#include "persist/recover.h"
#include "persist/wal_journal.h"

struct ta_vault_conf {
    struct ta_store *store;
    struct ta_vfs *vfs;
    const char *root; /* made when missing */
    struct ta_alloc *alloc;
    struct ta_clock *clock;
    struct ta_log *report;            /* may be NULL */
    struct ta_wal_listener *listener; /* may be NULL */
    enum ta_durability durability;
    int64_t sync_interval_ms;
    int64_t retention_s;
    bool (*is_protected)(void *self, struct ta_str cluster, struct ta_str host); /* recover.h */
    void *protector;
    enum ta_tree_format format;
    unsigned n_workers;     /* for loading and writing; 0: 1 */
    uint64_t seed;          /* random */
    size_t buffer_bytes;    /* of the log; 0: its default */
    uint64_t segment_bytes; /* the same */
    int64_t retry_ms;       /* the same */
};

struct ta_vault {
    struct ta_vault_conf conf;
    struct ta_data_dir dir;
    struct ta_recover *recover; /* state and report of the loading */
    struct ta_wal *wal;
    struct ta_wal_journal journal;
    struct ta_gate gate; /* hand &d->gate.journal to ingest */
};

/* Borrows all of *conf until the close. TA_ESTATE: another server has the directory. */
int ta_vault_open(struct ta_vault *d, const struct ta_vault_conf *conf, struct ta_err *err);

/* Once. `stop` may be NULL. TA_EIO: all is loaded, but the log fails; call again until it heals. */
int ta_vault_load(struct ta_vault *d, const _Atomic bool *stop, struct ta_err *err);

/* How far the loading is; DONE once queries may be answered. Any thread. */
void ta_vault_state(const struct ta_vault *d, struct ta_recover_state *out);

/* Writes what lies before boundary_s (TA_CHECKPOINT_ALL: everything) with n_workers threads (0: as many as load) and
 * lets go of the log that it covers. After load; one call at a time. Failed: nothing was let go of, the next one
 * covers the same. */
int ta_vault_checkpoint(struct ta_vault *d, int64_t boundary_s, unsigned n_workers,
                        const _Atomic bool *stop, struct ta_checkpoint_counts *counts,
                        struct ta_err *err);

/* No writer may be inside any more. Does not write a checkpoint by itself. < 0: the newest samples could not be
 * made durable. Everything is freed in any case; fine on a zeroed struct. */
int ta_vault_close(struct ta_vault *d, struct ta_err *err);

#endif
