/* hash_set.h - a set of names by their 64-bit hashes under a secret seed.
 *
 * Costs 8 bytes a slot, at most two thirds of the slots in use: 8 * 2^ceil(log2(1.5 n)) bytes, and
 * half of that more while it grows. Two names with one hash count as one name: at a million names
 * the odds are 3 in 10^8, so it is for uses where a false "is in" does no harm.
 */
#ifndef TARN_REST_HASH_SET_H
#define TARN_REST_HASH_SET_H

#include "base/alloc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_hash_set {
    struct ta_alloc *alloc;
    uint64_t *slot; /* 0: empty */
    size_t n, cap;  /* cap: a power of two, or 0 */
    uint64_t seed;
};

/* Takes no memory yet. */
void ta_hash_set_init(struct ta_hash_set *s, uint64_t seed, struct ta_alloc *alloc);
void ta_hash_set_done(struct ta_hash_set *s); /* fine on a zeroed struct */

/* 1 = added, 0 = was there, TA_ENOMEM (the set is unchanged). */
int ta_hash_set_add(struct ta_hash_set *s, struct ta_str name);
bool ta_hash_set_has(const struct ta_hash_set *s, struct ta_str name);

#endif
