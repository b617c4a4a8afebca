#include "base/arena.h"

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_STEP = 256 * 1024 };

struct ta_arena_block {
    struct ta_arena_block *older;
    size_t size; /* of the whole block, header included */
    size_t at;   /* offset of the first free byte */
    size_t last; /* offset of the newest allocation */
};

static const size_t head = (sizeof(struct ta_arena_block) + ALIGN - 1) & ~(size_t)(ALIGN - 1);

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static int add_block(struct ta_arena *a, size_t need)
{
    size_t size = FIRST_BLOCK;

    if (a->blocks && a->blocks->size < LARGEST_STEP)
        size = a->blocks->size * 2;
    else if (a->blocks)
        size = LARGEST_STEP;
    if (size < need + head)
        size = align_up(need + head);
    if (size > a->max - a->used)
        size = align_up(need + head); /* the exact fit may still be allowed */
    a->is_parent_short = false;
    if (size > a->max - a->used)
        return 0;
    struct ta_arena_block *b = ta_alloc(a->parent, size);
    a->is_parent_short = !b;
    if (!b)
        return 0;
    b->older = a->blocks;
    b->size = size;
    b->at = head;
    b->last = 0;
    a->blocks = b;
    a->used += size;
    return 1;
}

void *ta_arena_get(struct ta_arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t need = align_up(n ? n : 1);
    if ((!a->blocks || a->blocks->size - a->blocks->at < need) && !add_block(a, need))
        return NULL;
    struct ta_arena_block *b = a->blocks;
    b->last = b->at;
    b->at += need;
    return (char *)b + b->last;
}

static void *arena_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    struct ta_arena *a = (struct ta_arena *)self;
    struct ta_arena_block *b = a->blocks;

    if (p && b && (char *)p == (char *)b + b->last) {
        if (align_up(new_size) <= b->size - b->last) {
            b->at = b->last + align_up(new_size);
            return new_size ? p : NULL;
        }
    } else if (p && new_size <= old_size) {
        return new_size ? p : NULL;
    }
    if (new_size == 0)
        return NULL;
    void *got = ta_arena_get(a, new_size);
    if (got && p)
        memcpy(got, p, old_size < new_size ? old_size : new_size);
    return got;
}

void ta_arena_init(struct ta_arena *a, struct ta_alloc *parent, size_t max)
{
    *a = (struct ta_arena){.alloc = {arena_resize}, .parent = parent, .max = max};
}

struct ta_str ta_arena_copy(struct ta_arena *a, struct ta_str s)
{
    char *p = s.len < SIZE_MAX / 2 ? ta_arena_get(a, s.len + 1) : NULL;

    if (!p)
        return (struct ta_str){0};
    if (s.len)
        memcpy(p, s.at, s.len);
    p[s.len] = 0;
    return (struct ta_str){p, s.len};
}

static void drop_blocks(struct ta_arena *a, struct ta_arena_block *keep)
{
    struct ta_arena_block *b = a->blocks;

    while (b) {
        struct ta_arena_block *older = b->older;
        if (b != keep) {
            a->used -= b->size;
            ta_release(a->parent, b, b->size);
        }
        b = older;
    }
    a->blocks = keep;
    if (keep) {
        keep->older = NULL;
        keep->at = head;
        keep->last = 0;
    }
}

void ta_arena_reset(struct ta_arena *a)
{
    drop_blocks(a, a->blocks);
}

void ta_arena_done(struct ta_arena *a)
{
    drop_blocks(a, NULL);
}
