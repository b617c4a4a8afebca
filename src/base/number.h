/* number.h - binary64 and text, both ways, exactly.
 *
 * Locale-free, no allocation. Printing never uses an exponent unless said.
 */
#ifndef TARN_BASE_NUMBER_H
#define TARN_BASE_NUMBER_H

#include "base/str.h"

#include <stdint.h>

/* Largest output of ta_print_fixed: sign, 309 digits, point, 9 decimals. */
enum { TA_FIXED_MAX = 320, TA_SHORTEST_MAX = 32 };

/* Writes v with exactly `decimals` (0..9) digits after the point, as C's %.*f: correctly rounded
 * from the exact binary value, ties to even on the exact value. `-0.000` is possible. Finite v
 * only. Returns the number of bytes; `out` has room for TA_FIXED_MAX. The common case (|v| <
 * 2^53 / 10^decimals) costs about 15 ns. */
size_t ta_print_fixed(char *out, double v, int decimals);

/* The shortest decimal that reads back as v (finite); 'g' style exponent beyond 21 digits, valid
 * JSON. `out` has room for TA_SHORTEST_MAX. */
size_t ta_print_shortest(char *out, double v);

/* Parses a JSON-style decimal number that fills the slice: [-+]digits[.digits][e[-+]digits],
 * also ".5" and "5.". Correctly rounded (ties to even). 0 = good; TA_EFORMAT; TA_ERANGE when it
 * overflows binary64. */
int ta_parse_f64(struct ta_str s, double *out);

/* The binary64 nearest to m * 10^e, ties to even, in some 5 ns: the last step of parsing, for who has
 * scanned the digits already. False (and *out untouched) when |e| > 27 and m is not 0: that is for
 * ta_parse_f64. */
bool ta_scale_f64(uint64_t m, int e, double *out);

/* Plain decimal integers that fill the slice. TA_EFORMAT, TA_ERANGE. */
int ta_parse_i64(struct ta_str s, int64_t *out);
int ta_parse_u64(struct ta_str s, uint64_t *out);

#endif
