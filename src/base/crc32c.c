#include "base/crc32c.h"

#include <string.h>

/* The four-bit table needs no set-up and one cache line; it only serves old processors. */
static const uint32_t nibble[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

uint32_t ta_crc32c_table(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *at = p;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* ---- arithmetic with CRCs ------------------------------------------------------------------------
 *
 * A CRC is a polynomial modulo P; bit 31 is the coefficient of x^0. Appending a bit multiplies by x. */

static const uint32_t poly = 0x82F63B78;

static uint32_t times_x(uint32_t a)
{
    return a & 1 ? a >> 1 ^ poly : a >> 1;
}

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = times_x(b);
    }
    return product;
}

/* a with n zero bytes behind it. */
static uint32_t append_zeros(uint32_t a, uint64_t n)
{
    uint32_t power = 1u << (31 - 8); /* x^8, squared again and again */

    for (; n; n >>= 1) {
        if (n & 1)
            a = multiply(a, power);
        power = multiply(power, power);
    }
    return a;
}

uint32_t ta_crc32c_join(uint32_t a, uint32_t b, uint64_t b_bytes)
{
    return append_zeros(a, b_bytes) ^ b;
}

uint32_t ta_crc32c_patch(const unsigned char v[static 4], uint64_t bytes_behind)
{
    static const unsigned char zero[4];

    return append_zeros(ta_crc32c(0, v, 4) ^ ta_crc32c(0, zero, 4), bytes_behind);
}

int64_t ta_crc32c_find_bit(uint32_t right, uint32_t found, size_t n)
{
    uint32_t change = poly; /* of the last bit */

    for (int64_t bit = 8 * (int64_t)n - 1; bit >= 0; bit--, change = times_x(change))
        if (change == (right ^ found))
            return bit;
    return -1;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint64_t c = ~crc;

    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    for (; n > 0; n--, at++)
        c = __builtin_ia32_crc32qi((uint32_t)c, *at);
    return ~(uint32_t)c;
}

uint32_t ta_crc32c(uint32_t crc, const void *p, size_t n)
{
    return __builtin_cpu_supports("sse4.2") ? crc_sse42(crc, p, n) : ta_crc32c_table(crc, p, n);
}

#else

uint32_t ta_crc32c(uint32_t crc, const void *p, size_t n)
{
    return ta_crc32c_table(crc, p, n);
}

#endif
