/* Copies of old jobs are made once; what changes meanwhile does not leave. */
#include "retention_site.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void copying_leaves_everything_and_goes_on_from_the_mark(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    rs_init(&s, TA_JOBS_COPY);
    s.conf.from_s = START + 10 * 100;
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 20);
    assert_int_equal(done.removed, 0);
    rs_see_files(&s.mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(rs_in_files[i], i >= 10 && i < 30);
        assert_true(rs_has_row(&s, i));
        assert_int_equal(rs_has_job(s.archive, i), i != 7);
    }
    rs_done(&s);
}

static void a_listed_copy_is_not_made_again_and_a_late_job_comes_later(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;

    (void)state;
    for (int to_archive = 0; to_archive < 2; to_archive++) {
        rs_init(&s, TA_JOBS_COPY);
        s.conf.copied = rs_list;
        s.conf.to = to_archive ? s.target : NULL;
        s.conf.parquet.file_rows = 4;
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 27);
        if (!to_archive)
            rs_assert_copied_to_files(&s);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied + done.files, 0);
        /* One that ran at the time. Ids given anew, as after a rebuild of the database, change nothing. */
        assert_int_equal(ta_sql_run(&s.sql,
                                    "PRAGMA foreign_keys = OFF; UPDATE job SET id = id + 100; "
                                    "UPDATE job SET job_state = "
                                    "'completed' WHERE job_id = 1005",
                                    NULL),
                         TA_OK);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 1);
        rs_see_files(&s.mem.vfs);
        assert_int_equal(to_archive ? rs_has_job(s.target, 5) : (int)rs_in_files[5], 1);
        s.conf.copied = NULL; /* without a rs_list all are copied again */
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 28);
        rs_done(&s);
    }
}

static void a_list_that_is_no_database_is_named_and_nothing_is_copied(void **state)
{
    struct retention_site s;
    struct ta_jobs_retained done;
    struct ta_err err = {0};

    (void)state;
    rs_init(&s, TA_JOBS_COPY);
    FILE *f = fopen(rs_list, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", f);
    fclose(f);
    s.conf.copied = rs_list;
    assert_true(ta_jobs_retain(&s.conf, &done, &err) < 0);
    assert_non_null(strstr(err.text, rs_list));
    assert_int_equal(rs_see_files(&s.mem.vfs), 0);
    rs_done(&s);
}

/* A place whose first file is published just before something happens. */
struct busy_place {
    struct ta_arc_place place;
    struct retention_site *site;
    const char *change;
};

static int busy_exists(struct ta_arc_place *self, const char *name, struct ta_err *err)
{
    struct ta_arc_place *inner = &TA_CONTAINER(self, struct busy_place, place)->site->place.place;

    return inner->exists(inner, name, err);
}

static int busy_publish(struct ta_arc_place *self, const char *path, const char *name,
                        struct ta_err *err)
{
    struct busy_place *busy = TA_CONTAINER(self, struct busy_place, place);
    struct ta_arc_place *inner = &busy->site->place.place;
    int r = inner->publish(inner, path, name, err);

    assert_int_equal(ta_sql_run(&busy->site->sql, busy->change, NULL), TA_OK);
    busy->change = "";
    return r;
}

static void a_job_that_changes_while_its_file_is_written_stays(void **state)
{
    static const char *const changes[] = {
        "INSERT INTO jobtag (job_id, tag_id) SELECT id, 1 FROM job WHERE job_id = 1012",
        "UPDATE job SET monitoring_status = 1 WHERE job_id = 1012",
        "INSERT INTO tarn_edit (job, revision) SELECT id, 1 FROM job WHERE job_id = 1012",
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(changes); i++) {
        struct retention_site s;
        struct ta_jobs_retained done;
        rs_init(&s, TA_JOBS_MOVE);
        struct busy_place busy = {{busy_exists, busy_publish}, &s, changes[i]};
        s.conf.tags = TA_JOBS_NO_USERS_TAGS;
        s.conf.parquet.place = &busy.place;
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_true(rs_has_row(&s, 12) &&
                    rs_has_job(s.archive, 12)); /* of alex, whose file is the first */
        assert_int_equal(done.removed, 26 - 1);
        rs_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copying_leaves_everything_and_goes_on_from_the_mark),
        cmocka_unit_test(a_listed_copy_is_not_made_again_and_a_late_job_comes_later),
        cmocka_unit_test(a_list_that_is_no_database_is_named_and_nothing_is_copied),
        cmocka_unit_test(a_job_that_changes_while_its_file_is_written_stays),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, rs_make_dir, rs_drop_dir);
}
