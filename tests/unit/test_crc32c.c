/* CRC-32C gives the published values, both ways alike. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the usual check value. */
static void published_values_come_out(void **state)
{
    unsigned char block[32];

    (void)state;
    assert_int_equal(ta_crc32c(0, "123456789", 9), 0xE3069283);
    memset(block, 0, sizeof(block));
    assert_int_equal(ta_crc32c(0, block, sizeof(block)), 0x8A9136AA);
    memset(block, 0xFF, sizeof(block));
    assert_int_equal(ta_crc32c(0, block, sizeof(block)), 0x62A8AB43);
    for (unsigned i = 0; i < sizeof(block); i++)
        block[i] = (unsigned char)i;
    assert_int_equal(ta_crc32c(0, block, sizeof(block)), 0x46DD794E);
}

static void both_ways_agree_for_every_length_and_split(void **state)
{
    unsigned char bytes[70];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        uint32_t whole = ta_crc32c_table(0, bytes, n);
        assert_int_equal(ta_crc32c(0, bytes, n), whole);
        for (size_t cut = 0; cut <= n; cut++)
            assert_int_equal(ta_crc32c(ta_crc32c(0, bytes, cut), bytes + cut, n - cut), whole);
    }
}

static void checksums_of_parts_join_and_take_patches(void **state)
{
    unsigned char bytes[300];
    const unsigned char patch[4] = {1, 0x80, 0xFF, 7};

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 31 + 5);
    for (size_t cut = 0; cut <= sizeof(bytes); cut += 7)
        assert_int_equal(ta_crc32c_join(ta_crc32c(0, bytes, cut),
                                        ta_crc32c(0, bytes + cut, sizeof(bytes) - cut),
                                        sizeof(bytes) - cut),
                         ta_crc32c(0, bytes, sizeof(bytes)));
    for (size_t at = 0; at + 4 <= sizeof(bytes); at += 37) {
        memset(bytes + at, 0, 4);
        uint32_t before = ta_crc32c(0, bytes, sizeof(bytes));
        memcpy(bytes + at, patch, 4);
        assert_int_equal(before ^ ta_crc32c_patch(patch, sizeof(bytes) - at - 4),
                         ta_crc32c(0, bytes, sizeof(bytes)));
    }
}

static void a_single_flipped_bit_is_found_and_two_are_not(void **state)
{
    unsigned char bytes[1024];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * i + 3);
    uint32_t right = ta_crc32c(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit += 5) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(
            ta_crc32c_find_bit(right, ta_crc32c(0, bytes, sizeof(bytes)), sizeof(bytes)), bit);
        size_t other = (bit + 777) % (8 * sizeof(bytes));
        bytes[other / 8] ^= (unsigned char)(1u << other % 8);
        assert_int_equal(
            ta_crc32c_find_bit(right, ta_crc32c(0, bytes, sizeof(bytes)), sizeof(bytes)), -1);
        bytes[other / 8] ^= (unsigned char)(1u << other % 8);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(both_ways_agree_for_every_length_and_split),
        cmocka_unit_test(checksums_of_parts_join_and_take_patches),
        cmocka_unit_test(a_single_flipped_bit_is_found_and_two_are_not),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
