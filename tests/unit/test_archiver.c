/* The archiver: from ended jobs in the database to whole jobs in the archive, whatever fails. */
#include "archive_site.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WAITING  "SELECT count(*) FROM job WHERE monitoring_status = 1 AND job_state != 'running'"
#define ARCHIVED "SELECT count(*) FROM job WHERE monitoring_status = 3"
#define FAILED   "SELECT count(*) FROM job WHERE monitoring_status = 2"

static struct archive_site site;
static struct ta_archiver *archiver;

static int set_up(void **state)
{
    (void)state;
    archive_site_open(&site, 10, 30);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    archive_site_close(&site);
    return 0;
}

static void start(const struct ta_archiver_conf *conf)
{
    struct ta_err err = {0};

    if (ta_archiver_start(&archiver, conf, &err) < 0)
        fail_msg("%s", err.text);
}

static void stop(void)
{
    assert_int_equal(ta_archiver_stop(archiver, 60000), 0);
}

/* A backend that does what a test wants before it passes a job on. */
static struct {
    _Atomic int fails_left; /* puts that fail */
    atomic_bool waits;      /* puts wait until it is false */
    _Atomic int entered;
} odd;

struct odd_backend {
    struct ta_backend backend;
    struct ta_backend *real;
};

static int odd_exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    return ta_backend_exists(((struct odd_backend *)b)->real, job, err);
}

static int odd_put(struct ta_backend *b, const struct ta_job_address *job,
                   const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    odd.entered++;
    while (odd.waits)
        usleep(1000);
    if (odd.fails_left > 0) {
        odd.fails_left--;
        return ta_fail(err, TA_EIO, "the archive is full");
    }
    return ta_backend_put(((struct odd_backend *)b)->real, job, data, meta, true, err);
}

static void odd_close(struct ta_backend *b)
{
    ta_backend_close(((struct odd_backend *)b)->real);
    free(b);
}

static int open_odd(void *self, struct ta_backend **out, struct ta_alloc *alloc, struct ta_err *err)
{
    static const struct ta_backend_ops ops = {
        .exists = odd_exists, .put = odd_put, .close = odd_close};
    struct odd_backend *b = calloc(1, sizeof(*b));

    *b = (struct odd_backend){.backend = {&ops, "odd", TA_BACKEND_VERSION}};
    *out = &b->backend;
    return archive_site_backend(self, &b->real, alloc, err);
}

/* ---- archiving ---------------------------------------------------------------------------------- */

