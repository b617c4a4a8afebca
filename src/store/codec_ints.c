/* codec_ints.c - integers on a grid: above their least (FOR), or their differences (DELTA).
 *
 *   FOR     grid, zigzag least integer, packed (m - least)
 *   DELTA   grid, zigzag integer before the first, zigzag least difference, packed (difference - least)
 *
 * The integer "before the first" is such that the first packed value is 0. Differences are taken only
 * when they save a tenth: they cost a running sum at every reading, and reading from the middle.
 */
#include "store/run_int.h"

static bool parse_for(struct ta_run_view *view, struct ta_run_in *in)
{
    int64_t base;

    if (!ta_in_grid(in, &view->op) || !ta_in_zigzag(in, &base))
        return false;
    view->base = (uint64_t)base;
    return ta_in_bytes(in, ta_packed_bytes(view->count, view->width), &view->data);
}

static bool parse_delta(struct ta_run_view *view, struct ta_run_in *in)
{
    int64_t base;

    if (!ta_in_grid(in, &view->op) || !ta_in_zigzag(in, &base) || !ta_in_zigzag(in, &view->step))
        return false;
    view->base = (uint64_t)base;
    return ta_in_bytes(in, ta_packed_bytes(view->count, view->width), &view->data);
}

static void decode_for(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    uint64_t u[TA_RUN_ROUNDED];

    ta_unpack(view->data, view->width, first, n, u);
    ta_codec_kernels()->from_ints(u, n, (int64_t)view->base, &view->op, out);
}

static void decode_delta(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    uint64_t u[TA_RUN_ROUNDED];
    const uint64_t step = (uint64_t)view->step;
    uint64_t m = view->base;

    ta_unpack(view->data, view->width, 0, first + n, u);
    /* By fours: the sum is the one thing that has to wait (u has room for whole groups). */
    for (unsigned i = 0; i < first + n; i += 4) {
        uint64_t a = u[i] + step, b = a + u[i + 1] + step, c = u[i + 2] + step;

        u[i] = m + a;
        u[i + 1] = m + b;
        u[i + 2] = m + b + c;
        m += b + c + u[i + 3] + step;
        u[i + 3] = m;
    }
    ta_codec_kernels()->from_ints(u + first, n, 0, &view->op, out);
}

static bool plan_ints(struct ta_run_work *work, struct ta_run_plan *plan)
{
    const int64_t *m = work->m;
    int64_t least = 0;
    int64_t most = 0;
    size_t head = ta_grid_bytes(work->grid);

    if (!work->has_grid)
        return false;
    if (work->n > 1)
        work->k->steps(m, work->n, &least, &most);
    unsigned width = ta_bit_width((uint64_t)work->hi - (uint64_t)work->lo);
    unsigned width_delta = ta_bit_width((uint64_t)most - (uint64_t)least);
    size_t bytes = head + ta_zigzag_bytes(work->lo) + ta_packed_bytes(work->n, width);
    size_t bytes_delta = head + ta_zigzag_bytes(m[0] - least) + ta_zigzag_bytes(least) +
                         ta_packed_bytes(work->n, width_delta);

    *plan = (struct ta_run_plan){.has_grid = true};
    if (bytes_delta + bytes_delta / 10 < bytes) {
        plan->codec = TA_CODEC_DELTA;
        plan->width = (uint8_t)width_delta;
        plan->base = (uint64_t)(m[0] - least);
        plan->step = least;
        plan->bytes = bytes_delta;
    } else {
        plan->codec = TA_CODEC_FOR;
        plan->width = (uint8_t)width;
        plan->base = (uint64_t)work->lo;
        plan->bytes = bytes;
    }
    return true; /* |m| < 2^51: no difference takes more than 53 bits */
}

static void emit_for(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    out = ta_put_grid(out, work->grid);
    out = ta_put_zigzag(out, (int64_t)plan->base);
    (void)ta_pack((const uint64_t *)work->m, work->n, plan->base, plan->width, out);
}

static void emit_delta(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    uint64_t before = plan->base;

    for (unsigned i = 0; i < work->n; i++) {
        work->u[i] = (uint64_t)work->m[i] - before;
        before = (uint64_t)work->m[i];
    }
    out = ta_put_grid(out, work->grid);
    out = ta_put_zigzag(out, (int64_t)plan->base);
    out = ta_put_zigzag(out, plan->step);
    (void)ta_pack(work->u, work->n, (uint64_t)plan->step, plan->width, out);
}

const struct ta_codec ta_codec_for = {"for", parse_for, decode_for, plan_ints, emit_for};
const struct ta_codec ta_codec_delta = {"delta", parse_delta, decode_delta, plan_ints, emit_delta};
