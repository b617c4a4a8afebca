/* codec_avx2.c - the kernels for x86-64 processors with AVX2, chosen at run time.
 *
 * Where it says nothing else, these are the shared loops compiled for wider registers. Unpacking takes eight values at
 * a time, which begin on a byte whatever the width: each pair of them lies in 16 bytes, one shuffle brings
 * every value into its own 64-bit lane, one shift and one mask finish it.
 */
#include "store/codec_kernels.h"

#include "base/bytes.h"

#include <stddef.h>

#ifdef __x86_64__

#define TARGET __attribute__((target("avx2")))
#define LANES  4
#include <immintrin.h>

#define LESSER(a, b)  _mm256_min_pd(a, b)
#define GREATER(a, b) _mm256_max_pd(a, b)
#define ANY_BIT(x)    (!_mm256_testz_si256((__m256i)(x), (__m256i)(x)))
#define ANY_SIGN(x)   (_mm256_movemask_pd((__m256d)(x)) != 0)
#include "store/codec_loops.h"

enum { GROUP = 8, PAIRS = GROUP / 2 };

/* Where the pairs of a group begin, and how their values are brought into lanes. */
struct unpack_plan {
    size_t byte[PAIRS];
    __m256i shuffle[PAIRS / 2];
    __m256i shift[PAIRS / 2];
};

/* Every value a lane: bits before it in its group, for values [4 * half, 4 * half + 4). */
static inline TARGET __m256i bits_before(unsigned width, size_t half)
{
    const __m256i i = half ? _mm256_setr_epi64x(4, 5, 6, 7) : _mm256_setr_epi64x(0, 1, 2, 3);

    return _mm256_mul_epu32(i, _mm256_set1_epi64x(width));
}

/* Without a loop over bytes: for a run of 32 values it cost as much as they did. */
static inline TARGET void plan_unpack(unsigned width, struct unpack_plan *plan)
{
    const __m256i first_byte = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8, 0,
                                                0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8);
    const __m256i ascending = _mm256_set1_epi64x(0x0706050403020100);

    for (unsigned i = 0; i < PAIRS; i++)
        plan->byte[i] = 2 * i * width / 8;
    for (size_t half = 0; half < PAIRS / 2; half++) {
        const __m256i bits = bits_before(width, half), byte = _mm256_srli_epi64(bits, 3);
        const __m256i of_pair = _mm256_shuffle_epi32(byte, 0x44);
        const __m256i at = _mm256_sub_epi64(byte, of_pair);

        plan->shuffle[half] = _mm256_add_epi8(_mm256_shuffle_epi8(at, first_byte), ascending);
        plan->shift[half] = _mm256_and_si256(bits, _mm256_set1_epi64x(7));
    }
}

static TARGET void avx2_unpack(const unsigned char *in, unsigned width, unsigned n, uint64_t *out)
{
    const __m256i mask = _mm256_set1_epi64x((long long)((1ULL << width) - 1));
    const unsigned whole = n / GROUP * GROUP;
    struct unpack_plan plan;

    plan_unpack(width, &plan);
    for (unsigned i = 0; i < whole; i += GROUP, in += width) {
        for (size_t half = 0; half < PAIRS / 2; half++) {
            const void *low = in + plan.byte[2 * half];
            const void *high = in + plan.byte[2 * half + 1];
            __m256i x = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                _mm_loadu_si128((const __m128i *)high), 1);

            x = _mm256_shuffle_epi8(x, plan.shuffle[half]);
            x = _mm256_and_si256(_mm256_srlv_epi64(x, plan.shift[half]), mask);
            _mm256_storeu_si256((__m256i *)(void *)(out + i + LANES * half), x);
        }
    }
    ta_codec_kernels_plain.unpack(in, width, n - whole, out + whole);
}

/* Which 32-bit halves of the next four values go to the four slots, by the presence of the first three. */
static const unsigned char spread_halves[8][8] = {
    {0, 1, 0, 1, 0, 1, 0, 1}, {0, 1, 2, 3, 2, 3, 2, 3}, {0, 1, 0, 1, 2, 3, 2, 3},
    {0, 1, 2, 3, 4, 5, 4, 5}, {0, 1, 0, 1, 0, 1, 2, 3}, {0, 1, 2, 3, 2, 3, 4, 5},
    {0, 1, 0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5, 6, 7},
};

