/* run_view.c - take the bytes of a run apart.
 *
 * One reader for all, bounded by the room it is given: ta_run_check calls it with the size of the file's
 * bytes, readers of checked runs with no bound.
 */
#include "store/run_int.h"

#include "base/bytes.h"
#include "base/err.h"

#include <limits.h>
#include <string.h>

enum { WIDTH_SHIFT = 10, LEN_MASK = (1 << WIDTH_SHIFT) - 1 };

static const struct ta_codec *const rows[TA_CODECS] = {
    [TA_CODEC_FOR] = &ta_codec_for,       [TA_CODEC_DELTA] = &ta_codec_delta,
    [TA_CODEC_DICT] = &ta_codec_dict,     [TA_CODEC_SPLIT] = &ta_codec_split,
    [TA_CODEC_BITS] = &ta_codec_bits,     [TA_CODEC_RAW] = &ta_codec_raw,
    [TA_CODEC_SPARSE] = &ta_codec_sparse, [TA_CODEC_CONST] = &ta_codec_const,
};

const struct ta_codec *ta_codec_row(unsigned codec)
{
    return codec < TA_CODECS ? rows[codec] : NULL;
}

unsigned ta_bitmap_rank(const unsigned char *bitmap, unsigned n)
{
    unsigned rank = 0;

    for (unsigned i = 0; i < n; i += 64) {
        uint64_t word = ta_get_u64(bitmap + i / 8);

        if (n - i < 64)
            word &= (1ULL << (n - i)) - 1;
        rank += (unsigned)__builtin_popcountll(word);
    }
    return rank;
}

/* A bit per slot of the span; the bits behind the last slot are 0. */
static bool view_bitmap(struct ta_run_view *view, struct ta_run_in *in)
{
    if (!ta_in_bytes(in, (view->span + 7U) / 8, &view->bitmap))
        return false;
    return view->span % 8 == 0 || view->bitmap[view->span / 8] >> view->span % 8 == 0;
}

static bool view_gaps(struct ta_run_view *view, struct ta_run_in *in)
{
    const unsigned char *p;

    if (view->len <= TA_RUN_BITMAP_SLOTS) {
        if (!view_bitmap(view, in))
            return false;
        view->count = (uint16_t)ta_bitmap_rank(view->bitmap, view->span);
        return true;
    }
    if (!ta_in_bytes(in, 6, &p))
        return false;
    view->lead = ta_get_u16(p);
    view->span = ta_get_u16(p + 2);
    view->count = ta_get_u16(p + 4);
    if (view->lead > view->len || view->span > view->len - view->lead || view->count > view->span)
        return false;
    return view->count == view->span || view_bitmap(view, in);
}

static bool view_read(struct ta_run_view *view, struct ta_run_in *in)
{
    const unsigned char *head;

    if (!ta_in_bytes(in, TA_RUN_HEAD_BYTES, &head))
        return false;
    unsigned shape = ta_get_u16(head + 1);
    *view = (struct ta_run_view){
        .codec = head[0] & TA_RUN_CODEC_MASK,
        .width = (uint8_t)(shape >> WIDTH_SHIFT),
        .is_float = (head[0] & TA_RUN_FLOAT) != 0,
        .len = (uint16_t)(shape & LEN_MASK),
    };
    if (view->len > TA_RUN_SLOTS_MAX || view->width > TA_RUN_WIDTH_MAX || view->codec >= TA_CODECS)
        return false;
    if (view->codec == TA_CODEC_NONE)
        return head[0] == TA_CODEC_NONE && view->width == 0;
    if (head[0] & ~(TA_RUN_CODEC_MASK | TA_RUN_GAPS | TA_RUN_STATS | TA_RUN_FLOAT))
        return false;
    if (view->is_float && view->codec != TA_CODEC_SPLIT && view->codec != TA_CODEC_BITS)
        return false;
    view->span = view->count = view->len;
    if ((head[0] & TA_RUN_STATS) && !ta_in_bytes(in, TA_RUN_STATS_BYTES, &view->stats))
        return false;
    if ((head[0] & TA_RUN_GAPS) && !view_gaps(view, in))
        return false;
    return view->count > 0 && rows[view->codec]->parse(view, in);
}

int ta_run_view_init(struct ta_run_view *view, const unsigned char *p, size_t room)
{
    struct ta_run_in in = {p, room};

    return view_read(view, &in) ? (int)(in.at - p) : TA_EFORMAT;
}

/* A range that begins inside a group of eight is decoded from the group's begin. */
void ta_run_values(const struct ta_run_view *view, unsigned first, unsigned n, double *out)
{
    unsigned skip = first % 8;
    const struct ta_codec *codec = rows[view->codec];

    if (n == 0)
        return;
    if (skip == 0) {
        codec->decode(view, first, n, out);
    } else {
        double group[TA_RUN_ROUNDED];

        codec->decode(view, first - skip, n + skip, group);
        memcpy(out, group + skip, n * sizeof(*out));
    }
}

int ta_run_check(const unsigned char *p, size_t room)
{
    struct ta_run_view view;
    int r = ta_run_view_init(&view, p, room < INT_MAX ? room : INT_MAX);

    if (r >= 0 && view.bitmap && ta_bitmap_rank(view.bitmap, view.span) != view.count)
        return TA_EFORMAT;
    return r;
}

unsigned ta_run_len(const unsigned char *run)
{
    return ta_get_u16(run + 1) & LEN_MASK;
}

unsigned ta_run_count(const unsigned char *run)
{
    struct ta_run_view view;

    return ta_run_view_init(&view, run, INT_MAX) < 0 ? 0 : view.count;
}

size_t ta_run_bytes(const unsigned char *run)
{
    struct ta_run_view view;
    int r = ta_run_view_init(&view, run, INT_MAX);

    return r < 0 ? 0 : (size_t)r;
}

const char *ta_run_codec(const unsigned char *run)
{
    const struct ta_codec *row = ta_codec_row(run[0] & TA_RUN_CODEC_MASK);

    return row ? row->name : "empty";
}
