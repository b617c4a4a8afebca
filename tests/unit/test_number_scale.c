/* A significand and a power of ten become the double that the C library reads from the same text. */
#include "base/number.h"
#include "base/number_scale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void agrees(uint64_t m, int e)
{
    char text[64];
    double v = 0;

    assert_true(ta_scale_f64(m, e, &v));
    snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m, e);
    double want = strtod(text, NULL);
    assert_memory_equal(&v, &want, sizeof(v));
    uint64_t bits = m ? ta_scale_bits(m, e) : 0;
    assert_memory_equal(&bits, &want, sizeof(bits));
}

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

static void it_rounds_as_the_c_library_does(void **state)
{
    uint64_t x = 88172645463325252;

    (void)state;
    for (int i = 0; i < 400000; i++) {
        uint64_t r = next(&x);
        agrees(r >> i % 64, (int)(r >> 20) % 28 * (i & 1 ? 1 : -1));
    }
    for (int e = -27; e <= 27; e++) {
        agrees(0, e);
        agrees(1, e);
        agrees(UINT64_MAX, e);
        agrees(UINT64_C(1) << 53, e);
        agrees((UINT64_C(1) << 53) + 1, e);
    }
}

static void ties_go_to_even(void **state)
{
    uint64_t x = 88172645463325252;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        /* Odd numbers of 54 bits lie half way between two doubles; so do they times 5^k / 5^k. */
        unsigned __int128 m = next(&x) >> 11 | UINT64_C(1) << 53 | 1;
        for (int e = 0; m >> 64 == 0 && e >= -4; e--, m *= 5)
            if (m % 5 || e == 0)
                agrees((uint64_t)m, e);
        agrees((next(&x) >> 50) << 11 | 1 << 10 | 1, (int)(x % 24));
    }
}

static void powers_out_of_its_range_are_left_to_the_parser(void **state)
{
    double v = 1;

    (void)state;
    assert_false(ta_scale_f64(1, 28, &v));
    assert_false(ta_scale_f64(1, -28, &v));
    assert_true(v == 1);
    assert_true(ta_scale_f64(0, -400, &v));
    assert_true(v == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_rounds_as_the_c_library_does),
        cmocka_unit_test(ties_go_to_even),
        cmocka_unit_test(powers_out_of_its_range_are_left_to_the_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
