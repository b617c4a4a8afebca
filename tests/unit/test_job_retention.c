/* Old jobs leave archive and database for Parquet files or another archive: none lost, none twice, whatever fails. */
#include "jobs/archive_queue.h"
#include "jobs/gzip_source.h"
#include "retention_site.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void old_jobs_move_into_files_of_their_cluster(void **state)
{
    static const unsigned goes[] = {27, 25, 26};

    (void)state;
    for (unsigned rule = 0; rule < TA_JOB_TAG_RULES; rule++) {
        struct retention_site s;
        struct ta_jobs_retained done;
        struct ta_err err = {0};
        rs_init(&s, TA_JOBS_MOVE);
        s.conf.tags = rule;
        struct ta_stat st;
        assert_int_equal(ta_backend_put_cluster(s.archive, TA_STR("alex"), TA_STR("{}"), NULL),
                         TA_OK);
        if (ta_jobs_retain(&s.conf, &done, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(s.mem.vfs.stat(&s.mem.vfs, "/out/alex/cluster.json", &st, NULL), TA_OK);
        assert_int_equal(st.size, 2);
        assert_int_equal(done.files, 2);
        assert_int_equal(done.copied, goes[rule]);
        assert_int_equal(done.removed, goes[rule]);
        assert_int_equal(done.absent, 1);
        assert_int_equal(done.failed, 0);
        rs_assert_moved_to_files(&s, rule);
        /* Again: nothing is left to do. */
        assert_int_equal(ta_jobs_retain(&s.conf, &done, &err), TA_OK);
        assert_int_equal(done.files, 0);
        rs_done(&s);
    }
}

static void a_job_that_cannot_be_read_stays_and_the_others_go(void **state)
{
    const struct ta_job_address address = rs_address_of(3);
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_MOVE);
    assert_int_equal(ta_backend_put_meta(s.archive, &address, ta_str("{\"jobId\":"), NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.failed, 1);
    assert_non_null(strstr(done.first.text, "job 1003 of alex: "));
    assert_int_equal(done.removed, 26);
    assert_true(rs_has_row(&s, 3) && rs_has_job(s.archive, 3));
    assert_false(rs_has_row(&s, 4) || rs_has_job(s.archive, 4));
    rs_done(&s);
}

static void files_roll_by_their_rows(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_MOVE);
    s.conf.parquet.file_rows = 4;
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.files, 3 + 5); /* 9 jobs of alex, 18 of fritz */
    rs_assert_moved_to_files(&s, TA_JOBS_ALL);
    rs_done(&s);
}

static void old_jobs_move_into_another_archive(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    assert_int_equal(ta_backend_put_cluster(s.archive, TA_STR("fritz"), TA_STR("{}"), NULL), TA_OK);
    rs_put_job(s.target, 4); /* as an earlier run that died may have left it */
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 27);
    for (unsigned i = 0; i < JOBS; i++) {
        bool stays = rs_must_stay(i, TA_JOBS_ALL);
        assert_int_equal(rs_has_job(s.target, i), !stays);
        assert_int_equal(rs_has_job(s.archive, i), stays && i != 7);
        assert_int_equal(rs_has_row(&s, i), stays);
    }
    struct ta_buf text;
    ta_buf_init(&text, &ta_heap, KiB);
    assert_int_equal(ta_backend_read_cluster(s.target, TA_STR("fritz"), &text, NULL), TA_OK);
    ta_buf_done(&text);
    rs_done(&s);
}

