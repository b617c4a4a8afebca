/* segment.c - the block in which the sealed runs of a group stand together.
 *
 * Made by a builder that grows and is kept for the next one; the finished block has its exact size, in
 * whole pages when it is large.
 */
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

enum {
    PAGE_BYTES = 4096,
    WHOLE_PAGES_FROM = 32 * 1024 /* as store.c: from here on memory comes in pages */
};

void ta_seg_reset(struct ta_seg_builder *b)
{
    if (b->cap > b->keep_bytes)
        ta_seg_done(b);
    b->len = 0;
    b->n_pos = 0;
}

void ta_seg_done(struct ta_seg_builder *b)
{
    if (b->alloc) {
        ta_release(b->alloc, b->at, b->cap);
        ta_release(b->alloc, b->off, b->cap_off * sizeof(*b->off));
    }
    *b = (struct ta_seg_builder){.alloc = b->alloc, .keep_bytes = b->keep_bytes};
}

/* Room for n_pos more positions and `n` bytes of runs. */
static int reserve(struct ta_seg_builder *b, uint32_t n_pos, size_t n)
{
    if (b->n_pos + n_pos + 1 > b->cap_off) {
        uint32_t cap = b->cap_off ? 2 * b->cap_off : 64;
        cap = cap < b->n_pos + n_pos + 1 ? b->n_pos + n_pos + 1 : cap;
        uint32_t *off = ta_resize(b->alloc, b->off, b->cap_off * sizeof(*off), cap * sizeof(*off));

        if (!off)
            return TA_ENOMEM;
        b->off = off;
        b->cap_off = cap;
    }
    if (b->len + n > b->cap) {
        size_t cap = b->cap + b->cap / 2;
        unsigned char *at;

        cap = cap < b->len + n ? b->len + n : cap;
        cap = (cap + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        if (cap > UINT32_MAX / 2)
            return TA_ENOMEM;
        at = ta_resize(b->alloc, b->at, b->cap, cap);
        if (!at)
            return TA_ENOMEM;
        b->at = at;
        b->cap = cap;
    }
    b->off[b->n_pos] = (uint32_t)b->len;
    return TA_OK;
}

static void commit(struct ta_seg_builder *b, size_t n)
{
    b->len += n;
    b->off[++b->n_pos] = (uint32_t)b->len;
}

int ta_seg_encode(struct ta_seg_builder *b, const double *v, uint32_t n, bool is_cut,
                  struct ta_run_hint *hint)
{
    while (is_cut && n && isnan(v[n - 1]))
        n--;
    if (reserve(b, 1, n ? TA_RUN_ROOM(n) : 0) < 0)
        return TA_ENOMEM;
    commit(b, n ? ta_run_encode(v, n, hint, b->at + b->len, b->cap - b->len) : 0);
    return TA_OK;
}

int ta_seg_copy(struct ta_seg_builder *b, const unsigned char *run)
{
    size_t n = run ? ta_run_bytes(run) : 0;

    if (reserve(b, 1, n) < 0)
        return TA_ENOMEM;
    if (n)
        memcpy(b->at + b->len, run, n);
    commit(b, n);
    return TA_OK;
}

int ta_seg_copy_part(struct ta_seg_builder *b, const struct ta_segment *sg, uint32_t i, uint32_t n)
{
    uint32_t from = sg->off[i];
    uint32_t bytes = sg->off[i + n] - from;

    if (reserve(b, n, bytes) < 0)
        return TA_ENOMEM;
    if (bytes)
        memcpy(b->at + b->len, (const char *)(sg->off + sg->n_pos + 1) + from, bytes);
    for (uint32_t k = 1; k <= n; k++)
        b->off[b->n_pos + k] = (uint32_t)b->len + (sg->off[i + k] - from);
    b->n_pos += n;
    b->len += bytes;
    return TA_OK;
}

/* A block for n_pos runs of `len` bytes in all; the caller fills in offsets and runs. */
static struct ta_segment *new_segment(struct ta_alloc *a, uint32_t slot0, uint32_t n_slots,
                                      uint32_t pos0, uint32_t n_pos, size_t len)
{
    size_t off_bytes = (n_pos + 1) * sizeof(uint32_t);
    size_t bytes = sizeof(struct ta_segment) + off_bytes + len + TA_RUN_PAD;
    struct ta_segment *sg;

    if (bytes >= WHOLE_PAGES_FROM)
        bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    sg = bytes <= UINT32_MAX ? ta_alloc(a, bytes) : NULL;
    if (!sg)
        return NULL;
    if (bytes >= WHOLE_PAGES_FROM)
        ta_pages_populate(sg, bytes);
    *sg = (struct ta_segment){
        .bytes = (uint32_t)bytes,
        .slot0 = (uint16_t)slot0,
        .n_slots = (uint16_t)n_slots,
        .pos0 = pos0,
        .n_pos = n_pos,
    };
    memset((char *)sg->off + off_bytes + len, 0, TA_RUN_PAD);
    return sg;
}

int ta_seg_make(const struct ta_seg_builder *b, struct ta_alloc *a, uint32_t slot0,
                uint32_t n_slots, uint32_t pos0, struct ta_segment **out)
{
    struct ta_segment *sg;

    assert(b->n_pos);
    sg = new_segment(a, slot0, n_slots, pos0, b->n_pos, b->len);
    if (!sg)
        return TA_ENOMEM;
    memcpy(sg->off, b->off, (b->n_pos + 1) * sizeof(*sg->off));
    if (b->len)
        memcpy(sg->off + b->n_pos + 1, b->at, b->len);
    *out = sg;
    return TA_OK;
}

int ta_segment_join(struct ta_alloc *a, const struct ta_segment *left,
                    const struct ta_segment *right, struct ta_segment **out)
{
    uint32_t n = left->n_pos, n_right = right->n_pos;
    uint32_t left_bytes = left->off[n], right_bytes = right->off[n_right];
    struct ta_segment *sg = new_segment(a, left->slot0, left->n_slots, left->pos0, n + n_right,
                                        (size_t)left_bytes + right_bytes);
    char *runs;

    if (!sg)
        return TA_ENOMEM;
    memcpy(sg->off, left->off, n * sizeof(*sg->off));
    for (uint32_t i = 0; i <= n_right; i++)
        sg->off[n + i] = left_bytes + right->off[i];
    runs = (char *)(sg->off + sg->n_pos + 1);
    memcpy(runs, left->off + n + 1, left_bytes);
    memcpy(runs + left_bytes, right->off + n_right + 1, right_bytes);
    *out = sg;
    return TA_OK;
}

void ta_segment_free(struct ta_alloc *a, struct ta_segment *sg)
{
    ta_release(a, sg, sg ? sg->bytes : 0);
}
