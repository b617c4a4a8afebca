/* print.c - a double as Go's strconv writes it with format 'g' and precision -1. */
#include "base/number.h"
#include "load/layout.h"

/* The value is 0.digits * 10^point; no zero at either end of the digits. */
struct decimal {
    bool is_negative;
    char digits[TA_SHORTEST_MAX];
    int n, point;
};

static void take_apart(struct decimal *d, double v)
{
    char text[TA_SHORTEST_MAX];
    size_t len = ta_print_shortest(text, v), at;
    bool after_point = false;

    *d = (struct decimal){.is_negative = text[0] == '-'};
    for (at = d->is_negative; at < len && text[at] != 'e'; at++) {
        if (text[at] == '.') {
            after_point = true;
        } else if (d->n == 0 && text[at] == '0') {
            d->point -= after_point;
        } else {
            d->digits[d->n++] = text[at];
            d->point += !after_point;
        }
    }
    if (at < len) { /* e[+-]digits */
        bool down = text[at + 1] == '-';
        int e = 0;
        at += down || text[at + 1] == '+' ? 2 : 1;
        for (; at < len; at++)
            e = e * 10 + (text[at] - '0');
        d->point += down ? -e : e;
    }
    while (d->n && d->digits[d->n - 1] == '0')
        d->n--;
}

static char *put_exponent(char *o, const struct decimal *d)
{
    int e = d->point - 1;

    *o++ = d->digits[0];
    if (d->n > 1)
        *o++ = '.';
    for (int i = 1; i < d->n; i++)
        *o++ = d->digits[i];
    *o++ = 'e';
    *o++ = e < 0 ? '-' : '+';
    e = e < 0 ? -e : e;
    if (e >= 100)
        *o++ = (char)('0' + e / 100);
    *o++ = (char)('0' + e / 10 % 10);
    *o++ = (char)('0' + e % 10);
    return o;
}

size_t ta_load_print_g(char *out, double v)
{
    struct decimal d;
    char *o = out;

    take_apart(&d, v);
    if (d.is_negative)
        *o++ = '-';
    if (d.n == 0) {
        *o++ = '0';
    } else if (d.point < -3 || d.point > 6) {
        o = put_exponent(o, &d);
    } else {
        if (d.point <= 0) {
            *o++ = '0';
            *o++ = '.';
        }
        for (int i = d.point; i < 0; i++)
            *o++ = '0';
        for (int i = 0; i < d.n || i < d.point; i++) {
            if (i == d.point && i > 0)
                *o++ = '.';
            *o++ = i < d.n ? d.digits[i] : '0';
        }
    }
    return (size_t)(o - out);
}
