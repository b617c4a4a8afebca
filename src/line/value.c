/* value.c - numbers and timestamps, any token of the dialect.
 *
 *     -1.5  .5  5.  1e3  1_000.5    binary64, nearest
 *     0x1.8p-2                      binary64 from hexadecimal; the exponent is required
 *     12i  -12i  12u                64-bit integers, then the nearest binary64
 */
#include "line/value.h"

enum { PLAIN_MAX = 512 }; /* bytes of a number that has underscores or hexadecimal digits */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copies without underscores; each must stand between two digits, or between 0x and a digit. */
static int strip_underscores(struct ta_str s, bool is_hex, char *out, size_t *out_len)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '_') {
            if (n == PLAIN_MAX)
                return TA_EFORMAT;
            out[n++] = s.at[i];
            continue;
        }
        if (i == 0 || i + 1 == s.len)
            return TA_EFORMAT;
        char before = s.at[i - 1], after = s.at[i + 1];
        bool after_prefix = is_hex && (before | 0x20) == 'x';
        if (is_hex ? (!after_prefix && hex_digit(before) < 0) || hex_digit(after) < 0
                   : !is_digit(before) || !is_digit(after))
            return TA_EFORMAT;
    }
    *out_len = n;
    return TA_OK;
}

/* m * 2^e, plus something smaller than a unit of m when `sticky`, to the nearest double. */
static int round_binary(uint64_t m, bool sticky, int64_t e, double *out)
{
    if (m == 0) {
        *out = 0;
        return TA_OK;
    }
    int lead = __builtin_clzll(m);
    int64_t top = e + 63 - lead; /* the value is in [2^top, 2^(top + 1)) */
    if (top > 1023)
        return TA_ERANGE;
    if (top < -1075) {
        *out = 0;
        return TA_OK;
    }
    m <<= lead;
    int drop = top >= -1022 ? 11 : 11 + (int)(-1022 - top); /* subnormals keep fewer bits */
    uint64_t kept = drop < 64 ? m >> drop : 0;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = m & (half | (half - 1));
    kept += rest > half || (rest == half && (sticky || (kept & 1)));
    /* kept < 2^54 is exact as a double, and so is the power of two. */
    *out = __builtin_ldexp((double)kept, (int)top - 63 + drop);
    return __builtin_isinf(*out) ? TA_ERANGE : TA_OK;
}

/* What follows 0x: digits, point, p, exponent. */
static int parse_hex(struct ta_str s, double *out)
{
    const char *p = s.at, *end = s.at + s.len;
    uint64_t m = 0;
    int64_t e = 0, written = 0;
    bool sticky = false, any = false, point = false, down = false;

    for (; p < end && (*p == '.' || hex_digit(*p) >= 0); p++) {
        if (*p == '.') {
            if (point)
                return TA_EFORMAT;
            point = true;
            continue;
        }
        any = true;
        if (m >> 60 == 0) {
            m = m << 4 | (unsigned)hex_digit(*p);
            e -= point ? 4 : 0;
        } else {
            sticky |= *p != '0';
            e += point ? 0 : 4;
        }
    }
    if (!any || p == end || (*p | 0x20) != 'p')
        return TA_EFORMAT;
    p++;
    if (p < end && (*p == '-' || *p == '+'))
        down = *p++ == '-';
    if (p == end)
        return TA_EFORMAT;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return TA_EFORMAT;
        written = written < 100000 ? written * 10 + (*p - '0') : written;
    }
    return round_binary(m, sticky, e + (down ? -written : written), out);
}

static int parse_float(struct ta_str token, double *out)
{
    char plain[PLAIN_MAX];
    bool negative = token.at[0] == '-';
    struct ta_str s = {token.at + negative, token.len - negative};
    bool is_hex = s.len > 2 && s.at[0] == '0' && (s.at[1] | 0x20) == 'x';
    int r;

    if (s.len == 0 || (!is_digit(s.at[0]) && s.at[0] != '.'))
        return TA_EFORMAT;
    if (memchr(s.at, '_', s.len)) {
        size_t n;
        r = strip_underscores(s, is_hex, plain, &n);
        if (r < 0)
            return r;
        s = (struct ta_str){plain, n};
    }
    double v;
    r = is_hex ? parse_hex((struct ta_str){s.at + 2, s.len - 2}, &v) : ta_parse_f64(s, &v);
    if (r < 0)
        return r;
    *out = negative ? -v : v;
    return TA_OK;
}

enum ta_line_reason ta_line_number(struct ta_str token, double *out, const char **what)
{
    char last = token.len ? token.at[token.len - 1] : 0;
    int r;

    if (last == 'i') {
        int64_t v = 0;
        r = ta_parse_i64((struct ta_str){token.at, token.len - 1}, &v);
        *what = "invalid integer value";
        if (r == TA_OK)
            *out = (double)v;
    } else if (last == 'u') {
        uint64_t v = 0;
        r = ta_parse_u64((struct ta_str){token.at, token.len - 1}, &v);
        *what = "invalid unsigned integer value";
        if (r == TA_OK)
            *out = (double)v;
    } else if (token.len == 0 ||
               (!is_digit(token.at[0]) && token.at[0] != '-' && token.at[0] != '.')) {
        *what = "value has unrecognized type:";
        return TA_LINE_BAD_VALUE;
    } else {
        r = parse_float(token, out);
        *what = "invalid float value";
    }
    if (r == TA_OK)
        return TA_LINE_GOOD;
    if (r == TA_ERANGE) {
        *what = "value out of range:";
        return TA_LINE_VALUE_RANGE;
    }
    return TA_LINE_BAD_VALUE;
}

/* Units per second, and seconds per unit. */
static const struct {
    int64_t divide, multiply;
} units[] = {
    [TA_LINE_NS] = {1000000000, 1}, [TA_LINE_US] = {1000000, 1}, [TA_LINE_MS] = {1000, 1},
    [TA_LINE_S] = {1, 1},           [TA_LINE_MIN] = {1, 60},     [TA_LINE_HOUR] = {1, 3600},
};

int ta_line_time(struct ta_str token, enum ta_line_precision precision, int64_t *out_s)
{
    int64_t t;

    if (ta_parse_i64(token, &t) < 0)
        return TA_EFORMAT;
    if (precision == TA_LINE_AUTO) {
        *out_s = ta_line_seconds(t);
        return TA_OK;
    }
    int64_t divide = units[precision].divide;
    int64_t s = t / divide - (t % divide < 0);
    if (__builtin_mul_overflow(s, units[precision].multiply, &s))
        return TA_EFORMAT;
    *out_s = s;
    return TA_OK;
}
