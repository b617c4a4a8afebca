/* The kernels of every instruction set give the same bits; grids are found where there are any. */
#include "columns.h"
#include "store/codec_grid.h"
#include "store/codec_kernels.h"
#include "store/run_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = TA_RUN_SLOTS_MAX, ROUNDED = TA_RUN_ROUNDED };

static const struct ta_codec_kernels *const plain = &ta_codec_kernels_plain;

static const struct ta_codec_kernels *other_row(void)
{
    const struct ta_codec_kernels *avx2 = ta_codec_kernels_avx2();

    if (!avx2) {
        print_message("skipped: this processor has the plain kernels only\n");
        skip();
    }
    return avx2;
}

static void random_bytes(struct column *dice, void *out, size_t n)
{
    unsigned char *p = out;

    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)column_bits(dice);
}

static void integers_of_every_width_pack_and_unpack_alike(void **state)
{
    static unsigned char packed[SLOTS * 8 + TA_RUN_PAD], again[SLOTS * 8 + TA_RUN_PAD];
    static uint64_t v[SLOTS], above[SLOTS], a[ROUNDED], b[ROUNDED];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;

    (void)state;
    column_init(&dice, 1);
    for (unsigned width = 1; width <= TA_RUN_WIDTH_MAX; width++) {
        for (unsigned n = 0; n <= SLOTS; n += 1 + n / 32) {
            uint64_t base = column_bits(&dice);
            size_t bytes = ta_packed_bytes(n, width);

            for (unsigned i = 0; i < n; i++) {
                v[i] = column_bits(&dice) >> (64 - width);
                above[i] = base + v[i];
            }
            plain->pack(v, n, 0, width, packed);
            memset(again, 0xA5, sizeof(again));
            row->pack(above, n, base, width, again);
            assert_memory_equal(packed, again, bytes);
            for (size_t i = bytes + 8; i < sizeof(again); i++)
                assert_int_equal(again[i], 0xA5);
            assert_true(n * width % 8 == 0 || packed[bytes - 1] >> n * width % 8 == 0);
            plain->unpack(packed, width, n, a);
            row->unpack(packed, width, n, b);
            assert_memory_equal(v, a, n * sizeof(*v));
            assert_memory_equal(v, b, n * sizeof(*v));
        }
    }
}

static void extremes_and_steps_are_found_alike(void **state)
{
    static uint64_t u[SLOTS];
    static int64_t m[SLOTS];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;

    (void)state;
    column_init(&dice, 4);
    for (unsigned round = 0; round < 4000; round++) {
        unsigned n = 2 + (unsigned)(column_bits(&dice) % (round % 2 ? 40 : SLOTS - 1));
        uint64_t least, most, row_least, row_most;
        int64_t lo, hi, row_lo, row_hi;

        for (unsigned i = 0; i < n; i++) {
            u[i] = column_bits(&dice) >> round % 3;
            m[i] = (int64_t)column_bits(&dice) >> (12 + round % 50);
        }
        plain->range(u, n - round % 2, &least, &most);
        row->range(u, n - round % 2, &row_least, &row_most);
        assert_true(least == row_least && most == row_most);
        plain->steps(m, n, &lo, &hi);
        row->steps(m, n, &row_lo, &row_hi);
        assert_true(lo == row_lo && hi == row_hi);
    }
}

static void doubles_are_split_and_joined_alike_or_not_at_all(void **state)
{
    static uint64_t u[SLOTS], a[ROUNDED], b[ROUNDED];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;
    unsigned n_refused = 0;

    (void)state;
    column_init(&dice, 5);
    for (unsigned round = 0; round < 4000; round++) {
        unsigned n = 1 + (unsigned)(column_bits(&dice) % (round % 2 ? 40 : SLOTS));
        unsigned cut = (round % 3 ? 48U : 16U) + (unsigned)(column_bits(&dice) % 5);
        uint64_t low = (1ULL << cut) - 1;
        unsigned n_kinds = 1 + round % 19;
        uint16_t upper[TA_SPLIT_MAX], row_upper[TA_SPLIT_MAX];
        uint64_t parts[TA_SPLIT_MAX] = {0};

        for (unsigned i = 0; i < n; i++)
            u[i] =
                (column_bits(&dice) % n_kinds * 0x123 & 0x7FF) << cut | (column_bits(&dice) & low);
        memcpy(a, u, sizeof(u));
        memcpy(b, u, sizeof(u));
        unsigned n_upper = plain->split(a, n, cut, upper);
        assert_int_equal(row->split(b, n, cut, row_upper), n_upper);
        n_refused += n_upper == 0;
        if (n_upper == 0)
            continue;
        assert_memory_equal(a, b, n * sizeof(*a));
        assert_memory_equal(upper, row_upper, n_upper * sizeof(*upper));
        for (unsigned i = 0; i < n_upper; i++)
            parts[i] = (uint64_t)upper[i] << cut;
        plain->join(a, n, cut, parts, n_upper);
        row->join(b, n, cut, parts, n_upper);
        assert_memory_equal(a, u, n * sizeof(*a));
        assert_memory_equal(b, u, n * sizeof(*b));
    }
    assert_true(n_refused > 100);
}

