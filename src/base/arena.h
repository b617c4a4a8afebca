/* arena.h - memory for what dies together: one request, one job, one row group.
 *
 * Allocation bumps a pointer inside blocks taken from the parent allocator; nothing is freed
 * one by one. An arena has a maximum: beyond it an allocation is refused (NULL). Not
 * thread-safe: one owner at a time.
 */
#ifndef TARN_BASE_ARENA_H
#define TARN_BASE_ARENA_H

#include "base/alloc.h"
#include "base/str.h"

#include <stdbool.h>

struct ta_arena_block;

struct ta_arena {
    struct ta_alloc alloc; /* for code that wants an allocator; its frees are no-ops except that
                            * the newest allocation may grow or shrink in place */
    struct ta_alloc *parent;
    struct ta_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes taken from the parent */
    size_t max;
    bool is_parent_short; /* the last refusal was the parent's, not that of `max` */
};

/* max in bytes, counted as taken from `parent`. Takes no memory yet. */
void ta_arena_init(struct ta_arena *a, struct ta_alloc *parent, size_t max);
/* 16-byte aligned; NULL when the maximum or the parent refuses. n may be 0 (non-NULL result). */
void *ta_arena_get(struct ta_arena *a, size_t n);
/* A NUL-terminated copy; at == NULL in the result means refused. */
struct ta_str ta_arena_copy(struct ta_arena *a, struct ta_str s);
/* Forgets everything but keeps one block for the next round. */
void ta_arena_reset(struct ta_arena *a);
/* Gives all memory back. Fine on a zeroed struct. */
void ta_arena_done(struct ta_arena *a);

#endif
