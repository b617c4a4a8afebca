/* gate.h - a journal in front of a journal that can be shut for a moment.
 *
 * While it is shut a reservation gets TA_EAGAIN, as if the log were full: senders wait and repeat, nothing
 * is refused for good. Shutting waits for the batches that are between their two steps.
 */
#ifndef TARN_PERSIST_GATE_H
#define TARN_PERSIST_GATE_H

#include "ingest/journal.h"

#include <stdatomic.h>
#include <stdbool.h>

struct ta_gate {
    struct ta_journal journal; /* hand &g.journal to ingest */
    struct ta_journal *inner;
    _Atomic bool is_shut;
    _Atomic uint64_t under_way; /* reserved, not yet committed */
};

/* Open. Borrows inner. Nothing to free. */
void ta_gate_init(struct ta_gate *g, struct ta_journal *inner);

/* Shuts, and returns when no batch is under way. One caller at a time. */
void ta_gate_shut(struct ta_gate *g);
/* Whoever waits for room must be woken by the caller. */
void ta_gate_open(struct ta_gate *g);

#endif
