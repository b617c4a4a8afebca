/* codec_loops.h - kernels in vector types: the source that each row of codec_kernels.h is compiled from.
 *
 * The including file sets TARGET to the attribute of its instruction set (or to nothing), so that one
 * text gives the plain and the AVX2 loops. Four lanes; the last values of an odd length go through a
 * padded copy. Vectors are never passed between functions: that would change with the instruction set.
 */
#ifndef TARN_STORE_CODEC_LOOPS_H
#define TARN_STORE_CODEC_LOOPS_H

#include "store/codec_kernels.h"

#include <string.h>

#ifndef TARGET
#define TARGET
#endif

enum { LANES = 4 };

typedef double f64x4 __attribute__((vector_size(32)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef int64_t i64x4 __attribute__((vector_size(32)));
typedef uint64_t u64x4 __attribute__((vector_size(32)));
typedef double f64x4_mem __attribute__((vector_size(32), aligned(8), may_alias));
typedef uint64_t u64x4_mem __attribute__((vector_size(32), aligned(8), may_alias));

/* Adding 1.5 * 2^52 to a whole number below 2^51 leaves it in the low bits of the sum: the conversion between
 * int64 and double that AVX2 has no instruction for, and rounding to nearest. */
#define ROUND_MAGIC      0x1.8p52
#define ROUND_MAGIC_BITS 0x4338000000000000U

#define ALL(x)                                                                                     \
    {                                                                                              \
        (x), (x), (x), (x)                                                                         \
    }

/* The four values at v + i; past the end of n the last one repeats. `pad` serves that case. */
static inline TARGET const double *loop_at(const double *v, unsigned i, unsigned n, double *pad)
{
    if (n - i >= LANES)
        return v + i;
    for (unsigned k = 0; k < LANES; k++)
        pad[k] = v[i + k < n ? i + k : n - 1];
    return pad;
}

static inline TARGET unsigned loop_scan(const double *v, unsigned n)
{
    i64x4 missing = ALL(0), varies = ALL(0), wide = ALL(0);
    double pad[LANES];
    int64_t head = 0;

    if (n > 0)
        memcpy(&head, v, sizeof(head));
    i64x4 first = ALL(head);
    for (unsigned i = 0; i < n; i += LANES) {
        f64x4 x = *(const f64x4_mem *)loop_at(v, i, n, pad);
        f64x4 narrowed = __builtin_convertvector(__builtin_convertvector(x, f32x4), f64x4);

        missing |= (i64x4)(x != x);
        varies |= (i64x4)x ^ first;
        wide |= (i64x4)narrowed ^ (i64x4)x;
    }
    return ((missing[0] | missing[1] | missing[2] | missing[3]) ? TA_SCAN_MISSING : 0U) |
           ((varies[0] | varies[1] | varies[2] | varies[3]) ? TA_SCAN_VARIES : 0U) |
           ((wide[0] | wide[1] | wide[2] | wide[3]) ? TA_SCAN_WIDE : 0U);
}

static inline TARGET bool loop_to_ints(const double *v, unsigned n, const struct ta_grid_op *op,
                                       int64_t *m, int64_t *out_lo, int64_t *out_hi)
{
    const f64x4 up = ALL(op->up), div = ALL(op->div), mul = ALL(op->mul), magic = ALL(ROUND_MAGIC);
    const u64x4 magic_bits = ALL(ROUND_MAGIC_BITS);
    f64x4 lo = ALL(__builtin_inf()), hi = ALL(-__builtin_inf());
    i64x4 bad = ALL(0);
    double pad[LANES];

    for (unsigned i = 0; i < n; i += LANES) {
        f64x4 x = *(const f64x4_mem *)loop_at(v, i, n, pad);
        f64x4 sum = x * up + magic;
        f64x4 whole = sum - magic;
        f64x4 back = whole / div * mul;

        if (op->is_float)
            back = __builtin_convertvector(__builtin_convertvector(back, f32x4), f64x4);
        bad |= (i64x4)back ^ (i64x4)x;
        i64x4 less = whole<lo, more = whole> hi;
        lo = (f64x4)(((i64x4)whole & less) | ((i64x4)lo & ~less));
        hi = (f64x4)(((i64x4)whole & more) | ((i64x4)hi & ~more));
        *(u64x4_mem *)(m + i) = (u64x4)sum - magic_bits;
    }
    double least = lo[0], most = hi[0];
    for (unsigned k = 1; k < LANES; k++) {
        least = lo[k] < least ? lo[k] : least;
        most = hi[k] > most ? hi[k] : most;
    }
    if ((bad[0] | bad[1] | bad[2] | bad[3]) || least <= -TA_GRID_M_END || most >= TA_GRID_M_END)
        return false;
    *out_lo = (int64_t)least;
    *out_hi = (int64_t)most;
    return true;
}

static inline TARGET void loop_from_ints(const uint64_t *u, unsigned n, int64_t base,
                                         const struct ta_grid_op *op, double *out)
{
    const f64x4 div = ALL(op->div), mul = ALL(op->mul), magic = ALL(ROUND_MAGIC);
    const u64x4 lift = ALL((uint64_t)base + ROUND_MAGIC_BITS);

    for (unsigned i = 0; i < n; i += LANES) {
        u64x4 sum = *(const u64x4_mem *)(u + i) + lift;
        f64x4 x = ((f64x4)sum - magic) / div * mul;

        if (op->is_float)
            x = __builtin_convertvector(__builtin_convertvector(x, f32x4), f64x4);
        if (n - i >= LANES)
            *(f64x4_mem *)(out + i) = x;
        else
            memcpy(out + i, &x, (n - i) * sizeof(double));
    }
}

static inline TARGET void loop_stats(const double *v, unsigned n, struct ta_run_stats *out)
{
    f64x4 sum = ALL(0), lo = ALL(v[0]), hi = ALL(v[0]);
    unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES) {
        f64x4 x = *(const f64x4_mem *)(v + i);
        i64x4 less = x<lo, more = x> hi;

        sum += x;
        lo = (f64x4)(((i64x4)x & less) | ((i64x4)lo & ~less));
        hi = (f64x4)(((i64x4)x & more) | ((i64x4)hi & ~more));
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

static inline TARGET void loop_add(const double *v, unsigned n, double *acc)
{
    unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES)
        *(f64x4_mem *)(acc + i) += *(const f64x4_mem *)(v + i);
    for (unsigned i = whole; i < n; i++)
        acc[i] += v[i];
}

#endif
