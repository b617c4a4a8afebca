/* number_scale.h - the last step of reading a number, for loops that can not afford a call.
 *
 * The method of Eisel and Lemire (D. Lemire, "Number Parsing at a Gigabyte per Second", 2021): the
 * product of the normalized significand with 128 bits of 5^e. For |e| <= TA_SCALE_MAX it always
 * decides, ties included, so there is no way back to long arithmetic.
 */
#ifndef TARN_BASE_NUMBER_SCALE_H
#define TARN_BASE_NUMBER_SCALE_H

#include <stdbool.h>
#include <stdint.h>

enum { TA_SCALE_MAX = 27 };

/* 5^e at [e + TA_SCALE_MAX], high word first, with its top bit at bit 127: exact for e >= 0, the
 * reciprocal rounded up for e < 0. */
extern const uint64_t ta_scale_power5[2 * TA_SCALE_MAX + 1][2];

/* The bits of the binary64 nearest to m * 10^e, ties to even; m > 0, |e| <= TA_SCALE_MAX. No branch
 * that depends on how many digits m has. */
static inline uint64_t ta_scale_bits(uint64_t m, int e)
{
    const uint64_t *power = ta_scale_power5[e + TA_SCALE_MAX];
    unsigned lead = (unsigned)__builtin_clzll(m);
    unsigned __int128 product = (unsigned __int128)(m << lead) * power[0];

    /* 55 bits are used; only when all those below are ones can the second word carry into them. */
    if ((~(uint64_t)(product >> 64) & 0x1ff) == 0)
        product += (unsigned __int128)(m << lead) * power[1] >> 64;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    unsigned top = (unsigned)(high >> 63), drop = top + 9;
    uint64_t mantissa = high >> drop; /* 53 bits and one to round by */
    /* floor(e * log2(10)) by a fixed-point log2(5). */
    uint64_t exponent = (uint64_t)((217706 * e >> 16) + 63 + (int)top - (int)lead + 1023);

    /* Exactly half way is possible only while 5^|e| is small. */
    bool is_tie =
        (low <= 1) & (e >= -4) & (e <= 23) & ((mantissa & 3) == 1) & (mantissa << drop == high);
    mantissa -= is_tie;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    exponent += mantissa >> 53; /* rounded up to a power of two, whose other bits are 0 */
    return (mantissa & ((UINT64_C(1) << 52) - 1)) | exponent << 52;
}

#endif
