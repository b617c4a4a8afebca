/* Power cuts at any file operation of a server's life: what was acknowledged comes back, nothing else does.
 *
 *     test_vault_powercut [seeds [first seed]]
 */
#include "io/vfs_fault.h"
#include "life.h"
#include "lying_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 1000, MUTANT_SEEDS = 60, LIVES = 4, OPS = 40 };
static uint64_t n_seeds = SEEDS, first_seed = 1;

struct run {
    struct ta_vfs_mem disk;
    struct ta_vfs_fault fault;
    struct ta_rand rand;
    struct life_model model;
    struct life life;
    /* The log's thread meets the cut as well as this one: all calls of the disk are one after another. */
    _Atomic int64_t cut_at; /* call before which the power goes; < 0: never */
    uint64_t cut_seed;
    _Atomic bool is_cut;
};

struct totals {
    uint64_t cuts, stops, acked, lost, wrong, unopenable;
};

/* The machine is off from here on: the process gets nothing done any more, it only does not know yet. */
static void cut_power(struct ta_vfs_fault *f, enum ta_fault_kind kind)
{
    struct run *run = f->hook_data;

    (void)kind;
    if (run->is_cut || run->cut_at < 0 || run->cut_at-- > 0)
        return;
    run->is_cut = true;
    ta_vfs_mem_power_cut(&run->disk, run->cut_seed);
    f->left = 0;
    f->sys = EIO;
    f->for_good = true;
}

static void plug_in(struct run *run)
{
    ta_vfs_fault_init(&run->fault, &run->disk.vfs, &ta_heap);
    run->fault.kinds = TA_FAULT_ALL;
    run->fault.left = -1;
    run->fault.hook = cut_power;
    run->fault.hook_data = run;
    run->is_cut = false;
    run->cut_at = -1;
    run->cut_seed = ta_rand_u64(&run->rand);
    run->life.vfs = &run->fault.vfs;
}

static int64_t boundary(struct run *run)
{
    return ta_now_s(&run->life.clock.clock) - (int64_t)ta_rand_below(&run->rand, 6) * LIFE_FREQ;
}

/* Most samples are of the newest tick, some late, some corrections. */
static void some_operation(struct run *run, unsigned *now_k)
{
    struct ta_rand *r = &run->rand;
    uint64_t what = ta_rand_below(r, 20);

    if (what == 0) {
        (void)life_checkpoint(&run->life, boundary(run), NULL);
        return;
    }
    if (what < 6 && *now_k + 1 < LIFE_TICKS) {
        ++*now_k;
        ta_clock_manual_advance(&run->life.clock, (int64_t)LIFE_FREQ * 1000000000);
    }
    unsigned k = what < 16 ? *now_k : (unsigned)ta_rand_below(r, *now_k + 1);
    unsigned first = (unsigned)ta_rand_below(r, LIFE_COLUMNS);
    unsigned n = 1 + (unsigned)ta_rand_below(r, LIFE_COLUMNS - first);
    (void)life_write(&run->life, &run->model, (unsigned)ta_rand_below(r, LIFE_HOSTS), first, n, k);
}

static void one_life(struct run *run, unsigned *now_k, struct totals *t)
{
    plug_in(run);
    run->life.format = ta_rand_below(&run->rand, 2) ? TA_TREE_JSON : TA_TREE_BIN;
    if (ta_rand_below(&run->rand, 4) > 0)
        run->cut_at = (int64_t)ta_rand_below(&run->rand, 220);
    if (life_open(&run->life, NULL) < 0) {
        t->unopenable += !run->is_cut;
        t->cuts += run->is_cut;
        return;
    }
    if (!run->is_cut)
        life_compare(&run->life, &run->model);
    for (int i = 0; i < OPS && !run->is_cut; i++)
        some_operation(run, now_k);
    if (run->is_cut || ta_rand_below(&run->rand, 2)) {
        if (!run->is_cut) {
            run->cut_at = 0;
            ta_vfs_fault_pass(&run->fault);
        }
        life_drop(&run->life);
        t->cuts++;
    } else {
        (void)life_stop(&run->life, NULL);
        t->cuts += run->is_cut;
        t->stops += !run->is_cut;
    }
}

static void one_seed(uint64_t seed, enum lie lie, enum ta_durability durability, struct totals *t)
{
    struct run *run = calloc(1, sizeof(*run));
    unsigned now_k = 0;

    assert_non_null(run);
    run->rand.state = seed;
    assert_int_equal(ta_vfs_mem_init(&run->disk, &ta_heap), TA_OK);
    lying_disk(&run->disk, lie);
    ta_clock_manual_init(&run->life.clock, LIFE_BASE);
    run->life.alloc = &ta_heap;
    run->life.durability = durability;
    for (int i = 0; i < LIVES; i++)
        one_life(run, &now_k, t);
    plug_in(run);
    if (life_open(&run->life, NULL) < 0) {
        t->unopenable++;
    } else {
        life_compare(&run->life, &run->model);
        life_drop(&run->life);
    }
    if (run->model.lost + run->model.wrong > 0 && lie == LIE_NONE &&
        durability == TA_DURABILITY_SYNC)
        printf("powercut: seed %llu: lost %llu, wrong %llu\n", (unsigned long long)seed,
               (unsigned long long)run->model.lost, (unsigned long long)run->model.wrong);
    t->acked += run->model.acked;
    t->lost += run->model.lost;
    t->wrong += run->model.wrong;
    ta_vfs_mem_done(&run->disk);
    free(run);
}

static struct totals seeds(uint64_t n, enum lie lie, enum ta_durability durability)
{
    struct totals t = {0};

    for (uint64_t i = 0; i < n; i++)
        one_seed(first_seed + i, lie, durability, &t);
    return t;
}

static void nothing_acknowledged_is_lost_by_power_cuts(void **state)
{
    struct totals t = seeds(n_seeds, LIE_NONE, TA_DURABILITY_SYNC);

    (void)state;
    printf("powercut: seeds=%llu cuts=%llu stops=%llu acked=%llu lost=%llu wrong=%llu "
           "unopenable=%llu\n",
           (unsigned long long)n_seeds, (unsigned long long)t.cuts, (unsigned long long)t.stops,
           (unsigned long long)t.acked, (unsigned long long)t.lost, (unsigned long long)t.wrong,
           (unsigned long long)t.unopenable);
    assert_int_equal(t.lost + t.wrong + t.unopenable, 0);
}

static void planted_defects_are_caught(void **state)
{
    struct totals no_sync = seeds(MUTANT_SEEDS, LIE_SYNC, TA_DURABILITY_SYNC);
    struct totals no_sync_dir = seeds(MUTANT_SEEDS, LIE_SYNC_DIR, TA_DURABILITY_SYNC);
    struct totals early_answer = seeds(MUTANT_SEEDS, LIE_NONE, TA_DURABILITY_INTERVAL);

    (void)state;
    printf("powercut mutants: planted=3 lost_without_sync=%llu lost_without_directory_sync=%llu "
           "lost_by_early_answer=%llu\n",
           (unsigned long long)no_sync.lost, (unsigned long long)no_sync_dir.lost,
           (unsigned long long)early_answer.lost);
    assert_true(no_sync.lost > 0);
    assert_true(no_sync_dir.lost > 0);
    assert_true(early_answer.lost > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_by_power_cuts),
        cmocka_unit_test(planted_defects_are_caught),
    };

    if (argc > 1)
        n_seeds = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