static TARGET void avx2_spread(const unsigned char *bitmap, unsigned from, unsigned n,
                               const double *value, double fill, double *out)
{
    const __m256i lane_bit = _mm256_setr_epi64x(1, 2, 4, 8);
    const __m256d fills = _mm256_set1_pd(fill);
    const unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES) {
        unsigned present = ta_get_u16(bitmap + (from + i) / 8) >> (from + i) % 8 & 15;
        __m128i halves = _mm_loadl_epi64((const __m128i *)(const void *)spread_halves[present & 7]);
        __m256 x = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(value)),
                                            _mm256_cvtepu8_epi32(halves));
        __m256i bit = _mm256_and_si256(_mm256_set1_epi64x(present), lane_bit);
        __m256d is_present = _mm256_castsi256_pd(_mm256_cmpeq_epi64(bit, lane_bit));

        _mm256_storeu_pd(out + i, _mm256_blendv_pd(fills, _mm256_castps_pd(x), is_present));
        value += 0x4332322132212110 >> 4 * present & 7; /* how many bits are set */
    }
    ta_codec_kernels_plain.spread(bitmap, from + whole, n - whole, value, fill, out + whole);
}

static TARGET void avx2_stats(const double *v, unsigned n, struct ta_run_stats *out)
{
    f64xn sum = ALL(0), lo = ALL(v[0]), hi = ALL(v[0]);
    unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES) {
        f64xn x = *(const f64xn_mem *)(v + i);

        sum += x;
        lo = LESSER(x, lo);
        hi = GREATER(x, hi);
    }
    *out = (struct ta_run_stats){n, (sum[0] + sum[1]) + (sum[2] + sum[3]), lo[0], hi[0]};
    for (unsigned k = 1; k < LANES; k++) {
        out->min = lo[k] < out->min ? lo[k] : out->min;
        out->max = hi[k] > out->max ? hi[k] : out->max;
    }
    for (unsigned i = whole; i < n; i++) {
        out->sum += v[i];
        out->min = v[i] < out->min ? v[i] : out->min;
        out->max = v[i] > out->max ? v[i] : out->max;
    }
}

/* ---- for the encoder ---------------------------------------------------------------------------- */

static inline TARGET __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline TARGET void put_lanes(__m256i x, unsigned char *out, const size_t *at)
{
    const __m128i low = _mm256_castsi256_si128(x), high = _mm256_extracti128_si256(x, 1);

    ta_put_u64(out + at[0], (uint64_t)_mm_cvtsi128_si64(low));
    ta_put_u64(out + at[1], (uint64_t)_mm_extract_epi64(low, 1));
    ta_put_u64(out + at[2], (uint64_t)_mm_cvtsi128_si64(high));
    ta_put_u64(out + at[3], (uint64_t)_mm_extract_epi64(high, 1));
}

/* Up to 7 bits: eight values are one word. */
static TARGET void pack_narrow(const uint64_t *u, unsigned n, uint64_t base, unsigned width,
                               unsigned char *out)
{
    const __m256i bases = _mm256_set1_epi64x((long long)base);
    const __m256i shift = _mm256_setr_epi64x(0, width, 2 * width, 3 * width);
    const __m256i shift4 = _mm256_add_epi64(shift, _mm256_set1_epi64x(4 * width));

    for (unsigned i = 0; i < n; i += GROUP, out += width) {
        __m256i a = _mm256_sllv_epi64(_mm256_sub_epi64(load(u + i), bases), shift);
        __m256i b = _mm256_sllv_epi64(_mm256_sub_epi64(load(u + i + LANES), bases), shift4);
        __m256i x = _mm256_or_si256(a, b);
        __m128i y = _mm_or_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

        y = _mm_or_si128(y, _mm_unpackhi_epi64(y, y));
        ta_put_u64(out, (uint64_t)_mm_cvtsi128_si64(y));
    }
}

/* From 8 bits on: the byte in which a value begins has bits of the one before it and of no other, so that no step waits
 * for the one before (0.4 ns a value of 50 bits instead of 2.1). Each word overwrites what the one before left behind its value. */
static TARGET void pack_wide(const uint64_t *u, unsigned n, uint64_t base, unsigned width,
                             unsigned char *out)
{
    const __m256i bases = _mm256_set1_epi64x((long long)base);
    const __m256i widths = _mm256_set1_epi64x(width), seven = _mm256_set1_epi64x(7);
    const __m256i left_a = _mm256_and_si256(bits_before(width, 0), seven);
    const __m256i left_b = _mm256_and_si256(bits_before(width, 1), seven);
    const __m256i right_a = _mm256_sub_epi64(widths, left_a);
    const __m256i right_b = _mm256_sub_epi64(widths, left_b);
    size_t at[GROUP];

    for (unsigned i = 0; i < GROUP; i++)
        at[i] = i * width / 8;
    for (unsigned i = 0; i < n; i += GROUP, out += width) {
        __m256i a = _mm256_sub_epi64(load(u + i), bases);
        __m256i b = _mm256_sub_epi64(load(u + i + LANES), bases);
        __m256i before_a = _mm256_permute4x64_epi64(a, 0x90); /* the first begins on a byte */
        __m256i before_b = _mm256_sub_epi64(load(u + i + LANES - 1), bases);

        a = _mm256_or_si256(_mm256_sllv_epi64(a, left_a), _mm256_srlv_epi64(before_a, right_a));
        b = _mm256_or_si256(_mm256_sllv_epi64(b, left_b), _mm256_srlv_epi64(before_b, right_b));
        put_lanes(a, out, at);
        put_lanes(b, out, at + LANES);
    }
}

