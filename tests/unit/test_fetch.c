/* Metrics of jobs and of nodes at their scopes, as JSON. */
#include "fault.h"
#include "feed.h"
#include "query/fetch_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { T0 = 1700000040, NOW_S = 1700100000 };

static const char cluster_json[] =
    "{\"name\":\"c\",\"metricConfig\":[{\"name\":\"flops\",\"unit\":{\"base\":\"F/s\",\"prefix\":"
    "\"G\"},\"scope\":\"hwthread\",\"timestep\":60,\"subClusters\":[{\"name\":\"bare\",\"remove\":"
    "true}]},{\"name\":\"load\",\"unit\":{\"base\":\"\"},\"scope\":\"node\",\"timestep\":60},{"
    "\"name\":"
    "\"power\",\"unit\":{\"base\":\"W\"},\"scope\":\"accelerator\",\"timestep\":60},{\"name\":"
    "\"gone\","
    "\"timestep\":60}],\"subClusters\":[{\"name\":\"main\",\"nodes\":\"a,b\",\"topology\":{"
    "\"node\":"
    "[0,1,2,3],\"socket\":[[0,1],[2,3]],\"memoryDomain\":[[0,1,2,3]],\"core\":[[0],[1],[2],[3]],"
    "\"accelerators\":[{\"id\":\"g0\"}]}},{\"name\":\"bare\",\"nodes\":\"x\",\"topology\":{"
    "\"node\":"
    "[0]}}]}";

static struct ta_store *store;
static struct ta_cluster *cluster;

/* Host a: three minutes of flops t+1 on threads 0..3 (thread 1 is missing), load 5, power 7 on g0;
 * host b: load 6; host x: load 8. */
static int set_up(void **state)
{
    struct ta_mem_source src;

    (void)state;
    store = feed_store(&ta_heap, "flops 60 sum,load 60 none,power 60 sum,gone 60 none");
    ta_mem_source_init(&src, cluster_json, strlen(cluster_json), 0);
    if (!store || ta_cluster_new(&cluster, &src.source, &ta_heap, NULL) < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        for (int t = 0; t < 4; t++) {
            char type[16];
            snprintf(type, sizeof(type), "hwthread%d", t);
            if (t != 1)
                feed_sample(store, "c", "a", "flops", type, "", T0 + 60 * i, t + 1, NOW_S);
        }
        feed_sample(store, "c", "a", "load", "", "", T0 + 60 * i, 5, NOW_S);
        feed_sample(store, "c", "a", "power", "acceleratorg0", "", T0 + 60 * i, 7, NOW_S);
        feed_sample(store, "c", "b", "load", "", "", T0 + 60 * i, 6 + i, NOW_S);
        feed_sample(store, "c", "x", "load", "", "", T0 + 60 * i, 8, NOW_S);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_store_free(store);
    ta_cluster_free(cluster);
    return 0;
}

static int ask_with(struct ta_alloc *alloc, const char *body, size_t room_bytes, struct ta_buf *out,
                    struct ta_err *err)
{
    const struct ta_cluster *clusters[] = {cluster};
    struct ta_fetch_query *q = NULL;
    struct ta_mem_source src;
    struct ta_buf room;

    ta_mem_source_init(&src, body, strlen(body), 0);
    ta_buf_init(&room, alloc, room_bytes);
    int r = ta_fetch_query_new(&q, store, clusters, 1, NULL, alloc, err);
    if (r >= 0)
        r = ta_fetch_query_parse(q, &src.source, err);
    for (r = r < 0 ? r : 1; r == 1;) {
        r = ta_fetch_query_fill(q, &room, err);
        if (ta_buf_str(out, ta_buf_view(&room)) < 0)
            r = TA_ENOMEM;
        ta_buf_reset(&room);
    }
    ta_buf_done(&room);
    ta_fetch_query_free(q);
    return r;
}

static const char *ask(const char *body, size_t room_bytes)
{
    static char text[16384];
    struct ta_err err = {0};
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, sizeof(text) - 1);
    if (ask_with(&ta_heap, body, room_bytes, &out, &err) < 0)
        snprintf(text, sizeof(text), "error: %s", err.text);
    else
        snprintf(text, sizeof(text), "%.*s", (int)out.len, out.at);
    ta_buf_done(&out);
    return text;
}

