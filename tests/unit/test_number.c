/* Numbers print as printf prints them and read as strtod reads them, bit for bit. */
#include "base/err.h"
#include "base/number.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t next(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void check_fixed(double v, int decimals)
{
    char want[400], got[TA_FIXED_MAX + 1];
    int n = snprintf(want, sizeof(want), "%.*f", decimals, v);
    size_t len = ta_print_fixed(got, v, decimals);

    if (len != (size_t)n || memcmp(got, want, len))
        fail_msg("%a with %d decimals: got %.*s, want %s", v, decimals, (int)len, got, want);
}

static void fixed_equals_printf_for_any_bits(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        double v = from_bits(next(&seed));
        if (isfinite(v))
            check_fixed(v, (int)(next(&seed) % 10));
    }
}

static void fixed_equals_printf_in_the_range_of_measurements(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (int i = 0; i < 400000; i++) {
        double v = ldexp((double)(int64_t)next(&seed), -(int)(next(&seed) % 110));
        check_fixed(v, (int)(next(&seed) % 10));
    }
}

static void fixed_rounds_exact_ties_to_even(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int d = (int)(next(&seed) % 10);
        uint64_t odd = (next(&seed) >> (12 + next(&seed) % 50)) | 1;
        double tie = ldexp((double)odd, -(d + 1)); /* ends in 5 at decimal d + 1 */
        check_fixed(tie, d);
        check_fixed(-tie, d);
        check_fixed(nextafter(tie, INFINITY), d);
        check_fixed(nextafter(tie, 0), d);
    }
    check_fixed(0.5, 0);
    check_fixed(1.5, 0);
    check_fixed(2.5, 0);
    check_fixed(0.125, 2);
    check_fixed(0.375, 2);
    check_fixed(-0.0, 3);
    check_fixed(-0.0001, 3);
    check_fixed(999.9996, 3);
    check_fixed(DBL_MAX, 9);
    check_fixed(DBL_MIN, 9);
    check_fixed(5e-324, 9);
    check_fixed(18446744073709551616.0, 1);
    check_fixed(18446744073709549568.0, 0);
}

/* strtod is the judge: correctly rounded in the C library this runs on. */
static void check_parse(const char *text)
{
    double got = 0, want = strtod(text, NULL);
    int r = ta_parse_f64(ta_str(text), &got);

    if (isinf(want)) {
        if (r != TA_ERANGE)
            fail_msg("%s: %d instead of TA_ERANGE", text, r);
        return;
    }
    if (r != TA_OK || memcmp(&got, &want, sizeof(got)))
        fail_msg("%s: %d, got %a, want %a", text, r, got, want);
}

static void parsing_equals_strtod_for_printed_doubles(void **state)
{
    uint64_t seed = 4;
    char text[64];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = from_bits(next(&seed));
        if (!isfinite(v))
            continue;
        snprintf(text, sizeof(text), "%.*g", 1 + (int)(next(&seed) % 25), v);
        check_parse(text);
    }
}

static void parsing_equals_strtod_for_random_decimals(void **state)
{
    uint64_t seed = 5;
    char text[64];

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint64_t w = next(&seed) >> next(&seed) % 64;
        int e = (int)(next(&seed) % 64) - 32;
        snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)w,
                 (unsigned long long)(next(&seed) >> (next(&seed) % 64)), e);
        check_parse(text);
        snprintf(text, sizeof(text), "%llue%d", (unsigned long long)w, e * 11);
        check_parse(text);
    }
}

/* The exact decimal of a halfway point has up to 767 digits: a last digit decides. */
static void parsing_decides_halfway_points_by_their_last_digit(void **state)
{
    uint64_t seed = 6;
    static char text[1400];

    (void)state;
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = next(&seed) & INT64_MAX;
        double low = from_bits(i % 3 ? bits % (UINT64_C(0x380) << 52) : bits % 64);
        if (!isfinite(low) || low == 0)
            continue;
        long double half = ((long double)low + (long double)nextafter(low, INFINITY)) / 2;
        int n = snprintf(text, sizeof(text), "%.1080Lf", half);
        if ((size_t)n + 4 > sizeof(text))
            continue;
        check_parse(text);
        strcpy(text + n, "1");
        check_parse(text);
        text[n] = 0;
        for (n--; text[n] == '0'; n--)
            text[n] = 0;
        if (text[n] != '.') {
            text[n]--;
            strcpy(text + n + 1, "9");
            check_parse(text);
        }
    }
}