static void values_are_spread_over_their_slots_alike(void **state)
{
    static double value[ROUNDED], a[SLOTS], b[SLOTS];
    unsigned char bitmap[SLOTS / 8 + TA_RUN_PAD];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;

    (void)state;
    column_init(&dice, 2);
    for (unsigned i = 0; i < ROUNDED; i++)
        value[i] = column_uniform(&dice);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned from = (unsigned)(column_bits(&dice) % SLOTS);
        unsigned n = (unsigned)(column_bits(&dice) % (SLOTS - from + 1));

        random_bytes(&dice, bitmap, sizeof(bitmap));
        plain->spread(bitmap, from, n, value, -1, a);
        row->spread(bitmap, from, n, value, -1, b);
        assert_memory_equal(a, b, n * sizeof(*a));
    }
}

static void any_integers_on_any_grid_become_the_same_values(void **state)
{
    static uint64_t u[ROUNDED];
    static double a[SLOTS], b[SLOTS];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;

    (void)state;
    column_init(&dice, 3);
    for (unsigned round = 0; round < 20000; round++) {
        struct ta_grid grid = {(uint8_t)column_bits(&dice), (uint16_t)column_bits(&dice)};
        struct ta_grid_op op;
        unsigned n = (unsigned)(column_bits(&dice) % 40);
        int64_t base = (int64_t)column_bits(&dice);

        if (!ta_grid_op(grid, &op))
            continue;
        for (unsigned i = 0; i < ROUNDED; i++)
            u[i] = column_bits(&dice) >> (round % 64);
        plain->from_ints(u, n, base, &op, a);
        row->from_ints(u, n, base, &op, b);
        assert_memory_equal(a, b, n * sizeof(*a));
    }
}

static void binary32_is_narrowed_and_widened_alike(void **state)
{
    static const uint32_t special[] = {0,          0x80000000, 1,          0x80000001, 0x7FFFFF,
                                       0x00800000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x3F800000};
    static double v[SLOTS], a[ROUNDED], b[ROUNDED];
    static uint64_t ua[ROUNDED], ub[ROUNDED];
    const struct ta_codec_kernels *row = other_row();
    struct column dice;

    (void)state;
    column_init(&dice, 6);
    for (unsigned n = 1; n <= SLOTS; n += 1 + n / 32) {
        for (unsigned i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)column_bits(&dice) & 0xBFFFFFFF;
            float x;

            bits = i % 3 ? bits : special[i / 3 % 10];
            memcpy(&x, &bits, sizeof(x));
            v[i] = (double)x;
        }
        plain->narrow(v, n, ua);
        row->narrow(v, n, ub);
        assert_memory_equal(ua, ub, n * sizeof(*ua));
        plain->widen(ua, n, a);
        row->widen(ub, n, b);
        assert_memory_equal(a, v, n * sizeof(*v));
        assert_memory_equal(b, v, n * sizeof(*v));
    }
}

static void columns_of_every_kind_are_judged_alike(void **state)
{
    static double v[SLOTS], acc_a[SLOTS], acc_b[SLOTS];
    static int64_t ma[ROUNDED], mb[ROUNDED];
    const struct ta_codec_kernels *row = other_row();

    (void)state;
    for (unsigned k = 0; k < n_column_kinds; k++) {
        struct column column;

        column_init(&column, k);
        for (unsigned n = 1; n <= SLOTS; n += 1 + n / 16) {
            struct ta_run_stats sa, sb;
            struct ta_grid_op op;
            int64_t la = 0, lb = 0, ha = 0, hb = 0;

            for (unsigned i = 0; i < n; i++)
                v[i] = column_kinds[k].next(&column);
            assert_int_equal(plain->scan(v, n), row->scan(v, n));
            for (unsigned e = 0; e < 8; e++) {
                assert_true(ta_grid_op((struct ta_grid){(uint8_t)((n % 2) << 5 | e), 0}, &op));
                bool holds = plain->to_ints(v, n, &op, ma, &la, &ha);
                assert_int_equal(holds, row->to_ints(v, n, &op, mb, &lb, &hb));
                assert_true(la == lb && ha == hb);
                assert_true(!holds || memcmp(ma, mb, n * sizeof(*ma)) == 0);
            }
            for (unsigned i = 0; i < n; i++)
                v[i] = isnan(v[i]) ? 1 : v[i];
            plain->stats(v, n, &sa);
            row->stats(v, n, &sb);
            assert_true(sa.count == sb.count && sa.min == sb.min && sa.max == sb.max);
            assert_true(sa.sum == sb.sum || (isnan(sa.sum) && isnan(sb.sum)));
            for (unsigned i = 0; i < n; i++)
                acc_a[i] = acc_b[i] = i;
            plain->add(v, n, acc_a);
            row->add(v, n, acc_b);
            assert_memory_equal(acc_a, acc_b, n * sizeof(*acc_a));
        }
    }
}