#define JOB                                                                                        \
    "\"cluster\":\"c\",\"subCluster\":\"main\",\"startTime\":1700000040,\"duration\":180,"         \
    "\"resources\":[{\"hostname\":\"a\",\"hwthreads\":[0,2],\"accelerators\":[\"g0\"]},"           \
    "{\"hostname\":\"b\"}]"
#define S3(v) "{\"avg\":" v ",\"min\":" v ",\"max\":" v "}"

static void data_of_a_job_comes_by_metric_and_scope(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"job-data\"," JOB ",\"metrics\":[\"flops\",\"gone\",\"load\"],"
            "\"scopes\":[\"node\",\"socket\",\"hwthread\"]}",
            4096),
        "{\"data\":{\"flops\":{\"node\":{\"unit\":{\"base\":\"F/"
        "s\",\"prefix\":\"G\"},\"timestep\":60,"
        "\"series\":[{\"hostname\":\"a\",\"id\":\"0\",\"data\":[4.000,4.000,4.000],"
        "\"statistics\":" S3(
            "4") "}]},"
                 "\"socket\":{\"unit\":{\"base\":\"F/"
                 "s\",\"prefix\":\"G\"},\"timestep\":60,\"series\":["
                 "{\"hostname\":\"a\",\"id\":\"0\",\"data\":[1.000,1.000,1.000],\"statistics\":" S3(
                     "1") "},"
                          "{\"hostname\":\"a\",\"id\":\"2\",\"data\":[7.000,7.000,7.000],"
                          "\"statistics\":" S3(
                              "7") "}]},"
                                   "\"hwthread\":{\"unit\":{\"base\":\"F/"
                                   "s\",\"prefix\":\"G\"},\"timestep\":60,\"series\":["
                                   "{\"hostname\":\"a\",\"id\":\"0\",\"data\":[1.000,1.000,1.000],"
                                   "\"statistics\":" S3(
                                       "1") "},"
                                            "{\"hostname\":\"a\",\"id\":\"2\",\"data\":[3.000,3."
                                            "000,3.000],\"statistics\":" S3(
                                                "3") "}]}},"
                                                     "\"load\":{\"node\":{\"unit\":{\"base\":\"\"},"
                                                     "\"timestep\":60,\"series\":["
                                                     "{\"hostname\":\"a\",\"data\":[5.000,5.000,5."
                                                     "000],\"statistics\":" S3(
                                                         "5") "},"
                                                              "{\"hostname\":\"b\",\"data\":[6.000,"
                                                              "7.000,8.000],\"statistics\":{"
                                                              "\"avg\":7,\"min\":6,\"max\":"
                                                              "8}}]}}},\"errors\":[]}\n");
}

static void series_keep_their_own_ids_when_others_are_missing(void **state)
{
    (void)state;
    const char *got = ask("{\"function\":\"job-scoped-stats\",\"cluster\":\"c\",\"subCluster\":"
                          "\"main\",\"startTime\":1700000040,\"duration\":180,\"resources\":[{"
                          "\"hostname\":\"a\"}],\"metrics\":[\"flops\"],\"scopes\":[\"hwthread\"]}",
                          4096);
    assert_string_equal(
        got, "{\"data\":{\"flops\":{\"hwthread\":[{\"hostname\":\"a\",\"id\":\"0\","
             "\"statistics\":" S3("1") "},{\"hostname\":\"a\",\"id\":\"2\","
                                       "\"statistics\":" S3(
                                           "3") "},{\"hostname\":\"a\",\"id\":\"3\","
                                                "\"statistics\":" S3("4") "}]}},\"errors\":[]}\n");
}

static void statistics_of_a_job_come_by_metric_and_host(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"job-stats\"," JOB
            ",\"metrics\":[\"load\",\"flops\",\"power\",\"gone\"]}",
            4096),
        "{\"data\":{\"load\":{\"a\":" S3("5") ",\"b\":{\"avg\":7,\"min\":6,\"max\":8}},\"flops\":{"
                                              "\"a\":" S3("4") "},\"power\":{\"a\":" S3(
                                                  "7") "}},\"errors\":[]}\n");
}

