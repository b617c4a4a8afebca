/* Runs give back every bit, whatever the values, the gaps and the length. */
#include "columns.h"
#include "store/run.h"
#include "store/run_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = TA_RUN_SLOTS_MAX };

static unsigned char run[TA_RUN_ROOM(SLOTS)];

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static void assert_same(const double *want, const double *got, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!same(want[i], got[i]))
            fail_msg("slot %u of %u (%s): %a, not %a", i, n, ta_run_codec(run), got[i], want[i]);
    }
}

static size_t round_trip(const double *v, unsigned n, struct ta_run_hint *hint)
{
    double back[SLOTS];
    size_t bytes = ta_run_encode(v, n, hint, run, TA_RUN_ROOM(n));
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++)
        count += isnan(v[i]) ? 0 : 1;
    assert_int_equal(ta_run_check(run, bytes), bytes);
    assert_int_equal(ta_run_bytes(run), bytes);
    assert_int_equal(ta_run_len(run), n);
    assert_int_equal(ta_run_count(run), count);
    ta_run_decode(run, 0, n, back);
    assert_same(v, back, n);
    return bytes;
}

static void fill(const struct column_kind *kind, uint64_t seed, double *v, unsigned n)
{
    struct column column;

    column_init(&column, seed);
    for (unsigned i = 0; i < n; i++)
        v[i] = kind->next(&column);
}

static void every_kind_comes_back_bit_for_bit_at_every_length(void **state)
{
    double v[SLOTS];

    (void)state;
    for (unsigned k = 0; k < n_column_kinds; k++) {
        struct ta_run_hint hint = {0};

        for (unsigned n = 0; n <= SLOTS; n++) {
            fill(&column_kinds[k], n / 8, v, n);
            round_trip(v, n, &hint);
        }
    }
}

static void gaps_anywhere_come_back_as_missing(void **state)
{
    double v[SLOTS];
    struct column dice;

    (void)state;
    column_init(&dice, 7);
    for (unsigned round = 0; round < 4000; round++) {
        struct ta_run_hint hint = {0};
        unsigned n = (unsigned)(column_bits(&dice) % (SLOTS + 1));
        unsigned lead = (unsigned)(column_bits(&dice) % (n + 1));
        unsigned tail = (unsigned)(column_bits(&dice) % (n + 1));
        double share = round % 4 == 0 ? 0 : column_uniform(&dice);

        fill(&column_kinds[round % n_column_kinds], round, v, n);
        for (unsigned i = 0; i < n; i++) {
            if ((round % 3 == 0 && i < lead) || (round % 5 == 0 && i + tail >= n) ||
                column_uniform(&dice) < share)
                v[i] = (double)NAN;
        }
        round_trip(v, n, &hint);
    }
}

static void a_hint_from_another_column_never_changes_the_values(void **state)
{
    double v[SLOTS];
    struct column dice;
    struct ta_run_hint hint = {0};

    (void)state;
    column_init(&dice, 8);
    for (unsigned round = 0; round < 4000; round++) {
        uint64_t bits = column_bits(&dice);
        unsigned n = bits % 2 ? 32 : 512;

        if (round % 2)
            memcpy(&hint, &bits, sizeof(hint));
        fill(&column_kinds[round % n_column_kinds], round, v, n);
        round_trip(v, n, &hint);
    }
}

static void any_part_reads_as_the_whole_does(void **state)
{
    double v[SLOTS];
    double part[SLOTS];
    struct column dice;

    (void)state;
    column_init(&dice, 9);
    for (unsigned round = 0; round < 6000; round++) {
        struct ta_run_hint hint = {0};
        unsigned n = 1 + (unsigned)(column_bits(&dice) % SLOTS);
        unsigned from = (unsigned)(column_bits(&dice) % (n + 1));
        unsigned len = (unsigned)(column_bits(&dice) % (n - from + 1));

        fill(&column_kinds[round % n_column_kinds], round, v, n);
        for (unsigned i = 0; i < n && round % 2; i++)
            v[i] = column_bits(&dice) % 3 ? v[i] : (double)NAN;
        round_trip(v, n, &hint);
        ta_run_decode(run, from, len, part);
        assert_same(v + from, part, len);
        for (unsigned i = 0; i < len; i++)
            part[i] = i;
        ta_run_add(run, from, len, part);
        for (unsigned i = 0; i < len; i++)
            assert_true(same(part[i], i + v[from + i]));
    }
}

static void assert_stats(const double *v, unsigned n, const struct ta_run_stats *got)
{
    struct ta_run_stats want = {0};
    double magnitude = 0;

    for (unsigned i = 0; i < n; i++) {
        struct ta_run_stats one = {1, v[i], v[i], v[i]};

        if (!isnan(v[i])) {
            ta_run_stats_join(&want, &one);
            magnitude += fabs(v[i]);
        }
    }
    assert_int_equal(got->count, want.count);
    if (want.count == 0)
        return;
    assert_true(got->min == want.min && got->max == want.max);
    if (magnitude < 1e300)
        assert_true(fabs(got->sum - want.sum) <= magnitude * 1e-13);
}

