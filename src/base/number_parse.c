/* number_parse.c - decimal text to the nearest binary64, ties to even.
 *
 * Three ways, each exact in its range:
 *   - up to 2^53 and a power of ten up to 22: one multiplication or division of doubles;
 *   - up to 19 digits and a power of ten within +-27 (5^27 < 2^64): one 128-bit product or one
 *     128-by-64-bit division, rounded once. This covers what collectors send, 17 digits included,
 *     and needs no table of powers;
 *   - all else: long integers. A halfway point between two doubles has at most 767 significant
 *     digits, so what follows DIGITS_MAX can only say "not exactly".
 */
#include "base/number.h"

#include "base/bytes.h"
#include "base/err.h"

enum {
    DIGITS_MAX = 770,
    WORDS = 96,              /* of 64 bits: 770 digits over 5^1115, with room for the shift */
    EXPONENT_LIMIT = 100000, /* where a written exponent stops growing; far past both ends */
    HIGHEST = 310,           /* 10^309 and above overflow */
    LOWEST = -345            /* below 10^-344 everything rounds to zero */
};

static const double exact10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint64_t pow5[28] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

/* The parts of the text. `digits` spans integer and fraction, the point included. */
struct decimal {
    const char *digits, *digits_end;
    uint64_t head;   /* the first 19 significant digits */
    int head_digits; /* how many there are in head */
    bool more;       /* digits other than 0 after these 19 */
    bool negative;
    int64_t exponent; /* of ten, for head */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static int scan_exponent(const char *p, const char *end, int64_t *out)
{
    bool negative = false;
    int64_t e = 0;

    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (p == end)
        return TA_EFORMAT;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return TA_EFORMAT;
        if (e < EXPONENT_LIMIT)
            e = e * 10 + (*p - '0');
    }
    *out = negative ? -e : e;
    return TA_OK;
}

static int scan(struct ta_str s, struct decimal *d)
{
    const char *p = s.at, *end = s.at + s.len;
    bool any = false, point = false;
    int64_t scale = 0, written = 0;

    *d = (struct decimal){0};
    if (p < end && (*p == '-' || *p == '+'))
        d->negative = *p++ == '-';
    d->digits = p;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            any = true;
            if (d->head_digits < 19) {
                d->head = d->head * 10 + (uint64_t)(*p - '0');
                d->head_digits += d->head != 0;
                scale -= point;
            } else {
                d->more |= *p != '0';
                scale += !point;
            }
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    d->digits_end = p;
    if (!any)
        return TA_EFORMAT;
    if (p < end) {
        if (*p != 'e' && *p != 'E')
            return TA_EFORMAT;
        int r = scan_exponent(p + 1, end, &written);
        if (r < 0)
            return r;
    }
    d->exponent = scale + written;
    return TA_OK;
}

/* v * 2^e, v != 0, plus something smaller than one unit of v when `sticky`: the one place where
 * bits are rounded away. Infinity past the end. */
static double round_to_f64(uint64_t v, bool sticky, int e)
{
    int up = __builtin_clzll(v);
    int drop = 11;
    double out;

    v <<= up;
    e -= up;
    /* Bit 63 is now the leading one, worth 2^(e + 63). Subnormals keep fewer bits. */
    if (e + 63 < -1022)
        drop += -1022 - (e + 63);
    if (drop > 64)
        return 0;
    uint64_t kept = drop < 64 ? v >> drop : 0;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = v & (half | (half - 1));
    kept += rest > half || (rest == half && (sticky || (kept & 1)));
    /* A carry out of the mantissa walks into the exponent field, which is what is wanted. */
    int field = drop > 11 ? 0 : e + 63 + 1022;
    uint64_t bits = ((uint64_t)field << 52) + kept;
    if (field >= 0x7fe && bits >= UINT64_C(0x7ff) << 52)
        bits = UINT64_C(0x7ff) << 52;
    memcpy(&out, &bits, sizeof(out));
    return out;
}

static double round_wide(unsigned __int128 v, bool sticky, int e)
{
    uint64_t high = (uint64_t)(v >> 64);

    if (!high)
        return round_to_f64((uint64_t)v, sticky, e);
    int up = __builtin_clzll(high);
    v <<= up;
    return round_to_f64((uint64_t)(v >> 64), sticky || (uint64_t)v, e + 64 - up);
}

static double scale_exactly(uint64_t w, int q)
{
    if (q >= 0)
        return round_wide((unsigned __int128)w * pow5[q], false, q);
    /* Both normalised, the dividend's top word is below the divisor: the quotient fits one word
     * and has at least 63 bits, of which 53 and the remainder's "not exactly" are needed. */
    uint64_t by = pow5[-q];
    int by_up = __builtin_clzll(by), w_up = __builtin_clzll(w);
    unsigned __int128 top = (unsigned __int128)(w << w_up) << 63;
    uint64_t divisor = by << by_up;
    uint64_t quotient = (uint64_t)(top / divisor);
    return round_to_f64(quotient, (uint64_t)(top % divisor) != 0, q - w_up - 63 + by_up);
}

