/* keep.c - the work that nobody should wait for: sealing what went quiet, merging short runs.
 *
 * A merge decodes and encodes a whole generation of a host, milliseconds of work. It pins the group under
 * the lock, works without it on segments that are immutable, and swaps the result in under the lock
 * again. Writers meanwhile put late samples into rows over the pinned segments, as always.
 */
#include "store/store_int.h"

#include <assert.h>

enum {
    CELLS_PER_US = 50,  /* about 20 ns to decode and encode one */
    GROUPS_PER_CELL = 4 /* looking at a group costs as much as this part of a cell's work */
};

static void merge_done(struct ta_merge *m, struct ta_alloc *a)
{
    ta_release(a, m->segs, m->cap_segs * sizeof(*m->segs));
    ta_release(a, m->members, m->cap_pos * sizeof(*m->members));
    ta_release(a, m->hints, m->cap_pos * sizeof(*m->hints));
    memset(m, 0, sizeof(*m));
}

/* Arrays that are large enough. */
static int merge_reserve(struct ta_merge *m, struct ta_alloc *a, uint32_t n_segs, uint32_t n_pos)
{
    if (n_segs <= m->cap_segs && n_pos <= m->cap_pos)
        return TA_OK;
    merge_done(m, a);
    m->cap_segs = n_segs;
    m->cap_pos = n_pos;
    m->segs = ta_alloc(a, n_segs * sizeof(struct ta_segment *));
    m->members = ta_alloc(a, n_pos * sizeof(*m->members));
    m->hints = ta_alloc(a, n_pos * sizeof(*m->hints));
    if (m->segs && m->members && m->hints)
        return TA_OK;
    merge_done(m, a);
    return TA_ENOMEM;
}

void ta_keeper_done(struct ta_store *s)
{
    ta_seg_done(&s->keeper.scratch);
    merge_done(&s->keeper.merge, ta_store_alloc(s));
}

/* Index of a frame whose last slot lies so far back that no batch will come for it; or n_frames. */
static uint32_t idle_frame(const struct ta_group *g, int64_t before_s, bool is_closed)
{
    for (uint32_t i = 0; i < g->n_frames; i++) {
        int64_t end_slot = (g->frames[i]->window + 1) * (int64_t)WINDOW_SLOTS;

        if (is_closed || g->start_s + end_slot * g->freq_s < before_s)
            return i;
    }
    return g->n_frames;
}

/* No series writes its newest samples here, or none will: the time that it covers has passed. */
static bool is_closed(const struct ta_group *g, int64_t before_s)
{
    return !g->n_open || g->is_restored || ta_group_cap_end(g) < before_s;
}

/* Copies of what changes under the lock. */
static int merge_begin(struct ta_merge *m, struct ta_alloc *a, const struct ta_host *h,
                       struct ta_group *g)
{
    if (merge_reserve(m, a, g->n_segs, g->n_pos) < 0)
        return TA_ENOMEM;
    m->n_segs = g->n_segs;
    m->n_pos = g->n_pos;
    memcpy(m->segs, g->segs, m->n_segs * sizeof(struct ta_segment *));
    memcpy(m->members, g->members, m->n_pos * sizeof(*m->members));
    for (uint32_t pos = 0; pos < m->n_pos; pos++) {
        uint32_t col = m->members[pos] & ~MEMBER_GONE;

        m->hints[pos] = col < h->n_states ? h->states[col].hint : (struct ta_run_hint){0};
    }
    g->is_pinned = true;
    return TA_OK;
}

/* Puts the merged segment in place of those it was made of. */
static void swap_segments(struct ta_group *g, const struct ta_merge *m, struct ta_segment *merged)
{
    assert(g->n_segs >= m->n_segs && g->segs[0] == m->segs[0]);
    memmove(g->segs + 1, g->segs + m->n_segs,
            (g->n_segs - m->n_segs) * sizeof(struct ta_segment *));
    g->segs[0] = merged;
    g->n_segs -= m->n_segs - 1;
}

/* What the long runs were like is known to the next merge. */
static void keep_hints(struct ta_host *h, const struct ta_group *g, const struct ta_merge *m)
{
    for (uint32_t pos = 0; pos < m->n_pos; pos++)
        if (!(g->members[pos] & MEMBER_GONE))
            h->states[g->members[pos]].hint = m->hints[pos];
}

/* Called with the host's shard locked, returns with nothing locked. */
static int merge_group(struct ta_store *s, struct ta_shard *sd, struct ta_host *h,
                       struct ta_group *g)
{
    struct ta_store_keeper *k = &s->keeper;
    struct ta_alloc *a = ta_store_alloc(s);
    struct ta_segment *merged = NULL;
    bool is_swapped;
    int r = merge_begin(&k->merge, a, h, g);

