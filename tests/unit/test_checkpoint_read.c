/* Checkpoint files of both formats give their series back; damaged ones are refused wherever they were cut. */
#include "mem_file.h"
#include "persist/checkpoint_json_read.h"
#include "persist/snapshot_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* (spec: formats 3, the example) load every 10 s at the host, m2 every 2 s at socket0, its second value missing */
static const unsigned char example[] = {
    0x01, 0x00, 0x5b, 0xcc, 0xdd, 0xf8, 0x00, 0x6b, 0,    0,    0,   0,   0xe2, 0xf8, 0x00, 0x6b,
    0,    0,    0,    0,    1,    0,    0,    0,    4,    0,    'l', 'o', 'a',  'd',  10,   0,
    0,    0,    0,    0,    0,    0,    0xdd, 0xf8, 0x00, 0x6b, 0,   0,   0,    0,    1,    0,
    0,    0,    0x52, 0x06, 0x1e, 0x41, 1,    0,    0,    0,    7,   0,   's',  'o',  'c',  'k',
    'e',  't',  '0',  1,    0,    0,    0,    2,    0,    'm',  '2', 2,   0,    0,    0,    0,
    0,    0,    0,    0xde, 0xf8, 0x00, 0x6b, 0,    0,    0,    0,   2,   0,    0,    0,    0xcd,
    0xcc, 0x8c, 0x3f, 0x00, 0x00, 0xc0, 0x7f, 0,    0,    0,    0};

/* Reads to the end; the number of series, or an error. */
static int read_bin(const void *p, size_t n, int64_t *sum_n)
{
    struct ta_snapshot_reader r = {0};
    struct ta_tree_series s;
    struct mem_file m;
    int count = 0;

    mem_file_init(&m, p, n);
    int e = ta_snapshot_open(&r, &m.file, &ta_heap, NULL);
    while (e >= 0 && (e = ta_snapshot_next(&r, &s, NULL)) > 0) {
        count++;
        *sum_n += s.n;
    }
    ta_snapshot_done(&r);
    return e < 0 ? e : count;
}

static void the_example_of_the_format_is_read(void **state)
{
    (void)state;
    struct ta_snapshot_reader r = {0};
    struct ta_tree_series s;
    struct mem_file m;
    float v[2];

    mem_file_init(&m, example, sizeof(example));
    assert_int_equal(ta_snapshot_open(&r, &m.file, &ta_heap, NULL), TA_OK);
    assert_int_equal(r.from_s, 0x6b00f8dd);
    assert_int_equal(r.to_s, 0x6b00f8e2);
    assert_int_equal(ta_snapshot_next(&r, &s, NULL), 1);
    assert_true(ta_str_is(s.metric, "load") && s.depth == 0 && s.freq_s == 10 && s.n == 1);
    assert_int_equal(ta_snapshot_next(&r, &s, NULL), 1);
    assert_true(ta_str_is(s.metric, "m2") && s.depth == 1 && ta_str_is(s.level[0], "socket0"));
    assert_int_equal(s.start_s, 0x6b00f8de);
    assert_int_equal(ta_snapshot_values(&m.file, s.at, 0, 2, v, NULL), TA_OK);
    assert_true(v[0] > 1.09f && v[0] < 1.11f && isnan(v[1]));
    assert_int_equal(ta_snapshot_next(&r, &s, NULL), 0);
    ta_snapshot_done(&r);
}

static void a_snapshot_cut_anywhere_is_refused(void **state)
{
    (void)state;
    int64_t sum = 0;

    for (size_t cut = 0; cut < sizeof(example); cut++)
        assert_int_equal(read_bin(example, cut, &sum), TA_EFORMAT);
    assert_int_equal(read_bin(example, sizeof(example), &sum), 2);
}

static void no_byte_makes_a_snapshot_larger_than_its_file(void **state)
{
    (void)state;
    unsigned char copy[sizeof(example)];

    for (size_t i = 0; i < sizeof(example); i++) {
        for (unsigned v = 0; v < 256; v += 5) {
            int64_t sum = 0;
            memcpy(copy, example, sizeof(copy));
            copy[i] = (unsigned char)v;
            (void)read_bin(copy, sizeof(copy), &sum);
            assert_in_range(sum, 0, sizeof(example) / 4);
        }
    }
}

static void a_frequency_of_zero_and_endless_levels_are_refused(void **state)
{
    (void)state;
    unsigned char copy[sizeof(example)];
    unsigned char deep[20 + 64 * 11] = {0x01, 0x00, 0x5b, 0xcc};
    int64_t sum = 0;

    memcpy(copy, example, sizeof(copy));
    copy[30] = 0;
    assert_int_equal(read_bin(copy, sizeof(copy), &sum), TA_EFORMAT);
    for (size_t i = 0; i < 64; i++) {
        deep[20 + i * 11 + 4] = 1; /* no metrics, one child, of a name of one letter */
        deep[20 + i * 11 + 8] = 1;
        deep[20 + i * 11 + 10] = 'x';
    }
    assert_int_equal(read_bin(deep, sizeof(deep), &sum), TA_EFORMAT);
}

