/* codec_bits.c - doubles that lie on no grid, as bit patterns.
 *
 *   BITS    least pattern (8 bytes; 4 of binary32), packed (pattern - least)
 *   SPLIT   1 cut, 1 number of upper parts, u16 each, packed (index of the upper part, then `cut` low bits)
 *
 * Patterns of binary32 are those of the values rounded to it, when that loses nothing.
 * BITS serves values close to each other, SPLIT those in several neighbourhoods, zeros among them; the
 * idea is ALP-RD's (Afroozeh, Kuffo, Boncz: ALP: Adaptive Lossless floating-Point Compression, 2023),
 * without its exceptions. The low bits of a full double are noise and cannot be had for less.
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <string.h>

enum {
    UPPER_BITS = 16,
    UPPER_TRIED = 64, /* distinct upper parts looked at while the cut is searched */
    SLOT_BITS = 6
};

static bool parse_bits(struct ta_run_view *view, struct ta_run_in *in)
{
    const unsigned char *base;

    if (!ta_in_bytes(in, view->is_float ? 4 : 8, &base))
        return false;
    view->base = view->is_float ? ta_get_u32(base) : ta_get_u64(base);
    return ta_in_bytes(in, ta_packed_bytes(view->count, view->width), &view->data);
}

static bool parse_split(struct ta_run_view *view, struct ta_run_in *in)
{
    unsigned pattern_bits = view->is_float ? 32 : 64;
    uint8_t n_table;

    if (!ta_in_u8(in, &view->cut) || !ta_in_u8(in, &n_table) || n_table == 0 ||
        n_table > TA_SPLIT_MAX)
        return false;
    if (view->cut < pattern_bits - UPPER_BITS || view->cut >= pattern_bits ||
        view->width < view->cut || view->width - view->cut > 4)
        return false;
    view->n_table = n_table;
    return ta_in_bytes(in, n_table * sizeof(uint16_t), &view->table) &&
           ta_in_bytes(in, ta_packed_bytes(view->count, view->width), &view->data);
}

/* Turns n patterns at u into the doubles they stand for. */
static void from_patterns(const uint64_t *u, unsigned n, bool is_float, double *out)
{
    if (is_float)
        ta_codec_kernels()->widen(u, n, out);
    else
        memcpy(out, u, n * sizeof(*out));
}

static void decode_bits(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    uint64_t u[TA_RUN_ROUNDED];

    ta_unpack(view->data, view->width, first, n, u);
    for (unsigned i = 0; i < n; i++)
        u[i] += view->base;
    from_patterns(u, n, view->is_float, out);
}

static void decode_split(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    uint64_t u[TA_RUN_ROUNDED];
    uint64_t upper[TA_SPLIT_MAX] = {0}; /* whole: a damaged run may have indices past its table */

    for (size_t i = 0; i < view->n_table; i++)
        upper[i] = (uint64_t)ta_get_u16(view->table + 2 * i) << view->cut;
    ta_unpack(view->data, view->width, first, n, u);
    ta_codec_kernels()->join(u, n, view->cut, upper, view->n_table);
    from_patterns(u, n, view->is_float, out);
}

static void take_patterns(struct ta_run_work *work)
{
    work->is_split = false;
    if (work->seen & TA_SCAN_WIDE)
        memcpy(work->u, work->x, work->n * sizeof(*work->u));
    else
        work->k->narrow(work->x, work->n, work->u);
}

static bool plan_bits(struct ta_run_work *work, struct ta_run_plan *plan)
{
    uint64_t least, most;

    take_patterns(work);
    work->k->range(work->u, work->n, &least, &most);
    *plan = (struct ta_run_plan){.codec = TA_CODEC_BITS, .base = least};
    plan->is_float = !(work->seen & TA_SCAN_WIDE);
    plan->width = (uint8_t)ta_bit_width(most - least);
    plan->bytes = (plan->is_float ? 4 : 8) + ta_packed_bytes(work->n, plan->width);
    return plan->width <= TA_RUN_WIDTH_MAX;
}

static void emit_bits(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    ta_put_u64(out, plan->base);
    (void)ta_pack(work->u, work->n, plan->base, plan->width, out + (plan->is_float ? 4 : 8));
}

