/* codec_grid.c - find the grid that values lie on.
 *
 * Three searches, each giving up at the first value that refuses: powers of two by counting zero bits of
 * the mantissa, decimals by raising the exponent until each value is met, ratios by continued
 * fractions. All of them only propose; what they propose is verified on every value by the encoder.
 */
#include "store/codec_grid.h"

#include "base/bytes.h"

#include <math.h>

enum {
    DECIMALS_MAX = 22, /* 10^22 is the last power of ten that is exact */
    DYADIC_BIAS = 1100,
    DYADIC_MAX = 1000, /* 2^k and 2^-k are both normal */
    ARG_MAX = 65535
};

#define ROUND_MAGIC 0x1.8p52

/* A value on a grid times `up` is so near a whole number, relatively: what a few roundings of binary64 lose, or one
 * of binary32. Tells most others from it without a division. */
#define NEAR_F64 0x1p-49
#define NEAR_F32 0x1p-22

static const double pow10_exact[DECIMALS_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static struct ta_grid grid_of(unsigned kind, unsigned exponent, unsigned arg)
{
    return (struct ta_grid){(uint8_t)(kind << 5 | exponent), (uint16_t)arg};
}

bool ta_grid_op(struct ta_grid grid, struct ta_grid_op *op)
{
    unsigned kind = grid.code >> 5;
    unsigned e = grid.code & 31;
    struct ta_grid_op r = {1, 1, 1, kind == TA_GRID_DECIMAL_F32};

    if (kind >= TA_GRID_KINDS ||
        (ta_grid_has_arg(grid.code) ? e != 0 || grid.arg == 0 : e > DECIMALS_MAX))
        return false;
    switch (kind) {
    case TA_GRID_DECIMAL:
    case TA_GRID_DECIMAL_F32:
        r.up = r.div = pow10_exact[e];
        break;
    case TA_GRID_MULTIPLE:
        r.mul = grid.arg;
        r.up = 1 / r.mul;
        break;
    case TA_GRID_DYADIC:
        if (grid.arg < DYADIC_BIAS - DYADIC_MAX || grid.arg > DYADIC_BIAS + DYADIC_MAX)
            return false;
        r.mul = ldexp(1, grid.arg - DYADIC_BIAS);
        r.up = 1 / r.mul;
        break;
    default: /* ratio, percent */
        r.div = grid.arg;
        r.mul = kind == TA_GRID_PERCENT ? 100 : 1;
        r.up = r.div / r.mul;
        break;
    }
    *op = r;
    return true;
}

static bool op_holds(const struct ta_grid_op *op, double v)
{
    double place = v * op->up;
    double m = place + ROUND_MAGIC - ROUND_MAGIC;

    if (fabs(place - m) > fabs(place) * (op->is_float ? NEAR_F32 : NEAR_F64))
        return false;
    double back = m / op->div * op->mul;
    if (op->is_float)
        back = (double)(float)back;
    return fabs(m) < TA_GRID_M_END && ta_get_u64(&back) == ta_get_u64(&v);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* v = mantissa * 2^*exponent with an odd mantissa; false for what no grid holds (-0.0, subnormals,
 * infinities). A zero has mantissa 0. */
static bool take_apart(double v, uint64_t *mantissa, int *exponent)
{
    uint64_t bits = ta_get_u64(&v);

    int biased = (int)(bits >> 52 & 0x7FF);
    *mantissa = 0;
    *exponent = 0;
    if (bits == 0)
        return true;
    if (biased == 0 || biased == 0x7FF)
        return false;
    uint64_t whole = (bits & 0xFFFFFFFFFFFFF) | 1ULL << 52;
    int zeros = __builtin_ctzll(whole);
    *mantissa = whole >> zeros;
    *exponent = biased - 1075 + zeros;
    return true;
}

/* The largest power of two that divides all values: false when the quotients would not fit. */
static bool find_dyadic(const double *v, unsigned n, int *out_k)
{
    int k = 2000;
    int top = -2000;

    for (unsigned i = 0; i < n; i++) {
        uint64_t mantissa;
        int exponent;

        if (!take_apart(v[i], &mantissa, &exponent))
            return false;
        if (mantissa == 0)
            continue;
        int high = exponent + 64 - __builtin_clzll(mantissa);
        k = exponent < k ? exponent : k;
        top = high > top ? high : top;
        if (top - k > 51)
            return false;
    }
    *out_k = k;
    return k >= -DYADIC_MAX && k <= DYADIC_MAX;
}

/* Whole numbers, all divisible by 2^k: their common divisor, when it is one that fits; else 0. With the power of two
 * taken out, the rest comes down to 1 in a few steps as a rule. */
static unsigned common_divisor(const double *v, unsigned n, int k)
{
    double down = ldexp(1, -k);
    uint64_t g = 0;

    for (unsigned i = 0; i < n && g != 1; i++) {
        double rest = fabs(v[i]) * down;

        if (rest >= 0x1p63)
            return 0;
        g = gcd((uint64_t)rest, g);
    }
    return g <= (uint64_t)ARG_MAX >> k ? (unsigned)(g << k) : 0;
}

/* Raises the exponent until every value is met; false when that takes a step of `step` or finer. */
static bool find_decimal(const double *v, unsigned n, bool is_float, double step,
                         struct ta_grid *out)
{
    unsigned kind = is_float ? TA_GRID_DECIMAL_F32 : TA_GRID_DECIMAL;
    struct ta_grid grid = grid_of(kind, 0, 0);
    struct ta_grid_op op;

    if (!ta_grid_op(grid, &op))
        return false;
    for (unsigned i = 0; i < n; i++) {
        while (!op_holds(&op, v[i])) {
            unsigned e = ++grid.code & 31;

            if (e > DECIMALS_MAX)
                return false;
            op.up = op.div = pow10_exact[e];
            if (step * op.div >= 1 || fabs(v[i]) * op.up >= TA_GRID_M_END)
                return false;
        }
    }
    *out = grid;
    return true;
}

/* The denominator of the simplest fraction that agrees with x >= 0 to about 50 bits; 0 when none up to
 * ARG_MAX does. Two different fractions that small differ by more than that. */
static unsigned denominator(double x)
{
    double rest = x;
    double p0 = 0, p1 = 1, q0 = 1, q1 = 0;

    if (x >= 0x1p52)
        return 1;
    for (int round = 0; round < 24 && rest <= 0x1p52; round++) {
        double whole = (double)(int64_t)rest;
        double p2 = whole * p1 + p0;
        double q2 = whole * q1 + q0;

        if (q2 > ARG_MAX)
            return 0;
        if (fabs(p2 - x * q2) <= p2 * 0x1p-50)
            return (unsigned)q2;
        p0 = p1, p1 = p2, q0 = q1, q1 = q2;
        rest = 1 / (rest - whole);
    }
    return 0;
}

/* *is_hopeless: some value is no such fraction, times 100 neither. */
static bool find_ratio(const double *v, unsigned n, unsigned kind, struct ta_grid *out,
                       bool *is_hopeless)
{
    double scale = kind == TA_GRID_PERCENT ? 100 : 1;
    struct ta_grid grid = grid_of(kind, 0, 1);
    struct ta_grid_op op;

    *is_hopeless = false;
    if (!ta_grid_op(grid, &op))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (op_holds(&op, v[i]))
            continue;
        unsigned d = denominator(fabs(v[i]) / scale);
        *is_hopeless = d == 0;
        if (d == 0)
            return false;
        uint64_t common = (uint64_t)d * grid.arg / gcd(d, grid.arg);
        if (common > ARG_MAX)
            return false;
        grid.arg = (uint16_t)common;
        if (!ta_grid_op(grid, &op) || !op_holds(&op, v[i]))
            return false;
    }
    *out = grid;
    return true;
}

/* Whole numbers, all divisible by 2^k: in steps of their common divisor. */
static struct ta_grid whole_grid(const double *v, unsigned n, int k)
{
    unsigned divisor = k < 16 ? common_divisor(v, n, k) : 0;

    if (divisor == 1)
        return grid_of(TA_GRID_DECIMAL, 0, 0); /* the same steps, in fewer bytes */
    if (divisor > 0 && ldexp(1, k) <= divisor)
        return grid_of(TA_GRID_MULTIPLE, 0, divisor);
    return grid_of(TA_GRID_DYADIC, 0, (unsigned)(k + DYADIC_BIAS));
}

bool ta_grid_find(const double *v, unsigned n, bool is_float, struct ta_grid *out)
{
    int k = 0;
    bool is_dyadic = find_dyadic(v, n, &k);
    bool is_hopeless;

    if (is_dyadic && k >= 0) {
        *out = whole_grid(v, n, k);
        return true;
    }
    if (find_decimal(v, n, is_float, is_dyadic ? ldexp(1, k) : 0, out))
        return true;
    if (is_dyadic) {
        *out = grid_of(TA_GRID_DYADIC, 0, (unsigned)(k + DYADIC_BIAS));
        return true;
    }
    return find_ratio(v, n, TA_GRID_RATIO, out, &is_hopeless) ||
           (!is_hopeless && find_ratio(v, n, TA_GRID_PERCENT, out, &is_hopeless));
}
