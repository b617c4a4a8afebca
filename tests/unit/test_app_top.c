/* tarn top: the numbers of /metrics, and what is made of two looks. */
#include "app/top_view.h"
#include "io/stream.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int read_text(struct ta_scrape *out, const char *text, size_t step, struct ta_err *err)
{
    struct ta_mem_source source;

    ta_mem_source_init(&source, text, strlen(text), step);
    return ta_scrape_read(out, &source.source, err);
}

static const char exposition[] = "# HELP tarn_hosts Hosts with samples in memory.\n"
                                 "# TYPE tarn_hosts gauge\n"
                                 "tarn_hosts 3\n"
                                 "tarn_ready 1\n"
                                 "tarn_build_info{version=\"1.2.3\"} 1\n"
                                 "tarn_samples_refused_total{reason=\"old\"} 2\n"
                                 "tarn_samples_refused_total{reason=\"memory\"} 5\n"
                                 "tarn_http_requests_total{route=\"/api/write\",code=\"200\"} 10\n"
                                 "tarn_http_requests_total{route=\"/api/write\",code=\"400\"} 3\n"
                                 "tarn_http_requests_total{route=\"/api/query\",code=\"404\"} 1\n"
                                 "tarn_http_requests_total{route=\"/api/query\",code=\"503\"} 4\n"
                                 "tarn_log_sync_seconds_bucket{le=\"0.001\"} 90\n"
                                 "tarn_log_sync_seconds_bucket{le=\"0.002\"} 99\n"
                                 "tarn_log_sync_seconds_bucket{le=\"+Inf\"} 100\n"
                                 "tarn_somebody_elses{a=\"tarn_hosts 7\"} 7\n";

static void families_become_numbers_at_any_split(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof(exposition); step += 3) {
        struct ta_scrape s = {0};
        assert_int_equal(read_text(&s, exposition, step, NULL), TA_OK);
        assert_true(s.value[TA_SCRAPE_HOSTS] == 3);
        assert_true(s.value[TA_SCRAPE_REFUSED_SAMPLES] == 7);
        assert_true(s.value[TA_SCRAPE_REQUESTS] == 18);
        assert_true(s.value[TA_SCRAPE_REQUESTS_4XX] == 4);
        assert_true(s.value[TA_SCRAPE_REQUESTS_5XX] == 4);
        assert_string_equal(s.version, "1.2.3");
        assert_true(s.has[TA_SCRAPE_HOSTS] && !s.has[TA_SCRAPE_NATS_CONNECTED]);
        assert_int_equal(s.sync.n, 3);
    }
}

static void what_is_no_exposition_is_refused_with_its_line(void **state)
{
    struct ta_scrape s = {.value = {[TA_SCRAPE_HOSTS] = 42}};
    struct ta_err err = {0};
    char line[6000];

    (void)state;
    assert_int_equal(read_text(&s, "tarn_hosts 1\n<html>no</html>\n", 0, &err), TA_EFORMAT);
    assert_non_null(strstr(err.text, "line 2"));
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    assert_int_equal(read_text(&s, line, 0, &err), TA_EFORMAT);
    assert_true(s.value[TA_SCRAPE_HOSTS] == 42); /* untouched */
}

static void letters_of_a_stranger_do_not_reach_the_terminal(void **state)
{
    struct ta_scrape s = {0};

    (void)state;
    assert_int_equal(read_text(&s, "tarn_build_info{version=\"1\033[2J\x07\xff.0\"} 1\n", 0, NULL),
                     TA_OK);
    assert_string_equal(s.version, "1[2J.0");
}

static void quantiles_are_of_what_happened_in_between(void **state)
{
    struct ta_scrape_histogram a = {{0.001, 0.002, INFINITY}, {90, 99, 100}, 3};
    struct ta_scrape_histogram b = {{0.001, 0.002, INFINITY}, {90, 109, 110}, 3};
    struct ta_scrape_histogram none = {0};

    (void)state;
    assert_true(ta_scrape_quantile(&none, &a, 0.5) == 0.001);
    assert_true(ta_scrape_quantile(&a, &b, 0.5) == 0.002);
    assert_true(isinf(ta_scrape_quantile(&none, &a, 0.999)));
    assert_true(isnan(ta_scrape_quantile(&a, &a, 0.5)));
    assert_true(isnan(ta_scrape_quantile(&none, &none, 0.5)));
    assert_true(ta_scrape_quantile(&b, &a, 0.5) == 0.001); /* started anew in between: all of it */
}