/* Adds `upper` to a short ascending list unless it is there; the new length. */
static unsigned list_add(uint64_t *list, unsigned n, uint64_t upper)
{
    unsigned at = n;

    while (at > 0 && list[at - 1] > upper)
        at--;
    if (at > 0 && list[at - 1] == upper)
        return n;
    memmove(list + at + 1, list + at, (n - at) * sizeof(*list));
    list[at] = upper;
    return n + 1;
}

/* Takes one bit from every upper part on the list, which stays ascending; the length that remains. */
static unsigned list_coarsen(uint64_t *list, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t upper = list[i] >> 1;

        list[kept] = upper;
        kept += i + 1 == n || list[i + 1] >> 1 != upper;
    }
    return kept;
}

static size_t split_bytes(unsigned n, unsigned cut, unsigned n_table)
{
    return 2 + n_table * sizeof(uint16_t) + ta_packed_bytes(n, cut + ta_bit_width(n_table - 1));
}

/* The cheapest cut, or 0: moves upwards from the lowest, merging upper parts as they lose bits. */
static unsigned find_cut(const struct ta_run_work *work, unsigned pattern_bits)
{
    uint64_t list[UPPER_TRIED + 1];
    unsigned n = 0;
    unsigned cut = pattern_bits - UPPER_BITS;
    unsigned best = 0;
    size_t best_bytes = SIZE_MAX;

    uint64_t lately[1 << SLOT_BITS]; /* upper parts that are on the list: most come again soon */
    memset(lately, 0xFF, sizeof(lately));
    for (unsigned i = 0; i < work->n; i++) {
        uint64_t upper = work->u[i] >> cut;
        uint64_t *slot = &lately[upper % (1 << SLOT_BITS)];
        if (*slot == upper)
            continue;
        *slot = upper;
        n = list_add(list, n, upper);
        for (; n > UPPER_TRIED; cut++) {
            n = list_coarsen(list, n);
            memset(lately, 0xFF, sizeof(lately));
        }
    }
    for (; cut < pattern_bits && cut <= TA_RUN_WIDTH_MAX - 4; cut++) {
        if (n <= TA_SPLIT_MAX && split_bytes(work->n, cut, n) < best_bytes) {
            best = cut;
            best_bytes = split_bytes(work->n, cut, n);
        }
        n = list_coarsen(list, n);
    }
    return best;
}

static bool plan_split(struct ta_run_work *work, struct ta_run_plan *plan)
{
    bool is_float = !(work->seen & TA_SCAN_WIDE);
    unsigned pattern_bits = is_float ? 32 : 64;

    take_patterns(work);
    unsigned cut = work->is_search ? find_cut(work, pattern_bits) : work->cut;
    if (cut < pattern_bits - UPPER_BITS || cut >= pattern_bits || cut > TA_RUN_WIDTH_MAX - 4)
        return false;
    *plan =
        (struct ta_run_plan){.codec = TA_CODEC_SPLIT, .cut = (uint8_t)cut, .is_float = is_float};
    plan->n_table = work->k->split(work->u, work->n, cut, plan->upper);
    if (plan->n_table == 0)
        return false;
    work->is_split = true;
    plan->width = (uint8_t)(cut + ta_bit_width(plan->n_table - 1));
    plan->bytes = split_bytes(work->n, cut, plan->n_table);
    return true;
}

static void emit_split(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out)
{
    uint16_t upper[TA_SPLIT_MAX];

    if (!work->is_split) { /* another plan was made after this one */
        take_patterns(work);
        (void)work->k->split(work->u, work->n, plan->cut, upper);
    }
    *out++ = plan->cut;
    *out++ = (unsigned char)plan->n_table;
    memcpy(out, plan->upper, plan->n_table * sizeof(uint16_t));
    out += plan->n_table * sizeof(uint16_t);
    (void)ta_pack(work->u, work->n, 0, plan->width, out);
}

const struct ta_codec ta_codec_bits = {"bits", parse_bits, decode_bits, plan_bits, emit_bits};
const struct ta_codec ta_codec_split = {"split", parse_split, decode_split, plan_split, emit_split};