static TARGET void avx2_pack(const uint64_t *u, unsigned n, uint64_t base, unsigned width,
                             unsigned char *out)
{
    const unsigned whole = n / GROUP * GROUP;

    if (width < 8)
        pack_narrow(u, whole, base, width, out);
    else
        pack_wide(u, whole, base, width, out);
    ta_codec_kernels_plain.pack(u + whole, n - whole, base, width, out + (size_t)whole / 8 * width);
}

/* Signed extremes of x, lane by lane. */
static inline TARGET void widen(__m256i x, __m256i *lo, __m256i *hi)
{
    *lo = _mm256_blendv_epi8(*lo, x, _mm256_cmpgt_epi64(*lo, x));
    *hi = _mm256_blendv_epi8(*hi, x, _mm256_cmpgt_epi64(x, *hi));
}

static TARGET void join_lanes(__m256i lo, __m256i hi, int64_t *least, int64_t *most)
{
    int64_t a[LANES], b[LANES];

    _mm256_storeu_si256((__m256i *)(void *)a, lo);
    _mm256_storeu_si256((__m256i *)(void *)b, hi);
    for (unsigned k = 0; k < LANES; k++) {
        *least = a[k] < *least ? a[k] : *least;
        *most = b[k] > *most ? b[k] : *most;
    }
}

static TARGET void avx2_range(const uint64_t *u, unsigned n, uint64_t *least, uint64_t *most)
{
    /* AVX2 compares signed integers only. */
    const __m256i sign = _mm256_set1_epi64x(INT64_MIN);

    if (n < LANES) {
        ta_codec_kernels_plain.range(u, n, least, most);
        return;
    }
    /* The last vector overlaps the one before: what is counted twice changes no extreme. */
    __m256i lo = _mm256_xor_si256(load(u + n - LANES), sign), hi = lo;
    for (unsigned i = 0; i + LANES < n; i += LANES)
        widen(_mm256_xor_si256(load(u + i), sign), &lo, &hi);
    int64_t l = INT64_MAX, h = INT64_MIN;
    join_lanes(lo, hi, &l, &h);
    *least = (uint64_t)l ^ 1ULL << 63;
    *most = (uint64_t)h ^ 1ULL << 63;
}

static inline TARGET __m256i steps_at(const int64_t *m)
{
    return _mm256_sub_epi64(load(m + 1), load(m));
}

/* Two at a time, or each comparison waits for the one before. */
static TARGET void avx2_steps(const int64_t *m, unsigned n, int64_t *least, int64_t *most)
{
    unsigned i = 0;

    if (n <= LANES) {
        ta_codec_kernels_plain.steps(m, n, least, most);
        return;
    }
    __m256i lo = steps_at(m + n - 1 - LANES), hi = lo, lo2 = lo, hi2 = lo;
    for (; i + 2 * LANES < n; i += 2 * LANES) {
        widen(steps_at(m + i), &lo, &hi);
        widen(steps_at(m + i + LANES), &lo2, &hi2);
    }
    if (i + LANES < n)
        widen(steps_at(m + i), &lo, &hi);
    *least = INT64_MAX;
    *most = INT64_MIN;
    join_lanes(lo, hi, least, most);
    join_lanes(lo2, hi2, least, most);
}

/* The upper parts found so far, each in all lanes, and their indices + 1 in place: 0 tells a lane that has none yet. */
struct upper_parts {
    __m256i part[TA_SPLIT_MAX], next[TA_SPLIT_MAX];
    unsigned n;
};

/* x with the index of its upper part instead of it; new parts are added. False when there are too many. */
static inline TARGET bool split_step(__m256i *x, unsigned cut, struct upper_parts *parts,
                                     uint16_t *upper)
{
    const __m256i one = _mm256_set1_epi64x((long long)(1ULL << cut));
    const __m256i low = _mm256_sub_epi64(one, _mm256_set1_epi64x(1));
    const __m256i upper_x = _mm256_srl_epi64(*x, _mm_cvtsi32_si128((int)cut));
    const __m256i none = _mm256_setzero_si256();
    __m256i next = none;
    unsigned k = 0;

    for (; k < parts->n; k++) {
        const __m256i same = _mm256_cmpeq_epi64(upper_x, parts->part[k]);

        next = _mm256_or_si256(next, _mm256_and_si256(same, parts->next[k]));
    }
    for (;; k++) {
        const __m256d is_left = _mm256_castsi256_pd(_mm256_cmpeq_epi64(next, none));
        const unsigned left = (unsigned)_mm256_movemask_pd(is_left);
        uint64_t lanes[LANES];

        if (left == 0)
            break;
        if (k == TA_SPLIT_MAX)
            return false;
        _mm256_storeu_si256((__m256i *)(void *)lanes, upper_x);
        upper[k] = (uint16_t)lanes[__builtin_ctz(left)];
        parts->part[k] = _mm256_set1_epi64x(upper[k]);
        parts->next[k] = _mm256_set1_epi64x((long long)((k + 1ULL) << cut));
        parts->n = k + 1;
        const __m256i same = _mm256_cmpeq_epi64(upper_x, parts->part[k]);
        next = _mm256_or_si256(next, _mm256_and_si256(same, parts->next[k]));
    }
    *x = _mm256_or_si256(_mm256_sub_epi64(next, one), _mm256_and_si256(*x, low));
    return true;
}

