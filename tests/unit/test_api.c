#include <tarn/tarn.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct tarn_metric metrics[] = {
    {"load", 60, TARN_AGG_NONE}, {"flops", 60, TARN_AGG_SUM}, {"clock", 10, TARN_AGG_AVG}};
static const int64_t T = 1700000040;

static int set_up(void **state)
{
    const struct tarn_config config = {.metrics = metrics, .n_metrics = 3};
    struct tarn_store *s;

    if (tarn_open(&s, &config, NULL) < 0)
        return -1;
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    tarn_close(*state);
    return 0;
}

static int write_at(struct tarn_store *s, const char *host, const char *type, const char *metric,
                    int64_t t, double v)
{
    const struct tarn_path path = {"c", host, type, NULL};

    return tarn_write(s, &path, metric, t, v, NULL);
}

static void what_is_written_is_read_bit_for_bit(void **state)
{
    const struct tarn_selection node = {.cluster = "c", .host = "h"};
    struct tarn_series series;

    for (int i = 0; i < 2000; i++)
        if (i % 7)
            assert_int_equal(write_at(*state, "h", NULL, "load", T + i * 60, sqrt(i)), TARN_OK);
    assert_int_equal(tarn_keep(*state, 1000000), 0);
    assert_int_equal(tarn_read(*state, &node, "load", T + 60, T + 2000 * 60, 0, &series, NULL),
                     TARN_OK);
    assert_int_equal(series.n, 1999);
    assert_int_equal(series.from_s, T + 60);
    assert_int_equal(series.step_s, 60);
    for (int i = 1; i < 2000; i++)
        assert_true(i % 7 ? series.values[i - 1] == sqrt(i) : isnan(series.values[i - 1]));
    tarn_series_done(&series);
}

static void a_long_series_is_thinned_out(void **state)
{
    const struct tarn_selection node = {.cluster = "c", .host = "h"};
    struct tarn_series series;
    struct tarn_error err = {0};

    for (int i = 0; i < 2000; i++)
        assert_int_equal(write_at(*state, "h", NULL, "load", T + i * 60, i), TARN_OK);
    assert_int_equal(tarn_read(*state, &node, "load", T, T + 2000 * 60, 600, &series, NULL),
                     TARN_OK);
    assert_int_equal(series.n, 200);
    assert_int_equal(series.step_s, 600);
    assert_true(series.values[0] == 0 && series.values[199] == 1999);
    tarn_series_done(&series);
    assert_int_equal(tarn_read(*state, &node, "load", T, T + 2000 * 60, 90, &series, &err),
                     TARN_EINVAL);
    assert_non_null(strstr(err.text, "multiple"));
}

static void several_series_are_aggregated_as_the_metric_says(void **state)
{
    const struct tarn_selection node = {.cluster = "c", .host = "h"};
    const char *const two[] = {"t0", "t2"};
    const struct tarn_selection some = {.cluster = "c", .host = "h", .types = two, .n_types = 2};
    struct tarn_series series;
    struct tarn_stats stats;
    char type[8];

    for (int i = 0; i < 4; i++) {
        snprintf(type, sizeof(type), "t%d", i);
        assert_int_equal(write_at(*state, "h", type, "flops", T, 10 + i), TARN_OK);
        assert_int_equal(write_at(*state, "h", type, "clock", T, 10 + i), TARN_OK);
        assert_int_equal(write_at(*state, "h", type, "load", T, 10 + i), TARN_OK);
    }
    assert_int_equal(tarn_read(*state, &node, "flops", T, T + 60, 0, &series, NULL), TARN_OK);
    assert_true(series.n == 1 && series.values[0] == 46);
    tarn_series_done(&series);
    assert_int_equal(tarn_read(*state, &some, "clock", T, T + 10, 0, &series, NULL), TARN_OK);
    assert_true(series.n == 1 && series.values[0] == 11);
    tarn_series_done(&series);
    assert_int_equal(tarn_read(*state, &node, "load", T, T + 60, 0, &series, NULL), TARN_EINVAL);
    assert_int_equal(tarn_statistics(*state, &node, "clock", T, T + 10, &stats, NULL), TARN_OK);
    assert_true(stats.n_samples == 4 && stats.avg == 11.5 && stats.min == 10 && stats.max == 13);
    assert_int_equal(tarn_statistics(*state, &node, "flops", T, T + 60, &stats, NULL), TARN_OK);
    assert_true(stats.avg == 46);
}

