/* delta.h - DELTA_BINARY_PACKED integers, and the lengths of DELTA_LENGTH_BYTE_ARRAY.
 *
 *   header := varint 128, varint 4, varint count, zigzag first
 *   block  := zigzag min-delta, 4 widths (one byte each), 4 miniblocks of 32 values
 *
 * Equal steps cost 6 to 10 bytes for 128 values. Differences wrap around in the width of the type (32 or
 * 64 bits), as the format asks. (parquet-format, Encodings.md, "Delta encoding".)
 */
#ifndef TARN_PARQUET_DELTA_H
#define TARN_PARQUET_DELTA_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends the encoding of v[0..n). TA_ENOMEM, TA_ERANGE. */
int ta_delta_encode_i64(const int64_t *v, size_t n, struct ta_buf *out);
int ta_delta_encode_i32(const int32_t *v, size_t n, struct ta_buf *out);

enum {
    TA_DELTA_MINI_MAX =
        1024,                /* values a miniblock may have in what we read; writers use 32 or 64 */
    TA_DELTA_MINIS_MAX = 512 /* miniblocks in a block; writers use 4 */
};

struct ta_delta {
    const unsigned char *at, *end;
    uint32_t mini_values; /* values in a miniblock */
    uint32_t n_minis;     /* miniblocks in a block */
    uint64_t left;        /* values not decoded yet, the first one included */
    bool first;           /* the first value was not given out yet */
    uint64_t value;       /* the last value */
    uint64_t min_delta;   /* of this block */
    uint32_t mini;        /* next miniblock of this block */
    const unsigned char *widths;
    uint32_t have, done; /* decoded values in `out`, and how many of them were given */
    uint64_t out[TA_DELTA_MINI_MAX];
};

/* Borrows the bytes. TA_EFORMAT. d->left is then the count that the header claims. 32-bit columns are
 * summed in 64 bits and cut when given out, which is the same. */
int ta_delta_init(struct ta_delta *d, const void *p, size_t n);

/* Next values, up to n: returns how many (0 at the end), TA_EFORMAT. Never more than one miniblock. */
int64_t ta_delta_next_i64(struct ta_delta *d, int64_t *out, size_t n);
int64_t ta_delta_next_i32(struct ta_delta *d, int32_t *out, size_t n);

#endif
