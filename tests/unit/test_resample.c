/* Resampling picks the reference's points bit for bit, NaN rules included. */
#include "query/resample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

/* The method as (spec: metric-store 6) states it, value by value. */
static size_t by_the_book(const double *data, size_t n, size_t m, double *out)
{
    double size = (double)(n - 2) / (double)((double)m - 2);
    size_t low = 1, mid = (size_t)floor(size) + 1, prev = 0, len = 0;

    out[len++] = data[0];
    for (size_t i = 0; i + 2 < m; i++) {
        size_t high = (size_t)floor((double)(i + 2) * size) + 1;
        if (high >= n - 1)
            high = n - 2;
        double sx = 0, sy = 0, count = (double)high - (double)mid + 1;
        for (size_t k = mid; k <= high; k++) {
            sx += (double)k;
            sy += data[k];
        }
        double ax = sx / count, ay = sy / count, best = -1.0;
        size_t pick = 0;
        for (size_t k = low; k < mid; k++) {
            double area = fabs((((double)prev - (double)k) * (ay - data[prev]) -
                                ((double)prev - ax) * (data[k] - data[prev])) *
                               0.5);
            if (area > best || isnan(area)) {
                best = area;
                pick = k;
            }
        }
        out[len++] = data[pick];
        prev = pick;
        low = mid;
        mid = high;
    }
    out[len++] = data[n - 1];
    return len;
}

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

enum shape { SMOOTH, FLAT, STEPS, GAPS, WILD, ALL_NAN, N_SHAPES };

static void make(double *d, size_t n, enum shape shape, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = rnd(&seed);
        double noise = (double)(r >> 40) / 1e5;

        switch (shape) {
        case FLAT:
            d[i] = 3.25;
            break;
        case STEPS:
            d[i] = (double)(r % 3);
            break;
        case GAPS:
            d[i] = r % 11 == 0 || (i / 40) % 7 == 3 ? NAN : noise;
            break;
        case WILD:
            d[i] = r % 31 == 0 ? INFINITY : r % 17 == 0 ? -1e308 : noise * 1e-310;
            break;
        case ALL_NAN:
            d[i] = NAN;
            break;
        case SMOOTH:
        default:
            d[i] = sin((double)i / 7) * 100 + noise;
            break;
        }
    }
}

static void picks_are_those_of_the_plain_method_also_in_place(void **state)
{
    static const size_t lengths[] = {1000, 1001, 1003, 1441, 2880, 8639};
    static const int64_t steps[] = {2, 3, 4, 5, 7, 10, 60, 199, 333, 334, 500, 999, 1000};
    double *data = malloc(8639 * sizeof(double)), *want = malloc(8639 * sizeof(double)),
           *got = malloc(8639 * sizeof(double));

    (void)state;
    for (int shape = 0; shape < N_SHAPES; shape++)
        for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++)
            for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
                size_t n = lengths[l];
                struct ta_resample plan;

                make(data, n, (enum shape)shape, 77 + l * 31 + s);
                assert_int_equal(ta_resample_plan(60, 60 * steps[s], n, &plan, NULL), TA_OK);
                assert_true(plan.is_changed);
                assert_int_equal(plan.resolution_s, 60 * steps[s]);
                size_t len = by_the_book(data, n, n / (size_t)steps[s], want);
                assert_int_equal(plan.n_out, len);
                ta_resample_run(&plan, data, n, got);
                assert_memory_equal(got, want, len * sizeof(double));
                ta_resample_run(&plan, data, n, data);
                assert_memory_equal(data, want, len * sizeof(double));
            }
    free(data);
    free(want);
    free(got);
}

static void short_or_fine_requests_leave_the_data_alone(void **state)
{
    static const struct {
        int64_t have, want;
        size_t n;
    } same[] = {{60, 0, 5000},  {60, 60, 5000}, {60, 30, 5000},      {60, -1, 5000},
                {60, 120, 999}, {0, 120, 5000}, {10, 1000000, 1500}, {60, 600, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        struct ta_resample plan;
        assert_int_equal(ta_resample_plan(same[i].have, same[i].want, same[i].n, &plan, NULL),
                         TA_OK);
        assert_false(plan.is_changed);
        assert_int_equal(plan.n_out, same[i].n);
        assert_int_equal(plan.resolution_s, same[i].have);
    }
}

static void a_resolution_that_is_no_multiple_is_refused_in_the_references_words(void **state)
{
    struct ta_resample plan;
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(ta_resample_plan(10, 15, 3, &plan, &err), TA_EINVAL);
    assert_string_equal(err.text,
                        "new sampling frequency (15) must be a multiple of old frequency (10)");
}

static void more_values_than_can_be_resampled_exactly_are_refused(void **state)
{
    struct ta_resample plan;

    (void)state;
    assert_int_equal(ta_resample_plan(1, 2, (size_t)TA_RESAMPLE_MAX + 1, &plan, NULL), TA_ERANGE);
}

/* One line of counts and one of values, as recorded from the reference. */
static size_t read_values(FILE *f, double *out, size_t max)
{
    size_t n = 0;
    char word[32];

    assert_int_equal(fscanf(f, "%zu", &n), 1);
    assert_true(n <= max);
    for (int i = 0; i < 6; i++)
        assert_int_equal(fscanf(f, "%31s", word), 1);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fscanf(f, "%31s", word), 1);
        out[i] = strcmp(word, "null") == 0 ? NAN : strtod(word, NULL);
    }
    return n;
}

static void the_recorded_answer_of_the_reference_is_reproduced(void **state)
{
    static double want[1200], native[1200], got[1200];
    FILE *f = fopen("tests/data/query/lttb.txt", "r");
    struct ta_resample plan;

    (void)state;
    assert_non_null(f);
    size_t m = read_values(f, want, 1200), n = read_values(f, native, 1200);
    fclose(f);

    /* The recording prints three decimals of what was stored with six. */
    double data[1200];
    for (size_t i = 0; i < n; i++) {
        char text[32];
        size_t at = i + 1; /* sample 0 is a gap, so that the series begins at 1 */
        snprintf(text, sizeof(text), "%.6f", sin((double)at / 7) * 100 + (double)(at * 7919 % 13));
        data[i] = at % 97 == 0 ? NAN : strtod(text, NULL);
        assert_true(isnan(native[i]) == isnan(data[i]));
    }
    assert_int_equal(ta_resample_plan(60, 600, n, &plan, NULL), TA_OK);
    assert_int_equal(plan.n_out, m);
    ta_resample_run(&plan, data, n, got);
    for (size_t i = 0; i < m; i++) {
        char a[32], b[32];
        snprintf(a, sizeof(a), "%.3f", want[i]);
        snprintf(b, sizeof(b), "%.3f", got[i]);
        assert_string_equal(isnan(want[i]) ? "null" : a, isnan(got[i]) ? "null" : b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_those_of_the_plain_method_also_in_place),
        cmocka_unit_test(short_or_fine_requests_leave_the_data_alone),
        cmocka_unit_test(a_resolution_that_is_no_multiple_is_refused_in_the_references_words),
        cmocka_unit_test(more_values_than_can_be_resampled_exactly_are_refused),
        cmocka_unit_test(the_recorded_answer_of_the_reference_is_reproduced),
    };

    return cmocka_run_group_tests_name("resample", tests, NULL, NULL);
}
