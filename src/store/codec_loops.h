/* codec_loops.h - kernels in vector types: the source that each row of codec_kernels.h is compiled from.
 *
 * The including file sets TARGET to the attribute of its instruction set (or to nothing) and LANES to the
 * doubles in one of its registers, so that one text gives the plain and the AVX2 loops. The last values of
 * an odd length go through a padded copy. Vectors are never passed between functions: how would change
 * with the instruction set.
 */
#ifndef TARN_STORE_CODEC_LOOPS_H
#define TARN_STORE_CODEC_LOOPS_H

#include "store/codec_kernels.h"

#include "base/bytes.h"

#include <string.h>

#ifndef TARGET
#define TARGET
#endif

#ifndef LANES
#define LANES 2
#endif

typedef double f64xn __attribute__((vector_size(8 * LANES)));
typedef float f32xn __attribute__((vector_size(4 * LANES)));
typedef uint32_t u32xn __attribute__((vector_size(4 * LANES)));
typedef int64_t i64xn __attribute__((vector_size(8 * LANES)));
typedef uint64_t u64xn __attribute__((vector_size(8 * LANES)));
typedef double f64xn_mem __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef uint64_t u64xn_mem __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* Adding 1.5 * 2^52 to a whole number below 2^51 leaves it in the low bits of the sum: the conversion between
 * int64 and double that AVX2 has no instruction for, and rounding to nearest. */
#define ROUND_MAGIC      0x1.8p52
#define ROUND_MAGIC_BITS 0x4338000000000000U

/* A vector of one value. */
#if LANES == 4
#define ALL(x)                                                                                     \
    {                                                                                              \
        (x), (x), (x), (x)                                                                         \
    }
#else
#define ALL(x)                                                                                     \
    {                                                                                              \
        (x), (x)                                                                                   \
    }
#endif

/* The values at v + i, a vector of them; past the end of n the last one repeats. `pad` serves that case. */
static inline TARGET const double *loop_at(const double *v, unsigned i, unsigned n, double *pad)
{
    if (n - i >= LANES)
        return v + i;
    for (unsigned k = 0; k < LANES; k++)
        pad[k] = v[i + k < n ? i + k : n - 1];
    return pad;
}

/* The lesser and the greater of each lane; b where a is no number. */
#ifndef LESSER
#define LESSER(a, b)  (f64xn)(((i64xn)(a) & ((a) < (b))) | ((i64xn)(b) & ~((a) < (b))))
#define GREATER(a, b) (f64xn)(((i64xn)(a) & ((a) > (b))) | ((i64xn)(b) & ~((a) > (b))))
#endif

static inline TARGET int64_t loop_any(i64xn x)
{
    int64_t any = 0;

    for (unsigned k = 0; k < LANES; k++)
        any |= x[k];
    return any;
}

/* Is any bit, is any sign set in a lane? */
#ifndef ANY_BIT
#define ANY_BIT(x)  (loop_any(x) != 0)
#define ANY_SIGN(x) (loop_any(x) < 0)
#endif

/* What a scan gathers, lane by lane. */
struct loop_found {
    i64xn missing, varies, wide;
};

static inline TARGET void loop_scan_step(const double *v, i64xn first, bool find_wide,
                                         struct loop_found *found)
{
    const i64xn infinite = ALL(0x7FF0000000000000), magnitude = ALL(INT64_MAX);
    f64xn x = *(const f64xn_mem *)v;

    /* Negative where the magnitude is beyond that of infinity: SSE2 has no comparison for this. */
    found->missing |= infinite - ((i64xn)x & magnitude);
    found->varies |= (i64xn)x ^ first;
    if (find_wide)
        found->wide |=
            (i64xn) __builtin_convertvector(__builtin_convertvector(x, f32xn), f64xn) ^ (i64xn)x;
}

/* Narrowing and widening again is most of the work, and one wide value tells: the first does where any does, nearly
 * always (0.3 ns a value instead of 0.7). */
static inline TARGET unsigned loop_scan_for(const double *v, unsigned n, bool find_wide)
{
    struct loop_found found = {ALL(0), ALL(0), ALL(0)};
    const unsigned whole = n / LANES * LANES;
    double pad[LANES];
    int64_t head = 0;

    if (n > 0)
        memcpy(&head, v, sizeof(head));
    const i64xn first = ALL(head);
    for (unsigned i = 0; i < whole; i += LANES)
        loop_scan_step(v + i, first, find_wide, &found);
    if (whole < n)
        loop_scan_step(loop_at(v, whole, n, pad), first, find_wide, &found);
    return (ANY_SIGN(found.missing) ? TA_SCAN_MISSING : 0U) |
           (ANY_BIT(found.varies) ? TA_SCAN_VARIES : 0U) |
           (ANY_BIT(found.wide) ? TA_SCAN_WIDE : 0U);
}

