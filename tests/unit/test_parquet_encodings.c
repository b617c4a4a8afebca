/* What the encoders write the decoders read, for every width, length and split. */
#include "base/rand.h"
#include "parquet/bitpack.h"
#include "parquet/delta.h"
#include "parquet/dict.h"
#include "parquet/rle.h"
#include "parquet/split.h"
#include "parquet/stats.h"
#include "parquet/thrift.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { VALUES = 3000 };

static uint32_t below_width(struct ta_rand *rand, unsigned width)
{
    return (uint32_t)(ta_rand_u64(rand) & (((uint64_t)1 << width) - 1));
}

static void every_width_packs_and_unpacks(void **state)
{
    (void)state;
    struct ta_rand rand = {1};
    uint64_t in[100], out[100];
    unsigned char bytes[1000];

    for (unsigned width = 1; width <= 64; width++) {
        for (size_t i = 0; i < 100; i++)
            in[i] = ta_rand_u64(&rand) >> (64 - width);
        unsigned char *end = ta_bitpack_u64(bytes, in, 100, width);
        assert_int_equal(end - bytes, ta_bitpack_bytes(100, width));
        ta_bitunpack_u64(bytes, (size_t)(end - bytes), 100, width, out);
        assert_memory_equal(in, out, sizeof(in));
    }
}

static size_t random_runs(struct ta_rand *rand, struct ta_rle_run *runs, unsigned width,
                          uint32_t *flat)
{
    size_t n_runs = 0;
    size_t n = 0;

    while (n < VALUES) {
        uint32_t longest = ta_rand_below(rand, 3) ? 4 : 700;
        uint32_t count = 1 + (uint32_t)ta_rand_below(rand, longest);
        count = count < VALUES - n ? count : (uint32_t)(VALUES - n);
        runs[n_runs] = (struct ta_rle_run){below_width(rand, width), count};
        for (uint32_t i = 0; i < count; i++)
            flat[n++] = runs[n_runs].value;
        n_runs++;
    }
    return n_runs;
}

static void runs_of_indices_come_back_in_batches_of_any_size(void **state)
{
    (void)state;
    static struct ta_rle_run runs[VALUES];
    static uint32_t flat[VALUES], out[VALUES + 8];
    struct ta_rand rand = {2};
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    for (unsigned width = 0; width <= 32; width++) {
        size_t n_runs = random_runs(&rand, runs, width, flat);
        ta_buf_reset(&buf);
        assert_int_equal(ta_rle_encode(runs, n_runs, width, &buf), TA_OK);
        for (uint32_t step = 1; step < 600; step = step * 2 + 1) {
            struct ta_rle rle;
            assert_int_equal(ta_rle_init(&rle, buf.at, buf.len, width), TA_OK);
            for (uint32_t done = 0; done < VALUES;) {
                bool is_run;
                uint32_t max = step < VALUES - done ? step : VALUES - done;
                int64_t n = ta_rle_next(&rle, out + done, max, max, &is_run);
                assert_in_range(n, 1, max);
                for (int64_t i = 1; is_run && i < n; i++)
                    out[done + i] = out[done];
                done += (uint32_t)n;
            }
            assert_memory_equal(out, flat, sizeof(flat));
        }
    }
    ta_buf_done(&buf);
}

static void equal_rows_cost_a_run_however_many_they_are(void **state)
{
    (void)state;
    const struct ta_rle_run run = {3, 4000000000u};
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, 1 * KiB);
    assert_int_equal(ta_rle_encode(&run, 1, 2, &buf), TA_OK);
    assert_in_range(buf.len, 1, 8);
    ta_buf_done(&buf);
}

/* Kinds of sequences: steps, noise, extremes, mixtures. */
static int64_t sequence(struct ta_rand *rand, unsigned kind, size_t i, int64_t before)
{
    switch (kind) {
    case 0:
        return 1700000000 + (int64_t)i * 60;
    case 1:
        return (int64_t)ta_rand_u64(rand);
    case 2:
        return i % 2 ? INT64_MAX : INT64_MIN;
    case 3:
        return (int64_t)((uint64_t)before +
                         (ta_rand_below(rand, 50) ? 60 : ta_rand_below(rand, 9999)));
    default:
        return ta_rand_below(rand, 2) ? before
                                      : (int64_t)(ta_rand_u64(rand) >> ta_rand_below(rand, 64));
    }
}

