#include "base/crc32.h"

#include <zlib.h>

static uint32_t crc_of_zlib(const void *p, size_t n)
{
    return (uint32_t)crc32_z(0, p, n);
}

#if defined(__x86_64__)

#include <immintrin.h>

enum { BLOCK = 16 };

/* Brings the first r bytes of a block to its end, behind zeros: 16 bytes from shift + r. */
static const unsigned char shift[2 * BLOCK] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
};

__attribute__((target("pclmul,sse4.1"))) static __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* n >= 16. The remainder of the message, as a polynomial over GF(2), by that of the CRC: blocks are folded into one,
 * which Barrett's reduction finishes (Gopal et al.: Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ, 2009). The odd bytes come first, behind zeros that change nothing, so that whole blocks follow. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc_pclmul(const void *p, size_t n)
{
    const __m128i fold = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);   /* x^96, x^160 mod P */
    const __m128i fold_64 = _mm_set_epi64x(0, 0x163cd6124);          /* x^64 mod P */
    const __m128i reduce = _mm_set_epi64x(0x1f7011641, 0x1db710641); /* x^64 / P, P */
    const __m128i low = _mm_setr_epi32(-1, 0, -1, 0);
    const unsigned char *at = p;
    const size_t odd = n % BLOCK;
    const uint32_t begin =
        UINT32_MAX; /* what the register begins with, over the first four bytes */

    __m128i x =
        _mm_shuffle_epi8(_mm_xor_si128(load(at), _mm_cvtsi32_si128((int)begin)), load(shift + odd));
    __m128i rest = _mm_cvtsi32_si128((int)(odd < 4 ? begin >> 8 * odd : 0));
    for (at += odd, n -= odd; n > 0; at += BLOCK, n -= BLOCK) {
        __m128i block = _mm_xor_si128(load(at), rest);
        x = _mm_xor_si128(_mm_clmulepi64_si128(x, fold, 0x00), _mm_clmulepi64_si128(x, fold, 0x11));
        x = _mm_xor_si128(x, block);
        rest = _mm_setzero_si128();
    }
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, fold, 0x10));
    x = _mm_xor_si128(_mm_srli_si128(x, 4),
                      _mm_clmulepi64_si128(_mm_and_si128(x, low), fold_64, 0x00));
    __m128i q = _mm_clmulepi64_si128(_mm_and_si128(x, low), reduce, 0x10);
    x = _mm_xor_si128(x, _mm_clmulepi64_si128(_mm_and_si128(q, low), reduce, 0x00));
    return ~(uint32_t)_mm_extract_epi32(x, 1);
}

uint32_t ta_crc32(const void *p, size_t n)
{
    return n >= BLOCK && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")
               ? crc_pclmul(p, n)
               : crc_of_zlib(p, n);
}

#else

uint32_t ta_crc32(const void *p, size_t n)
{
    return crc_of_zlib(p, n);
}

#endif
