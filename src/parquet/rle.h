/* rle.h - Parquet's hybrid of run lengths and bit packing, for dictionary indices and levels.
 *
 *   hybrid := { varint(n << 1)         value in ceil(width / 8) bytes      a run of n equal values
 *             | varint(n8 << 1 | 1)    n8 * width bytes                    8 * n8 values, bit-packed }*
 *
 * The encoder works on runs, so equal rows cost nothing; the decoder gives runs back where the file has
 * them. (parquet-format, Encodings.md, "RLE / bit-packing hybrid".)
 */
#ifndef TARN_PARQUET_RLE_H
#define TARN_PARQUET_RLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_rle_run {
    uint32_t value, count;
};

/* Appends the n runs, `width` bits a value (0..32). Pure but for the buffer: TA_ENOMEM, TA_ERANGE. */
int ta_rle_encode(const struct ta_rle_run *runs, size_t n, unsigned width, struct ta_buf *out);

struct ta_rle {
    const unsigned char *at, *end;
    unsigned width;
    uint32_t run_left, run_value; /* a run being given out */
    uint32_t packed_left;         /* values left in a bit-packed stretch */
    const unsigned char *packed;  /* its first byte */
    uint32_t packed_done;         /* values given out of it */
};

/* Borrows the bytes. TA_EFORMAT when width is over 32. */
int ta_rle_init(struct ta_rle *r, const void *p, size_t n, unsigned width);

/* Up to `max` (>= 1) next values: either *is_run and out[0] stands for all of them (any count up to
 * max), or at most `room` values in out. Returns the count; 0 at the end of the bytes; TA_EFORMAT. Bits
 * that pad the last bit-packed stretch are given out too: the caller knows how many values there are. */
int64_t ta_rle_next(struct ta_rle *r, uint32_t *out, uint32_t room, uint32_t max, bool *is_run);

#endif
