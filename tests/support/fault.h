/* fault.h - run a piece of work failing its 1st, 2nd, 3rd ... allocation (or other call).
 *
 *     for (struct fault f = {0}; fault_next(&f);)
 *         fault_judge(&f, work(&f.alloc));
 *
 * First every allocation fails once and the later ones succeed; then, from every allocation on,
 * all of them fail. A series ends with the first run in which nothing was left to fail: that run
 * must succeed, every earlier one must fail cleanly (a negative result), and none may leak.
 *
 * The allocator moves a block on every resize, poisons what it frees, and fails the test when a
 * block is given back with a size other than the one it has. Any thread may use it.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include "base/alloc.h"

#include <stdbool.h>

enum fault_mode {
    FAULT_BOTH, /* once, then for good */
    FAULT_ONCE,
    FAULT_FOR_GOOD
};

struct fault {
    struct ta_alloc alloc; /* hand this to the code under test */
    enum fault_mode mode;
    bool may_succeed; /* the work has a way around a refused allocation */
    bool for_good;    /* the running series */
    bool done;
    _Atomic bool hit;     /* this run had a failure */
    _Atomic long left;    /* calls before the failing one */
    _Atomic size_t live;  /* bytes not given back: must be 0 after each run */
    _Atomic size_t calls; /* growing allocations of this run, the refused ones included */
    long runs;            /* of the running series */
};

/* Prepares the next run; false when all are over. */
bool fault_next(struct fault *f);
/* Judges the run: `result` is what the work returned (>= 0 good). */
void fault_judge(struct fault *f, int result);
/* For other seams (a read, a write): true = fail now. Counts together with the allocations. */
bool fault_strike(struct fault *f);

/* Makes f an allocator that only counts and checks; `live` must be 0 at the end. */
void fault_count_only(struct fault *f);

#endif
