/* Whatever stops an archive run, and wherever: the next one leaves every row in the archive exactly once. */
#include "arc_tree.h"
#include "archive/archive.h"
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS = 3, BEFORE_S = 1800000000 };

/* What is printed at the end: how much was tried and that nothing went wrong. */
static struct {
    unsigned runs, full_disks, no_inodes, kills, early_deletes, lost, doubled;
} count;

/* The layout of the running test. */
static enum ta_archive_layout layout;

static int archive(struct ta_vfs *vfs, struct ta_alloc *alloc)
{
    const struct ta_archive_conf conf = {.vfs = vfs,
                                         .checkpoints = "ck",
                                         .archive = "ar",
                                         .layout = layout,
                                         .before_s = BEFORE_S,
                                         .memory = TA_ARCHIVE_MEMORY_MIN,
                                         .alloc = alloc};
    struct ta_archive_result result;
    int r = ta_archive_run(&conf, &result, NULL);

    return r < 0 ? r : result.clusters_failed || result.hosts_failed ? TA_ESTATE : TA_OK;
}

static void make(struct ta_vfs_mem *mem, struct arc_rows *want)
{
    *want = (struct arc_rows){0};
    assert_int_equal(ta_vfs_mem_init(mem, &ta_heap), TA_OK);
    if (layout == TA_ARCHIVE_FLAT)
        arc_tree_make(&mem->vfs, "ck", "fritz", HOSTS, want);
    else /* across midnight */
        for (unsigned i = 0; i < 2 * HOSTS; i++)
            arc_tree_file(&mem->vfs, "ck", "fritz", i < HOSTS ? "n1" : "n2",
                          1700006100 + i % HOSTS * 600, i % 2 ? TA_TREE_BIN : TA_TREE_JSON, want);
    assert_int_equal(mem->vfs.sync_dir(&mem->vfs, ".", NULL), TA_OK);
}

static struct arc_rows archived(struct ta_vfs_mem *mem)
{
    if (layout == TA_ARCHIVE_FLAT)
        return arc_tree_archived(&mem->vfs, "ar", "fritz");
    struct arc_rows a = arc_tree_archived(&mem->vfs, "ar/cluster=fritz", "date=2023-11-14");
    struct arc_rows b = arc_tree_archived(&mem->vfs, "ar/cluster=fritz", "date=2023-11-15");
    return (struct arc_rows){a.n + b.n, a.sum + b.sum};
}

/* After a run that was stopped: nothing partial is visible (arc_tree_archived reads every file to its end), and
 * where sources are missing the archive has rows. */
static void check_stopped(struct ta_vfs_mem *mem)
{
    struct arc_rows seen = archived(mem);
    unsigned sources = arc_tree_count(&mem->vfs, "ck", "fritz", ".json") +
                       arc_tree_count(&mem->vfs, "ck", "fritz", ".bin");

    count.runs++;
    count.early_deletes += sources < 2 * HOSTS && seen.n == 0;
    assert_true(sources == 2 * HOSTS || seen.n > 0);
}

/* A run without faults completes what is left. */
static void check_rerun(struct ta_vfs_mem *mem, const struct arc_rows *want)
{
    assert_int_equal(archive(&mem->vfs, &ta_heap), TA_OK);
    struct arc_rows got = archived(mem);
    count.lost += got.n < want->n;
    count.doubled += got.n > want->n;
    assert_int_equal(got.n, want->n);
    assert_int_equal(got.sum, want->sum);
    assert_int_equal(arc_tree_count(&mem->vfs, "ck", "fritz", ""), 0);
}

static void fail_every_call(int sys, bool for_good)
{
    for (int64_t n = 0;; n++) {
        struct ta_vfs_fault fault;
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        ta_vfs_fault_init(&fault, &mem.vfs, &ta_heap);
        fault.kinds = TA_FAULT_ALL;
        fault.left = n;
        fault.sys = sys;
        fault.for_good = for_good;
        int r = archive(&fault.vfs, &ta_heap);
        if (sys == 0)
            assert_int_equal(r, TA_OK);
        check_stopped(&mem);
        check_rerun(&mem, &want);
        ta_vfs_mem_done(&mem);
        if (!fault.hit)
            break;
    }
}

static void every_call_may_fail_once(void **state)
{
    (void)state;
    fail_every_call(EIO, false);
}

static void every_call_may_fail_for_good(void **state)
{
    (void)state;
    fail_every_call(ENOSPC, true);
}

static void every_read_and_write_may_be_short(void **state)
{
    (void)state;
    fail_every_call(0, true);
}

