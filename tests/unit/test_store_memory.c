/* test_store_memory.c - what is freed, when, and what samples and series cost. */
#include "fault.h"
#include "small_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void freeing_all_leaves_not_one_byte(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_store_counts c;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i % 3);
        (void)small_put(s, i % 2 ? "a" : "b", M2, type, "", NOW + i, i);
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);

    (void)state;
    (void)small_put(s, "h", M60, "", "", 1000, 1);
    (void)small_put(s, "h", M60, "", "", 1060, 1); /* end = 1000 + 2 * 60 */
    assert_int_equal(ta_store_free_before(s, NULL, 0, 1120), 0);
    assert_int_equal(ta_store_free_before(s, NULL, 0, 1121), 1);
    ta_store_free(s);
}

static void hosts_with_jobs_are_kept_by_retention(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_node used = {TA_STR("c"), TA_STR("busy")};

    (void)state;
    (void)small_put(s, "busy", M60, "", "", 1000, 1);
    (void)small_put(s, "idle", M60, "", "", 1000, 1);
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
    struct ta_store *s = small_store(&ta_heap, cap, 0);
    struct ta_node used = {TA_STR("c"), TA_STR("busy")};
    struct ta_store_counts c;
    struct ta_buffer_info b[16];
    uint64_t random = 1;

    (void)state;
    (void)small_put(s, "busy", M60, "", "", NOW - 1000000, 1);
    assert_int_equal(ta_store_retain(s, 0, &used, 1, NULL), 0);
    for (int i = 0; i < 10 * (int)(cap / 8); i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i % 16);
        random = random * 6364136223846793005 + 1442695040888963407;
        /* Full doubles: nothing to compress. */
        assert_int_equal(small_put(s, i % 32 < 16 ? "a" : "b", M2, type, "", NOW + i / 32 * 2,
                                   (double)(random >> 11) / 3e9),
                         0);
    }
    ta_store_counts(s, &c);
    assert_true(c.bytes_peak <= cap && c.bytes > cap / 4);
    assert_true(c.freed_early_buffers > 0);
    assert_int_equal(c.refused_memory, 0);
    assert_int_equal(small_buffers(s, "busy", M60, "", b), 1);
    (void)ta_store_shrink(s, 0);
    assert_int_equal(ta_store_bytes(s), 0);
    ta_store_free(s);
}

/* ---- columns and memory ----------------------------------------------------------------------- */

static void a_flood_of_new_series_does_not_push_out_who_sends_regularly(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 1024 * KiB, 0);
    struct ta_store_counts c;
    struct ta_buffer_info b[16];

    (void)state;
    for (int minute = 0; minute < 40; minute++) {
        for (int i = 0; i < 8; i++) {
            char type[16];

            (void)snprintf(type, sizeof(type), "core%d", i);
            assert_int_equal(small_put(s, "good", M60, type, "", NOW + minute * 60, i), 0);
        }
        for (int i = 0; i < 500; i++) {
            char host[32];

            (void)snprintf(host, sizeof(host), "flood%d-%d", minute, i);
            assert_int_equal(small_put(s, host, M60, "", "", NOW + minute * 60, 1), 0);
        }
        if (minute > 0) {
            assert_int_equal(small_buffers(s, "good", M60, "core7", b), 1);
            assert_int_equal(b[0].len, minute + 1);
        }
    }
    ta_store_counts(s, &c);
    assert_true(c.freed_early_buffers > 10000 && c.bytes_peak <= c.bytes_cap);
    assert_int_equal(c.refused_memory, 0);
    ta_store_free(s);
}

static void quick_counts_are_those_of_the_last_visit_and_never_touch_a_host(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_store_counts all, quick;

    (void)state;
    for (int i = 0; i < 600; i++) {
        char host[16];

        (void)snprintf(host, sizeof(host), "h%d", i);
        assert_int_equal(small_put(s, host, M60, "", "", NOW, 1), 0);
        ta_store_counts_quick(s, &quick);
        assert_int_equal(quick.hosts, i + 1);
        assert_int_equal(quick.series, i + 1);
        assert_int_equal(quick.buffers, i < 500 ? i + 1 : 500); /* small stores are visited */
    }
    ta_store_counts(s, &all);
    ta_store_counts_quick(s, &quick);
    assert_memory_equal(&all, &quick, sizeof(all));
    (void)ta_store_shrink(s, 0);
    ta_store_counts_quick(s, &quick);
    assert_int_equal(quick.series, 0);
    ta_store_free(s);
}

