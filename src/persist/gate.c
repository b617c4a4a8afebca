#include "persist/gate.h"

#include "base/str.h"

#include <sched.h>

static int reserve(struct ta_journal *self, const struct ta_journal_batch *batch,
                   uint64_t *out_room, struct ta_err *err)
{
    struct ta_gate *g = TA_CONTAINER(self, struct ta_gate, journal);

    /* Counted before the look at the flag: so shut either sees the count, or the flag is seen here. */
    atomic_fetch_add(&g->under_way, 1);
    int r = atomic_load(&g->is_shut) ? ta_fail(err, TA_EAGAIN, "the log is shut for a moment")
                                     : g->inner->reserve(g->inner, batch, out_room, err);
    if (r < 0)
        atomic_fetch_sub(&g->under_way, 1);
    return r;
}

static uint64_t commit(struct ta_journal *self, const struct ta_journal_batch *accepted,
                       uint64_t room)
{
    struct ta_gate *g = TA_CONTAINER(self, struct ta_gate, journal);
    uint64_t ticket = g->inner->commit(g->inner, accepted, room);

    atomic_fetch_sub(&g->under_way, 1);
    return ticket;
}

void ta_gate_init(struct ta_gate *g, struct ta_journal *inner)
{
    *g = (struct ta_gate){.journal = {reserve, commit}, .inner = inner};
}

void ta_gate_shut(struct ta_gate *g)
{
    atomic_store(&g->is_shut, true);
    /* A batch takes microseconds between its steps and never waits there. */
    while (atomic_load(&g->under_way) > 0)
        sched_yield();
}

void ta_gate_open(struct ta_gate *g)
{
    atomic_store(&g->is_shut, false);
}
