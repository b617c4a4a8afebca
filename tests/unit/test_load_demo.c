/* The demo cluster lives, and a recorded job plays again. */
#include "fault.h"
#include "io/json_read.h"
#include "load/demo.h"
#include "load/trace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

enum { MONDAY_NOON = 1700481600 };

static void both_kinds_of_nodes_post_all_their_series(void **state)
{
    struct ta_demo d;
    struct ta_buf out;
    double v[TA_DEMO_COLUMNS_MAX];

    (void)state;
    assert_int_equal(ta_demo_init(&d, &ta_heap, NULL, 1, NULL), TA_OK);
    assert_int_equal(ta_demo_layout(&d, 0)->n_columns, 137);
    assert_int_equal(ta_demo_layout(&d, 31)->n_columns, 169);
    ta_buf_init(&out, &ta_heap, MiB);
    assert_int_equal(ta_demo_post(&d, 31, MONDAY_NOON, v, &out), TA_OK);
    assert_memory_equal(out.at, "cpu_load,cluster=demo,hostname=d032,type=node value=", 52);
    assert_non_null(memmem(out.at, out.len,
                           "\nnvlink_bw,cluster=demo,hostname=d032,stype=nvlink,stype-id=3,"
                           "type=accelerator,type-id=00000000:77:00.0 value=",
                           110));
    for (uint32_t i = 0; i < 169; i++)
        assert_true(isfinite(v[i]) && v[i] >= 0);
    ta_buf_done(&out);
    ta_demo_done(&d);
}

static void jobs_start_end_and_show_in_what_nodes_measure(void **state)
{
    struct ta_demo d;
    struct ta_demo_job job;
    double v[TA_DEMO_COLUMNS_MAX], busy = 0, idle = 0;
    int n_full = 0, n_busy = 0, n_idle = 0, starts = 0, profiles = 0;

    (void)state;
    assert_int_equal(ta_demo_init(&d, &ta_heap, NULL, 1, NULL), TA_OK);
    for (uint32_t host = 0; host < TA_DEMO_HOSTS; host += 5) {
        uint64_t last = 0;
        for (int64_t t = MONDAY_NOON; t < MONDAY_NOON + 4 * 86400; t += 600) {
            ta_demo_values(&d, host, t, v);
            if (!ta_demo_job_at(&d, host, t, &job)) {
                idle += v[0];
                n_idle++;
                continue;
            }
            assert_true(job.start_s <= t && t < job.end_s);
            assert_true(job.first_host <= host && host < job.first_host + job.n_hosts);
            n_busy++;
            profiles |= 1 << job.profile;
            starts += job.id != last;
            last = job.id;
            if (job.profile != TA_DEMO_ONE_CORE) {
                busy += v[0];
                n_full++;
            }
        }
    }
    assert_in_range(starts, 70, 120); /* of 119 that the periods allow */
    assert_true(n_busy > n_idle && n_idle > 400);
    assert_int_equal(profiles, (1 << TA_DEMO_N_PROFILES) - 1);
    assert_true(busy / n_full > 30 && idle / n_idle < 1);
    ta_demo_done(&d);
}

static void the_same_moment_measures_the_same(void **state)
{
    struct ta_demo d;
    double v[TA_DEMO_COLUMNS_MAX], again[TA_DEMO_COLUMNS_MAX];

    (void)state;
    assert_int_equal(ta_demo_init(&d, &ta_heap, NULL, 1, NULL), TA_OK);
    ta_demo_values(&d, 3, MONDAY_NOON, v);
    ta_demo_values(&d, 4, MONDAY_NOON + 60, again);
    ta_demo_values(&d, 3, MONDAY_NOON, again);
    assert_memory_equal(v, again, 137 * sizeof(*v));
    ta_demo_done(&d);
}

/* Parses the text; returns the number of tokens. */
static int parse(const struct ta_buf *text)
{
    struct ta_mem_source src;
    struct ta_json_reader *json;
    struct ta_json_token t;
    int n = 0, r;

    ta_mem_source_init(&src, text->at, text->len, 0);
    assert_int_equal(ta_json_reader_new(&json, &src.source, NULL, &ta_heap), TA_OK);
    while ((r = ta_json_next(json, &t, NULL)) == 1)
        n++;
    assert_int_equal(r, 0);
    assert_int_equal(ta_json_finish(json, NULL), TA_OK);
    ta_json_reader_free(json);
    return n;
}

static void the_descriptions_are_json(void **state)
{
    struct ta_demo d;
    struct ta_buf out;

    (void)state;
    assert_int_equal(ta_demo_init(&d, &ta_heap, NULL, 1, NULL), TA_OK);
    ta_buf_init(&out, &ta_heap, MiB);
    assert_int_equal(ta_demo_metrics_json(&d, 60, &out), TA_OK);
    assert_int_equal(parse(&out), 2 + 16 * 7);
    ta_buf_reset(&out);
    assert_int_equal(ta_demo_cluster_json(&d, 60, &out), TA_OK);
    assert_true(parse(&out) > 500);
    assert_non_null(memmem(out.at, out.len, "\"accelerators\":[{\"id\":\"00000000:0E:00.0\"", 40));
    ta_buf_done(&out);
    ta_demo_done(&d);
}

