#include "parquet/split.h"

#include <assert.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* Sixteen 4-byte values at a time by three rounds of unpacking; baseline x86-64 has SSE2. */
static size_t split4_blocks(const unsigned char *in, size_t n, unsigned char *out)
{
    size_t i = 0;

#if defined(__x86_64__)
    const __m128i low = _mm_set1_epi16(0x00ff);
    for (; i + 16 <= n; i += 16) {
        const __m128i *p = (const __m128i *)(const void *)(in + 4 * i);
        __m128i a = _mm_loadu_si128(p);
        __m128i b = _mm_loadu_si128(p + 1);
        __m128i c = _mm_loadu_si128(p + 2);
        __m128i d = _mm_loadu_si128(p + 3);
        /* Even bytes (0 and 2 of each value), then odd ones (1 and 3). */
        __m128i e0 = _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
        __m128i e1 = _mm_packus_epi16(_mm_and_si128(c, low), _mm_and_si128(d, low));
        __m128i o0 = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
        __m128i o1 = _mm_packus_epi16(_mm_srli_epi16(c, 8), _mm_srli_epi16(d, 8));
        __m128i b0 = _mm_packus_epi16(_mm_and_si128(e0, low), _mm_and_si128(e1, low));
        __m128i b2 = _mm_packus_epi16(_mm_srli_epi16(e0, 8), _mm_srli_epi16(e1, 8));
        __m128i b1 = _mm_packus_epi16(_mm_and_si128(o0, low), _mm_and_si128(o1, low));
        __m128i b3 = _mm_packus_epi16(_mm_srli_epi16(o0, 8), _mm_srli_epi16(o1, 8));
        _mm_storeu_si128((__m128i *)(void *)(out + i), b0);
        _mm_storeu_si128((__m128i *)(void *)(out + n + i), b1);
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * n + i), b2);
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * n + i), b3);
    }
#else
    (void)in;
    (void)n;
    (void)out;
#endif
    return i;
}

void ta_split_encode(const void *in, size_t n, size_t width, void *out)
{
    const unsigned char *from = in;
    unsigned char *to = out;

    assert(width == 4 || width == 8);
    size_t i = width == 4 ? split4_blocks(from, n, to) : 0;
    for (; i < n; i++)
        for (size_t b = 0; b < width; b++)
            to[b * n + i] = from[i * width + b];
}

static size_t join4_blocks(const unsigned char *in, size_t total, size_t n, unsigned char *out)
{
    size_t i = 0;

#if defined(__x86_64__)
    for (; i + 16 <= n; i += 16) {
        __m128i b0 = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
        __m128i b1 = _mm_loadu_si128((const __m128i *)(const void *)(in + total + i));
        __m128i b2 = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * total + i));
        __m128i b3 = _mm_loadu_si128((const __m128i *)(const void *)(in + 3 * total + i));
        __m128i l0 = _mm_unpacklo_epi8(b0, b1);
        __m128i h0 = _mm_unpackhi_epi8(b0, b1);
        __m128i l1 = _mm_unpacklo_epi8(b2, b3);
        __m128i h1 = _mm_unpackhi_epi8(b2, b3);
        __m128i *p = (__m128i *)(void *)(out + 4 * i);
        _mm_storeu_si128(p, _mm_unpacklo_epi16(l0, l1));
        _mm_storeu_si128(p + 1, _mm_unpackhi_epi16(l0, l1));
        _mm_storeu_si128(p + 2, _mm_unpacklo_epi16(h0, h1));
        _mm_storeu_si128(p + 3, _mm_unpackhi_epi16(h0, h1));
    }
#else
    (void)in;
    (void)total;
    (void)n;
    (void)out;
#endif
    return i;
}

void ta_split_decode(const void *in, size_t total, size_t from, size_t n, size_t width, void *out)
{
    const unsigned char *p = (const unsigned char *)in + from;
    unsigned char *to = out;

    assert(width == 4 || width == 8);
    assert(from + n <= total);
    size_t i = width == 4 ? join4_blocks(p, total, n, to) : 0;
    for (; i < n; i++)
        for (size_t b = 0; b < width; b++)
            to[i * width + b] = p[b * total + i];
}
