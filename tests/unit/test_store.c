/* The store by sentences: grids and buffers, selectors, freeing, the cap, health, debug text, walks. */
#include "fault.h"
#include "store/read.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { NOW = 1700000000, M60, M2, M5 };

static struct ta_store *new_store(struct ta_alloc *alloc, size_t cap_bytes, int64_t retention_s)
{
    static const struct ta_metric defs[] = {{TA_STR("load"), 60, TA_AGG_NONE},
                                            {TA_STR("m2"), 2, TA_AGG_SUM},
                                            {TA_STR("flops"), 5, TA_AGG_AVG}};
    struct ta_store_conf conf = {
        .alloc = alloc, .cap_bytes = cap_bytes, .retention_s = retention_s, .n_shards = 4};
    struct ta_store *s;

    assert_int_equal(ta_metrics_new(&conf.metrics, alloc, NULL, defs, 3, NULL), 0);
    assert_int_equal(ta_store_new(&s, &conf, NULL), 0);
    ta_metrics_unref(conf.metrics);
    return s;
}

static int put(struct ta_store *s, const char *host, int metric, const char *type,
               const char *stype, int64_t ts, double v)
{
    struct ta_column_key key = {(uint32_t)(metric - M60), ta_str(type), ta_str(stype)};
    struct ta_writer w;

    assert_int_equal(ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), NOW, NULL), 0);
    int64_t col = ta_writer_column(&w, &key);
    int r = col < 0 ? (int)col : ta_writer_append(&w, (uint32_t)col, ts, v);
    ta_writer_end(&w);
    return r;
}

static size_t buffers(struct ta_store *s, const char *host, int metric, const char *type,
                      struct ta_buffer_info *out)
{
    struct ta_column_key key = {(uint32_t)(metric - M60), ta_str(type), TA_STR("")};

    return ta_walk_buffers(s, TA_STR("c"), ta_str(host), &key, INT64_MIN, out, 16);
}

static struct ta_selection select_of(const char *host, int metric, const struct ta_sel *path,
                                     size_t n_path)
{
    return (struct ta_selection){TA_STR("c"), ta_str(host), path, n_path, (uint32_t)(metric - M60)};
}

/* ---- buffers ---------------------------------------------------------------------------------- */

static void the_first_sample_of_a_buffer_sets_its_phase(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_buffer_info b[16];

    (void)state;
    assert_int_equal(put(s, "h", M5, "", "", 1003, 1), 0);
    assert_int_equal(buffers(s, "h", M5, "", b), 1);
    assert_int_equal(b[0].start_s, 1001); /* 1003 - 5 / 2 */
    assert_int_equal(b[0].len, 1);
    assert_int_equal(b[0].capacity, 512);
    assert_int_equal(put(s, "h", M5, "", "", 1001 + 511 * 5 + 4, 2), 0);
    assert_int_equal(put(s, "h", M5, "", "", 1001 + 512 * 5, 3), 0);
    assert_int_equal(buffers(s, "h", M5, "", b), 2);
    assert_int_equal(b[0].len, 512);
    assert_int_equal(b[1].start_s, 1001 + 512 * 5 - 2);
    ta_store_free(s);
}

static void the_last_of_two_samples_in_a_slot_stays(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_selection sel = select_of("h", M60, NULL, 0);
    struct ta_span span;
    double v[4];

    (void)state;
    assert_int_equal(put(s, "h", M60, "", "", 1000, 1), 0);
    assert_int_equal(put(s, "h", M60, "", "", 1029, 2), 0);
    assert_int_equal(put(s, "h", M60, "", "", 1120, 3), 0);
    assert_int_equal(ta_read_span(s, &sel, 0, 5000, &span), 0);
    assert_int_equal(span.from_s, 1000);
    assert_int_equal(span.to_s, 1180);
    assert_int_equal(span.n_slots, 3);
    assert_int_equal(ta_read_sum(s, &sel, span.from_s, v, 4), 1);
    assert_true(v[0] == 2 && isnan(v[1]) && v[2] == 3 && isnan(v[3]));
    ta_store_free(s);
}

