/* The reference's log is read past any damage, and written as it prescribes. */
#include "base/bytes.h"
#include "persist/ref_wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

/* Header and first record of the formats spec, section 2. */
static const unsigned char published[] = {0x01, 0xa7, 0x1d, 0xcc, 0xa1, 0xa7, 0x1d, 0xcc, 0x13,
                                          0x00, 0x00, 0x00, 0x24, 0xf7, 0x00, 0x6b, 0,    0,
                                          0,    0,    0x04, 0x00, 'l',  'o',  'a',  'd',  0x00,
                                          0x10, 0x06, 0x9e, 0x3f, 0xb2, 0x74, 0x82, 0x40};
enum { RECORDS = 5 };

static struct ta_ref_wal_sample sample(int i)
{
    struct ta_ref_wal_sample s = {
        .ts_s = 1000 + i, .metric = TA_STR("load"), .value = (float)i + 0.5f};

    if (i > 1)
        s.type = TA_STR("accelerator0");
    if (i > 3)
        s.stype = TA_STR("nvlink1");
    return s;
}

static void fill(struct ta_buf *b)
{
    ta_buf_init(b, &ta_heap, 1 << 16);
    assert_int_equal(ta_ref_wal_put_head(b), TA_OK);
    for (int i = 0; i < RECORDS; i++) {
        struct ta_ref_wal_sample s = sample(i);
        assert_int_equal(ta_ref_wal_put(b, &s), TA_OK);
    }
}

struct seen {
    unsigned samples, damage, torn;
    unsigned wrong; /* samples that nobody wrote */
    unsigned mask;  /* which of the RECORDS came, bit i */
    uint64_t gap_bytes;
};

static bool is_written(const struct ta_ref_wal_sample *s)
{
    if (s->ts_s < 1000 || s->ts_s >= 1000 + RECORDS)
        return false;
    struct ta_ref_wal_sample want = sample((int)(s->ts_s - 1000));
    return s->value == want.value && ta_str_eq(s->type, want.type) &&
           ta_str_eq(s->stype, want.stype) && ta_str_is(s->metric, "load");
}

static struct seen read_back(const void *p, size_t n)
{
    char path[] = "/tmp/tarn-refwal-XXXXXX";
    struct seen seen = {0};
    struct ta_file *file = NULL;
    struct ta_ref_wal_reader *rd = NULL;
    struct ta_ref_wal_entry e;
    int r;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_true(write(fd, p, n) == (ssize_t)n);
    close(fd);
    assert_int_equal(ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    assert_int_equal(ta_ref_wal_reader_new(&rd, file, &ta_heap, NULL), TA_OK);
    while ((r = ta_ref_wal_next(rd, &e, NULL)) > 0) {
        if (e.kind == TA_REF_WAL_SAMPLE) {
            seen.samples++;
            if (is_written(&e.sample))
                seen.mask |= 1u << (e.sample.ts_s - 1000);
            else
                seen.wrong++;
        } else {
            seen.damage += e.kind == TA_REF_WAL_DAMAGE;
            seen.torn += e.kind == TA_REF_WAL_TORN;
            seen.gap_bytes += e.bytes;
        }
    }
    assert_int_equal(r, 0);
    ta_ref_wal_reader_free(rd);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    unlink(path);
    return seen;
}

static void the_published_bytes_come_out(void **state)
{
    struct ta_ref_wal_sample s = {.ts_s = 0x6B00F724, .metric = TA_STR("load"), .value = 1.23456f};
    struct ta_buf b;

    (void)state;
    ta_buf_init(&b, &ta_heap, 100);
    assert_int_equal(ta_ref_wal_put_head(&b), TA_OK);
    assert_int_equal(ta_ref_wal_put(&b, &s), TA_OK);
    assert_int_equal(b.len, sizeof(published));
    assert_memory_equal(b.at, published, sizeof(published));
    ta_buf_done(&b);
}

static void what_was_put_is_read(void **state)
{
    struct ta_buf b;

    (void)state;
    fill(&b);
    struct seen seen = read_back(b.at, b.len);
    assert_int_equal(seen.samples, RECORDS);
    assert_int_equal(seen.damage + seen.torn + seen.wrong, 0);
    assert_int_equal(read_back(b.at, 4).samples, 0);
    assert_int_equal(read_back(b.at, 0).torn, 0);
    ta_buf_done(&b);
}

static void a_flipped_bit_costs_one_record_and_no_other(void **state)
{
    struct ta_buf b;
    uint64_t flips = 0;

    (void)state;
    fill(&b);
    for (size_t bit = 32; bit < b.len * 8; bit++) {
        b.at[bit / 8] ^= (char)(1u << bit % 8);
        struct seen seen = read_back(b.at, b.len);
        assert_int_equal(seen.samples, RECORDS - 1);
        assert_int_equal(seen.damage + seen.torn, 1);
        assert_int_equal(seen.wrong, 0);
        flips++;
        b.at[bit / 8] ^= (char)(1u << bit % 8);
    }
    b.at[0] ^= 1; /* the file's magic: nothing is lost */
    assert_int_equal(read_back(b.at, b.len).samples, RECORDS);
    printf("mutate wal: flips=%llu records_lost_each=1 wrong=0\n", (unsigned long long)flips);
    ta_buf_done(&b);
}

static void a_cut_file_gives_its_whole_records(void **state)
{
    struct ta_buf b;

    (void)state;
    fill(&b);
    unsigned before = 0;
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct seen seen = read_back(b.at, cut);
        assert_in_range(seen.samples, before, before + 1);
        assert_int_equal(seen.wrong, 0);
        assert_int_equal(seen.mask, (1u << seen.samples) - 1);
        before = seen.samples;
    }
    assert_int_equal(before, RECORDS);
    printf("mutate wal: cuts=%zu whole_records_lost=0 wrong=0\n", b.len + 1);
    ta_buf_done(&b);
}

