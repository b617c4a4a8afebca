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

/* The portable way, for tests that hold one against the other. */
uint32_t ta_crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