static void a_late_sample_goes_where_it_belongs_down_to_the_retention(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 3600);
    struct ta_buffer_info b[16];
    struct ta_store_counts c;

    (void)state;
    assert_int_equal(put(s, "h", M2, "", "", NOW - 1200, 1), 0);
    assert_int_equal(put(s, "h", M2, "", "", NOW, 2), 0); /* beyond 512 slots: a new buffer */
    assert_int_equal(buffers(s, "h", M2, "", b), 2);
    assert_int_equal(put(s, "h", M2, "", "", NOW - 1100, 3), 0);
    assert_int_equal(buffers(s, "h", M2, "", b), 2);
    assert_int_equal(b[0].len, 51);
    assert_int_equal(put(s, "h", M2, "", "", NOW - 100, 4), 0); /* between the two */
    assert_int_equal(buffers(s, "h", M2, "", b), 3);
    assert_int_equal(b[1].start_s, NOW - 101);
    assert_int_equal(b[1].capacity, 50); /* ends where the next begins */
    assert_int_equal(put(s, "h", M2, "", "", NOW - 3600, 5), 0);
    assert_int_equal(put(s, "h", M2, "", "", NOW - 3700, 5), TA_ERANGE);
    ta_store_counts(s, &c);
    assert_int_equal(c.refused_old, 1);
    assert_int_equal(c.stored, 5);
    assert_int_equal(c.stored_late, 3);
    ta_store_free(s);
}

static void one_sample_of_the_far_future_does_not_stop_the_others(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 3600);
    struct ta_selection sel = select_of("h", M60, NULL, 0);
    struct ta_span span;
    double v[2];

    (void)state;
    assert_int_equal(put(s, "h", M60, "", "", NOW, 1), 0);
    assert_int_equal(put(s, "h", M60, "", "", NOW + 10000000, 9), 0);
    assert_int_equal(put(s, "h", M60, "", "", NOW + 60, 2), 0);
    assert_int_equal(ta_read_span(s, &sel, NOW, NOW + 120, &span), 0);
    assert_int_equal(span.n_slots, 2);
    assert_int_equal(ta_read_sum(s, &sel, NOW, v, 2), 1);
    assert_true(v[0] == 1 && v[1] == 2);
    ta_store_free(s);
}

static void what_is_no_sample_is_refused(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_column_key key = {99, {0}, {0}};
    struct ta_writer w;

    (void)state;
    assert_int_equal(put(s, "h", M60, "", "", NOW, NAN), TA_EINVAL);
    assert_int_equal(put(s, "h", M60, "", "", INT64_MAX, 1), TA_EINVAL);
    assert_int_equal(put(s, "h", M60, "", "x", NOW, 1), TA_EINVAL);
    assert_int_equal(ta_writer_begin(&w, s, TA_STR(""), TA_STR("h"), NOW, NULL), TA_EINVAL);
    assert_int_equal(ta_writer_begin(&w, s, TA_STR("c"), TA_STR("h"), NOW, NULL), 0);
    assert_int_equal(ta_writer_column(&w, &key), TA_EINVAL);
    ta_writer_end(&w);
    assert_int_equal(ta_store_bytes(s), 0); /* nothing came of it */
    ta_store_free(s);
}

/* The recorded answers to the samples of the reference's log: k + 0.25 on the host, + 0.5 and so on below, two
 * seconds apart. (spec: vectors, query-response.json) */
static void the_recorded_answers_come_out(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_selection sel = select_of("n01", M2, NULL, 0);
    struct ta_sel path = {.name = TA_STR("socket0")};
    const int64_t n = 1795226830;
    struct ta_span span;
    double v[3];

    (void)state;
    for (int k = 0; k <= 4; k += 2) {
        assert_int_equal(put(s, "n01", M2, "", "", n + k, k + 0.25), 0);
        assert_int_equal(put(s, "n01", M2, "socket0", "", n + k, k + 1.5), 0);
    }
    assert_int_equal(ta_read_span(s, &sel, n - 10, n + 20, &span), 0);
    assert_int_equal(span.from_s, 1795226830);
    assert_int_equal(span.to_s, 1795226836);
    assert_int_equal(ta_read_sum(s, &sel, span.from_s, v, 3), 1);
    assert_true(v[0] == 0.25 && v[1] == 2.25 && v[2] == 4.25);
    sel = select_of("n01", M2, &path, 1);
    assert_int_equal(ta_read_sum(s, &sel, span.from_s, v, 3), 1);
    assert_true(v[0] == 1.5 && v[1] == 3.5 && v[2] == 5.5);
    ta_store_free(s);
}

