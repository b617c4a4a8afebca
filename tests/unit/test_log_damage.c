/* Damage to a log segment costs the record it hits and nothing else, wherever it hits. */
#include "base/bytes.h"
#include "io/vfs_mem.h"
#include "persist/log_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { RECORDS = 6, SEGMENT_MAX = 4096 };

static unsigned char good[SEGMENT_MAX];
static size_t good_len;

/* A segment whose record i holds the time stamp i. */
static int make_segment(void **state)
{
    struct ta_log_segment head = {.number = 1, .first_sequence = 100, .created_s = 5, .salt = 77};
    struct ta_log_chain chain = {.salt = 77, .previous = 77, .sequence = 100};

    (void)state;
    ta_log_segment_encode(&head, good);
    memcpy(good + TA_LOG_SEGMENT_HEAD, good, TA_LOG_SEGMENT_HEAD);
    good_len = TA_LOG_RECORDS_AT;
    for (int64_t i = 0; i < RECORDS; i++) {
        static const uint32_t columns[] = {0, 1, 5};
        double values[] = {(double)i, (double)-i, 0.5};
        struct ta_buf b;
        ta_buf_init(&b, &ta_heap, 512);
        assert_int_equal(ta_log_put_host(&b, 7, 3, TA_STR("c"), TA_STR("h")), TA_OK);
        assert_int_equal(ta_log_put_samples(&b, 7, i, columns, values, 3), TA_OK);
        memcpy(good + good_len + TA_LOG_RECORD_HEAD, b.at, b.len);
        ta_log_record_seal(good + good_len, b.len, &chain);
        good_len += TA_LOG_RECORD_HEAD + b.len;
        ta_buf_done(&b);
    }
    assert_true(good_len < SEGMENT_MAX);
    return 0;
}

struct seen {
    unsigned records, damage, torn;
    uint64_t lost;
    bool is_refused; /* no segment at all */
    bool is_in_order;
};

static struct seen read_segment(struct ta_vfs_mem *m, const unsigned char *bytes, size_t n)
{
    struct seen seen = {.is_in_order = true};
    struct ta_log_reader *r = NULL;
    struct ta_log_entry e;
    struct ta_file *file = NULL;
    int64_t last = -1;

    assert_int_equal(ta_open(&m->vfs, "log",
                             TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600,
                             &file, NULL),
                     TA_OK);
    assert_int_equal(ta_pwrite_full(file, bytes, n, 0, NULL), TA_OK);
    if (ta_log_reader_new(&r, file, &ta_heap, NULL) < 0) {
        seen.is_refused = true;
        assert_int_equal(ta_close(&file, NULL), TA_OK);
        return seen;
    }
    while (ta_log_reader_next(r, &e, NULL) > 0) {
        struct ta_log_item item;
        seen.damage += e.kind == TA_LOG_FOUND_DAMAGE;
        seen.torn += e.kind == TA_LOG_FOUND_TORN;
        seen.lost += e.lost;
        if (e.kind != TA_LOG_FOUND_RECORD)
            continue;
        assert_int_equal(ta_log_next_item(&e.record.payload, &item), 1);
        assert_int_equal(ta_log_next_item(&e.record.payload, &item), 1);
        seen.is_in_order = seen.is_in_order && item.ts_s > last && item.ts_s < RECORDS;
        last = item.ts_s;
        seen.records++;
    }
    ta_log_reader_free(r);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    return seen;
}

static void any_flipped_bit_costs_at_most_its_record(void **state)
{
    struct ta_vfs_mem m;
    unsigned char bytes[SEGMENT_MAX];

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    memcpy(bytes, good, good_len);
    for (size_t bit = 0; bit < good_len * 8; bit++) {
        bool is_head = bit < TA_LOG_RECORDS_AT * 8;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct seen seen = read_segment(&m, bytes, good_len);
        assert_false(seen.is_refused);
        assert_int_equal(seen.records, is_head ? RECORDS : RECORDS - 1);
        assert_int_equal(seen.damage + seen.torn, is_head ? 0 : 1);
        assert_true(seen.is_in_order);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    printf("mutate log records: flips=%zu records_lost_each=1 wrong=0\n", good_len * 8);
    ta_vfs_mem_done(&m);
}

static void a_segment_cut_anywhere_gives_its_whole_records(void **state)
{
    struct ta_vfs_mem m;
    unsigned before = 0;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    for (size_t cut = 0; cut <= good_len; cut++) {
        struct seen seen = read_segment(&m, good, cut);
        assert_int_equal(seen.is_refused, cut < TA_LOG_SEGMENT_HEAD);
        assert_in_range(seen.records, before, before + 1);
        assert_int_equal(seen.damage, 0);
        assert_true(seen.is_in_order);
        before = seen.records;
    }
    assert_int_equal(before, RECORDS);
    printf("mutate log records: cuts=%zu whole_records_lost=0 wrong=0\n", good_len + 1);
    ta_vfs_mem_done(&m);
}

static void a_record_that_vanished_whole_is_counted_by_its_number(void **state)
{
    struct ta_vfs_mem m;
    unsigned char bytes[SEGMENT_MAX];
    size_t one = (good_len - TA_LOG_RECORDS_AT) / RECORDS;
    size_t at = TA_LOG_RECORDS_AT + 2 * one;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    memcpy(bytes, good, at);
    memcpy(bytes + at, good + at + one, good_len - at - one);
    struct seen seen = read_segment(&m, bytes, good_len - one);
    assert_int_equal(seen.records, RECORDS - 1);
    assert_int_equal(seen.lost, 1);
    ta_vfs_mem_done(&m);
}

static void room_that_was_reserved_and_never_used_is_a_clean_end(void **state)
{
    struct ta_vfs_mem m;
    unsigned char bytes[SEGMENT_MAX] = {0};

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    memcpy(bytes, good, good_len);
    struct seen seen = read_segment(&m, bytes, sizeof(bytes));
    assert_int_equal(seen.records, RECORDS);
    assert_int_equal(seen.damage + seen.torn, 0);
    ta_vfs_mem_done(&m);
}

static void records_of_another_segment_never_pass(void **state)
{
    struct ta_vfs_mem m;
    unsigned char bytes[SEGMENT_MAX];
    struct ta_log_segment head = {.number = 2, .first_sequence = 100, .salt = 78};

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    memcpy(bytes, good, good_len);
    ta_log_segment_encode(&head, bytes);
    ta_log_segment_encode(&head, bytes + TA_LOG_SEGMENT_HEAD);
    struct seen seen = read_segment(&m, bytes, good_len);
    assert_int_equal(seen.records, 0);
    assert_int_equal(seen.torn, 1);
    ta_vfs_mem_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flipped_bit_costs_at_most_its_record),
        cmocka_unit_test(a_segment_cut_anywhere_gives_its_whole_records),
        cmocka_unit_test(a_record_that_vanished_whole_is_counted_by_its_number),
        cmocka_unit_test(room_that_was_reserved_and_never_used_is_a_clean_end),
        cmocka_unit_test(records_of_another_segment_never_pass),
    };

    return cmocka_run_group_tests_name("log damage", tests, make_segment, NULL);
}
