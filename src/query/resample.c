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

/* A batch of buckets: bucket i is [low[i], from[i]), the one after it [from[i], to[i]], whose mean
 * it is measured against. */
struct buckets {
    size_t n, m, done; /* values in, out, and out so far behind the first */
    double size;
    size_t count; /* of this batch */
    size_t low[BATCH + 1], from[BATCH + 1], to[BATCH];
    double mean_x[BATCH], mean_y[BATCH];
};

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

static void buckets_init(struct buckets *b, size_t n, size_t m)
{
    b->n = n;
    b->m = m;
    b->done = 0;
    b->size = (double)(n - 2) / (double)(m - 2);
    b->count = 0;
    b->low[0] = 1;
    b->from[0] = (size_t)(int64_t)b->size + 1;
}

/* The next batch, whose picks are out[done + 1] and so on; false when there is none. Casts to
 * integers are floors: all is positive. The sum of indices is exact (TA_RESAMPLE_MAX) and half the
 * sum of the ends is their mean without rounding, so the closed form serves; an empty range gives
 * NaN, as 0/0 does. */
static bool buckets_next(struct buckets *b, const double *data)
{
    size_t left = b->m - 2 - b->done;

    b->low[0] = b->low[b->count];
    b->from[0] = b->from[b->count];
    b->count = left < BATCH ? left : BATCH;
    for (size_t i = 0; i < b->count; i++) {
        size_t high = (size_t)(int64_t)((double)(int64_t)(b->done + i + 2) * b->size) + 1;

        b->to[i] = high >= b->n - 1 ? b->n - 2 : high;
        b->low[i + 1] = b->from[i];
        b->from[i + 1] = b->to[i];
        b->mean_x[i] = b->to[i] + 1 == b->from[i] ? NAN : (double)(b->from[i] + b->to[i]) * 0.5;
    }
    means_y(data, b->from, b->to, b->count, b->mean_y);
    return b->count > 0;
}

/* The pick of bucket i as seen from (prev, base). Once an area is NaN no finite one replaces it,
 * but a later NaN does. */
static size_t pick_plain(const double *data, const struct buckets *b, size_t i, size_t prev,
                         double base)
{
    const double dx = (double)prev - b->mean_x[i], dy = b->mean_y[i] - base;
    double best = -1.0;
    size_t pick = 0;

    for (size_t k = b->low[i]; k < b->from[i]; k++) {
        double area = fabs((((double)prev - (double)k) * dy - dx * (data[k] - base)) * 0.5);
        if (area > best || isnan(area)) {
            best = area;
            pick = k;
        }
    }
    return pick;
}

/* The pick before the bucket in turn. */
struct point {
    size_t at;
    double y;
};

static struct point batch_plain(const double *data, struct buckets *b, struct point prev,
                                double *out)
{
    for (size_t i = 0; i < b->count; i++) {
        prev.at = pick_plain(data, b, i, prev.at, prev.y);
        prev.y = data[prev.at];
        out[++b->done] = prev.y;
    }
    return prev;
}

#if HAVE_AVX2

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

/* Four candidates: their areas, indices and values. */
struct four {
    __m256d area, at, y;
};

/* Where m is set b's, else a's. (Not blendv: gcc 12 puts a comparison before it.) */
AVX2 struct four choose(struct four a, struct four b, __m256d m)
{
    return (struct four){_mm256_max_pd(a.area, b.area),
                         _mm256_xor_pd(a.at, _mm256_and_pd(_mm256_xor_pd(a.at, b.at), m)),
                         _mm256_xor_pd(a.y, _mm256_and_pd(_mm256_xor_pd(a.y, b.y), m))};
}

/* Lane by lane the larger area, of equal ones a's, whose index must be the lower. */
AVX2 struct four better(struct four a, struct four b)
{
    return choose(a, b, _mm256_cmp_pd(b.area, a.area, _CMP_GT_OQ));
}

/* The same with indices in any order. */
AVX2 struct four better_of_any(struct four a, struct four b)
{
    __m256d more = _mm256_cmp_pd(b.area, a.area, _CMP_GT_OQ);
    __m256d same = _mm256_cmp_pd(b.area, a.area, _CMP_EQ_OQ);
    __m256d less = _mm256_cmp_pd(b.at, a.at, _CMP_LT_OQ);

    return choose(a, b, _mm256_or_pd(more, _mm256_and_pd(same, less)));
}

/* The best of the four in every lane. */
AVX2 struct four best_lane(struct four a)
{
    struct four b = {_mm256_permute2f128_pd(a.area, a.area, 1),
                     _mm256_permute2f128_pd(a.at, a.at, 1), _mm256_permute2f128_pd(a.y, a.y, 1)};

    a = better_of_any(a, b);
    b = (struct four){_mm256_permute_pd(a.area, 5), _mm256_permute_pd(a.at, 5),
                      _mm256_permute_pd(a.y, 5)};
    return better_of_any(a, b);
}

