/* test_store.c - samples into buffers, and out again by selectors. */
#include "small_store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_first_sample_of_a_buffer_sets_its_phase(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_buffer_info b[16];

    (void)state;
    assert_int_equal(small_put(s, "h", M5, "", "", 1003, 1), 0);
    assert_int_equal(small_buffers(s, "h", M5, "", b), 1);
    assert_int_equal(b[0].start_s, 1001); /* 1003 - 5 / 2 */
    assert_int_equal(b[0].len, 1);
    assert_int_equal(b[0].capacity, 512);
    assert_int_equal(small_put(s, "h", M5, "", "", 1001 + 511 * 5 + 4, 2), 0);
    assert_int_equal(small_put(s, "h", M5, "", "", 1001 + 512 * 5, 3), 0);
    assert_int_equal(small_buffers(s, "h", M5, "", b), 2);
    assert_int_equal(b[0].len, 512);
    assert_int_equal(b[1].start_s, 1001 + 512 * 5 - 2);
    ta_store_free(s);
}

static void the_last_of_two_samples_in_a_slot_stays(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_selection sel = small_select("h", M60, NULL, 0);
    struct ta_span span;
    double v[4];

    (void)state;
    assert_int_equal(small_put(s, "h", M60, "", "", 1000, 1), 0);
    assert_int_equal(small_put(s, "h", M60, "", "", 1029, 2), 0);
    assert_int_equal(small_put(s, "h", M60, "", "", 1120, 3), 0);
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
    struct ta_store *s = small_store(&ta_heap, 0, 3600);
    struct ta_buffer_info b[16];
    struct ta_store_counts c;

    (void)state;
    assert_int_equal(small_put(s, "h", M2, "", "", NOW - 1200, 1), 0);
    assert_int_equal(small_put(s, "h", M2, "", "", NOW, 2), 0); /* beyond 512 slots: a new buffer */
    assert_int_equal(small_buffers(s, "h", M2, "", b), 2);
    assert_int_equal(small_put(s, "h", M2, "", "", NOW - 1100, 3), 0);
    assert_int_equal(small_buffers(s, "h", M2, "", b), 2);
    assert_int_equal(b[0].len, 51);
    assert_int_equal(small_put(s, "h", M2, "", "", NOW - 100, 4), 0); /* between the two */
    assert_int_equal(small_buffers(s, "h", M2, "", b), 3);
    assert_int_equal(b[1].start_s, NOW - 101);
    assert_int_equal(b[1].capacity, 50); /* ends where the next begins */
    assert_int_equal(small_put(s, "h", M2, "", "", NOW - 3600, 5), 0);
    assert_int_equal(small_put(s, "h", M2, "", "", NOW - 3700, 5), TA_ERANGE);
    ta_store_counts(s, &c);
    assert_int_equal(c.refused_old, 1);
    assert_int_equal(c.stored, 5);
    assert_int_equal(c.stored_late, 3);
    ta_store_free(s);
}

static void one_sample_of_the_far_future_does_not_stop_the_others(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 3600);
    struct ta_selection sel = small_select("h", M60, NULL, 0);
    struct ta_span span;
    double v[2];

    (void)state;
    assert_int_equal(small_put(s, "h", M60, "", "", NOW, 1), 0);
    assert_int_equal(small_put(s, "h", M60, "", "", NOW + 10000000, 9), 0);
    assert_int_equal(small_put(s, "h", M60, "", "", NOW + 60, 2), 0);
    assert_int_equal(ta_read_span(s, &sel, NOW, NOW + 120, &span), 0);
    assert_int_equal(span.n_slots, 2);
    assert_int_equal(ta_read_sum(s, &sel, NOW, v, 2), 1);
    assert_true(v[0] == 1 && v[1] == 2);
    ta_store_free(s);
}

static void what_is_no_sample_is_refused(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_column_key key = {99, {0}, {0}};
    struct ta_writer w;

    (void)state;
    assert_int_equal(small_put(s, "h", M60, "", "", NOW, NAN), TA_EINVAL);
    assert_int_equal(small_put(s, "h", M60, "", "", INT64_MAX, 1), TA_EINVAL);
    assert_int_equal(small_put(s, "h", M60, "", "x", NOW, 1), TA_EINVAL);
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_selection sel = small_select("n01", M2, NULL, 0);
    struct ta_sel path = {.name = TA_STR("socket0")};
    const int64_t n = 1795226830;
    struct ta_span span;
    double v[3];

    (void)state;
    for (int k = 0; k <= 4; k += 2) {
        assert_int_equal(small_put(s, "n01", M2, "", "", n + k, k + 0.25), 0);
        assert_int_equal(small_put(s, "n01", M2, "socket0", "", n + k, k + 1.5), 0);
    }
    assert_int_equal(ta_read_span(s, &sel, n - 10, n + 20, &span), 0);
    assert_int_equal(span.from_s, 1795226830);
    assert_int_equal(span.to_s, 1795226836);
    assert_int_equal(ta_read_sum(s, &sel, span.from_s, v, 3), 1);
    assert_true(v[0] == 0.25 && v[1] == 2.25 && v[2] == 4.25);
    sel = small_select("n01", M2, &path, 1);
    assert_int_equal(ta_read_sum(s, &sel, span.from_s, v, 3), 1);
    assert_true(v[0] == 1.5 && v[1] == 3.5 && v[2] == 5.5);
    ta_store_free(s);
}

