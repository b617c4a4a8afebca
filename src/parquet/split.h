/* split.h - BYTE_STREAM_SPLIT: the first bytes of all values, then their second bytes, and so on.
 *
 * The size stays; what compresses well (sign, exponent) then stands together. (parquet-format,
 * Encodings.md, "Byte Stream Split".)
 */
#ifndef TARN_PARQUET_SPLIT_H
#define TARN_PARQUET_SPLIT_H

#include <stddef.h>

/* n values of `width` bytes (4 or 8); in and out do not overlap. About 0.3 ns a value of 4 bytes. */
void ta_split_encode(const void *in, size_t n, size_t width, void *out);
/* Values [from, from + n) of a split page of `total` values. */
void ta_split_decode(const void *in, size_t total, size_t from, size_t n, size_t width, void *out);

#endif
