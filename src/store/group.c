/* group.c - one generation of buffers of one host: members, and the cells of their slots. */
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

int ta_group_new(struct ta_group **out, struct ta_alloc *a, int64_t start_s, int64_t freq_s,
                 uint32_t capacity, bool is_restored)
{
    struct ta_group *g = ta_alloc_zero(a, 1, sizeof(*g));

    assert(capacity >= 1 && capacity <= TA_BUFFER_SLOTS && freq_s > 0);
    if (!g)
        return TA_ENOMEM;
    g->row.ts_s = TA_ROW_NONE;
    g->put_slot = UINT16_MAX;
    g->start_s = start_s;
    g->freq_s = freq_s;
    g->capacity = capacity;
    g->is_restored = is_restored;
    g->is_sorted = true;
    *out = g;
    return TA_OK;
}

void ta_group_free(struct ta_alloc *a, struct ta_group *g)
{
    if (g->is_pinned) {
        g->is_orphan = true;
        return;
    }
    for (uint32_t i = 0; i < g->n_frames; i++)
        ta_frame_free(a, g->frames[i]);
    for (uint32_t i = 0; i < g->n_segs; i++)
        ta_segment_free(a, g->segs[i]);
    ta_release(a, g->segs, g->cap_segs * sizeof(*g->segs));
    ta_release(a, g->frames, g->cap_frames * sizeof(*g->frames));
    ta_release(a, g->members, g->cap_pos * sizeof(*g->members));
    ta_release(a, g, sizeof(*g));
}

size_t ta_group_bytes(const struct ta_group *g)
{
    size_t bytes = sizeof(*g) + g->cap_frames * sizeof(*g->frames) +
                   g->cap_segs * sizeof(*g->segs) + g->cap_pos * sizeof(*g->members);

    for (uint32_t i = 0; i < g->n_segs; i++)
        bytes += g->segs[i]->bytes;
    for (uint32_t i = 0; i < g->n_frames; i++)
        bytes += ta_frame_bytes(g->frames[i]);
    return bytes;
}

/* ---- members ---------------------------------------------------------------------------------- */

int64_t ta_group_pos(const struct ta_group *g, uint32_t col)
{
    if (col < g->n_pos &&
        g->members[col] == col) /* where all columns are members, as on most hosts */
        return col;
    if (g->is_sorted) {
        uint32_t lo = 0, hi = g->n_pos;

        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;

            if ((g->members[mid] & ~MEMBER_GONE) < col)
                lo = mid + 1;
            else
                hi = mid;
        }
        return lo < g->n_pos && g->members[lo] == col ? (int64_t)lo : TA_ENOTFOUND;
    }
    /* The last one first: a column that was freed and came back stands twice, once as gone. */
    for (uint32_t pos = g->n_pos; pos-- > 0;)
        if (g->members[pos] == col)
            return pos;
    return TA_ENOTFOUND;
}

int64_t ta_group_join(struct ta_alloc *a, struct ta_group *g, uint32_t col)
{
    if (g->n_pos == g->cap_pos) {
        uint32_t cap = g->cap_pos ? g->cap_pos + g->cap_pos / 2 + 1 : 2;
        uint32_t *members =
            ta_resize(a, g->members, g->cap_pos * sizeof(*members), cap * sizeof(*members));

        if (!members)
            return TA_ENOMEM;
        g->members = members;
        g->cap_pos = cap;
    }
    if (g->n_pos && (g->members[g->n_pos - 1] & ~MEMBER_GONE) >= col)
        g->is_sorted = false;
    g->row.ts_s = TA_ROW_NONE; /* its row may be too short for the new position */
    g->members[g->n_pos] = col;
    g->n_live++;
    return g->n_pos++;
}