/* ---- selectors -------------------------------------------------------------------------------- */

static void a_level_with_the_metric_hides_those_below(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_selection sel = select_of("h", M5, NULL, 0);
    double v;

    (void)state;
    (void)put(s, "h", M5, "socket0", "a", NOW, 1);
    (void)put(s, "h", M5, "socket0", "b", NOW, 2);
    (void)put(s, "h", M5, "socket1", "", NOW, 4);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 3);
    assert_true(v == 7);
    (void)put(s, "h", M5, "socket0", "", NOW, 8);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 2);
    assert_true(v == 12);
    (void)put(s, "h", M5, "", "", NOW, 16);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 1);
    assert_true(v == 16);
    ta_store_free(s);
}

static void a_missing_child_makes_its_slot_missing_and_never_fails(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_selection sel = select_of("h", M5, NULL, 0);
    struct ta_span span;
    double v[4];

    (void)state;
    for (int i = 0; i < 3; i++)
        (void)put(s, "h", M5, "core0", "", NOW + 5 * i, i);
    for (int i = 1; i < 4; i++)
        (void)put(s, "h", M5, "core1", "", NOW + 5 * i, 10 * i);
    assert_int_equal(ta_read_span(s, &sel, NOW - 100, NOW + 100, &span), 0);
    assert_int_equal(span.from_s, NOW);
    assert_int_equal(span.n_slots, 4);
    assert_int_equal(ta_read_sum(s, &sel, NOW, v, 4), 2);
    assert_true(isnan(v[0]) && v[1] == 11 && v[2] == 22 && isnan(v[3]));
    ta_store_free(s);
}

static void what_is_not_there_is_not_found_and_stays_away(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_sel path = {.name = TA_STR("")};
    struct ta_selection sel = select_of("h", M60, NULL, 0);
    struct ta_str ghost[] = {TA_STR("c"), TA_STR("ghost")};
    struct ta_read_stats stats;
    struct ta_span span;
    double v;

    (void)state;
    assert_int_equal(ta_read_span(s, &sel, 0, 10, &span), TA_ENOTFOUND);
    (void)put(s, "h", M60, "", "", NOW, 1);
    assert_int_equal(ta_read_span(s, &sel, NOW + 1, NOW, &span), TA_EINVAL);
    assert_int_equal(ta_read_span(s, &sel, NOW, NOW, &span), 0);
    assert_int_equal(span.n_slots, 0);
    sel.metric = 7;
    assert_int_equal(ta_read_span(s, &sel, 0, NOW, &span), TA_ENOTFOUND);
    assert_int_equal(ta_read_stats(s, &sel, 0, NOW, &stats), TA_ENOTFOUND);
    sel = select_of("h", M60, &path, 1);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 0);
    assert_true(isnan(v));
    assert_int_equal(ta_store_free_before(s, ghost, 2, NOW + 999), 0);
    assert_int_equal(ta_walk_find_host(s, ghost[0], ghost[1], NULL), 0);
    ta_store_free(s);
}

static void what_nobody_writes_any_more_becomes_one_run_a_series(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_column_key key = {1, TA_STR("r"), {0}};
    struct ta_restore *r;
    struct ta_store_counts c;
    double v[100] = {0};

    (void)state;
    for (int i = 0; i < 300; i++)
        (void)put(s, "h", M2, "", "", NOW + 2 * i, i);
    (void)put(s, "h", M2, "", "", NOW + 100, 7); /* late: over sealed slots */
    assert_int_equal(ta_restore_new(&r, s, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, NOW, 2, v, 100, NULL), 0);
    assert_int_equal(ta_restore_finish(r, NULL), 0);
    (void)put(s, "h", M2, "r", "", NOW + 100, 7); /* over a restored run */
    while (ta_store_keep(s, NOW + 600, 0, 1000000))
        ;
    ta_store_counts(s, &c);
    assert_true(c.bytes_open > 0); /* the buffer could still grow */
    assert_int_equal(c.merged_runs, 0);
    while (ta_store_keep(s, NOW + 2000, 0, 1))
        ;
    ta_store_counts(s, &c);
    assert_int_equal(c.bytes_open, 0);
    assert_int_equal(c.merged_runs, 1); /* the restored one was whole */
    struct ta_selection sel = select_of("h", M2, NULL, 0);
    double got[300];
    assert_int_equal(ta_read_sum(s, &sel, NOW, got, 300), 1);
    for (int i = 0; i < 300; i++)
        assert_true(got[i] == (i == 50 ? 7 : i));
    ta_store_free(s);
}

