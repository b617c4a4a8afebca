/* Every call of a piece of file work fails in turn; interrupted and short ones are repeated. */
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Writes a file under a temporary name, renames it, reads it back. */
static int replace_file(struct ta_vfs *v, struct ta_err *err)
{
    struct ta_file *f = NULL;
    char back[12] = {0};
    int64_t r = ta_mkdir_all(v, "/d/e", 0700, err);

    if (r >= 0)
        r = ta_open(v, "/d/e/tmp", TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &f, err);
    if (r >= 0)
        r = ta_pwrite_full(f, "hello world", 11, 0, err);
    if (r >= 0)
        r = ta_sync(f, err);
    if (r >= 0)
        r = ta_pread_full(f, back, 11, 0, err);
    if (r >= 0)
        assert_string_equal(back, "hello world");
    int closed = ta_close(&f, r < 0 ? NULL : err);
    if (r >= 0)
        r = closed;
    if (r >= 0)
        r = v->rename(v, "/d/e/tmp", "/d/e/f", err);
    if (r >= 0)
        r = v->sync_dir(v, "/d/e", err);
    return r < 0 ? (int)r : TA_OK;
}

/* Runs the work with its n-th call struck; whether a call was. */
static bool run(int64_t n, unsigned kinds, int sys, bool for_good, int *result)
{
    struct ta_vfs_mem m;
    struct ta_vfs_fault f;
    struct ta_err err = {0};

    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    ta_vfs_fault_init(&f, &m.vfs, &ta_heap);
    f.kinds = kinds;
    f.left = n;
    f.sys = sys;
    f.for_good = for_good;
    *result = replace_file(&f.vfs, &err);
    assert_int_equal(err.code, *result);
    ta_vfs_mem_done(&m);
    return f.hit;
}

static void every_failing_call_is_reported(void **state)
{
    int64_t n = 0;
    int r;

    (void)state;
    while (run(n, TA_FAULT_ALL, EIO, true, &r)) {
        assert_int_equal(r, TA_EIO);
        n++;
    }
    assert_int_equal(r, TA_OK);
    assert_true(n > 8);
}

static void interrupted_reads_writes_and_syncs_are_repeated(void **state)
{
    unsigned kinds = TA_FAULT_READ | TA_FAULT_WRITE | TA_FAULT_SYNC;
    int64_t n = 0;
    int r;

    (void)state;
    for (; run(n, kinds, EINTR, false, &r); n++)
        assert_int_equal(r, TA_OK);
    assert_true(n >= 3);
}

static void short_reads_and_writes_are_continued(void **state)
{
    int r;

    (void)state;
    assert_true(run(0, TA_FAULT_READ | TA_FAULT_WRITE, 0, true, &r));
    assert_int_equal(r, TA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_call_is_reported),
        cmocka_unit_test(interrupted_reads_writes_and_syncs_are_repeated),
        cmocka_unit_test(short_reads_and_writes_are_continued),
    };

    return cmocka_run_group_tests_name("vfs_fault", tests, NULL, NULL);
}