void ta_group_unjoin(struct ta_group *g)
{
    g->n_pos--;
    g->n_live--;
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* Index of the first frame whose window is not before `window`. */
static uint32_t frame_index(const struct ta_group *g, uint32_t window)
{
    uint32_t i = g->n_frames;

    while (i > 0 && g->frames[i - 1]->window >= window)
        i--;
    return i;
}

static bool is_whole(const struct ta_group *g, const struct ta_frame *f)
{
    return f->pos0 == 0 && f->stride >= g->n_pos;
}

/* As wide as the one before: whole where rows are written, else for one series until others come. */
static int frame_add(struct ta_alloc *a, struct ta_group *g, uint32_t at, uint32_t window,
                     uint32_t pos)
{
    bool is_next = at > 0 && g->frames[at - 1]->window + 1U == window;
    bool is_wide = is_next && is_whole(g, g->frames[at - 1]);
    struct ta_frame *f;

    if (g->n_frames == g->cap_frames) {
        uint32_t cap = g->cap_frames ? 2 * g->cap_frames : 2;
        struct ta_frame **frames =
            ta_resize(a, g->frames, g->cap_frames * sizeof(struct ta_frame *),
                      cap * sizeof(struct ta_frame *));

        if (!frames)
            return TA_ENOMEM;
        g->frames = frames;
        g->cap_frames = cap;
    }
    if (ta_frame_new(&f, a, window, is_wide ? 0 : pos, is_wide ? g->n_pos : 1) < 0)
        return TA_ENOMEM;
    memmove(g->frames + at + 1, g->frames + at, (g->n_frames - at) * sizeof(struct ta_frame *));
    g->frames[at] = f;
    g->n_frames++;
    return TA_OK;
}

/* Rows are widened in steps while members join one by one, and cut to size before a second row is
 * made: the first row of a new host has found out how wide it is. */
static int fit_stride(struct ta_alloc *a, const struct ta_group *g, struct ta_frame **f,
                      uint32_t slot, uint32_t pos, bool is_row)
{
    uint32_t pos0 = (*f)->pos0, stride = (*f)->stride;
    uint32_t end = pos0 + stride;

    if (pos >= pos0 && pos < end) {
        if (pos0 == 0 && stride > g->n_pos + g->n_pos / 8 && !ta_frame_row(*f, slot))
            (void)ta_frame_restride(a, f, 0, g->n_pos); /* saves memory; without any it stays */
        return TA_OK;
    }
    if (is_row)
        return ta_frame_restride(a, f, 0, 2 * stride > g->n_pos ? 2 * stride : g->n_pos);
    if (pos < pos0) {
        uint32_t least = end > 2 * stride ? end - 2 * stride : 0;
        pos0 = pos < least ? pos : least;
    } else {
        end = pos0 + 2 * stride < g->n_pos ? pos0 + 2 * stride : g->n_pos;
        end = pos < end ? end : pos + 1;
    }
    return ta_frame_restride(a, f, pos0, end - pos0);
}

int ta_group_put(struct ta_alloc *a, struct ta_group *g, uint32_t slot, uint32_t pos, int64_t ts_s,
                 double v)
{
    uint32_t window = slot / WINDOW_SLOTS;
    uint32_t i = frame_index(g, window);
    bool is_row = g->put_slot == slot; /* a second sample of the same moment: a whole row comes */
    struct ta_frame **f;
    double *row;

    assert(slot < g->capacity && pos < g->n_pos);
    g->row.ts_s = TA_ROW_NONE;
    if ((i == g->n_frames || g->frames[i]->window != window) && frame_add(a, g, i, window, pos) < 0)
        return TA_ENOMEM;
    f = &g->frames[i];
    if (fit_stride(a, g, f, slot, pos, is_row) < 0)
        return TA_ENOMEM;
    row = ta_frame_make_row(a, *f, slot);
    if (!row)
        return TA_ENOMEM;
    row[pos - (*f)->pos0] = v;
    g->put_slot = (uint16_t)slot;
    if (is_whole(g, *f)) {
        g->row.ts_s = ts_s;
        g->row.cells = row;
    }
    return TA_OK;
}

int ta_group_add_segment(struct ta_alloc *a, struct ta_group *g, struct ta_segment *sg)
{
    uint32_t at = g->n_segs;

    if (g->n_segs == g->cap_segs) {
        uint32_t cap = g->cap_segs ? 2 * g->cap_segs : 1;
        struct ta_segment **segs = ta_resize(a, g->segs, g->cap_segs * sizeof(struct ta_segment *),
                                             cap * sizeof(struct ta_segment *));

        if (!segs)
            return TA_ENOMEM;
        g->segs = segs;
        g->cap_segs = cap;
    }
    while (!g->is_pinned && at > 0 &&
           (g->segs[at - 1]->slot0 > sg->slot0 ||
            (g->segs[at - 1]->slot0 == sg->slot0 && g->segs[at - 1]->pos0 > sg->pos0)))
        at--;
    memmove(g->segs + at + 1, g->segs + at, (g->n_segs - at) * sizeof(struct ta_segment *));
    g->segs[at] = sg;
    g->n_segs++;
    return TA_OK;
}

/* The last slot of the window that holds a value, + 1; 0 = none. */
static uint32_t frame_len(const struct ta_frame *f, uint32_t pos)
{
    for (uint32_t slot = WINDOW_SLOTS; slot-- > 0;) {
        const double *cell = ta_frame_cell(f, slot, pos);

        if (cell && !isnan(*cell))
            return slot + 1;
    }
    return 0;
}

uint32_t ta_group_len(const struct ta_group *g, uint32_t pos)
{
    uint32_t len = 0;

    if (g->is_restored)
        return g->capacity;
    for (uint32_t i = g->n_frames; i-- > 0 && !len;) {
        len = frame_len(g->frames[i], pos);
        len += len ? g->frames[i]->window * (uint32_t)WINDOW_SLOTS : 0;
    }
    for (uint32_t i = g->n_segs; i-- > 0;) {
        const unsigned char *run =
            ta_segment_end(g->segs[i]) > len ? ta_segment_run(g->segs[i], pos) : NULL;
        uint32_t end = run ? g->segs[i]->slot0 + ta_run_len(run) : 0;

        len = end > len ? end : len;
    }
    return len;
}

uint32_t ta_group_len_max(const struct ta_group *g)
{
    uint32_t len = g->is_restored ? g->capacity : 0;

    for (uint32_t i = 0; i < g->n_segs; i++)
        len = ta_segment_end(g->segs[i]) > len ? ta_segment_end(g->segs[i]) : len;
    for (uint32_t slot = WINDOW_SLOTS; slot-- > 0 && g->n_frames;) {
        const struct ta_frame *f = g->frames[g->n_frames - 1];
        uint32_t end = f->window * (uint32_t)WINDOW_SLOTS + slot + 1;

        if (end <= len)
            break;
        if (ta_frame_row(f, slot))
            len = end;
    }
    return len < g->capacity ? len : g->capacity;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* The part of a run of sg that lies in [slot, slot + n): its first slot and its slots. NULL: nothing. */
static const unsigned char *run_part(const struct ta_segment *sg, uint32_t pos, uint32_t slot,
                                     uint32_t n, uint32_t *out_first, uint32_t *out_n)
{
    const unsigned char *run;
    uint32_t end;

    if (sg->slot0 >= slot + n || ta_segment_end(sg) <= slot)
        return NULL;
    run = ta_segment_run(sg, pos);
    if (!run)
        return NULL;
    end = sg->slot0 + ta_run_len(run);
    end = end < slot + n ? end : slot + n;
    *out_first = sg->slot0 > slot ? sg->slot0 : slot;
    *out_n = end > *out_first ? end - *out_first : 0;
    return *out_n ? run : NULL;
}

static void copy_rows(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n,
                      double *out)
{
    for (uint32_t i = frame_index(g, slot / WINDOW_SLOTS); i < g->n_frames; i++) {
        const struct ta_frame *f = g->frames[i];
        uint32_t first = f->window * (uint32_t)WINDOW_SLOTS;

        if (first >= slot + n)
            break;
        for (uint32_t k = first < slot ? slot : first; k < first + WINDOW_SLOTS && k < slot + n;
             k++) {
            const double *cell = ta_frame_cell(f, k, pos);

            if (cell && !isnan(*cell))
                out[k - slot] = *cell;
        }
    }
}

void ta_group_copy(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n, double *out)
{
    uint32_t first, n_run, at = slot;

    assert(slot + n <= g->capacity);
    for (uint32_t i = 0; i < g->n_segs; i++) {
        const unsigned char *run = run_part(g->segs[i], pos, slot, n, &first, &n_run);

        if (!run)
            continue;
        for (; at < first; at++)
            out[at - slot] = NAN;
        ta_run_decode(run, first - g->segs[i]->slot0, n_run, out + (first - slot));
        at = first + n_run;
    }
    for (; at < slot + n; at++)
        out[at - slot] = NAN;
    copy_rows(g, pos, slot, n, out);
}

/* Slots that only segments hold: each run is added as it is decoded. */
static void add_runs(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n, double *acc)
{
    uint32_t at = slot, first, n_run;

    for (uint32_t i = 0; i < g->n_segs; i++) {
        const unsigned char *run = run_part(g->segs[i], pos, slot, n, &first, &n_run);

        if (!run)
            continue;
        for (; at < first; at++)
            acc[at - slot] = NAN;
        ta_run_add(run, first - g->segs[i]->slot0, n_run, acc + (first - slot));
        at = first + n_run;
    }
    for (; at < slot + n; at++)
        acc[at - slot] = NAN;
}

void ta_group_add(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n, double *acc)
{
    uint32_t i = frame_index(g, slot / WINDOW_SLOTS);
    uint32_t rows = i < g->n_frames ? g->frames[i]->window * (uint32_t)WINDOW_SLOTS : slot + n;
    double cells[TA_BUFFER_SLOTS];

    assert(slot + n <= g->capacity);
    rows = rows < slot ? slot : rows < slot + n ? rows : slot + n;
    add_runs(g, pos, slot, rows - slot, acc);
    ta_group_copy(g, pos, rows, slot + n - rows, cells);
    for (uint32_t k = 0; k < slot + n - rows; k++)
        acc[rows - slot + k] += cells[k];
}

void ta_group_stats(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n,
                    struct ta_run_stats *into)
{
    uint32_t i = frame_index(g, slot / WINDOW_SLOTS);
    uint32_t rows = i < g->n_frames ? g->frames[i]->window * (uint32_t)WINDOW_SLOTS : slot + n;
    double cells[TA_BUFFER_SLOTS];
    uint32_t first, n_run;

    rows = rows < slot ? slot : rows < slot + n ? rows : slot + n;
    for (i = 0; i < g->n_segs; i++) {
        const unsigned char *run = run_part(g->segs[i], pos, slot, rows - slot, &first, &n_run);
        struct ta_run_stats part;

        if (!run)
            continue;
        ta_run_stats(run, first - g->segs[i]->slot0, n_run, &part);
        ta_run_stats_join(into, &part);
    }
    ta_group_copy(g, pos, rows, slot + n - rows, cells);
    for (uint32_t k = 0; k < slot + n - rows; k++) {
        struct ta_run_stats one = {1, cells[k], cells[k], cells[k]};

        if (!isnan(cells[k]))
            ta_run_stats_join(into, &one);
    }
}