static void a_demo_survives_refused_memory(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_demo d;
        int r = ta_demo_init(&d, &f.alloc, NULL, 1, NULL);
        if (r == TA_OK)
            ta_demo_done(&d);
        fault_judge(&f, r);
    }
}

static const char job_data[] =
    "{\"mem\":{\"node\":{\"unit\":{\"base\":\"B\"},\"timestep\":30,\"series\":["
    "{\"hostname\":\"a\",\"data\":[1,null,2.5],\"statistics\":{\"avg\":1}},"
    "{\"data\":[],\"hostname\":\"b\"}],\"statisticsSeries\":null},\"core\":{\"series\":[]}},"
    "\"flops\":{\"node\":{\"series\":[{\"data\":[7]}]}}}";

static int read_trace(struct ta_trace *t, struct ta_str text, struct ta_alloc *alloc)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, text.at, text.len, 7);
    return ta_trace_read(t, &src.source, alloc, NULL);
}

static void a_trace_is_read_and_played_in_circles(void **state)
{
    struct ta_trace t;

    (void)state;
    assert_int_equal(read_trace(&t, TA_STR(job_data), &ta_heap), TA_OK);
    assert_int_equal(t.n_metrics, 2);
    assert_string_equal(t.metrics[0].name, "mem");
    assert_int_equal(t.metrics[0].timestep_s, 30);
    assert_int_equal(t.metrics[1].timestep_s, 60);
    assert_int_equal(t.n_series, 3);
    assert_int_equal(t.series[0].n, 3);
    assert_true(ta_trace_value(&t.series[0], 0, 0) == 1);
    assert_true(isnan(ta_trace_value(&t.series[0], 4, 0)));
    assert_true(ta_trace_value(&t.series[0], 5, 0) == 2.5);
    assert_true(ta_trace_value(&t.series[0], 0, 2) == 2.5);
    assert_true(isnan(ta_trace_value(&t.series[1], 0, 0)));
    assert_int_equal(t.series[2].metric, 1);
    ta_trace_done(&t);
}

static void a_broken_trace_is_refused_at_every_cut(void **state)
{
    struct ta_trace t;

    (void)state;
    for (size_t n = 0; n < sizeof(job_data) - 1; n++)
        assert_true(read_trace(&t, (struct ta_str){job_data, n}, &ta_heap) < 0);
    assert_int_equal(
        read_trace(&t, TA_STR("{\"m\":{\"node\":{\"series\":[{\"data\":[\"1\"]}]}}}"), &ta_heap),
        TA_EFORMAT);
    assert_true(read_trace(&t, TA_STR("{\"m\":{\"node\":{\"series\":{}}}}"), &ta_heap) < 0);
}

static void a_trace_survives_refused_memory(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_trace t;
        int r = read_trace(&t, TA_STR(job_data), &f.alloc);
        if (r == TA_OK)
            ta_trace_done(&t);
        fault_judge(&f, r);
    }
}

static void the_recorded_job_of_32_hosts_is_read_whole(void **state)
{
    const char *shared = getenv("TARN_SHARED");
    char path[512];
    struct ta_trace t;

    (void)state;
    snprintf(path, sizeof(path),
             "%s/golden/job-archive/archive-v3/emmy/1403/244/1608923076/data.json.gz",
             shared ? shared : "../shared");
    gzFile file = gzopen(path, "rb");
    if (!file)
        skip();
    char *text = malloc(32 * MiB);
    int n = gzread(file, text, 32 * MiB);
    gzclose(file);
    struct ta_mem_source src;
    ta_mem_source_init(&src, text, (size_t)n, 65536);
    assert_int_equal(ta_trace_read(&t, &src.source, &ta_heap, NULL), TA_OK);
    assert_int_equal(t.n_metrics, 9);
    assert_int_equal(t.n_series, 9 * 32);
    assert_int_equal(t.series[0].n, 1441);
    ta_trace_done(&t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_nodes_post_all_their_series),
        cmocka_unit_test(jobs_start_end_and_show_in_what_nodes_measure),
        cmocka_unit_test(the_same_moment_measures_the_same),
        cmocka_unit_test(the_descriptions_are_json),
        cmocka_unit_test(a_demo_survives_refused_memory),
        cmocka_unit_test(a_trace_is_read_and_played_in_circles),
        cmocka_unit_test(a_broken_trace_is_refused_at_every_cut),
        cmocka_unit_test(a_trace_survives_refused_memory),
        cmocka_unit_test(the_recorded_job_of_32_hosts_is_read_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
