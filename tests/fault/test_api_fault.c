/* Every allocation of the public library refused in turn, over the whole life of a store.
 *
 * The library takes the process heap, so that is what is replaced here while it runs.
 */
#include "fault.h"

#include <tarn/load.h>
#include <tarn/tarn.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const int64_t T = 1700000040;
static const struct tarn_metric metrics[] = {{"load", 60, TARN_AGG_NONE},
                                             {"flops", 60, TARN_AGG_SUM}};
static const char lines[] =
    "load,cluster=c,hostname=a value=1 1700000040\n"
    "flops,cluster=c,hostname=a,type=hwthread,type-id=0 value=2 1700000040\n"
    "flops,cluster=c,hostname=a,type=hwthread,type-id=1 value=3 1700000040\n"
    "load,cluster=c,hostname=b value=4 1700000040\n";

static struct fault *refusing;
static bool is_inside; /* the refusing allocator takes its own memory from the heap */
static struct ta_alloc heap, pages;

static void *refused_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    if (is_inside)
        return heap.resize(self, p, old_size, new_size);
    is_inside = true;
    void *got = refusing->alloc.resize(&refusing->alloc, p, old_size, new_size);
    is_inside = false;
    return got;
}

static void refuse(struct fault *f)
{
    refusing = f;
    heap = ta_heap;
    pages = ta_pages;
    ta_heap.resize = ta_pages.resize = refused_resize;
}

static void refuse_no_more(void)
{
    ta_heap = heap;
    ta_pages = pages;
}

static int write_some(struct tarn_store *s)
{
    const struct tarn_path host = {"c", "a", NULL, NULL};
    struct tarn_lines n;

    int r = tarn_write_lines(s, NULL, lines, strlen(lines), &n, NULL);
    for (int i = 1; i < 200 && r >= 0; i++)
        r = tarn_write(s, &host, "load", T + 60 * i, i * 0.5, NULL);
    return r;
}

static int read_some(struct tarn_store *s)
{
    const struct tarn_selection node = {.cluster = "c", .host = "a"};
    struct tarn_series series = {0};
    struct tarn_stats stats;

    int r = tarn_read(s, &node, "load", T, T + 6000, 0, &series, NULL);
    if (r == TARN_OK)
        assert_int_equal(series.n, 100);
    tarn_series_done(&series);
    if (r == TARN_OK)
        r = tarn_read(s, &node, "flops", T, T + 60, 0, &series, NULL);
    if (r == TARN_OK)
        assert_true(series.values[0] == 5);
    if (r == TARN_OK)
        tarn_series_done(&series);
    return r < 0 ? r : tarn_statistics(s, &node, "load", T, T + 6000, &stats, NULL);
}

static int list_some(struct tarn_store *s)
{
    const char *const names[] = {"load", "flops"};
    const struct tarn_path root = {0}, cluster = {"c", NULL, NULL, NULL};
    enum tarn_health health[2];
    struct tarn_names found = {0};
    FILE *to = tmpfile();

    assert_non_null(to);
    int r = tarn_children(s, &cluster, &found, NULL);
    if (r == TARN_OK)
        assert_int_equal(found.n, 2);
    tarn_names_done(&found);
    found = (struct tarn_names){0};
    if (r == TARN_OK)
        r = tarn_paths(s, 3, &found, NULL);
    tarn_names_done(&found);
    if (r == TARN_OK)
        r = tarn_node_health(s, "c", "a", names, 2, T, health, NULL);
    if (r >= 0)
        r = tarn_dump(s, &root, to, NULL);
    fclose(to);
    return r;
}

static const char cluster_json[] =
    "{\"name\":\"c\",\"metricConfig\":[{\"name\":\"flops\",\"scope\":\"hwthread\","
    "\"timestep\":60,\"aggregation\":\"sum\",\"unit\":{}}],\"subClusters\":[{\"name\":\"main\","
    "\"nodes\":\"a\",\"topology\":{\"node\":[0,1],\"socket\":[[0,1]],\"core\":[[0],[1]]}}]}";

/* A series that memory is refused for may be told as a problem instead. */
static int load_some(struct tarn_store *s)
{
    static const char *const metric[] = {"flops"}, *const scope[] = {"node"};
    const struct tarn_resource node = {.host = "a"};
    const struct tarn_load_request request = {.subcluster = "main",
                                              .resources = &node,
                                              .n_resources = 1,
                                              .metrics = metric,
                                              .n_metrics = 1,
                                              .scopes = scope,
                                              .n_scopes = 1,
                                              .from_s = T,
                                              .to_s = T + 60};
    struct tarn_cluster *cluster = NULL;
    struct tarn_load_series series;
    struct tarn_load *load = NULL;
    double v = 0;

    int r = tarn_cluster_open(&cluster, cluster_json, strlen(cluster_json), NULL);
    if (r == TARN_OK)
        r = tarn_load_open(&load, s, cluster, &request, NULL);
    if (r == TARN_OK && (r = tarn_load_next(load, &series, NULL)) > 0)
        assert_true(tarn_load_values(load, &v, 1) == 1 && v == 5);
    else if (r == 0) {
        assert_non_null(tarn_load_problem(load, 0));
        r = TARN_ENOMEM;
    }
    tarn_load_close(load);
    tarn_cluster_close(cluster);
    return r;
}

static int free_some(struct tarn_store *s)
{
    const struct tarn_path used = {"c", "b", NULL, NULL}, root = {0};

    int64_t n = tarn_free_except(s, T + 1000000, &used, 1, NULL);
    if (n < 0)
        return (int)n;
    assert_int_equal(n, 3);
    assert_int_equal(tarn_force_free(s), 1);
    assert_int_equal(tarn_free_before(s, &root, INT64_MAX), 0);
    return TARN_OK;
}

static int live(void)
{
    const struct tarn_config config = {.metrics = metrics, .n_metrics = 2};
    struct tarn_store *s = NULL;

    int r = tarn_open(&s, &config, NULL);
    if (r < 0)
        return r;
    if ((r = write_some(s)) >= 0) {
        while (tarn_keep(s, 1000000) > 0)
            ;
        r = read_some(s);
    }
    if (r >= 0)
        r = list_some(s);
    if (r >= 0)
        r = load_some(s);
    if (r >= 0)
        r = free_some(s);
    tarn_close(s);
    return r;
}

static void every_refused_allocation_is_an_error_or_costs_nothing(void **state)
{
    (void)state;
    for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
        refuse(&f);
        int r = live();
        refuse_no_more();
        fault_judge(&f, r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_allocation_is_an_error_or_costs_nothing),
    };

    return cmocka_run_group_tests_name("library, memory refused", tests, NULL, NULL);
}
