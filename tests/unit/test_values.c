/* Statistics, scaling and padding follow the reference's arithmetic. */
#include "query/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

static void statistics_skip_gaps_and_take_the_arithmetic_mean(void **state)
{
    static const double v[] = {NAN, 1.2345678, 2, NAN, 3, 10.5};
    struct ta_summary s = {0};

    (void)state;
    ta_summary_add(&s, v, 6);
    struct ta_stats got = ta_summary_stats(&s);
    assert_int_equal(s.count, 4);
    assert_true(got.avg == (1.2345678 + 2 + 3 + 10.5) / 4);
    assert_true(got.min == 1.2345678);
    assert_true(got.max == 10.5);
}

static void statistics_of_nothing_are_nan(void **state)
{
    static const double v[] = {NAN, NAN};
    struct ta_summary s = {0};

    (void)state;
    ta_summary_add(&s, v, 2);
    struct ta_stats got = ta_summary_stats(&s);
    assert_true(isnan(got.avg) && isnan(got.min) && isnan(got.max));
}

static void values_in_pieces_give_the_same_bits_as_in_one(void **state)
{
    double v[97];
    struct ta_summary whole = {0};

    (void)state;
    for (int i = 0; i < 97; i++)
        v[i] = i % 13 == 5 ? NAN : sin(i) * 1e10 + 1e-9 * i;
    ta_summary_add(&whole, v, 97);
    for (size_t cut = 0; cut <= 97; cut++) {
        struct ta_summary parts = {0};
        ta_summary_add(&parts, v, cut);
        ta_summary_add(&parts, v + cut, 97 - cut);
        assert_memory_equal(&parts, &whole, sizeof(whole));
    }
}

static void a_negative_factor_does_not_swap_minimum_and_maximum(void **state)
{
    struct ta_stats s = {2, 1, 3};
    double v[] = {1, NAN, 3};

    (void)state;
    ta_stats_scale(&s, -2.5);
    ta_scale(v, 3, -2.5);
    assert_true(s.avg == -5 && s.min == -2.5 && s.max == -7.5);
    assert_true(v[0] == -2.5 && isnan(v[1]) && v[2] == -7.5);
}

static void factors_of_zero_and_one_are_no_scaling(void **state)
{
    struct ta_stats s = {2, 1, 3};
    double v[] = {1};

    (void)state;
    ta_stats_scale(&s, 0);
    ta_stats_scale(&s, 1);
    ta_scale(v, 1, 0);
    assert_true(s.avg == 2 && s.min == 1 && s.max == 3 && v[0] == 1);
}

static void a_factor_of_nan_makes_everything_nan(void **state)
{
    struct ta_stats s = {2, 1, 3};
    double v[] = {1};

    (void)state;
    ta_stats_scale(&s, NAN);
    ta_scale(v, 1, NAN);
    assert_true(isnan(s.avg) && isnan(s.min) && isnan(s.max) && isnan(v[0]));
}

static void padding_divides_both_ends_before_it_subtracts(void **state)
{
    (void)state;
    assert_int_equal(ta_padding(1700000040, 1699999440, 60), 10);
    assert_int_equal(ta_padding(1700000053, 1699999740, 60), 5);
    assert_int_equal(ta_padding(1700000099, 1700000100, 60), 0);
    assert_int_equal(ta_padding(1700000100, 1700000099, 60), 1);
    assert_int_equal(ta_padding(1700000100, 1700009999, 60), 0);
    assert_int_equal(ta_padding(59, -59, 60), 0);
    assert_int_equal(ta_padding(INT64_MAX, INT64_MIN, 1), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_skip_gaps_and_take_the_arithmetic_mean),
        cmocka_unit_test(statistics_of_nothing_are_nan),
        cmocka_unit_test(values_in_pieces_give_the_same_bits_as_in_one),
        cmocka_unit_test(a_negative_factor_does_not_swap_minimum_and_maximum),
        cmocka_unit_test(factors_of_zero_and_one_are_no_scaling),
        cmocka_unit_test(a_factor_of_nan_makes_everything_nan),
        cmocka_unit_test(padding_divides_both_ends_before_it_subtracts),
    };

    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
