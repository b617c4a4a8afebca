/* codec_plain.c - the kernels for every processor, and the choice between the rows. */
#include "store/codec_kernels.h"
#include "store/codec_loops.h"

#include "base/bytes.h"

#include <stddef.h>

static void plain_unpack(const unsigned char *in, unsigned width, unsigned n, uint64_t *out)
{
    const uint64_t mask = (1ULL << width) - 1;
    size_t bit = 0;

    for (unsigned i = 0; i < n; i++, bit += width)
        out[i] = ta_get_u64(in + bit / 8) >> bit % 8 & mask;
}

static void plain_spread(const unsigned char *bitmap, unsigned from, unsigned n,
                         const double *value, double fill, double *out)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned present = bitmap[(from + i) / 8] >> (from + i) % 8 & 1;

        out[i] = present ? *value : fill;
        value += present;
    }
}

/* Four sums side by side, as the wider kernel adds: every row gives the same bits. */
static void plain_stats(const double *v, unsigned n, struct ta_run_stats *out)
{
    double sum[4] = {0, 0, 0, 0};
    unsigned whole = n / 4 * 4;
    double lo = v[0];
    double hi = v[0];

    for (unsigned i = 0; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    for (unsigned i = 0; i < whole; i += 4) {
        for (unsigned k = 0; k < 4; k++)
            sum[k] += v[i + k];
    }
    *out = (struct ta_run_stats){n, (sum[0] + sum[1]) + (sum[2] + sum[3]), lo, hi};
    for (unsigned i = whole; i < n; i++)
        out->sum += v[i];
}

const struct ta_codec_kernels ta_codec_kernels_plain = {
    "plain",      loop_scan,    loop_to_ints, loop_from_ints,
    plain_unpack, plain_spread, plain_stats,  loop_add,
};

const struct ta_codec_kernels *ta_codec_kernels(void)
{
    const struct ta_codec_kernels *avx2 = ta_codec_kernels_avx2();

    return avx2 ? avx2 : &ta_codec_kernels_plain;
}
