#include "parquet/spool.h"

#include <string.h>

enum { BLOCK_BYTES = 32 * 1024 }; /* eight columns waste at most 256 KiB in their last blocks */

struct ta_pq_block {
    struct ta_pq_block *next;
    size_t used;
    unsigned char bytes[BLOCK_BYTES - 2 * sizeof(size_t)];
};

void ta_pq_pool_init(struct ta_pq_pool *p, struct ta_alloc *alloc)
{
    *p = (struct ta_pq_pool){.alloc = alloc};
}

void ta_pq_pool_done(struct ta_pq_pool *p)
{
    while (p->unused) {
        struct ta_pq_block *b = p->unused;
        p->unused = b->next;
        ta_release(p->alloc, b, sizeof(*b));
    }
}

static struct ta_pq_block *take(struct ta_pq_pool *pool)
{
    struct ta_pq_block *b = pool->unused;

    if (b)
        pool->unused = b->next;
    else
        b = ta_alloc(pool->alloc, sizeof(*b));
    if (b) {
        b->next = NULL;
        b->used = 0;
    }
    return b;
}

int ta_pq_spool_add(struct ta_pq_spool *s, struct ta_pq_pool *pool, const void *p, size_t n)
{
    const unsigned char *from = p;

    while (n) {
        if (!s->last || s->last->used == sizeof(s->last->bytes)) {
            struct ta_pq_block *b = take(pool);
            if (!b)
                return TA_ENOMEM;
            if (s->last)
                s->last->next = b;
            else
                s->first = b;
            s->last = b;
        }
        size_t room = sizeof(s->last->bytes) - s->last->used;
        size_t k = n < room ? n : room;
        memcpy(s->last->bytes + s->last->used, from, k);
        s->last->used += k;
        s->bytes += k;
        from += k;
        n -= k;
    }
    return TA_OK;
}

int ta_pq_spool_drain(struct ta_pq_spool *s, struct ta_pq_pool *pool, struct ta_sink *to,
                      struct ta_err *err)
{
    for (struct ta_pq_block *b = s->first; b; b = b->next) {
        int r = ta_sink_write(to, b->bytes, b->used, err);
        if (r < 0)
            return r;
    }
    ta_pq_spool_clear(s, pool);
    return TA_OK;
}

void ta_pq_spool_clear(struct ta_pq_spool *s, struct ta_pq_pool *pool)
{
    if (s->last) {
        s->last->next = pool->unused;
        pool->unused = s->first;
    }
    *s = (struct ta_pq_spool){0};
}
