/* number_short.c - the shortest decimal that reads back as the same binary64.
 *
 * A decimal of at most 15 digits is the only one of its length that reads back as its double, so
 * what is found by scaling is the answer: values that were written by people and instruments end
 * there. The rest (results of arithmetic, 16 or 17 digits) is printed with growing precision and
 * read back, which is exact and slow (about a microsecond).
 */
#include "base/number.h"

#include "base/bytes.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { DIGITS = 17, PLAIN_LOW = -7, PLAIN_HIGH = 21 };

/* 0.d1 d2 ... dn times 10^point */
struct shortest {
    char digit[DIGITS + 1];
    int n, point;
};

static void strip_zeros(struct shortest *d)
{
    while (d->n > 1 && d->digit[d->n - 1] == '0')
        d->n--;
}

static void set_integer(struct shortest *d, uint64_t u, int decimals)
{
    char text[20];
    int n = 0;

    do {
        text[n++] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    d->n = n;
    d->point = n - decimals;
    for (int i = 0; i < n; i++)
        d->digit[i] = text[n - 1 - i];
    strip_zeros(d);
}

/* |v| as an integer over a small power of ten, if it is one. */
static bool find_by_scaling(double v, struct shortest *out)
{
    static const double scale[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

    for (int i = 0; i < (int)TA_COUNT(scale); i++) {
        double scaled = v * scale[i];
        if (scaled >= 1e15)
            return false;
        uint64_t u = (uint64_t)(scaled + 0.5);
        if ((double)u / scale[i] == v) {
            set_integer(out, u, i);
            return true;
        }
    }
    return false;
}

static bool reads_back(const struct shortest *d, double v)
{
    char text[TA_SHORTEST_MAX];
    double back;
    int n = snprintf(text, sizeof(text), "%.*se%d", d->n, d->digit, d->point - d->n);

    return ta_parse_f64((struct ta_str){text, (size_t)n}, &back) == 0 && back == v;
}

/* One unit in the last place upward; false when that gives another digit. */
static bool step_up(struct shortest *d)
{
    for (int i = d->n - 1; i >= 0; i--) {
        if (d->digit[i] != '9') {
            d->digit[i]++;
            return true;
        }
        d->digit[i] = '0';
    }
    return false;
}

static void find_by_precision(double v, struct shortest *out)
{
    char text[TA_SHORTEST_MAX];

    for (int n = fpclassify(v) == FP_SUBNORMAL ? 1 : 15; n <= DIGITS; n++) {
        int len = snprintf(text, sizeof(text), "%.*e", n - 1, v);
        int at = 0, exponent = 0;
        bool below = false;

        out->n = 0;
        for (; at < len && text[at] != 'e'; at++) /* whatever the locale's point is */
            if (text[at] >= '0' && text[at] <= '9')
                out->digit[out->n++] = text[at];
        for (at++; at < len; at++) {
            if (text[at] == '-')
                below = true;
            else if (text[at] != '+')
                exponent = exponent * 10 + (text[at] - '0');
        }
        out->point = (below ? -exponent : exponent) + 1;
        if (reads_back(out, v))
            break;
        /* Below a power of two the doubles lie denser than above it: there the neighbour above
         * can read back although the nearest decimal, below, does not. */
        struct shortest up = *out;
        if ((ta_get_u64(&v) & ((UINT64_C(1) << 52) - 1)) == 0 && step_up(&up) &&
            reads_back(&up, v)) {
            *out = up;
            break;
        }
    }
    strip_zeros(out);
}

static size_t put_exponent(char *out, const struct shortest *d)
{
    size_t n = 0;

    out[n++] = d->digit[0];
    if (d->n > 1) {
        out[n++] = '.';
        memcpy(out + n, d->digit + 1, (size_t)d->n - 1);
        n += (size_t)d->n - 1;
    }
    int e = d->point - 1;
    unsigned u = e < 0 ? 0u - (unsigned)e : (unsigned)e;
    out[n++] = 'e';
    out[n++] = e < 0 ? '-' : '+';
    if (u >= 100)
        out[n++] = (char)('0' + u / 100);
    if (u >= 10)
        out[n++] = (char)('0' + u / 10 % 10);
    out[n++] = (char)('0' + u % 10);
    return n;
}

static size_t put_plain(char *out, const struct shortest *d)
{
    size_t n = 0;
    int i = 0;

    if (d->point <= 0)
        out[n++] = '0';
    for (; i < d->point; i++)
        out[n++] = i < d->n ? d->digit[i] : '0';
    if (d->n > d->point) {
        out[n++] = '.';
        for (int zero = d->point; zero < 0; zero++)
            out[n++] = '0';
        while (i < d->n)
            out[n++] = d->digit[i++];
    }
    return n;
}

size_t ta_print_shortest(char *out, double v)
{
    struct shortest d = {.n = 0};
    size_t n = 0;

    assert(isfinite(v));
    if (signbit(v)) {
        out[n++] = '-';
        v = -v;
    }
    if (!find_by_scaling(v, &d))
        find_by_precision(v, &d);
    bool plain = v == 0 || (d.point - 1 >= PLAIN_LOW + 1 && d.point <= PLAIN_HIGH);
    return n + (plain ? put_plain(out + n, &d) : put_exponent(out + n, &d));
}
