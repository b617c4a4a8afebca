/* Plain data of an archive become compressed, each once, whatever fails; and when the daily run is due. */
#include "app/retention_task.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/compression.h"
#include "jobs/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { JOBS = 12, START = 1700000000, BEFORE = START + 1000, BYTES = 3000 };

struct site {
    struct ta_vfs_mem mem;
    struct ta_vfs_fault fault;
    struct ta_sql sql;
    struct ta_backend *archive;
    struct ta_data_spool spool;
    struct ta_archive_work work;
};

static struct ta_job_address address_of(unsigned i)
{
    return (struct ta_job_address){ta_str(i % 2 ? "a" : "b"), i, START + i * 100};
}

/* Jobs 10 and 11 are too young; job 3 is small. */
static bool becomes_packed(unsigned i)
{
    return i < 10 && i != 3;
}

static void text_of(unsigned i, char *out)
{
    for (size_t k = 0; k < BYTES; k++)
        out[k] = (char)('a' + (k / 7 + i) % 20);
}

static void put_plain(struct site *s, unsigned i)
{
    const struct ta_job_address address = address_of(i);
    struct ta_mem_source source;
    char text[BYTES];
    size_t n = i == 3 ? 100 : BYTES;

    text_of(i, text);
    ta_mem_source_init(&source, text, n, 0);
    assert_int_equal(ta_backend_put(s->archive, &address,
                                    &(struct ta_backend_data){&source.source, n, false},
                                    TA_STR("{}\n"), false, NULL),
                     TA_OK);
}

static void open_archive(struct site *s)
{
    const struct ta_backend_options options = {.may_create = true};

    assert_int_equal(
        ta_backend_open_files(&s->archive, &s->fault.vfs, "/jobs", &options, &ta_heap, NULL),
        TA_OK);
}

static void open_work(struct site *s)
{
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/tmp", 0755, NULL), TA_OK);
    assert_int_equal(ta_data_spool_init(&s->spool, &s->fault.vfs, "/tmp/spool", &ta_heap, NULL),
                     TA_OK);
    ta_archive_work_init(&s->work, &s->spool, &ta_heap);
}

static void close_work(struct site *s)
{
    ta_archive_work_done(&s->work);
    ta_data_spool_done(&s->spool);
    ta_backend_close(s->archive);
}

static void site_init(struct site *s)
{
    const struct ta_sql_options options = {.path = ":memory:"};
    const struct ta_job_schema_options schema = {0};
    char text[600];

    *s = (struct site){0};
    assert_int_equal(ta_vfs_mem_init(&s->mem, &ta_heap), TA_OK);
    ta_vfs_fault_init(&s->fault, &s->mem.vfs, &ta_heap);
    s->fault.left = -1;
    s->fault.sys = 28;
    s->fault.kinds = TA_FAULT_ALL;
    open_archive(s);
    open_work(s);
    assert_int_equal(ta_sql_open(&s->sql, &options, NULL), TA_OK);
    assert_int_equal(ta_job_schema_ready(&s->sql, &schema, NULL), TA_OK);
    for (unsigned i = 0; i < JOBS; i++) {
        put_plain(s, i);
        snprintf(text, sizeof(text),
                 "INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, project, "
                 "duration, walltime, job_state, resources, num_nodes, shared, monitoring_status) "
                 "VALUES (%u, '%s', 'm', %u, 'u', 'p', 1, 1, 'completed', '[]', 1, 'none', 3)",
                 i, i % 2 ? "a" : "b", START + i * 100);
        assert_int_equal(ta_sql_run(&s->sql, text, NULL), TA_OK);
    }
}

static void site_done(struct site *s)
{
    close_work(s);
    ta_sql_done(&s->sql);
    ta_vfs_mem_done(&s->mem);
}

static int run(struct site *s, struct ta_compressed *done)
{
    const struct ta_compression conf = {
        .work = &s->work, .archive = s->archive, .sql = &s->sql, .before_s = BEFORE};

    return ta_compression_run(&conf, done, NULL);
}

static bool is_packed(struct site *s, unsigned i)
{
    const struct ta_job_address address = address_of(i);
    struct ta_backend_data data;

    assert_int_equal(ta_backend_open_data(s->archive, &address, &data, NULL), TA_OK);
    ta_backend_close_data(s->archive);
    return data.is_gzip;
}

static int64_t mark_of(struct site *s)
{
    int64_t at = 0;

    return ta_backend_read_mark(s->archive, &at, NULL) < 0 ? 0 : at;
}

