/* Checkpoint files with checksums, read in any order and pieces. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/rand.h"
#include "mem_file.h"
#include "persist/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    CONTENT = 300 * 1000 + 7,
    ROOM = CONTENT + 64 * 1024,
    BLOCK = 1024,
    LONG_BLOCK = 128 * 1024
};

/* A sealed file in memory, which counts what is read of it. */
struct site {
    struct ta_file sink, counted;
    struct mem_file mem;
    struct ta_sealed sealed;
    struct ta_damage damage;
    uint64_t n_read;
    size_t n;
    unsigned char good[ROOM], bytes[ROOM];
};

static struct site s;

static int64_t sink_pwrite(struct ta_file *f, const void *buf, size_t n, uint64_t at,
                           struct ta_err *err)
{
    (void)f;
    (void)err;
    memcpy(s.good + at, buf, n);
    return (int64_t)n;
}

static int64_t counted_pread(struct ta_file *f, void *buf, size_t n, uint64_t at,
                             struct ta_err *err)
{
    int64_t got = s.mem.file.ops->pread(&s.mem.file, buf, n, at, err);

    (void)f;
    s.n_read += got > 0 ? (uint64_t)got : 0;
    return got;
}

static int counted_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    (void)f;
    return s.mem.file.ops->size(&s.mem.file, out, err);
}

/* The sums of blocks as long as a file of a hundred GiB has. */
static void seal_long_blocks(struct ta_seal *seal)
{
    seal->block = LONG_BLOCK;
    for (uint32_t i = 0; i < ta_seal_count(seal); i++) {
        size_t at = (size_t)i * LONG_BLOCK;
        seal->sums[i] =
            ta_crc32c(0, s.good + at, CONTENT - at < LONG_BLOCK ? CONTENT - at : LONG_BLOCK);
    }
}

static void make(bool has_long_blocks)
{
    static const struct ta_file_ops sink = {.pwrite = sink_pwrite};
    static struct ta_seal seal;
    struct ta_rand rand = {.state = 1};

    s.sink.ops = &sink;
    ta_seal_begin(&seal, &s.sink);
    for (uint32_t i = 0; i < CONTENT; i++) {
        unsigned char c = (unsigned char)ta_rand_u64(&rand);
        assert_int_equal(ta_pwrite_full(&seal.file, &c, 1, i, NULL), TA_OK);
    }
    if (has_long_blocks)
        seal_long_blocks(&seal);
    for (uint32_t i = 0; i < ta_seal_count(&seal); i++)
        ta_put_u32(s.good + CONTENT + 4 * i, seal.sums[i]);
    s.n = CONTENT + (size_t)4 * ta_seal_count(&seal);
    ta_seal_encode(&seal, 1, 2, s.good + s.n);
    s.n += TA_SEAL_BYTES;
    memcpy(s.bytes, s.good, s.n);
}

static void open_site(void)
{
    static const struct ta_file_ops counted = {.pread = counted_pread, .size = counted_size};

    s.counted.ops = &counted;
    s.damage = (struct ta_damage){0};
    s.n_read = 0;
    mem_file_init(&s.mem, s.bytes, s.n);
    assert_int_equal(ta_sealed_open(&s.sealed, &s.counted, TA_TREE_BIN, &ta_heap, &s.damage, NULL),
                     TA_OK);
}

static int begin(void **state)
{
    (void)state;
    make(false);
    return 0;
}

