#include "net/base64.h"

#include <stdbool.h>

static int value_of(enum ta_base64 kind, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (kind == TA_BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (kind == TA_BASE64_URL ? '_' : '/'))
        return 63;
    return -1;
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static int64_t bad(size_t at)
{
    return -1 - (int64_t)at;
}

static size_t skip_breaks(struct ta_str s, size_t i)
{
    while (i < s.len && is_break(s.at[i]))
        i++;
    return i;
}

/* s.at[i] is the first '=' of a group that has `have` digits. */
static int64_t check_padding(struct ta_str s, size_t i, unsigned have)
{
    if (have < 2)
        return bad(i);
    i = skip_breaks(s, i + 1);
    if (have == 2) {
        if (i == s.len)
            return bad(s.len);
        if (s.at[i] != '=')
            return bad(i);
        i = skip_breaks(s, i + 1);
    }
    return i == s.len ? 0 : bad(i);
}

int64_t ta_base64_decode(enum ta_base64 kind, struct ta_str s, unsigned char *out)
{
    uint32_t bits = 0;
    unsigned have = 0; /* digits of the running group of four */
    size_t n = 0;
    bool padded = false;

    for (size_t i = 0; i < s.len && !padded; i++) {
        int v = value_of(kind, s.at[i]);
        if (v < 0 && is_break(s.at[i]))
            continue;
        if (v < 0 && s.at[i] == '=' && kind == TA_BASE64_STD) {
            int64_t r = check_padding(s, i, have);
            if (r < 0)
                return r;
            padded = true;
            continue;
        }
        if (v < 0)
            return bad(i);
        bits = bits << 6 | (uint32_t)v;
        if (++have < 4)
            continue;
        out[n++] = (unsigned char)(bits >> 16);
        out[n++] = (unsigned char)(bits >> 8);
        out[n++] = (unsigned char)bits;
        have = 0;
    }
    if (have == 1 || (have && kind == TA_BASE64_STD && !padded))
        return bad(s.len - have);
    if (have >= 2)
        out[n++] = (unsigned char)(bits >> (6 * have - 8));
    if (have == 3)
        out[n++] = (unsigned char)(bits >> 2);
    return (int64_t)n;
}