static void jobs_that_have_ended_are_archived_whole(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archiver_counts counts;

    (void)state;
    archive_site_job(&site, 1001, 2, 1800, "completed");
    archive_site_job(&site, 1002, 10, 1800, "failed");
    archive_site_job(&site, 1003, 1, 0, "running");
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 2);
    ta_archiver_counts(archiver, &counts);
    stop();

    assert_string_equal(
        archive_site_read(&site, 1001, "meta.json"),
        "{\"cluster\":\"c\",\"subCluster\":\"main\",\"partition\":\"main\",\"project\":\"p\","
        "\"user\":\"u\",\"shared\":\"none\",\"jobState\":\"completed\",\"resources\":[{"
        "\"hostname\":\"n1\",\"accelerators\":[\"g0\",\"g1\"]},{\"hostname\":\"n2\","
        "\"accelerators\":[\"g0\",\"g1\"]}],\"energyFootprint\":{\"power\":0.25},\"footprint\":{"
        "\"load_avg\":3.33},\"metaData\":{\"jobName\":\"x\",\"tarn.missingMetrics\":\"never\"},"
        "\"concurrentJobs\":{\"items\":null,\"count\":0},\"energy\":0.25,\"walltime\":3600,"
        "\"jobId\":1001,\"duration\":1800,\"smt\":1,\"monitoringStatus\":3,\"numAcc\":4,"
        "\"numHwthreads\":8,\"numNodes\":2,\"statistics\":{\"acc_util\":{\"unit\":{\"base\":\"\"},"
        "\"avg\":50.5,\"min\":50.5,\"max\":50.5},\"flops_any\":{\"unit\":{\"base\":\"F/s\","
        "\"prefix\":\"G\"},\"avg\":26,\"min\":6,\"max\":46},\"load\":{\"unit\":{\"base\":\"\"},"
        "\"avg\":3.33,\"min\":0,\"max\":7},\"power\":{\"unit\":{\"base\":\"W\"},\"avg\":250.5,"
        "\"min\":250,\"max\":251}},\"id\":1,\"startTime\":1700000040}\n");
    const char *data = archive_site_read(&site, 1001, "data.json.gz");
    assert_non_null(strstr(data, "\"flops_any\":{\"core\":{\"unit\""));
    assert_non_null(strstr(data, "\"acc_util\":{\"accelerator\":{\"unit\""));
    assert_null(strstr(data, "statisticsSeries"));
    assert_null(strstr(data, "never"));
    data = archive_site_read(&site, 1002, "data.json.gz");
    assert_non_null(strstr(data, "\"flops_any\":{\"node\":{\"statisticsSeries\":{\"mean\":null,"));
    assert_null(strstr(data, "\"core\""));
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM job WHERE monitoring_status = 1 "
                                             "AND job_state = 'running'"),
                     1);
    assert_int_equal(
        archive_site_ask(
            &site, "SELECT count(*) FROM job WHERE job_id = 1001 AND footprint = "
                   "'{\"load_avg\":3.33}' AND energy_footprint = '{\"power\":0.25}' AND energy "
                   "= 0.25 AND meta_data = "
                   "'{\"jobName\":\"x\",\"tarn.missingMetrics\":\"never\"}'"),
        1);
    assert_int_equal(counts.failed + counts.retried, 0);
}

static void a_wake_makes_it_look_at_once(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    start(&conf);
    archive_site_job(&site, 1001, 1, 1800, "completed");
    ta_archiver_wake(archiver);
    archive_site_wait(&site, ARCHIVED, 1);
    stop();
}

static void a_job_without_monitoring_is_left_alone(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    archive_site_job(&site, 1001, 1, 1800, "completed");
    assert_int_equal(ta_sql_run(&site.sql, "UPDATE job SET monitoring_status = 0", NULL), TA_OK);
    archive_site_job(&site, 1002, 1, 1800, "completed");
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    stop();
    assert_string_equal(archive_site_read(&site, 1001, "meta.json"), "");
}

