/* run_encode.c - write a run: take the gaps out, have a codec chosen, head and body. */
#include "store/run_int.h"

#include "base/bytes.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct gaps {
    unsigned lead, span;
    unsigned char bitmap[TA_RUN_SLOTS_MAX / 8]; /* of all slots */
};

/* Copies the values that are there to `out` and notes where they are; their number. */
static unsigned squeeze(const double *v, unsigned n, double *out, struct gaps *gaps)
{
    unsigned kept = 0;
    unsigned first = n;
    unsigned last = 0;

    for (unsigned i = 0; i < n; i += 8) {
        unsigned byte = 0, end = n - i < 8 ? n - i : 8;

        for (unsigned k = 0; k < end; k++) {
            unsigned present = isnan(v[i + k]) ? 0U : 1U;

            out[kept] = v[i + k];
            kept += present;
            byte |= present << k;
        }
        gaps->bitmap[i / 8] = (unsigned char)byte;
        if (byte != 0) {
            first = first == n ? i + (unsigned)__builtin_ctz(byte) : first;
            last = i + 31 - (unsigned)__builtin_clz(byte);
        }
    }
    gaps->lead = first;
    gaps->span = kept ? last - first + 1 : 0;
    return kept;
}

static unsigned char *put_bitmap(unsigned char *out, const struct gaps *gaps, unsigned lead,
                                 unsigned span)
{
    memset(out, 0, (span + 7) / 8);
    for (unsigned i = 0; i < span; i++) {
        unsigned present = gaps->bitmap[(lead + i) / 8] >> (lead + i) % 8 & 1;

        out[i / 8] |= (unsigned char)(present << i % 8);
    }
    return out + (span + 7) / 8;
}

static unsigned char *put_gaps(unsigned char *out, const struct gaps *gaps, unsigned n,
                               unsigned count)
{
    if (n <= TA_RUN_BITMAP_SLOTS)
        return put_bitmap(out, gaps, 0, n);
    ta_put_u16(out, (uint16_t)gaps->lead);
    ta_put_u16(out + 2, (uint16_t)gaps->span);
    ta_put_u16(out + 4, (uint16_t)count);
    out += 6;
    return count < gaps->span ? put_bitmap(out, gaps, gaps->lead, gaps->span) : out;
}

static unsigned char *put_stats(unsigned char *out, const struct ta_run_work *work)
{
    struct ta_run_stats stats;

    work->k->stats(work->x, work->n, &stats);
    ta_put_f64(out, stats.sum);
    ta_put_f64(out + 8, stats.min);
    ta_put_f64(out + 16, stats.max);
    return out + TA_RUN_STATS_BYTES;
}

static size_t put_run(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned n,
                      const struct gaps *gaps, unsigned char *out)
{
    bool has_stats = n >= TA_RUN_STATS_SLOTS && plan->codec != TA_CODEC_CONST;
    unsigned char *at = out + TA_RUN_HEAD_BYTES;

    out[0] = (unsigned char)(plan->codec | (work->n < n ? TA_RUN_GAPS : 0) |
                             (has_stats ? TA_RUN_STATS : 0) | (plan->is_float ? TA_RUN_FLOAT : 0));
    ta_put_u16(out + 1, (uint16_t)(n | (unsigned)plan->width << 10));
    if (has_stats)
        at = put_stats(at, work);
    if (work->n < n)
        at = put_gaps(at, gaps, n, work->n);
    ta_codec_row(plan->codec)->emit(work, plan, at);
    return (size_t)(at - out) + plan->bytes;
}

size_t ta_run_encode(const double *v, unsigned n, struct ta_run_hint *hint, unsigned char *out,
                     size_t room)
{
    struct ta_run_work work;
    struct ta_run_sparse sparse;
    struct ta_run_plan plan;
    struct gaps gaps;
    double values[TA_RUN_SLOTS_MAX + 1];

    assert(n <= TA_RUN_SLOTS_MAX && room >= TA_RUN_ROOM(n));
    (void)room;
    work.k = ta_codec_kernels();
    work.x = v;
    work.n = n;
    work.sparse = &sparse;
    work.seen = work.k->scan(v, n);
    if (work.seen & TA_SCAN_MISSING) {
        work.n = squeeze(v, n, values, &gaps);
        work.x = values;
        work.seen = work.k->scan(values, work.n);
    }
    if (work.n == 0) {
        out[0] = TA_CODEC_NONE;
        ta_put_u16(out + 1, (uint16_t)n);
        return TA_RUN_HEAD_BYTES;
    }
    if (!ta_codec_const.plan(&work, &plan))
        ta_run_plan_choose(&work, hint, &plan);
    return put_run(&work, &plan, n, &gaps, out);
}
