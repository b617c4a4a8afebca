/* codec_simple.c - the two codecs at the ends: one value for all, and every value as it is.
 *
 *   CONST   the upper bytes of the binary64, as many as the width says: what follows is 0
 *   RAW     binary64 each
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <string.h>

static bool parse_const(struct ta_run_view *view, struct ta_run_in *in)
{
    if (view->width > sizeof(double) || !ta_in_bytes(in, view->width, &view->data))
        return false;
    view->base = 0;
    memcpy((unsigned char *)&view->base + sizeof(double) - view->width, view->data, view->width);
    return true;
}

static void decode_const(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    double v = ta_get_f64(&view->base);

    (void)first;
    for (unsigned i = 0; i < n; i++)
        out[i] = v;
}

static bool plan_const(struct ta_run_work *work, struct ta_run_plan *plan)
{
    uint64_t bits = ta_get_u64(work->x);

    *plan = (struct ta_run_plan){.codec = TA_CODEC_CONST, .base = bits};
    plan->width = (uint8_t)(bits ? 8 - (unsigned)__builtin_ctzll(bits) / 8 : 0);
    plan->bytes = plan->width;
    return !(work->seen & TA_SCAN_VARIES);
}

static void emit_const(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    (void)work;
    memcpy(out, (const unsigned char *)&plan->base + sizeof(double) - plan->width, plan->width);
}

static bool parse_raw(struct ta_run_view *view, struct ta_run_in *in)
{
    return ta_in_bytes(in, view->count * sizeof(double), &view->data);
}

static void decode_raw(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    memcpy(out, view->data + first * sizeof(double), n * sizeof(double));
}

static bool plan_raw(struct ta_run_work *work, struct ta_run_plan *plan)
{
    *plan = (struct ta_run_plan){.codec = TA_CODEC_RAW, .bytes = work->n * sizeof(double)};
    return true;
}

static void emit_raw(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    memcpy(out, work->x, plan->bytes);
}

const struct ta_codec ta_codec_const = {"const", parse_const, decode_const, plan_const, emit_const};
const struct ta_codec ta_codec_raw = {"raw", parse_raw, decode_raw, plan_raw, emit_raw};
