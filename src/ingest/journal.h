/* journal.h - what a log must offer so that ingest can promise that a sample survives.
 *
 * Order within one batch (samples of one host and one time stamp), all under the lock of the host's
 * shard (store/write.h): first the journal takes the batch, then the store. So whatever is visible is in the
 * journal's memory, and what the journal refuses is not visible. A sample that the store then refuses (too
 * old) stands in the journal for nothing: replay refuses it again.
 *
 * The sender is answered when ticket() says DURABLE for the newest ticket of its request.
 */
#ifndef TARN_INGEST_JOURNAL_H
#define TARN_INGEST_JOURNAL_H

#include "store/write.h"

enum { TA_JOURNAL_BATCH_MAX = 4096 };

struct ta_journal_batch {
    const struct ta_writer *writer; /* begun; says host id, shape id, columns and their names */
    struct ta_str cluster, host;
    int64_t ts_s;
    const uint32_t *columns; /* each < writer->n_columns */
    const double *values;
    size_t n; /* 1 .. TA_JOURNAL_BATCH_MAX */
};

enum ta_journal_state { TA_JOURNAL_PENDING, TA_JOURNAL_DURABLE, TA_JOURNAL_FAILED };

struct ta_journal {
    /* Copies the batch into the journal's memory. No I/O, no waiting: a shard is locked. TA_EAGAIN: no room
     * now, let go of the shard, call wait_room and begin the host again; TA_EIO: the disk refuses, the
     * sender is told to come back (503); TA_ENOMEM. On failure nothing was taken. */
    int (*append)(struct ta_journal *self, const struct ta_journal_batch *batch,
                  uint64_t *out_ticket);
    /* Blocks until there is room (0), the journal fails (TA_EIO) or the time has passed (TA_EAGAIN). No lock
     * may be held. */
    int (*wait_room)(struct ta_journal *self, int64_t timeout_ms);
    /* Tickets grow: the newest one speaks for all before it. Any thread. */
    enum ta_journal_state (*state)(struct ta_journal *self, uint64_t ticket);
    /* Blocks until the ticket is settled or the time has passed (then PENDING). */
    enum ta_journal_state (*wait)(struct ta_journal *self, uint64_t ticket, int64_t timeout_ms);
};

#endif