/* One bucket seen from the point (prev, base), which stands in every lane. The way from one pick to
 * the next is what costs; so index and value of the best travel with its area and are never fetched
 * again. The factor 0.5 changes no order unless areas are subnormal; then, and with any NaN,
 * *is_odd says that the plain pick has to decide. */
AVX2 struct four pick_avx2(const double *data, size_t low, size_t high, struct four prev,
                           double mean_x, double mean_y, bool *is_odd)
{
    const __m256d dy = _mm256_sub_pd(_mm256_set1_pd(mean_y), prev.y);
    const __m256d dx = _mm256_sub_pd(prev.at, _mm256_set1_pd(mean_x));
    const __m256d end = _mm256_set1_pd((double)(int64_t)high), sign = _mm256_set1_pd(-0.0);
    __m256d k = _mm256_add_pd(_mm256_set1_pd((double)(int64_t)low), _mm256_setr_pd(0, 1, 2, 3));
    __m256d odd = _mm256_setzero_pd();
    struct four best = {_mm256_set1_pd(-1.0), k, prev.y};

    for (size_t i = low; i < high; i += 4) {
        struct four f = {.at = k, .y = _mm256_loadu_pd(data + i)};
        __m256d a = _mm256_mul_pd(_mm256_sub_pd(prev.at, k), dy);
        __m256d b = _mm256_mul_pd(dx, _mm256_sub_pd(f.y, prev.y));
        __m256d inside = _mm256_cmp_pd(k, end, _CMP_LT_OQ);

        /* Zero outside: no better than what is inside, which has the lower index. */
        f.area = _mm256_and_pd(_mm256_andnot_pd(sign, _mm256_sub_pd(a, b)), inside);
        odd = _mm256_or_pd(odd, _mm256_cmp_pd(f.area, f.area, _CMP_UNORD_Q));
        best = better(best, f);
        k = _mm256_add_pd(k, _mm256_set1_pd(4));
    }
    best = best_lane(best);

    __m256d tiny = _mm256_and_pd(_mm256_cmp_pd(best.area, _mm256_setzero_pd(), _CMP_GT_OQ),
                                 _mm256_cmp_pd(best.area, _mm256_set1_pd(4 * DBL_MIN), _CMP_LT_OQ));
    *is_odd = _mm256_movemask_pd(_mm256_or_pd(odd, tiny)) != 0;
    return best;
}

/* Leaves no upper halves of registers behind: code without AVX would wait for them at every
 * step. */
__attribute__((target("avx2"), noinline)) static struct point
batch_avx2(const double *data, struct buckets *b, struct point begin, double *out)
{
    struct four prev = {_mm256_setzero_pd(), _mm256_set1_pd((double)(int64_t)begin.at),
                        _mm256_set1_pd(begin.y)};
    struct point end;

    for (size_t i = 0; i < b->count; i++) {
        bool is_odd = true;
        struct four best = prev;

        /* The vectors of the last buckets would read past the end. */
        if (b->from[i] + 4 <= b->n)
            best =
                pick_avx2(data, b->low[i], b->from[i], prev, b->mean_x[i], b->mean_y[i], &is_odd);
        if (is_odd) {
            double at = _mm256_cvtsd_f64(prev.at), y = _mm256_cvtsd_f64(prev.y);

            _mm256_zeroupper();
            size_t pick = pick_plain(data, b, i, (size_t)(int64_t)at, y);
            best.at = _mm256_set1_pd((double)(int64_t)pick);
            best.y = _mm256_set1_pd(data[pick]);
        }
        prev = best;
        out[++b->done] = _mm256_cvtsd_f64(prev.y);
    }
    end = (struct point){(size_t)(int64_t)_mm256_cvtsd_f64(prev.at), _mm256_cvtsd_f64(prev.y)};
    _mm256_zeroupper();
    return end;
}

#undef AVX2
#endif

typedef struct point batch_fn(const double *data, struct buckets *b, struct point prev,
                              double *out);

static batch_fn *batch_for_this_machine(void)
{
#if HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return batch_avx2;
#endif
    return batch_plain;
}

void ta_resample_run(const struct ta_resample *plan, const double *data, size_t n, double *out)
{
    const size_t m = plan->n_out;

    assert(plan->is_changed && n >= TA_RESAMPLE_MIN && n <= TA_RESAMPLE_MAX && m >= 2 && m < n);
    out[0] = data[0];
    if (m > 2) {
        batch_fn *batch = batch_for_this_machine();
        struct point prev = {0, data[0]};
        struct buckets b;

        buckets_init(&b, n, m);
        while (buckets_next(&b, data))
            prev = batch(data, &b, prev, out);
    }
    out[m - 1] = data[n - 1];
}