static void statistics_are_those_of_the_samples(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_selection sel = select_of("h", M2, NULL, 0);
    struct ta_read_stats st;

    (void)state;
    for (int i = 0; i < 2000; i++)
        if (i % 10)
            (void)put(s, "h", M2, "", "", NOW + 2 * i, i % 100);
    while (ta_store_keep(s, NOW + 10000, 0, 1000000))
        ;
    assert_int_equal(ta_read_stats(s, &sel, NOW, NOW + 4000, &st), 0);
    assert_int_equal(st.n_samples, 1800);
    assert_true(st.min == 1 && st.max == 99);
    assert_true(st.sum == 20 * (4950 - 450));
    assert_true(st.sum_of_means == 50);
    ta_store_free(s);
}

/* ---- freeing ---------------------------------------------------------------------------------- */

static void freeing_all_leaves_not_one_byte(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_store_counts c;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i % 3);
        (void)put(s, i % 2 ? "a" : "b", M2, type, "", NOW + i, i);
    }
    ta_store_counts(s, &c);
    assert_int_equal(c.hosts, 2);
    assert_int_equal(c.series, 6);
    /* The end is the last slot's centre and a period: it must lie before t. */
    assert_int_equal(ta_store_free_before(s, NULL, 0, NOW), 0);
    assert_int_equal(ta_store_free_before(s, NULL, 0, NOW + 100000), c.buffers);
    assert_int_equal(ta_store_bytes(s), 0);
    ta_store_counts(s, &c);
    assert_int_equal(c.hosts + c.series + c.groups + c.shapes, 0);
    ta_store_free(s);
}

static void a_buffer_is_freed_when_its_end_is_before_the_time(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);

    (void)state;
    (void)put(s, "h", M60, "", "", 1000, 1);
    (void)put(s, "h", M60, "", "", 1060, 1); /* end = 1000 + 2 * 60 */
    assert_int_equal(ta_store_free_before(s, NULL, 0, 1120), 0);
    assert_int_equal(ta_store_free_before(s, NULL, 0, 1121), 1);
    ta_store_free(s);
}

static void hosts_with_jobs_are_kept_by_retention(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_node used = {TA_STR("c"), TA_STR("busy")};

    (void)state;
    (void)put(s, "busy", M60, "", "", 1000, 1);
    (void)put(s, "idle", M60, "", "", 1000, 1);
    assert_int_equal(ta_store_retain(s, NOW, &used, 1, NULL), 1);
    assert_int_equal(ta_walk_find_host(s, TA_STR("c"), TA_STR("busy"), NULL), 1);
    assert_int_equal(ta_walk_find_host(s, TA_STR("c"), TA_STR("idle"), NULL), 0);
    assert_int_equal(ta_store_retain(s, NOW, NULL, 0, NULL), 1);
    assert_int_equal(ta_store_bytes(s), 0);
    ta_store_free(s);
}

static void at_the_cap_the_oldest_goes_and_protected_hosts_last(void **state)
{
    const size_t cap = 512 * KiB;
    struct ta_store *s = new_store(&ta_heap, cap, 0);
    struct ta_node used = {TA_STR("c"), TA_STR("busy")};
    struct ta_store_counts c;
    struct ta_buffer_info b[16];
    uint64_t random = 1;

    (void)state;
    (void)put(s, "busy", M60, "", "", NOW - 1000000, 1);
    assert_int_equal(ta_store_retain(s, 0, &used, 1, NULL), 0);
    for (int i = 0; i < 10 * (int)(cap / 8); i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i % 16);
        random = random * 6364136223846793005 + 1442695040888963407;
        /* Full doubles: nothing to compress. */
        assert_int_equal(put(s, i % 32 < 16 ? "a" : "b", M2, type, "", NOW + i / 32 * 2,
                             (double)(random >> 11) / 3e9),
                         0);
    }
    ta_store_counts(s, &c);
    assert_true(c.bytes_peak <= cap && c.bytes > cap / 4);
    assert_true(c.freed_early_buffers > 0);
    assert_int_equal(c.refused_memory, 0);
    assert_int_equal(buffers(s, "busy", M60, "", b), 1);
    (void)ta_store_shrink(s, 0);
    assert_int_equal(ta_store_bytes(s), 0);
    ta_store_free(s);
}

