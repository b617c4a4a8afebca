#include "parquet/bitpack.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

struct packing {
    unsigned char *out;
    uint64_t bits; /* not written yet */
    unsigned have; /* how many, below 64 */
};

static inline void pack(struct packing *p, uint64_t v, unsigned width)
{
    p->bits |= v << p->have;
    p->have += width;
    if (p->have < 64)
        return;
    ta_put_u64(p->out, p->bits);
    p->out += 8;
    p->have -= 64;
    p->bits = p->have ? v >> (width - p->have) : 0;
}

/* One body for both widths of value. Narrow ones are joined by four, then by two, in registers: the sum of
 * the bits so far, on which each step waits, is what costs. */
#define BITPACK(name, type)                                                                        \
    unsigned char *name(unsigned char *out, const type *v, size_t n, unsigned width)               \
    {                                                                                              \
        struct packing p = {.out = out};                                                           \
        size_t i = 0;                                                                              \
                                                                                                   \
        assert(width >= 1 && width <= 8 * sizeof(type));                                           \
        if (width <= 16)                                                                           \
            for (; i + 4 <= n; i += 4) {                                                           \
                uint64_t low = v[i] | (uint64_t)v[i + 1] << width;                                 \
                uint64_t high = v[i + 2] | (uint64_t)v[i + 3] << width;                            \
                pack(&p, low | high << 2 * width, 4 * width);                                      \
            }                                                                                      \
        else if (width <= 32)                                                                      \
            for (; i + 2 <= n; i += 2)                                                             \
                pack(&p, v[i] | (uint64_t)v[i + 1] << width, 2 * width);                           \
        for (; i < n; i++)                                                                         \
            pack(&p, v[i], width);                                                                 \
        for (; p.have > 0; p.have = p.have > 8 ? p.have - 8 : 0) {                                 \
            *p.out++ = (unsigned char)p.bits;                                                      \
            p.bits >>= 8;                                                                          \
        }                                                                                          \
        return p.out;                                                                              \
    }

BITPACK(ta_bitpack_u64, uint64_t)
BITPACK(ta_bitpack_u32, uint32_t)

/* Eight bytes from `at`, zeros behind the end. */
static uint64_t load_tail(const unsigned char *in, size_t room, size_t at)
{
    uint64_t w = 0;

    if (at < room)
        memcpy(&w, in + at, room - at < 8 ? room - at : 8);
    return w;
}

void ta_bitunpack_u64(const unsigned char *in, size_t room, size_t n, unsigned width, uint64_t *out)
{
    const uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;

    assert(width <= 64);
    size_t i = 0;
    /* While eight bytes can be loaded: 7 bits of shift and 57 of value fit in one load. */
    if (width <= 57)
        for (; i < n && (i * width >> 3) + 8 <= room; i++)
            out[i] = ta_get_u64(in + (i * width >> 3)) >> (i * width & 7) & mask;
    for (; i < n; i++) {
        size_t bit = i * width;
        size_t at = bit >> 3;
        unsigned shift = bit & 7;
        uint64_t w = load_tail(in, room, at) >> shift;
        if (shift && width > 64 - shift)
            w |= load_tail(in, room, at + 8) << (64 - shift);
        out[i] = w & mask;
    }
}

void ta_bitunpack_u32(const unsigned char *in, size_t room, size_t n, unsigned width, uint32_t *out)
{
    const uint64_t mask = ((uint64_t)1 << width) - 1;
    size_t i = 0;

    assert(width <= 32);
    /* While eight bytes can be loaded: 7 bits of shift and 32 of value fit in one load. */
    for (; i < n && (i * width >> 3) + 8 <= room; i++)
        out[i] = (uint32_t)(ta_get_u64(in + (i * width >> 3)) >> (i * width & 7) & mask);
    for (; i < n; i++)
        out[i] = (uint32_t)(load_tail(in, room, i * width >> 3) >> (i * width & 7) & mask);
}
