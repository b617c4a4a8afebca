/* run_plan.c - choose a codec.
 *
 * Short runs are written with what the column's hint says and searched only when that fails. Long runs also
 * search at every fourth time, so that a column whose nature changed finds the cheaper codec again.
 * A search plans every codec that may be smaller than the best so far and takes the smallest.
 */
#include "store/run_int.h"

enum { SAMPLE = 32 }; /* values that propose a grid for all */

/* hint->codecs: codec of short runs, codec of long ones (3 bits each), long runs until a search. */
enum { LONG_SHIFT = 3, WAIT_SHIFT = 6, CODEC_MASK = 7, WAIT_MAX = 3 };

bool ta_run_try_grid(struct ta_run_work *work, struct ta_grid grid)
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

    work->is_search = false;
    work->to_beat = SIZE_MAX;
    work->cut = hint.arg;
    work->grid = grid;
    work->has_grid = false;
    if ((codec == TA_CODEC_FOR || codec == TA_CODEC_DELTA) && !ta_run_try_grid(work, grid))
        return false;
    return ta_codec_row(codec)->plan(work, plan) && plan->bytes <= work->n * sizeof(double);
}

/* Integers of few bits: no bit pattern of doubles is as short. */
static bool is_pointless(unsigned codec, const struct ta_run_plan *best)
{
    bool has_ints = best->codec == TA_CODEC_FOR || best->codec == TA_CODEC_DELTA;

    return (codec == TA_CODEC_SPLIT || codec == TA_CODEC_BITS) && has_ints && best->width <= 16;
}

/* What holds some values spread over the run is tried on all with the wide loop before they are gone through one by one: a
 * grid that none of them has, no run has. */
static bool find_grid(struct ta_run_work *work)
{
    bool is_float = !(work->seen & TA_SCAN_WIDE);
    struct ta_grid grid = {0, 0};

    work->grid = grid;
    work->has_grid = false;
    if (work->n >= 2 * SAMPLE) {
        double sample[SAMPLE];

        for (unsigned i = 0; i < SAMPLE; i++)
            sample[i] = work->x[(size_t)i * work->n / SAMPLE];
        if (!ta_grid_find(sample, SAMPLE, is_float, &grid))
            return false;
        if (ta_run_try_grid(work, grid))
            return true;
    }
    return ta_grid_find(work->x, work->n, is_float, &grid) && ta_run_try_grid(work, grid);
}

void ta_run_plan_best(struct ta_run_work *work, struct ta_run_plan *plan)
{
    static const uint8_t tried[] = {TA_CODEC_FOR, TA_CODEC_DICT, TA_CODEC_SPLIT, TA_CODEC_BITS,
                                    TA_CODEC_SPARSE};

    work->is_search = true;
    work->cut = 0;
    (void)find_grid(work);
    (void)ta_codec_raw.plan(work, plan);
    for (unsigned i = 0; i < sizeof(tried); i++) {
        struct ta_run_plan other;

        work->to_beat = plan->bytes;
        if (!is_pointless(tried[i], plan) && ta_codec_row(tried[i])->plan(work, &other) &&
            other.bytes < plan->bytes)
            *plan = other;
    }
}

/* Serve the same columns: which of them is smaller is a matter of a few bytes. */
static bool is_akin(unsigned a, unsigned b)
{
    static const uint8_t kin[TA_CODECS] = {
        [TA_CODEC_FOR] = 1,  [TA_CODEC_DELTA] = 1, [TA_CODEC_SPLIT] = 2,
        [TA_CODEC_BITS] = 2, [TA_CODEC_RAW] = 2,
    };

    return kin[a] != 0 && kin[a] == kin[b];
}

static void learn(struct ta_run_hint *hint, const struct ta_run_work *work,
                  const struct ta_run_plan *plan)
{
    if (plan->codec == TA_CODEC_SPARSE) {
        learn(hint, &work->sparse->work, &work->sparse->plan);
    } else if (plan->codec == TA_CODEC_SPLIT) {
        hint->arg = plan->cut;
    } else if (work->has_grid) {
        hint->grid = work->grid.code;
        hint->arg = work->grid.arg;
    }
}

void ta_run_plan_choose(struct ta_run_work *work, struct ta_run_hint *hint,
                        struct ta_run_plan *plan)
{
    bool is_long = work->n >= TA_RUN_STATS_SLOTS;
    unsigned shift = is_long ? LONG_SHIFT : 0;
    unsigned codec = hint->codecs >> shift & CODEC_MASK;
    unsigned other = hint->codecs >> (LONG_SHIFT - shift) & CODEC_MASK;
    unsigned wait = hint->codecs >> WAIT_SHIFT;

    if (codec != TA_CODEC_NONE && !(is_long && wait == 0) &&
        plan_as_before(work, codec, *hint, plan)) {
        hint->codecs = (uint8_t)(hint->codecs - (is_long ? 1U << WAIT_SHIFT : 0));
        return;
    }
    ta_run_plan_best(work, plan);
    /* What long runs learned of a column holds for its short ones too, and they know it the sooner. */
    if (is_long && plan->codec != codec && !is_akin(plan->codec, other))
        other = TA_CODEC_NONE;
    wait = is_long ? WAIT_MAX : wait;
    hint->codecs = (uint8_t)((unsigned)plan->codec << shift | other << (LONG_SHIFT - shift) |
                             wait << WAIT_SHIFT);
    learn(hint, work, plan);
}

void ta_run_hint_trust(struct ta_run_hint *hint)
{
    hint->codecs |= WAIT_MAX << WAIT_SHIFT;
}
