/* Runs written by any earlier version read the same: what is on disk outlives the program. */
#include "store/run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES_MAX = 64, SLOTS = TA_RUN_SLOTS_MAX };

#define GAP (double)NAN
#define PI  3.14159265358979312

struct golden {
    const char *codec;
    const char *hex;
    unsigned n;
    double v[24];
};

/* Never change a line; new ways to encode get new lines. */
static const struct golden goldens[] = {
    {"empty", "000300", 3, {GAP, GAP, GAP}},
    {"const", "0803080440", 3, {2.5, 2.5, 2.5}},
    {"for", "0104380202BC0600E070AE04", 4, {17.25, 0.01, 99.99, 3}},
    {"for", "010908604A0418806100", 9, {3, 3, 3, 3.5, 3.25, 3, 3.5, 3.25, 3}},
    {"for", "11040C0D800C00080801", 4, {1 / 3.0, GAP, 5 / 12.0, 2 / 3.0}},
    {"for", "010204A015000401", 2, {1 / 7.0 * 100, 2 / 21.0 * 100}},
    {"for", "11042C07221400C0F52F01", 4, {(double)0.1F, (double)17.3F, 12.25, GAP}},
    {"for", "0102084090010608", 2, {1200, 2000}},
    {"delta", "02060400FE887A0214", 6, {1000000, 1000001, 1000003, 1000004, 1000006, 1000007}},
    {"dict",
     "03150401FF7DC39425AD49B2547DC39425AD49B2D44A900F",
     21,
     {1e100, -1e100, 1e100, -1e100, 1e100,  1e100,  -1e100, 1e100,  1e100,  1e100, 1e100,
      1e100, -1e100, 1e100, 1e100,  -1e100, -1e100, -1e100, -1e100, -1e100, 1e100}},
    {"split",
     "0403C030010940182D4454FB21FB56020AA022DE80C0BF4423",
     3,
     {PI, PI * 1.0001, PI * 1.0002}},
    {"split", "440358160131016666C6CCCCD4CCCC02", 3, {52009368, 55364812, 62075700}},
    {"bits", "050408182D4454FB210940E4", 4, {PI, PI + 0x1p-51, PI + 0x1p-50, PI + 0x1.8p-50}},
    {"raw",
     "06040000000000000000800000000000000000000000000000F07F0100000000000000",
     4,
     {-0.0, 0.0, INFINITY, 0x1p-1074}},
    {"sparse", "071700001002010701028022", 23, {[12] = 0.1, [17] = 7}},
};

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return n;
}

static void assert_reads(const char *hex, const char *codec, const double *v, unsigned n)
{
    unsigned char run[BYTES_MAX + TA_RUN_PAD] = {0};
    double back[SLOTS];
    size_t bytes = from_hex(hex, run);

    assert_int_equal(ta_run_check(run, bytes), bytes);
    assert_string_equal(ta_run_codec(run), codec);
    assert_int_equal(ta_run_len(run), n);
    ta_run_decode(run, 0, n, back);
    for (unsigned i = 0; i < n; i++)
        assert_true((isnan(v[i]) && isnan(back[i])) || memcmp(&v[i], &back[i], sizeof(*v)) == 0);
}

static void short_runs_of_every_codec_read_as_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
        assert_reads(goldens[i].hex, goldens[i].codec, goldens[i].v, goldens[i].n);
}

static void a_long_run_with_a_span_of_values_reads_as_ever(void **state)
{
    const char *hex =
        "31820C0000000000001140000000000000E03F00000000000002401E00040003000B604A0404E001";
    double v[130];

    (void)state;
    for (unsigned i = 0; i < 130; i++)
        v[i] = GAP;
    v[30] = 0.5;
    v[31] = 1.5;
    v[33] = 2.25;
    assert_reads(hex, "for", v, 130);
}

static void the_statistics_of_a_long_run_read_as_ever(void **state)
{
    const char *hex = "21820400000000004050400000000000000000000000000000F03F40010000"
                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA02";
    unsigned char run[BYTES_MAX + TA_RUN_PAD] = {0};
    struct ta_run_stats stats;
    double v[130];

    (void)state;
    for (unsigned i = 0; i < 130; i++)
        v[i] = i % 2;
    assert_reads(hex, "for", v, 130);
    (void)from_hex(hex, run);
    ta_run_stats(run, 0, 130, &stats);
    assert_int_equal(stats.count, 130);
    assert_true(stats.sum == 65 && stats.min == 0 && stats.max == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_runs_of_every_codec_read_as_ever),
        cmocka_unit_test(a_long_run_with_a_span_of_values_reads_as_ever),
        cmocka_unit_test(the_statistics_of_a_long_run_read_as_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
