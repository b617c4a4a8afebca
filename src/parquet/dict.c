#include "parquet/dict.h"

#include "base/bytes.h"

#include <assert.h>
#include <xxhash.h>

void ta_pq_dict_init(struct ta_pq_dict *d, struct ta_alloc *alloc, size_t width, uint32_t n_max,
                     size_t bytes_max)
{
    *d = (struct ta_pq_dict){.alloc = alloc, .width = (uint32_t)width, .n_max = n_max};
    assert(bytes_max < UINT32_MAX);
    ta_buf_init(&d->plain, alloc, bytes_max);
}

void ta_pq_dict_done(struct ta_pq_dict *d)
{
    if (!d->alloc)
        return;
    ta_buf_done(&d->plain);
    ta_release(d->alloc, d->offsets, d->cap * sizeof(*d->offsets));
    ta_release(d->alloc, d->slots, d->n_slots * sizeof(*d->slots));
    *d = (struct ta_pq_dict){0};
}

void ta_pq_dict_reset(struct ta_pq_dict *d)
{
    ta_buf_reset(&d->plain);
    if (d->slots)
        memset(d->slots, 0, d->n_slots * sizeof(*d->slots));
    d->n = 0;
    d->last = 0;
}

struct ta_str ta_pq_dict_at(const struct ta_pq_dict *d, uint32_t i)
{
    assert(i < d->n);
    const char *at = d->plain.at + d->offsets[i];
    return (struct ta_str){at, d->width ? d->width : ta_get_u32(at - 4)};
}

static uint32_t slot_of(const struct ta_pq_dict *d, struct ta_str value)
{
    uint32_t mask = d->n_slots - 1;
    uint32_t s = (uint32_t)XXH3_64bits(value.at, value.len) & mask;

    while (d->slots[s] && !ta_str_eq(ta_pq_dict_at(d, d->slots[s] - 1), value))
        s = (s + 1) & mask;
    return s;
}

void ta_pq_dict_cut(struct ta_pq_dict *d, uint32_t n)
{
    if (n >= d->n)
        return;
    d->plain.len = d->offsets[n] - (d->width ? 0 : 4);
    d->n = n;
    d->last = 0;
    memset(d->slots, 0, d->n_slots * sizeof(*d->slots));
    for (uint32_t i = 0; i < n; i++)
        d->slots[slot_of(d, ta_pq_dict_at(d, i))] = i + 1;
}

/* Room for one entry more: both tables double together, at most half of the slots are taken. */
static int grow(struct ta_pq_dict *d)
{
    uint32_t cap = d->cap ? d->cap * 2 : 64;
    uint32_t *slots = ta_alloc_zero(d->alloc, (size_t)cap * 2, sizeof(*slots));
    if (!slots)
        return TA_ENOMEM;
    uint32_t *offsets =
        ta_resize(d->alloc, d->offsets, d->cap * sizeof(*offsets), cap * sizeof(*offsets));
    if (!offsets) {
        ta_release(d->alloc, slots, (size_t)cap * 2 * sizeof(*slots));
        return TA_ENOMEM;
    }
    ta_release(d->alloc, d->slots, d->n_slots * sizeof(*d->slots));
    d->offsets = offsets;
    d->slots = slots;
    d->n_slots = cap * 2;
    d->cap = cap;
    for (uint32_t i = 0; i < d->n; i++)
        d->slots[slot_of(d, ta_pq_dict_at(d, i))] = i + 1;
    return TA_OK;
}

int64_t ta_pq_dict_index(struct ta_pq_dict *d, struct ta_str value)
{
    assert(!d->width || value.len == d->width);
    if (d->n && ta_str_eq(ta_pq_dict_at(d, d->last), value))
        return d->last;
    if (d->n_slots) {
        uint32_t at = d->slots[slot_of(d, value)];
        if (at)
            return d->last = at - 1;
    }
    size_t head = d->width ? 0 : 4;
    if (d->n == d->n_max || value.len > UINT32_MAX - 4)
        return TA_ERANGE;
    int r = ta_buf_reserve(&d->plain, head + value.len);
    if (r < 0)
        return r;
    if (d->n == d->cap) {
        r = grow(d);
        if (r < 0)
            return r;
    }
    uint32_t slot = slot_of(d, value);
    if (head)
        ta_put_u32(d->plain.at + d->plain.len, (uint32_t)value.len);
    if (value.len)
        memcpy(d->plain.at + d->plain.len + head, value.at, value.len);
    d->offsets[d->n] = (uint32_t)(d->plain.len + head);
    d->plain.len += head + value.len;
    d->slots[slot] = d->n + 1;
    d->last = d->n;
    return d->n++;
}
