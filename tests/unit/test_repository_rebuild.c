/* The table of jobs anew from an archive: never empty meanwhile, whatever SQL call fails. */
#include "jobs/repository_rebuild.h"
#include "jobs/schema.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Jobs 0 .. OLD - 1 are in the table before, with id 1000 + number; DROPPED says it is archived and is not. */
enum { JOBS = 230, OLD = 50, DROPPED = 500 };

static char database[96];

static int read_job(struct ta_job *job, unsigned i, struct ta_arena *arena)
{
    char text[512];

    snprintf(
        text, sizeof(text),
        "{\"cluster\":\"c\",\"subCluster\":\"m\",\"jobId\":%u,\"startTime\":%u,\"user\":\"new\","
        "\"project\":\"p\",\"jobState\":\"completed\",\"shared\":\"none\",\"duration\":5,\"smt\":1,"
        "\"resources\":[{\"hostname\":\"n\"}],\"numNodes\":1,\"monitoringStatus\":3,"
        "\"tags\":[{\"type\":\"t\",\"name\":\"n%u\",\"scope\":\"\"}]}",
        i, 1700000000 + i, i % 3);
    ta_arena_reset(arena);
    return ta_job_read_text(job, ta_str(text), true, arena, &ta_heap, NULL);
}

static void drop_database(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[128];

    for (size_t i = 0; i < TA_COUNT(suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
        unlink(path);
    }
}

static void fill(void)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};
    const struct ta_job_schema_options schema = {0};
    struct ta_sql sql;
    char text[900];

    drop_database();
    assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
    assert_int_equal(ta_job_schema_ready(&sql, &schema, NULL), TA_OK);
    snprintf(
        text, sizeof(text),
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        "INSERT INTO job (id, job_id, cluster, subcluster, start_time, hpc_user, project, "
        "duration, walltime, job_state, resources, num_nodes, shared, monitoring_status) "
        "SELECT 1000 + i, i, 'c', 'm', 1700000000 + i, 'old', 'p', 1, 1, 'completed', '[]', 1, "
        "'none', 3 FROM n WHERE i < %d OR i = %d",
        DROPPED, OLD, DROPPED);
    assert_int_equal(ta_sql_run(&sql, text, NULL), TA_OK);
    ta_sql_done(&sql);
}

/* < 0, or how many rows went. */
static int64_t rebuild(void)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};
    struct ta_repository *r = NULL;
    struct ta_rebuild b = {0};
    struct ta_arena arena;
    struct ta_job job;
    int64_t e = ta_repository_open(&r, &options, &ta_heap, NULL);

    ta_arena_init(&arena, &ta_heap, 1 << 20);
    if (e >= 0)
        e = ta_rebuild_begin(&b, r, NULL);
    for (unsigned i = 0; i < JOBS && e >= 0; i++) {
        assert_int_equal(read_job(&job, i, &arena), TA_OK);
        e = ta_rebuild_put(&b, &job, NULL);
    }
    e = e < 0 ? e : ta_rebuild_finish(&b, NULL);
    if (e < 0)
        (void)ta_rebuild_abort(&b, NULL);
    ta_arena_done(&arena);
    ta_repository_close(r);
    return e;
}

static int64_t ask(const char *text)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};
    struct ta_sql sql;
    int64_t n = -1;

    assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
    assert_int_equal(ta_sql_i64(&sql, text, &n, NULL), TA_OK);
    ta_sql_done(&sql);
    return n;
}

static void assert_rebuilt(void)
{
    assert_int_equal(ask("SELECT count(*) FROM job"), JOBS);
    assert_int_equal(
        ask("SELECT count(*) FROM job WHERE hpc_user = 'new' AND monitoring_status = 3"), JOBS);
    assert_int_equal(ask("SELECT count(*) FROM job WHERE job_id < 50 AND id = 1000 + job_id"), OLD);
    assert_int_equal(ask("SELECT count(*) FROM jobtag"), JOBS);
    assert_int_equal(ask("SELECT count(*) FROM tag WHERE tag_scope = 'global'"), 3);
}

static void after_any_failing_call_no_row_is_lost_and_the_next_run_makes_it_whole(void **state)
{
    unsigned runs = 0;
    bool hit = true;

    (void)state;
    for (long n = 0; hit; n += getenv("TARN_ALL_FAULTS") ? 1 : 17) {
        fill();
        sql_fault_arm(n, runs % 2);
        (void)rebuild();
        hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        assert_int_equal(ask("SELECT count(*) FROM job WHERE job_id < 50"), OLD);
        assert_true(rebuild() >= 0);
        assert_rebuilt();
        runs++;
    }
    print_message("%u runs with a failing SQL call, and a rerun\n", runs);
    assert_true(runs > 5);
}

static void a_job_that_the_table_forbids_takes_no_other_with_it(void **state)
{
    const struct ta_sql_options options = {.path = database};
    struct ta_repository *r;
    struct ta_rebuild b;
    struct ta_arena arena;
    struct ta_job job;

    (void)state;
    fill();
    ta_arena_init(&arena, &ta_heap, 1 << 20);
    assert_int_equal(ta_repository_open(&r, &options, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_rebuild_begin(&b, r, NULL), TA_OK);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(read_job(&job, i, &arena), TA_OK);
        if (i == 5)
            job.shared = TA_STR("nonsense");
        assert_int_equal(ta_rebuild_put(&b, &job, NULL), i == 5 ? TA_EINVAL : 1);
    }
    assert_int_equal(ta_rebuild_abort(&b, NULL), TA_OK);
    ta_repository_close(r);
    ta_arena_done(&arena);
    assert_int_equal(ask("SELECT count(*) FROM job WHERE hpc_user = 'new'"), 9);
    assert_int_equal(ask("SELECT count(*) FROM job"), OLD + 1); /* nothing has gone */
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(database, sizeof(database), "/tmp/tarn-rebuild-XXXXXX");
    if (!mkdtemp(database))
        return -1;
    snprintf(database + strlen(database), sizeof(database) - strlen(database), "/job.db");
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    drop_database();
    *strrchr(database, '/') = 0;
    return rmdir(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_any_failing_call_no_row_is_lost_and_the_next_run_makes_it_whole),
        cmocka_unit_test(a_job_that_the_table_forbids_takes_no_other_with_it),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
