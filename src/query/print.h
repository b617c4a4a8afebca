/* print.h - values as the JSON numbers of an answer (spec: http-api 9). */
#ifndef TARN_QUERY_PRINT_H
#define TARN_QUERY_PRINT_H

#include "base/buf.h"
#include "base/number.h"

#include <stddef.h>

/* Room that one value may need, its comma included. */
enum { TA_PRINT_VALUE_MAX = TA_FIXED_MAX + 64 };

/* Prints ",v" for as many of v[0..n) as surely fit: three decimals, null for NaN and infinities.
 * Returns how many; *used is the bytes written, at most `room`. What lies behind them, up to
 * `room`, may have been overwritten. None fits when room < TA_PRINT_VALUE_MAX. */
size_t ta_print_values(char *out, size_t room, const double *v, size_t n, size_t *used);

/* Two decimals, or null. */
int ta_print_stat(struct ta_buf *out, double v);

#endif
