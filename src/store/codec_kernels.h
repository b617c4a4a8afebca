/* codec_kernels.h - the inner loops of the codecs, for the processor at hand.
 *
 * One row per instruction set. All rows give the same bits (a test compares them); the plain row is C with the
 * compiler's vector types and builds everywhere. Every kernel works on at most TA_RUN_SLOTS_MAX values.
 */
#ifndef TARN_STORE_CODEC_KERNELS_H
#define TARN_STORE_CODEC_KERNELS_H

#include "store/codec_grid.h"
#include "store/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a scan finds. A missing value makes the other two findings meaningless. */
enum {
    TA_SCAN_MISSING = 1, /* some value is NaN */
    TA_SCAN_VARIES = 2,  /* not all have the bits of the first */
    TA_SCAN_WIDE = 4     /* some value is not a binary32 */
};

enum { TA_SPLIT_MAX = 16 }; /* distinct upper parts of split doubles */

struct ta_codec_kernels {
    const char *name;

    unsigned (*scan)(const double *v, unsigned n);

    /* m[i] = place of v[i] on the grid, lo and hi their extremes. False unless every value comes back bit for
     * bit and |m| < TA_GRID_M_END. m has room for n rounded up to 4. */
    bool (*to_ints)(const double *v, unsigned n, const struct ta_grid_op *op, int64_t *m,
                    int64_t *lo, int64_t *hi);

    /* out[i] = value of the integer base + u[i] on the grid; u is readable up to n rounded up to 4. */
    void (*from_ints)(const uint64_t *u, unsigned n, int64_t base, const struct ta_grid_op *op,
                      double *out);

    /* out[i] = bits [i * width, (i + 1) * width) of `in`, for width <= 56. Reads up to TA_RUN_PAD bytes
     * behind the last of them; out has room for n rounded up to 8. */
    void (*unpack)(const unsigned char *in, unsigned width, unsigned n, uint64_t *out);

    /* out[i] = the next of `value` where bit from + i of the bitmap is set, else `fill`. Up to 4 values behind
     * the last one taken are read and not used. */
    void (*spread)(const unsigned char *bitmap, unsigned from, unsigned n, const double *value,
                   double fill, double *out);

    /* n >= 1, no NaN. */
    void (*stats)(const double *v, unsigned n, struct ta_run_stats *out);

    void (*add)(const double *v, unsigned n, double *acc);

    /* Packs u[i] - base, each below 2^width, 1 <= width <= 56, one behind the other. Bits behind the last are 0; up to 8
     * bytes behind may be overwritten. */
    void (*pack)(const uint64_t *u, unsigned n, uint64_t base, unsigned width, unsigned char *out);

    /* The extremes of u, n >= 1. */
    void (*range)(const uint64_t *u, unsigned n, uint64_t *least, uint64_t *most);

    /* The extremes of m[i + 1] - m[i], n >= 2. */
    void (*steps)(const int64_t *m, unsigned n, int64_t *least, int64_t *most);

    /* Takes the bits from `cut` on, 16 at most, out of each u[i] into `upper`, in order of their first appearance, and puts the
     * index there instead of them. Returns how many there are; 0: more than TA_SPLIT_MAX, u is garbage. */
    unsigned (*split)(uint64_t *u, unsigned n, unsigned cut, uint16_t *upper);

    /* Puts them back: instead of each index the part in its place, upper[index]. An index from n_upper on, which only a
     * damaged run has, gives any; all TA_SPLIT_MAX are readable. */
    void (*join)(uint64_t *u, unsigned n, unsigned cut, const uint64_t *upper, unsigned n_upper);

    /* u[i] = bits of v[i] as binary32, which it is; u has room for n rounded up to 4. And back, from the low half of u[i]. */
    void (*narrow)(const double *v, unsigned n, uint64_t *u);
    void (*widen)(const uint64_t *u, unsigned n, double *out);
};

extern const struct ta_codec_kernels ta_codec_kernels_plain; /* codec_plain.c */
extern const struct ta_codec_kernels
    ta_codec_kernels_wide; /* codec_avx2.c: only for processors that have it */

/* The row with AVX2, or NULL when this build or this processor has none. */
static inline const struct ta_codec_kernels *ta_codec_kernels_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") ? &ta_codec_kernels_wide : NULL;
#else
    return NULL;
#endif
}

/* The best row for this processor; costs one load and a branch. */
static inline const struct ta_codec_kernels *ta_codec_kernels(void)
{
    const struct ta_codec_kernels *wide = ta_codec_kernels_avx2();

    return wide ? wide : &ta_codec_kernels_plain;
}

#endif
