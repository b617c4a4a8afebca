/* host.c - one host: its groups in order of time, and which of them each column writes to. */
#include "store/store_int.h"

#include <assert.h>

/* What the inline append sees where a column has no group: a time stamp that no sample has. */
static const struct ta_row_cache no_row = {.ts_s = TA_ROW_NONE, .cells = NULL};

static struct ta_row_cache *no_group(void)
{
    return (struct ta_row_cache *)(uintptr_t)&no_row; /* never written: its time never matches */
}

int ta_host_new(struct ta_host **out, struct ta_alloc *a, struct ta_str name)
{
    struct ta_host *h = ta_alloc_zero(a, 1, sizeof(*h) + name.len);

    assert(name.len <= TA_NAME_MAX);
    if (!h)
        return TA_ENOMEM;
    h->touched_from_s = INT64_MAX;
    h->due_s = INT64_MIN;
    h->name_len = (uint8_t)name.len;
    memcpy(h->name, name.at, name.len);
    *out = h;
    return TA_OK;
}

void ta_host_free(struct ta_alloc *a, struct ta_host *h)
{
    for (uint32_t i = 0; i < h->n_groups; i++)
        ta_group_free(a, h->groups[i]);
    ta_release(a, h->groups, h->cap_groups * sizeof(*h->groups));
    ta_release(a, h->open, h->cap_open * sizeof(*h->open));
    ta_release(a, h->states, h->n_states * sizeof(*h->states));
    ta_release(a, h, sizeof(*h) + h->name_len);
}

int ta_host_grow(struct ta_alloc *a, struct ta_host *h, uint32_t col)
{
    if (col < h->n_states)
        return TA_OK;

    uint32_t n = h->n_states ? 2 * h->n_states : 4;

    if (n > h->shape->n)
        n = h->shape->n;
    if (n <= col)
        n = col + 1;

    struct ta_col_state *states =
        ta_resize(a, h->states, h->n_states * sizeof(*states), n * sizeof(*states));

    if (!states)
        return TA_ENOMEM;
    memset(states + h->n_states, 0, (n - h->n_states) * sizeof(*states));
    h->states = states;
    h->n_states = n;
    return TA_OK;
}

void ta_host_renumber(struct ta_alloc *a, struct ta_host *h, const uint32_t *map,
                      struct ta_col_state *take_states, uint32_t n_states)
{
    for (uint32_t col = 0; col < h->n_states; col++)
        if (h->states[col].open) {
            assert(map[col] < n_states);
            take_states[map[col]] = h->states[col];
        }
    for (uint32_t i = 0; i < h->n_groups; i++) {
        struct ta_group *g = h->groups[i];
        uint32_t last = 0;

        g->is_sorted = g->n_live == g->n_pos; /* what is gone has no number any more */
        for (uint32_t pos = 0; pos < g->n_pos; pos++) {
            if (g->members[pos] & MEMBER_GONE)
                continue;
            g->members[pos] = map[g->members[pos]];
            g->is_sorted = g->is_sorted && (pos == 0 || g->members[pos] > last);
            last = g->members[pos];
        }
    }
    ta_release(a, h->states, h->n_states * sizeof(*h->states));
    h->states = take_states;
    h->n_states = n_states;
}

/* ---- groups ----------------------------------------------------------------------------------- */

