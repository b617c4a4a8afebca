/* Scopes, topologies and cluster files become the queries that the reference would ask. */
#include "query/cluster.h"
#include "query/scope_query.h"

#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The node of (spec: scope-queries 6). */
static const char cluster_json[] =
    "{\"name\":\"fritz\",\"x\":[{}],\"metricConfig\":[{\"name\":\"flops\",\"unit\":{\"base\":\"F/"
    "s\","
    "\"prefix\":\"G\"},\"scope\":\"hwthread\",\"timestep\":60,\"peak\":1e3,\"subClusters\":[{"
    "\"name\":"
    "\"gpu\",\"remove\":true},{\"name\":\"main\",\"peak\":3}]},{\"name\":\"load\",\"unit\":{"
    "\"base\":"
    "\"\"},\"timestep\":30}],\"subClusters\":[{\"name\":\"main\",\"nodes\":\"f[0101-0188,0201-0288]"
    "\","
    "\"topology\":{\"node\":[0,1,2,3,4,5,6,7],\"socket\":[[0,1,2,3],[4,5,6,7]],\"memoryDomain\":"
    "[[0,1,2,3],[4,5,6,7]],\"core\":[[0,1],[2,3],[4,5],[6,7]],\"accelerators\":[{\"id\":\"gpu0\","
    "\"type\":\"t\",\"model\":\"m\"},{\"id\":\"gpu1\"}]}},{\"name\":\"gpu\",\"nodes\":\"g1\","
    "\"topology\":{\"node\":[0],\"socket\":[[0]],\"core\":[[0]]}}]}";

static int read_cluster(struct ta_cluster **out, const char *json, size_t step,
                        struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, json, strlen(json), step);
    return ta_cluster_new(out, &src.source, alloc, err);
}

static struct ta_cluster *cluster;
static struct ta_arena arena;

