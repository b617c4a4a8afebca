/* resample.c - see resample.h.
 *
 * The first and the last value stay. In between every output value is the one of its bucket that
 * spans the largest triangle with the value picked before and the mean of the bucket after. A
 * pick needs the pick before it, so buckets cannot run side by side; what can is done apart:
 *
 *   means of a batch of buckets   four running sums at a time, each in index order
 *   areas within a bucket         four at a time where the machine has AVX2
 *
 * Both give bit for bit what one value after the other gives: no sum is reordered, no product
 * and sum are fused (-ffp-contract=off), and of equal areas the first one wins.
 */
#include "query/resample.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2 1
#else
#define HAVE_AVX2 0
#endif

enum { BATCH = 64 }; /* buckets whose means are taken together */

/* One bucket [low, high) and the point of view of its triangles. */
struct view {
    size_t low, high;
    size_t prev;           /* index picked before */
    double mean_x, mean_y; /* of the bucket after */
};

typedef size_t pick_fn(const double *data, size_t n, const struct view *v);

int ta_resample_plan(int64_t have_s, int64_t want_s, size_t n, struct ta_resample *out,
                     struct ta_err *err)
{
    *out = (struct ta_resample){.n_out = n, .resolution_s = have_s};
    if (have_s <= 0 || want_s <= have_s)
        return TA_OK;
    if (want_s % have_s != 0)
        return ta_fail(err, TA_EINVAL,
                       "new sampling frequency (%" PRId64
                       ") must be a multiple of old frequency (%" PRId64 ")",
                       want_s, have_s);

    uint64_t step = (uint64_t)(want_s / have_s);
    size_t m = (size_t)(n / step);
    if (m == 0 || n < TA_RESAMPLE_MIN || m >= n)
        return TA_OK;
    if (n > TA_RESAMPLE_MAX)
        return ta_fail(err, TA_ERANGE, "%zu values are too many to resample (at most %d)", n,
                       TA_RESAMPLE_MAX);
    *out = (struct ta_resample){true, m < 2 ? 2 : m, want_s};
    return TA_OK;
}

static double area_at(const double *data, const struct view *v, size_t k)
{
    double prev = (double)v->prev;
    double a = (prev - (double)k) * (v->mean_y - data[v->prev]);
    double b = (prev - v->mean_x) * (data[k] - data[v->prev]);

    return fabs((a - b) * 0.5);
}

/* Once an area is NaN no finite one replaces it, but a later NaN does. */
static size_t pick_plain(const double *data, size_t n, const struct view *v)
{
    double best = -1.0;
    size_t pick = 0;

    (void)n;
    for (size_t k = v->low; k < v->high; k++) {
        double area = area_at(data, v, k);
        if (area > best || isnan(area)) {
            best = area;
            pick = k;
        }
    }
    return pick;
}

/* Means of data over [from[i], to[i]] (inclusive) for `count` buckets. Four sums run side by side:
 * each alone would wait four cycles for every addition. Empty ranges give NaN, as 0/0 does. */
static void means_y(const double *data, const size_t *from, const size_t *to, size_t count,
                    double *out)
{
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        const double *p = data + from[i], *q = data + from[i + 1];
        const double *r = data + from[i + 2], *s = data + from[i + 3];
        size_t len[4], least = SIZE_MAX;
        double sum[4] = {0};

        for (size_t j = 0; j < 4; j++) {
            len[j] = to[i + j] + 1 - from[i + j];
            least = len[j] < least ? len[j] : least;
        }

        double a = 0, b = 0, c = 0, d = 0;
        for (size_t k = 0; k < least; k++) {
            a += p[k];
            b += q[k];
            c += r[k];
            d += s[k];
        }
        sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
        for (size_t j = 0; j < 4; j++) {
            for (size_t k = from[i + j] + least; k <= to[i + j]; k++)
                sum[j] += data[k];
            out[i + j] = sum[j] / (double)len[j];
        }
    }
    for (; i < count; i++) {
        double sum = 0;

        for (size_t k = from[i]; k <= to[i]; k++)
            sum += data[k];
        out[i] = sum / (double)(to[i] + 1 - from[i]);
    }
}

/* The sum of the indices is exact (TA_RESAMPLE_MAX) and half the sum of the ends is their mean
 * without rounding, so the closed form serves. */
static double mean_x(size_t from, size_t to)
{
    return to + 1 == from ? NAN : (double)(from + to) * 0.5;
}

