/* seal.c - from rows of doubles to compressed runs.
 *
 * A frame is sealed when writers have moved some slots past it: samples of one moment arrive in several
 * batches. Rows that lie over sealed slots are late samples: the runs that they touch are opened,
 * joined and encoded again, the others of the segment copied. Failure costs memory, not samples: the
 * rows stay and are read as before.
 */
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

enum {
    SLACK_SLOTS = 8, /* how far writers are past a frame when it is sealed */
    FRAMES_MAX = 4   /* more are open only where late samples are scattered */
};

enum { LANES = 8 }; /* positions turned from rows into columns at once: a cache line of each row */

typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

/* LANES cells of two rows that follow each other, into the columns: half the moves of one row at a time. */
static inline void turn_rows(const double *a, const double *b, uint32_t slot,
                             double out[LANES][WINDOW_SLOTS])
{
    for (uint32_t i = 0; i < LANES; i += 2) {
        pair x = *(const pair *)(a + i), y = *(const pair *)(b + i);

        *(pair *)&out[i][slot] = (pair){x[0], y[0]};
        *(pair *)&out[i + 1][slot] = (pair){x[1], y[1]};
    }
}

/* The values of positions [pos0, pos0 + n) of a frame, n <= LANES, as columns. Returns a bit for each that
 * holds any. The rows lie far apart and were written long ago: the lines of the next LANES positions are fetched
 * while these are encoded (1.0 ns a sample at 64 hosts of 580 series, 2.9 without that). */