static void accelerator_metrics_of_a_job_without_accelerators_are_left_out(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"job-stats\",\"numAcc\":0," JOB ",\"metrics\":[\"power\"]}", 4096),
        "{\"data\":{},\"errors\":[]}\n");
}

static void data_of_all_nodes_comes_by_host(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"node-data\",\"cluster\":\"c\",\"metrics\":[\"load\",\"flops\"],"
            "\"from\":"
            "1700000100,\"to\":1700000220}",
            4096),
        "{\"data\":{\"a\":{\"load\":{\"unit\":{\"base\":\"\"},\"timestep\":60,\"series\":[{"
        "\"hostname\":\"a\",\"data\":[5.000,5.000],\"statistics\":" S3(
            "5") "}]},\"flops\":{\"unit\":{"
                 "\"base\":\"F/"
                 "s\",\"prefix\":\"G\"},\"timestep\":60,\"series\":[{\"hostname\":\"a\",\"data\":["
                 "8.000,8.000],\"statistics\":" S3(
                     "8") "}]}},\"b\":{\"load\":{\"unit\":{\"base\":\"\"},"
                          "\"timestep\":60,\"series\":[{\"hostname\":\"b\",\"data\":[7.000,8.000],"
                          "\"statistics\":{"
                          "\"avg\":7.5,\"min\":7,\"max\":8}}]}},\"x\":{\"load\":{\"unit\":{"
                          "\"base\":\"\"},\"timestep\":60,"
                          "\"series\":[{\"hostname\":\"x\",\"data\":[8.000,8.000],"
                          "\"statistics\":" S3("8") "}]}}},\"errors\":[]}\n");
}

static void all_nodes_are_answered_however_many_there_are(void **state)
{
    struct ta_buf out;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 500; i++) {
        char host[16];
        snprintf(host, sizeof(host), "n%03d", i);
        feed_sample(store, "c", host, "load", "", "", T0, i, NOW_S);
    }
    ta_buf_init(&out, &ta_heap, 1 * MiB);
    assert_int_equal(ask_with(&ta_heap,
                              "{\"function\":\"node-data\",\"cluster\":\"c\",\"metrics\":["
                              "\"load\"],\"from\":1700000000,\"to\":1700000220}",
                              4096, &out, NULL),
                     TA_OK);
    assert_int_equal(ta_buf_byte(&out, '\0'), TA_OK);
    for (const char *at = out.at; (at = strstr(at, "\"hostname\"")); at++)
        n++;
    assert_int_equal(n, 503);
    ta_buf_done(&out);
}

static void a_list_of_nodes_looks_up_the_subcluster_of_each(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"node-list\",\"cluster\":\"c\",\"nodes\":[\"x\",\"a\",\"q\"],"
            "\"metrics\":["
            "\"power\"],\"scopes\":[\"accelerator\",\"node\"],\"from\":1700000040,\"to\":"
            "1700000160}",
            4096),
        "{\"data\":{\"a\":{\"power\":{\"accelerator\":{\"unit\":{\"base\":\"W\"},\"timestep\":60,"
        "\"series\":[{\"hostname\":\"a\",\"id\":\"g0\",\"data\":[7.000,7.000],\"statistics\":" S3(
            "7") "}]},\"node\":{\"unit\":{\"base\":\"W\"},\"timestep\":60,\"series\":[{"
                 "\"hostname\":"
                 "\"a\",\"id\":\"g0\",\"data\":[7.000,7.000],\"statistics\":" S3(
                     "7") "}]}}}},\"errors\":[\"no subcluster of 'c' has the host 'q'\"]}\n");
}

