#include "app/answer.h"
#include "app/show.h"
#include "fault.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char example[] =
    "{\"queries\":[{\"metric\":\"x\"}],\"results\":[[{\"data\":[null,1.235,2.000],"
    "\"from\":100,\"to\":280,\"resolution\":60,\"avg\":1.62,\"min\":1.23,\"max\":2.00},"
    "{\"error\":\"no\\u003e\",\"from\":0,\"to\":0,\"resolution\":0,\"avg\":0.00,\"min\":0.00,"
    "\"max\":0.00}],[],[{\"from\":1,\"to\":2,\"resolution\":60,\"avg\":null,\"min\":null,"
    "\"max\":null}]]}\n";

struct reading {
    size_t n;
    struct ta_answer_series first, second, third;
    double values[3];
};

static int read_all(const char *text, size_t len, size_t step, struct ta_alloc *alloc,
                    struct reading *out, struct ta_err *err)
{
    struct ta_mem_source src;
    struct ta_answer *a = NULL;
    struct ta_answer_series s;

    *out = (struct reading){0};
    ta_mem_source_init(&src, text, len, step);
    int r = ta_answer_new(&a, &src.source, 100000, alloc, err);
    while (r >= 0 && (r = ta_answer_next(a, &s, err)) > 0) {
        if (out->n == 0) {
            out->first = s;
            memcpy(out->values, s.values, (s.n < 3 ? s.n : 3) * sizeof(double));
        }
        if (out->n == 1)
            out->second = s;
        if (out->n == 2)
            out->third = s;
        out->n++;
    }
    ta_answer_free(a);
    return r;
}

static void series_come_with_the_number_of_their_query(void **state)
{
    struct reading got;

    (void)state;
    for (size_t step = 1; step < 200; step += 13) {
        assert_int_equal(read_all(example, sizeof(example) - 1, step, &ta_heap, &got, NULL), 0);
        assert_int_equal(got.n, 3);
        assert_int_equal(got.first.query, 0);
        assert_int_equal(got.first.n, 3);
        assert_true(isnan(got.values[0]) && got.values[1] == 1.235 && got.values[2] == 2);
        assert_int_equal(got.first.from_s, 100);
        assert_int_equal(got.first.step_s, 60);
        assert_true(got.first.avg == 1.62);
        assert_string_equal(got.second.error, "no>");
        assert_int_equal(got.third.query, 2);
        assert_int_equal(got.third.n, 0);
        assert_true(isnan(got.third.avg));
    }
}

static void an_answer_cut_anywhere_is_an_error(void **state)
{
    struct reading got;

    (void)state;
    for (size_t len = 0; len < sizeof(example) - 3; len++)
        assert_true(read_all(example, len, 0, &ta_heap, &got, NULL) < 0);
}

static void what_is_no_answer_is_said_with_its_place(void **state)
{
    static const char *const texts[] = {"[]",
                                        "{}",
                                        "{\"results\":1}",
                                        "{\"results\":[1]}",
                                        "{\"results\":[[1]]}",
                                        "{\"results\":[[{\"from\":\"x\"}]]}",
                                        "{\"results\":[[{\"data\":[\"x\"]}]]}",
                                        "{\"results\":[[{\"data\":5}]]}",
                                        "{\"results\":[]}x"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct ta_err err = {0};
        struct reading got;

        assert_true(read_all(texts[i], strlen(texts[i]), 0, &ta_heap, &got, &err) < 0);
        assert_true(err.text[0] != 0);
    }
}

static void a_series_beyond_the_limit_is_refused(void **state)
{
    size_t n = 0, cap = 1 << 20;
    char *text = malloc(cap);
    struct ta_err err = {0};
    struct reading got;

    (void)state;
    n = (size_t)sprintf(text, "{\"results\":[[{\"data\":[0");
    for (int i = 0; i < 200000; i++)
        n += (size_t)sprintf(text + n, ",%d", i % 10);
    n += (size_t)sprintf(text + n, "]}]]}");
    assert_int_equal(read_all(text, n, 0, &ta_heap, &got, &err), TA_ERANGE);
    free(text);
}

static void every_refused_allocation_is_a_clean_failure(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct reading got;

        fault_judge(&f, read_all(example, sizeof(example) - 1, 0, &f.alloc, &got, NULL));
    }
}

static struct ta_buf shown;

static const char *show(const struct ta_show *s, const struct ta_answer_series *series)
{
    struct ta_show_name name = {.host = TA_STR("n,1"),
                                .metric = TA_STR("cpu_load"),
                                .type = TA_STR("socket"),
                                .id = TA_STR("0\033[2J")};
    size_t row = 0;
    int r;

    ta_buf_done(&shown);
    ta_buf_init(&shown, &ta_heap, 1 << 20);
    assert_int_equal(ta_show_head(s, &shown), TA_OK);
    while ((r = ta_show_series(s, &name, series, &row, &shown)) > 0)
        continue;
    assert_int_equal(r, 0);
    assert_int_equal(ta_buf_byte(&shown, 0), TA_OK);
    return shown.at;
}

static double values[] = {1.5, NAN, 3};
static const struct ta_answer_series series = {
    .values = values, .n = 3, .from_s = 100, .step_s = 60, .avg = 2.25, .min = 1.5, .max = 3};

static void csv_has_one_line_per_sample_and_quotes_what_must_be(void **state)
{
    struct ta_show s = {.format = TA_SHOW_CSV};

    (void)state;
    assert_string_equal(show(&s, &series), "time,host,metric,type,id,subtype,subtype_id,value\n"
                                           "100,\"n,1\",cpu_load,socket,0\033[2J,,,1.5\n"
                                           "220,\"n,1\",cpu_load,socket,0\033[2J,,,3\n");
}

static void a_table_row_counts_samples_and_obeys_no_control_characters(void **state)
{
    struct ta_show s = {.format = TA_SHOW_TABLE, .is_ascii = true};
    const char *text = show(&s, &series);

    (void)state;
    assert_null(strchr(text, 27));
    assert_non_null(strstr(text, "cpu_load"));
    assert_non_null(strstr(text, "       2      2.25       1.5         3         3"));
}

static void a_plot_has_its_numbers_in_the_title(void **state)
{
    struct ta_show s = {.format = TA_SHOW_PLOT, .width = 60, .height = 5};
    const char *text = show(&s, &series);

    (void)state;
    assert_null(strchr(text, 27));
    assert_non_null(strstr(text, "every 60s   avg 2.25  min 1.5  max 3"));
}

static void errors_take_the_place_of_values(void **state)
{
    struct ta_answer_series bad = {.error = "[METRICSTORE]> unknown metric: x"};
    struct ta_show table = {.format = TA_SHOW_TABLE}, plot = {.format = TA_SHOW_PLOT};

    (void)state;
    assert_non_null(strstr(show(&table, &bad), "unknown metric"));
    assert_non_null(strstr(show(&plot, &bad), "unknown metric"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_come_with_the_number_of_their_query),
        cmocka_unit_test(an_answer_cut_anywhere_is_an_error),
        cmocka_unit_test(what_is_no_answer_is_said_with_its_place),
        cmocka_unit_test(a_series_beyond_the_limit_is_refused),
        cmocka_unit_test(every_refused_allocation_is_a_clean_failure),
        cmocka_unit_test(csv_has_one_line_per_sample_and_quotes_what_must_be),
        cmocka_unit_test(a_table_row_counts_samples_and_obeys_no_control_characters),
        cmocka_unit_test(a_plot_has_its_numbers_in_the_title),
        cmocka_unit_test(errors_take_the_place_of_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