static void differences_of_64_bits_come_back(void **state)
{
    (void)state;
    static int64_t in[VALUES], out[VALUES];
    static const size_t lengths[] = {0, 1, 2, 32, 33, 128, 129, 130, 257, VALUES};
    static struct ta_delta delta;
    struct ta_rand rand = {3};
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    for (unsigned kind = 0; kind < 5; kind++) {
        for (size_t l = 0; l < TA_COUNT(lengths); l++) {
            size_t n = lengths[l];
            for (size_t i = 0; i < n; i++)
                in[i] = sequence(&rand, kind, i, i ? in[i - 1] : 7);
            ta_buf_reset(&buf);
            assert_int_equal(ta_delta_encode_i64(in, n, &buf), TA_OK);
            assert_int_equal(ta_delta_init(&delta, buf.at, buf.len), TA_OK);
            size_t done = 0;
            int64_t k;
            while ((k = ta_delta_next_i64(&delta, out + done, 1 + ta_rand_below(&rand, 40))) > 0)
                done += (size_t)k;
            assert_int_equal(k, 0);
            assert_int_equal(done, n);
            assert_memory_equal(in, out, n * sizeof(*in));
        }
    }
    ta_buf_done(&buf);
}

static void differences_of_32_bits_wrap_and_need_at_most_32_bits(void **state)
{
    (void)state;
    static int32_t in[VALUES], out[VALUES];
    static struct ta_delta delta;
    struct ta_rand rand = {4};
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    for (size_t i = 0; i < VALUES; i++)
        in[i] = i % 3 == 0 ? INT32_MAX : i % 3 == 1 ? INT32_MIN : (int32_t)ta_rand_u64(&rand);
    assert_int_equal(ta_delta_encode_i32(in, VALUES, &buf), TA_OK);
    assert_in_range(buf.len, 1, VALUES * 4 + VALUES / 128 * 12 + 40);
    assert_int_equal(ta_delta_init(&delta, buf.at, buf.len), TA_OK);
    size_t done = 0;
    int64_t k;
    while ((k = ta_delta_next_i32(&delta, out + done, VALUES)) > 0)
        done += (size_t)k;
    assert_int_equal(done, VALUES);
    assert_memory_equal(in, out, sizeof(in));
    ta_buf_done(&buf);
}

static void equal_steps_cost_less_than_a_tenth_of_a_byte(void **state)
{
    (void)state;
    static int64_t in[12800];
    struct ta_buf buf;

    for (size_t i = 0; i < TA_COUNT(in); i++)
        in[i] = 1700000000 + (int64_t)i * 60;
    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    assert_int_equal(ta_delta_encode_i64(in, TA_COUNT(in), &buf), TA_OK);
    assert_in_range(buf.len, 1, TA_COUNT(in) / 10);
    ta_buf_done(&buf);
}

static void damaged_differences_end_in_an_error_or_other_numbers(void **state)
{
    (void)state;
    static int64_t in[300], out[300];
    static struct ta_delta delta;
    struct ta_rand rand = {5};
    struct ta_buf buf;

    for (size_t i = 0; i < TA_COUNT(in); i++)
        in[i] = sequence(&rand, 4, i, i ? in[i - 1] : 7);
    ta_buf_init(&buf, &ta_heap, 1 * MiB);
    assert_int_equal(ta_delta_encode_i64(in, TA_COUNT(in), &buf), TA_OK);
    for (size_t cut = 0; cut < buf.len; cut++) {
        if (ta_delta_init(&delta, buf.at, cut) < 0)
            continue;
        size_t done = 0;
        int64_t k;
        while ((k = ta_delta_next_i64(&delta, out, TA_COUNT(out))) > 0)
            done += (size_t)k;
        assert_true(k < 0 || done < TA_COUNT(in) || cut == buf.len);
    }
    ta_buf_done(&buf);
}

