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
#include "store/codec_loops.h"

#include <immintrin.h>

enum { GROUP = 8, PAIRS = GROUP / 2 };

/* Where the pairs of a group begin, and how their values are brought into lanes. */
struct unpack_plan {
    size_t byte[PAIRS];
    __m256i shuffle[PAIRS / 2];
    __m256i shift[PAIRS / 2];
};

static TARGET void plan_unpack(unsigned width, struct unpack_plan *plan)
{
    unsigned char shuffle[PAIRS * 16];
    uint64_t shift[GROUP];

    for (unsigned i = 0; i < GROUP; i++) {
        unsigned begin = i / 2 * 2 * width / 8;
        unsigned at = i * width / 8 - begin;

        plan->byte[i / 2] = begin;
        shift[i] = i * width % 8;
        for (unsigned k = 0; k < 8; k++)
            shuffle[i * 8 + k] = (unsigned char)(at + k);
    }
    for (size_t half = 0; half < PAIRS / 2; half++) {
        plan->shuffle[half] =
            _mm256_loadu_si256((const __m256i *)(const void *)(shuffle + 32 * half));
        plan->shift[half] =
            _mm256_loadu_si256((const __m256i *)(const void *)(shift + LANES * half));
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
        i64xn less = x < lo;
        i64xn more = x > hi;

        sum += x;
        lo = (f64xn)(((i64xn)x & less) | ((i64xn)lo & ~less));
        hi = (f64xn)(((i64xn)x & more) | ((i64xn)hi & ~more));
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

static const struct ta_codec_kernels kernels_avx2 = {
    "avx2", loop_scan, loop_to_ints, loop_from_ints, avx2_unpack, avx2_spread, avx2_stats, loop_add,
};

const struct ta_codec_kernels *ta_codec_kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &kernels_avx2 : NULL;
}

#else

const struct ta_codec_kernels *ta_codec_kernels_avx2(void)
{
    return NULL;
}

#endif
