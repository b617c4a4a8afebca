#include "base/floats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_MAX = 37 };

/* Every third missing, the others hard to round; NaN with a payload and a sign too. */
static void make(double *v, size_t n, size_t phase)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (i + phase) % 3 == 0   ? (i % 2 ? NAN : -NAN)
               : (i + phase) % 7 == 1 ? INFINITY
                                      : 1.0 / (double)(i + phase + 1) * (i % 2 ? 1e-42 : -1e30);
}

static size_t count(const double *v, size_t n)
{
    size_t present = 0;

    for (size_t i = 0; i < n; i++)
        present += isnan(v[i]) ? 0 : 1;
    return present;
}

static void values_of_any_number_are_counted(void **state)
{
    double v[N_MAX];

    (void)state;
    for (size_t n = 0; n <= N_MAX; n++) {
        make(v, n, n);
        assert_int_equal(ta_floats_present(v, n), count(v, n));
    }
}

static void narrowed_values_are_the_nearest_and_missing_ones_one_pattern(void **state)
{
    double v[N_MAX];
    unsigned char bytes[4 * N_MAX + 4];

    (void)state;
    for (size_t n = 0; n <= N_MAX; n++) {
        memset(bytes, 0x55, sizeof(bytes));
        make(v, n, 2 * n);
        assert_int_equal(ta_floats_narrow(v, n, bytes + n % 4), count(v, n));
        for (size_t i = 0; i < n; i++) {
            uint32_t want = TA_MISSING_F32, got;
            float nearest = (float)v[i];
            if (!isnan(v[i]))
                memcpy(&want, &nearest, sizeof(want));
            memcpy(&got, bytes + n % 4 + 4 * i, sizeof(got));
            assert_int_equal(got, want);
        }
        assert_int_equal(bytes[n % 4 + 4 * n], 0x55);
    }
}

static void widened_values_are_the_same_numbers(void **state)
{
    double v[N_MAX], back[N_MAX + 1];
    unsigned char bytes[4 * N_MAX + 4];

    (void)state;
    for (size_t n = 0; n <= N_MAX; n++) {
        make(v, n, 3 * n);
        back[n] = 7;
        (void)ta_floats_narrow(v, n, bytes + n % 4);
        assert_int_equal(ta_floats_widen(bytes + n % 4, n, back), count(v, n));
        for (size_t i = 0; i < n; i++)
            assert_true(isnan(v[i]) ? isnan(back[i]) : back[i] == (double)(float)v[i]);
        assert_true(back[n] == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_any_number_are_counted),
        cmocka_unit_test(narrowed_values_are_the_nearest_and_missing_ones_one_pattern),
        cmocka_unit_test(widened_values_are_the_same_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
