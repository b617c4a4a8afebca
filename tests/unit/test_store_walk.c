/* test_store_walk.c - what tells about a store: health, the debug text, walks, what was touched; and what is
 * put back. */
#include "small_store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void health_tells_fresh_stale_and_missing(void **state)
{
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    const uint32_t ids[] = {0, 1, 2, TA_METRIC_UNKNOWN};
    enum ta_health h[4];

    (void)state;
    (void)small_put(s, "h", M60, "", "", NOW, 1);           /* end of its buffer: NOW + 30 */
    (void)small_put(s, "h", M2, "core0", "", NOW + 320, 1); /* NOW + 321 */
    (void)small_put(s, "h", M2, "core1", "", NOW, 1);       /* one stale series spoils the metric */
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_str path[] = {TA_STR("c"), TA_STR("b"), TA_STR("core0"), TA_STR("x")};
    struct ta_dump *d;

    (void)state;
    (void)small_put(s, "b", M60, "", "", 1030, 1);
    (void)small_put(s, "b", M5, "", "", 1002, 1);
    (void)small_put(s, "b", M5, "core0", "x", 1002, 1);
    (void)small_put(s, "b", M5, "core0", "", 1002, 1);
    (void)small_put(s, "b", M5, "core1", "y", 1002, 1);
    (void)small_put(s, "a", M2, "", "", 1001, 1);
    (void)small_put(s, "a", M2, "", "", 1001 + 2 * 512, 1);
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_host_name names[7], last;
    struct ta_name clusters[2];
    char want[8], got[8];
    size_t n, total = 0;

    (void)state;
    for (int i = 0; i < 50; i++) {
        char host[8];

        (void)snprintf(host, sizeof(host), "n%02d", i * 17 % 50);
        (void)small_put(s, host, M60, "", "", NOW, 1);
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_host_cut cut, none;

    (void)state;
    (void)small_put(s, "h", M2, "", "", NOW, 1);
    (void)small_put(s, "h", M2, "", "", NOW + 2, 1);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &cut), 0);
    assert_true(cut.is_changed && cut.touched_from_s == NOW);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &none), 0);
    assert_false(none.is_changed);
    (void)small_put(s, "h", M2, "", "", NOW + 2,
                    5); /* the row was known: it must count all the same */
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
    struct ta_store *s = small_store(&ta_heap, 0, 3600);
    struct ta_column_key key = {1, TA_STR("socket0"), {0}};
    struct ta_sel path = {.name = TA_STR("socket0")};
    struct ta_selection sel = small_select("h", M2, &path, 1);
    struct ta_buffer_info b[16];
    struct ta_restore *r;
    struct ta_host_cut cut;
    struct ta_span span;
    double v[600], got[601];

    (void)state;
    for (int i = 0; i < 600; i++)
        v[i] = i % 7 ? i * 0.1 : NAN;
    assert_int_equal(ta_restore_new(&r, s, NULL), 0);
    assert_int_equal(ta_restore_begin(r, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, 1000, 2, v, 600, NULL), 0);
    assert_int_equal(ta_restore_end(r, NULL), 0);
    ta_restore_free(r);
    assert_int_equal(ta_walk_cut(s, TA_STR("c"), TA_STR("h"), &cut), 0);
    assert_false(cut.is_changed);
    assert_int_equal(small_buffers(s, "h", M2, "socket0", b), 2);
    assert_true(b[0].is_restored && b[0].len == 512 && b[0].capacity == 512);
    assert_true(b[1].is_restored && b[1].len == 88 && b[1].start_s == 1000 + 1024);
    assert_int_equal(small_put(s, "h", M2, "socket0", "", 1001 + 1200, 77),
                     0); /* the next sample */
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
    struct ta_store *s = small_store(&ta_heap, 0, 0);
    struct ta_column_key key = {0, {0}, {0}};
    struct ta_selection sel = small_select("h", M60, NULL, 0);
    static const double v[] = {1, 2, 3, 4, 5, 6};
    struct ta_restore *r;
    struct ta_span span;
    double got[3];

    (void)state;
    assert_int_equal(ta_restore_new(&r, s, NULL), 0);
    assert_int_equal(ta_restore_begin(r, TA_STR("c"), TA_STR("h"), NULL), 0);
    assert_int_equal(ta_restore_add(r, &key, 985, 30, v, 6, NULL), 0);
    assert_int_equal(ta_restore_end(r, NULL), 0);
    ta_restore_free(r);
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
        cmocka_unit_test(health_tells_fresh_stale_and_missing),
        cmocka_unit_test(the_debug_text_lists_levels_in_order_with_their_buffers),
        cmocka_unit_test(hosts_are_walked_in_order_whatever_their_shard),
        cmocka_unit_test(a_cut_tells_what_was_touched_since_the_last),
        cmocka_unit_test(a_restored_array_is_read_where_it_was),
        cmocka_unit_test(an_array_of_another_frequency_is_put_on_the_metrics_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
