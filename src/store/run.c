/* run.c - read a run: decode, add up, statistics.
 *
 * Values are decoded without their gaps and then spread over the slots.
 */
#include "store/run_int.h"

#include "base/bytes.h"

#include <assert.h>
#include <limits.h>
#include <math.h>

static void fill_missing(double *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (double)NAN;
}

static unsigned at_most(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void read_slots(const struct ta_run_view *view, unsigned from, unsigned n, double *out)
{
    if (view->count == view->len) {
        ta_run_values(view, from, n, out);
        return;
    }
    unsigned before = at_most(n, view->lead > from ? view->lead - from : 0U);
    fill_missing(out, before);
    unsigned begin = from + before > view->lead ? from + before - view->lead : 0;
    unsigned inside = at_most(n - before, view->span > begin ? view->span - begin : 0U);
    fill_missing(out + before + inside, n - before - inside);
    if (!view->bitmap) {
        ta_run_values(view, begin, inside, out + before);
    } else if (inside > 0) {
        double value[TA_RUN_ROUNDED];
        unsigned first = ta_bitmap_rank(view->bitmap, begin);
        unsigned last = begin + inside == view->span ? view->count
                                                     : ta_bitmap_rank(view->bitmap, begin + inside);

        ta_run_values(view, first, last - first, value);
        ta_codec_kernels()->spread(view->bitmap, begin, inside, value, (double)NAN, out + before);
    }
}

void ta_run_decode(const unsigned char *run, unsigned from, unsigned n, double *out)
{
    struct ta_run_view view;

    if (ta_run_view_init(&view, run, INT_MAX) < 0) {
        fill_missing(out, n);
        return;
    }
    assert(from <= view.len && n <= view.len - from);
    read_slots(&view, from, n, out);
}

void ta_run_add(const unsigned char *run, unsigned from, unsigned n, double *acc)
{
    double slot[TA_RUN_ROUNDED];

    ta_run_decode(run, from, n, slot);
    ta_codec_kernels()->add(slot, n, acc);
}

/* The statistics that a long run carries, without taking it apart. */
static bool stats_of_head(const unsigned char *run, unsigned len, struct ta_run_stats *out)
{
    const unsigned char *stats = run + TA_RUN_HEAD_BYTES;
    const unsigned char *gaps = stats + TA_RUN_STATS_BYTES;

    if (!(run[0] & TA_RUN_STATS) || len <= TA_RUN_BITMAP_SLOTS)
        return false;
    out->count = run[0] & TA_RUN_GAPS ? ta_get_u16(gaps + 4) : len;
    out->sum = ta_get_f64(stats);
    out->min = ta_get_f64(stats + 8);
    out->max = ta_get_f64(stats + 16);
    return true;
}

void ta_run_stats(const unsigned char *run, unsigned from, unsigned n, struct ta_run_stats *out)
{
    struct ta_run_view view;
    double slot[TA_RUN_ROUNDED];
    unsigned kept = 0;

    if (n == ta_run_len(run) && stats_of_head(run, n, out))
        return;
    *out = (struct ta_run_stats){0};
    if (ta_run_view_init(&view, run, INT_MAX) < 0)
        return;
    assert(from <= view.len && n <= view.len - from);
    if (n == view.len && view.codec == TA_CODEC_CONST) {
        double v = ta_get_f64(&view.base);

        *out = (struct ta_run_stats){view.count, v * view.count, v, v};
        return;
    }
    read_slots(&view, from, n, slot);
    if (view.count == view.len)
        kept = n;
    for (unsigned i = kept; i < n; i++) {
        slot[kept] = slot[i];
        kept += isnan(slot[i]) ? 0 : 1;
    }
    if (kept > 0)
        ta_codec_kernels()->stats(slot, kept, out);
}

void ta_run_stats_join(struct ta_run_stats *into, const struct ta_run_stats *other)
{
    if (other->count == 0)
        return;
    if (into->count == 0) {
        *into = *other;
        return;
    }
    into->count += other->count;
    into->sum += other->sum;
    into->min = other->min < into->min ? other->min : into->min;
    into->max = other->max > into->max ? other->max : into->max;
}
