/* The data document of a job: byte for byte what the reference wrote of the same series, and in
 * bounded memory. */
#include "fault.h"
#include "jobs/job_document.h"
#include "recorded_job.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ta_arena arena;
static struct recorded_job recorded;

static int set_up(void **state)
{
    (void)state;
    ta_arena_init(&arena, &ta_heap, 32 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    recorded_job_done(&recorded);
    ta_arena_done(&arena);
    return 0;
}

static int write_document(const struct ta_job *job, const struct ta_cluster *cluster,
                          bool is_compat, struct ta_alloc *alloc, const atomic_bool *stop,
                          struct ta_buf *out, struct ta_err *err)
{
    struct ta_job_tally *tallies = ta_arena_get(&arena, cluster->n_metrics * sizeof(*tallies));
    struct ta_job_load load = {.source = &recorded.source,
                               .job = job,
                               .metrics = ta_metrics_by_name(cluster, &arena),
                               .n_metrics = cluster->n_metrics,
                               .rules = {8, is_compat},
                               .alloc = alloc,
                               .stop = stop};
    struct ta_document_writer w;
    struct ta_buf_sink sink;

    ta_buf_sink_init(&sink, out);
    ta_document_init(&w, &sink.sink, alloc);
    int r = ta_job_document_write(&load, &w, tallies, err);
    ta_document_done(&w);
    return r;
}

/* A document as its series in the order of their bytes, and what stands around them. */
struct parts {
    struct ta_str series[RECORDED_SERIES_MAX];
    size_t n;
    struct ta_buf around;
};

static int by_bytes(const void *a, const void *b)
{
    return ta_str_cmp(*(const struct ta_str *)a, *(const struct ta_str *)b);
}

static void take_apart(struct parts *p, struct ta_str text)
{
    const char *at = text.at, *end = text.at + text.len, *begin;

    *p = (struct parts){0};
    ta_buf_init(&p->around, &ta_heap, 1 << 20);
    while ((begin = memmem(at, (size_t)(end - at), "{\"hostname\"", 11))) {
        const char *close = memmem(begin, (size_t)(end - begin), "]}", 2);

        assert_int_equal(ta_buf_add(&p->around, at, (size_t)(begin - at)), TA_OK);
        p->series[p->n++] = (struct ta_str){begin, (size_t)(close + 2 - begin)};
        at = close + 2;
    }
    assert_int_equal(ta_buf_add(&p->around, at, (size_t)(end - at)), TA_OK);
    qsort(p->series, p->n, sizeof(*p->series), by_bytes);
}

/* The reference gives the nodes of a sum in no order: all the rest is the same to the byte. */
static void assert_same_but_for_order(struct ta_str got, struct ta_str want)
{
    static struct parts a, b;

    take_apart(&a, got);
    take_apart(&b, want);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++)
        assert_true(ta_str_eq(a.series[i], b.series[i]));
    assert_true(ta_str_eq(ta_buf_view(&a.around), ta_buf_view(&b.around)));
    ta_buf_done(&a.around);
    ta_buf_done(&b.around);
}

static const struct {
    const char *id, *cluster, *dir;
    bool has_sums;
} jobs[] = {
    {"5001", "fritz", "fritz/5/001/1700000000", false},
    {"5002", "fritz", "fritz/5/002/1700000100", true},
    {"6001", "alex", "alex/6/001/1700000200", false},
    {"9002", "fritz", "fritz/9/002/1700000300", false},
};

static void documents_are_those_of_the_reference_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(jobs); i++) {
        struct ta_cluster *cluster = recorded_cluster(jobs[i].cluster);
        struct ta_buf out;
        char path[128];

        snprintf(path, sizeof(path), "%s/meta.json", jobs[i].dir);
        struct ta_job job = recorded_meta(&arena, path);
        snprintf(path, sizeof(path), "%s/data.json", jobs[i].dir);
        struct ta_str want = recorded_file(&arena, path);
        assert_true(recorded_job_read(&recorded, RECORDED_LOADED, jobs[i].id));
        ta_buf_init(&out, &ta_heap, 1 << 20);

        assert_int_equal(write_document(&job, cluster, true, &ta_heap, NULL, &out, NULL), TA_OK);

        assert_int_equal(out.len, want.len);
        if (jobs[i].has_sums)
            assert_same_but_for_order(ta_buf_view(&out), want);
        else
            assert_memory_equal(out.at, want.at, want.len);
        ta_buf_done(&out);
        recorded_job_done(&recorded);
        ta_cluster_free(cluster);
    }
}