static void lines_are_counted_and_the_first_bad_one_is_named(void **state)
{
    static const char text[] = "load,hostname=h value=1 1700000040\n"
                               "load,hostname=h valu=2 1700000100\n"
                               "other,hostname=h value=3 1700000100\n"
                               "load,hostname=h value=4 1700000160\n";
    struct tarn_lines got;
    struct tarn_error err = {0};

    assert_int_equal(tarn_write_lines(*state, "c", text, sizeof(text) - 1, &got, &err),
                     TARN_EFORMAT);
    assert_int_equal(got.n_stored, 2);
    assert_int_equal(got.n_refused, 1);
    assert_int_equal(got.n_skipped, 1);
    assert_non_null(strstr(err.text, "at line 2:"));
    assert_int_equal(tarn_write_lines(*state, NULL, text, 35, NULL, NULL), TARN_EFORMAT);
}

static void wrong_arguments_are_refused_in_words(void **state)
{
    const struct tarn_path host = {.cluster = "c", .host = "h"}, cluster = {.cluster = "c"};
    const struct tarn_selection node = {.cluster = "c", .host = "h"};
    struct tarn_series series;
    struct tarn_error err = {0};

    assert_int_equal(tarn_write(*state, &host, "none", T, 1, &err), TARN_ENOTFOUND);
    assert_non_null(strstr(err.text, "none"));
    assert_int_equal(tarn_write(*state, &cluster, "load", T, 1, &err), TARN_EINVAL);
    assert_int_equal(tarn_write(*state, &host, "load", T, NAN, &err), TARN_EINVAL);
    assert_int_equal(tarn_read(*state, &node, "load", T, T + 60, 0, &series, &err), TARN_ENOTFOUND);
    assert_int_equal(tarn_write(*state, &host, "load", T, 1, &err), TARN_OK);
    assert_int_equal(tarn_read(*state, &node, "load", T + 60, T, 0, &series, &err), TARN_EINVAL);
    assert_int_equal(tarn_frequency(*state, "clock"), 10);
    assert_int_equal(tarn_frequency(*state, "none"), TARN_ENOTFOUND);
}

static void a_bad_table_opens_no_store(void **state)
{
    const struct tarn_metric twice[] = {{"a", 60, TARN_AGG_NONE}, {"a", 60, TARN_AGG_NONE}};
    const struct tarn_metric zero[] = {{"a", 0, TARN_AGG_NONE}};
    struct tarn_config config = {.metrics = twice, .n_metrics = 2};
    struct tarn_error err = {0};
    struct tarn_store *s;

    (void)state;
    assert_int_equal(tarn_open(&s, &config, &err), TARN_EINVAL);
    assert_true(err.text[0] != 0);
    config.metrics = zero;
    config.n_metrics = 1;
    assert_int_equal(tarn_open(&s, &config, NULL), TARN_EINVAL);
}

static void freeing_spares_the_nodes_in_use(void **state)
{
    const struct tarn_path root = {0}, h1 = {.cluster = "c", .host = "h1"};
    const struct tarn_selection free_node = {.cluster = "c", .host = "h0"};
    const struct tarn_selection used_node = {.cluster = "c", .host = "h1"};
    struct tarn_stats stats;
    char host[8];

    for (int h = 0; h < 3; h++)
        for (int i = 0; i < 1024; i++) {
            snprintf(host, sizeof(host), "h%d", h);
            assert_int_equal(write_at(*state, host, NULL, "load", T + i * 60, i), TARN_OK);
        }
    assert_int_equal(tarn_free_except(*state, T + 600 * 60, &h1, 1, NULL), 2);
    assert_int_equal(tarn_statistics(*state, &free_node, "load", T, T + 1024 * 60, &stats, NULL),
                     TARN_OK);
    assert_int_equal(stats.n_samples, 512);
    assert_int_equal(tarn_statistics(*state, &used_node, "load", T, T + 1024 * 60, &stats, NULL),
                     TARN_OK);
    assert_int_equal(stats.n_samples, 1024);
    assert_int_equal(tarn_free_before(*state, &h1, T + 600 * 60), 1);
    assert_int_equal(tarn_force_free(*state), 3);
    assert_int_equal(tarn_free_before(*state, &root, T + 10000 * 60), 0);
}

