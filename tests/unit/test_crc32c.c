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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(both_ways_agree_for_every_length_and_split),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
