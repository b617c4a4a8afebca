/* put.c - where a sample goes: the newest buffer, an older one, or a new one. (spec: metric-store 4.2)
 *
 * Each way either stores the sample or leaves the host as it was.
 */
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

/* Writes into slot of g, of which the column may not be a member yet. */
static int put_into(struct ta_alloc *a, struct ta_host *h, struct ta_group *g, uint32_t col,
                    int64_t pos, int64_t ts_s, double v, bool is_head,
                    struct ta_seg_builder *scratch)
{
    uint32_t slot = (uint32_t)((ts_s - g->start_s) / g->freq_s);
    bool is_new = pos < 0;
    int r;

    if (is_new)
        pos = ta_group_join(a, g, col);
    if (pos < 0)
        return TA_ENOMEM;
    r = ta_group_put(a, g, slot, (uint32_t)pos, ts_s, v);
    if (r < 0) {
        if (is_new)
            ta_group_unjoin(g);
        return r;
    }
    if (is_new)
        ta_host_begins(h, col, g->start_s);
    if (is_head)
        ta_host_point(h, col, g, (uint32_t)pos);
    if (h->touched_from_s > ts_s)
        h->touched_from_s = ts_s;
    h->due_s = INT64_MIN;
    ta_seal_due(a, h, g, slot, scratch);
    return TA_OK;
}

static int put_into_new(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t start_s,
                        int64_t freq_s, uint32_t capacity, int64_t ts_s, double v, bool is_head,
                        struct ta_seg_builder *scratch)
{
    struct ta_group *g;
    int r;

    if (ta_host_reserve_open(a, h) < 0 ||
        ta_host_group(a, h, start_s, freq_s, capacity, false, &g) < 0)
        return TA_ENOMEM;
    r = put_into(a, h, g, col, TA_ENOTFOUND, ts_s, v, is_head, scratch);
    if (r < 0)
        (void)ta_host_tidy(a, h, g);
    return r;
}

/* A sample before the head: into the buffer of the chain that covers it, or into a new one that ends
 * where its successor begins. In a gap of less than a slot the new one begins a whole slot before the
 * successor: a reader steps to it when the predecessor's capacity ends, and on from it in time. */
static int put_late(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t freq_s,
                    int64_t ts_s, double v, int64_t oldest_s, struct ta_seg_builder *scratch)
{
    uint32_t after = ta_host_after(h, ts_s), pos = 0;
    uint32_t i = after ? ta_host_chain_back(h, col, freq_s, after - 1, &pos) : UINT32_MAX;

    if (i != UINT32_MAX && ts_s < ta_group_cap_end(h->groups[i]))
        return put_into(a, h, h->groups[i], col, pos, ts_s, v, false, scratch);
    if (i == UINT32_MAX && ts_s < oldest_s)
        return TA_ERANGE;

    i = ta_host_chain(h, col, freq_s, after, &pos);
    assert(i < h->n_groups); /* the head begins later than ts_s */

    int64_t next_s = h->groups[i]->start_s;
    int64_t start_s = ts_s - freq_s / 2;
    int64_t capacity;

    if (start_s > next_s - freq_s)
        start_s = next_s - freq_s;
    capacity = (next_s - start_s) / freq_s;
    if (capacity > TA_BUFFER_SLOTS)
        capacity = TA_BUFFER_SLOTS;
    return put_into_new(a, h, col, start_s, freq_s, (uint32_t)capacity, ts_s, v, false, scratch);
}

int ta_host_put(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t freq_s, int64_t ts_s,
                double v, int64_t oldest_s, struct ta_seg_builder *scratch)
{
    struct ta_group *head;
    int r;

    assert(col < h->n_states && !isnan(v));
    if (h->states[col].open) {
        head = ta_host_head(h, col);
        if (ts_s < head->start_s) {
            r = put_late(a, h, col, head->freq_s, ts_s, v, oldest_s, scratch);
            return r < 0 ? r : TA_PUT_LATE;
        }
        if (ts_s < ta_group_cap_end(head)) {
            r = put_into(a, h, head, col, h->states[col].pos, ts_s, v, false, scratch);
            return r < 0 ? r : TA_PUT_NEWEST;
        }
        freq_s = head->freq_s;
    }
    r = put_into_new(a, h, col, ts_s - freq_s / 2, freq_s, TA_BUFFER_SLOTS, ts_s, v, true, scratch);
    return r < 0 ? r : TA_PUT_NEWEST;
}