/* The planted defect: a reader that ignores the checksum. As good as that is a record that was sealed again after
 * its bit flipped. Then wrong samples come through, and the test above would see them. */
static void a_log_whose_checksums_are_ignored_is_noticed(void **state)
{
    enum { AT = 4 + 8 }; /* the first record's payload */
    struct ta_buf b;
    unsigned wrong = 0;

    (void)state;
    fill(&b);
    size_t payload = ta_get_u32(b.at + 8);
    for (size_t bit = 0; bit < payload * 8; bit++) {
        char *hit = &b.at[AT + bit / 8];
        *hit ^= (char)(1u << bit % 8);
        ta_put_u32(b.at + AT + payload,
                   (uint32_t)crc32(0, (unsigned char *)b.at + AT, (uInt)payload));
        wrong += read_back(b.at, b.len).wrong;
        *hit ^= (char)(1u << bit % 8);
    }
    printf("mutate wal mutant: checksums_ignored_wrong=%u\n", wrong);
    assert_true(wrong > payload);
    ta_buf_done(&b);
}

static void garbage_between_records_is_passed_over(void **state)
{
    static const char garbage[3000] = {0};
    struct ta_buf b;
    struct ta_ref_wal_sample s = sample(4);

    (void)state;
    fill(&b);
    assert_int_equal(ta_buf_add(&b, garbage, sizeof(garbage)), TA_OK);
    assert_int_equal(ta_buf_add(&b, published, 10),
                     TA_OK); /* a header that came twice, and a torn record */
    assert_int_equal(ta_ref_wal_put(&b, &s), TA_OK);
    struct seen seen = read_back(b.at, b.len);
    assert_int_equal(seen.samples, RECORDS + 1);
    assert_int_equal(seen.damage, 1);
    assert_int_equal(seen.gap_bytes, sizeof(garbage) + 10);
    ta_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_bytes_come_out),
        cmocka_unit_test(what_was_put_is_read),
        cmocka_unit_test(a_flipped_bit_costs_one_record_and_no_other),
        cmocka_unit_test(a_cut_file_gives_its_whole_records),
        cmocka_unit_test(a_log_whose_checksums_are_ignored_is_noticed),
        cmocka_unit_test(garbage_between_records_is_passed_over),
    };

    return cmocka_run_group_tests_name("reference wal", tests, NULL, NULL);
}
