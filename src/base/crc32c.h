/* crc32c.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected; RFC 3720 appendix B.4).
 *
 * Catches every single error burst of up to 32 bits, which is what torn and flipped bytes in our
 * own files look like. Uses the processor's instruction where there is one (about 7 GB/s), else
 * a table (about 0.4 GB/s). The reference's files use CRC-32 (IEEE): that is zlib's crc32().
 */
#ifndef TARN_BASE_CRC32C_H
#define TARN_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from `crc` (0 to begin): ta_crc32c(ta_crc32c(0, a), b) is the CRC of a followed by b. */
uint32_t ta_crc32c(uint32_t crc, const void *p, size_t n);

/* The CRC of a followed by b, of their CRCs and the length of b. About a microsecond. */
uint32_t ta_crc32c_join(uint32_t a, uint32_t b, uint64_t b_bytes);

/* By what (to be XORed) the CRC of a block changes when four of them change from zero to v,
 * `bytes_behind` bytes before the end. */
uint32_t ta_crc32c_patch(const unsigned char v[static 4], uint64_t bytes_behind);

/* Which single flipped bit turned a block of n bytes of CRC `right` into one of CRC `found`? Its number (bit b of
 * byte i is 8 i + b), or -1: none, the damage is larger. Unique for every block below 2^28 bytes. Cost: O(n). */
int64_t ta_crc32c_find_bit(uint32_t right, uint32_t found, size_t n);

/* The portable way, for tests that hold one against the other. */
uint32_t ta_crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
