#include <tarn/load.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int64_t T = 1700000040;
static const struct tarn_metric metrics[] = {{"load", 60, TARN_AGG_NONE},
                                             {"flops", 60, TARN_AGG_SUM}};
static const char cluster_json[] =
    "{\"name\":\"c\",\"metricConfig\":["
    "{\"name\":\"load\",\"scope\":\"node\",\"timestep\":60,\"aggregation\":\"avg\",\"unit\":{}},"
    "{\"name\":\"flops\",\"scope\":\"hwthread\",\"timestep\":60,\"aggregation\":\"sum\","
    "\"unit\":{\"base\":\"F/s\"}}],"
    "\"subClusters\":[{\"name\":\"main\",\"nodes\":\"a,b\",\"topology\":{\"node\":[0,1,2,3],"
    "\"socket\":[[0,1],[2,3]],\"memoryDomain\":[[0,1],[2,3]],\"core\":[[0],[1],[2],[3]]}}]}";
static const struct tarn_resource both[] = {{.host = "a"}, {.host = "b"}};
static const char *const load[] = {"load"}, *const flops[] = {"flops"}, *const node[] = {"node"},
                         *const socket_[] = {"socket"};

static struct tarn_store *store;
static struct tarn_cluster *cluster;

static int set_up(void **state)
{
    const struct tarn_config config = {.metrics = metrics, .n_metrics = 2};

    (void)state;
    if (tarn_open(&store, &config, NULL) < 0 ||
        tarn_cluster_open(&cluster, cluster_json, strlen(cluster_json), NULL) < 0)
        return -1;
    for (int i = 0; i < 10; i++)
        for (int h = 0; h < 2; h++)
            for (int thread = -1; thread < 4; thread++) {
                char type[16];
                const struct tarn_path at = {"c", h ? "b" : "a", thread < 0 ? NULL : type, NULL};

                snprintf(type, sizeof(type), "hwthread%d", thread);
                if (tarn_write(store, &at, thread < 0 ? "load" : "flops", T + i * 60,
                               thread < 0 ? i + h : 1 << thread, NULL) < 0)
                    return -1;
            }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tarn_cluster_close(cluster);
    tarn_close(store);
    return 0;
}

static struct tarn_load_request job(const char *const *what, const char *const *scope)
{
    return (struct tarn_load_request){.kind = TARN_LOAD_JOB_DATA,
                                      .subcluster = "main",
                                      .resources = both,
                                      .n_resources = 2,
                                      .metrics = what,
                                      .n_metrics = 1,
                                      .scopes = scope,
                                      .n_scopes = 1,
                                      .from_s = T,
                                      .to_s = T + 600};
}

static struct tarn_load *open_load(const struct tarn_load_request *request)
{
    struct tarn_load *l;

    assert_int_equal(tarn_load_open(&l, store, cluster, request, NULL), TARN_OK);
    return l;
}

static void a_job_has_a_series_for_each_host(void **state)
{
    const struct tarn_load_request request = job(load, node);
    struct tarn_load *l = open_load(&request);
    struct tarn_load_series s;
    double v[16];

    for (int h = 0; h < 2; h++) {
        assert_int_equal(tarn_load_next(l, &s, NULL), 1);
        assert_string_equal(s.metric, "load");
        assert_string_equal(s.scope, "node");
        assert_string_equal(s.host, h ? "b" : "a");
        assert_null(s.id);
        assert_int_equal(s.from_s, T);
        assert_int_equal(s.step_s, 60);
        assert_int_equal(tarn_load_values(l, v, 16), 10);
        assert_true(v[0] == h && v[9] == 9 + h);
        assert_int_equal(tarn_load_values(l, v, 16), 0);
    }
    assert_int_equal(tarn_load_next(l, &s, NULL), 0);
    assert_null(tarn_load_problem(l, 0));
    tarn_load_close(l);
    (void)state;
}

