#include "rest/hash_set.h"

#include "base/err.h"
#include "base/hash.h"

enum { CAP_FIRST = 64 };

void ta_hash_set_init(struct ta_hash_set *s, uint64_t seed, struct ta_alloc *alloc)
{
    *s = (struct ta_hash_set){.alloc = alloc, .seed = seed};
}

void ta_hash_set_done(struct ta_hash_set *s)
{
    if (s->slot)
        ta_release(s->alloc, s->slot, s->cap * sizeof(*s->slot));
    *s = (struct ta_hash_set){0};
}

static uint64_t hash_of(const struct ta_hash_set *s, struct ta_str name)
{
    uint64_t h = ta_hash_seeded(name.at, name.len, s->seed);

    return h ? h : 1; /* 0 marks an empty slot */
}

/* The slot of h, or the empty one where it would stand. */
static uint64_t *find(uint64_t *slot, size_t cap, uint64_t h)
{
    size_t i = (size_t)h & (cap - 1);

    while (slot[i] && slot[i] != h)
        i = (i + 1) & (cap - 1);
    return &slot[i];
}

static int grow(struct ta_hash_set *s)
{
    size_t cap = s->cap ? s->cap * 2 : CAP_FIRST;
    uint64_t *slot = ta_alloc_zero(s->alloc, cap, sizeof(*slot));

    if (!slot)
        return TA_ENOMEM;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i])
            *find(slot, cap, s->slot[i]) = s->slot[i];
    if (s->slot)
        ta_release(s->alloc, s->slot, s->cap * sizeof(*slot));
    s->slot = slot;
    s->cap = cap;
    return TA_OK;
}

int ta_hash_set_add(struct ta_hash_set *s, struct ta_str name)
{
    uint64_t h = hash_of(s, name);

    if (s->cap && *find(s->slot, s->cap, h) == h)
        return 0;
    if ((s->n + 1) * 3 > s->cap * 2 && grow(s) < 0)
        return TA_ENOMEM;
    *find(s->slot, s->cap, h) = h;
    s->n++;
    return 1;
}

bool ta_hash_set_has(const struct ta_hash_set *s, struct ta_str name)
{
    uint64_t h = hash_of(s, name);

    return s->cap && *find(s->slot, s->cap, h) == h;
}
