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

/* Room for one more position and `n` bytes of run. */
static int reserve(struct ta_seg_builder *b, size_t n)
{
    if (b->n_pos + 2 > b->cap_off) {
        uint32_t cap = b->cap_off ? 2 * b->cap_off : 64;
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
    if (reserve(b, n ? TA_RUN_ROOM(n) : 0) < 0)
        return TA_ENOMEM;
    commit(b, n ? ta_run_encode(v, n, hint, b->at + b->len, b->cap - b->len) : 0);
    return TA_OK;
}

int ta_seg_copy(struct ta_seg_builder *b, const unsigned char *run)
{
    size_t n = run ? ta_run_bytes(run) : 0;

    if (reserve(b, n) < 0)
        return TA_ENOMEM;
    if (n)
        memcpy(b->at + b->len, run, n);
    commit(b, n);
    return TA_OK;
}

int ta_seg_make(const struct ta_seg_builder *b, struct ta_alloc *a, uint32_t slot0,
                uint32_t n_slots, uint32_t pos0, struct ta_segment **out)
{
    size_t off_bytes = (b->n_pos + 1) * sizeof(uint32_t);
    size_t bytes = sizeof(struct ta_segment) + off_bytes + b->len + TA_RUN_PAD;
    struct ta_segment *sg;

    assert(b->n_pos);
    if (bytes >= WHOLE_PAGES_FROM)
        bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    sg = ta_alloc(a, bytes);
    if (!sg)
        return TA_ENOMEM;
    *sg = (struct ta_segment){
        .bytes = (uint32_t)bytes,
        .slot0 = (uint16_t)slot0,
        .n_slots = (uint16_t)n_slots,
        .pos0 = pos0,
        .n_pos = b->n_pos,
    };
    memcpy(sg->off, b->off, off_bytes);
    if (b->len)
        memcpy((char *)sg->off + off_bytes, b->at, b->len);
    memset((char *)sg->off + off_bytes + b->len, 0, TA_RUN_PAD);
    *out = sg;
    return TA_OK;
}

void ta_segment_free(struct ta_alloc *a, struct ta_segment *sg)
{
    ta_release(a, sg, sg ? sg->bytes : 0);
}
