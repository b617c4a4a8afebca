/* codec_grid.h - regular grids of doubles: which integer m stands for which value.
 *
 * A grid is a rule "value = m / div * mul", each step rounded as IEEE does, with |m| < 2^51. Values that come
 * from text, from counters or from a driver's fixed steps all lie on some grid; it turns them into
 * small integers without loss. Division, not multiplication with the inverse, defines the value:
 * m and 10^e are exact, so m / 10^e is what the decimal text denotes, for every text of up to 15 digits.
 *
 *   code    arg     value
 *   0 | e   -       m / 10^e
 *   1 | e   -       m / 10^e, then rounded to binary32: what a binary32 file made of the decimal
 *   2       S       m * S                   whole numbers in steps of S
 *   3       k+1100  m * 2^k                 fractions of two, page-sized bytes
 *   4       D       m / D                   counts per interval
 *   5       D       m / D * 100             the same as percentage, rounded twice
 *
 * The kind stands in the upper three bits of the code, e in the lower five.
 */
#ifndef TARN_STORE_CODEC_GRID_H
#define TARN_STORE_CODEC_GRID_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TA_GRID_DECIMAL,
    TA_GRID_DECIMAL_F32,
    TA_GRID_MULTIPLE,
    TA_GRID_DYADIC,
    TA_GRID_RATIO,
    TA_GRID_PERCENT,
    TA_GRID_KINDS
};

struct ta_grid {
    uint8_t code;
    uint16_t arg; /* 0 for the decimal kinds */
};

/* The arithmetic of a grid. */
struct ta_grid_op {
    double up; /* value * up, rounded to a whole number, is m */
    double div;
    double mul;
    bool is_float; /* round the result to binary32 */
};

/* |m| must stay below this, so that m + 1.5 * 2^52 holds m in its low bits. */
#define TA_GRID_M_END 0x1p51

static inline bool ta_grid_has_arg(uint8_t code)
{
    return code >> 5 >= TA_GRID_MULTIPLE;
}

/* Is this a grid we know? On true fills *op. */
bool ta_grid_op(struct ta_grid grid, struct ta_grid_op *op);

/* Finds the coarsest grid that holds all of v[0..n), none of them NaN. Of a binary32 column
 * (`is_float`) decimals rounded to binary32 count too. Cost: 3-10 ns a value when there is one, a few
 * hundred ns in all when an early value refuses. */
bool ta_grid_find(const double *v, unsigned n, bool is_float, struct ta_grid *out);

#endif
