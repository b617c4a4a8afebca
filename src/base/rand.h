/* rand.h - repeatable random numbers from a seed (splitmix64; Steele, Lea, Flood 2014).
 *
 * For tests, loads, jitter and table seeds; never for tokens or keys.
 */
#ifndef TARN_BASE_RAND_H
#define TARN_BASE_RAND_H

#include <stdint.h>

struct ta_rand {
    uint64_t state; /* any seed, 0 included */
};

static inline uint64_t ta_rand_u64(struct ta_rand *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n - 1, n > 0. The bias is below n / 2^64. */
static inline uint64_t ta_rand_below(struct ta_rand *r, uint64_t n)
{
    return (uint64_t)((unsigned __int128)ta_rand_u64(r) * n >> 64);
}

/* [0, 1) in steps of 2^-53 */
static inline double ta_rand_f64(struct ta_rand *r)
{
    return (double)(ta_rand_u64(r) >> 11) * 0x1p-53;
}

#endif