/* ---- columns and memory ----------------------------------------------------------------------- */

static void a_host_with_too_many_series_is_told_so_and_harms_no_other(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_store_counts c;
    int refused = 0;

    (void)state;
    (void)put(s, "good", M2, "core0", "", NOW, 1);
    for (int i = 0; i < TA_HOST_COLUMNS_MAX + 100; i++) {
        char type[32];

        (void)snprintf(type, sizeof(type), "job%d", i);
        refused += put(s, "bad", M2, type, "", NOW, i) == TA_ERANGE;
    }
    ta_store_counts(s, &c);
    assert_int_equal(refused, 100);
    assert_int_equal(c.refused_columns, 100);
    assert_int_equal(c.shapes, 2);
    assert_int_equal(c.series, TA_HOST_COLUMNS_MAX + 1);
    assert_int_equal(put(s, "good", M2, "core1", "", NOW, 1), 0);
    ta_store_free(s);
}

static void columns_of_jobs_long_gone_are_given_up(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    size_t most = 0, at_end;

    (void)state;
    for (int day = 0; day < 60; day++) {
        int64_t ts = NOW + day * 86400;

        for (int job = 0; job < 40; job++) {
            char stype[32];

            (void)snprintf(stype, sizeof(stype), "job%d", day * 40 + job);
            assert_int_equal(put(s, "a", M2, "node", stype, ts, 1), 0);
        }
        (void)put(s, "a", M60, "", "", ts, day);
        (void)put(s, "b", M60, "", "", ts, day);
        (void)ta_store_free_before(s, NULL, 0, ts - 86400 * 2);
        while (ta_store_keep(s, ts, 600, 1000000))
            ;
        most = ta_store_bytes(s) > most ? ta_store_bytes(s) : most;
        if (day == 10)
            most = 0;
    }
    at_end = ta_store_bytes(s);
    assert_true(most < 100 * KiB && at_end <= most); /* 2400 columns would be 250 KB */
    struct ta_selection sel = select_of("a", M60, NULL, 0);
    double v;
    assert_int_equal(ta_read_sum(s, &sel, NOW + 59 * 86400, &v, 1), 1);
    assert_true(v == 59);
    ta_store_free(s);
}

static void a_few_samples_cost_a_few_bytes(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);

    (void)state;
    for (int i = 0; i < 600; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)put(s, "h", M2, type, "", NOW, i);
    }
    assert_true(ta_store_bytes(s) <= 600 * 200); /* its shape, of one host alone, included */
    ta_store_free(s);
    s = new_store(&ta_heap, 0, 0);
    for (int i = 0; i < 1000; i++) {
        char host[16];

        (void)snprintf(host, sizeof(host), "node%d", i);
        (void)put(s, host, M60, "", "", NOW + i, i);
    }
    assert_true(ta_store_bytes(s) <= 1000 * 640); /* hosts of a single series */
    ta_store_free(s);
}

static void samples_of_a_row_allocate_nothing(void **state)
{
    struct fault count = {0};

    (void)state;
    fault_count_only(&count);
    struct ta_store *s = new_store(&count.alloc, 0, 0);
    for (int i = 0; i < 100; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)put(s, "h", M2, type, "", NOW, i);
    }
    size_t before = count.calls;
    for (int i = 0; i < 100; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)put(s, "h", M2, type, "", NOW + 2, i);
    }
    assert_true(count.calls - before <= 3); /* the row; its frame cut to size */
    ta_store_free(s);
    assert_int_equal(count.live, 0);
}

static void a_reload_adds_metrics_and_keeps_the_ids(void **state)
{
    static const struct ta_metric defs[] = {{TA_STR("zeta"), 10, TA_AGG_SUM},
                                            {TA_STR("m2"), 99, TA_AGG_AVG}};
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_metrics *old = ta_store_metrics(s), *now, *other;

    (void)state;
    (void)put(s, "h", M2, "", "", NOW, 1);
    assert_int_equal(ta_metrics_new(&now, &ta_heap, old, defs, 2, NULL), 0);
    assert_int_equal(ta_metrics_new(&other, &ta_heap, NULL, defs, 2, NULL), 0);
    assert_int_equal(ta_store_set_metrics(s, other, NULL), TA_EINVAL);
    assert_int_equal(ta_store_set_metrics(s, now, NULL), 0);
    assert_int_equal(ta_metrics_count(now), 4);
    assert_int_equal(ta_metrics_find(now, TA_STR("zeta")), 3);
    assert_int_equal(ta_metrics_at(now, 1)->freq_s, 2);
    assert_int_equal(put(s, "h", M60 + 3, "", "", NOW, 1), 0);
    ta_metrics_unref(old);
    ta_metrics_unref(now);
    ta_metrics_unref(other);
    ta_store_free(s);
}