static void statistics_are_those_of_the_slots(void **state)
{
    double v[SLOTS];
    struct column dice;

    (void)state;
    column_init(&dice, 10);
    for (unsigned round = 0; round < 4000; round++) {
        struct ta_run_hint hint = {0};
        struct ta_run_stats stats;
        unsigned n = 1 + (unsigned)(column_bits(&dice) % SLOTS);
        unsigned from = (unsigned)(column_bits(&dice) % (n + 1));
        unsigned len = (unsigned)(column_bits(&dice) % (n - from + 1));

        fill(&column_kinds[round % n_column_kinds], round, v, n);
        for (unsigned i = 0; i < n && round % 2; i++)
            v[i] = column_bits(&dice) % 3 ? v[i] : (double)NAN;
        round_trip(v, n, &hint);
        ta_run_stats(run, 0, n, &stats);
        assert_stats(v, n, &stats);
        ta_run_stats(run, from, len, &stats);
        assert_stats(v + from, len, &stats);
    }
}

/* Bytes a slot of the second run of a column, when its hint is settled. */
static double price(const char *name, unsigned n)
{
    double v[2 * SLOTS];
    struct ta_run_hint hint = {0};
    unsigned k = 0;

    while (strcmp(column_kinds[k].name, name) != 0)
        k++;
    fill(&column_kinds[k], 1, v, 2 * n);
    round_trip(v, n, &hint);
    return (double)round_trip(v + n, n, &hint) / n;
}

static void each_kind_finds_its_codec(void **state)
{
    (void)state;
    assert_true(price("zero", 512) < 0.01);
    assert_true(price("temperature", 512) < 0.8);
    assert_true(price("decimal", 512) < 2);
    assert_true(price("decimal-f32", 512) < 2);
    assert_true(price("inverse", 512) < 3);
    assert_true(price("share", 512) < 1.8);
    assert_true(price("percent", 512) < 1.8);
    assert_true(price("mem-bytes", 512) < 2.6);
    assert_true(price("rate-f32", 512) < 3.9);
    assert_true(price("burst", 512) < 1.1);
    assert_true(price("rate", 512) < 7);
    assert_true(price("decimal", 32) < 2.1);
    assert_true(price("zero", 32) < 0.11);
}

static void a_column_that_changes_its_nature_is_noticed(void **state)
{
    double v[SLOTS];
    struct ta_run_hint hint = {0};
    size_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < SLOTS; i++)
        v[i] = 1 / (i + 3.0);
    round_trip(v, SLOTS, &hint);
    round_trip(v, 32, &hint);
    for (unsigned i = 0; i < SLOTS; i++)
        v[i] = i * i % 11 + 0.25;
    for (unsigned again = 0; again < 5; again++)
        bytes = round_trip(v, SLOTS, &hint);
    assert_true(bytes < SLOTS / 2 + 64);
    assert_true(round_trip(v, 32, &hint) < 32);
}

static void missing_slots_at_the_ends_cost_next_to_nothing(void **state)
{
    double v[SLOTS];
    struct ta_run_hint hint = {0};

    (void)state;
    for (unsigned i = 0; i < SLOTS; i++)
        v[i] = i >= 200 && i < 210 ? i * 0.5 : (double)NAN;
    assert_true(round_trip(v, SLOTS, &hint) < 64);
    for (unsigned i = 0; i < SLOTS; i++)
        v[i] = (double)NAN;
    assert_int_equal(round_trip(v, SLOTS, &hint), TA_RUN_HEAD_BYTES);
}

static void joined_statistics_cover_both_parts(void **state)
{
    struct ta_run_stats all = {0};
    struct ta_run_stats none = {0};
    struct ta_run_stats a = {2, 3, 1, 2};
    struct ta_run_stats b = {1, -5, -5, -5};

    (void)state;
    ta_run_stats_join(&all, &a);
    ta_run_stats_join(&all, &none);
    ta_run_stats_join(&all, &b);
    assert_int_equal(all.count, 3);
    assert_true(all.sum == -2 && all.min == -5 && all.max == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_bit_for_bit_at_every_length),
        cmocka_unit_test(gaps_anywhere_come_back_as_missing),
        cmocka_unit_test(a_hint_from_another_column_never_changes_the_values),
        cmocka_unit_test(any_part_reads_as_the_whole_does),
        cmocka_unit_test(statistics_are_those_of_the_slots),
        cmocka_unit_test(each_kind_finds_its_codec),
        cmocka_unit_test(a_column_that_changes_its_nature_is_noticed),
        cmocka_unit_test(missing_slots_at_the_ends_cost_next_to_nothing),
        cmocka_unit_test(joined_statistics_cover_both_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