static void levels_are_listed_in_order(void **state)
{
    static const char *const hosts[] = {"b", "a", "z"};
    const struct tarn_path root = {0}, cluster = {.cluster = "c"};
    const struct tarn_path host = {.cluster = "c", .host = "a"};
    const struct tarn_path deep = {"c", "a", "acc0", "link1"}, acc = {"c", "a", "acc0", NULL};
    struct tarn_names names;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(write_at(*state, hosts[i], NULL, "load", T, 1), TARN_OK);
        assert_int_equal(write_at(*state, hosts[i], "t1", "flops", T, 1), TARN_OK);
        assert_int_equal(write_at(*state, hosts[i], "t0", "flops", T, 1), TARN_OK);
    }
    assert_int_equal(tarn_write(*state, &deep, "flops", T, 1, NULL), TARN_OK);
    assert_int_equal(tarn_children(*state, &root, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.at[0], "c");
    tarn_names_done(&names);
    assert_int_equal(tarn_children(*state, &cluster, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.at[2], "z");
    tarn_names_done(&names);
    assert_int_equal(tarn_children(*state, &host, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.at[0], "acc0");
    assert_string_equal(names.at[1], "t0");
    tarn_names_done(&names);
    assert_int_equal(tarn_children(*state, &acc, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.at[0], "link1");
    tarn_names_done(&names);
    assert_int_equal(tarn_paths(*state, 3, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 7);
    assert_string_equal(names.at[0], "c:a:acc0");
    tarn_names_done(&names);
    assert_int_equal(tarn_paths(*state, 4, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.at[0], "c:a:acc0:link1");
    tarn_names_done(&names);
    assert_int_equal(tarn_paths(*state, 5, &names, NULL), TARN_EINVAL);
}

static void many_names_are_listed_once_each(void **state)
{
    struct tarn_names names;
    char host[16];

    for (int i = 0; i < 300; i++) {
        snprintf(host, sizeof(host), "n%04d", i);
        assert_int_equal(write_at(*state, host, NULL, "load", T, i), TARN_OK);
    }
    assert_int_equal(tarn_paths(*state, 2, &names, NULL), TARN_OK);
    assert_int_equal(names.n, 300);
    assert_string_equal(names.at[299], "c:n0299");
    tarn_names_done(&names);
}

static void health_says_how_each_metric_fares(void **state)
{
    const char *const wanted[] = {"load", "clock", "none"};
    enum tarn_health health[3];

    assert_int_equal(write_at(*state, "h", NULL, "load", T, 1), TARN_OK);
    assert_int_equal(write_at(*state, "h", NULL, "clock", T - 3600, 1), TARN_OK);
    assert_int_equal(tarn_node_health(*state, "c", "h", wanted, 3, T + 60, health, NULL),
                     TARN_PARTIAL);
    assert_int_equal(health[0], TARN_HEALTHY);
    assert_int_equal(health[1], TARN_DEGRADED);
    assert_int_equal(health[2], TARN_MISSING);
    assert_int_equal(tarn_node_health(*state, "c", "h", wanted, 1, T + 60, NULL, NULL), TARN_FULL);
    assert_int_equal(tarn_node_health(*state, "c", "x", wanted, 3, T, health, NULL), TARN_FAILED);
}

static void the_dump_shows_buffers(void **state)
{
    const struct tarn_path host = {.cluster = "c", .host = "h"}, none = {.cluster = "x"};
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    assert_int_equal(write_at(*state, "h", NULL, "load", T, 1), TARN_OK);
    assert_int_equal(tarn_dump(*state, &host, to, NULL), TARN_OK);
    assert_int_equal(tarn_dump(*state, &none, to, NULL), TARN_ENOTFOUND);
    fclose(to);
    assert_non_null(strstr(text, "\"load\":[{\"start\":1700000010,\"len\":1,\"end\":1700000070}]"));
    free(text);
}

static void memory_is_counted_and_capped(void **state)
{
    const struct tarn_config config = {
        .metrics = metrics, .n_metrics = 3, .memory_cap_bytes = 2 << 20};
    struct tarn_store *s;
    char host[16];

    assert_int_equal(tarn_open(&s, &config, NULL), TARN_OK);
    for (int h = 0; h < 200; h++)
        for (int i = 0; i < 1024; i++) {
            snprintf(host, sizeof(host), "h%d", h);
            assert_int_equal(write_at(s, host, NULL, "load", T + i * 60, sin(i * h)), TARN_OK);
        }
    assert_in_range(tarn_size(s), 1, 2 << 20);
    tarn_close(s);
    (void)state;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_bit_for_bit),
        TEST(a_long_series_is_thinned_out),
        TEST(several_series_are_aggregated_as_the_metric_says),
        TEST(lines_are_counted_and_the_first_bad_one_is_named),
        TEST(wrong_arguments_are_refused_in_words),
        cmocka_unit_test(a_bad_table_opens_no_store),
        TEST(freeing_spares_the_nodes_in_use),
        TEST(levels_are_listed_in_order),
        TEST(many_names_are_listed_once_each),
        TEST(health_says_how_each_metric_fares),
        TEST(the_dump_shows_buffers),
        TEST(memory_is_counted_and_capped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