/* `pick` is a constant wherever this is inlined. Casts to integers are floors: all is positive. */
__attribute__((always_inline)) static inline void run(const double *data, size_t n, size_t m,
                                                      double *out, pick_fn *pick)
{
    const double size = (double)(n - 2) / (double)(m - 2);
    size_t from[BATCH + 1], to[BATCH];
    double mean[BATCH];
    size_t low = 1, prev = 0;

    from[0] = (size_t)(int64_t)size + 1;
    for (size_t done = 0; done < m - 2;) {
        size_t count = m - 2 - done < BATCH ? m - 2 - done : BATCH;

        for (size_t i = 0; i < count; i++) {
            size_t high = (size_t)(int64_t)((double)(int64_t)(done + i + 2) * size) + 1;
            to[i] = high >= n - 1 ? n - 2 : high;
            from[i + 1] = to[i];
        }
        means_y(data, from, to, count, mean);
        for (size_t i = 0; i < count; i++) {
            struct view v = {low, from[i], prev, mean_x(from[i], to[i]), mean[i]};

            prev = pick(data, n, &v);
            out[++done] = data[prev];
            low = from[i];
        }
        from[0] = from[count];
    }
}

static void run_plain(const double *data, size_t n, size_t m, double *out)
{
    run(data, n, m, out, pick_plain);
}

#if HAVE_AVX2

/* Sixteen areas at once: the way from one pick to the next is what costs, so the largest is found
 * by a tree and its place by comparing with it. The factor 0.5 changes no order unless areas are
 * subnormal; then, and with any NaN, the plain pick decides. */
__attribute__((target("avx2"), always_inline)) static inline size_t
pick_avx2(const double *data, size_t n, const struct view *v)
{
    const double base = data[v->prev], prev = (double)(int64_t)v->prev;
    const __m256d dy = _mm256_set1_pd(v->mean_y - base), dx = _mm256_set1_pd(prev - v->mean_x);
    const __m256d vbase = _mm256_set1_pd(base), vprev = _mm256_set1_pd(prev);
    const __m256d sign = _mm256_set1_pd(-0.0), none = _mm256_set1_pd(-1.0);
    const __m256d high = _mm256_set1_pd((double)(int64_t)v->high);
    double best = -1.0;
    size_t pick = 0;

    if (v->high + 16 > n) /* the vectors would read past the end */
        return pick_plain(data, n, v);
    for (size_t i = v->low; i < v->high; i += 16) {
        __m256d k = _mm256_add_pd(_mm256_set1_pd((double)(int64_t)i), _mm256_setr_pd(0, 1, 2, 3));
        __m256d area[4];

#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            __m256d a = _mm256_mul_pd(_mm256_sub_pd(vprev, k), dy);
            __m256d y = _mm256_sub_pd(_mm256_loadu_pd(data + i + 4 * j), vbase);
            __m256d d = _mm256_andnot_pd(sign, _mm256_sub_pd(a, _mm256_mul_pd(dx, y)));
            area[j] = _mm256_blendv_pd(none, d, _mm256_cmp_pd(k, high, _CMP_LT_OQ));
            k = _mm256_add_pd(k, _mm256_set1_pd(4));
        }

        __m256d odd = _mm256_or_pd(_mm256_cmp_pd(area[0], area[1], _CMP_UNORD_Q),
                                   _mm256_cmp_pd(area[2], area[3], _CMP_UNORD_Q));
        __m256d m = _mm256_max_pd(_mm256_max_pd(area[0], area[1]), _mm256_max_pd(area[2], area[3]));
        m = _mm256_max_pd(m, _mm256_permute2f128_pd(m, m, 1));
        m = _mm256_max_pd(m, _mm256_permute_pd(m, 5));

        double most = _mm256_cvtsd_f64(m);
        if (_mm256_movemask_pd(odd) || (most > 0 && most < 4 * DBL_MIN))
            return pick_plain(data, n, v);
        if (most > best) {
            unsigned at = 0;

#pragma GCC unroll 4
            for (unsigned j = 0; j < 4; j++)
                at |= (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(area[j], m, _CMP_EQ_OQ)) << 4 * j;
            best = most;
            pick = i + (unsigned)__builtin_ctz(at);
        }
    }
    return pick;
}

__attribute__((target("avx2"))) static void run_avx2(const double *data, size_t n, size_t m,
                                                     double *out)
{
    run(data, n, m, out, pick_avx2);
}

#endif

typedef void run_fn(const double *data, size_t n, size_t m, double *out);

static run_fn *run_for_this_machine(void)
{
#if HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return run_avx2;
#endif
    return run_plain;
}

void ta_resample_run(const struct ta_resample *plan, const double *data, size_t n, double *out)
{
    const size_t m = plan->n_out;

    assert(plan->is_changed && n >= TA_RESAMPLE_MIN && n <= TA_RESAMPLE_MAX && m >= 2 && m < n);
    out[0] = data[0];
    if (m > 2)
        run_for_this_machine()(data, n, m, out);
    out[m - 1] = data[n - 1];
}
