/* value_avx2.h - the quick number of value.h for x86-64 processors with AVX2 and BMI.
 *
 * The digits are found by one comparison of 32 bytes and read together, aligned to their end and with the
 * point taken out; nothing branches on how many there are, which differs from value to value.
 */
#ifndef TARN_LINE_VALUE_AVX2_H
#define TARN_LINE_VALUE_AVX2_H

#include "base/bytes.h"
#include "base/number_scale.h"
#include "line/value.h"

#ifdef __x86_64__

#include <immintrin.h>

#define TA_AVX2 __attribute__((target("avx2,bmi,bmi2")))

/* May TA_AVX2 be called here? */
static inline bool ta_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

/* So many bytes must be readable in front of the number. */
enum { TA_LINE_AVX2_BEFORE = 32 };

/* The number of the n (1..19) digits in front of `end`, n_frac of them behind a point. Reads 33 bytes in front
 * of `end`. */
TA_AVX2 static inline uint64_t ta_line_digits_avx2(const char *end, unsigned n, unsigned n_frac,
                                                   bool has_point)
{
    static const unsigned char last[32 + 20] = {
        [32 ... 51] = 255}; /* from [k] on: 32 bytes of which the last k are set */
    __m256i right = _mm256_loadu_si256((const __m256i *)(const void *)(end - 32));
    __m256i left = _mm256_loadu_si256((const __m256i *)(const void *)(end - 32 - has_point));
    __m256i is_frac = _mm256_loadu_si256((const __m256i *)(const void *)(last + n_frac));
    __m256i is_digit = _mm256_loadu_si256((const __m256i *)(const void *)(last + n));
    __m256i v = _mm256_sub_epi8(_mm256_blendv_epi8(left, right, is_frac), _mm256_set1_epi8('0'));

    /* Pairs of digits, pairs of those, and again: two numbers of eight digits in each half. */
    v = _mm256_maddubs_epi16(_mm256_and_si256(v, is_digit), _mm256_set1_epi16(10 | 1 << 8));
    v = _mm256_madd_epi16(v, _mm256_set1_epi32(100 | 1 << 16));
    v = _mm256_madd_epi16(_mm256_packus_epi32(v, v), _mm256_set1_epi32(10000 | 1 << 16));
    uint64_t high = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(v));
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(v, 1));
    return ((high >> 32) * 100000000 + (low & UINT32_MAX)) * 100000000 + (low >> 32);
}

/* The exponent at the end of a number, e(+|-)dd; false: there is none. No byte of a number stands in front of
 * it, so that a short one has none. */
static inline bool ta_line_exponent(const char *end, int *out)
{
    unsigned tens = (unsigned)(end[-2] - '0'), ones = (unsigned)(end[-1] - '0');

    if (end[-4] != 'e' || (end[-3] != '+' && end[-3] != '-') || tens > 9 || ones > 9)
        return false;
    int e = (int)(tens * 10 + ones);
    *out = end[-3] == '-' ? -e : e;
    return true;
}

/* The first space or LF at p or behind it; NULL: not within 32 bytes, which must be readable. */
TA_AVX2 static inline const char *ta_line_end_avx2(const char *p)
{
    __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i is_end = _mm256_or_si256(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(' ')),
                                     _mm256_cmpeq_epi8(text, _mm256_set1_epi8('\n')));
    uint32_t ends = (uint32_t)_mm256_movemask_epi8(is_end);

    return ends ? p + _tzcnt_u32(ends) : NULL;
}

/* The number that ends at `end`, at most 32 bytes: [-]digits[.digits][e(+|-)dd] of at most 19 digits. False:
 * something else, *out has no meaning. TA_LINE_AVX2_BEFORE bytes in front of p, where no number ends, and 33
 * from it on are readable. */
TA_AVX2 static inline bool ta_line_number_avx2(const char *p, const char *end, double *out)
{
    uint64_t negative = *p == '-';
    const char *start = p + negative;
    unsigned length = (unsigned)(end - start);
    __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)start);
    __m256i digit = _mm256_sub_epi8(text, _mm256_set1_epi8('0'));
    __m256i is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit);
    __m256i is_point = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('.'));
    uint32_t no_digit = ~(uint32_t)_mm256_movemask_epi8(is_digit);
    uint32_t no_point = ~(uint32_t)_mm256_movemask_epi8(is_point);
    uint32_t others = _bzhi_u32(no_digit, length);
    int e = 0;

    if (others & ((others - 1) | no_point)) { /* more than a point */
        if (!ta_line_exponent(end, &e))
            return false;
        length -= 4;
        others = _bzhi_u32(no_digit, length);
        if (others & ((others - 1) | no_point))
            return false;
    }
    bool has_point = others != 0;
    unsigned n = length - has_point;
    unsigned n_frac = has_point ? length - 1 - (unsigned)_tzcnt_u32(others) : 0;
    e -= (int)n_frac;
    if (n - 1 >= 19 || (unsigned)(e + TA_SCALE_MAX) > 2 * TA_SCALE_MAX)
        return false;
    uint64_t m = ta_line_digits_avx2(start + length, n, n_frac, has_point);
    uint64_t bits = m ? ta_scale_bits(m, e) : 0;
    ta_put_u64(out, bits | negative << 63);
    return true;
}

#endif
#endif