static inline TARGET unsigned loop_scan(const double *v, unsigned n)
{
    if (n > 0 && (double)(float)v[0] != v[0])
        return loop_scan_for(v, n, false) | TA_SCAN_WIDE;
    return loop_scan_for(v, n, true);
}

static inline TARGET bool loop_to_ints(const double *v, unsigned n, const struct ta_grid_op *op,
                                       int64_t *m, int64_t *out_lo, int64_t *out_hi)
{
    const f64xn up = ALL(op->up), div = ALL(op->div), mul = ALL(op->mul), magic = ALL(ROUND_MAGIC);
    const u64xn magic_bits = ALL(ROUND_MAGIC_BITS);
    f64xn lo = ALL(__builtin_inf()), hi = ALL(-__builtin_inf());
    const bool is_divided = op->div != 1; /* a division costs as much as all the rest */
    i64xn bad = ALL(0);
    double pad[LANES];

    for (unsigned i = 0; i < n; i += LANES) {
        f64xn x = *(const f64xn_mem *)loop_at(v, i, n, pad);
        f64xn sum = x * up + magic;
        f64xn whole = sum - magic;
        f64xn back = (is_divided ? whole / div : whole) * mul;

        if (op->is_float)
            back = __builtin_convertvector(__builtin_convertvector(back, f32xn), f64xn);
        bad |= (i64xn)back ^ (i64xn)x;
        lo = LESSER(whole, lo);
        hi = GREATER(whole, hi);
        *(u64xn_mem *)(m + i) = (u64xn)sum - magic_bits;
    }
    double least = lo[0], most = hi[0];
    for (unsigned k = 1; k < LANES; k++) {
        least = lo[k] < least ? lo[k] : least;
        most = hi[k] > most ? hi[k] : most;
    }
    if (ANY_BIT(bad) || least <= -TA_GRID_M_END || most >= TA_GRID_M_END)
        return false;
    *out_lo = (int64_t)least;
    *out_hi = (int64_t)most;
    return true;
}

static inline TARGET void loop_from_ints(const uint64_t *u, unsigned n, int64_t base,
                                         const struct ta_grid_op *op, double *out)
{
    const f64xn div = ALL(op->div), mul = ALL(op->mul), magic = ALL(ROUND_MAGIC);
    const u64xn lift = ALL((uint64_t)base + ROUND_MAGIC_BITS);

    for (unsigned i = 0; i < n; i += LANES) {
        u64xn sum = *(const u64xn_mem *)(u + i) + lift;
        f64xn x = ((f64xn)sum - magic) / div * mul;

        if (op->is_float)
            x = __builtin_convertvector(__builtin_convertvector(x, f32xn), f64xn);
        if (n - i >= LANES)
            *(f64xn_mem *)(out + i) = x;
        else
            memcpy(out + i, &x, (n - i) * sizeof(double));
    }
}

static inline TARGET void loop_narrow(const double *v, unsigned n, uint64_t *u)
{
    double pad[LANES];

    for (unsigned i = 0; i < n; i += LANES) {
        f64xn x = *(const f64xn_mem *)loop_at(v, i, n, pad);
        u32xn bits = (u32xn) __builtin_convertvector(x, f32xn);

        *(u64xn_mem *)(u + i) = __builtin_convertvector(bits, u64xn);
    }
}

static inline TARGET void loop_widen(const uint64_t *u, unsigned n, double *out)
{
    unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES) {
        u32xn bits = __builtin_convertvector(*(const u64xn_mem *)(u + i), u32xn);

        *(f64xn_mem *)(out + i) = __builtin_convertvector((f32xn)bits, f64xn);
    }
    for (unsigned i = whole; i < n; i++) {
        uint32_t bits = (uint32_t)u[i];

        out[i] = (double)ta_get_f32(&bits);
    }
}

static inline TARGET void loop_add(const double *v, unsigned n, double *acc)
{
    unsigned whole = n / LANES * LANES;

    for (unsigned i = 0; i < whole; i += LANES)
        *(f64xn_mem *)(acc + i) += *(const f64xn_mem *)(v + i);
    for (unsigned i = whole; i < n; i++)
        acc[i] += v[i];
}

#endif