static void a_metric_table_refuses_what_makes_no_sense(void **state)
{
    static const struct ta_metric twice[] = {{TA_STR("a"), 1, TA_AGG_SUM},
                                             {TA_STR("a"), 1, TA_AGG_SUM}};
    static const struct ta_metric zero = {TA_STR("a"), 0, TA_AGG_SUM};
    static const struct ta_metric nameless = {{0}, 1, TA_AGG_SUM};
    struct ta_metrics *t;

    (void)state;
    assert_int_equal(ta_metrics_new(&t, &ta_heap, NULL, twice, 2, NULL), TA_EEXIST);
    assert_int_equal(ta_metrics_new(&t, &ta_heap, NULL, &zero, 1, NULL), TA_EINVAL);
    assert_int_equal(ta_metrics_new(&t, &ta_heap, NULL, &nameless, 1, NULL), TA_EINVAL);
    assert_int_equal(ta_metrics_new(&t, &ta_heap, NULL, NULL, 0, NULL), 0);
    assert_int_equal(ta_metrics_find(t, TA_STR("a")), TA_ENOTFOUND);
    ta_metrics_unref(t);
}

/* ---- health, debug text, walks ------------------------------------------------------------------ */

static void health_tells_fresh_stale_and_missing(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    const uint32_t ids[] = {0, 1, 2, TA_METRIC_UNKNOWN};
    enum ta_health h[4];

    (void)state;
    (void)put(s, "h", M60, "", "", NOW, 1);           /* end of its buffer: NOW + 30 */
    (void)put(s, "h", M2, "core0", "", NOW + 320, 1); /* NOW + 321 */
    (void)put(s, "h", M2, "core1", "", NOW, 1);       /* one stale series spoils the metric */
    assert_int_equal(ta_read_health(s, TA_STR("c"), TA_STR("h"), NOW + 330, ids, 4, h), 0);
    assert_int_equal(h[0], TA_HEALTH_OK); /* 300 s back: five slots */
    assert_int_equal(h[1], TA_HEALTH_DEGRADED);
    assert_int_equal(h[2], TA_HEALTH_MISSING);
    assert_int_equal(h[3], TA_HEALTH_MISSING);
    assert_int_equal(ta_read_health(s, TA_STR("c"), TA_STR("h"), NOW + 331, ids, 1, h), 0);
    assert_int_equal(h[0], TA_HEALTH_DEGRADED);
    assert_int_equal(ta_read_health(s, TA_STR("c"), TA_STR("x"), NOW, ids, 4, h), TA_ENOTFOUND);
    ta_store_free(s);
}

static void dump_is(struct ta_store *s, const struct ta_str *path, size_t n_path, const char *want)
{
    struct ta_dump *d;
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, MiB);
    assert_int_equal(ta_dump_new(&d, s, &ta_heap, path, n_path, NULL), 0);
    for (size_t at = 1; ta_dump_fill(d, &text, at) > 0; at += 7)
        ;
    assert_int_equal(ta_buf_byte(&text, '\0'), 0);
    assert_string_equal(text.at, want);
    ta_dump_free(d);
    ta_buf_done(&text);
}