static void split_bytes_join_again_from_any_place(void **state)
{
    (void)state;
    unsigned char in[8 * 257], split[8 * 257], out[8 * 257];
    struct ta_rand rand = {6};

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (unsigned char)ta_rand_u64(&rand);
    for (size_t width = 4; width <= 8; width += 4) {
        for (size_t n = 0; n <= 257; n++) {
            ta_split_encode(in, n, width, split);
            size_t from = n / 3;
            ta_split_decode(split, n, from, n - from, width, out);
            assert_memory_equal(out, in + from * width, (n - from) * width);
            for (size_t b = 0; n && b < width; b++)
                assert_int_equal(split[b * n + n - 1], in[(n - 1) * width + b]);
        }
    }
}

static void a_dictionary_numbers_values_and_refuses_over_its_limits(void **state)
{
    (void)state;
    struct ta_pq_dict d;
    char text[32];

    ta_pq_dict_init(&d, &ta_heap, 0, 1000, 64 * KiB);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            int n = snprintf(text, sizeof(text), "value %d", i);
            assert_int_equal(ta_pq_dict_index(&d, (struct ta_str){text, (size_t)n}), i);
        }
    }
    assert_int_equal(ta_pq_dict_index(&d, TA_STR("one more")), TA_ERANGE);
    assert_true(ta_str_is(ta_pq_dict_at(&d, 17), "value 17"));
    ta_pq_dict_reset(&d);
    assert_int_equal(ta_pq_dict_index(&d, (struct ta_str){"", 0}), 0);
    assert_int_equal(ta_pq_dict_index(&d, TA_STR("a")), 1);
    ta_pq_dict_done(&d);
}

static void a_dictionary_forgets_what_came_last(void **state)
{
    (void)state;
    const size_t widths[] = {0, 8};

    for (size_t w = 0; w < TA_COUNT(widths); w++) {
        struct ta_pq_dict d;
        ta_pq_dict_init(&d, &ta_heap, widths[w], 200, 64 * KiB);
        for (uint64_t i = 0; i < 200; i++)
            assert_int_equal(ta_pq_dict_index(&d, (struct ta_str){(const char *)&i, 8}), i);
        for (uint32_t keep = 199; keep < 200; keep -= 40) {
            ta_pq_dict_cut(&d, keep);
            assert_int_equal(d.n, keep);
            assert_int_equal(d.plain.len, keep * (widths[w] ? 8 : 12));
            for (uint64_t i = 0; i < keep; i++)
                assert_int_equal(ta_pq_dict_index(&d, (struct ta_str){(const char *)&i, 8}), i);
            /* What was forgotten is new again. */
            uint64_t other = 199;
            assert_int_equal(ta_pq_dict_index(&d, (struct ta_str){(const char *)&other, 8}), keep);
        }
        ta_pq_dict_cut(&d, 0);
        assert_int_equal(d.plain.len, 0);
        ta_pq_dict_done(&d);
    }
}

static void ranges_leave_out_nan_and_widen_zero(void **state)
{
    (void)state;
    const float values[] = {NAN, 0.0f, 3.5f, NAN};
    const float nothing[] = {NAN, NAN};
    struct ta_pq_range r;
    float min;

    ta_pq_range_reset(&r);
    ta_pq_range_numbers(&r, TA_PQ_FLOAT, nothing, 2);
    assert_false(ta_pq_range_known(&r));
    ta_pq_range_numbers(&r, TA_PQ_FLOAT, values, 4);
    memcpy(&min, r.min, sizeof(min));
    assert_true(min == 0 && signbit(min));
    assert_int_equal(r.max_len, sizeof(float));
}