static struct ta_scrape at(int64_t s, double stored)
{
    struct ta_scrape out = {.at_s = 1700000000 + s, .at_mono_ns = (100 + s) * 1000000000};

    out.value[TA_SCRAPE_STORED] = stored;
    out.value[TA_SCRAPE_HOSTS] = 5;
    out.value[TA_SCRAPE_BYTES] = 1 << 20;
    return out;
}

static const char *text_of(int (*put)(const struct ta_top_view *, struct ta_buf *),
                           const struct ta_top_view *v)
{
    static struct ta_buf out;

    ta_buf_done(&out);
    ta_buf_init(&out, &ta_heap, 1 << 16);
    assert_int_equal(put(v, &out), TA_OK);
    assert_int_equal(ta_buf_byte(&out, 0), TA_OK);
    return out.at;
}

static void two_looks_make_rates_and_a_restart_makes_none_negative(void **state)
{
    struct ta_top_view v = {.url = "http://x", .width = 80};
    struct ta_scrape s;

    (void)state;
    s = at(0, 1000);
    ta_top_take(&v, &s);
    assert_non_null(strstr(text_of(ta_top_json, &v), "\"samples_per_s\":0.0"));
    s = at(2, 3000);
    ta_top_take(&v, &s);
    assert_non_null(strstr(text_of(ta_top_json, &v), "\"samples_per_s\":1000.0"));
    s = at(4, 10);
    ta_top_take(&v, &s);
    assert_non_null(strstr(text_of(ta_top_json, &v), "\"samples_per_s\":0.0"));
}

static void the_history_is_bounded_and_keeps_the_newest(void **state)
{
    struct ta_top_view v = {.url = "http://x", .width = 400};

    (void)state;
    for (int i = 0; i < 3 * TA_TOP_HISTORY; i++) {
        struct ta_scrape s = at(i, i * (double)i);
        ta_top_take(&v, &s);
    }
    assert_int_equal(v.n_rates, TA_TOP_HISTORY);
    assert_true(v.rates[TA_TOP_HISTORY - 1] > v.rates[0]);
    assert_true(v.rates[TA_TOP_HISTORY - 1] == 6 * TA_TOP_HISTORY - 3);
}

static void the_screen_names_trouble(void **state)
{
    struct ta_top_view v = {.url = "http://x", .width = 80};
    struct ta_scrape s = at(0, 0);

    (void)state;
    ta_top_take(&v, &s);
    assert_null(strstr(text_of(ta_top_screen, &v), "FAILING"));
    assert_null(strstr(text_of(ta_top_screen, &v), "NATS"));
    assert_null(strchr(text_of(ta_top_screen, &v), '\033'));
    s = at(2, 0);
    s.value[TA_SCRAPE_LOG_FAILING] = 1;
    s.value[TA_SCRAPE_CAP_BYTES] = 1 << 21;
    s.value[TA_SCRAPE_CHECKPOINTS_FAILED] = 3;
    s.has[TA_SCRAPE_NATS_CONNECTED] = true;
    ta_top_take(&v, &s);
    const char *screen = text_of(ta_top_screen, &v);
    assert_non_null(strstr(screen, "FAILING"));
    assert_non_null(strstr(screen, "1 MiB of 2 MiB (50 %)"));
    assert_non_null(strstr(screen, "failed 3"));
    assert_non_null(strstr(screen, "not connected"));
}

static void lines_have_the_columns_of_their_head(void **state)
{
    struct ta_top_view v = {.url = "http://x", .width = 80};
    struct ta_scrape s = at(0, 0);
    struct ta_buf head;
    size_t n = 0;

    (void)state;
    ta_top_take(&v, &s);
    ta_buf_init(&head, &ta_heap, 4096);
    assert_int_equal(ta_top_line_head(&head), TA_OK);
    n = strlen(text_of(ta_top_line, &v));
    assert_int_equal(n, head.len);
    ta_buf_done(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_become_numbers_at_any_split),
        cmocka_unit_test(what_is_no_exposition_is_refused_with_its_line),
        cmocka_unit_test(letters_of_a_stranger_do_not_reach_the_terminal),
        cmocka_unit_test(quantiles_are_of_what_happened_in_between),
        cmocka_unit_test(two_looks_make_rates_and_a_restart_makes_none_negative),
        cmocka_unit_test(the_history_is_bounded_and_keeps_the_newest),
        cmocka_unit_test(the_screen_names_trouble),
        cmocka_unit_test(lines_have_the_columns_of_their_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