/* Reads a JSON checkpoint in steps of `step` bytes; writes what it says into `out`. */
static int read_json(const char *text, size_t n, size_t step, char *out, size_t cap)
{
    static struct ta_checkpoint_json r;
    struct ta_checkpoint_json_event e;
    struct ta_mem_source source;
    size_t len = 0;

    ta_mem_source_init(&source, text, n, step);
    out[0] = 0;
    int status = ta_checkpoint_json_open(&r, &source.source, &ta_heap, NULL);
    while (status >= 0 && (status = ta_checkpoint_json_next(&r, &e, NULL)) > 0) {
        if (e.kind == TA_CHECKPOINT_JSON_VALUES) {
            for (size_t i = 0; i < e.n; i++)
                len += (size_t)snprintf(out + len, cap - len, "%g ", e.values[i]);
            continue;
        }
        for (unsigned i = 0; i < e.series.depth; i++)
            len += (size_t)snprintf(out + len, cap - len, "%.*s/", TA_STR_FMT(e.series.level[i]));
        len += (size_t)snprintf(out + len, cap - len, "%.*s f=%lld s=%lld n=%u; ",
                                TA_STR_FMT(e.series.metric), (long long)e.series.freq_s,
                                (long long)e.series.start_s, e.series.n);
    }
    if (status == 0)
        snprintf(out + len, cap - len, "%lld..%lld", (long long)r.from_s, (long long)r.to_s);
    ta_checkpoint_json_done(&r);
    return status;
}

static const char document[] =
    "{\"to\":9,\"metrics\":{\"load\":{\"data\":[1.5,null,-2e1],\"x\":{\"y\":[1]},\"start\":5,"
    "\"frequency\":60},"
    "\"none\":{\"frequency\":1,\"start\":2,\"data\":null}},\"children\":{\"acc0\":{\"from\":7,"
    "\"children\":"
    "{\"nv\":{\"metrics\":{\"bw\":{\"frequency\":10,\"start\":3,\"data\":[7]}},\"children\":null}},"
    "\"metrics\":null}},\"from\":1}\ntrailing bytes that nobody reads";

static const char told[] = "1.5 nan -20 load f=60 s=5 n=3; none f=1 s=2 n=0; "
                           "7 acc0/nv/bw f=10 s=3 n=1; 1..9";

static void keys_in_any_order_and_reads_of_any_size_give_the_same_series(void **state)
{
    (void)state;
    char out[512];

    for (size_t step = 1; step < sizeof(document); step = step * 3 + 1) {
        assert_int_equal(read_json(document, sizeof(document) - 1, step, out, sizeof(out)), 0);
        assert_string_equal(out, told);
    }
}

static void a_json_checkpoint_cut_anywhere_is_refused(void **state)
{
    (void)state;
    const size_t end = (size_t)(strchr(document, '\n') - document);
    char out[512];

    for (size_t cut = 0; cut < end; cut++)
        assert_int_equal(read_json(document, cut, 0, out, sizeof(out)), TA_EFORMAT);
}

static void impossible_metrics_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"metrics\":{\"a\":{\"frequency\":0,\"start\":1,\"data\":[1]}}}",
        "{\"metrics\":{\"a\":{\"frequency\":-5,\"start\":1,\"data\":[1]}}}",
        "{\"metrics\":{\"a\":{\"frequency\":1.5,\"start\":1,\"data\":[1]}}}",
        "{\"metrics\":{\"a\":{\"frequency\":9223372036854775807,\"start\":9,\"data\":[1,2]}}}",
        "{\"metrics\":{\"a\":{\"frequency\":1,\"start\":1,\"data\":[1],\"data\":[2]}}}",
        "{\"metrics\":{\"a\":{\"frequency\":1,\"start\":1,\"data\":[\"x\"]}}}",
        "{\"metrics\":[]}",
        "[]",
        "",
    };
    char out[512];

    for (size_t i = 0; i < TA_COUNT(bad); i++)
        assert_int_equal(read_json(bad[i], strlen(bad[i]), 0, out, sizeof(out)), TA_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_format_is_read),
        cmocka_unit_test(a_snapshot_cut_anywhere_is_refused),
        cmocka_unit_test(no_byte_makes_a_snapshot_larger_than_its_file),
        cmocka_unit_test(a_frequency_of_zero_and_endless_levels_are_refused),
        cmocka_unit_test(keys_in_any_order_and_reads_of_any_size_give_the_same_series),
        cmocka_unit_test(a_json_checkpoint_cut_anywhere_is_refused),
        cmocka_unit_test(impossible_metrics_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