static void tags_are_in_the_metadata_and_in_the_database(void **state)
{
    static const char text[] =
        "{\"rules\":[{\"type\":\"jobClass\",\"name\":\"busy\",\"if\":[{\"field\":\"load_avg\","
        "\"is\":\">\",\"value\":1}]}]}";
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_tag_rules *rules = NULL;
    struct ta_mem_source src;

    (void)state;
    archive_site_job(&site, 1001, 1, 1800, "completed");
    assert_int_equal(ta_sql_run(&site.sql,
                                "INSERT INTO tag (tag_type, tag_name) VALUES ('app', 'md'); INSERT "
                                "INTO jobtag (job_id, tag_id) VALUES (1, 1)",
                                NULL),
                     TA_OK);
    ta_mem_source_init(&src, text, strlen(text), 0);
    assert_int_equal(ta_tag_rules_new(&rules, &src.source, &ta_heap, NULL), TA_OK);
    conf.rules.tags = rules;
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    stop();
    ta_tag_rules_free(rules);
    assert_non_null(
        strstr(archive_site_read(&site, 1001, "meta.json"),
               "\"tags\":[{\"type\":\"app\",\"name\":\"md\",\"scope\":\"global\",\"id\":"
               "1},{\"type\":\"jobClass\",\"name\":\"busy\",\"scope\":\"global\","));
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM jobtag JOIN tag ON tag.id = "
                                             "tag_id WHERE tag_name = 'busy'"),
                     1);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static void a_job_that_cannot_be_archived_has_a_reason_and_stops_no_other(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archive_queue *queue = NULL;
    struct ta_archiver_counts counts;
    char reason[200];
    unsigned attempts = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        archive_site_job(&site, 1000 + i, 1, 1800, "completed");
    assert_int_equal(
        ta_sql_run(&site.sql,
                   "UPDATE job SET cluster = 'nowhere' WHERE job_id = 1000; UPDATE job "
                   "SET resources = '[{\"hostname\":' WHERE job_id = 1001; UPDATE job "
                   "SET resources = '[{\"hostname\":\"gone\"}]' WHERE job_id = 1002",
                   NULL),
        TA_OK);
    start(&conf);
    archive_site_wait(&site, FAILED, 3);
    archive_site_wait(&site, ARCHIVED, 2);
    ta_archiver_counts(archiver, &counts);
    stop();

    assert_int_equal(counts.failed, 3);
    assert_int_equal(counts.retried, 6);
    assert_int_equal(ta_archive_queue_open(&queue, &conf.database, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_archive_queue_reason(queue, 1, reason, sizeof(reason), &attempts, NULL),
                     TA_OK);
    assert_string_equal(reason, "cluster \"nowhere\" is not configured");
    assert_int_equal(attempts, 3);
    assert_int_equal(ta_archive_queue_reason(queue, 3, reason, sizeof(reason), &attempts, NULL),
                     TA_OK);
    assert_string_equal(reason, "the store has no data of the job");
    ta_archive_queue_close(queue);
}

static void a_failing_archive_is_tried_again(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archiver_counts counts;

    (void)state;
    odd.fails_left = 2;
    odd.entered = 0;
    conf.open_backend = open_odd;
    archive_site_job(&site, 1001, 1, 1800, "completed");
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    ta_archiver_counts(archiver, &counts);
    stop();
    assert_int_equal(counts.retried, 2);
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM tarn_archive"), 0);
}

static void what_the_store_will_have_dropped_is_not_waited_for(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    odd.fails_left = 100;
    odd.entered = 0;
    conf.open_backend = open_odd;
    conf.attempts = 100;
    conf.retry_s = 600;
    conf.retention_s = 1800 + 60; /* the job is as old as that in a minute */
    archive_site_job(&site, 1001, 1, 1800, "completed");
    start(&conf);
    archive_site_wait(&site, FAILED, 1);
    stop();
    assert_int_equal(odd.entered, 1);
}

static void a_stop_gives_up_what_takes_too_long_and_the_next_start_finds_it(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    for (int i = 0; i < 4; i++)
        archive_site_job(&site, 1000 + i, 1, 1800, "completed");
    odd.fails_left = odd.entered = 0;
    odd.waits = true;
    conf.open_backend = open_odd;
    conf.workers = 1;
    start(&conf);
    while (odd.entered == 0)
        usleep(1000);
    odd.waits = false;
    (void)ta_archiver_stop(archiver, 60000);
    assert_int_equal(archive_site_ask(&site, WAITING), 3);
    conf.open_backend = archive_site_backend;
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 4);
    stop();
}

