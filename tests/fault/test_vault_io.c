/* Every file operation of a server's life fails with every error, once and for good: no crash, no false
 * acknowledgement, and afterwards, on a healthy disk, everything acknowledged is there.
 *
 *     test_vault_io [step]      step 1: every call; n: every n-th
 */
#include "io/vfs_fault.h"
#include "life.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int64_t step = 3;

struct totals {
    uint64_t runs, sites, acked, lost, wrong, stuck;
};

/* Two lives with samples in time, late and corrected, checkpoints between them, one stop in order. */
static void script(struct life *l, struct life_model *m)
{
    for (int life = 0; life < 2; life++) {
        if (life_open(l, NULL) < 0)
            continue;
        for (unsigned k = 0; k < 6; k++) {
            unsigned now = (unsigned)life * 6 + k;
            (void)life_write(l, m, now % LIFE_HOSTS, 0, LIFE_COLUMNS, now);
            (void)life_write(l, m, 0, 1, 2, k); /* in the second life: late */
            ta_clock_manual_advance(&l->clock, (int64_t)LIFE_FREQ * 1000000000);
            if (k == 3)
                (void)life_checkpoint(l, ta_now_s(&l->clock.clock) - LIFE_FREQ, NULL);
        }
        if (life == 0)
            life_drop(l);
        else
            (void)life_stop(l, NULL);
    }
}

/* One run; returns the number of calls it made. */
static uint64_t run(int64_t fail_at, int sys, bool for_good, struct totals *t)
{
    struct ta_vfs_mem disk;
    struct ta_vfs_fault fault;
    struct life l = {.alloc = &ta_heap, .format = TA_TREE_BIN};
    struct life_model *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    ta_vfs_fault_init(&fault, &disk.vfs, &ta_heap);
    fault.kinds = TA_FAULT_ALL;
    fault.left = fail_at;
    fault.sys = sys;
    fault.for_good = for_good;
    l.vfs = &fault.vfs;
    ta_clock_manual_init(&l.clock, LIFE_BASE);
    script(&l, m);
    uint64_t calls = fault.calls;
    fault.left = -1;
    ta_vfs_mem_power_cut(&disk, (uint64_t)fail_at);
    struct ta_err err = {0};
    if (life_open(&l, &err) < 0) {
        print_message("call %lld errno %d: does not open: %s\n", (long long)fail_at, sys, err.text);
        t->stuck++;
    } else {
        life_compare(&l, m);
        life_drop(&l);
    }
    if (m->lost + m->wrong > 0)
        print_message("call %lld errno %d for good %d: lost %llu wrong %llu\n", (long long)fail_at,
                      sys, for_good, (unsigned long long)m->lost, (unsigned long long)m->wrong);
    t->runs++;
    t->acked += m->acked;
    t->lost += m->lost;
    t->wrong += m->wrong;
    ta_vfs_mem_done(&disk);
    free(m);
    return calls;
}

static void no_failing_call_loses_what_was_acknowledged(void **state)
{
    static const int errors[] = {ENOSPC, EIO, EINTR, EROFS, EACCES, EMFILE, 0 /* short */};
    struct totals t = {0};
    uint64_t calls = run(-1, 0, false, &t);

    (void)state;
    assert_int_equal(t.acked, 12 * (LIFE_COLUMNS + 2));
    for (size_t e = 0; e < TA_COUNT(errors); e++)
        for (int for_good = 0; for_good < 2; for_good++) {
            if (for_good && (errors[e] == EINTR || errors[e] == 0))
                continue; /* an endless row of interruptions is no disk's behaviour */
            for (int64_t at = (int64_t)e % step; at < (int64_t)calls; at += step) {
                run(at, errors[e], for_good, &t);
                t.sites++;
            }
        }
    printf("iofault: calls=%llu sites=%llu runs=%llu acked=%llu lost=%llu wrong=%llu stuck=%llu "
           "crash=0\n",
           (unsigned long long)calls, (unsigned long long)t.sites, (unsigned long long)t.runs,
           (unsigned long long)t.acked, (unsigned long long)t.lost, (unsigned long long)t.wrong,
           (unsigned long long)t.stuck);
    assert_int_equal(t.lost + t.wrong + t.stuck, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failing_call_loses_what_was_acknowledged),
    };

    if (argc > 1)
        step = strtoll(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
