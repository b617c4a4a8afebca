/* The jobs of the database: each change whole and durable or not there, whatever call fails. */
#include "jobs/repository.h"
#include "jobs/schema.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[128];
static struct ta_arena arena;
static struct ta_repository *repository;

static const char two_nodes[] =
    "{\"jobId\":5001,\"user\":\"usera\",\"project\":\"proja\",\"cluster\":\"fritz\","
    "\"subCluster\":\"main\",\"partition\":\"main\",\"numNodes\":2,\"walltime\":7200,\"smt\":1,"
    "\"shared\":\"none\",\"jobState\":\"running\",\"monitoringStatus\":1,\"startTime\":1700000000,"
    "\"submitTime\":1699999970,\"resources\":[{\"hostname\":\"f0102\"},{\"hostname\":\"f0101\","
    "\"hwthreads\":[0,1]}],\"metaData\":{\"jobName\":\"a <b>\"},\"tags\":[{\"type\":\"Debug\","
    "\"name\":\"one\",\"scope\":\"global\"},{\"type\":\"Debug\",\"name\":\"two\",\"scope\":"
    "\"usera\"}]}";

static void remove_database(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[160];

    for (size_t i = 0; i < TA_COUNT(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void run(const char *text)
{
    struct ta_sql_options options = {.path = path};
    struct ta_sql sql = {0};

    assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
    assert_int_equal(ta_sql_run(&sql, text, NULL), TA_OK);
    ta_sql_done(&sql);
}

static int64_t ask(const char *text)
{
    struct ta_sql_options options = {.path = path};
    struct ta_sql sql = {0};
    int64_t v = -1;

    assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
    assert_int_equal(ta_sql_i64(&sql, text, &v, NULL), TA_OK);
    ta_sql_done(&sql);
    return v;
}

static void make_tables(void)
{
    struct ta_sql_options options = {.path = path};
    struct ta_job_schema_options schema = {0};
    struct ta_sql sql = {0};

    assert_int_equal(ta_sql_open(&sql, &options, NULL), TA_OK);
    assert_int_equal(ta_job_schema_ready(&sql, &schema, NULL), TA_OK);
    ta_sql_done(&sql);
}

static int open_with(const char *vfs)
{
    struct ta_sql_options options = {.path = path, .vfs = vfs, .busy_timeout_ms = 100};

    return ta_repository_open(&repository, &options, &ta_heap, NULL);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/tarn-jobs-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/job.db", folder);
    ta_arena_init(&arena, &ta_heap, 16 * MiB);
    make_tables();
    assert_int_equal(open_with(NULL), TA_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_repository_close(repository);
    repository = NULL;
    ta_arena_done(&arena);
    remove_database();
    return rmdir(folder);
}

static struct ta_job sample(int64_t job_id, int64_t start_time)
{
    struct ta_job job;
    struct ta_err err = {0};

    if (ta_job_read_text(&job, ta_str(two_nodes), true, &arena, &ta_heap, &err) < 0)
        fail_msg("%s", err.text);
    job.job_id = job_id;
    job.start_time = start_time;
    return job;
}

static int64_t start(int64_t job_id, int64_t start_time)
{
    struct ta_job job = sample(job_id, start_time);
    int64_t row;

    assert_int_equal(ta_repository_start(repository, &job, &row, NULL), TA_OK);
    return row;
}

static const struct ta_job_viewer owner = {.user = {"usera", 5}};
static const struct ta_job_viewer stranger = {.user = {"userb", 5}};
static const struct ta_job_wish whole = {.meta_data = true, .viewer = &owner};

static struct ta_job get(int64_t row, const struct ta_job_wish *wish)
{
    struct ta_job job;

    assert_int_equal(ta_repository_get(repository, row, wish, &arena, &job, NULL), TA_OK);
    return job;
}

static void assert_text(struct ta_str s, const char *z)
{
    assert_int_equal(s.len, strlen(z));
    assert_memory_equal(s.at, z, s.len);
}

/* ---- life --------------------------------------------------------------------------------------- */

static void a_job_reads_back_as_it_was_started(void **state)
{
    struct ta_job job = get(start(5001, 1700000000), &whole);

    (void)state;
    assert_int_equal(job.job_id, 5001);
    assert_int_equal(job.submit_time, 1699999970);
    assert_int_equal(job.resources.n, 2);
    assert_int_equal(job.resources.at[1].n_hwthreads, 2);
    assert_text(job.meta_data.at[0].value, "a <b>");
    assert_int_equal(job.tags.n, 2);
    assert_text(job.tags.at[0].name, "one");
    assert_null(job.footprint.at);
    assert_null(job.energy_footprint.at);
}

static void a_running_job_has_run_until_now(void **state)
{
    const struct ta_job_wish now = {.now_s = 1700000100};
    int64_t row = start(5001, 1700000000);

    (void)state;
    assert_int_equal(get(row, &now).duration, 100);
    assert_int_equal(ta_repository_stop(repository, row, TA_JOB_TIMEOUT, 50, NULL), TA_OK);
    assert_int_equal(get(row, &now).duration, 50);
    assert_text(get(row, &now).state, "timeout");
}

static void a_repetition_within_a_day_on_either_side_is_refused_with_its_row(void **state)
{
    static const int64_t apart[] = {0, 86399, -86399};
    int64_t first = start(5001, 1700000000), row;

    (void)state;
    for (size_t i = 0; i < TA_COUNT(apart); i++) {
        struct ta_job job = sample(5001, 1700000000 + apart[i]);
        struct ta_err err = {0};

        assert_int_equal(ta_repository_start(repository, &job, &row, &err), TA_EEXIST);
        assert_int_equal(row, first);
        assert_string_equal(err.text, "a job with that jobId, cluster and startTime already "
                                      "exists: dbid: 1, jobid: 5001");
    }
    start(5001, 1700000000 + 86400);
    start(5001, 1700000000 - 86400);
    start(5002, 1700000000);
}

static void a_job_in_the_cache_of_another_program_is_a_repetition_too(void **state)
{
    struct ta_job job = sample(5001, 1700000000);
    int64_t row;

    (void)state;
    run("INSERT INTO job_cache (job_id, cluster, subcluster, start_time, hpc_user, project, "
        "cluster_partition, array_job_id, duration, walltime, job_state, resources, num_nodes, "
        "num_hwthreads, num_acc, smt, shared, footprint) VALUES (5001, 'fritz', 'main', "
        "1700000000, 'u', 'p', '', 0, 0, 1, 'running', '[]', 1, 0, 0, 1, 'none', 'null')");
    assert_int_equal(ta_repository_start(repository, &job, &row, NULL), TA_EEXIST);
    ta_repository_close(repository);
    assert_int_equal(open_with(NULL), TA_OK);
    assert_int_equal(ask("SELECT count(*) FROM job_cache"), 0);
    assert_int_equal(ask("SELECT count(*) FROM job WHERE job_id = 5001"), 1);
}

static void a_job_ends_once(void **state)
{
    int64_t row = start(5001, 1700000000);

    (void)state;
    assert_int_equal(ta_repository_stop(repository, row, TA_JOB_FAILED, 5, NULL), TA_OK);
    assert_int_equal(ta_repository_stop(repository, row, TA_JOB_COMPLETED, 6, NULL), TA_ESTATE);
    assert_int_equal(ta_repository_stop(repository, row + 1, TA_JOB_COMPLETED, 6, NULL),
                     TA_ENOTFOUND);
    assert_text(get(row, &whole).state, "failed");
}

static void the_newest_of_several_jobs_is_found_by_what_is_given(void **state)
{
    int64_t old = start(5001, 1700000000), new = start(5001, 1700100000);
    struct ta_job_match match = {.job_id = 5001};
    struct ta_job job;

    (void)state;
    assert_int_equal(ta_repository_find(repository, &match, &whole, &arena, &job, NULL), TA_OK);
    assert_int_equal(job.id, new);
    match.start_time = 1700000000;
    match.has_start_time = true;
    match.cluster = TA_STR("fritz");
    assert_int_equal(ta_repository_find(repository, &match, &whole, &arena, &job, NULL), TA_OK);
    assert_int_equal(job.id, old);
    match.cluster = TA_STR("alex");
    assert_int_equal(ta_repository_find(repository, &match, &whole, &arena, &job, NULL),
                     TA_ENOTFOUND);
}

static void metadata_gain_keys_and_replace_values(void **state)
{
    int64_t row = start(5001, 1700000000);

    (void)state;
    assert_int_equal(ta_repository_set_meta(repository, row, TA_STR("a"), TA_STR("1"), NULL), 0);
    assert_int_equal(ta_repository_set_meta(repository, row, TA_STR("jobName"), TA_STR("2"), NULL),
                     0);

    struct ta_job job = get(row, &whole);

    assert_int_equal(job.meta_data.n, 2);
    assert_text(job.meta_data.at[0].key, "a");
    assert_text(job.meta_data.at[1].value, "2");
    assert_int_equal(ta_repository_set_meta(repository, 99, TA_STR("a"), TA_STR("1"), NULL),
                     TA_ENOTFOUND);
}

static void metadata_that_are_null_become_an_object(void **state)
{
    int64_t row = start(5001, 1700000000);

    (void)state;
    run("UPDATE job SET meta_data = 'null'");
    assert_int_equal(ta_repository_set_meta(repository, row, TA_STR("a"), TA_STR("1"), NULL), 0);
    assert_int_equal(get(row, &whole).meta_data.n, 1);
}

/* ---- tags --------------------------------------------------------------------------------------- */

static void tags_are_seen_by_those_of_their_scope(void **state)
{
    const struct ta_job_wish other = {.viewer = &stranger};
    int64_t row = start(5001, 1700000000);

    (void)state;
    assert_int_equal(get(row, &whole).tags.n, 2);
    assert_int_equal(get(row, &other).tags.n, 1);
}

static void a_tag_of_another_scope_is_refused_and_none_of_the_list_stays(void **state)
{
    struct ta_job_tag at[] = {{TA_STR("x"), TA_STR("y"), TA_STR("global"), 0},
                              {TA_STR("Debug"), TA_STR("one"), TA_STR("admin"), 0}};
    struct ta_job_tags tags = {at, 2};
    int64_t row = start(5001, 1700000000);

    (void)state;
    assert_int_equal(ta_repository_tag(repository, row, &tags, NULL), TA_EEXIST);
    assert_int_equal(ask("SELECT count(*) FROM tag"), 2);
    tags.n = 1;
    assert_int_equal(ta_repository_tag(repository, row, &tags, NULL), TA_OK);
    assert_int_equal(ta_repository_tag(repository, row, &tags, NULL), TA_OK);
    assert_int_equal(get(row, &whole).tags.n, 3);
    assert_int_equal(ta_repository_untag(repository, row, &tags, NULL), TA_OK);
    assert_int_equal(get(row, &whole).tags.n, 2);
    assert_int_equal(ta_repository_drop_tags(repository, &tags, NULL), 1);
    assert_int_equal(ta_repository_drop_tags(repository, &tags, NULL), 0);
}

/* ---- lists -------------------------------------------------------------------------------------- */

struct seen {
    int64_t rows[16], starts[16];
    size_t n;
    char nodes[256];
};

static int see(void *self, const struct ta_job *job, struct ta_err *err)
{
    struct seen *seen = self;

    (void)err;
    seen->starts[seen->n] = job->start_time;
    seen->rows[seen->n++] = job->id;
    return TA_OK;
}

static int see_node(void *self, struct ta_str cluster, struct ta_str host, struct ta_err *err)
{
    struct seen *seen = self;
    size_t n = strlen(seen->nodes);

    (void)err;
    snprintf(seen->nodes + n, sizeof(seen->nodes) - n, "%.*s:%.*s ", TA_STR_FMT(cluster),
             TA_STR_FMT(host));
    return TA_OK;
}

static void pages_joined_by_the_last_row_are_the_whole_list_newest_first(void **state)
{
    struct ta_job_filter filter = {.limit = 3};
    struct seen all = {0};

    (void)state;
    for (int64_t i = 0; i < 10; i++)
        start(100 + i, 1700000000 + i / 2);
    for (size_t before = 1; all.n != before;) {
        before = all.n;
        assert_int_equal(ta_repository_list(repository, &filter, &whole, see, &all, NULL), TA_OK);
        filter.before_start = all.starts[all.n - 1];
        filter.before_row = all.rows[all.n - 1];
    }
    assert_int_equal(all.n, 10);
    for (size_t i = 0; i < all.n; i++)
        assert_int_equal(all.rows[i], 10 - (int64_t)i);
}

static void a_list_holds_what_all_filters_let_pass(void **state)
{
    static const enum ta_job_state failed[] = {TA_JOB_FAILED, TA_JOB_TIMEOUT};
    struct ta_job_filter filter = {.cluster = TA_STR("fritz"),
                                   .project = TA_STR("proja"),
                                   .states = failed,
                                   .n_states = 2,
                                   .from_s = 1700000001,
                                   .to_s = 1700000002,
                                   .user = TA_STR("nobody"),
                                   .managed_too = true,
                                   .limit = 16};
    struct seen seen = {0};

    (void)state;
    for (int64_t i = 0; i < 4; i++) {
        int64_t row = start(100 + i, 1700000000 + i);

        if (i != 2)
            assert_int_equal(ta_repository_stop(repository, row, TA_JOB_FAILED, 1, NULL), TA_OK);
    }
    run("INSERT INTO hpc_user (username, projects) VALUES ('nobody', '[\"x\",\"proja\"]')");
    assert_int_equal(ta_repository_list(repository, &filter, &whole, see, &seen, NULL), TA_OK);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.rows[0], 2);
    filter.managed_too = false;
    assert_int_equal(ta_repository_list(repository, &filter, &whole, see, &seen, NULL), TA_OK);
    assert_int_equal(seen.n, 1);
}

static void a_manager_has_the_projects_that_the_table_of_users_names(void **state)
{
    const struct ta_str user = TA_STR("m"), project = TA_STR("proja");
    static const char *const none[] = {
        "''", "'[\"proja'", "'\"projaa\"'", "'[\"PROJA\",\"proja \"]'", "'null'", "'[]'"};

    (void)state;
    assert_int_equal(ta_repository_manages(repository, user, project, NULL), 0);
    run("INSERT INTO hpc_user (username, projects) VALUES ('m', x'5b2270726f6a61225d')");
    assert_int_equal(ta_repository_manages(repository, user, project, NULL), 1);
    assert_int_equal(ta_repository_manages(repository, TA_STR("n"), project, NULL), 0);
    for (size_t i = 0; i < TA_COUNT(none); i++) {
        char text[128];

        snprintf(text, sizeof text, "UPDATE hpc_user SET projects = %s", none[i]);
        run(text);
        assert_int_equal(ta_repository_manages(repository, user, project, NULL), 0);
    }
}

static void nodes_are_used_until_their_job_is_archived(void **state)
{
    struct seen seen = {0};
    int64_t row = start(5001, 1700000000);

    (void)state;
    start(5002, 1700000100);
    run("UPDATE job SET resources = CAST('[{\"hostname\":\"f0101\"},{\"hostname\":\"f0001\"}]' AS "
        "BLOB) WHERE id = 2");
    assert_int_equal(ta_repository_used_nodes(repository, 1700000100, see_node, &seen, NULL), 0);
    assert_string_equal(seen.nodes, "fritz:f0101 fritz:f0102 ");
    assert_int_equal(ta_repository_stop(repository, row, TA_JOB_COMPLETED, 1, NULL), TA_OK);
    seen.nodes[0] = 0;
    assert_int_equal(ta_repository_used_nodes(repository, 1700000101, see_node, &seen, NULL), 0);
    assert_string_equal(seen.nodes, "fritz:f0001 fritz:f0101 fritz:f0102 ");
    run("UPDATE job SET monitoring_status = 3 WHERE id = 1");
    seen.nodes[0] = 0;
    assert_int_equal(ta_repository_used_nodes(repository, 1700000101, see_node, &seen, NULL), 0);
    assert_string_equal(seen.nodes, "fritz:f0001 fritz:f0101 ");
}

static int count(void *self, const struct ta_job *job, struct ta_err *err)
{
    (void)job;
    (void)err;
    ++*(size_t *)self;
    return TA_OK;
}

static int count_node(void *self, struct ta_str cluster, struct ta_str host, struct ta_err *err)
{
    (void)cluster;
    (void)host;
    (void)err;
    ++*(size_t *)self;
    return TA_OK;
}

static void memory_does_not_grow_with_the_number_of_jobs(void **state)
{
    const struct ta_job_filter filter = {.limit = 1 << 20};
    struct ta_sql_options options = {.path = path};
    struct ta_budget budget;
    size_t peaks[2], n = 0;

    (void)state;
    ta_repository_close(repository);
    for (int round = 0; round < 2; round++) {
        run(round ? "WITH RECURSIVE n(i) AS (SELECT 201 UNION ALL SELECT i + 1 FROM n WHERE i < "
                    "20000) INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, "
                    "project, duration, walltime, job_state, resources, num_nodes, shared, "
                    "footprint) SELECT i, 'c', 's', i, 'u', 'p', 1, 1, 'running', "
                    "'[{\"hostname\":\"h' || i || '\"}]', 1, 'none', 'null' FROM n"
                  : "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                    "200) INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, "
                    "project, duration, walltime, job_state, resources, num_nodes, shared, "
                    "footprint) SELECT i, 'c', 's', i, 'u', 'p', 1, 1, 'running', "
                    "'[{\"hostname\":\"h' || i || '\"}]', 1, 'none', 'null' FROM n");
        ta_budget_init(&budget, "jobs", 0, &ta_heap);
        assert_int_equal(ta_repository_open(&repository, &options, &budget.alloc, NULL), TA_OK);
        n = 0;
        assert_int_equal(ta_repository_list(repository, &filter, &whole, count, &n, NULL), TA_OK);
        assert_int_equal(n, round ? 20000 : 200);
        n = 0;
        assert_int_equal(ta_repository_used_nodes(repository, 99999, count_node, &n, NULL), TA_OK);
        assert_int_equal(n, round ? 20000 : 200);
        peaks[round] = budget.peak;
        ta_repository_close(repository);
    }
    repository = NULL;
    printf("%zu bytes for 200 jobs, %zu for 20,000\n", peaks[0], peaks[1]);
    assert_true(peaks[1] < peaks[0] + 64); /* their names are longer */
}

/* ---- deletion, nodes ---------------------------------------------------------------------------- */

static void old_jobs_go_but_for_those_that_run_or_wait_or_are_tagged(void **state)
{
    struct ta_job_tag user = {TA_STR("mine"), TA_STR("x"), TA_STR("global"), 0};
    struct ta_job_tag app = {TA_STR("app"), TA_STR("x"), TA_STR("global"), 0};

    (void)state;
    for (int64_t i = 0; i < 6; i++)
        start(100 + i, 1700000000 + i);
    run("DELETE FROM tag");
    assert_int_equal(ta_repository_tag(repository, 3, &(struct ta_job_tags){&user, 1}, NULL), 0);
    assert_int_equal(ta_repository_tag(repository, 4, &(struct ta_job_tags){&app, 1}, NULL), 0);
    run("UPDATE job SET job_state = 'completed', monitoring_status = 3 WHERE id > 1;"
        "UPDATE job SET monitoring_status = 1 WHERE id = 2");
    assert_int_equal(ta_repository_delete_before(repository, 1700000005, TA_TAGGED_NOT, NULL), 1);
    assert_int_equal(
        ta_repository_delete_before(repository, 1700000005, TA_TAGGED_BY_USER_NOT, NULL), 1);
    assert_int_equal(ta_repository_delete_before(repository, 1700000005, TA_TAGGED_TOO, NULL), 1);
    assert_int_equal(ask("SELECT group_concat(id, '') FROM job"), 126);
    assert_int_equal(ask("SELECT count(*) FROM jobtag"), 0);
}

static void thousands_of_old_jobs_go_in_several_transactions(void **state)
{
    (void)state;
    run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT "
        "INTO job (job_id, cluster, subcluster, start_time, hpc_user, project, duration, walltime, "
        "job_state, resources, num_nodes, shared, monitoring_status) SELECT i, 'c', 's', i, 'u', "
        "'p', 1, 1, 'completed', '[]', 1, 'none', 3 FROM n");
    assert_int_equal(ta_repository_delete_before(repository, 9999, TA_TAGGED_TOO, NULL), 2500);
    assert_int_equal(ask("SELECT count(*) FROM job"), 0);
}

static void reports_of_nodes_are_kept_all_or_none(void **state)
{
    struct ta_node_report nodes[] = {
        {TA_STR("f1"), TA_STR("main"), "idle", "full", TA_STR(""), 1, 2, 3, 4},
        {TA_STR("f2"), TA_STR("main"), "asleep", "full", TA_STR(""), 0, 0, 0, 0}};

    (void)state;
    assert_true(ta_repository_report_nodes(repository, TA_STR("fritz"), 100, nodes, 2, NULL) < 0);
    assert_int_equal(ask("SELECT (SELECT count(*) FROM node) + (SELECT count(*) FROM node_state)"),
                     0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            ta_repository_report_nodes(repository, TA_STR("fritz"), 100 + i, nodes, 1, NULL), 0);
    assert_int_equal(ask("SELECT count(*) FROM node"), 1);
    assert_int_equal(ask("SELECT count(*) FROM node_state JOIN node ON node.id = node_id WHERE "
                         "node_state = 'idle' AND cpus_allocated = 1 AND memory_allocated = 2 AND "
                         "gpus_allocated = 3 AND jobs_running = 4"),
                     2);
}

/* ---- failing calls ------------------------------------------------------------------------------ */

static void whatever_call_fails_what_was_said_to_be_done_is_done_and_nothing_is_half(void **state)
{
    long n = 0;

    (void)state;
    ta_repository_close(repository);
    repository = NULL;
    for (bool hit = true; hit; n++) {
        struct ta_job job = sample(5001, 1700000000);
        struct ta_job_tag tag = {TA_STR("a"), TA_STR("b"), TA_STR("global"), 0};
        int64_t row = 0;
        int started = TA_EIO, stopped = TA_EIO, described = TA_EIO, tagged = TA_EIO,
            edited = TA_EIO;

        remove_database();
        make_tables();
        ta_arena_reset(&arena);
        job = sample(5001, 1700000000);
        sql_fault_arm(n, false);
        if (open_with(SQL_FAULT_VFS) == TA_OK) {
            started = ta_repository_start(repository, &job, &row, NULL);
            if (started == TA_OK) {
                described = ta_repository_set_meta(repository, row, TA_STR("k"), TA_STR("v"), NULL);
                tagged = ta_repository_tag(repository, row, &(struct ta_job_tags){&tag, 1}, NULL);
                stopped = ta_repository_stop(repository, row, TA_JOB_COMPLETED, 9, NULL);
                edited = ta_repository_set_meta(repository, row, TA_STR("late"), TA_STR("v"), NULL);
            }
        }
        hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        ta_repository_close(repository);
        repository = NULL;

        int64_t jobs = ask("SELECT count(*) FROM job");

        assert_true(jobs == 1 || (jobs == 0 && started < 0));
        assert_true(ask("SELECT count(*) FROM jobtag WHERE tag_id < 3") == 2 * jobs);
        if (described == TA_OK)
            assert_int_equal(ask("SELECT meta_data LIKE '%\"k\":\"v\"%' FROM job"), 1);
        if (tagged == TA_OK)
            assert_int_equal(ask("SELECT count(*) FROM jobtag"), 3);
        if (stopped == TA_OK)
            assert_int_equal(ask("SELECT job_state = 'completed' AND duration = 9 FROM job"), 1);
        if (started ==
            TA_OK) /* the archive will be told of what has changed, and of nothing else */
            assert_int_equal(ask("SELECT (job_state != 'running' AND meta_data LIKE '%late%') = "
                                 "(SELECT count(*) FROM tarn_edit) FROM job"),
                             1);
        if (edited == TA_OK && stopped == TA_OK)
            assert_int_equal(ask("SELECT count(*) FROM tarn_edit"), 1);
        if (!hit) {
            assert_int_equal(started, TA_OK);
            assert_int_equal(edited, TA_OK);
            assert_int_equal(stopped, TA_OK);
        }
    }
    assert_true(n > 10);
    printf("%ld calls of SQLite made to fail in turn\n", n - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_job_reads_back_as_it_was_started),
        TEST(a_running_job_has_run_until_now),
        TEST(a_repetition_within_a_day_on_either_side_is_refused_with_its_row),
        TEST(a_job_in_the_cache_of_another_program_is_a_repetition_too),
        TEST(a_job_ends_once),
        TEST(the_newest_of_several_jobs_is_found_by_what_is_given),
        TEST(metadata_gain_keys_and_replace_values),
        TEST(metadata_that_are_null_become_an_object),
        TEST(tags_are_seen_by_those_of_their_scope),
        TEST(a_tag_of_another_scope_is_refused_and_none_of_the_list_stays),
        TEST(pages_joined_by_the_last_row_are_the_whole_list_newest_first),
        TEST(a_list_holds_what_all_filters_let_pass),
        TEST(a_manager_has_the_projects_that_the_table_of_users_names),
        TEST(memory_does_not_grow_with_the_number_of_jobs),
        TEST(nodes_are_used_until_their_job_is_archived),
        TEST(old_jobs_go_but_for_those_that_run_or_wait_or_are_tagged),
        TEST(thousands_of_old_jobs_go_in_several_transactions),
        TEST(reports_of_nodes_are_kept_all_or_none),
        TEST(whatever_call_fails_what_was_said_to_be_done_is_done_and_nothing_is_half),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