/* Few upper parts as a rule: each vector is compared with all of them, whether or not it needs them all, so that there is no
 * branch to foresee (0.9 ns a value with 3 of them, against 2.6 of the plain loop). */
static TARGET unsigned avx2_split(uint64_t *u, unsigned n, unsigned cut, uint16_t *upper)
{
    const unsigned whole = n / LANES * LANES;
    struct upper_parts parts;
    __m256i x;

    parts.n = 0;
    for (unsigned i = 0; i < whole; i += LANES) {
        x = load(u + i);
        if (!split_step(&x, cut, &parts, upper))
            return 0;
        _mm256_storeu_si256((__m256i *)(void *)(u + i), x);
    }
    if (whole < n) {
        uint64_t pad[LANES];

        for (unsigned k = 0; k < LANES; k++)
            pad[k] = u[whole + k < n ? whole + k : n - 1];
        x = load(pad);
        if (!split_step(&x, cut, &parts, upper))
            return 0;
        _mm256_storeu_si256((__m256i *)(void *)pad, x);
        memcpy(u + whole, pad, (n - whole) * sizeof(*u));
    }
    return parts.n;
}

/* Per lane b where the sign of `is_b` is set, else a. */
static inline TARGET __m256i choose(__m256i a, __m256i b, __m256i is_b)
{
    return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b),
                                                _mm256_castsi256_pd(is_b)));
}

/* Four upper parts fit a register, from which each lane takes the one of its index; of more registers the higher bits of the
 * index choose (0.5 ns a value with up to 4 parts, instead of 1.4). */
static TARGET void avx2_join(uint64_t *u, unsigned n, unsigned cut, const uint64_t *upper,
                             unsigned n_upper)
{
    const unsigned whole = n / LANES * LANES;
    const __m256i low = _mm256_set1_epi64x((long long)((1ULL << cut) - 1));
    const __m256i a = load(upper), b = load(upper + 4), c = load(upper + 8), d = load(upper + 12);
    const __m256i odd = _mm256_set1_epi64x(1LL << 32);
    const __m128i shift = _mm_cvtsi32_si128((int)cut);

    for (unsigned i = 0; i < whole; i += LANES) {
        const __m256i x = load(u + i), index = _mm256_srl_epi64(x, shift);
        /* Of two 32-bit halves: 2 * index and 2 * index + 1. */
        const __m256i twice = _mm256_add_epi64(index, index);
        const __m256i halves =
            _mm256_or_si256(_mm256_or_si256(twice, _mm256_slli_epi64(twice, 32)), odd);
        __m256i part = _mm256_permutevar8x32_epi32(a, halves);

        if (n_upper > 4) {
            const __m256i bit2 = _mm256_slli_epi64(index, 61), bit3 = _mm256_slli_epi64(index, 60);
            const __m256i part_b = _mm256_permutevar8x32_epi32(b, halves);
            const __m256i part_c = _mm256_permutevar8x32_epi32(c, halves);
            const __m256i part_d = _mm256_permutevar8x32_epi32(d, halves);

            part = choose(choose(part, part_b, bit2), choose(part_c, part_d, bit2), bit3);
        }
        _mm256_storeu_si256((__m256i *)(void *)(u + i),
                            _mm256_or_si256(part, _mm256_and_si256(x, low)));
    }
    ta_codec_kernels_plain.join(u + whole, n - whole, cut, upper, n_upper);
}

const struct ta_codec_kernels ta_codec_kernels_wide = {
    .name = "avx2",
    .scan = loop_scan,
    .to_ints = loop_to_ints,
    .from_ints = loop_from_ints,
    .unpack = avx2_unpack,
    .spread = avx2_spread,
    .stats = avx2_stats,
    .add = loop_add,
    .pack = avx2_pack,
    .range = avx2_range,
    .steps = avx2_steps,
    .split = avx2_split,
    .join = avx2_join,
    .narrow = loop_narrow,
    .widen = loop_widen,
};

#endif
