/* predict_avx2.c - lines of expected forms, for x86-64 processors with AVX2; chosen at run time.
 * bench_ingest tells what they gain over those of any processor.
 */
#include "ingest/predict_int.h"
#include "line/value_avx2.h"

#ifdef __x86_64__

#define TARGET TA_AVX2

_Static_assert((int)HEAD_BYTES >= (int)TA_LINE_AVX2_BEFORE, "readable in front of a number");

/* Bit i: a[i] == b[i]. Reads 32 bytes of each. */
TA_AVX2 static inline uint32_t equal32(const char *a, const char *b)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)b);

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, y));
}

/* The bits of [0, n) where a and b differ, n <= FORMS_PAD. All 64 bytes are compared whatever n is: the
 * lines of a node have parts of all lengths, and a branch on them would be guessed wrongly. */
TA_AVX2 static inline uint64_t unequal64(const char *a, const char *b, size_t n)
{
    _Static_assert(FORMS_PAD == 64, "two registers");
    uint64_t equal = equal32(a, b) | (uint64_t)equal32(a + 32, b + 32) << 32;

    return _bzhi_u64(~equal, (unsigned)n);
}

TA_AVX2 static inline bool same_head(const struct ta_ingest *in, const char *p,
                                     const struct form *form)
{
    const char *text = form_text(&in->forms, form);
    size_t before = form->before, after = form->after, host = in->host_len;

    if ((before | after) >= FORMS_PAD || host > 32)
        return memcmp(p, text, before) == 0 && memcmp(p + before, in->host, host) == 0 &&
               memcmp(p + before + host, text + before, after) == 0;
    return (unequal64(p, text, before) | _bzhi_u32(~equal32(p + before, in->host), (unsigned)host) |
            unequal64(p + before + host, text + before, after)) == 0;
}

TA_AVX2 static inline bool same_text(const char *a, const char *b, size_t n)
{
    return _bzhi_u32(~equal32(a, b), (unsigned)n) == 0;
}

TA_AVX2 static inline const char *find_end(const char *p)
{
    return ta_line_end_avx2(p);
}

TA_AVX2 static inline bool read_number(const char *p, const char *end, double *out)
{
    return ta_line_number_avx2(p, end, out) || ta_line_quick_number(p, out) == end;
}

#include "ingest/predict_loop.h"

TA_AVX2 static const char *expected(struct ta_ingest *in, struct ta_feed *f, struct run *run,
                                    const char *p, const char *end, size_t pad)
{
    return take_expected(in, f, run, p, end, pad);
}

TA_AVX2 static const char *number(const char *p, double *out)
{
    const char *end = find_end(p);

    return end && read_number(p, end, out) ? end : NULL;
}

static const struct predict_ways ways = {expected, number};

const struct predict_ways *predict_ways_avx2(void)
{
    return ta_has_avx2() ? &ways : NULL;
}

#else

const struct predict_ways *predict_ways_avx2(void)
{
    return NULL;
}

#endif
