/* bytes.h - little-endian integers in byte arrays, at any alignment. */
#ifndef TARN_BASE_BYTES_H
#define TARN_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tarn's formats are read and written in place on little-endian machines only"
#endif

#define TA_BYTES_PAIR(name, type)                                                                  \
    static inline type ta_get_##name(const void *p)                                                \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, p, sizeof(v));                                                                  \
        return v;                                                                                  \
    }                                                                                              \
    static inline void ta_put_##name(void *p, type v)                                              \
    {                                                                                              \
        memcpy(p, &v, sizeof(v));                                                                  \
    }

TA_BYTES_PAIR(u16, uint16_t)
TA_BYTES_PAIR(u32, uint32_t)
TA_BYTES_PAIR(u64, uint64_t)
TA_BYTES_PAIR(i64, int64_t)
TA_BYTES_PAIR(f32, float)
TA_BYTES_PAIR(f64, double)

#undef TA_BYTES_PAIR

#endif