/* Unsigned integers of up to WORDS words, least first; n words are in use, the last is not 0. */
struct big {
    int n;
    uint64_t word[WORDS];
};

static void big_mul_add(struct big *b, uint64_t by, uint64_t add)
{
    uint64_t carry = add;

    for (int i = 0; i < b->n; i++) {
        unsigned __int128 t = (unsigned __int128)b->word[i] * by + carry;
        b->word[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    if (carry)
        b->word[b->n++] = carry;
}

static void big_mul_pow5(struct big *b, int power)
{
    for (; power > 27; power -= 27)
        big_mul_add(b, pow5[27], 0);
    big_mul_add(b, pow5[power], 0);
}

static int big_bits(const struct big *b)
{
    return b->n * 64 - __builtin_clzll(b->word[b->n - 1]);
}

static void big_shift_left(struct big *b, int by)
{
    int words = by / 64, bits = by % 64;

    for (int i = b->n; i >= 0; i--) {
        uint64_t high = i < b->n ? b->word[i] << bits : 0;
        uint64_t low = i > 0 && bits ? b->word[i - 1] >> (64 - bits) : 0;
        b->word[i + words] = high | low;
    }
    memset(b->word, 0, sizeof(b->word[0]) * (size_t)words);
    b->n += words + 1;
    while (b->n && b->word[b->n - 1] == 0)
        b->n--;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

/* a -= b, a >= b */
static void big_subtract(struct big *a, const struct big *b)
{
    bool borrow = false;

    for (int i = 0; i < a->n; i++) {
        uint64_t by = i < b->n ? b->word[i] : 0;
        uint64_t was = a->word[i];
        a->word[i] = was - by - borrow;
        borrow = borrow ? was <= by : was < by;
    }
    while (a->n && a->word[a->n - 1] == 0)
        a->n--;
}

/* Loads the significant digits and gives the power of ten of the last one; returns how many. */
static int load_digits(const struct decimal *d, struct big *out, int64_t *exponent)
{
    const char *p = d->digits;
    int n = 0;
    bool rest = false;

    for (; p < d->digits_end; p++) {
        if (*p == '.' || (n == 0 && *p == '0'))
            continue;
        if (n < DIGITS_MAX) {
            big_mul_add(out, 10, (uint64_t)(*p - '0'));
            n++;
        } else {
            rest |= *p != '0';
        }
    }
    *exponent = d->exponent + d->head_digits - n;
    if (rest) {
        big_mul_add(out, 10, 1);
        (*exponent)--;
    }
    return n;
}

static double divide_long(struct big *num, int power)
{
    struct big den = {.n = 1, .word = {1}};
    uint64_t quotient = 0;

    big_mul_pow5(&den, power);
    /* Brought to equal length, the ratio lies in (1/2, 2): 64 steps give 63 or 64 bits. */
    int shift = big_bits(&den) - big_bits(num);
    if (shift > 0)
        big_shift_left(num, shift);
    else
        big_shift_left(&den, -shift);
    for (int i = 0; i < 64; i++) {
        quotient <<= 1;
        if (big_compare(num, &den) >= 0) {
            big_subtract(num, &den);
            quotient |= 1;
        }
        if (num->n)
            big_shift_left(num, 1);
    }
    return round_to_f64(quotient, num->n != 0, -power - shift - 63);
}

static double parse_long(const struct decimal *d)
{
    struct big num = {0};
    int64_t exponent = 0;
    int n = load_digits(d, &num, &exponent);

    if (n + exponent > HIGHEST)
        return __builtin_inf();
    if (n + exponent < LOWEST)
        return 0;
    int e = (int)exponent;
    if (e < 0)
        return divide_long(&num, -e);
    big_mul_pow5(&num, e);
    uint64_t below = 0;
    for (int i = 0; i < num.n - 2; i++)
        below |= num.word[i];
    unsigned __int128 top = num.word[num.n - 1];
    if (num.n > 1)
        top = top << 64 | num.word[num.n - 2];
    return round_wide(top, below != 0, e + (num.n > 1 ? 64 * (num.n - 2) : 0));
}

int ta_parse_f64(struct ta_str s, double *out)
{
    struct decimal d;
    int r = scan(s, &d);
    double v;

    if (r < 0)
        return r;
    if (d.head == 0)
        v = 0;
    else if (!d.more && d.exponent >= -22 && d.exponent <= 22 && d.head <= UINT64_C(1) << 53)
        v = d.exponent < 0 ? (double)d.head / exact10[-d.exponent]
                           : (double)d.head * exact10[d.exponent];
    else if (!d.more && d.exponent >= -27 && d.exponent <= 27)
        v = scale_exactly(d.head, (int)d.exponent);
    else
        v = parse_long(&d);
    if (v == __builtin_inf())
        return TA_ERANGE;
    *out = d.negative ? -v : v;
    return TA_OK;
}
