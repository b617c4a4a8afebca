/* test_ingest.c - what lines mean, and the recorded bodies however they are cut. */
#include "feed_run.h"
#include "store_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct feed_run one, other;

static const char *result_of(const char *cluster, const char *body)
{
    feed_run_open(&one, false, NULL);
    feed_run_all(&one, cluster, ta_str(body), SIZE_MAX, 1);
    feed_run_close(&one);
    return one.text;
}

static void lines_reach_their_series(void **state)
{
    (void)state;
    assert_string_equal(
        result_of("", "cpu_load,cluster=c,hostname=h,type=node value=1.5 1700000040\n"
                      "cpu_load,cluster=c,hostname=h,type=node value=2.5 1700000100\n"
                      "flops_any,cluster=c,hostname=h,type-id=3,type=hwthread value=7i 1700000040\n"
                      "mem_bw,cluster=c,hostname=h,stype=nv,stype-id=1,type=socket,type-id=0 "
                      "value=.5 1700000040\n"
                      "mem_bw,cluster=c,hostname=h,stype=nv,stype-id=1 value=.25 1700000040\n"
                      "mem_used,cluster=c,host=h,type=node,type-id=0 value=9 1700000040"),
        "c/h// cpu_load [1700000010 2: 1.5 2.5]\n"
        "c/h// mem_bw [1700000010 1: 0.25]\n"
        "c/h/0/ mem_used [1700000010 1: 9]\n"
        "c/h/hwthread3/ flops_any [1700000010 1: 7]\n"
        "c/h/socket0/nv1 mem_bw [1700000010 1: 0.5]\n"
        "stored 6\ngood");
}

static void missing_tags_never_carry_over(void **state)
{
    (void)state;
    assert_string_equal(result_of("", "cpu_load,cluster=c,hostname=h value=1 1700000040\n"
                                      "cpu_load,cluster=c value=2 1700000040\n"
                                      "cpu_load,hostname=h value=3 1700000040\n"),
                        "c/h// cpu_load [1700000010 1: 1]\nstored 1, no_host 1, no_cluster 1\n"
                        "at line 2:1: no hostname or host tag (lines refused: 2, stored: 1)");
    assert_string_equal(result_of("d", "cpu_load,cluster=c,hostname=h value=1 1700000040\n"
                                       "cpu_load,hostname=h value=3 1700000040\n"),
                        "c/h// cpu_load [1700000010 1: 1]\nd/h// cpu_load [1700000010 1: 3]\n"
                        "stored 2\ngood");
}

static void a_line_without_time_takes_that_of_the_line_before(void **state)
{
    (void)state;
    assert_string_equal(
        result_of("c", "cpu_load,host=a value=1\n"
                       "cpu_load,host=b value=1 1700000040\n"
                       "unknown,host=b value=1 1600000000\n"
                       "cpu_load,host=b value=x 1500000000\n"
                       "cpu_load,host=c value=2\n"),
        "c/a// cpu_load [1700009970 1: 1]\nc/b// cpu_load [1700000010 1: 1]\n"
        "c/c// cpu_load [1700000010 1: 2]\nstored 3, value 1, unknown_metric 1\n"
        "at line 4:23: value has unrecognized type: 'x' (lines refused: 1, stored: 3)");
}

static void unknown_metrics_and_unsafe_names_are_skipped(void **state)
{
    (void)state;
    assert_string_equal(
        result_of(
            "",
            "zzz,cluster=c,hostname=h value=1 1700000040\nthis is not line protocol\n"
            "cpu_load,cluster=c,hostname=.. value=1\ncpu_load,cluster=c,hostname=a/b value=1\n"
            "cpu_load,cluster=c,hostname=a\\\\b value=1\ncpu_load,cluster=c,hostname=a..b value=1\n"
            "cpu_load,cluster=c,hostname=. value=1\ncpu_load,cluster=.c,hostname=a value=1\n"
            "cpu_load,cluster=c,hostname=.a value=1 1700000040\n"),
        "c/.a// cpu_load [1700000010 1: 1]\nstored 1, unknown_metric 2, unsafe_name 6\ngood");
}

static void the_future_is_refused(void **state)
{
    (void)state;
    assert_string_equal(result_of("c", "cpu_load,host=a value=1 1700013600\n"
                                       "cpu_load,host=a value=2 1700013601\n"
                                       "cpu_load,host=a value=3\n"),
                        "c/a// cpu_load [1700013570 1: 3]\nstored 2, future 1\n"
                        "at line 2:1: the timestamp lies too far in the future "
                        "(lines refused: 1, stored: 2)");
}

static void a_cut_body_is_refused_and_loses_its_partial_line(void **state)
{
    struct ta_feed f;

    (void)state;
    feed_run_open(&one, false, NULL);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    feed_run_give(&one, &f, TA_STR("cpu_load,host=a value=1 1700000040\ncpu_load,host=b value=12"));
    feed_run_finish(&one, &f, false);
    feed_run_tell(&one, &f);
    ta_feed_done(&f);
    feed_run_close(&one);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 1: 1]\nstored 1, truncated 1\n"
                                  "at line 2:1: the body ended before its end "
                                  "(lines refused: 1, stored: 1)");
}