static void every_allocation_may_be_refused(void **state)
{
    (void)state;
    struct fault f = {.may_succeed = true};

    while (fault_next(&f)) {
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        fault_judge(&f, archive(&mem.vfs, &f.alloc));
        check_stopped(&mem);
        check_rerun(&mem, &want);
        ta_vfs_mem_done(&mem);
    }
}

struct killer {
    struct ta_vfs_mem *mem;
    uint64_t at;
};

static void kill_now(struct ta_vfs_fault *f, enum ta_fault_kind kind)
{
    struct killer *k = f->hook_data;

    (void)kind;
    if (f->calls == k->at)
        f->for_good = true, f->left = 0, f->sys = EIO; /* nothing works from here on */
}

/* Runs until call n, then the process is gone. False when the run ended before. */
static bool run_killed(struct ta_vfs_mem *mem, uint64_t n)
{
    struct killer killer = {mem, n};
    struct ta_vfs_fault fault;

    ta_vfs_fault_init(&fault, &mem->vfs, &ta_heap);
    fault.kinds = TA_FAULT_ALL;
    fault.hook = kill_now;
    fault.hook_data = &killer;
    (void)archive(&fault.vfs, &ta_heap);
    return fault.hit;
}

static void a_kill_at_every_call_is_survived(void **state)
{
    (void)state;
    bool was_killed = true;

    for (uint64_t n = 1; was_killed; n++) {
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        was_killed = run_killed(&mem, n);
        ta_vfs_mem_kill(&mem);
        count.kills += was_killed;
        check_stopped(&mem);
        check_rerun(&mem, &want);
        ta_vfs_mem_done(&mem);
    }
}

static void a_power_cut_at_every_call_is_survived(void **state)
{
    (void)state;
    bool was_killed = true;

    for (uint64_t n = 1; was_killed; n++) {
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        was_killed = run_killed(&mem, n);
        for (uint64_t seed = 0; seed < (layout == TA_ARCHIVE_FLAT ? 6 : 2); seed++) {
            struct ta_vfs_mem cut;
            assert_int_equal(ta_vfs_mem_copy(&cut, &mem), TA_OK);
            ta_vfs_mem_power_cut(&cut, seed);
            check_stopped(&cut);
            check_rerun(&cut, &want);
            ta_vfs_mem_done(&cut);
        }
        ta_vfs_mem_done(&mem);
    }
}

static void runs_by_days_survive_all_that(void **state)
{
    layout = TA_ARCHIVE_HIVE;
    fail_every_call(EIO, false);
    fail_every_call(ENOSPC, true);
    a_kill_at_every_call_is_survived(state);
    a_power_cut_at_every_call_is_survived(state);
    layout = TA_ARCHIVE_FLAT;
}

static void full_disks_of_every_size_are_survived(void **state)
{
    (void)state;
    bool is_full = true;

    for (uint64_t extra = 0; is_full; extra += 97) {
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        struct ta_space space;
        mem.capacity = 1 * GiB;
        assert_int_equal(mem.vfs.space(&mem.vfs, ".", &space, NULL), TA_OK);
        mem.capacity = space.total_bytes - space.free_bytes + extra;
        is_full = archive(&mem.vfs, &ta_heap) < 0;
        count.full_disks += is_full;
        check_stopped(&mem);
        mem.capacity = 0;
        check_rerun(&mem, &want);
        ta_vfs_mem_done(&mem);
    }
}

static void exhausted_inodes_are_survived(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 8; extra++) {
        struct ta_vfs_mem mem;
        struct arc_rows want;
        make(&mem, &want);
        mem.inodes_max = mem.n_inodes + extra;
        count.no_inodes += archive(&mem.vfs, &ta_heap) < 0;
        check_stopped(&mem);
        mem.inodes_max = 0;
        check_rerun(&mem, &want);
        ta_vfs_mem_done(&mem);
    }
}

static int print_count(void **state)
{
    (void)state;
    printf("count: archive runs on the VFS stopped=%u (full disks %u, no inodes %u, kills %u) "
           "early_delete=%u rows_lost=%u rows_twice=%u retried_ok=%u\n",
           count.runs, count.full_disks, count.no_inodes, count.kills, count.early_deletes,
           count.lost, count.doubled, count.runs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail_once),
        cmocka_unit_test(every_call_may_fail_for_good),
        cmocka_unit_test(every_read_and_write_may_be_short),
        cmocka_unit_test(every_allocation_may_be_refused),
        cmocka_unit_test(a_kill_at_every_call_is_survived),
        cmocka_unit_test(a_power_cut_at_every_call_is_survived),
        cmocka_unit_test(runs_by_days_survive_all_that),
        cmocka_unit_test(full_disks_of_every_size_are_survived),
        cmocka_unit_test(exhausted_inodes_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, print_count);
}