static uint32_t frame_columns(const struct ta_frame *f, uint32_t pos0, uint32_t n,
                              double out[LANES][WINDOW_SLOTS])
{
    double missing[LANES];
    uint32_t has_any = 0;

    assert(pos0 >= f->pos0 && pos0 - f->pos0 < f->stride);
    pos0 -= f->pos0;
    n = n < f->stride - pos0 ? n : f->stride - pos0;
    for (uint32_t i = 0; i < LANES; i++)
        missing[i] = NAN;
    for (uint32_t slot = 0; slot < WINDOW_SLOTS; slot += 2) {
        const double *a = ta_frame_row(f, slot), *b = ta_frame_row(f, slot + 1);

        a = a ? a + pos0 : missing;
        b = b ? b + pos0 : missing;
        if (n == LANES) {
            __builtin_prefetch((const void *)((uintptr_t)a + (2 * LANES - 1) * sizeof(double)));
            __builtin_prefetch((const void *)((uintptr_t)b + (2 * LANES - 1) * sizeof(double)));
            turn_rows(a, b, slot, out);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            out[i][slot] = a[i];
            out[i][slot + 1] = b[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = 0;

        while (slot < WINDOW_SLOTS && isnan(out[i][slot]))
            slot++;
        has_any |= (uint32_t)(slot < WINDOW_SLOTS) << i;
    }
    return has_any;
}

static struct ta_run_hint *hint_of(struct ta_host *h, const struct ta_group *g, uint32_t pos)
{
    return &h->states[g->members[pos] & ~MEMBER_GONE].hint;
}

static bool is_gone(const struct ta_group *g, uint32_t pos)
{
    return (g->members[pos] & MEMBER_GONE) != 0;
}

static bool covers(const struct ta_segment *sg, const struct ta_frame *f)
{
    uint32_t slot = f->window * (uint32_t)WINDOW_SLOTS;

    return sg->slot0 <= slot && slot < ta_segment_end(sg);
}

static bool is_covered(const struct ta_group *g, const struct ta_frame *f)
{
    for (uint32_t i = 0; i < g->n_segs; i++)
        if (covers(g->segs[i], f))
            return true;
    return false;
}

/* The segment that the cells of `pos` in this window belong to: the one with a run for it, else the first
 * with a place for one; NULL: none has. */
static const struct ta_segment *owner(const struct ta_group *g, const struct ta_frame *f,
                                      uint32_t pos)
{
    const struct ta_segment *place = NULL;

    for (uint32_t i = 0; i < g->n_segs; i++) {
        const struct ta_segment *sg = g->segs[i];

        if (!covers(sg, f) || pos < sg->pos0 || pos - sg->pos0 >= sg->n_pos)
            continue;
        if (ta_segment_run(sg, pos))
            return sg;
        place = place ? place : sg;
    }
    return place;
}

/* The positions that both have: their first one and how many. */
static uint32_t shared(const struct ta_segment *sg, const struct ta_frame *f, uint32_t *out_first)
{
    uint32_t first = sg->pos0 > f->pos0 ? sg->pos0 : f->pos0;
    uint32_t end = sg->pos0 + sg->n_pos;

    end = end < f->pos0 + f->stride ? end : f->pos0 + f->stride;
    *out_first = first;
    return end > first ? end - first : 0;
}

/* A segment as it is, with what the frame holds for its positions laid over it. */
static int fold_into(struct ta_alloc *a, struct ta_host *h, struct ta_group *g,
                     const struct ta_frame *f, const struct ta_segment *sg,
                     struct ta_seg_builder *b, struct ta_segment **out)
{
    uint32_t first = f->window * (uint32_t)WINDOW_SLOTS - sg->slot0;
    double cells[TA_BUFFER_SLOTS], lanes[LANES][WINDOW_SLOTS];
    uint32_t pos0, has_late = 0;
    uint32_t n_shared = shared(sg, f, &pos0);
    uint32_t n_before = pos0 - sg->pos0;
    int r;

    ta_seg_reset(b);
    r = ta_seg_copy_part(b, sg, 0, n_before);
    for (uint32_t i = 0; i < n_shared && r == TA_OK; i++) {
        uint32_t pos = pos0 + i;
        const unsigned char *run = ta_segment_run(sg, pos);
        uint32_t n = run ? ta_run_len(run) : 0;

        if (i % LANES == 0)
            has_late = frame_columns(f, pos, LANES, lanes);
        if (is_gone(g, pos)) {
            r = ta_seg_copy(b, NULL);
            continue;
        }
        if (!(has_late >> i % LANES & 1) || owner(g, f, pos) != sg) {
            r = ta_seg_copy_part(b, sg, n_before + i, 1);
            continue;
        }
        if (run)
            ta_run_decode(run, 0, n, cells);
        for (; n < sg->n_slots; n++)
            cells[n] = NAN;
        for (uint32_t k = 0; k < WINDOW_SLOTS && first + k < n; k++)
            if (!isnan(lanes[i % LANES][k]))
                cells[first + k] = lanes[i % LANES][k];
        r = ta_seg_encode(b, cells, n, !g->is_restored, hint_of(h, g, pos));
    }
    if (r == TA_OK)
        r = ta_seg_copy_part(b, sg, n_before + n_shared, sg->n_pos - n_before - n_shared);
    return r < 0 ? r : ta_seg_make(b, a, sg->slot0, sg->n_slots, sg->pos0, out);
}

/* What no segment covers: a new one, for the positions between the first and the last of them. Those
 * between that others cover get no run here. *out is NULL when all is covered. */
static int seal_fresh(struct ta_alloc *a, struct ta_host *h, struct ta_group *g,
                      const struct ta_frame *f, struct ta_seg_builder *b, struct ta_segment **out)
{
    uint32_t slot0 = f->window * (uint32_t)WINDOW_SLOTS;
    uint32_t n_slots = g->capacity - slot0 < WINDOW_SLOTS ? g->capacity - slot0 : WINDOW_SLOTS;
    double lanes[LANES][WINDOW_SLOTS];
    uint32_t pos0 = 0, has_any = 0;
    uint32_t n = g->n_pos < f->pos0 + f->stride ? g->n_pos - f->pos0 : f->stride;
    bool is_first = !is_covered(g, f); /* most often: then no position is looked for in segments */
    int r = TA_OK;

    ta_seg_reset(b);
    *out = NULL;
    for (uint32_t i = 0; i < n && r == TA_OK; i++) {
        uint32_t pos = f->pos0 + i;

        if (i % LANES == 0)
            has_any = frame_columns(f, pos, LANES, lanes);
        if ((has_any >> i % LANES & 1) && !is_gone(g, pos) && (is_first || !owner(g, f, pos))) {
            if (!b->n_pos)
                pos0 = pos;
            r = ta_seg_encode(b, lanes[i % LANES], n_slots, true, hint_of(h, g, pos));
        } else if (b->n_pos) {
            r = ta_seg_copy(b, NULL);
        }
    }
    if (r < 0 || !b->n_pos)
        return r;
    while (b->off[b->n_pos - 1] == b->off[b->n_pos])
        b->n_pos--;
    return ta_seg_make(b, a, slot0, n_slots, pos0, out);
}

/* Series that come one after the other would leave a segment each: equal ones side by side are joined, as bits
 * carry in a sum, so that few remain and a run is copied only some times. Without memory they stay. */
static struct ta_segment *join_left(struct ta_alloc *a, struct ta_group *g, struct ta_segment *sg)
{
    uint32_t i = 0;

    while (i < g->n_segs) {
        struct ta_segment *left = g->segs[i];
        struct ta_segment *joined;

        if (left->slot0 != sg->slot0 || left->n_slots != sg->n_slots ||
            left->pos0 + left->n_pos != sg->pos0 || left->n_pos > sg->n_pos) {
            i++;
            continue;
        }
        if (ta_segment_join(a, left, sg, &joined) < 0)
            break;
        memmove(g->segs + i, g->segs + i + 1, (g->n_segs - i - 1) * sizeof(struct ta_segment *));
        g->n_segs--;
        ta_segment_free(a, left);
        ta_segment_free(a, sg);
        sg = joined;
        i = 0;
    }
    return sg;
}

int ta_seal_frame(struct ta_alloc *a, struct ta_host *h, struct ta_group *g, uint32_t i_frame,
                  struct ta_seg_builder *scratch)
{
    struct ta_frame *f = g->frames[i_frame];
    struct ta_segment *fresh;
    int r;

    assert(!g->is_pinned && !g->n_pending);
    /* The new one first: once a segment is replaced, the rows over it may as well stay a while. */
    r = seal_fresh(a, h, g, f, scratch, &fresh);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < g->n_segs; i++) {
        struct ta_segment *joined;
        uint32_t first;

        if (!covers(g->segs[i], f) || !shared(g->segs[i], f, &first))
            continue;
        r = fold_into(a, h, g, f, g->segs[i], scratch, &joined);
        if (r < 0) {
            ta_segment_free(a, fresh);
            return r;
        }
        ta_segment_free(a, g->segs[i]);
        g->segs[i] = joined;
    }
    fresh = fresh ? join_left(a, g, fresh) : NULL;
    r = fresh ? ta_group_add_segment(a, g, fresh) : TA_OK;
    if (r < 0) {
        ta_segment_free(a, fresh);
        return r;
    }
    g->row.ts_s = TA_ROW_NONE;
    memmove(g->frames + i_frame, g->frames + i_frame + 1,
            (g->n_frames - i_frame - 1) * sizeof(struct ta_frame *));
    g->n_frames--;
    ta_frame_free(a, f);
    return TA_OK;
}

void ta_seal_due(struct ta_alloc *a, struct ta_host *h, struct ta_group *g, uint32_t slot,
                 struct ta_seg_builder *scratch)
{
    uint32_t window = slot / WINDOW_SLOTS, i = 0;

    if (g->n_frames < 2 || g->is_pinned || g->n_pending)
        return;
    if (g->frames[0]->window == window)
        i = 1;
    if (slot >= (g->frames[i]->window + 1U) * WINDOW_SLOTS + SLACK_SLOTS ||
        g->n_frames > FRAMES_MAX)
        (void)ta_seal_frame(a, h, g, i, scratch); /* tried again with the next row */
}

int ta_seal_merge(struct ta_alloc *a, const struct ta_group *g, const struct ta_merge *m,
                  struct ta_seg_builder *scratch, struct ta_segment **out)
{
    double cells[TA_BUFFER_SLOTS];
    int r = TA_OK;

    ta_seg_reset(scratch);
    for (uint32_t pos = 0; pos < m->n_pos && r == TA_OK; pos++) {
        const unsigned char *whole = NULL;
        uint32_t n_runs = 0, at = 0;

        for (uint32_t i = 0; i < m->n_segs && !(m->members[pos] & MEMBER_GONE); i++) {
            const unsigned char *run = ta_segment_run(m->segs[i], pos);
            uint32_t first = m->segs[i]->slot0;

            if (!run)
                continue;
            whole = n_runs++ || first ? NULL : run;
            for (; at < first; at++)
                cells[at] = NAN;
            ta_run_decode(run, 0, ta_run_len(run), cells + first);
            at = first + ta_run_len(run) > at ? first + ta_run_len(run) : at;
        }
        for (; g->is_restored && at < g->capacity; at++)
            cells[at] = NAN;
        if (!n_runs || whole)
            r = ta_seg_copy(scratch, whole);
        else
            r = ta_seg_encode(scratch, cells, at, !g->is_restored, &m->hints[pos]);
    }
    return r < 0 ? r : ta_seg_make(scratch, a, 0, g->capacity, 0, out);
}