static void the_debug_text_lists_levels_in_order_with_their_buffers(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_str path[] = {TA_STR("c"), TA_STR("b"), TA_STR("core0"), TA_STR("x")};
    struct ta_dump *d;

    (void)state;
    (void)put(s, "b", M60, "", "", 1030, 1);
    (void)put(s, "b", M5, "", "", 1002, 1);
    (void)put(s, "b", M5, "core0", "x", 1002, 1);
    (void)put(s, "b", M5, "core0", "", 1002, 1);
    (void)put(s, "b", M5, "core1", "y", 1002, 1);
    (void)put(s, "a", M2, "", "", 1001, 1);
    (void)put(s, "a", M2, "", "", 1001 + 2 * 512, 1);
    dump_is(s, NULL, 0,
            "{\"data\":{\n"
            "\t\"c\":{\n"
            "\t\t\"a\":{\n"
            "\t\t\t\"m2\":[{\"start\":1000,\"len\":1,\"end\":1002},"
            "{\"start\":2024,\"len\":1,\"end\":2026}],\n"
            "\t\t},\n"
            "\t\t\"b\":{\n"
            "\t\t\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t\t\t\"load\":[{\"start\":1000,\"len\":1,\"end\":1060}],\n"
            "\t\t\t\"core0\":{\n"
            "\t\t\t\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t\t\t\t\"x\":{\n"
            "\t\t\t\t\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t\t\t\t},\n"
            "\t\t\t},\n"
            "\t\t\t\"core1\":{\n"
            "\t\t\t\t\"y\":{\n"
            "\t\t\t\t\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t\t\t\t},\n"
            "\t\t\t},\n"
            "\t\t},\n"
            "\t},\n"
            "}}\n");
    dump_is(s, path, 3,
            "{\"data\":{\n"
            "\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t\"x\":{\n"
            "\t\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n"
            "\t},\n"
            "}}\n");
    dump_is(s, path, 4,
            "{\"data\":{\n\t\"flops\":[{\"start\":1000,\"len\":1,\"end\":1005}],\n}}\n");
    path[3] = TA_STR("z");
    assert_int_equal(ta_dump_new(&d, s, &ta_heap, path, 4, NULL), TA_ENOTFOUND);
    path[1] = TA_STR("z");
    assert_int_equal(ta_dump_new(&d, s, &ta_heap, path, 2, NULL), TA_ENOTFOUND);
    ta_store_free(s);
}

static void hosts_are_walked_in_order_whatever_their_shard(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_host_name names[7], last;
    struct ta_name clusters[2];
    char want[8], got[8];
    size_t n, total = 0;

    (void)state;
    for (int i = 0; i < 50; i++) {
        char host[8];

        (void)snprintf(host, sizeof(host), "n%02d", i * 17 % 50);
        (void)put(s, host, M60, "", "", NOW, 1);
    }
    while ((n = ta_walk_hosts(s, TA_STR("c"), total ? &last : NULL, names, 7))) {
        for (size_t i = 0; i < n; i++, total++) {
            (void)snprintf(want, sizeof(want), "n%02zu", total);
            (void)snprintf(got, sizeof(got), "%.*s", TA_STR_FMT(ta_name_str(&names[i].host)));
            assert_string_equal(got, want);
        }
        last = names[n - 1];
    }
    assert_int_equal(total, 50);
    assert_int_equal(ta_walk_hosts(s, TA_STR("b"), NULL, names, 7), 0);
    assert_int_equal(ta_walk_clusters(s, NULL, clusters, 2), 1);
    assert_int_equal(ta_walk_clusters(s, clusters, clusters + 1, 1), 0);
    ta_store_free(s);
}

static void a_cut_tells_what_was_touched_since_the_last(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_host_cut cut, none;

    (void)state;
    (void)put(s, "h", M2, "", "", NOW, 1);
    (void)put(s, "h", M2, "", "", NOW + 2, 1);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &cut), 0);
    assert_true(cut.is_changed && cut.touched_from_s == NOW);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &none), 0);
    assert_false(none.is_changed);
    (void)put(s, "h", M2, "", "", NOW + 2, 5); /* the row was known: it must count all the same */
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &none), 0);
    assert_true(none.is_changed && none.touched_from_s == NOW + 2);
    ta_walk_uncut(s, TA_STR("c"), TA_STR("h"), &cut);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &none), 0);
    assert_true(none.is_changed && none.touched_from_s == NOW);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("x"), &cut), TA_ENOTFOUND);
    ta_store_free(s);
}