/* ---- selectors -------------------------------------------------------------------------------- */

static void a_level_with_the_metric_hides_those_below(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_selection sel = small_select("h", M5, NULL, 0);
    double v;

    (void)state;
    (void)small_put(s, "h", M5, "socket0", "a", NOW, 1);
    (void)small_put(s, "h", M5, "socket0", "b", NOW, 2);
    (void)small_put(s, "h", M5, "socket1", "", NOW, 4);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 3);
    assert_true(v == 7);
    (void)small_put(s, "h", M5, "socket0", "", NOW, 8);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 2);
    assert_true(v == 12);
    (void)small_put(s, "h", M5, "", "", NOW, 16);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 1);
    assert_true(v == 16);
    ta_store_free(s);
}

static void a_missing_child_makes_its_slot_missing_and_never_fails(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_selection sel = small_select("h", M5, NULL, 0);
    struct ta_span span;
    double v[4];

    (void)state;
    for (int i = 0; i < 3; i++)
        (void)small_put(s, "h", M5, "core0", "", NOW + 5 * i, i);
    for (int i = 1; i < 4; i++)
        (void)small_put(s, "h", M5, "core1", "", NOW + 5 * i, 10 * i);
    assert_int_equal(ta_read_span(s, &sel, NOW - 100, NOW + 100, &span), 0);
    assert_int_equal(span.from_s, NOW);
    assert_int_equal(span.n_slots, 4);
    assert_int_equal(ta_read_sum(s, &sel, NOW, v, 4), 2);
    assert_true(isnan(v[0]) && v[1] == 11 && v[2] == 22 && isnan(v[3]));
    ta_store_free(s);
}

static void what_is_not_there_is_not_found_and_stays_away(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_sel path = {.name = TA_STR("")};
    struct ta_selection sel = small_select("h", M60, NULL, 0);
    struct ta_str ghost[] = {TA_STR("c"), TA_STR("ghost")};
    struct ta_read_stats stats;
    struct ta_span span;
    double v;

    (void)state;
    assert_int_equal(ta_read_span(s, &sel, 0, 10, &span), TA_ENOTFOUND);
    (void)small_put(s, "h", M60, "", "", NOW, 1);
    assert_int_equal(ta_read_span(s, &sel, NOW + 1, NOW, &span), TA_EINVAL);
    assert_int_equal(ta_read_span(s, &sel, NOW, NOW, &span), 0);
    assert_int_equal(span.n_slots, 0);
    sel.metric = 7;
    assert_int_equal(ta_read_span(s, &sel, 0, NOW, &span), TA_ENOTFOUND);
    assert_int_equal(ta_read_stats(s, &sel, 0, NOW, &stats), TA_ENOTFOUND);
    sel = small_select("h", M60, &path, 1);
    assert_int_equal(ta_read_sum(s, &sel, NOW, &v, 1), 0);
    assert_true(isnan(v));
    assert_int_equal(ta_store_free_before(s, ghost, 2, NOW + 999), 0);
    assert_int_equal(ta_walk_find_host(s, ghost[0], ghost[1], NULL), 0);
    ta_store_free(s);
}

static void what_nobody_writes_any_more_becomes_one_run_a_series(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_column_key key = {1, TA_STR("r"), {0}};
    struct ta_restore *r;
    struct ta_store_counts c;
    double v[100] = {0};

    (void)state;
    for (int i = 0; i < 300; i++)
        (void)small_put(s, "h", M2, "", "", NOW + 2 * i, i);
    (void)small_put(s, "h", M2, "", "", NOW + 100, 7); /* late: over sealed slots */
    assert_int_equal(ta_restore_new(&r, s, NULL), 0);
    assert_int_equal(ta_restore_begin(r, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, NOW, 2, v, 100, NULL), 0);
    assert_int_equal(ta_restore_end(r, NULL), 0);
    ta_restore_free(r);
    (void)small_put(s, "h", M2, "r", "", NOW + 100, 7); /* over a restored run */
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
    struct ta_selection sel = small_select("h", M2, NULL, 0);
    double got[300];
    assert_int_equal(ta_read_sum(s, &sel, NOW, got, 300), 1);
    for (int i = 0; i < 300; i++)
        assert_true(got[i] == (i == 50 ? 7 : i));
    ta_store_free(s);
}

static void statistics_are_those_of_the_samples(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_selection sel = small_select("h", M2, NULL, 0);
    struct ta_read_stats st;

    (void)state;
    for (int i = 0; i < 2000; i++)
        if (i % 10)
            (void)small_put(s, "h", M2, "", "", NOW + 2 * i, i % 100);
    while (ta_store_keep(s, NOW + 10000, 0, 1000000))
        ;
    assert_int_equal(ta_read_stats(s, &sel, NOW, NOW + 4000, &st), 0);
    assert_int_equal(st.n_samples, 1800);
    assert_true(st.min == 1 && st.max == 99);
    assert_true(st.sum == 20 * (4950 - 450));
    assert_true(st.sum_of_means == 50);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