static int set_up(void **state)
{
    (void)state;
    ta_arena_init(&arena, &ta_heap, 1 * MiB);
    return read_cluster(&cluster, cluster_json, 0, &ta_heap, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    ta_cluster_free(cluster);
    ta_arena_done(&arena);
    return 0;
}

static struct ta_scope_queries build(enum ta_scope native, enum ta_scope wanted,
                                     const struct ta_int_list *threads)
{
    const struct ta_topology *t = &cluster->subclusters[0].topology;
    struct ta_scope_queries q;

    assert_int_equal(ta_scope_queries(native, wanted, t, threads ? threads : &t->node,
                                      &t->accelerators, &arena, &q),
                     TA_OK);
    return q;
}

static void the_published_vectors_hold(void **state)
{
    static const struct {
        enum ta_scope native, wanted;
        size_t n;
        bool is_aggregated;
        enum ta_scope scope;
    } rows[] = {
        {TA_SCOPE_HWTHREAD, TA_SCOPE_HWTHREAD, 1, false, TA_SCOPE_HWTHREAD},
        {TA_SCOPE_CORE, TA_SCOPE_CORE, 1, false, TA_SCOPE_CORE},
        {TA_SCOPE_SOCKET, TA_SCOPE_SOCKET, 1, false, TA_SCOPE_SOCKET},
        {TA_SCOPE_MEMORY_DOMAIN, TA_SCOPE_MEMORY_DOMAIN, 1, false, TA_SCOPE_MEMORY_DOMAIN},
        {TA_SCOPE_NODE, TA_SCOPE_NODE, 1, false, TA_SCOPE_NODE},
        {TA_SCOPE_ACCELERATOR, TA_SCOPE_ACCELERATOR, 1, false, TA_SCOPE_ACCELERATOR},
        {TA_SCOPE_HWTHREAD, TA_SCOPE_CORE, 4, true, TA_SCOPE_CORE},
        {TA_SCOPE_HWTHREAD, TA_SCOPE_SOCKET, 2, true, TA_SCOPE_SOCKET},
        {TA_SCOPE_CORE, TA_SCOPE_SOCKET, 2, true, TA_SCOPE_SOCKET},
        {TA_SCOPE_MEMORY_DOMAIN, TA_SCOPE_SOCKET, 2, true, TA_SCOPE_SOCKET},
        {TA_SCOPE_HWTHREAD, TA_SCOPE_NODE, 1, true, TA_SCOPE_NODE},
        {TA_SCOPE_CORE, TA_SCOPE_NODE, 1, true, TA_SCOPE_NODE},
        {TA_SCOPE_SOCKET, TA_SCOPE_NODE, 1, true, TA_SCOPE_NODE},
        {TA_SCOPE_MEMORY_DOMAIN, TA_SCOPE_NODE, 1, true, TA_SCOPE_NODE},
        {TA_SCOPE_ACCELERATOR, TA_SCOPE_NODE, 1, true, TA_SCOPE_NODE},
        {TA_SCOPE_ACCELERATOR, TA_SCOPE_CORE, 0, false, TA_SCOPE_CORE},
        {TA_SCOPE_NODE, TA_SCOPE_CORE, 1, false, TA_SCOPE_NODE},
        {TA_SCOPE_SOCKET, TA_SCOPE_HWTHREAD, 1, false, TA_SCOPE_SOCKET},
        {TA_SCOPE_HWTHREAD, TA_SCOPE_ACCELERATOR, 1, false, TA_SCOPE_HWTHREAD},
        {TA_SCOPE_HWTHREAD, TA_SCOPE_MEMORY_DOMAIN, 2, true, TA_SCOPE_MEMORY_DOMAIN},
        {TA_SCOPE_CORE, TA_SCOPE_MEMORY_DOMAIN, 2, true, TA_SCOPE_MEMORY_DOMAIN},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(rows); i++) {
        struct ta_scope_queries q = build(rows[i].native, rows[i].wanted, NULL);
        assert_int_equal(q.n, rows[i].n);
        assert_int_equal(q.scope, rows[i].scope);
        for (size_t k = 0; k < q.n; k++) {
            assert_int_equal(q.at[k].is_aggregated, rows[i].is_aggregated);
            assert_true(rows[i].native == TA_SCOPE_NODE
                            ? q.at[k].type == NULL
                            : strcmp(q.at[k].type, ta_scope_name(rows[i].native)) == 0);
        }
    }
}

static void assert_ids(const struct ta_str_list *ids, const char *want)
{
    char text[128] = "";

    for (size_t i = 0; i < ids->n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i ? "," : "",
                 TA_STR_FMT(ids->at[i]));
    assert_string_equal(text, want);
}

static void a_core_is_aggregated_over_all_its_threads_but_a_node_over_those_of_the_job(void **state)
{
    static const uint16_t ids[] = {5, 2};
    const struct ta_int_list threads = {ids, 2, true};

    (void)state;
    struct ta_scope_queries q = build(TA_SCOPE_HWTHREAD, TA_SCOPE_CORE, &threads);
    assert_int_equal(q.n, 2);
    assert_ids(&q.at[0].ids, "2,3");
    assert_ids(&q.at[1].ids, "4,5");
    q = build(TA_SCOPE_HWTHREAD, TA_SCOPE_NODE, &threads);
    assert_ids(&q.at[0].ids, "5,2");
    q = build(TA_SCOPE_CORE, TA_SCOPE_CORE, &threads);
    assert_ids(&q.at[0].ids, "1,2");
    q = build(TA_SCOPE_CORE, TA_SCOPE_SOCKET, &threads);
    assert_ids(&q.at[0].ids, "0,1");
    assert_ids(&q.at[1].ids, "2,3");
    q = build(TA_SCOPE_ACCELERATOR, TA_SCOPE_NODE, &threads);
    assert_ids(&q.at[0].ids, "gpu0,gpu1");
}

static void an_invalid_scope_is_refused(void **state)
{
    const struct ta_topology *t = &cluster->subclusters[0].topology;
    struct ta_scope_queries q;

    (void)state;
    assert_int_equal(ta_scope_parse(TA_STR("rack")), TA_SCOPE_INVALID);
    assert_int_equal(ta_scope_queries(TA_SCOPE_NODE, TA_SCOPE_INVALID, t, &t->node,
                                      &t->accelerators, &arena, &q),
                     TA_EINVAL);
}

static void a_cluster_file_is_read_whatever_pieces_it_comes_in(void **state)
{
    (void)state;
    for (size_t step = 1; step < 200; step += 13) {
        struct ta_cluster *c = NULL;
        assert_int_equal(read_cluster(&c, cluster_json, step, &ta_heap, NULL), TA_OK);
        const struct ta_cluster_metric *flops = ta_cluster_metric(c, TA_STR("flops"));
        assert_non_null(flops);
        assert_int_equal(flops->scope, TA_SCOPE_HWTHREAD);
        assert_true(ta_str_is(flops->unit.prefix, "G") && ta_str_is(flops->unit.base, "F/s"));
        assert_false(ta_cluster_has(flops, TA_STR("gpu")));
        assert_true(ta_cluster_has(flops, TA_STR("main")));
        assert_int_equal(ta_cluster_metric(c, TA_STR("load"))->scope, TA_SCOPE_NODE);
        assert_int_equal(ta_cluster_metric(c, TA_STR("load"))->timestep_s, 30);
        assert_null(ta_cluster_metric(c, TA_STR("nope")));
        assert_int_equal(ta_cluster_subcluster(c, TA_STR("main"))->topology.cores.n, 4);
        assert_ptr_equal(ta_cluster_of_host(c, TA_STR("g1")), &c->subclusters[1]);
        assert_ptr_equal(ta_cluster_of_host(c, TA_STR("f0207")), &c->subclusters[0]);
        assert_null(ta_cluster_of_host(c, TA_STR("f0289")));
        ta_cluster_free(c);
    }
}

static void a_wrong_cluster_file_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"name\":\"a\",\"metricConfig\":[],\"subClusters\":[{}]}",
         "a cluster needs a name, a metric and a subcluster"},
        {"{\"name\":\"a\",\"metricConfig\":[{\"name\":\"m\"}],\"subClusters\":[{}]}",
         "metric m: timestep below one second"},
        {"{\"name\":\"a\",\"metricConfig\":[{\"name\":\"m\",\"timestep\":1,\"scope\":\"rack\"}],"
         "\"subClusters\":[{}]}",
         "metric m: unknown scope \"rack\""},
        {"{\"name\":\"a\",\"subClusters\":[{\"topology\":{\"node\":[70000]}}]}",
         "json: cannot unmarshal number 70000 into Go struct field "
         "cluster.json.subClusters.topology.node of type []uint16"},
        {"", "EOF"},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_cluster *c = NULL;
        struct ta_err err = {0};
        assert_int_equal(read_cluster(&c, cases[i].json, 0, &ta_heap, &err), TA_EFORMAT);
        assert_string_equal(err.text, cases[i].words);
    }
}

