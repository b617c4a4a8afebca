/* number.c - plain integers and fixed decimals; number_parse.c and number_short.c have the rest. */
#include "base/number.h"

#include "base/bytes.h"
#include "base/err.h"

#include <assert.h>

static const uint32_t power10[10] = {1,      10,      100,      1000,      10000,
                                     100000, 1000000, 10000000, 100000000, 1000000000};

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

/* Exactly `n` digits of u, zero-padded, ending before `end`. */
static void put_padded(char *end, uint64_t u, int n)
{
    for (; n >= 2; n -= 2) {
        end -= 2;
        memcpy(end, pairs + u % 100 * 2, 2);
        u /= 100;
    }
    if (n)
        end[-1] = (char)('0' + u % 10);
}

static int count_digits(uint64_t u)
{
    int n = 1;

    for (; u >= 10000; u /= 10000)
        n += 4;
    return n + (u >= 10) + (u >= 100) + (u >= 1000);
}

static size_t put_u64(char *out, uint64_t u)
{
    int n = count_digits(u);

    put_padded(out + n, u, n);
    return (size_t)n;
}

/* m * 2^e as an integer, for what 64 bits do not hold: long division by 10^18, limb by limb. */
static size_t put_huge(char *out, uint64_t m, int e)
{
    enum { LIMBS = 18, CHUNK_DIGITS = 18 };
    const uint64_t chunk = 1000000000000000000;
    uint64_t limb[LIMBS] = {0}, part[LIMBS + 1];
    int n = e / 64 + 2, n_parts = 0;
    unsigned __int128 low = (unsigned __int128)m << e % 64;

    limb[e / 64] = (uint64_t)low;
    limb[e / 64 + 1] = (uint64_t)(low >> 64);
    while (n) {
        unsigned __int128 rest = 0;
        for (int i = n - 1; i >= 0; i--) {
            rest = rest << 64 | limb[i];
            limb[i] = (uint64_t)(rest / chunk);
            rest %= chunk;
        }
        part[n_parts++] = (uint64_t)rest;
        while (n && limb[n - 1] == 0)
            n--;
    }
    size_t len = put_u64(out, part[n_parts - 1]);
    for (int i = n_parts - 2; i >= 0; i--, len += CHUNK_DIGITS)
        put_padded(out + len + CHUNK_DIGITS, part[i], CHUNK_DIGITS);
    return len;
}

/* The value is m * 2^e. With e < 0 the fraction, less than 2^-e of them, times 10^decimals has at
 * most 83 bits, so the rounding is done on the exact value in 128-bit integers. */
size_t ta_print_fixed(char *out, double v, int decimals)
{
    uint64_t bits = ta_get_u64(&v), whole, part = 0;
    uint64_t m = bits & ((UINT64_C(1) << 52) - 1);
    int e = (int)(bits >> 52 & 0x7ff);
    char *at = out;

    assert(decimals >= 0 && decimals <= 9 && e != 0x7ff);
    if (bits >> 63)
        *at++ = '-';
    if (e)
        m |= UINT64_C(1) << 52;
    e = (e ? e : 1) - 1075;
    if (e > 11) {
        at += put_huge(at, m, e);
    } else if (e >= 0) {
        at += put_u64(at, m << e);
    } else {
        unsigned s = (unsigned)-e;
        whole = s < 64 ? m >> s : 0;
        if (s < 100) { /* else the scaled fraction is below 2^-16 */
            uint64_t fraction = s < 64 ? m & ((UINT64_C(1) << s) - 1) : m;
            unsigned __int128 scaled = (unsigned __int128)fraction * power10[decimals];
            unsigned __int128 half = (unsigned __int128)1 << (s - 1);
            unsigned __int128 rest = scaled & (half * 2 - 1);
            part = (uint64_t)(scaled >> s);
            if (rest > half || (rest == half && ((decimals ? part : whole) & 1)))
                part++;
            if (part == power10[decimals]) {
                part = 0;
                whole++;
            }
        }
        at += put_u64(at, whole);
    }
    if (decimals) {
        *at++ = '.';
        put_padded(at + decimals, part, decimals);
        at += decimals;
    }
    return (size_t)(at - out);
}

int ta_parse_u64(struct ta_str s, uint64_t *out)
{
    uint64_t v = 0;
    bool over = false;

    if (s.len == 0)
        return TA_EFORMAT;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.at[i] - '0';
        if (digit > 9)
            return TA_EFORMAT;
        over |= __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v);
    }
    if (over)
        return TA_ERANGE;
    *out = v;
    return TA_OK;
}

int ta_parse_i64(struct ta_str s, int64_t *out)
{
    bool negative = s.len && s.at[0] == '-';
    uint64_t u;
    int r = ta_parse_u64((struct ta_str){s.at + negative, s.len - negative}, &u);

    if (r < 0)
        return r;
    if (u > (uint64_t)INT64_MAX + negative)
        return TA_ERANGE;
    *out = negative ? (int64_t)(0 - u) : (int64_t)u;
    return TA_OK;
}