static void a_long_value_takes_the_range_away(void **state)
{
    (void)state;
    char text[TA_PQ_STAT_BYTES + 1];
    struct ta_pq_range r;

    memset(text, 'x', sizeof(text));
    ta_pq_range_reset(&r);
    ta_pq_range_bytes(&r, TA_STR("short"));
    assert_true(ta_pq_range_known(&r));
    ta_pq_range_bytes(&r, (struct ta_str){text, sizeof(text)});
    assert_false(ta_pq_range_known(&r));
}

/* A struct with a field of every kind; ids leap so that both forms of field heads occur. */
static void put_everything(struct ta_thrift_writer *w)
{
    ta_thrift_put_bool(w, 1, true);
    ta_thrift_put_i32(w, 2, -5);
    ta_thrift_put_i64(w, 30, INT64_MIN);
    ta_thrift_put_str(w, 31, TA_STR("text"));
    ta_thrift_put_list(w, 32, TA_THRIFT_I32, 20);
    for (int i = 0; i < 20; i++)
        ta_thrift_item_i64(w, i * 1000);
    int saved = ta_thrift_begin(w, 33);
    ta_thrift_put_bool(w, 1, false);
    ta_thrift_put_byte(w, 2, 64);
    ta_thrift_end(w, saved);
    ta_thrift_put_i16(w, 34, 77);
    ta_thrift_end(w, 0);
}

static void thrift_fields_come_back_and_unknown_ones_are_passed_over(void **state)
{
    (void)state;
    struct ta_thrift_writer w;
    struct ta_thrift_reader r;
    struct ta_thrift_field f = {0};
    struct ta_buf buf;
    int seen = 0;

    ta_buf_init(&buf, &ta_heap, 4 * KiB);
    ta_thrift_writer_init(&w, &buf);
    put_everything(&w);
    assert_int_equal(w.error, 0);
    ta_thrift_reader_init(&r, buf.at, buf.len);
    while (ta_thrift_next(&r, &f)) {
        seen++;
        if (f.id == 30)
            assert_true(ta_thrift_int(&r, f.type) == INT64_MIN);
        else if (f.id == 34)
            assert_int_equal(ta_thrift_int(&r, f.type), 77);
        else
            ta_thrift_skip(&r, f.type);
    }
    assert_int_equal(seen, 7);
    assert_false(r.bad);
    assert_ptr_equal(r.at, r.end);
    for (size_t cut = 0; cut < buf.len; cut++) {
        ta_thrift_reader_init(&r, buf.at, cut);
        ta_thrift_skip(&r, TA_THRIFT_STRUCT);
        assert_true(r.bad && r.short_input);
    }
    ta_buf_done(&buf);
}

static void thrift_nested_without_end_is_refused(void **state)
{
    (void)state;
    unsigned char deep[200];
    struct ta_thrift_reader r;

    memset(deep, 0x1c, sizeof(deep)); /* field +1, a struct, for ever */
    ta_thrift_reader_init(&r, deep, sizeof(deep));
    ta_thrift_skip(&r, TA_THRIFT_STRUCT);
    assert_true(r.bad);
    assert_false(r.short_input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_packs_and_unpacks),
        cmocka_unit_test(runs_of_indices_come_back_in_batches_of_any_size),
        cmocka_unit_test(equal_rows_cost_a_run_however_many_they_are),
        cmocka_unit_test(differences_of_64_bits_come_back),
        cmocka_unit_test(differences_of_32_bits_wrap_and_need_at_most_32_bits),
        cmocka_unit_test(equal_steps_cost_less_than_a_tenth_of_a_byte),
        cmocka_unit_test(damaged_differences_end_in_an_error_or_other_numbers),
        cmocka_unit_test(split_bytes_join_again_from_any_place),
        cmocka_unit_test(a_dictionary_numbers_values_and_refuses_over_its_limits),
        cmocka_unit_test(a_dictionary_forgets_what_came_last),
        cmocka_unit_test(ranges_leave_out_nan_and_widen_zero),
        cmocka_unit_test(a_long_value_takes_the_range_away),
        cmocka_unit_test(thrift_fields_come_back_and_unknown_ones_are_passed_over),
        cmocka_unit_test(thrift_nested_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