static void a_restored_array_is_read_where_it_was(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 3600);
    struct ta_column_key key = {1, TA_STR("socket0"), {0}};
    struct ta_sel path = {.name = TA_STR("socket0")};
    struct ta_selection sel = select_of("h", M2, &path, 1);
    struct ta_buffer_info b[16];
    struct ta_restore *r;
    struct ta_host_cut cut;
    struct ta_span span;
    double v[600], got[601];

    (void)state;
    for (int i = 0; i < 600; i++)
        v[i] = i % 7 ? i * 0.1 : NAN;
    assert_int_equal(ta_restore_new(&r, s, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, 1000, 2, v, 600, NULL), 0);
    assert_int_equal(ta_restore_finish(r, NULL), 0);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &cut), 0);
    assert_false(cut.is_changed);
    assert_int_equal(buffers(s, "h", M2, "socket0", b), 2);
    assert_true(b[0].is_restored && b[0].len == 512 && b[0].capacity == 512);
    assert_true(b[1].is_restored && b[1].len == 88 && b[1].start_s == 1000 + 1024);
    assert_int_equal(put(s, "h", M2, "socket0", "", 1001 + 1200, 77), 0); /* the next sample */
    assert_int_equal(ta_read_span(s, &sel, 0, 10000, &span), 0);
    assert_int_equal(span.from_s, 1001);
    assert_int_equal(span.n_slots, 601);
    assert_int_equal(ta_read_sum(s, &sel, 1001, got, 601), 1);
    for (int i = 0; i < 600; i++)
        assert_true(got[i] == v[i] || (isnan(got[i]) && isnan(v[i])));
    assert_true(got[600] == 77);
    ta_store_free(s);
}

static void an_array_of_another_frequency_is_put_on_the_metrics_grid(void **state)
{
    struct ta_store *s = new_store(&ta_heap, 0, 0);
    struct ta_column_key key = {0, {0}, {0}};
    struct ta_selection sel = select_of("h", M60, NULL, 0);
    static const double v[] = {1, 2, 3, 4, 5, 6};
    struct ta_restore *r;
    struct ta_span span;
    double got[3];

    (void)state;
    assert_int_equal(ta_restore_new(&r, s, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, 985, 30, v, 6, NULL), 0);
    assert_int_equal(ta_restore_finish(r, NULL), 0);
    assert_int_equal(ta_read_span(s, &sel, 0, 10000, &span), 0);
    assert_int_equal(span.freq_s, 60);
    assert_int_equal(span.from_s, 1000);
    assert_int_equal(ta_read_sum(s, &sel, 1000, got, 3), 1);
    assert_true(got[0] == 1 && got[1] == 3 && got[2] == 5);
    ta_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sample_of_a_buffer_sets_its_phase),
        cmocka_unit_test(the_last_of_two_samples_in_a_slot_stays),
        cmocka_unit_test(a_late_sample_goes_where_it_belongs_down_to_the_retention),
        cmocka_unit_test(one_sample_of_the_far_future_does_not_stop_the_others),
        cmocka_unit_test(what_is_no_sample_is_refused),
        cmocka_unit_test(the_recorded_answers_come_out),
        cmocka_unit_test(a_level_with_the_metric_hides_those_below),
        cmocka_unit_test(a_missing_child_makes_its_slot_missing_and_never_fails),
        cmocka_unit_test(what_is_not_there_is_not_found_and_stays_away),
        cmocka_unit_test(what_nobody_writes_any_more_becomes_one_run_a_series),
        cmocka_unit_test(statistics_are_those_of_the_samples),
        cmocka_unit_test(freeing_all_leaves_not_one_byte),
        cmocka_unit_test(a_buffer_is_freed_when_its_end_is_before_the_time),
        cmocka_unit_test(hosts_with_jobs_are_kept_by_retention),
        cmocka_unit_test(at_the_cap_the_oldest_goes_and_protected_hosts_last),
        cmocka_unit_test(a_host_with_too_many_series_is_told_so_and_harms_no_other),
        cmocka_unit_test(columns_of_jobs_long_gone_are_given_up),
        cmocka_unit_test(a_few_samples_cost_a_few_bytes),
        cmocka_unit_test(samples_of_a_row_allocate_nothing),
        cmocka_unit_test(a_reload_adds_metrics_and_keeps_the_ids),
        cmocka_unit_test(a_metric_table_refuses_what_makes_no_sense),
        cmocka_unit_test(health_tells_fresh_stale_and_missing),
        cmocka_unit_test(the_debug_text_lists_levels_in_order_with_their_buffers),
        cmocka_unit_test(hosts_are_walked_in_order_whatever_their_shard),
        cmocka_unit_test(a_cut_tells_what_was_touched_since_the_last),
        cmocka_unit_test(a_restored_array_is_read_where_it_was),
        cmocka_unit_test(an_array_of_another_frequency_is_put_on_the_metrics_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