static void archiving_again_gives_the_same_and_clears_the_reason(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archive_queue *queue = NULL;
    char before[4096];

    (void)state;
    archive_site_job(&site, 1001, 2, 1800, "completed");
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    snprintf(before, sizeof(before), "%s", archive_site_read(&site, 1001, "meta.json"));
    assert_int_equal(ta_archive_queue_open(&queue, &conf.database, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_archive_queue_again(queue, 1, SITE_START_S + 1, NULL), TA_ESTATE);
    assert_int_equal(ta_archive_queue_again(queue, 1, SITE_START_S, NULL), TA_OK);
    assert_int_equal(ta_archive_queue_again(queue, 99, 0, NULL), TA_ENOTFOUND);
    ta_archiver_wake(archiver);
    archive_site_wait(&site, ARCHIVED, 1);
    assert_string_equal(archive_site_read(&site, 1001, "meta.json"), before);
    ta_archive_queue_close(queue);
    stop();
}

static void all_that_failed_can_be_tried_again(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archive_queue *queue = NULL;

    (void)state;
    for (int i = 0; i < 3; i++)
        archive_site_job(&site, 1000 + i, 1, 1800, "completed");
    assert_int_equal(ta_sql_run(&site.sql, "UPDATE job SET monitoring_status = 2", NULL), TA_OK);
    assert_int_equal(ta_archive_queue_open(&queue, &conf.database, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_archive_queue_again_failed(queue, NULL), 3);
    ta_archive_queue_close(queue);
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 3);
    stop();
}

/* ---- running jobs ------------------------------------------------------------------------------- */

static void running_jobs_have_a_duration_and_a_footprint(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    archive_site_job(&site, 1001, 2, 0, "running");
    conf.duration_s = conf.footprint_s = 300;
    start(&conf);
    ta_clock_manual_advance(&site.clock, 300 * INT64_C(1000000000));
    archive_site_wait(&site,
                      "SELECT count(*) FROM job WHERE duration = 2100 AND footprint = "
                      "'{\"load_avg\":3.33}'",
                      1);
    stop();
}

static void a_job_beyond_its_limit_is_ended_at_it_and_archived(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    archive_site_job(&site, 1001, 1, 0, "running");
    assert_int_equal(ta_sql_run(&site.sql, "UPDATE job SET walltime = 1200", NULL), TA_OK);
    conf.duration_s = 300;
    conf.walltime_grace_s = 60;
    start(&conf);
    ta_clock_manual_advance(&site.clock, 300 * INT64_C(1000000000));
    archive_site_wait(&site,
                      "SELECT count(*) FROM job WHERE duration = 1200 AND job_state = 'failed' AND "
                      "monitoring_status = 3",
                      1);
    stop();
}

static void thousands_of_running_jobs_are_kept_up_to_date_in_several_transactions(void **state)
{
    const struct ta_sql_options options = {.path = site.database};
    struct ta_archive_queue *queue = NULL;

    (void)state;
    assert_int_equal(
        ta_sql_run(&site.sql,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3001) "
                   "INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, project, "
                   "duration, walltime, job_state, resources, num_nodes, shared) SELECT i, 'c', "
                   "'main', i, 'u', 'p', 0, iif(i <= 2000, 100, 90000), iif(i = 5, 'completed', "
                   "'running'), '[]', 1, 'none' FROM n",
                   NULL),
        TA_OK);
    assert_int_equal(ta_archive_queue_open(&queue, &options, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_archive_queue_durations(queue, 10000, NULL), TA_OK);
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM job WHERE job_state = 'running' "
                                             "AND duration = 10000 - start_time"),
                     3000);
    assert_int_equal(archive_site_ask(&site, "SELECT duration FROM job WHERE job_id = 5"), 0);
    assert_int_equal(ta_archive_queue_overdue(queue, 10000, 60, NULL), 1999);
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM job WHERE job_state = 'failed' "
                                             "AND duration = 100"),
                     1999);
    ta_archive_queue_close(queue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_that_have_ended_are_archived_whole),
        TEST(a_wake_makes_it_look_at_once),
        TEST(a_job_without_monitoring_is_left_alone),
        TEST(tags_are_in_the_metadata_and_in_the_database),
        TEST(a_job_that_cannot_be_archived_has_a_reason_and_stops_no_other),
        TEST(a_failing_archive_is_tried_again),
        TEST(what_the_store_will_have_dropped_is_not_waited_for),
        TEST(a_stop_gives_up_what_takes_too_long_and_the_next_start_finds_it),
        TEST(archiving_again_gives_the_same_and_clears_the_reason),
        TEST(all_that_failed_can_be_tried_again),
        TEST(running_jobs_have_a_duration_and_a_footprint),
        TEST(a_job_beyond_its_limit_is_ended_at_it_and_archived),
        TEST(thousands_of_running_jobs_are_kept_up_to_date_in_several_transactions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