static void a_host_with_too_many_series_is_told_so_and_harms_no_other(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_store_counts c;
    int refused = 0;

    (void)state;
    (void)small_put(s, "good", M2, "core0", "", NOW, 1);
    for (int i = 0; i < TA_HOST_COLUMNS_MAX + 100; i++) {
        char type[32];

        (void)snprintf(type, sizeof(type), "job%d", i);
        refused += small_put(s, "bad", M2, type, "", NOW, i) == TA_ERANGE;
    }
    ta_store_counts(s, &c);
    assert_int_equal(refused, 100);
    assert_int_equal(c.refused_columns, 100);
    assert_int_equal(c.shapes, 2);
    assert_int_equal(c.series, TA_HOST_COLUMNS_MAX + 1);
    assert_int_equal(small_put(s, "good", M2, "core1", "", NOW, 1), 0);
    ta_store_free(s);
}

static void columns_of_jobs_long_gone_are_given_up(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    size_t most = 0, at_end;

    (void)state;
    for (int day = 0; day < 60; day++) {
        int64_t ts = NOW + day * 86400;

        for (int job = 0; job < 40; job++) {
            char stype[32];

            (void)snprintf(stype, sizeof(stype), "job%d", day * 40 + job);
            assert_int_equal(small_put(s, "a", M2, "node", stype, ts, 1), 0);
        }
        (void)small_put(s, "a", M60, "", "", ts, day);
        (void)small_put(s, "b", M60, "", "", ts, day);
        (void)ta_store_free_before(s, NULL, 0, ts - 86400 * 2);
        while (ta_store_keep(s, ts, 600, 1000000))
            ;
        most = ta_store_bytes(s) > most ? ta_store_bytes(s) : most;
        if (day == 10)
            most = 0;
    }
    at_end = ta_store_bytes(s);
    assert_true(most < 100 * KiB && at_end <= most); /* 2400 columns would be 250 KB */
    struct ta_selection sel = small_select("a", M60, NULL, 0);
    double v;
    assert_int_equal(ta_read_sum(s, &sel, NOW + 59 * 86400, &v, 1), 1);
    assert_true(v == 59);
    ta_store_free(s);
}

static void a_few_samples_cost_a_few_bytes(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);

    (void)state;
    for (int i = 0; i < 600; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)small_put(s, "h", M2, type, "", NOW, i);
    }
    assert_true(ta_store_bytes(s) <= 600 * 200); /* its shape, of one host alone, included */
    ta_store_free(s);
    s = small_store(&ta_heap, 0, 0);
    for (int i = 0; i < 1000; i++) {
        char host[16];

        (void)snprintf(host, sizeof(host), "node%d", i);
        (void)small_put(s, host, M60, "", "", NOW + i, i);
    }
    assert_true(ta_store_bytes(s) <= 1000 * 640); /* hosts of a single series */
    ta_store_free(s);
}

enum { SERIES = 90, SLOTS = 300 };

static double backfilled(int series, int slot)
{
    return series % 3 ? series + 0.25 * (slot % 50) : (slot + 1) / 7.0 * (series + 1);
}

static void put_at(struct ta_store *s, int series, int slot, double v)
{
    char type[16];

    (void)snprintf(type, sizeof(type), "core%d", series);
    assert_int_equal(small_put(s, "h", M2, type, "", NOW + 2 * slot, v), 0);
}

static void check_series(struct ta_store *s, int series, double plus)
{
    struct ta_column_key key = {M2 - M60, {0}, {0}};
    double v[SLOTS];
    char type[16];
    struct ta_buffer_info info;

    (void)snprintf(type, sizeof(type), "core%d", series);
    key.type = ta_str(type);
    assert_int_equal(ta_walk_buffers(s, TA_STR("c"), TA_STR("h"), &key, INT64_MIN, &info, 1), 1);
    assert_int_equal(ta_walk_slots(s, TA_STR("c"), TA_STR("h"), &key, info.start_s, 0, v, SLOTS),
                     SLOTS);
    for (int slot = 0; slot < SLOTS; slot++)
        assert_true(v[slot] == backfilled(series, slot) + plus);
}

/* From the first or the last series on, each from its beginning to its end; all cells by one more than before. */
static void series_after_series(struct ta_store *s, bool is_down, double plus)
{
    for (int i = 0; i < SERIES; i++)
        for (int slot = 0; slot < SLOTS; slot++) {
            int series = is_down ? SERIES - 1 - i : i;
            put_at(s, series, slot, backfilled(series, slot) + plus);
        }
    for (int series = 0; series < SERIES; series++)
        check_series(s, series, plus);
}

