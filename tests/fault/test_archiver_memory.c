/* What archiving a job takes beside the store: a GPU job of 64 nodes with 128 threads each at hwthread
 * scope, and node-scope jobs of a thousand nodes.
 *
 *     test_archiver_memory [minutes]      30 by default; 1440 is a day
 */
#include "feed.h"
#include "jobs/archive_job.h"
#include "store/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { START_S = 1700000040, METRICS = 6, THREADS = 128 };

static int minutes = 30;

static struct ta_str cluster_json(const char *scope)
{
    static char text[8192];
    struct ta_arena room;
    struct ta_buf b;

    ta_arena_init(&room, &ta_heap, 1 << 20);
    ta_buf_init(&b, &room.alloc, sizeof(text));
    ta_buf_printf(&b, "{\"name\":\"c\",\"metricConfig\":[");
    for (int m = 0; m < METRICS; m++)
        ta_buf_printf(
            &b, "%s{\"name\":\"m%d\",\"unit\":{\"base\":\"\"},\"scope\":\"%s\",\"timestep\":60}",
            m ? "," : "", m, scope);
    ta_buf_printf(&b,
                  "],\"subClusters\":[{\"name\":\"main\",\"nodes\":\"*\",\"topology\":{\"node\":[");
    for (int t = 0; t < THREADS; t++)
        ta_buf_printf(&b, "%s%d", t ? "," : "", t);
    assert_true(ta_buf_printf(&b, "],\"accelerators\":[{\"id\":\"g0\"}]}}]}") >= 0);
    memcpy(text, b.at, b.len);
    struct ta_str view = {text, b.len};
    ta_arena_done(&room);
    return view;
}

/* All series of one host, a row of them a minute. */
static void feed_host(struct ta_store *store, const char *host, int threads)
{
    static int64_t cols[METRICS * THREADS];
    struct ta_writer w;
    char type[24];

    for (int i = 0; i < minutes; i++) {
        assert_int_equal(
            ta_writer_begin(&w, store, TA_STR("c"), ta_str(host), START_S + 86400 * 30, NULL),
            TA_OK);
        for (int m = 0; m < METRICS; m++)
            for (int t = 0; t < (threads ? threads : 1); t++) {
                int64_t *col = &cols[m * THREADS + t];

                type[0] = 0;
                if (threads)
                    snprintf(type, sizeof(type), "hwthread%d", t);
                if (i == 0)
                    *col = ta_writer_column(
                        &w, &(struct ta_column_key){(uint32_t)m, ta_str(type), TA_STR("")});
                assert_int_equal(ta_writer_append(&w, (uint32_t)*col, START_S + 60 * i,
                                                  (i * 7 + t * 3 + m) % 100 / 10.0),
                                 TA_OK);
            }
        ta_writer_end(&w);
    }
}

static struct ta_job a_job(int hosts, int accelerators, struct ta_arena *arena)
{
    struct ta_job_node *nodes = ta_arena_get(arena, (size_t)hosts * sizeof(*nodes));

    for (int h = 0; h < hosts; h++) {
        char name[16];

        snprintf(name, sizeof(name), "n%04d", h);
        nodes[h] = (struct ta_job_node){.hostname = ta_arena_copy(arena, ta_str(name))};
    }
    return (struct ta_job){.cluster = TA_STR("c"),
                           .subcluster = TA_STR("main"),
                           .job_id = 1,
                           .start_time = START_S,
                           .duration = 60 * (int64_t)minutes,
                           .num_nodes = hosts,
                           .num_acc = accelerators,
                           .resources = {nodes, (size_t)hosts}};
}

/* Archives a job of `hosts` hosts and returns the most memory that took, in bytes. */
static size_t peak_of(int hosts, int threads, int accelerators)
{
    const struct ta_backend_options options = {.may_create = true};
    struct ta_store *store = feed_store(&ta_heap, "m0 60 avg,m1 60 avg,m2 60 avg,m3 60 avg,m4 60 "
                                                  "avg,m5 60 avg");
    struct ta_cluster *cluster = NULL;
    const struct ta_cluster *clusters[1];
    struct ta_backend *backend = NULL;
    struct ta_data_spool spool;
    struct ta_budget budget;
    struct ta_arena arena;
    struct ta_archived done;
    struct ta_mem_source src;
    struct ta_err err = {0};
    char dir[] = "/tmp/tarn-memory-XXXXXX", path[64], command[64];

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/spool", dir);
    struct ta_str json = cluster_json(threads ? "hwthread" : "node");
    ta_mem_source_init(&src, json.at, json.len, 0);
    assert_int_equal(ta_cluster_new(&cluster, &src.source, &ta_heap, NULL), TA_OK);
    clusters[0] = cluster;
    for (int h = 0; h < hosts; h++) {
        char name[16];

        snprintf(name, sizeof(name), "n%04d", h);
        feed_host(store, name, threads);
    }
    ta_budget_init(&budget, "archiver", 64 << 20, &ta_heap);
    ta_arena_init(&arena, &budget.alloc, 48 << 20);
    assert_int_equal(ta_data_spool_init(&spool, &ta_vfs_posix, path, &budget.alloc, NULL), TA_OK);
    assert_int_equal(
        ta_backend_open_files(&backend, &ta_vfs_posix, dir, &options, &budget.alloc, &err), TA_OK);
    struct ta_job job = a_job(hosts, accelerators, &arena);
    const struct ta_archive_bench bench = {.store = store,
                                           .clusters = clusters,
                                           .n_clusters = 1,
                                           .backend = backend,
                                           .spool = &spool,
                                           .rules = {.load = {8, true}},
                                           .clock = &ta_clock_system,
                                           .alloc = &budget.alloc};

    int r = ta_archive_job(&bench, &job, false, &arena, &done, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    size_t peak = atomic_load(&budget.peak);
    printf("%d nodes, %d threads, %d minutes, %d metrics: %llu bytes archived, %.1f MiB beside the "
           "store\n",
           hosts, threads, minutes, METRICS, (unsigned long long)done.bytes,
           (double)peak / 1048576);

    ta_backend_close(backend);
    ta_data_spool_done(&spool);
    ta_arena_done(&arena);
    assert_int_equal(ta_budget_used(&budget), 0);
    ta_cluster_free(cluster);
    ta_store_free(store);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    return peak;
}

static void a_gpu_job_of_64_nodes_takes_at_most_64_mib(void **state)
{
    (void)state;
    assert_true(peak_of(64, THREADS, 64) <= 64U << 20);
}

static void a_node_scope_job_takes_at_most_32_mib(void **state)
{
    (void)state;
    assert_true(peak_of(64, 0, 0) <= 32U << 20);
    assert_true(peak_of(1000, 0, 0) <= 32U << 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_job_of_64_nodes_takes_at_most_64_mib),
        cmocka_unit_test(a_node_scope_job_takes_at_most_32_mib),
    };

    if (argc > 1)
        minutes = atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