static void old_plain_data_are_packed_and_the_mark_says_up_to_when(void **state)
{
    struct ta_compressed done;
    struct site s;

    (void)state;
    site_init(&s);
    /* Without a mark the archive itself is looked at: the database lacks this one. */
    assert_int_equal(ta_sql_run(&s.sql, "DELETE FROM job WHERE job_id = 1", NULL), TA_OK);
    assert_int_equal(run(&s, &done), TA_OK);
    assert_int_equal(done.compressed, 9);
    assert_int_equal(mark_of(&s), BEFORE);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(is_packed(&s, i), becomes_packed(i));
    /* With it, only what the database has since. */
    assert_int_equal(run(&s, &done), TA_OK);
    assert_int_equal(done.seen, 0);
    assert_int_equal(ta_backend_put_mark(s.archive, START + 700, NULL), TA_OK);
    assert_int_equal(run(&s, &done), TA_OK);
    assert_int_equal(done.seen, 3);
    assert_int_equal(mark_of(&s), BEFORE);
    site_done(&s);
}

static void a_job_that_fails_is_tried_again_and_the_mark_waits_for_it(void **state)
{
    unsigned runs = 0;
    bool hit = true;

    (void)state;
    for (int64_t n = 0; hit; n += 3) {
        struct ta_compressed done;
        struct site s;
        site_init(&s);
        assert_int_equal(ta_backend_put_mark(s.archive, START - 1, NULL), TA_OK);
        s.fault.for_good = n % 2;
        s.fault.hit = false;
        s.fault.left = n;
        int r = run(&s, &done);
        hit = s.fault.hit;
        s.fault.left = -1;
        s.fault.for_good = s.fault.hit = false;
        close_work(&s);
        ta_vfs_mem_kill(&s.mem);
        open_archive(&s);
        open_work(&s);
        for (unsigned i = 0; i < 10; i++)
            if (becomes_packed(i) && !is_packed(&s, i))
                assert_true(mark_of(&s) <= START + i * 100);
        if (r >= 0 && !done.failed)
            assert_int_equal(mark_of(&s), BEFORE);
        assert_int_equal(run(&s, &done), TA_OK);
        assert_int_equal(done.failed, 0);
        for (unsigned i = 0; i < JOBS; i++)
            assert_int_equal(is_packed(&s, i), becomes_packed(i));
        assert_int_equal(mark_of(&s), BEFORE);
        site_done(&s);
        runs++;
    }
    print_message("%u runs with a failing file call, and a rerun\n", runs);
    assert_true(runs > 10);
}

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_isdst = -1};

    return mktime(&tm);
}

static void a_run_is_due_at_its_time_of_day_also_when_the_clocks_are_changed(void **state)
{
    enum { TWO = 2 * 3600, HALF_PAST_ONE = 5400 };

    (void)state;
    assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    assert_int_equal(ta_retention_due_s(1000, 30, TWO), 1030);
    assert_int_equal(ta_retention_due_s(at(2026, 6, 1, 1, 59), 0, TWO), at(2026, 6, 1, 2, 0));
    assert_int_equal(ta_retention_due_s(at(2026, 6, 1, 2, 0), 0, TWO), at(2026, 6, 2, 2, 0));
    assert_int_equal(ta_retention_due_s(at(2026, 12, 31, 12, 0), 0, TWO), at(2027, 1, 1, 2, 0));
    /* 2:00 is 3:00 on the last Sunday of March; in October the day has 25 hours. */
    assert_int_equal(ta_retention_due_s(at(2026, 3, 28, 3, 0), 0, TWO), at(2026, 3, 29, 3, 0));
    assert_int_equal(ta_retention_due_s(at(2026, 3, 29, 3, 1), 0, TWO), at(2026, 3, 30, 2, 0));
    int64_t before = at(2026, 10, 24, 1, 30);
    assert_int_equal(ta_retention_due_s(before, 0, HALF_PAST_ONE), before + 24 * 3600);
    assert_int_equal(ta_retention_due_s(before + 24 * 3600, 0, HALF_PAST_ONE),
                     before + (24 + 25) * 3600);
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_plain_data_are_packed_and_the_mark_says_up_to_when),
        cmocka_unit_test(a_job_that_fails_is_tried_again_and_the_mark_waits_for_it),
        cmocka_unit_test(a_run_is_due_at_its_time_of_day_also_when_the_clocks_are_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
