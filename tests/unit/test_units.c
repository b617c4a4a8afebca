/* Durations, times and sizes: what is accepted, what is refused, and with which words. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t duration(const char *text)
{
    int64_t ns = -1;

    assert_int_equal(ta_parse_duration(ta_str(text), &ns, NULL), TA_OK);
    return ns;
}

static void durations_are_read_as_the_config_writes_them(void **state)
{
    (void)state;
    assert_int_equal(duration("48h"), INT64_C(48) * 3600 * 1000000000);
    assert_int_equal(duration("1h30m"), INT64_C(5400) * 1000000000);
    assert_int_equal(duration("0.5h"), INT64_C(1800) * 1000000000);
    assert_int_equal(duration(".5s"), 500000000);
    assert_int_equal(duration("-3s"), INT64_C(-3000000000));
    assert_int_equal(duration("0"), 0);
    assert_int_equal(duration("-0"), 0);
    assert_int_equal(duration("1.5ns"), 1);
    assert_int_equal(duration("2us3\xc2\xb5s4\xce\xbcs"), 9000);
    assert_int_equal(duration("350ms"), 350000000);
    assert_int_equal(duration("9223372036854775807ns"), INT64_MAX);
    assert_true(duration("-9223372036854775808ns") == INT64_MIN);
}

static void bad_durations_are_named(void **state)
{
    static const char *const bad[] = {"", "-", "3", "h", "1x", "1h30", ".s", "1 h", "1h m", "--1s"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(bad); i++) {
        struct ta_err err = {0};
        int64_t ns = 42;
        assert_int_equal(ta_parse_duration(ta_str(bad[i]), &ns, &err), TA_EFORMAT);
        assert_int_equal(ns, 42);
        assert_non_null(strstr(err.text, bad[i]));
    }
    assert_int_equal(ta_parse_duration(TA_STR("9223372036854775808ns"), &(int64_t){0}, NULL),
                     TA_ERANGE);
    assert_int_equal(ta_parse_duration(TA_STR("99999999999999999999h"), &(int64_t){0}, NULL),
                     TA_ERANGE);
}

static int64_t time_of(const char *text)
{
    int64_t t = -1;

    assert_int_equal(ta_parse_time(ta_str(text), &t, NULL), TA_OK);
    return t;
}

static void times_are_unix_seconds_or_rfc3339(void **state)
{
    (void)state;
    assert_int_equal(time_of("1700000000"), 1700000000);
    assert_int_equal(time_of("-5"), -5);
    assert_int_equal(time_of("1970-01-01"), 0);
    assert_int_equal(time_of("2023-11-14T22:13:20Z"), 1700000000);
    assert_int_equal(time_of("2023-11-14t22:13:20.999z"), 1700000000);
    assert_int_equal(time_of("2023-11-15T00:13:20+02:00"), 1700000000);
    assert_int_equal(time_of("2023-11-14T16:43:20-05:30"), 1700000000);
    assert_int_equal(time_of("2024-02-29"), 1709164800);
    assert_int_equal(time_of("1969-12-31T23:59:59Z"), -1);
}

static void bad_times_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "yesterday",
                                      "2023-02-29",
                                      "2023-13-01",
                                      "2023-00-01",
                                      "2023-01-00",
                                      "2023-11-14T24:00:00Z",
                                      "2023-11-14T22:60:00Z",
                                      "2023-11-14T22:13:61Z",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14T22:13:20.Z",
                                      "2023-11-14T22:13:20+2:00",
                                      "2023-11-14T22:13:20Zx",
                                      "9223372036854775808"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(bad); i++)
        assert_int_equal(ta_parse_time(ta_str(bad[i]), &(int64_t){0}, NULL), TA_EFORMAT);
}

static void a_formatted_time_reads_back_for_every_day_of_400_years(void **state)
{
    char text[32];

    (void)state;
    for (int64_t t = -2208988800; t < 10413792000; t += 86400 + 3661)
        assert_int_equal(time_of(ta_format_time(text, t)), t);
    assert_string_equal(ta_format_time(text, 1795241940), "2026-11-21T06:19:00Z");
}

static uint64_t size_of(const char *text)
{
    uint64_t n = 1;

    assert_int_equal(ta_parse_size(ta_str(text), &n, NULL), TA_OK);
    return n;
}

static void sizes_know_both_families_of_units(void **state)
{
    (void)state;
    assert_int_equal(size_of("4096"), 4096);
    assert_int_equal(size_of("32MiB"), 32 << 20);
    assert_int_equal(size_of("1.5GiB"), UINT64_C(3) << 29);
    assert_int_equal(size_of("10MB"), 10000000);
    assert_int_equal(size_of("64k"), 65536);
    assert_int_equal(size_of("1 KiB"), 1024);
    assert_int_equal(size_of("0"), 0);
    assert_int_equal(ta_parse_size(TA_STR("18446744073709551616"), &(uint64_t){0}, NULL),
                     TA_ERANGE);
    assert_int_equal(ta_parse_size(TA_STR("99999999TiB"), &(uint64_t){0}, NULL), TA_ERANGE);
    assert_int_equal(ta_parse_size(TA_STR("1 parsec"), &(uint64_t){0}, NULL), TA_EFORMAT);
    assert_int_equal(ta_parse_size(TA_STR("-1"), &(uint64_t){0}, NULL), TA_EFORMAT);
    assert_int_equal(ta_parse_size(TA_STR(""), &(uint64_t){0}, NULL), TA_EFORMAT);
}

static void sizes_and_durations_are_written_for_people(void **state)
{
    char text[40];

    (void)state;
    assert_string_equal(ta_format_size(text, 0), "0 B");
    assert_string_equal(ta_format_size(text, 1023), "1023 B");
    assert_string_equal(ta_format_size(text, 1536), "1.5 KiB");
    assert_string_equal(ta_format_size(text, 1048575), "1023.9 KiB");
    assert_string_equal(ta_format_size(text, UINT64_MAX), "15.9 EiB");
    assert_string_equal(ta_format_duration(text, INT64_C(5400) * 1000000000), "1h30m0s");
    assert_string_equal(ta_format_duration(text, INT64_C(61) * 1000000000), "1m1s");
    assert_string_equal(ta_format_duration(text, INT64_C(-2) * 1000000000), "-2s");
    assert_string_equal(ta_format_duration(text, 350000000), "350ms");
    assert_string_equal(ta_format_duration(text, 0), "0s");
    assert_string_equal(ta_format_duration(text, 7), "7ns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_as_the_config_writes_them),
        cmocka_unit_test(bad_durations_are_named),
        cmocka_unit_test(times_are_unix_seconds_or_rfc3339),
        cmocka_unit_test(bad_times_are_refused),
        cmocka_unit_test(a_formatted_time_reads_back_for_every_day_of_400_years),
        cmocka_unit_test(sizes_know_both_families_of_units),
        cmocka_unit_test(sizes_and_durations_are_written_for_people),
    };

    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