/* The same cells row after row: the bytes of a store that holds them, sealed as far as writing does it or kept. */
static uint64_t row_after_row(double plus, bool is_kept)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    uint64_t bytes;

    for (int slot = 0; slot < SLOTS; slot++)
        for (int series = 0; series < SERIES; series++)
            put_at(s, series, slot, backfilled(series, slot) + plus);
    while (is_kept && ta_store_keep(s, NOW + 100000, 600, 1000000))
        ;
    bytes = ta_store_bytes(s);
    ta_store_free(s);
    return bytes;
}

static void series_one_after_the_other_are_kept_as_compactly_as_row_after_row(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_store_counts c;

    (void)state;
    series_after_series(s, false, 0);
    ta_store_counts(s, &c);
    assert_int_equal(c.groups, 1);
    assert_true(c.bytes_peak <= row_after_row(0, false) * 11 / 10);
    series_after_series(s, true, 1); /* late by now: over what is sealed, and the other way round */
    series_after_series(s, false, 2);
    while (ta_store_keep(s, NOW + 100000, 600, 1000000))
        ;
    for (int series = 0; series < SERIES; series++)
        check_series(s, series, 2);
    assert_true(ta_store_bytes(s) <= row_after_row(2, true) * 11 / 10);
    ta_store_free(s);
}

static void samples_of_a_row_allocate_nothing(void **state)
{
    struct fault count = {0};

    (void)state;
    fault_count_only(&count);
    struct ta_store *s = small_store(&count.alloc, 0, 0);
    for (int i = 0; i < 100; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)small_put(s, "h", M2, type, "", NOW, i);
    }
    size_t before = count.calls;
    for (int i = 0; i < 100; i++) {
        char type[16];

        (void)snprintf(type, sizeof(type), "core%d", i);
        (void)small_put(s, "h", M2, type, "", NOW + 2, i);
    }
    assert_true(count.calls - before <= 3); /* the row; its frame cut to size */
    ta_store_free(s);
    assert_int_equal(count.live, 0);
}

static void a_reload_adds_metrics_and_keeps_the_ids(void **state)
{
    static const struct ta_metric defs[] = {{TA_STR("zeta"), 10, TA_AGG_SUM},
                                            {TA_STR("m2"), 99, TA_AGG_AVG}};
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_metrics *old = ta_store_metrics(s), *now, *other;

    (void)state;
    (void)small_put(s, "h", M2, "", "", NOW, 1);
    assert_int_equal(ta_metrics_new(&now, &ta_heap, old, defs, 2, NULL), 0);
    assert_int_equal(ta_metrics_new(&other, &ta_heap, NULL, defs, 2, NULL), 0);
    assert_int_equal(ta_store_set_metrics(s, other, NULL), TA_EINVAL);
    assert_int_equal(ta_store_set_metrics(s, now, NULL), 0);
    assert_int_equal(ta_metrics_count(now), 4);
    assert_int_equal(ta_metrics_find(now, TA_STR("zeta")), 3);
    assert_int_equal(ta_metrics_at(now, 1)->freq_s, 2);
    assert_int_equal(small_put(s, "h", M60 + 3, "", "", NOW, 1), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_all_leaves_not_one_byte),
        cmocka_unit_test(a_buffer_is_freed_when_its_end_is_before_the_time),
        cmocka_unit_test(hosts_with_jobs_are_kept_by_retention),
        cmocka_unit_test(at_the_cap_the_oldest_goes_and_protected_hosts_last),
        cmocka_unit_test(a_flood_of_new_series_does_not_push_out_who_sends_regularly),
        cmocka_unit_test(quick_counts_are_those_of_the_last_visit_and_never_touch_a_host),
        cmocka_unit_test(a_host_with_too_many_series_is_told_so_and_harms_no_other),
        cmocka_unit_test(columns_of_jobs_long_gone_are_given_up),
        cmocka_unit_test(a_few_samples_cost_a_few_bytes),
        cmocka_unit_test(series_one_after_the_other_are_kept_as_compactly_as_row_after_row),
        cmocka_unit_test(samples_of_a_row_allocate_nothing),
        cmocka_unit_test(a_reload_adds_metrics_and_keeps_the_ids),
        cmocka_unit_test(a_metric_table_refuses_what_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
