/* codec_plain.c - the kernels for every processor. */
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

/* What is packed so far. */
struct packed {
    unsigned char *out;
    uint64_t word;
    unsigned fill; /* bits of `word` in use: at most 7 between steps, so that 56 more fit */
};

/* `per` values at a time, which together have at most 56 bits: each step waits for the one before. Returns how many
 * values that made. */
static inline unsigned pack_by(unsigned per, const uint64_t *u, unsigned n, uint64_t base,
                               unsigned width, struct packed *p)
{
    unsigned i = 0;

    for (; i + per <= n; i += per) {
        uint64_t bits = 0;

        for (unsigned k = 0; k < per; k++)
            bits |= (u[i + k] - base) << k * width;
        p->word |= bits << p->fill;
        p->fill += per * width;
        ta_put_u64(p->out, p->word);
        p->out += p->fill / 8;
        p->word >>= p->fill & ~7U;
        p->fill &= 7;
    }
    return i;
}

static void plain_pack(const uint64_t *u, unsigned n, uint64_t base, unsigned width,
                       unsigned char *out)
{
    struct packed p = {out, 0, 0};
    unsigned i = 0;

    if (width <= 14)
        i = pack_by(4, u, n, base, width, &p);
    else if (width <= 28)
        i = pack_by(2, u, n, base, width, &p);
    (void)pack_by(1, u + i, n - i, base, width, &p);
}

static void plain_range(const uint64_t *u, unsigned n, uint64_t *least, uint64_t *most)
{
    *least = *most = u[0];
    for (unsigned i = 1; i < n; i++) {
        *least = u[i] < *least ? u[i] : *least;
        *most = u[i] > *most ? u[i] : *most;
    }
}

static void plain_steps(const int64_t *m, unsigned n, int64_t *least, int64_t *most)
{
    *least = *most = m[1] - m[0];
    for (unsigned i = 2; i < n; i++) {
        int64_t d = m[i] - m[i - 1];

        *least = d < *least ? d : *least;
        *most = d > *most ? d : *most;
    }
}

static unsigned plain_split(uint64_t *u, unsigned n, unsigned cut, uint16_t *upper)
{
    enum { SLOT_BITS = 6 };
    uint8_t slots[1 << SLOT_BITS] = {0}; /* where an upper part was found last: index + 1 */
    uint64_t low = (1ULL << cut) - 1;
    unsigned n_upper = 0;

    for (unsigned i = 0; i < n; i++) {
        uint16_t part = (uint16_t)(u[i] >> cut);
        uint8_t *slot = &slots[(uint16_t)(part * 0x9E37U) >> (16 - SLOT_BITS)];

        if (*slot == 0 || upper[*slot - 1] != part) {
            unsigned at = 0;

            while (at < n_upper && upper[at] != part)
                at++;
            if (at == TA_SPLIT_MAX)
                return 0;
            upper[at] = part;
            n_upper = at < n_upper ? n_upper : at + 1;
            *slot = (uint8_t)(at + 1);
        }
        u[i] = (uint64_t)(*slot - 1) << cut | (u[i] & low);
    }
    return n_upper;
}

static void plain_join(uint64_t *u, unsigned n, unsigned cut, const uint64_t *upper,
                       unsigned n_upper)
{
    uint64_t low = (1ULL << cut) - 1;

    (void)n_upper;
    for (unsigned i = 0; i < n; i++)
        u[i] = upper[u[i] >> cut] | (u[i] & low);
}

const struct ta_codec_kernels ta_codec_kernels_plain = {
    .name = "plain",
    .scan = loop_scan,
    .to_ints = loop_to_ints,
    .from_ints = loop_from_ints,
    .unpack = plain_unpack,
    .spread = plain_spread,
    .stats = plain_stats,
    .add = loop_add,
    .pack = plain_pack,
    .range = plain_range,
    .steps = plain_steps,
    .split = plain_split,
    .join = plain_join,
    .narrow = loop_narrow,
    .widen = loop_widen,
};
