/* predict_plain.h - what predict_loop.h is made of, for any processor. */
#ifndef TARN_INGEST_PREDICT_PLAIN_H
#define TARN_INGEST_PREDICT_PLAIN_H

#include "ingest/predict_int.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char block16 __attribute__((vector_size(16)));

/* For the 10 to 60 bytes we compare, without a call. Reads [a, a + n) alone. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t low = 0, high = 0;

    if (n >= 16) {
        block16 any = {0}, x, y;
        for (size_t i = 0;;) {
            memcpy(&x, a + i, 16);
            memcpy(&y, b + i, 16);
            any |= x ^ y;
            if (i + 16 == n)
                break;
            i = i + 32 <= n ? i + 16 : n - 16; /* the last one overlaps */
        }
        memcpy(&low, &any, 8);
        memcpy(&high, (const char *)&any + 8, 8);
        return (low | high) == 0;
    }
    if (n >= 8)
        return ((ta_get_u64(a) ^ ta_get_u64(b)) |
                (ta_get_u64(a + n - 8) ^ ta_get_u64(b + n - 8))) == 0;
    for (size_t i = 0; i < n; i++)
        low |= (unsigned char)(a[i] ^ b[i]);
    return low == 0;
}

static inline bool same_head(const struct ta_ingest *in, const char *p, const struct form *form)
{
    const char *text = form_text(&in->forms, form), *host = p + form->before;

    return same_bytes(p, text, form->before) && same_bytes(host, in->host, in->host_len) &&
           same_bytes(host + in->host_len, text + form->before, form->after);
}

static inline bool same_text(const char *a, const char *b, size_t n)
{
    return same_bytes(a, b, n);
}

static inline const char *find_end(const char *p)
{
#ifdef __SSE2__
    unsigned ends = 0;

    for (int i = 0; i < 2; i++) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i is_end = _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8(' ')),
                                      _mm_cmpeq_epi8(text, _mm_set1_epi8('\n')));
        ends |= (unsigned)_mm_movemask_epi8(is_end) << 16 * i;
    }
    return ends ? p + __builtin_ctz(ends) : NULL;
#else
    for (const char *end = p + 32; p < end; p++)
        if (*p == ' ' || *p == '\n')
            return p;
    return NULL;
#endif
}

/* Bit i: p[i] is a space, a comma, or what no name has that is read as it stands: a control, a backslash, a
 * byte above ASCII. */
static inline unsigned name_stops16(const char *p)
{
#ifdef __SSE2__
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i is_stop = _mm_or_si128(_mm_cmplt_epi8(text, _mm_set1_epi8('!')), /* signed */
                                   _mm_cmpeq_epi8(text, _mm_set1_epi8(',')));

    is_stop = _mm_or_si128(is_stop, _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('\\')),
                                                 _mm_cmpeq_epi8(text, _mm_set1_epi8(127))));
    return (unsigned)_mm_movemask_epi8(is_stop);
#else
    unsigned stops = 0;

    for (unsigned i = 0; i < 16; i++) {
        unsigned char c = (unsigned char)p[i];
        stops |= (unsigned)(c < '!' || c == ',' || c == '\\' || c >= 127) << i;
    }
    return stops;
#endif
}

static inline bool read_number(const char *p, const char *end, double *out)
{
    return ta_line_quick_number(p, out) == end;
}

#endif
