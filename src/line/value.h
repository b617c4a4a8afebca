/* value.h - numbers and timestamps of a line.
 *
 * Two ways to the same result. The plain one takes any token of the dialect. The quick one reads
 * digits eight at a time while it looks for the token's end, and covers what collectors send; on
 * anything else it says NULL and the plain one decides.
 */
#ifndef TARN_LINE_VALUE_H
#define TARN_LINE_VALUE_H

#include "base/bytes.h"
#include "base/number.h"
#include "line/line.h"

/* The quick ways may read so many bytes from where they start. */
enum { TA_LINE_QUICK_BYTES = 64 };

/* A whole token: decimal or hexadecimal float, integer with i or u; digits may be parted by
 * underscores as in Go's literals. *what gets static words when the result is not TA_LINE_GOOD. */
enum ta_line_reason ta_line_number(struct ta_str token, double *out, const char **what);

/* A whole token of decimal digits with optional minus, to seconds. TA_OK or TA_EFORMAT. */
int ta_line_time(struct ta_str token, enum ta_line_precision precision, int64_t *out_s);

/* TA_LINE_AUTO: the unit by magnitude, floored to seconds. */
static inline int64_t ta_line_seconds(int64_t t)
{
    uint64_t size = t < 0 ? 0 - (uint64_t)t : (uint64_t)t;

    if (size < UINT64_C(100000000000))
        return t;
    int64_t unit = size < UINT64_C(100000000000000)      ? 1000
                   : size < UINT64_C(100000000000000000) ? 1000000
                                                         : 1000000000;
    return t / unit - (t % unit < 0);
}

/* Number of leading ASCII digits among the 8 bytes of v, first byte lowest. */
static inline unsigned ta_line_count8(uint64_t v)
{
    uint64_t x = v ^ UINT64_C(0x3030303030303030);
    uint64_t other = ((x + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080);

    /* A carry out of a byte >= 0x8a only reaches bytes behind the first that is no digit. */
    return other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
}

/* The value of the first n (1..8) bytes of v, all digits. */
static inline uint64_t ta_line_digits8(uint64_t v, unsigned n)
{
    v = (v ^ UINT64_C(0x3030303030303030)) << (8 - n) * 8;
    v = v * 10 + (v >> 8);
    return ((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            (v >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* Adds the run of digits at p to *m, counts them in *n. Wraps silently past 19 digits; the caller
 * looks at *n. Reads at most 32 bytes. */
static inline const char *ta_line_run(const char *p, uint64_t *m, unsigned *n)
{
    static const uint64_t power[9] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};

    for (unsigned chunk = 8, i = 0; chunk == 8 && i < 3; i++) {
        uint64_t v = ta_get_u64(p);
        chunk = ta_line_count8(v);
        if (chunk == 0)
            break;
        *m = *m * power[chunk] + ta_line_digits8(v, chunk);
        *n += chunk;
        p += chunk;
    }
    return p;
}

static inline bool ta_line_quick_scale(uint64_t m, int e, bool negative, double *out)
{
    double v;

    if (!ta_scale_f64(m, e, &v))
        return false;
    *out = negative ? -v : v;
    return true;
}

/* Reads a number that is followed by a space or LF; returns the end or NULL. TA_LINE_QUICK_BYTES
 * must be readable at p. */
static inline const char *ta_line_quick_number(const char *p, double *out)
{
    bool negative = *p == '-';
    uint64_t m = 0;
    unsigned n = 0, n_int;
    int e = 0;
    const char *start = p + negative;

    p = ta_line_run(start, &m, &n);
    n_int = n;
    if (*p == '.') {
        if (n > 19)
            return NULL;
        p = ta_line_run(p + 1, &m, &n);
        e = -(int)(n - n_int);
    }
    if (n == 0 || n > 19)
        return NULL;
    if (*p == ' ' || *p == '\n')
        return ta_line_quick_scale(m, e, negative, out) ? p : NULL;
    if (*p == 'i' && n == n_int && p == start + n && n < 19 && (p[1] == ' ' || p[1] == '\n')) {
        *out = negative ? -(double)(int64_t)m + 0.0 : (double)(int64_t)m;
        return p + 1;
    }
    if ((*p | 0x20) == 'e') {
        bool down = p[1] == '-';
        uint64_t x = 0;
        unsigned n_x = 0;
        p = ta_line_run(p + 1 + (down || p[1] == '+'), &x, &n_x);
        if (n_x == 0 || n_x > 4 || (*p != ' ' && *p != '\n'))
            return NULL;
        e += down ? -(int)x : (int)x;
        return ta_line_quick_scale(m, e, negative, out) ? p : NULL;
    }
    return NULL;
}

#endif
