#include "parquet/bitpack.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

/* One body for both widths of value: 128 bits hold the at most 7 bits left over and 64 new ones. */
#define BITPACK(name, type)                                                                        \
    unsigned char *name(unsigned char *out, const type *v, size_t n, unsigned width)               \
    {                                                                                              \
        unsigned __int128 acc = 0;                                                                 \
        unsigned have = 0;                                                                         \
                                                                                                   \
        assert(width >= 1 && width <= 8 * sizeof(type));                                           \
        for (size_t i = 0; i < n; i++) {                                                           \
            acc |= (unsigned __int128)v[i] << have;                                                \
            have += width;                                                                         \
            if (have >= 64) {                                                                      \
                ta_put_u64(out, (uint64_t)acc);                                                    \
                out += 8;                                                                          \
                acc >>= 64;                                                                        \
                have -= 64;                                                                        \
            }                                                                                      \
        }                                                                                          \
        for (; have > 0; have = have > 8 ? have - 8 : 0) {                                         \
            *out++ = (unsigned char)acc;                                                           \
            acc >>= 8;                                                                             \
        }                                                                                          \
        return out;                                                                                \
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
