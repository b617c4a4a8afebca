/* alloc.h - where memory comes from, and how much of it a subsystem may hold.
 *
 * Nothing outside base/ calls malloc. A module gets a `struct ta_alloc *` when it is made and
 * keeps it. One seam buys a byte budget per subsystem, a fault-injecting allocator in tests,
 * and a leak check that names the owner.
 *
 * Thread safety: the heap and budgets may be used from any thread; arenas (arena.h) may not.
 */
#ifndef TARN_BASE_ALLOC_H
#define TARN_BASE_ALLOC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define KiB ((size_t)1024)
#define MiB (KiB * 1024)
#define GiB (MiB * 1024)

struct ta_alloc {
    /* new_size == 0 frees and returns NULL; otherwise like realloc: NULL on refusal, with the
     * old block untouched. The old size is passed so that counting needs no block headers. */
    void *(*resize)(struct ta_alloc *self, void *p, size_t old_size, size_t new_size);
};

static inline void *ta_alloc(struct ta_alloc *a, size_t n)
{
    return a->resize(a, NULL, 0, n);
}

/* Zeroed; NULL also when n * size overflows. */
void *ta_alloc_zero(struct ta_alloc *a, size_t n, size_t size);

static inline void *ta_resize(struct ta_alloc *a, void *p, size_t old_size, size_t new_size)
{
    return a->resize(a, p, old_size, new_size);
}

/* `n` is the size the block has now. NULL is fine. */
static inline void ta_release(struct ta_alloc *a, void *p, size_t n)
{
    if (p)
        a->resize(a, p, n, 0);
}

/* The process heap. Budgets, arenas and fault injectors wrap this one. */
extern struct ta_alloc ta_heap;

/* Whole pages straight from the system (mmap); what is released goes back at once. For large
 * blocks that must not fragment the heap: frames, sealed segments. Sizes round up to a page. */
extern struct ta_alloc ta_pages;

/* A block of ta_pages is about to be written wholly: takes its pages from the system in one call, not in a trap each (1.8 us a
 * page instead of 2.3 on a virtual machine). Where the system cannot, nothing happens. */
void ta_pages_populate(void *p, size_t n);

/* What a block of n bytes takes from either, headers and rounding included: to the heap a block of 24 bytes
 * is 32. A store of many small blocks would else hold a sixth more than it counts. */
size_t ta_heap_cost(size_t n);
size_t ta_pages_cost(size_t n);

/* A budget: an allocator over another one, with a cap. Over the cap an allocation is refused
 * (NULL), which callers handle where it happens. Budgets nest: every ancestor is asked. */
struct ta_budget {
    struct ta_alloc alloc; /* hand &b.alloc to the subsystem; must stay the first member */
    struct ta_alloc *parent;
    const char *name;       /* static string, for messages and metrics */
    size_t (*cost)(size_t); /* what a block counts as; NULL: its size. Set before the first use */
    _Atomic size_t cap;     /* bytes; SIZE_MAX = uncapped */
    _Atomic size_t used;    /* bytes */
    _Atomic size_t peak;    /* bytes */
    _Atomic size_t refused; /* allocations refused by this budget's own cap */
};

/* cap 0 means uncapped. Borrows parent and name for its life. Nothing to free. */
void ta_budget_init(struct ta_budget *b, const char *name, size_t cap, struct ta_alloc *parent);

static inline size_t ta_budget_used(const struct ta_budget *b)
{
    return atomic_load_explicit(&((struct ta_budget *)(uintptr_t)b)->used, memory_order_relaxed);
}

#endif
