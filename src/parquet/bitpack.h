/* bitpack.h - unsigned integers of a fixed width packed back to back, least significant bit first. */
#ifndef TARN_PARQUET_BITPACK_H
#define TARN_PARQUET_BITPACK_H

#include <stddef.h>
#include <stdint.h>

/* Bits needed for v: 0 for 0, 64 at most. */
static inline unsigned ta_bits_of(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

static inline size_t ta_bitpack_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

/* Packs n values below 2^width (width 1..64); writes ta_bitpack_bytes(n, width) bytes. Returns their end. */
unsigned char *ta_bitpack_u64(unsigned char *out, const uint64_t *v, size_t n, unsigned width);
unsigned char *ta_bitpack_u32(unsigned char *out, const uint32_t *v, size_t n, unsigned width);

/* Unpacks n values of `width` (0..64; 0..32) bits that begin at bit 0 of `in`, of which `room` bytes are
 * readable and which hold them all. */
void ta_bitunpack_u64(const unsigned char *in, size_t room, size_t n, unsigned width,
                      uint64_t *out);
void ta_bitunpack_u32(const unsigned char *in, size_t room, size_t n, unsigned width,
                      uint32_t *out);

#endif