uint32_t ta_host_after(const struct ta_host *h, int64_t t)
{
    uint32_t lo = 0, hi = h->n_groups;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (h->groups[mid]->start_s <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Times since the host's first sample, give or take 68 years; further ones are taken as the nearest end,
 * which leaves each a lower bound. */
static uint32_t since_base(const struct ta_host *h, int64_t t)
{
    int64_t d = t - h->base_s;

    return d < 0 ? 0 : d > UINT32_MAX ? UINT32_MAX : (uint32_t)d;
}

/* No buffer of the column begins before. */
static int64_t first_start(const struct ta_host *h, uint32_t col)
{
    uint32_t first = h->states[col].first;

    return first ? h->base_s + first : INT64_MIN + 1;
}

void ta_host_begins(struct ta_host *h, uint32_t col, int64_t start_s)
{
    uint32_t first = since_base(h, start_s);

    if (!ta_host_has(h, col) || first < h->states[col].first)
        h->states[col].first = first;
}

uint32_t ta_host_chain(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i,
                       uint32_t *out_pos)
{
    int64_t first_s, last_s;

    if (!ta_host_has(h, col) || i >= h->n_groups)
        return h->n_groups;
    /* Hosts of many phases have many groups: only those in the life of this column are looked at. */
    first_s = first_start(h, col);
    last_s = ta_host_head(h, col)->start_s;
    if (h->groups[i]->start_s < first_s)
        i = ta_host_after(h, first_s - 1);
    for (; i < h->n_groups && h->groups[i]->start_s <= last_s; i++) {
        if (h->groups[i]->freq_s != freq_s)
            continue;

        int64_t pos = ta_group_pos(h->groups[i], col);

        if (pos >= 0) {
            *out_pos = (uint32_t)pos;
            return i;
        }
    }
    return h->n_groups;
}

uint32_t ta_host_chain_back(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i,
                            uint32_t *out_pos)
{
    int64_t first_s = first_start(h, col);

    for (i++; i-- > 0 && h->groups[i]->start_s >= first_s;) {
        if (h->groups[i]->freq_s != freq_s)
            continue;

        int64_t pos = ta_group_pos(h->groups[i], col);

        if (pos >= 0) {
            *out_pos = (uint32_t)pos;
            return i;
        }
    }
    return UINT32_MAX;
}

static int compare_group(const struct ta_group *g, int64_t start_s, int64_t freq_s,
                         uint32_t capacity, bool is_restored)
{
    if (g->start_s != start_s)
        return g->start_s < start_s ? -1 : 1;
    if (g->freq_s != freq_s)
        return g->freq_s < freq_s ? -1 : 1;
    if (g->capacity != capacity)
        return g->capacity < capacity ? -1 : 1;
    return (int)g->is_restored - (int)is_restored;
}

static int reserve_groups(struct ta_alloc *a, struct ta_host *h)
{
    if (h->n_groups < h->cap_groups)
        return TA_OK;

    uint32_t cap = h->cap_groups ? h->cap_groups + h->cap_groups / 2 + 1 : 2;
    struct ta_group **groups = ta_resize(a, h->groups, h->cap_groups * sizeof(struct ta_group *),
                                         cap * sizeof(struct ta_group *));

    if (!groups)
        return TA_ENOMEM;
    h->groups = groups;
    h->cap_groups = cap;
    return TA_OK;
}

int ta_host_group(struct ta_alloc *a, struct ta_host *h, int64_t start_s, int64_t freq_s,
                  uint32_t capacity, bool is_restored, struct ta_group **out)
{
    uint32_t lo = 0, hi = h->n_groups;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = compare_group(h->groups[mid], start_s, freq_s, capacity, is_restored);

        if (c == 0) {
            *out = h->groups[mid];
            return TA_OK;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!h->next_serial)
        h->base_s = start_s - ((int64_t)1 << 31);
    if (reserve_groups(a, h) < 0 ||
        ta_group_new(out, a, start_s, freq_s, capacity, is_restored) < 0)
        return TA_ENOMEM;
    memmove(h->groups + lo + 1, h->groups + lo, (h->n_groups - lo) * sizeof(struct ta_group *));
    h->groups[lo] = *out;
    (*out)->serial = ++h->next_serial;
    h->n_groups++;
    if (h->span_max_s < (int64_t)capacity * freq_s)
        h->span_max_s = (int64_t)capacity * freq_s;
    return TA_OK;
}

bool ta_host_tidy(struct ta_alloc *a, struct ta_host *h, struct ta_group *g)
{
    uint32_t i;

    if (g->n_live)
        return false;
    for (i = ta_host_after(h, g->start_s); h->groups[i - 1] != g; i--)
        assert(i > 1);
    memmove(h->groups + i - 1, h->groups + i, (h->n_groups - i) * sizeof(struct ta_group *));
    h->n_groups--;
    ta_group_free(a, g);
    return true;
}

/* ---- the head of a column ----------------------------------------------------------------------- */

int ta_host_reserve_open(struct ta_alloc *a, struct ta_host *h)
{
    if (h->n_open + 2 <= h->cap_open)
        return TA_OK;

    uint32_t cap = h->cap_open ? 2 * h->cap_open : 4;
    struct ta_row_cache **open = ta_resize(a, h->open, h->cap_open * sizeof(struct ta_row_cache *),
                                           cap * sizeof(struct ta_row_cache *));

    if (!open)
        return TA_ENOMEM;
    for (uint32_t i = h->cap_open; i < cap; i++)
        open[i] = no_group();
    h->open = open;
    h->cap_open = cap;
    return TA_OK;
}

static void open_group(struct ta_host *h, struct ta_group *g)
{
    uint32_t i = h->open_free ? h->open_free : 1;

    while (h->open[i] != no_group())
        i++;
    assert(i < h->cap_open);
    h->open[i] = &g->row;
    h->open_free = i + 1;
    g->open = i;
    h->n_open++;
}

void ta_host_point(struct ta_host *h, uint32_t col, struct ta_group *g, uint32_t pos)
{
    struct ta_col_state *st = &h->states[col];

    h->due_s = INT64_MIN;
    if (g) {
        if (!g->n_open++)
            open_group(h, g);
        h->n_series += !st->open;
        h->cluster->n_series += !st->open;
    }
    if (st->open) {
        struct ta_group *old = ta_host_head(h, col);

        if (!--old->n_open) {
            h->open[old->open] = no_group();
            if (old->open < h->open_free)
                h->open_free = old->open;
            h->n_open--;
        }
        h->n_series -= !g;
        h->cluster->n_series -= !g;
    }
    st->open = g ? g->open : 0;
    st->pos = pos;
}

void ta_host_drop_member(struct ta_host *h, struct ta_group *g, uint32_t pos)
{
    uint32_t col = g->members[pos];

    assert(!(col & MEMBER_GONE));
    g->members[pos] |= MEMBER_GONE;
    g->n_live--;
    if (h->states[col].first < since_base(h, g->start_s + 1))
        h->states[col].first = since_base(h, g->start_s + 1);
    if (ta_host_head(h, col) == g)
        ta_host_point(h, col, NULL, 0);
}
