/* journal.h - the seam between ingest and the log: where samples go before they count as safe.
 *
 * Order for each batch of one host, all of it under the lock of the host's shard:
 *
 *     reserve   sets room aside for the whole batch, the names of host and columns included;
 *               refused: nothing is applied anywhere
 *     append    to the store; a sample may be refused there (too old, no memory)
 *     commit    encodes the accepted samples into the room; cannot fail
 *
 * So no sample is visible and unlogged, none is logged that the store refused, and an answer is given
 * only when its ticket is durable. Readers see the samples when the shard is unlocked.
 */
#ifndef TARN_INGEST_JOURNAL_H
#define TARN_INGEST_JOURNAL_H

#include "store/write.h"

/* Samples of one host in the sender's order. Borrowed for the call. */
struct ta_journal_batch {
    const struct ta_writer
        *writer; /* begun: host_id, shape_id, n_columns; ta_writer_key names a column */
    struct ta_str cluster, host;
    const uint32_t *columns; /* each < writer->n_columns */
    const int64_t *ts_s;
    const double *values;
    size_t n; /* 1 .. 256; in commit possibly 0 */
};

struct ta_journal {
    /* TA_OK and *out_room, or nothing is set aside: TA_EAGAIN = no room, try again when there is; TA_EIO =
     * the log cannot be written now; TA_ENOMEM. A shard is locked: no I/O, no waiting. */
    int (*reserve)(struct ta_journal *self, const struct ta_journal_batch *batch,
                   uint64_t *out_room, struct ta_err *err);
    /* Follows each successful reserve, with a part of the same batch; n = 0 gives the room back. Returns the
     * ticket that the answer waits for, 0 when n is 0. Tickets grow: the greatest speaks for all. */
    uint64_t (*commit)(struct ta_journal *self, const struct ta_journal_batch *accepted,
                       uint64_t room);
};

#endif
