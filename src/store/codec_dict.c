/* codec_dict.c - few distinct values: a dictionary and an index per value.
 *
 *   1   number of entries - 1
 *   1   form of the entries: 255 = binary64; else the code of a grid, with its argument
 *   .   on a grid: zigzag least integer, 1 width, packed (m - least); else 8 bytes an entry
 *   .   packed indices
 *
 * Entries stand in the order of their first appearance.
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <string.h>

enum {
    FORM_RAW = 255,
    HASH_BITS = 10,
    HASH_BITS_SHORT = 6, /* clearing a large table would cost a short run more than its values */
    HASH_SLOTS = 1 << HASH_BITS,
    /* Of 64 values from 256 at random 57 differ, and more than 61 once in fifty times. */
    JUDGED = 64,
    JUDGED_MAX = 61
};

static bool parse_dict(struct ta_run_view *view, struct ta_run_in *in)
{
    uint8_t last;
    size_t bytes;

    if (!ta_in_u8(in, &last) || in->left == 0 || view->width > 8)
        return false;
    view->n_table = (uint16_t)(last + 1);
    view->has_grid = in->at[0] != FORM_RAW;
    if (view->has_grid) {
        int64_t base;

        if (!ta_in_grid(in, &view->op) || !ta_in_zigzag(in, &base) ||
            !ta_in_u8(in, &view->table_width) || view->table_width > TA_RUN_WIDTH_MAX)
            return false;
        view->base = (uint64_t)base;
        bytes = ta_packed_bytes(view->n_table, view->table_width);
    } else {
        in->at++;
        in->left--;
        bytes = (size_t)view->n_table * sizeof(double);
    }
    return ta_in_bytes(in, bytes, &view->table) &&
           ta_in_bytes(in, ta_packed_bytes(view->count, view->width), &view->data);
}

static void decode_dict(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    uint64_t u[TA_RUN_ROUNDED];
    double table[TA_RUN_DICT_MAX] = {
        0}; /* whole: a damaged run may have indices past its entries */

    if (view->has_grid) {
        ta_unpack(view->table, view->table_width, 0, view->n_table, u);
        ta_codec_kernels()->from_ints(u, view->n_table, (int64_t)view->base, &view->op, table);
    } else {
        memcpy(table, view->table, view->n_table * sizeof(double));
    }
    ta_unpack(view->data, view->width, first, n, u);
    for (unsigned i = 0; i < n; i++)
        out[i] = table[u[i]];
}

/* How many entries a dictionary may have to be worth it: more would need indices that make it too large alone. */
static unsigned entries_max(const struct ta_run_work *work)
{
    unsigned most = work->n / 2 < TA_RUN_DICT_MAX ? work->n / 2 : TA_RUN_DICT_MAX;

    while (most > 1) {
        unsigned width = ta_bit_width(most - 1);

        if (3 + ta_packed_bytes(work->n, width) < work->to_beat)
            break;
        most = 1U << (width - 1);
    }
    return most;
}

/* Fills work->entry and work->entry_of; the number of entries, or 0 when there are more than `most` or it looks as
 * if there would be. */
static unsigned collect(struct ta_run_work *work, unsigned most)
{
    const unsigned bits_at = 64 - (most <= 32 ? HASH_BITS_SHORT : HASH_BITS);
    const size_t mask = ((size_t)1 << (64 - bits_at)) - 1;
    uint16_t slots[HASH_SLOTS]; /* entry + 1 */
    unsigned n = 0;

    memset(slots, 0, (mask + 1) * sizeof(*slots));
    for (unsigned i = 0; i < work->n; i++) {
        uint64_t bits = ta_get_u64(&work->x[i]);
        size_t at = (bits * 0x9E3779B97F4A7C15) >> bits_at;

        while (slots[at] != 0 && work->entry[slots[at] - 1] != bits)
            at = (at + 1) & mask;
        if (slots[at] == 0) {
            if (n == most || (n == JUDGED_MAX && i < JUDGED && work->is_search))
                return 0;
            work->entry[n++] = bits;
            slots[at] = (uint16_t)n;
        }
        work->entry_of[i] = (uint16_t)(slots[at] - 1);
    }
    return n;
}

static bool plan_dict(struct ta_run_work *work, struct ta_run_plan *plan)
{
    unsigned most = entries_max(work);
    unsigned n_table = most > 1 ? collect(work, most) : 0;
    double entry[TA_RUN_DICT_MAX];
    int64_t m[TA_RUN_DICT_MAX + 4];
    int64_t lo;
    int64_t hi;
    struct ta_grid_op op;

    if (n_table == 0)
        return false;
    *plan = (struct ta_run_plan){.codec = TA_CODEC_DICT, .n_table = n_table};
    plan->width = (uint8_t)ta_bit_width(n_table - 1);
    memcpy(entry, work->entry, n_table * sizeof(double));
    if (ta_grid_op(work->grid, &op) && work->k->to_ints(entry, n_table, &op, m, &lo, &hi)) {
        plan->has_grid = true;
        plan->base = (uint64_t)lo;
        plan->table_width = (uint8_t)ta_bit_width((uint64_t)hi - plan->base);
        plan->bytes = ta_grid_bytes(work->grid) + ta_zigzag_bytes(lo) + 1 +
                      ta_packed_bytes(n_table, plan->table_width);
    } else {
        plan->bytes = 1 + n_table * sizeof(double);
    }
    plan->bytes += 1 + ta_packed_bytes(work->n, plan->width);
    return true;
}

static void emit_dict(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    struct ta_grid_op op;

    *out++ = (unsigned char)(plan->n_table - 1);
    if (plan->has_grid && ta_grid_op(work->grid, &op)) {
        double entry[TA_RUN_DICT_MAX];
        int64_t lo;
        int64_t hi;

        memcpy(entry, work->entry, plan->n_table * sizeof(double));
        (void)work->k->to_ints(entry, plan->n_table, &op, work->m, &lo, &hi);
        out = ta_put_grid(out, work->grid);
        out = ta_put_zigzag(out, (int64_t)plan->base);
        *out++ = plan->table_width;
        out +=
            ta_pack((const uint64_t *)work->m, plan->n_table, plan->base, plan->table_width, out);
    } else {
        *out++ = FORM_RAW;
        memcpy(out, work->entry, plan->n_table * sizeof(double));
        out += plan->n_table * sizeof(double);
    }
    for (unsigned i = 0; i < work->n; i++)
        work->u[i] = work->entry_of[i];
    (void)ta_pack(work->u, work->n, 0, plan->width, out);
}

const struct ta_codec ta_codec_dict = {"dict", parse_dict, decode_dict, plan_dict, emit_dict};