    ta_shard_unlock(sd);
    if (r < 0)
        return r;
    r = ta_seal_merge(a, g, &k->merge, &k->scratch, &merged);

    pthread_rwlock_wrlock(&sd->lock);
    g->is_pinned = false;
    is_swapped = merged && !g->is_orphan;
    if (is_swapped) {
        swap_segments(g, &k->merge, merged);
        keep_hints(h, g, &k->merge); /* the group is there, so its host is */
        sd->counts.merged_runs += k->merge.n_pos;
    }
    if (g->is_orphan)
        ta_group_free(a, g);
    ta_shard_unlock(sd);
    if (!is_swapped)
        ta_segment_free(a, merged);
    for (uint32_t i = 0; is_swapped && i < k->merge.n_segs; i++)
        ta_segment_free(a, k->merge.segs[i]);
    return r;
}

/* When this group will need work if nobody writes to it. */
static int64_t due_time(const struct ta_group *g)
{
    int64_t due_s = g->n_frames || g->n_segs > 1 ? ta_group_cap_end(g) : INT64_MAX;

    for (uint32_t i = 0; i < g->n_frames; i++) {
        int64_t end_s = g->start_s + (g->frames[i]->window + 1) * WINDOW_SLOTS * g->freq_s;

        due_s = end_s < due_s ? end_s : due_s;
    }
    return due_s;
}

/* Does one due thing on a host. Returns the cells it cost, with the lock dropped, negative when it failed;
 * 0: nothing is due, and the lock is held as before. */
static int64_t keep_host(struct ta_store *s, struct ta_sweep *sw, struct ta_host *h,
                         int64_t before_s)
{
    struct ta_alloc *a = ta_store_alloc(s);
    int64_t due_s = INT64_MAX;

    for (uint32_t i = 0; i < h->n_groups && h->due_s < before_s; i++) {
        struct ta_group *g = h->groups[i];
        bool closed = is_closed(g, before_s);
        uint32_t f = idle_frame(g, before_s, closed);
        int64_t cells = (int64_t)g->n_pos * WINDOW_SLOTS;

        if (g->n_pending) {
            due_s = INT64_MIN; /* once its runs are here */
            continue;
        }
        if (f < g->n_frames && ta_seal_frame(a, h, g, f, &sw->locked->scratch) == TA_OK) {
            ta_sweep_stop(sw);
            return cells;
        }
        if (closed && g->n_segs > 1 && g->n_frames == 0) {
            struct ta_shard *sd = sw->locked;

            cells = (int64_t)g->n_pos * g->capacity;
            sw->locked = NULL;
            sw->held = 0;
            return merge_group(s, sd, h, g) == TA_OK ? cells : -cells;
        }
        due_s = due_time(g) < due_s ? due_time(g) : due_s;
    }
    if (h->due_s < before_s)
        h->due_s = due_s;
    return 0;
}

/* The host that the sweep visited last, again; NULL: gone (and nothing is locked). */
static struct ta_host *relock(struct ta_sweep *sw)
{
    struct ta_str cluster = ta_name_str(&sw->last_cluster), host = ta_name_str(&sw->last_host);
    struct ta_shard *sd = &sw->store->shards[sw->shard];
    struct ta_host *h;

    pthread_rwlock_wrlock(&sd->lock);
    h = ta_shard_find(sd, ta_shard_hash(sw->store, cluster, host), cluster, host);
    if (h)
        sw->locked = sd;
    else
        ta_shard_unlock(sd);
    return h;
}

int ta_store_keep(struct ta_store *s, int64_t now_s, int64_t idle_s, uint32_t budget_us)
{
    struct ta_store_keeper *k = &s->keeper;
    int64_t left = (int64_t)budget_us * CELLS_PER_US;
    struct ta_host *h;

    if (!k->is_under_way) {
        k->shard = UINT32_MAX;
        ta_sweep_init(&k->sweep, s, (struct ta_str){0}, (struct ta_str){0}, true);
    }
    k->is_under_way = true;
    while ((h = ta_sweep_next(&k->sweep))) {
        int64_t cells = 1;

        if (k->shard != k->sweep.shard)
            ta_shard_judge(k->sweep.locked);
        k->shard = k->sweep.shard;
        (void)ta_shard_reshape(k->sweep.locked, h); /* without memory it stays as it is */
        while (h && cells > 0 && left > 0) {
            left -= h->n_groups / GROUPS_PER_CELL + 1;
            cells = keep_host(s, &k->sweep, h, now_s - idle_s);
            left -= cells < 0 ? -cells : cells;
            if (cells)
                h = cells > 0 ? relock(&k->sweep) : NULL;
        }
        if (left <= 0) {
            ta_sweep_stop(&k->sweep);
            return 1;
        }
    }
    k->is_under_way = false;
    ta_keeper_done(s);
    return 0;
}
