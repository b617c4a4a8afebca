/* Log records come back as written, and damaged ones never pass. */
#include "base/bytes.h"
#include "persist/log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 7 };
static const uint32_t columns[N] = {0, 1, 2, 10, 11, 5, 4000000000u};
static const double values[N] = {1.5, -0.0, 1e308, 3, 4, 5e-324, 7};

static void fill(struct ta_buf *b)
{
    unsigned char head[TA_LOG_RECORD_HEAD] = {0};

    ta_buf_init(b, &ta_heap, 4096);
    assert_int_equal(ta_buf_add(b, head, sizeof(head)), TA_OK);
    assert_int_equal(ta_log_put_host(b, UINT64_MAX, 3, TA_STR("alex"), TA_STR("a0603")), TA_OK);
    assert_int_equal(ta_log_put_column(b, 3, 300, TA_STR("load"), TA_STR("hwthread1"), TA_STR("")),
                     TA_OK);
    assert_int_equal(ta_log_put_samples(b, 5, -17, columns, values, N), TA_OK);
}

static struct ta_log_chain seal(struct ta_buf *b)
{
    struct ta_log_chain chain = {.salt = 77, .previous = 77, .sequence = 41};

    ta_log_record_seal((unsigned char *)b->at, b->len - TA_LOG_RECORD_HEAD, &chain);
    return chain;
}

static void items_come_back_as_they_were_put(void **state)
{
    struct ta_buf b;
    struct ta_log_record rec;
    struct ta_log_item item;
    struct ta_log_piece piece;
    uint32_t expected = 0;
    size_t at = 0;

    (void)state;
    fill(&b);
    struct ta_log_chain chain = seal(&b);
    assert_int_equal(chain.sequence, 42);
    assert_int_equal(ta_log_record_parse((unsigned char *)b.at, b.len, 77, &rec), 1);
    assert_int_equal(rec.sequence, 41);
    assert_int_equal(rec.previous, 77);
    assert_int_equal(rec.checksum, chain.previous);

    assert_int_equal(ta_log_next_item(&rec.payload, &item), 1);
    assert_int_equal(item.kind, TA_LOG_HOST);
    assert_true(item.host == UINT64_MAX && item.shape == 3);
    assert_true(ta_str_is(item.cluster, "alex") && ta_str_is(item.name, "a0603"));

    assert_int_equal(ta_log_next_item(&rec.payload, &item), 1);
    assert_int_equal(item.kind, TA_LOG_COLUMN);
    assert_true(item.shape == 3 && item.column == 300 && ta_str_is(item.metric, "load"));
    assert_true(ta_str_is(item.type, "hwthread1") && item.stype.len == 0);

    assert_int_equal(ta_log_next_item(&rec.payload, &item), 1);
    assert_int_equal(item.kind, TA_LOG_SAMPLES);
    assert_int_equal(item.ts_s, -17);
    while (ta_log_next_piece(&item, &expected, &piece)) {
        for (uint32_t i = 0; i < piece.count; i++, at++) {
            double v = ta_get_f64(piece.values + (size_t)i * 8);
            assert_int_equal(piece.first + i, columns[at]);
            assert_memory_equal(&v, &values[at], sizeof(v));
        }
    }
    assert_int_equal(at, N);
    assert_int_equal(ta_log_next_item(&rec.payload, &item), 0);
    ta_buf_done(&b);
}

static void a_full_host_tick_costs_about_eight_bytes_a_sample(void **state)
{
    uint32_t cols[580];
    double v[580] = {0};
    struct ta_buf b;

    (void)state;
    for (uint32_t i = 0; i < 580; i++)
        cols[i] = i;
    ta_buf_init(&b, &ta_heap, 1 << 16);
    assert_int_equal(ta_log_put_samples(&b, 12345, 1795225829, cols, v, 580), TA_OK);
    assert_in_range(b.len, 580 * 8, 580 * 8 + 24);
    ta_buf_done(&b);
}

static void any_flipped_bit_any_cut_and_a_foreign_salt_are_noticed(void **state)
{
    struct ta_buf b;
    struct ta_log_record rec;

    (void)state;
    fill(&b);
    seal(&b);
    unsigned char *p = (unsigned char *)b.at;
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        p[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_not_equal(ta_log_record_parse(p, b.len, 77, &rec), 1);
        p[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < b.len; cut++)
        assert_int_equal(ta_log_record_parse(p, cut, 77, &rec), 0);
    assert_int_equal(ta_log_record_parse(p, b.len, 78, &rec), TA_EFORMAT);
    assert_int_equal(ta_log_record_parse(p, b.len, 77, &rec), 1);
    ta_buf_done(&b);
}

/* Behind a checksum that holds there may still be anything: the parser must stay inside. */
static void malformed_payloads_end_with_an_error_inside_their_bounds(void **state)
{
    struct ta_buf b;

    (void)state;
    fill(&b);
    for (size_t byte = TA_LOG_RECORD_HEAD; byte < b.len; byte++) {
        for (int value = 0; value < 256; value += 5) {
            char kept = b.at[byte];
            struct ta_str payload = {b.at + TA_LOG_RECORD_HEAD, b.len - TA_LOG_RECORD_HEAD};
            struct ta_log_item item;
            struct ta_log_piece piece;
            b.at[byte] = (char)value;
            while (ta_log_next_item(&payload, &item) == 1) {
                uint32_t expected = 0;
                while (item.kind == TA_LOG_SAMPLES && ta_log_next_piece(&item, &expected, &piece))
                    assert_true((const char *)piece.values + (size_t)piece.count * 8 <=
                                b.at + b.len);
            }
            b.at[byte] = kept;
        }
    }
    ta_buf_done(&b);
}

static void a_segment_header_survives_and_its_damage_shows(void **state)
{
    unsigned char head[TA_LOG_SEGMENT_HEAD];
    struct ta_log_segment in = {.number = 9, .first_sequence = 100, .created_s = -5, .salt = 1};
    struct ta_log_segment out;

    (void)state;
    ta_log_segment_encode(&in, head);
    assert_int_equal(ta_log_segment_decode(head, &out), TA_OK);
    assert_true(out.number == 9 && out.first_sequence == 100 && out.created_s == -5 &&
                out.salt == 1);
    for (size_t bit = 0; bit < sizeof(head) * 8; bit++) {
        head[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(ta_log_segment_decode(head, &out), TA_EFORMAT);
        head[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    struct ta_buf b;

    (void)state;
    ta_buf_init(&b, &ta_heap, 40);
    assert_int_equal(ta_log_put_host(&b, 1, 1, TA_STR("a"), TA_STR("b")), TA_OK);
    size_t len = b.len;
    assert_int_equal(ta_log_put_samples(&b, 1, 1, columns, values, N), TA_ERANGE);
    assert_int_equal(b.len, len);
    ta_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_back_as_they_were_put),
        cmocka_unit_test(a_full_host_tick_costs_about_eight_bytes_a_sample),
        cmocka_unit_test(any_flipped_bit_any_cut_and_a_foreign_salt_are_noticed),
        cmocka_unit_test(malformed_payloads_end_with_an_error_inside_their_bounds),
        cmocka_unit_test(a_segment_header_survives_and_its_damage_shows),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
    };

    return cmocka_run_group_tests_name("log format", tests, NULL, NULL);
}
