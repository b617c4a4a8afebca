/* topology.c - see topology.h. */
#include "query/topology.h"

enum { WORD = 64, WORDS = (UINT16_MAX + 1) / WORD };

/* The set of the given threads: 8 KiB, so that each thread is looked at once. */
struct thread_set {
    uint64_t bits[WORDS];
};

static void set_fill(struct thread_set *s, const struct ta_int_list *threads)
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < threads->n; i++)
        s->bits[threads->at[i] / WORD] |= UINT64_C(1) << threads->at[i] % WORD;
}

static bool set_meets(const struct thread_set *s, const struct ta_int_list *threads)
{
    for (size_t i = 0; i < threads->n; i++)
        if (s->bits[threads->at[i] / WORD] >> threads->at[i] % WORD & 1)
            return true;
    return false;
}

int ta_topology_groups_of(const struct ta_groups *groups, const struct ta_int_list *threads,
                          struct ta_arena *arena, struct ta_int_list *out)
{
    uint16_t *ids = ta_arena_get(arena, groups->n * sizeof(*ids));
    struct thread_set set;
    size_t n = 0;

    if (!ids)
        return TA_ENOMEM;
    set_fill(&set, threads);
    for (size_t i = 0; i < groups->n && i <= UINT16_MAX; i++)
        if (set_meets(&set, &groups->at[i]))
            ids[n++] = (uint16_t)i;
    *out = (struct ta_int_list){ids, n, true};
    return TA_OK;
}
