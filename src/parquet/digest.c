#define XXH_STATIC_LINKING_ONLY /* for the size of XXH64_state_t */

#include "parquet/digest.h"

#include <assert.h>
#include <xxhash.h>

static_assert(sizeof(XXH64_state_t) <= sizeof(((struct ta_pq_digest *)0)->state),
              "the opaque state holds an XXH64 state");

static XXH64_state_t *state_of(struct ta_pq_digest *d)
{
    return (XXH64_state_t *)(void *)d->state;
}

void ta_pq_digest_init(struct ta_pq_digest *d, bool by_runs)
{
    *d = (struct ta_pq_digest){.by_runs = by_runs};
    XXH64_reset(state_of(d), 0);
}

static void add_run(struct ta_pq_digest *d, uint64_t hash, uint64_t n)
{
    if (d->has_run && d->run_hash == hash) {
        d->run_count += n;
        return;
    }
    if (d->has_run) {
        const uint64_t pair[2] = {d->run_hash, d->run_count};
        XXH64_update(state_of(d), pair, sizeof(pair));
    }
    d->has_run = true;
    d->run_hash = hash;
    d->run_count = n;
}

void ta_pq_digest_values(struct ta_pq_digest *d, const void *values, size_t n, size_t width)
{
    if (!d->by_runs) {
        XXH64_update(state_of(d), values, n * width);
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_run(d, XXH3_64bits((const char *)values + i * width, width), 1);
}

void ta_pq_digest_run(struct ta_pq_digest *d, struct ta_str value, uint64_t n)
{
    if (n == 0)
        return;
    if (d->by_runs) {
        add_run(d, XXH3_64bits(value.at, value.len), n);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        XXH64_update(state_of(d), value.at, value.len);
}

void ta_pq_digest_hashed(struct ta_pq_digest *d, uint64_t hash)
{
    assert(d->by_runs);
    add_run(d, hash, 1);
}

void ta_pq_digest_nulls(struct ta_pq_digest *d, uint64_t n)
{
    d->nulls += n;
    if (n && d->by_runs)
        add_run(d, UINT64_C(0x6e756c6c6e756c6c), n);
}

uint64_t ta_pq_digest_end(struct ta_pq_digest *d)
{
    const uint64_t tail[3] = {d->nulls, d->run_hash, d->run_count};

    XXH64_update(state_of(d), tail, sizeof(tail));
    return XXH64_digest(state_of(d));
}
