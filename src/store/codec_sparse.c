/* codec_sparse.c - mostly one value, and some others: what an idle interface or an idle node sends.
 *
 *   .   upper bytes of the common value, as many as the width says (as in CONST)
 *   .   a bit per value: 1 = not the common one
 *   1   codec of the others, and TA_RUN_FLOAT
 *   1   width of their packed values
 *   .   their body; any codec but this one
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <limits.h>
#include <string.h>

enum { INNER_HEAD_BYTES = 2 };

/* The view of the other values, `n` of them. */
static bool inner_view(struct ta_run_view *inner, unsigned n, struct ta_run_in *in)
{
    const unsigned char *head;

    if (!ta_in_bytes(in, INNER_HEAD_BYTES, &head))
        return false;
    *inner = (struct ta_run_view){
        .codec = head[0] & TA_RUN_CODEC_MASK,
        .is_float = (head[0] & TA_RUN_FLOAT) != 0,
        .width = head[1],
        .len = (uint16_t)n,
        .span = (uint16_t)n,
        .count = (uint16_t)n,
    };
    if (head[0] & ~(TA_RUN_CODEC_MASK | TA_RUN_FLOAT) || inner->width > TA_RUN_WIDTH_MAX ||
        inner->codec == TA_CODEC_SPARSE)
        return false;
    if (inner->is_float && inner->codec != TA_CODEC_SPLIT && inner->codec != TA_CODEC_BITS)
        return false;
    const struct ta_codec *row = ta_codec_row(inner->codec);
    return row && row->parse(inner, in);
}

static bool parse_sparse(struct ta_run_view *view, struct ta_run_in *in)
{
    struct ta_run_view inner;

    if (!ta_codec_const.parse(view, in) || !ta_in_bytes(in, (view->count + 7U) / 8, &view->table))
        return false;
    if (view->count % 8 != 0 && view->table[view->count / 8] >> view->count % 8 != 0)
        return false;
    view->n_table = (uint16_t)ta_bitmap_rank(view->table, view->count);
    view->data = in->at;
    return view->n_table > 0 && inner_view(&inner, view->n_table, in);
}

static void decode_sparse(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    double value[TA_RUN_ROUNDED];
    struct ta_run_view inner;
    struct ta_run_in in = {view->data, INT_MAX};
    unsigned begin = ta_bitmap_rank(view->table, first);
    unsigned end = ta_bitmap_rank(view->table, first + n);

    if (inner_view(&inner, view->n_table, &in))
        ta_run_values(&inner, begin, end - begin, value);
    ta_codec_kernels()->spread(view->table, first, n, value, ta_get_f64(&view->base), out);
}

/* A value that more than half of all have comes twice in a row somewhere, at an even place: columns that vary are done
 * with at once. */
static bool has_twins(const double *x, unsigned n)
{
    bool any = n < 3;

    for (unsigned i = 0; i + 1 < n; i += 2)
        any |= ta_get_u64(&x[i]) == ta_get_u64(&x[i + 1]);
    return any;
}

/* The value that more than half of all have, if there is one (Boyer and Moore's vote); else any. Without
 * branches, which no processor could foresee. */
static uint64_t most_common(const double *x, unsigned n)
{
    uint64_t common = 0;
    unsigned votes = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t bits = ta_get_u64(&x[i]);

        common = votes == 0 ? bits : common;
        votes += common == bits ? 1U : -1U;
    }
    return common;
}

/* Fills the other values and the bitmap; how many there are. */
static unsigned take_others(const struct ta_run_work *work, uint64_t common,
                            struct ta_run_sparse *sparse)
{
    unsigned n = 0;

    for (unsigned i = 0; i < work->n; i += 8) {
        unsigned byte = 0, end = work->n - i < 8 ? work->n - i : 8;

        for (unsigned k = 0; k < end; k++) {
            unsigned differs = ta_get_u64(&work->x[i + k]) != common;

            sparse->value[n] = work->x[i + k];
            n += differs;
            byte |= differs << k;
        }
        sparse->bitmap[i / 8] = (unsigned char)byte;
    }
    return n;
}

/* Inside, the first codec that serves is taken unless everything is searched anyway. */
static void plan_inner(struct ta_run_work *inner, const struct ta_run_work *outer,
                       struct ta_run_plan *plan)
{
    static const uint8_t tried[] = {TA_CODEC_CONST, TA_CODEC_FOR, TA_CODEC_SPLIT, TA_CODEC_BITS,
                                    TA_CODEC_RAW};

    if (outer->is_search) {
        ta_run_plan_best(inner, plan);
        return;
    }
    inner->is_search = false;
    inner->cut = outer->cut;
    (void)ta_run_try_grid(inner, outer->grid);
    for (unsigned i = 0; i < sizeof(tried); i++) {
        if (ta_codec_row(tried[i])->plan(inner, plan))
            return;
    }
}

static bool plan_sparse(struct ta_run_work *work, struct ta_run_plan *plan)
{
    struct ta_run_sparse *sparse = work->sparse;

    if (!sparse || !has_twins(work->x, work->n))
        return false;
    uint64_t common = most_common(work->x, work->n);
    struct ta_run_work *inner = &sparse->work;
    inner->n = take_others(work, common, sparse);
    if (inner->n == 0 || inner->n > work->n / 2)
        return false;
    if (ta_packed_bytes(work->n, 1) + INNER_HEAD_BYTES >= work->to_beat)
        return false;
    inner->k = work->k;
    inner->x = sparse->value;
    inner->sparse = NULL;
    inner->seen = inner->k->scan(inner->x, inner->n);
    plan_inner(inner, work, &sparse->plan);
    *plan = (struct ta_run_plan){.codec = TA_CODEC_SPARSE, .base = common};
    plan->width = (uint8_t)(common ? 8 - (unsigned)__builtin_ctzll(common) / 8 : 0);
    plan->bytes = plan->width + ta_packed_bytes(work->n, 1) + INNER_HEAD_BYTES + sparse->plan.bytes;
    return true;
}

static void emit_sparse(struct ta_run_work *work, const struct ta_run_plan *plan,
                        unsigned char *out)
{
    struct ta_run_sparse *sparse = work->sparse;
    const struct ta_run_plan *inner = &sparse->plan;

    ta_codec_const.emit(work, plan, out);
    out += plan->width;
    memcpy(out, sparse->bitmap, ta_packed_bytes(work->n, 1));
    out += ta_packed_bytes(work->n, 1);
    *out++ = (unsigned char)(inner->codec | (inner->is_float ? TA_RUN_FLOAT : 0));
    *out++ = inner->width;
    ta_codec_row(inner->codec)->emit(&sparse->work, inner, out);
}

const struct ta_codec ta_codec_sparse = {"sparse", parse_sparse, decode_sparse, plan_sparse,
                                         emit_sparse};