static void statistics_of_sums_enter_those_of_the_job(void **state)
{
    struct ta_cluster *cluster = recorded_cluster("fritz");
    struct ta_job job = recorded_meta(&arena, "fritz/5/002/1700000100/meta.json");
    const struct ta_cluster_metric **metrics = ta_metrics_by_name(cluster, &arena);
    struct ta_job_tally *tallies = ta_arena_get(&arena, cluster->n_metrics * sizeof(*tallies));
    struct ta_job_load load = {.source = &recorded.source,
                               .job = &job,
                               .metrics = metrics,
                               .n_metrics = cluster->n_metrics,
                               .rules = {8, true},
                               .alloc = &ta_heap};
    struct ta_document_writer w;
    struct ta_json_writer text[2];
    struct ta_buf_sink sink;
    struct ta_buf out, want, got;

    (void)state;
    ta_buf_init(&out, &ta_heap, 1 << 20);
    ta_buf_init(&want, &ta_heap, 1 << 20);
    ta_buf_init(&got, &ta_heap, 1 << 20);
    ta_json_writer_init(&text[0], &want);
    ta_json_writer_init(&text[1], &got);
    assert_true(ta_job_write_member(&text[0], &job, TA_JOB_STATISTICS) >= 0);
    assert_true(recorded_job_read(&recorded, RECORDED_LOADED, "5002"));
    ta_buf_sink_init(&sink, &out);
    ta_document_init(&w, &sink.sink, &ta_heap);
    assert_int_equal(ta_job_document_write(&load, &w, tallies, NULL), TA_OK);
    ta_document_done(&w);

    assert_int_equal(ta_job_set_figures(&job, metrics, tallies, cluster->n_metrics,
                                        &(struct ta_figure_rules){true}, &arena),
                     TA_OK);

    assert_true(ta_job_write_member(&text[1], &job, TA_JOB_STATISTICS) >= 0);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.at, want.at, want.len);
    ta_buf_done(&out);
    ta_buf_done(&want);
    ta_buf_done(&got);
    ta_cluster_free(cluster);
}

static void refused_memory_fails_the_document_and_leaves_nothing(void **state)
{
    struct ta_cluster *cluster = recorded_cluster("fritz");
    struct ta_job job = recorded_meta(&arena, "fritz/5/001/1700000000/meta.json");
    struct ta_buf out;

    (void)state;
    assert_true(recorded_job_read(&recorded, RECORDED_LOADED, "5001"));
    ta_buf_init(&out, &ta_heap, 1 << 20);
    for (struct fault f = {0}; fault_next(&f);) {
        ta_buf_reset(&out);
        fault_judge(&f, write_document(&job, cluster, true, &f.alloc, NULL, &out, NULL));
    }
    ta_buf_done(&out);
    ta_cluster_free(cluster);
}

static void a_sink_that_is_full_and_a_stop_end_it(void **state)
{
    struct ta_cluster *cluster = recorded_cluster("fritz");
    struct ta_job job = recorded_meta(&arena, "fritz/5/001/1700000000/meta.json");
    atomic_bool stop = true;
    struct ta_buf out;

    (void)state;
    assert_true(recorded_job_read(&recorded, RECORDED_LOADED, "5001"));
    ta_buf_init(&out, &ta_heap, 1000);
    assert_int_equal(write_document(&job, cluster, true, &ta_heap, NULL, &out, NULL), TA_ERANGE);
    assert_int_equal(write_document(&job, cluster, true, &ta_heap, &stop, &out, NULL),
                     TA_ECANCELED);
    ta_buf_done(&out);
    ta_cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(documents_are_those_of_the_reference_to_the_byte, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(statistics_of_sums_enter_those_of_the_job, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(refused_memory_fails_the_document_and_leaves_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sink_that_is_full_and_a_stop_end_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
