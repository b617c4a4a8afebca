/* Every allocation of a server's life is refused, once and for good: no crash, no leak, and a start with
 * memory finds everything acknowledged.
 *
 *     test_vault_memory [step]
 */
#include "fault.h"
#include "life.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static long step = 5;

static void script(struct life *l, struct life_model *m)
{
    for (int life = 0; life < 2; life++) {
        if (life_open(l, NULL) < 0)
            continue;
        for (unsigned k = 0; k < 4; k++) {
            (void)life_write(l, m, k % LIFE_HOSTS, 0, LIFE_COLUMNS, (unsigned)life * 4 + k);
            ta_clock_manual_advance(&l->clock, (int64_t)LIFE_FREQ * 1000000000);
        }
        (void)life_checkpoint(l, ta_now_s(&l->clock.clock) - LIFE_FREQ, NULL);
        if (life == 0)
            life_drop(l);
        else
            (void)life_stop(l, NULL);
    }
}

/* Refuses the allocation number `at` (and, for good, all later ones); -1: none. Returns how many there were. */
static size_t run(long at, bool for_good, struct life_model *m)
{
    struct fault f = {0};
    struct ta_vfs_mem disk;
    struct life l = {.alloc = &f.alloc, .format = TA_TREE_JSON};

    fault_count_only(&f);
    f.left = at < 0 ? LONG_MAX : at;
    f.for_good = for_good;
    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    l.vfs = &disk.vfs;
    ta_clock_manual_init(&l.clock, LIFE_BASE);
    memset(m, 0, sizeof(*m));
    script(&l, m);
    size_t calls = f.calls;
    assert_int_equal(f.live, 0);
    ta_vfs_mem_power_cut(&disk, (uint64_t)at);
    l.alloc = &ta_heap;
    assert_int_equal(life_open(&l, NULL), TA_OK);
    life_compare(&l, m);
    life_drop(&l);
    ta_vfs_mem_done(&disk);
    return calls;
}

static void no_refused_allocation_loses_what_was_acknowledged(void **state)
{
    struct life_model *m = calloc(1, sizeof(*m));
    uint64_t runs = 0, lost = 0, wrong = 0, acked = 0;

    (void)state;
    assert_non_null(m);
    size_t calls = run(-1, false, m);
    assert_int_equal(m->acked, 8 * LIFE_COLUMNS);
    for (int for_good = 0; for_good < 2; for_good++)
        for (long at = for_good; at < (long)calls; at += step) {
            run(at, for_good, m);
            runs++;
            acked += m->acked;
            lost += m->lost;
            wrong += m->wrong;
            if (m->lost + m->wrong > 0)
                print_message("allocation %ld for good %d: lost %llu wrong %llu\n", at, for_good,
                              (unsigned long long)m->lost, (unsigned long long)m->wrong);
        }
    printf("oom: indices=%zu runs=%llu acked=%llu lost=%llu wrong=%llu leak=0 crash=0\n", calls,
           (unsigned long long)runs, (unsigned long long)acked, (unsigned long long)lost,
           (unsigned long long)wrong);
    assert_int_equal(lost + wrong, 0);
    free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_refused_allocation_loses_what_was_acknowledged),
    };

    if (argc > 1)
        step = strtol(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
