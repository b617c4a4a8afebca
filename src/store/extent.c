/* extent.c - where the slots of series lie in time, and their values on one grid: what checkpoints are planned by
 * and made of. */
#include "store/store_int.h"

#include <math.h>

enum { SERIES_PER_HOLD = 1024 };

static uint32_t slots_before(int64_t centre_s, int64_t freq_s, uint32_t len, int64_t t)
{
    if (t <= centre_s)
        return 0;
    /* Differences of Unix times; a boundary of INT64_MAX against a time before 1970 must not wrap. */
    uint64_t span = (uint64_t)t - (uint64_t)centre_s;
    if (span / (uint64_t)freq_s >= len)
        return len;
    return (uint32_t)(span / (uint64_t)freq_s + (span % (uint64_t)freq_s != 0));
}

bool ta_buffer_part_of(const struct ta_buffer_info *b, int64_t from_s, int64_t to_s,
                       struct ta_buffer_part *out)
{
    out->centre_s = b->start_s + b->freq_s / 2;
    out->first = slots_before(out->centre_s, b->freq_s, b->len, from_s);
    out->end = slots_before(out->centre_s, b->freq_s, b->len, to_s);
    return out->end > out->first;
}

/* ---- one series, under the lock ------------------------------------------------------------------- */

/* The buffers of a series with slots in a range, oldest first. */
struct parts {
    const struct ta_host *h;
    uint32_t col, next;
    int64_t freq_s, from_s, to_s;

    const struct ta_group *group;
    uint32_t pos;
    struct ta_buffer_part part;
};

static void parts_begin(struct parts *p, const struct ta_host *h, uint32_t col, int64_t from_s,
                        int64_t to_s)
{
    int64_t freq_s = ta_host_head(h, col)->freq_s;

    *p = (struct parts){.h = h, .col = col, .freq_s = freq_s, .from_s = from_s, .to_s = to_s};
    p->next = ta_read_first(h, from_s < INT64_MIN + freq_s ? INT64_MIN : from_s - freq_s);
}

static bool parts_next(struct parts *p)
{
    const struct ta_host *h = p->h;

    while ((p->next = ta_host_chain(h, p->col, p->freq_s, p->next, &p->pos)) < h->n_groups) {
        const struct ta_group *g = h->groups[p->next++];
        struct ta_buffer_info b = {.start_s = g->start_s, .freq_s = p->freq_s, .len = g->capacity};

        /* The capacity says at once that most lie elsewhere; the length has to be looked up. */
        if (!ta_buffer_part_of(&b, p->from_s, p->to_s, &p->part))
            continue;
        b.len = ta_group_len(g, p->pos);
        p->group = g;
        if (ta_buffer_part_of(&b, p->from_s, p->to_s, &p->part))
            return true;
    }
    return false;
}

static int64_t centre_of(const struct parts *p, uint32_t slot)
{
    return p->part.centre_s + (int64_t)slot * p->freq_s;
}

/* Widens *e by the series. */
static void add_extent(const struct ta_host *h, uint32_t col, int64_t from_s, int64_t to_s,
                       uint32_t gap_slots, struct ta_walk_extent *e)
{
    int64_t before_s = INT64_MIN;
    struct parts p;

    parts_begin(&p, h, col, from_s, to_s);
    while (parts_next(&p)) {
        int64_t first_s = centre_of(&p, p.part.first);
        int64_t last_s = centre_of(&p, p.part.end - 1);
        e->first_s = first_s < e->first_s ? first_s : e->first_s;
        if (before_s != INT64_MIN &&
            ((first_s - before_s) % p.freq_s != 0 || (first_s - before_s) / p.freq_s > gap_slots)) {
            e->change_s = first_s < e->change_s ? first_s : e->change_s;
            return; /* what lies behind the change belongs to another file */
        }
        e->last_s = last_s > e->last_s ? last_s : e->last_s;
        before_s = last_s;
    }
}

static const struct ta_walk_extent nothing = {INT64_MAX, INT64_MIN, INT64_MAX};

/* ---- walking -------------------------------------------------------------------------------------- */

void ta_walk_extents(struct ta_store *s, struct ta_str cluster, struct ta_str host, int64_t from_s,
                     int64_t to_s, uint32_t gap_slots, struct ta_walk_extent *out)
{
    struct ta_walk_series at;
    bool is_first = true, is_end = false;

    *out = nothing;
    while (!is_end) {
        struct ta_shard *sd;
        const struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);

        if (!h)
            return;
        for (int n = 0; n < SERIES_PER_HOLD && !is_end; n++) {
            is_end = !ta_walk_step(sd, h, is_first, &at);
            is_first = false;
            if (!is_end)
                add_extent(h, at.col, from_s, to_s, gap_slots, out);
        }
        ta_shard_unlock(sd);
    }
}

int ta_walk_extent_next(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                        bool is_first, int64_t from_s, int64_t to_s, uint32_t gap_slots,
                        struct ta_walk_series *at, struct ta_walk_extent *out)
{
    struct ta_shard *sd;
    const struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);
    bool found;

    if (!h)
        return 0;
    found = ta_walk_step(sd, h, is_first, at);
    *out = nothing;
    if (found)
        add_extent(h, at->col, from_s, to_s, gap_slots, out);
    ta_shard_unlock(sd);
    return found;
}

/* The window [slot0, end) of a grid. */
struct window {
    int64_t first_s;
    uint64_t slot0, end;
    uint64_t done; /* the slots of the grid that are taken, before the window too */
    uint64_t at;   /* of those in the window: filled so far */
    double *out;
};

static void fill_missing(struct window *w, uint64_t to)
{
    for (; w->at < to; w->at++)
        w->out[w->at - w->slot0] = NAN;
}

static void copy_part(const struct parts *p, struct window *w)
{
    int64_t ahead = centre_of(p, p->part.first) - w->first_s;
    uint64_t at = (uint64_t)(ahead / p->freq_s);
    uint64_t end = at + (p->part.end - p->part.first);

    if (ahead < 0 || ahead % p->freq_s != 0 || at < w->done)
        return;
    w->done = end;
    uint64_t from = at > w->slot0 ? at : w->slot0;
    uint64_t to = end < w->end ? end : w->end;
    if (from >= to)
        return;
    fill_missing(w, from);
    ta_group_copy(p->group, p->pos, p->part.first + (uint32_t)(from - at), (uint32_t)(to - from),
                  w->out + (from - w->slot0));
    w->at = to;
}

void ta_walk_grid(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                  const struct ta_walk_series *at, int64_t from_s, int64_t to_s, int64_t first_s,
                  uint64_t slot0, double *out, size_t n)
{
    struct ta_shard *sd;
    const struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);
    int64_t col = h ? ta_walk_column(h, at) : TA_ENOTFOUND;
    struct window w = {first_s, slot0, slot0 + n, 0, slot0, out};
    struct parts p;

    if (col >= 0 && ta_host_head(h, (uint32_t)col)->freq_s == at->freq_s) {
        parts_begin(&p, h, (uint32_t)col, from_s, to_s);
        while (w.done < w.end && parts_next(&p))
            copy_part(&p, &w);
    }
    fill_missing(&w, w.end);
    if (h)
        ta_shard_unlock(sd);
}
