/* What the generators promise: Go's number format, a collector's lines, the same values whenever asked. */
#include "load/fleet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *printed(double v)
{
    static char out[40];

    out[ta_load_print_g(out, v)] = 0;
    return out;
}

static void floats_look_as_the_collector_prints_them(void **state)
{
    (void)state;
    assert_string_equal(printed(0), "0");
    assert_string_equal(printed(-0.5), "-0.5");
    assert_string_equal(printed(84), "84");
    assert_string_equal(printed(100000), "100000");
    assert_string_equal(printed(999999.5), "999999.5");
    assert_string_equal(printed(1000000), "1e+06");
    assert_string_equal(printed(256310679.6), "2.563106796e+08");
    assert_string_equal(printed(98.28333333333333), "98.28333333333333");
    assert_string_equal(printed(0.0001), "0.0001");
    assert_string_equal(printed(0.00001234), "1.234e-05");
    assert_string_equal(printed(1e300), "1e+300");
    assert_string_equal(printed(0.31666666666666665), "0.31666666666666665");
}

static void floats_read_back_as_they_were(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        double v = (ta_load_noise(1, 0, i) - 0.3) * pow(10, (double)(i % 40) - 15);
        assert_true(strtod(printed(v), NULL) == v);
    }
}

static void a_fleet_host_has_580_series_and_posts_them_in_order(void **state)
{
    struct ta_fleet f;
    struct ta_buf out;
    double v[600], again[600];
    int full = 0;

    (void)state;
    assert_int_equal(ta_fleet_init(&f, &ta_heap, NULL, NULL), TA_OK);
    assert_int_equal(f.layout.n_columns, 580);
    ta_buf_init(&out, &ta_heap, MiB);
    assert_int_equal(ta_fleet_post(&f, 7, 3, v, &out), TA_OK);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.at[i] == '\n';
    assert_int_equal(lines, 580);
    assert_memory_equal(out.at, "cpu_load,cluster=fleet,hostname=n0008,type=node value=", 54);
    assert_non_null(memmem(out.at, out.len,
                           "\nacc_power,cluster=fleet,hostname=n0008,type=accelerator,"
                           "type-id=00000000:31:00.0 value=",
                           88));
    assert_memory_equal(out.at + out.len - 12, " 1700000180\n", 12);
    ta_fleet_values(&f, 7, 4, again);
    ta_fleet_values(&f, 7, 3, again);
    assert_memory_equal(v, again, 580 * sizeof(*v));
    for (int i = 0; i < 580; i++)
        full += strlen(printed(v[i])) >= 17;
    assert_in_range(full, 230, 350);
    ta_buf_done(&out);
    ta_fleet_done(&f);
}

static void the_metric_table_names_each_metric_once(void **state)
{
    struct ta_fleet f;
    struct ta_buf out;

    (void)state;
    assert_int_equal(ta_fleet_init(&f, &ta_heap, NULL, NULL), TA_OK);
    ta_buf_init(&out, &ta_heap, MiB);
    assert_int_equal(ta_load_metrics_json(&f.layout, 60, &out), TA_OK);
    assert_memory_equal(out.at, "{\"cpu_load\":{\"frequency\":60,\"aggregation\":\"avg\"},", 49);
    assert_int_equal(out.at[out.len - 1], '}');
    ta_buf_done(&out);
    ta_fleet_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_look_as_the_collector_prints_them),
        cmocka_unit_test(floats_read_back_as_they_were),
        cmocka_unit_test(a_fleet_host_has_580_series_and_posts_them_in_order),
        cmocka_unit_test(the_metric_table_names_each_metric_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