static void influx_lines_give_a_metric_per_field(void **state)
{
    struct ta_line_options influx = {.mode = TA_LINE_INFLUX, .precision = TA_LINE_NS};
    struct ta_feed f;

    (void)state;
    feed_run_open(&one, false, NULL);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), &influx, NOW), TA_OK);
    feed_run_give(&one, &f,
                  TA_STR("net,host=a rx=1i,tx=2,name=\"eth0\" 1700000040000000000\n"
                         "cpu_load,host=a value=3 1700000040999999999\n"));
    feed_run_finish(&one, &f, true);
    feed_run_tell(&one, &f);
    assert_int_equal(f.counts.left_out, 1);
    ta_feed_done(&f);
    feed_run_close(&one);
    assert_string_equal(one.text,
                        "c/a// cpu_load [1700000010 1: 3]\nc/a// net_rx [1700000010 1: 1]\n"
                        "stored 2, unknown_metric 1\ngood");
}

/* ---- the recorded cases ------------------------------------------------------------------- */

static char *cases;

static int load_cases(void **state)
{
    FILE *file = fopen("tests/data/ingest/write-edge.txt", "rb");

    (void)state;
    assert_non_null(file);
    cases = calloc(1, 1 << 16);
    assert_true(fread(cases, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return 0;
}

static int free_cases(void **state)
{
    (void)state;
    free(cases);
    return 0;
}

/* "=== name cluster\nbody\n", again and again. */
static bool next_case(const char **at, char *cluster, struct ta_str *body)
{
    char name[64];

    if (sscanf(*at, "=== %63s %63s", name, cluster) != 2)
        return false;
    if (strcmp(cluster, "-") == 0)
        cluster[0] = 0;
    const char *begin = strchr(*at, '\n') + 1, *end = strstr(begin, "\n=== ");
    end = end ? end : begin + strlen(begin) - 1;
    *body = (struct ta_str){begin, (size_t)(end - begin)};
    *at = end + 1;
    return true;
}

static void every_split_of_the_recorded_bodies_gives_the_same(void **state)
{
    char cluster[64];
    struct ta_str body;
    int n = 0;

    (void)state;
    for (const char *at = cases; next_case(&at, cluster, &body); n++) {
        feed_run_open(&one, true, NULL);
        feed_run_all(&one, cluster, body, SIZE_MAX, 1);
        feed_run_close(&one);
        size_t jump = body.len > 600 ? 7 : 1;
        for (size_t cut = 0; cut <= body.len; cut += jump) {
            feed_run_open(&other, cut & 1, NULL);
            feed_run_all(&other, cluster, body, cut, cut % 3 ? SIZE_MAX : 1 + cut % 40);
            feed_run_close(&other);
            assert_string_equal(one.text, other.text);
        }
    }
    assert_int_equal(n, 68);
}

/* The judgement of each body, then all that is stored. */
static void the_recorded_bodies_give_what_is_written_down(void **state)
{
    static char want[1 << 16], got[1 << 16];
    char cluster[64];
    struct ta_str body;
    FILE *file = fopen("tests/data/ingest/write-edge.want", "rb");

    (void)state;
    assert_non_null(file);
    want[fread(want, 1, sizeof(want) - 1, file)] = 0;
    fclose(file);
    for (int plain = 0; plain < 2; plain++) {
        size_t n = 0;
        feed_run_open(&one, plain, NULL);
        for (const char *at = cases, *name = at; next_case(&at, cluster, &body); name = at) {
            const char *text = feed_run_all(&one, cluster, body, SIZE_MAX, 1);
            const char *judgement = strstr(text, "stored ");
            n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s\n%s\n",
                                  (int)(strchr(name, '\n') - name), name, judgement);
        }
        store_text(one.store, got + n, sizeof(got) - n);
        feed_run_close(&one);
        if (getenv("TARN_WRITE_WANT")) {
            file = fopen(getenv("TARN_WRITE_WANT"), "wb");
            fputs(got, file);
            fclose(file);
        }
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_reach_their_series),
        cmocka_unit_test(missing_tags_never_carry_over),
        cmocka_unit_test(a_line_without_time_takes_that_of_the_line_before),
        cmocka_unit_test(unknown_metrics_and_unsafe_names_are_skipped),
        cmocka_unit_test(the_future_is_refused),
        cmocka_unit_test(a_cut_body_is_refused_and_loses_its_partial_line),
        cmocka_unit_test(influx_lines_give_a_metric_per_field),
        cmocka_unit_test_setup_teardown(every_split_of_the_recorded_bodies_gives_the_same,
                                        load_cases, free_cases),
        cmocka_unit_test_setup_teardown(the_recorded_bodies_give_what_is_written_down, load_cases,
                                        free_cases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
