/* Archiving one job while the n-th call on the database, or on a file, fails: the job is archived whole
 * or it waits, and after the next try it is archived. */
#include "archive_site.h"
#include "io/vfs_fault.h"
#include "sql_fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct archive_site site;

/* What a worker does, without its thread. */
static int archive_next(const char *sql_vfs, struct ta_vfs *vfs)
{
    const struct ta_sql_options database = {
        .path = site.database, .vfs = sql_vfs, .cache_bytes = 256 << 10, .busy_timeout_ms = 100};
    const struct ta_backend_options options = {.may_create = true};
    struct ta_archive_queue *queue = NULL;
    struct ta_backend *backend = NULL;
    struct ta_data_spool spool = {0};
    struct ta_archived done;
    struct ta_arena arena;
    struct ta_job job;
    unsigned attempts;
    int64_t row;
    char path[128];

    snprintf(path, sizeof(path), "%s/spool", site.dir);
    ta_arena_init(&arena, &ta_heap, 16 << 20);
    int r = ta_data_spool_init(&spool, vfs, path, &ta_heap, NULL);
    if (r >= 0)
        r = ta_archive_queue_open(&queue, &database, &ta_heap, NULL);
    if (r >= 0)
        r = ta_backend_open_files(&backend, vfs, site.archive, &options, &ta_heap, NULL);
    if (r >= 0)
        r = ta_archive_queue_next(queue, INT64_MAX - 1, NULL, 0, &row, &attempts, NULL);
    if (r > 0) {
        const struct ta_archive_bench bench = {.store = site.store,
                                               .clusters = site.clusters,
                                               .n_clusters = 1,
                                               .backend = backend,
                                               .spool = &spool,
                                               .rules = {.load = {8, false}},
                                               .clock = &ta_clock_system,
                                               .alloc = &ta_heap};

        r = ta_archive_queue_load(queue, row, &arena, &job, NULL);
        if (r >= 0)
            r = ta_archive_job(&bench, &job, false, &arena, &done, NULL);
        if (r >= 0)
            r = ta_archive_queue_done(queue, &job, done.first_tag, done.missing, NULL);
    }
    ta_backend_close(backend);
    ta_archive_queue_close(queue);
    ta_data_spool_done(&spool);
    ta_arena_done(&arena);
    return r;
}

static bool is_whole(void)
{
    const char *meta = archive_site_read(&site, 1001, "meta.json");

    if (!strstr(meta, "\"monitoringStatus\":3"))
        return false;
    const char *data = archive_site_read(&site, 1001, "data.json.gz");
    size_t n = strlen(data);
    return n > 2 && data[0] == '{' && data[n - 2] == '}';
}

/* One run with a fault armed; then all is well again and the rest is done. */
static void check_run(const char *sql_vfs, struct ta_vfs *vfs)
{
    (void)archive_next(sql_vfs, vfs);
    sql_fault_arm(-1, false);
    int64_t status = archive_site_ask(&site, "SELECT monitoring_status FROM job");
    assert_true(status == 1 || (status == 3 && is_whole()));
    if (status == 1)
        assert_int_equal(archive_next(NULL, &ta_vfs_posix), TA_OK);
    assert_int_equal(archive_site_ask(&site, "SELECT monitoring_status FROM job"), 3);
    assert_true(is_whole());
}

static void set_up_site(void)
{
    archive_site_open(&site, 2, 30);
    archive_site_job(&site, 1001, 2, 1800, "completed");
}

static void any_call_on_the_database_may_fail(void **state)
{
    bool was_hit = true;

    (void)state;
    long n = 0;

    for (; was_hit; n += 1 + n / 16) {
        set_up_site();
        sql_fault_arm(-1, false);
        assert_true(archive_site_ask(&site, "SELECT count(*) FROM job") == 1);
        sql_fault_arm(n, n % 2 == 1);
        (void)archive_next(SQL_FAULT_VFS, &ta_vfs_posix);
        was_hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        int64_t status = archive_site_ask(&site, "SELECT monitoring_status FROM job");
        assert_true(status == 1 || (status == 3 && is_whole()));
        if (status == 1)
            check_run(NULL, &ta_vfs_posix);
        archive_site_close(&site);
    }
    assert_true(n > 20);
}

static void any_call_on_a_file_may_fail(void **state)
{
    bool was_hit = true;

    (void)state;
    int64_t n = 0;

    for (; was_hit; n++) {
        struct ta_vfs_fault fault;

        set_up_site();
        ta_vfs_fault_init(&fault, &ta_vfs_posix, &ta_heap);
        fault.kinds = TA_FAULT_ALL;
        fault.left = n;
        fault.sys = ENOSPC;
        fault.for_good = n % 2 == 1;
        check_run(NULL, &fault.vfs);
        was_hit = fault.hit;
        archive_site_close(&site);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_on_the_database_may_fail),
        cmocka_unit_test(any_call_on_a_file_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
