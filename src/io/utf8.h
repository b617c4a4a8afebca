/* utf8.h - UTF-8 (RFC 3629), one character at a time. */
#ifndef TARN_IO_UTF8_H
#define TARN_IO_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the valid character at p (1..4), 0 when the n bytes there do not begin with one:
 * overlong forms, surrogates, values past U+10FFFF and cut sequences are not valid. n >= 1. */
static inline size_t ta_utf8_width(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char low = 0x80, high = 0xbf;
    size_t width;

    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || u[0] > 0xf4)
        return 0;
    if (u[0] < 0xe0) {
        width = 2;
    } else if (u[0] < 0xf0) {
        width = 3;
        low = u[0] == 0xe0 ? 0xa0 : 0x80;
        high = u[0] == 0xed ? 0x9f : 0xbf;
    } else {
        width = 4;
        low = u[0] == 0xf0 ? 0x90 : 0x80;
        high = u[0] == 0xf4 ? 0x8f : 0xbf;
    }
    if (n < width || u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < width; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    return width;
}

/* Writes U+0000..U+10FFFF (no surrogate) and returns its 1..4 bytes. */
static inline size_t ta_utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

#endif