static void a_scan_tells_missing_varying_and_wide_values(void **state)
{
    const double same[] = {0.5, 0.5, 0.5, 0.5, 0.5};
    const double varying[] = {0.5, 0.5, 0.5, 0.5, 0.25};
    const double signs[] = {0.0, 0.0, -0.0};
    const double wide[] = {0.1, 0.1};
    const double missing[] = {1, 1, 1, 1, 1, (double)NAN};

    (void)state;
    assert_int_equal(plain->scan(same, 5), 0);
    assert_int_equal(plain->scan(varying, 5), TA_SCAN_VARIES);
    assert_int_equal(plain->scan(signs, 3), TA_SCAN_VARIES);
    assert_int_equal(plain->scan(wide, 2), TA_SCAN_WIDE);
    assert_true(plain->scan(missing, 6) & TA_SCAN_MISSING);
}

static bool lies_on(const double *v, unsigned n, bool is_float, unsigned kind, unsigned e,
                    unsigned arg)
{
    struct ta_grid grid;

    return ta_grid_find(v, n, is_float, &grid) && grid.code == (kind << 5 | e) && grid.arg == arg;
}

static void the_coarsest_grid_is_found(void **state)
{
    const double cents[] = {0.25, 17.01, -3.5};
    const double fractions[] = {0.25, 17.5, -3.75};
    const double steps[] = {1200, 1500, 3000};
    const double pages[] = {4096 * 1e6, 4096 * 1000001.0};
    const double shares[] = {1.0 / 3, 5.0 / 12, 7.0 / 4};
    const double percents[] = {1.0 / 7 * 100, 2.0 / 21 * 100};
    const double huge[] = {0x1p700, 0x1p710};
    const double floats[] = {(double)0.1F, (double)17.3F};

    (void)state;
    assert_true(lies_on(cents, 3, false, TA_GRID_DECIMAL, 2, 0));
    assert_true(lies_on(fractions, 3, true, TA_GRID_DYADIC, 0, 1100 - 2));
    assert_true(lies_on(steps, 3, true, TA_GRID_MULTIPLE, 0, 300));
    assert_true(lies_on(pages, 2, false, TA_GRID_MULTIPLE, 0, 4096));
    assert_true(lies_on(shares, 3, false, TA_GRID_RATIO, 0, 12));
    assert_true(lies_on(percents, 2, false, TA_GRID_PERCENT, 0, 21) ||
                lies_on(percents, 2, false, TA_GRID_RATIO, 0, 21));
    assert_true(lies_on(huge, 2, false, TA_GRID_DYADIC, 0, 1100 + 700));
    assert_true(lies_on(floats, 2, true, TA_GRID_DECIMAL_F32, 1, 0));
}

static void values_without_a_grid_are_refused(void **state)
{
    const double full[] = {3.14159265358979312, 2.71828182845904509};
    const double negative_zero[] = {1, -0.0};
    const double infinite[] = {1, INFINITY};
    const double tiny[] = {1, 0x1p-1074};
    const double far[] = {1, 0x1p60};
    struct ta_grid grid;

    (void)state;
    assert_false(ta_grid_find(full, 2, false, &grid));
    assert_false(ta_grid_find(negative_zero, 2, true, &grid));
    assert_false(ta_grid_find(infinite, 2, true, &grid));
    assert_false(ta_grid_find(tiny, 2, false, &grid));
    assert_false(ta_grid_find(far, 2, true, &grid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width_pack_and_unpack_alike),
        cmocka_unit_test(extremes_and_steps_are_found_alike),
        cmocka_unit_test(doubles_are_split_and_joined_alike_or_not_at_all),
        cmocka_unit_test(values_are_spread_over_their_slots_alike),
        cmocka_unit_test(any_integers_on_any_grid_become_the_same_values),
        cmocka_unit_test(binary32_is_narrowed_and_widened_alike),
        cmocka_unit_test(columns_of_every_kind_are_judged_alike),
        cmocka_unit_test(a_scan_tells_missing_varying_and_wide_values),
        cmocka_unit_test(the_coarsest_grid_is_found),
        cmocka_unit_test(values_without_a_grid_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
