#include "fault.h"

#include "base/str.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* In front of every block, so that a wrong size at release is found at once. */
enum { HEAD = 16, POISON = 0xA5 };

bool fault_strike(struct fault *f)
{
    f->calls++;
    long left = f->left--;
    if (left > 0 || (left < 0 && !f->for_good))
        return false;
    f->hit = true;
    return true;
}

static void *faulty_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    struct fault *f = TA_CONTAINER(self, struct fault, alloc);
    unsigned char *old = p ? (unsigned char *)p - HEAD : NULL;
    unsigned char *got = NULL;

    if (old && *(size_t *)(void *)old != old_size)
        fail_msg("block of %zu bytes was resized as %zu bytes", *(size_t *)(void *)old, old_size);
    if (!old && old_size)
        fail_msg("no block was resized as %zu bytes", old_size);
    if (new_size > old_size && fault_strike(f))
        return NULL;
    if (new_size) {
        size_t keep = old_size < new_size ? old_size : new_size;
        got = ta_alloc(&ta_heap, new_size + HEAD);
        if (!got)
            return NULL;
        *(size_t *)(void *)got = new_size;
        memset(got + HEAD, POISON, new_size);
        if (old)
            memcpy(got + HEAD, p, keep);
    }
    if (old) {
        memset(old, POISON, old_size + HEAD);
        ta_release(&ta_heap, old, old_size + HEAD);
    }
    f->live += new_size;
    f->live -= old_size;
    return got ? got + HEAD : NULL;
}

static void start_run(struct fault *f, long left)
{
    f->alloc.resize = faulty_resize;
    f->left = left;
    f->hit = false;
    f->live = 0;
    f->calls = 0;
}

void fault_count_only(struct fault *f)
{
    start_run(f, LONG_MAX);
}

bool fault_next(struct fault *f)
{
    if (f->done)
        return false;
    if (f->mode == FAULT_FOR_GOOD)
        f->for_good = true;
    start_run(f, f->runs++);
    return true;
}

void fault_judge(struct fault *f, int result)
{
    if (f->live)
        fail_msg("%zu bytes leaked when allocation %ld failed", f->live, f->runs);
    if (f->hit) {
        if (result >= 0 && !f->may_succeed)
            fail_msg("work succeeded although allocation %ld failed", f->runs);
        return;
    }
    if (result < 0)
        fail_msg("work failed (%d) although nothing was refused", result);
    if (f->mode == FAULT_BOTH && !f->for_good) {
        f->for_good = true;
        f->runs = 0;
        return;
    }
    f->done = true;
}