static int begin_long(void **state)
{
    (void)state;
    make(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ta_sealed_done(&s.sealed);
    return 0;
}

static void reading_from_the_start_reads_each_byte_once(void **state)
{
    static unsigned char window[64 * 1024];
    uint64_t at = 0;
    int64_t got;

    (void)state;
    open_site();
    assert_true(s.sealed.is_sealed);
    uint64_t by_opening = s.n_read;
    while ((got = ta_pread_some(&s.sealed.file, window, sizeof(window), at, NULL)) > 0) {
        assert_memory_equal(window, s.good + at, (size_t)got);
        at += (uint64_t)got;
    }
    assert_int_equal(at, s.n);
    assert_int_equal(s.n_read - by_opening, s.n);
    assert_int_equal(s.damage.n, 0);
}

enum { LONGEST = 200 * 1000 };

/* Reads here and there, `longest` bytes at most: what lies before end_of_good is given, and nothing else. */
static void read_anywhere(struct ta_rand *rand, uint64_t end_of_good, size_t longest)
{
    static unsigned char piece[LONGEST];

    for (unsigned k = 0; k < 20; k++) {
        uint64_t at = ta_rand_below(rand, s.n);
        uint64_t n = 1 + ta_rand_below(rand, longest);
        uint64_t there = at < end_of_good ? end_of_good - at : 0;
        there = n < there ? n : there;
        assert_int_equal(ta_pread_full(&s.sealed.file, piece, n, at, NULL), there);
        assert_memory_equal(piece, s.good + at, there);
    }
}

/* Reads the rest; one place was told. */
static void expect_damage(uint64_t at)
{
    assert_int_equal(ta_sealed_check(&s.sealed, NULL), TA_OK);
    assert_int_equal(s.damage.n, 1);
    assert_int_equal(s.damage.place[0].at, at);
    ta_sealed_done(&s.sealed);
}

static void a_flipped_bit_is_put_right_whatever_is_read_first(void **state)
{
    struct ta_rand rand = {.state = 2};
    uint64_t flipped = 0;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        flipped = ta_rand_below(&rand, CONTENT);
        s.bytes[flipped] ^= 16;
        open_site();
        read_anywhere(&rand, s.n, 5000);
        expect_damage(flipped);
        s.bytes[flipped] ^= 16;
    }
}

/* Two flipped bits in one block, which nothing can put right. */
static void hurt(uint64_t at)
{
    s.bytes[at] ^= 1;
    s.bytes[at + 1] ^= 1;
}

static void nothing_behind_damage_is_given(uint64_t block)
{
    struct ta_rand rand = {.state = 3};

    for (unsigned round = 0; round < 200; round++) {
        uint64_t end_of_good = ta_rand_below(&rand, CONTENT / block) * block;
        uint64_t hit = end_of_good + ta_rand_below(&rand, block - 1);
        hurt(hit);
        open_site();
        read_anywhere(&rand, end_of_good, LONGEST);
        expect_damage(end_of_good);
        hurt(hit);
    }
}

static void nothing_behind_a_damaged_block_is_given_whatever_is_read_first(void **state)
{
    (void)state;
    nothing_behind_damage_is_given(BLOCK);
}

static void blocks_longer_than_what_is_read_at_once_are_checked_too(void **state)
{
    (void)state;
    nothing_behind_damage_is_given(LONG_BLOCK);
}

static void a_file_that_gets_shorter_while_it_is_read_ends_there(void **state)
{
    unsigned char piece[4096];

    (void)state;
    open_site();
    s.mem.len = (size_t)100 * BLOCK + 17;
    assert_int_equal(ta_pread_full(&s.sealed.file, piece, 4096, (uint64_t)98 * BLOCK, NULL),
                     (size_t)2 * BLOCK);
    assert_memory_equal(piece, s.good + (uint64_t)98 * BLOCK, (size_t)2 * BLOCK);
    assert_int_equal(ta_sealed_check(&s.sealed, NULL), TA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reading_from_the_start_reads_each_byte_once, begin, end),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_put_right_whatever_is_read_first, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            nothing_behind_a_damaged_block_is_given_whatever_is_read_first, begin, end),
        cmocka_unit_test_setup_teardown(blocks_longer_than_what_is_read_at_once_are_checked_too,
                                        begin_long, end),
        cmocka_unit_test_setup_teardown(a_file_that_gets_shorter_while_it_is_read_ends_there, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