static void node_lists_name_hosts_by_ranges_of_one_width(void **state)
{
    static const struct {
        const char *list, *host;
        bool has;
    } cases[] = {
        {"a,b[01-12,20-24]c", "a", true},
        {"a,b[01-12,20-24]c", "b07c", true},
        {"a,b[01-12,20-24]c", "b7c", false},
        {"a,b[01-12,20-24]c", "b22c", true},
        {"a,b[01-12,20-24]c", "b13c", false},
        {"a,b[01-12,20-24]c", "b07", false},
        {"n[1-9,10-99]", "n5", true},
        {"n[1-9,10-99]", "n42", true},
        {"n[1-9,10-99]", "n100", false},
        {"r[1-2]n[01-03]", "r2n03", true},
        {"r[1-2]n[01-03]", "r2n04", false},
        {"[07]", "07", false},
        {"n[07-07]", "n07", true},
        {"n[1-2", "n1", false},
        {"", "a", false},
        {"n[999999999999999999999-999999999999999999999]", "n999999999999999999999", false},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++)
        if (ta_node_list_has(ta_str(cases[i].list), ta_str(cases[i].host)) != cases[i].has)
            fail_msg("%s in %s", cases[i].host, cases[i].list);
}

static int read_and_build(struct ta_alloc *alloc)
{
    struct ta_scope_queries q;
    struct ta_cluster *c = NULL;
    struct ta_arena a;
    int r = read_cluster(&c, cluster_json, 0, alloc, NULL);

    if (r < 0)
        return r;
    ta_arena_init(&a, alloc, 64 * KiB);
    const struct ta_topology *t = &c->subclusters[0].topology;
    r = ta_scope_queries(TA_SCOPE_CORE, TA_SCOPE_SOCKET, t, &t->node, &t->accelerators, &a, &q);
    ta_arena_done(&a);
    ta_cluster_free(c);
    return r;
}

static void every_failing_allocation_is_an_error_without_a_leak(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, read_and_build(&f.alloc));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_published_vectors_hold),
        TEST(a_core_is_aggregated_over_all_its_threads_but_a_node_over_those_of_the_job),
        TEST(an_invalid_scope_is_refused),
        TEST(a_cluster_file_is_read_whatever_pieces_it_comes_in),
        TEST(a_wrong_cluster_file_is_refused_with_the_reason),
        TEST(node_lists_name_hosts_by_ranges_of_one_width),
        TEST(every_failing_allocation_is_an_error_without_a_leak),
    };

    return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
