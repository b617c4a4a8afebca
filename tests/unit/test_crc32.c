/* CRC-32 is zlib's, for every length and alignment. */
#include "base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include <cmocka.h>

static void the_usual_check_value_comes_out(void **state)
{
    (void)state;
    assert_int_equal(ta_crc32("123456789", 9), 0xCBF43926);
}

static void every_length_and_alignment_gives_what_zlib_gives(void **state)
{
    unsigned char bytes[400];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + i / 7);
    for (size_t from = 0; from < 17; from++)
        for (size_t n = 0; from + n <= sizeof(bytes); n++)
            assert_int_equal(ta_crc32(bytes + from, n), crc32(0, bytes + from, (uInt)n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_check_value_comes_out),
        cmocka_unit_test(every_length_and_alignment_gives_what_zlib_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