static void threads_are_summed_up_to_their_socket(void **state)
{
    const struct tarn_load_request request = job(flops, socket_);
    struct tarn_load *l = open_load(&request);
    struct tarn_load_series s;
    struct tarn_stats stats;
    static const struct {
        const char *host, *id;
        double sum;
    } expected[] = {{"a", "0", 3}, {"a", "2", 12}, {"b", "0", 3}, {"b", "2", 12}};

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tarn_load_next(l, &s, NULL), 1);
        assert_string_equal(s.scope, "socket");
        assert_string_equal(s.host, expected[i].host);
        assert_string_equal(s.id, expected[i].id);
        tarn_load_statistics(l, &stats); /* of values that nobody read */
        assert_true(stats.avg == expected[i].sum && stats.min == stats.avg &&
                    stats.max == stats.avg);
    }
    assert_int_equal(tarn_load_next(l, &s, NULL), 0);
    tarn_load_close(l);
    (void)state;
}

static void a_job_on_some_threads_is_the_sum_of_those(void **state)
{
    static const uint16_t threads[] = {1, 2};
    const struct tarn_resource part = {.host = "a", .threads = threads, .n_threads = 2};
    struct tarn_load_request request = job(flops, node);
    struct tarn_load_series s;
    double v;

    request.resources = &part;
    request.n_resources = 1;
    struct tarn_load *l = open_load(&request);
    assert_int_equal(tarn_load_next(l, &s, NULL), 1);
    assert_int_equal(tarn_load_values(l, &v, 1), 1);
    assert_true(v == 2 + 4);
    tarn_load_close(l);
    (void)state;
}

static void all_nodes_are_those_that_the_store_has(void **state)
{
    const struct tarn_load_request request = {
        .kind = TARN_LOAD_NODE_DATA, .metrics = load, .n_metrics = 1, .from_s = T, .to_s = T + 600};
    struct tarn_load *l = open_load(&request);
    struct tarn_load_series s;
    int n = 0;

    while (tarn_load_next(l, &s, NULL) > 0)
        assert_string_equal(s.host, n++ ? "b" : "a");
    assert_int_equal(n, 2);
    tarn_load_close(l);
    (void)state;
}

static void what_cannot_be_had_is_a_problem_in_words(void **state)
{
    static const char *const names[] = {"sorrow", "load"};
    struct tarn_load_request request = job(names, node);
    struct tarn_load_series s;
    int n = 0;

    request.n_metrics = 2;
    struct tarn_load *l = open_load(&request);
    while (tarn_load_next(l, &s, NULL) > 0)
        n++;
    assert_int_equal(n, 2);
    assert_non_null(strstr(tarn_load_problem(l, 0), "sorrow"));
    assert_null(tarn_load_problem(l, 1));
    tarn_load_close(l);
    (void)state;
}

static void a_request_that_means_nothing_is_refused(void **state)
{
    struct tarn_load_request request = job(load, node);
    struct tarn_error err = {0};
    struct tarn_load *l;

    request.subcluster = "nowhere";
    assert_int_equal(tarn_load_open(&l, store, cluster, &request, &err), TARN_EINVAL);
    assert_non_null(strstr(err.text, "nowhere"));
    request = job(load, node);
    request.kind = (enum tarn_load_kind)99;
    assert_int_equal(tarn_load_open(&l, store, cluster, &request, NULL), TARN_EINVAL);
    (void)state;
}

static void a_description_that_is_none_is_refused_with_the_place(void **state)
{
    struct tarn_error err = {0};
    struct tarn_cluster *c;

    assert_int_equal(tarn_cluster_open(&c, "{\"name\":", 8, &err), TARN_EFORMAT);
    assert_true(err.text[0] != 0);
    (void)state;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_job_has_a_series_for_each_host),
        TEST(threads_are_summed_up_to_their_socket),
        TEST(a_job_on_some_threads_is_the_sum_of_those),
        TEST(all_nodes_are_those_that_the_store_has),
        TEST(what_cannot_be_had_is_a_problem_in_words),
        TEST(a_request_that_means_nothing_is_refused),
        TEST(a_description_that_is_none_is_refused_with_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
