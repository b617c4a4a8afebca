/* The tables of the job database: made, recognised, upgraded, and left alone when a call fails. */
#include "base/alloc.h"
#include "base/str.h"
#include "jobs/schema.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[128];

static void remove_database(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[160];

    for (size_t i = 0; i < TA_COUNT(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int set_up(void **state)
{
    (void)state;
    /* Memory where there is some: these tests write a lot and keep nothing. */
    snprintf(folder, sizeof folder, "%s/tarn-schema-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/job.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_database();
    return rmdir(folder);
}

static int open_ready(struct ta_sql *sql, bool may_upgrade, bool all_indexes, const char *vfs,
                      struct ta_err *err)
{
    struct ta_sql_options options = {.path = path, .vfs = vfs, .busy_timeout_ms = 100};
    struct ta_job_schema_options schema = {may_upgrade, all_indexes};
    int e = ta_sql_open(sql, &options, err);

    return e < 0 ? e : ta_job_schema_ready(sql, &schema, err);
}

static int64_t ask(struct ta_sql *sql, const char *text)
{
    int64_t v = -1;

    assert_int_equal(ta_sql_i64(sql, text, &v, NULL), TA_OK);
    return v;
}

static void
a_new_database_shrinks_after_deletions_and_one_of_another_program_is_left_alone(void **state)
{
    static const char fill[] =
        "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
        "i "
        "< 5000) INSERT INTO t SELECT randomblob(4000) FROM n; DELETE FROM t WHERE rowid < 5000";

    (void)state;
    for (int theirs = 0; theirs < 2; theirs++) {
        const struct ta_sql_options options = {.path = path};
        struct ta_sql sql = {0};
        sqlite3 *other = NULL;

        remove_database();
        if (theirs) {
            assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
            assert_int_equal(sqlite3_exec(other, "CREATE TABLE first (x)", NULL, NULL, NULL),
                             SQLITE_OK);
            assert_int_equal(sqlite3_close(other), SQLITE_OK);
        }
        assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
        assert_int_equal(ta_sql_run(&sql, fill, NULL), TA_OK);

        int64_t pages = ask(&sql, "PRAGMA page_count");

        assert_true(ask(&sql, "PRAGMA freelist_count") > 4500);
        assert_int_equal(ta_sql_shrink(&sql, NULL), TA_OK);
        assert_int_equal(ask(&sql, "SELECT count(*) FROM t"), 1);
        assert_true(theirs ? ask(&sql, "PRAGMA page_count") == pages
                           : ask(&sql, "PRAGMA page_count") < 1100);
        assert_int_equal(ta_sql_shrink(&sql, NULL), TA_OK); /* nothing more */
        ta_sql_done(&sql);
        remove_database();
    }
}

static void a_new_file_becomes_a_database_of_the_current_version(void **state)
{
    struct ta_sql sql = {0};

    (void)state;
    assert_int_equal(open_ready(&sql, false, false, SQL_FAULT_VFS, NULL), TA_OK);
    assert_int_equal(ask(&sql, "SELECT version * 10 + dirty FROM schema_migrations"), 110);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM job"), 0);
    assert_int_equal(ask(&sql, "PRAGMA foreign_keys"), 1);
    assert_int_equal(ask(&sql, "PRAGMA synchronous"), 2);
    assert_int_equal(
        ask(&sql, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    ta_sql_done(&sql);
    assert_int_equal(open_ready(&sql, false, false, SQL_FAULT_VFS, NULL), TA_OK);
    ta_sql_done(&sql);
    remove_database();
}

#define JOB_INSERT                                                                                 \
    "INSERT INTO job (job_id, cluster, subcluster, hpc_user, project, duration, walltime, "        \
    "job_state, resources, num_nodes, shared) VALUES (7, 'c', 's', 'u', 'p', 1, 2, "

/* What version 10 had otherwise, with a tagged job in the spelling that goes. */
static void make_version_10(bool is_respelled)
{
    struct ta_sql sql = {0};

    assert_int_equal(open_ready(&sql, false, false, SQL_FAULT_VFS, NULL), TA_OK);
    assert_int_equal(
        ta_sql_run(&sql,
                   "ALTER TABLE node_state DROP COLUMN health_metrics;"
                   "CREATE INDEX jobs_cluster_submittime ON job (cluster, submit_time);"
                   "UPDATE schema_migrations SET version = 10;",
                   NULL),
        TA_OK);
    if (is_respelled)
        assert_int_equal(ta_sql_run(&sql,
                                    "PRAGMA writable_schema = ON;"
                                    "UPDATE sqlite_master SET sql = replace(sql, 'out_of_memory', "
                                    "'out-of-memory');"
                                    "PRAGMA writable_schema = RESET;" JOB_INSERT
                                    "'out-of-memory', '[]', 1, 'none');",
                                    NULL),
                         TA_OK);
    assert_int_equal(ta_sql_run(&sql,
                                "INSERT INTO tag (id, tag_type, tag_name) VALUES (1, 'a', 'b');"
                                "INSERT INTO jobtag (job_id, tag_id) SELECT id, 1 FROM job;",
                                NULL),
                     TA_OK);
    ta_sql_done(&sql);
}

static void assert_upgraded(struct ta_sql *sql)
{
    assert_int_equal(ask(sql, "SELECT version FROM schema_migrations"), 11);
    assert_int_equal(ask(sql, "SELECT count(*) FROM job JOIN jobtag ON jobtag.job_id = job.id "
                              "WHERE job_state = 'out_of_memory' AND job.job_id = 7"),
                     1);
    assert_int_equal(ask(sql, "SELECT count(*) FROM sqlite_master WHERE sql LIKE "
                              "'%out-of-memory%' OR name LIKE '%submittime' OR name LIKE "
                              "'%respelled%' OR sql LIKE '%respelled%'"),
                     0);
    assert_int_equal(ask(sql, "SELECT count(health_metrics) FROM node_state"), 0);
    assert_int_equal(ask(sql, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void version_10_is_upgraded_only_when_asked(void **state)
{
    struct ta_sql sql = {0};
    struct ta_err err = {0};

    (void)state;
    make_version_10(true);
    assert_int_equal(open_ready(&sql, false, false, SQL_FAULT_VFS, &err), TA_ESTATE);
    assert_non_null(strstr(err.text, "-migrate-db"));
    assert_int_equal(ask(&sql, "SELECT version FROM schema_migrations"), 10);
    ta_sql_done(&sql);
    assert_int_equal(open_ready(&sql, true, false, SQL_FAULT_VFS, NULL), TA_OK);
    assert_upgraded(&sql);
    /* A tag goes with its job: the copied table is still the one that tags refer to. */
    assert_int_equal(ta_sql_run(&sql, "DELETE FROM job", NULL), TA_OK);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM jobtag"), 0);
    ta_sql_done(&sql);
    remove_database();
}

static void other_versions_and_other_files_are_refused_untouched(void **state)
{
    static const struct {
        const char *change;
        int code;
    } cases[] = {
        {"UPDATE schema_migrations SET version = 12", TA_ESTATE},
        {"UPDATE schema_migrations SET version = 9", TA_ESTATE},
        {"UPDATE schema_migrations SET version = 0", TA_EFORMAT},
        {"UPDATE schema_migrations SET dirty = 1", TA_ESTATE},
        {"DELETE FROM schema_migrations", TA_EFORMAT},
        {"DROP TABLE schema_migrations", TA_EFORMAT},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_sql sql = {0};
        struct ta_err err = {0};

        assert_int_equal(open_ready(&sql, false, false, SQL_FAULT_VFS, NULL), TA_OK);
        assert_int_equal(ta_sql_run(&sql, cases[i].change, NULL), TA_OK);
        ta_sql_done(&sql);
        assert_int_equal(open_ready(&sql, true, false, SQL_FAULT_VFS, &err), cases[i].code);
        assert_true(err.text[0] != 0);
        ta_sql_done(&sql);
        remove_database();
    }
}

static void a_file_of_other_bytes_is_no_database(void **state)
{
    struct ta_sql sql = {0};
    FILE *f = fopen(path, "wb");

    (void)state;
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("these are no pages", f);
    fclose(f);
    assert_int_equal(open_ready(&sql, true, false, SQL_FAULT_VFS, NULL), TA_EFORMAT);
    ta_sql_done(&sql);
    remove_database();
}

/* One run that may fail; whatever it did, the next one must succeed. Returns whether a call
 * failed. */
static bool upgrade_failing(long left, bool for_good)
{
    struct ta_sql sql = {0};

    make_version_10(true);
    sql_fault_arm(left, for_good);

    int e = open_ready(&sql, true, false, SQL_FAULT_VFS, NULL);
    bool hit = sql_fault_hit();

    ta_sql_done(&sql);
    sql_fault_arm(-1, false);
    if (!hit)
        assert_int_equal(e, TA_OK);
    assert_int_equal(open_ready(&sql, true, false, SQL_FAULT_VFS, NULL), TA_OK);
    assert_upgraded(&sql);
    ta_sql_done(&sql);
    remove_database();
    return hit;
}

static void a_failing_call_leaves_the_old_version_or_the_new_one(void **state)
{
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        long n = 0;

        while (upgrade_failing(n, for_good))
            n++;
        assert_true(n > 20);
    }
}

static void too_little_memory_leaves_the_old_version_or_the_new_one(void **state)
{
    int n_refused = 0;

    (void)state;
    for (sqlite3_int64 limit = 8 * 1024; limit < 1024 * 1024; limit += 8 * 1024) {
        struct ta_sql sql = {0};

        make_version_10(true);
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + limit);

        int e = open_ready(&sql, true, false, SQL_FAULT_VFS, NULL);

        ta_sql_done(&sql);
        sqlite3_hard_heap_limit64(0);
        assert_true(e == TA_OK || e == TA_ENOMEM);
        n_refused += e == TA_ENOMEM;
        assert_int_equal(open_ready(&sql, true, false, SQL_FAULT_VFS, NULL), TA_OK);
        assert_upgraded(&sql);
        ta_sql_done(&sql);
        remove_database();
    }
    assert_true(n_refused > 5);
}

/* Compares two open databases, ours and the attached one: rows of one that the other lacks. */
#define COLUMNS_OF(db)                                                                             \
    "SELECT m.name, c.name, upper(c.type), c.\"notnull\", replace(ifnull(c.dflt_value, ''), "      \
    "'\"', "                                                                                       \
    "''''), c.pk FROM " db ".sqlite_master m, pragma_table_info(m.name, '" db                      \
    "') c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
#define INDEXES_OF(db)                                                                             \
    "SELECT m.name, m.tbl_name, (SELECT group_concat(i.name) FROM pragma_index_info(m.name, '" db  \
    "') i), m.sql LIKE '%WHERE%' FROM " db                                                         \
    ".sqlite_master m WHERE m.type = 'index' AND m.name NOT LIKE 'tarn%'"

static void the_tables_and_indexes_are_those_of_the_reference(void **state)
{
    const char *shared = getenv("TARN_SHARED");
    struct ta_sql sql = {0};
    char text[512];

    (void)state;
    snprintf(text, sizeof text, "%s/golden/job-archive/archiver/job-after-transcript-step51.db",
             shared ? shared : "../shared");
    if (access(text, R_OK) != 0) {
        print_message("no database of the reference here\n");
        skip();
    }
    assert_int_equal(open_ready(&sql, false, true, SQL_FAULT_VFS, NULL), TA_OK);
    snprintf(
        text, sizeof text,
        "ATTACH 'file:%s/golden/job-archive/archiver/job-after-transcript-step51.db?immutable=1' "
        "AS reference",
        shared ? shared : "../shared");
    assert_int_equal(ta_sql_run(&sql, text, NULL), TA_OK);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM (" COLUMNS_OF("main") " EXCEPT " COLUMNS_OF(
                                   "reference") ")"),
                     0);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM (" COLUMNS_OF(
                                   "reference") " EXCEPT " COLUMNS_OF("main") ")"),
                     0);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM (" INDEXES_OF("main") " EXCEPT " INDEXES_OF(
                                   "reference") ")"),
                     0);
    assert_int_equal(ask(&sql, "SELECT count(*) FROM (" INDEXES_OF(
                                   "reference") " EXCEPT " INDEXES_OF("main") ")"),
                     0);
    assert_true(ask(&sql, "SELECT count(*) FROM (" INDEXES_OF("reference") ")") > 60);
    ta_sql_done(&sql);
    remove_database();
}

static void a_database_of_the_reference_opens(void **state)
{
    static const struct {
        const char *file;
        int n_jobs;
    } cases[] = {{"archiver/job-after-transcript-step51.db", 6},
                 {"job-repository/job-v10-sample.db", 363}};
    const char *shared = getenv("TARN_SHARED");
    char text[512];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_sql sql = {0};

        snprintf(text, sizeof text, "cp %s/golden/job-archive/%s %s 2>/dev/null && chmod u+w %s",
                 shared ? shared : "../shared", cases[i].file, path, path);
        if (system(text) != 0) {
            print_message("no database of the reference here\n");
            skip();
        }
        assert_int_equal(open_ready(&sql, true, true, SQL_FAULT_VFS, NULL), TA_OK);
        assert_int_equal(ask(&sql, "SELECT count(*) FROM job"), cases[i].n_jobs);
        assert_int_equal(ask(&sql, "SELECT version FROM schema_migrations"), 11);
        ta_sql_done(&sql);
        remove_database();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_becomes_a_database_of_the_current_version),
        cmocka_unit_test(
            a_new_database_shrinks_after_deletions_and_one_of_another_program_is_left_alone),
        cmocka_unit_test(version_10_is_upgraded_only_when_asked),
        cmocka_unit_test(other_versions_and_other_files_are_refused_untouched),
        cmocka_unit_test(a_file_of_other_bytes_is_no_database),
        cmocka_unit_test(a_failing_call_leaves_the_old_version_or_the_new_one),
        cmocka_unit_test(too_little_memory_leaves_the_old_version_or_the_new_one),
        cmocka_unit_test(the_tables_and_indexes_are_those_of_the_reference),
        cmocka_unit_test(a_database_of_the_reference_opens),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
