/* floats.h - columns of values, NaN = missing: counted, narrowed to binary32, widened again.
 *
 * Loops without branches and of a constant length inside, so that they become vector instructions everywhere:
 * well below a nanosecond a value.
 */
#ifndef TARN_BASE_FLOATS_H
#define TARN_BASE_FLOATS_H

#include <stddef.h>
#include <stdint.h>

#define TA_MISSING_F32 UINT32_C(0x7FC00000) /* the quiet NaN as checkpoint files have it */

/* How many of v[0..n) are no NaN. */
size_t ta_floats_present(const double *v, size_t n);

/* The nearest binary32 of each, in little-endian bytes at any alignment; of a NaN TA_MISSING_F32. Returns
 * ta_floats_present(v, n). */
size_t ta_floats_narrow(const double *restrict v, size_t n, void *restrict out);

/* n binary32 at `in`, any alignment, as binary64. Returns how many are no NaN. */
size_t ta_floats_widen(const void *restrict in, size_t n, double *restrict out);

#endif