static void a_job_whose_change_the_archive_does_not_have_yet_is_moved_later(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    assert_int_equal(ta_archive_queue_tables(&s.sql, NULL), TA_OK);
    assert_int_equal(
        ta_sql_run(&s.sql, "INSERT INTO tarn_edit (job, revision) VALUES (5, 1)", NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 26);
    assert_true(rs_has_job(s.archive, 4) && rs_has_row(&s, 4) && !rs_has_job(s.target, 4));
    assert_int_equal(ta_sql_run(&s.sql, "DELETE FROM tarn_edit", NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 1);
    assert_true(!rs_has_job(s.archive, 4) && !rs_has_row(&s, 4) && rs_has_job(s.target, 4));
    rs_done(&s);
}

static void a_different_job_at_the_target_is_not_taken_for_a_copy(void **state)
{
    const struct ta_job_address address = rs_address_of(4);
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    rs_put_job(s.target, 4);
    assert_int_equal(ta_backend_put_meta(s.target, &address, ta_str("{\"jobId\":1}"), NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.failed, 1);
    assert_true(rs_has_job(s.archive, 4) && rs_has_row(&s, 4));
    rs_done(&s);
}

static void deleting_leaves_nothing_behind_and_rows_if_wanted(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct retention_site s;
        struct ta_jobs_retained done;
        rs_init(&s, TA_JOBS_DELETE);
        s.conf.keep_rows = keep;
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        for (unsigned i = 0; i < JOBS; i++) {
            bool stays = rs_must_stay(i, TA_JOBS_ALL) && i != 7;
            assert_int_equal(rs_has_job(s.archive, i), stays);
            assert_int_equal(rs_has_row(&s, i), keep || stays);
        }
        rs_done(&s);
    }
}

/* Every `stride`-th call only, unless all are asked for (make soak). */
static unsigned stride(void)
{
    return getenv("TARN_ALL_FAULTS") ? 1 : 23;
}

static void assert_done(struct retention_site *s)
{
    if (s->conf.policy == TA_JOBS_COPY)
        rs_assert_copied_to_files(s);
    else
        rs_assert_moved_to_files(s, TA_JOBS_ALL);
}

static void fail_file_calls(enum ta_job_policy policy)
{
    unsigned runs = 0;
    bool hit = true;

    for (int64_t n = 0; hit; n += stride()) {
        struct retention_site s;
        struct ta_jobs_retained done;
        struct ta_err err = {0};
        rs_init(&s, policy);
        s.conf.copied = rs_list;
        s.conf.parquet.file_rows = 10;
        s.fault.kinds = TA_FAULT_ALL;
        s.fault.for_good = n / stride() % 2;
        s.fault.hit = false;
        s.fault.left = n;
        (void)ta_jobs_retain(&s.conf, &done, NULL);
        hit = s.fault.hit;
        s.fault.left = -1;
        s.fault.for_good = s.fault.hit = false;
        ta_backend_close(s.archive);
        ta_backend_close(s.target);
        ta_vfs_mem_kill(&s.mem);
        rs_open_archives(&s);
        if (ta_jobs_retain(&s.conf, &done, &err) < 0)
            fail_msg("call %ld: %s", (long)n, err.text);
        assert_done(&s);
        rs_done(&s);
        runs++;
    }
    print_message("%u runs with a failing file call, and a rerun\n", runs);
    assert_true(runs > 10);
}

static void after_any_failing_file_call_no_job_is_lost_or_doubled(void **state)
{
    (void)state;
    fail_file_calls(TA_JOBS_MOVE);
    fail_file_calls(TA_JOBS_COPY);
}

static void fail_sql_calls(enum ta_job_policy policy)
{
    unsigned runs = 0;
    bool hit = true;

    for (long n = 0; hit; n += (long)(stride() + 3) / 4) {
        struct retention_site s;
        struct ta_jobs_retained done;
        rs_init(&s, policy);
        s.conf.copied = rs_list;
        s.conf.parquet.file_rows = 10;
        sql_fault_arm(n, runs % 2);
        (void)ta_jobs_retain(&s.conf, &done, NULL);
        hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        ta_sql_done(&s.sql);
        rs_open_database(&s);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_done(&s);
        rs_done(&s);
        runs++;
    }
    print_message("%u runs with a failing SQL call, and a rerun\n", runs);
    assert_true(runs > 3);
}

static void after_any_failing_sql_call_no_job_is_lost_or_doubled(void **state)
{
    (void)state;
    fail_sql_calls(TA_JOBS_MOVE);
    fail_sql_calls(TA_JOBS_COPY);
}

static void what_is_compressed_unpacks_to_what_it_was(void **state)
{
    static char plain[300000], packed[300000], back[300001];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (char)('a' + i * i / 7 % 23);
    for (size_t step = 1; step < sizeof(plain); step = step * 13 + 1) {
        struct ta_mem_source from;
        struct ta_gzip_source gzip;
        ta_mem_source_init(&from, plain, sizeof(plain), step);
        assert_int_equal(ta_gzip_source_init(&gzip, &from.source, 6, &ta_heap, NULL), TA_OK);
        int64_t n = ta_read_full(&gzip.source, packed, sizeof(packed), NULL);
        ta_gzip_source_done(&gzip);
        assert_in_range(n, 1, sizeof(packed) - 1);
        rs_inflate_text((struct ta_str){packed, (size_t)n}, back, sizeof(back));
        assert_memory_equal(back, plain, sizeof(plain));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_jobs_move_into_files_of_their_cluster),
        cmocka_unit_test(a_job_that_cannot_be_read_stays_and_the_others_go),
        cmocka_unit_test(files_roll_by_their_rows),
        cmocka_unit_test(old_jobs_move_into_another_archive),
        cmocka_unit_test(a_job_whose_change_the_archive_does_not_have_yet_is_moved_later),
        cmocka_unit_test(a_different_job_at_the_target_is_not_taken_for_a_copy),
        cmocka_unit_test(deleting_leaves_nothing_behind_and_rows_if_wanted),
        cmocka_unit_test(after_any_failing_file_call_no_job_is_lost_or_doubled),
        cmocka_unit_test(after_any_failing_sql_call_no_job_is_lost_or_doubled),
        cmocka_unit_test(what_is_compressed_unpacks_to_what_it_was),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, rs_make_dir, rs_drop_dir);
}