static void edges_of_the_range_parse_as_strtod_does(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "+1",
        ".5",
        "5.",
        "1e23",
        "8.5e22",
        "9007199254740993",
        "9007199254740992.99999999999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "1e999999999999",
        "1e-999999999999",
        "0e999999999999",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327208e-324",
        "2.4703282292062327209e-324",
        "2e-324",
        "0.000000000000000000000000000000000000000000000000000000000000001",
        "10000000000000000000000000000000000000000000000000000000000000000000",
        "1.00000000000000000000000000000000000000000000000000",
        "123456789012345678900000000000",
        "7.2057594037927933e16",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999e27",
        "9999999999999999999e-27",
        "1e-27",
        "6.631236846766476e-316",
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++)
        check_parse(texts[i]);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = {"",    "-",     "+",   ".",   "e5",   "1e",
                                        "1e+", "1.2.3", "1 ",  " 1",  "0x1",  "inf",
                                        "nan", "1e5.",  "--1", "1,5", "1e--5"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        double v = 42;
        assert_int_equal(ta_parse_f64(ta_str(texts[i]), &v), TA_EFORMAT);
        assert_true(v == 42);
    }
    assert_int_equal(ta_parse_f64((struct ta_str){0}, &(double){0}), TA_EFORMAT);
}

static int digits_in(const char *s, size_t n)
{
    int digits = 0, zeros = 0;

    for (size_t i = 0; i < n && s[i] != 'e'; i++) {
        if (s[i] < '0' || s[i] > '9' || (digits == 0 && s[i] == '0'))
            continue;
        digits++;
        zeros = s[i] == '0' ? zeros + 1 : 0;
    }
    return digits - zeros;
}

static void check_shortest(double v)
{
    char got[TA_SHORTEST_MAX + 1], fewer[64];
    size_t n = ta_print_shortest(got, v);

    assert_true(n < TA_SHORTEST_MAX);
    got[n] = 0;
    double back = strtod(got, NULL);
    if (memcmp(&back, &v, sizeof(v)))
        fail_msg("%a printed as %s reads back as %a", v, got, back);
    int digits = digits_in(got, n);
    if (digits > 1) {
        snprintf(fewer, sizeof(fewer), "%.*e", digits - 2, v);
        if (strtod(fewer, NULL) == v)
            fail_msg("%s is longer than %s", got, fewer);
    }
}

static void shortest_reads_back_and_nothing_shorter_does(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        double v = from_bits(next(&seed));
        if (isfinite(v))
            check_shortest(v);
        check_shortest((double)(int64_t)(next(&seed) >> next(&seed) % 64) / 1000);
        check_shortest((double)next(&seed) / 1e19);
    }
    for (int e = -1074; e <= 1023; e++) {
        check_shortest(ldexp(1, e));
        check_shortest(-nextafter(ldexp(1, e), 0));
    }
}

static void shortest_has_the_form_of_json(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {100, "100"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {0.000001, "0.000001"},
        {0.00000123, "0.00000123"},
        {1e-7, "1e-7"},
        {5e-324, "5e-324"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992"},
    };
    char got[TA_SHORTEST_MAX + 1];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        got[ta_print_shortest(got, cases[i].v)] = 0;
        assert_string_equal(got, cases[i].text);
    }
}

static void integers_fill_their_range_and_not_more(void **state)
{
    int64_t i = 7;
    uint64_t u = 7;

    (void)state;
    assert_int_equal(ta_parse_i64(TA_STR("9223372036854775807"), &i), TA_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(ta_parse_i64(TA_STR("-9223372036854775808"), &i), TA_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(ta_parse_i64(TA_STR("9223372036854775808"), &i), TA_ERANGE);
    assert_int_equal(ta_parse_i64(TA_STR("-9223372036854775809"), &i), TA_ERANGE);
    assert_true(i == INT64_MIN);
    assert_int_equal(ta_parse_u64(TA_STR("18446744073709551615"), &u), TA_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(ta_parse_u64(TA_STR("18446744073709551616"), &u), TA_ERANGE);
    assert_int_equal(ta_parse_u64(TA_STR("99999999999999999999999x"), &u), TA_EFORMAT);
    assert_int_equal(ta_parse_u64(TA_STR("-1"), &u), TA_EFORMAT);
    assert_int_equal(ta_parse_i64(TA_STR("-"), &i), TA_EFORMAT);
    assert_int_equal(ta_parse_i64(TA_STR(""), &i), TA_EFORMAT);
    assert_int_equal(ta_parse_i64(TA_STR("1.0"), &i), TA_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_equals_printf_for_any_bits),
        cmocka_unit_test(fixed_equals_printf_in_the_range_of_measurements),
        cmocka_unit_test(fixed_rounds_exact_ties_to_even),
        cmocka_unit_test(parsing_equals_strtod_for_printed_doubles),
        cmocka_unit_test(parsing_equals_strtod_for_random_decimals),
        cmocka_unit_test(parsing_decides_halfway_points_by_their_last_digit),
        cmocka_unit_test(edges_of_the_range_parse_as_strtod_does),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(shortest_reads_back_and_nothing_shorter_does),
        cmocka_unit_test(shortest_has_the_form_of_json),
        cmocka_unit_test(integers_fill_their_range_and_not_more),
    };

    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
