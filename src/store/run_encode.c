/* run_encode.c - choose a codec and write a run.
 *
 * Short runs are written with what the column's hint says and searched only when that fails. Long runs also
 * search at every fourth time, so that a column whose nature changed finds the cheaper codec again.
 * A search plans every codec and takes the smallest.
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* hint->codecs: codec of short runs, codec of long ones (3 bits each), long runs until a search. */
enum { LONG_SHIFT = 3, WAIT_SHIFT = 6, CODEC_MASK = 7, WAIT_MAX = 3 };

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

    memset(gaps->bitmap, 0, sizeof(gaps->bitmap));
    for (unsigned i = 0; i < n; i++) {
        bool present = !isnan(v[i]);

        out[kept] = v[i];
        kept += present ? 1 : 0;
        gaps->bitmap[i / 8] = (unsigned char)(gaps->bitmap[i / 8] | (present ? 1U << i % 8 : 0));
        last = present ? i : last;
        first = present && first == n ? i : first;
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

static bool try_grid(struct ta_run_work *work, struct ta_grid grid)
{
    struct ta_grid_op op;

    work->grid = grid;
    work->has_grid = ta_grid_op(grid, &op) &&
                     work->k->to_ints(work->x, work->n, &op, work->m, &work->lo, &work->hi);
    return work->has_grid;
}

/* The plan of the codec that served last; false when it serves no more. */
static bool plan_as_before(struct ta_run_work *work, unsigned codec, struct ta_run_hint hint,
                           struct ta_run_plan *plan)
{
    struct ta_grid grid = {hint.grid, ta_grid_has_arg(hint.grid) ? hint.arg : 0};

    work->grid = grid;
    if ((codec == TA_CODEC_FOR || codec == TA_CODEC_DELTA) && !try_grid(work, grid))
        return false;
    return ta_codec_row(codec)->plan(work, hint.arg, plan) &&
           plan->bytes <= work->n * sizeof(double);
}

static void plan_best(struct ta_run_work *work, struct ta_run_plan *plan)
{
    static const uint8_t tried[] = {TA_CODEC_FOR, TA_CODEC_DICT, TA_CODEC_SPLIT, TA_CODEC_BITS};
    struct ta_grid grid = {0, 0};

    if (ta_grid_find(work->x, work->n, !(work->seen & TA_SCAN_WIDE), &grid))
        (void)try_grid(work, grid);
    (void)ta_codec_raw.plan(work, 0, plan);
    for (unsigned i = 0; i < sizeof(tried); i++) {
        struct ta_run_plan other;

        if (ta_codec_row(tried[i])->plan(work, 0, &other) && other.bytes < plan->bytes)
            *plan = other;
    }
}

/* Plans from the hint where it serves, else by search, and brings the hint up to date. */
static void choose(struct ta_run_work *work, struct ta_run_hint *hint, struct ta_run_plan *plan)
{
    bool is_long = work->n >= TA_RUN_STATS_SLOTS;
    unsigned shift = is_long ? LONG_SHIFT : 0;
    unsigned codec = hint->codecs >> shift & CODEC_MASK;
    unsigned other = hint->codecs >> (LONG_SHIFT - shift) & CODEC_MASK;
    unsigned wait = hint->codecs >> WAIT_SHIFT;

    if (codec >= TA_CODEC_CONST)
        codec = TA_CODEC_NONE;
    if (codec != TA_CODEC_NONE && !(is_long && wait == 0) &&
        plan_as_before(work, codec, *hint, plan)) {
        hint->codecs = (uint8_t)(hint->codecs - (is_long ? 1U << WAIT_SHIFT : 0));
        return;
    }
    plan_best(work, plan);
    /* What long runs learned of a column holds for its short ones too, and they know it the sooner. */
    if (is_long && plan->codec != codec)
        other = TA_CODEC_NONE;
    wait = is_long ? WAIT_MAX : wait;
    hint->codecs = (uint8_t)((unsigned)plan->codec << shift | other << (LONG_SHIFT - shift) |
                             wait << WAIT_SHIFT);
    if (plan->codec == TA_CODEC_SPLIT)
        hint->arg = plan->cut;
    else if (work->has_grid)
        hint->grid = work->grid.code, hint->arg = work->grid.arg;
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
    struct ta_run_plan plan;
    struct gaps gaps;
    double values[TA_RUN_SLOTS_MAX + 1];

    assert(n <= TA_RUN_SLOTS_MAX && room >= TA_RUN_ROOM(n));
    (void)room;
    work.k = ta_codec_kernels();
    work.x = v;
    work.n = n;
    work.has_grid = false;
    work.grid = (struct ta_grid){0, 0};
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
    if (!ta_codec_const.plan(&work, 0, &plan))
        choose(&work, hint, &plan);
    return put_run(&work, &plan, n, &gaps, out);
}