static void what_cannot_be_had_is_told_and_the_rest_goes_on(void **state)
{
    (void)state;
    assert_string_equal(
        ask("{\"function\":\"job-scoped-stats\"," JOB
            ",\"metrics\":[\"nope\",\"load\",\"load\"],\"scopes\":[\"rack\",\"node\","
            "\"core\"]}",
            4096),
        "{\"data\":{\"load\":{\"node\":[{\"hostname\":\"a\",\"statistics\":" S3(
            "5") "},{\"hostname\":\"b\",\"statistics\":{\"avg\":7,\"min\":6,\"max\":8}"
                 "}]}},\"errors\":[\"metric 'nope' is not configured for cluster "
                 "'c'\",\"METRICDATA/INTERNAL-CCMS \\u003e unsupported scope "
                 "transformation: native-scope=node, requested-scope=rack\"]}\n");
}

static void of_many_errors_the_first_are_told_and_the_others_counted(void **state)
{
    char body[4096];
    size_t len =
        (size_t)snprintf(body, sizeof(body), "{\"function\":\"job-stats\"," JOB ",\"metrics\":[");

    (void)state;
    for (int i = 0; i < 70; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s\"m%d\"", i ? "," : "", i);
    snprintf(body + len, sizeof(body) - len, "]}");
    const char *got = ask(body, 4096);
    assert_non_null(
        strstr(got, "\"metric 'm63' is not configured for cluster 'c'\",\"and 6 more\"]}\n"));
    assert_null(strstr(got, "m64"));
}

static void wrong_requests_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"{}", "error: unknown function ''"},
        {"{\"function\":\"node-data\"}", "error: [METRICSTORE]> cluster name cannot be empty"},
        {"{\"function\":\"node-data\",\"cluster\":\"z\"}", "error: cluster 'z' is not configured"},
        {"{\"function\":\"job-data\",\"cluster\":\"c\"}", "error: the job has no resources"},
        {"{\"function\":\"job-data\",\"cluster\":\"c\",\"subCluster\":\"s\",\"resources\":[{}]}",
         "error: subcluster 's' not found for cluster 'c', or cluster 'c' not configured"},
        {"{\"function\":\"node-data\",\"cluster\":\"c\",\"from\":2,\"to\":1}",
         "error: [METRICSTORE]> invalid time range: 'from' must be before 'to'"},
        {"{\"function\":\"job-data\",\"cluster\":\"c\",\"startTime\":9223372036854775807,"
         "\"duration\":"
         "9}",
         "error: duration out of range"},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++)
        assert_string_equal(ask(cases[i].body, 4096), cases[i].words);
}

static void every_room_size_gives_the_same_bytes(void **state)
{
    static const char body[] =
        "{\"function\":\"job-data\"," JOB ",\"metrics\":[\"flops\",\"nope\",\"load\"],"
        "\"scopes\":[\"node\",\"core\"]}";
    char *want = strdup(ask(body, 65536));

    (void)state;
    for (size_t room = 1; room < 1000; room++)
        assert_string_equal(ask(body, room), want);
    free(want);
}

static void every_failing_allocation_is_an_error_or_a_whole_answer(void **state)
{
    (void)state;
    for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
        struct ta_buf out;
        ta_buf_init(&out, &ta_heap, 64 * KiB);
        int r = ask_with(&f.alloc,
                         "{\"function\":\"job-data\"," JOB
                         ",\"metrics\":[\"flops\",\"nope\"],\"scopes\":[\"node\",\"core\"]}",
                         512, &out, NULL);
        if (r >= 0)
            assert_memory_equal(out.at + out.len - 3, "]}\n", 3);
        ta_buf_done(&out);
        fault_judge(&f, r);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_of_a_job_comes_by_metric_and_scope),
        TEST(series_keep_their_own_ids_when_others_are_missing),
        TEST(statistics_of_a_job_come_by_metric_and_host),
        TEST(accelerator_metrics_of_a_job_without_accelerators_are_left_out),
        TEST(data_of_all_nodes_comes_by_host),
        TEST(all_nodes_are_answered_however_many_there_are),
        TEST(a_list_of_nodes_looks_up_the_subcluster_of_each),
        TEST(what_cannot_be_had_is_told_and_the_rest_goes_on),
        TEST(of_many_errors_the_first_are_told_and_the_others_counted),
        TEST(wrong_requests_are_refused_with_the_reason),
        TEST(every_room_size_gives_the_same_bytes),
        TEST(every_failing_allocation_is_an_error_or_a_whole_answer),
    };

    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
