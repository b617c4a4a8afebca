#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *heap_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    (void)self;
    (void)old_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}

struct ta_alloc ta_heap = {.resize = heap_resize};

enum { PAGE = 4096 };

static size_t page_up(size_t n)
{
    return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* The race detector does not see mremap: pages that land where another thread's pages were would count as
 * touched by both. There they are copied into a fresh mapping, which it does see. */
#if defined(__has_feature)
#define TA_IS_THREAD_SANITIZED __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define TA_IS_THREAD_SANITIZED 1
#else
#define TA_IS_THREAD_SANITIZED 0
#endif

static void *pages_new(size_t n)
{
    return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *pages_move(void *p, size_t have, size_t want)
{
    void *got;

    if (!TA_IS_THREAD_SANITIZED)
        return mremap(p, have, want, MREMAP_MAYMOVE);
    got = pages_new(want);
    if (got != MAP_FAILED) {
        memcpy(got, p, have < want ? have : want);
        (void)munmap(p, have);
    }
    return got;
}

static void *pages_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    (void)self;
    if (new_size > SIZE_MAX - PAGE)
        return NULL;
    size_t have = page_up(old_size);
    size_t want = page_up(new_size);
    void *got = p;

    if (want == have)
        return got;
    if (!p)
        got = pages_new(want);
    else if (want == 0)
        return munmap(p, have), NULL;
    else
        got = pages_move(p, have, want);
    return got == MAP_FAILED ? NULL : got;
}

struct ta_alloc ta_pages = {.resize = pages_resize};

void ta_pages_populate(void *p, size_t n)
{
    enum { POPULATE_WRITE = 23 }; /* MADV_POPULATE_WRITE: Linux 5.14, newer than some C libraries */

    if ((uintptr_t)p % PAGE == 0)
        (void)madvise(p, page_up(n), POPULATE_WRITE);
}

size_t ta_heap_cost(size_t n)
{
    enum { HEADER = 8, GRAIN = 16, LEAST = 32 }; /* glibc's malloc on 64 bits */

    if (n == 0 || n > SIZE_MAX - HEADER - GRAIN)
        return n;
    size_t cost = (n + HEADER + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    return cost < LEAST ? LEAST : cost;
}

size_t ta_pages_cost(size_t n)
{
    return n > SIZE_MAX - PAGE ? n : page_up(n);
}

void *ta_alloc_zero(struct ta_alloc *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *p = ta_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

/* Taken before asking the parent, given back if it refuses: two threads can never both pass
 * the check on the last bytes. */
static int budget_take(struct ta_budget *b, size_t n)
{
    size_t cap = atomic_load_explicit(&b->cap, memory_order_relaxed);
    size_t now = atomic_fetch_add_explicit(&b->used, n, memory_order_relaxed) + n;

    if (now > cap || now < n) {
        atomic_fetch_sub_explicit(&b->used, n, memory_order_relaxed);
        atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
        return 0;
    }
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(
                             &b->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
    }
    return 1;
}

static void *budget_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    struct ta_budget *b = (struct ta_budget *)self;
    size_t before = b->cost ? b->cost(old_size) : old_size;
    size_t after = b->cost ? b->cost(new_size) : new_size;

    if (after > before && !budget_take(b, after - before))
        return NULL;
    void *got = ta_resize(b->parent, p, old_size, new_size);
    if (after > before && !got)
        atomic_fetch_sub_explicit(&b->used, after - before, memory_order_relaxed);
    if (after < before && (got || new_size == 0))
        atomic_fetch_sub_explicit(&b->used, before - after, memory_order_relaxed);
    return got;
}

void ta_budget_init(struct ta_budget *b, const char *name, size_t cap, struct ta_alloc *parent)
{
    b->alloc.resize = budget_resize;
    b->parent = parent;
    b->name = name;
    b->cost = NULL;
    atomic_init(&b->cap, cap ? cap : SIZE_MAX);
    atomic_init(&b->used, 0);
    atomic_init(&b->peak, 0);
    atomic_init(&b->refused, 0);
}
