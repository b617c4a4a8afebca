/* hash.h - XXH3, 64 bits: for tables and for telling files apart, not against an adversary unless
 * the seed is secret. */
#ifndef TARN_BASE_HASH_H
#define TARN_BASE_HASH_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

uint64_t ta_hash(const void *p, size_t n);
/* Tables whose keys come from the network take a seed of the process (see rand.h), so that nobody
 * can prepare keys that collide. */
uint64_t ta_hash_seeded(const void *p, size_t n, uint64_t seed);

static inline uint64_t ta_hash_str(struct ta_str s)
{
    return ta_hash(s.at, s.len);
}

#endif
