#include "parquet/delta.h"

#include "base/bytes.h"
#include "parquet/bitpack.h"

#include <string.h>

enum { BLOCK = 128, MINIS = 4, MINI = 32, VARINT_MAX = 10 };

static unsigned char *put_varint(unsigned char *out, uint64_t v)
{
    while (v >= 0x80) {
        *out++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *out++ = (unsigned char)v;
    return out;
}

static unsigned char *put_zigzag(unsigned char *out, int64_t v)
{
    return put_varint(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

/* The smallest of a block. Four side by side: one alone waits for itself each time. */
static int64_t smallest(const int64_t *v)
{
    int64_t a = v[0];
    int64_t b = v[1];
    int64_t c = v[2];
    int64_t d = v[3];

    for (size_t i = 4; i < BLOCK; i += 4) {
        a = v[i] < a ? v[i] : a;
        b = v[i + 1] < b ? v[i + 1] : b;
        c = v[i + 2] < c ? v[i + 2] : c;
        d = v[i + 3] < d ? v[i + 3] : d;
    }
    a = b < a ? b : a;
    c = d < c ? d : c;
    return c < a ? c : a;
}

/* One block of n differences (n <= BLOCK, `delta` has BLOCK places), each a wrapped signed number. Its loops
 * run over whole blocks: compilers make vectors of those. */
static unsigned char *put_block(unsigned char *out, int64_t *delta, size_t n, bool is_32)
{
    uint64_t differ = 0;

    for (size_t i = n; i < BLOCK; i++)
        delta[i] = delta[0];
    for (size_t i = 0; i < BLOCK; i++)
        differ |= (uint64_t)(delta[i] ^ delta[0]);
    int64_t min = differ ? smallest(delta) : delta[0];
    out = put_zigzag(out, min);
    unsigned char *widths = out;
    memset(widths, 0, MINIS);
    out += MINIS;
    if (!differ)
        return out; /* equal steps: the usual case of timestamps */
    uint64_t mask = is_32 ? UINT32_MAX : UINT64_MAX;
    uint64_t rest[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        rest[i] = ((uint64_t)delta[i] - (uint64_t)min) & mask;
    memset(rest + n, 0, (BLOCK - n) * sizeof(rest[0]));
    for (size_t m = 0; m * MINI < n; m++) {
        uint64_t bits = 0;
        for (size_t i = 0; i < MINI; i++)
            bits |= rest[m * MINI + i];
        unsigned width = ta_bits_of(bits);
        widths[m] = (unsigned char)width;
        if (width)
            out = ta_bitpack_u64(out, rest + m * MINI, MINI, width);
    }
    return out;
}

static unsigned char *put_header(unsigned char *out, size_t n, int64_t first)
{
    out = put_varint(out, BLOCK);
    out = put_varint(out, MINIS);
    out = put_varint(out, n);
    return put_zigzag(out, first);
}

/* Room for n values at worst: every miniblock at full width. */
static size_t worst(size_t n, size_t width)
{
    return 4 * VARINT_MAX + (n / BLOCK + 1) * (VARINT_MAX + MINIS + BLOCK * width + 8);
}

#define DELTA_ENCODE(name, type, utype, bits32)                                                    \
    int name(const type *v, size_t n, struct ta_buf *out)                                          \
    {                                                                                              \
        int64_t delta[BLOCK];                                                                      \
        int r = ta_buf_reserve(out, worst(n, sizeof(type)));                                       \
        if (r < 0)                                                                                 \
            return r;                                                                              \
        unsigned char *begin = (unsigned char *)out->at + out->len;                                \
        unsigned char *to = put_header(begin, n, n ? v[0] : 0);                                    \
        for (size_t i = 1; i < n;) {                                                               \
            size_t k = n - i < BLOCK ? n - i : BLOCK;                                              \
            for (size_t j = 0; j < k; j++)                                                         \
                delta[j] = (type)((utype)v[i + j] - (utype)v[i + j - 1]);                          \
            to = put_block(to, delta, k, bits32);                                                  \
            i += k;                                                                                \
        }                                                                                          \
        out->len += (size_t)(to - begin);                                                          \
        return TA_OK;                                                                              \
    }

DELTA_ENCODE(ta_delta_encode_i64, int64_t, uint64_t, false)
DELTA_ENCODE(ta_delta_encode_i32, int32_t, uint32_t, true)

static int get_varint(struct ta_delta *d, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (d->at == d->end)
            return TA_EFORMAT;
        unsigned b = *d->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return TA_OK;
        }
    }
    return TA_EFORMAT;
}

static int get_zigzag(struct ta_delta *d, uint64_t *out)
{
    uint64_t v;

    if (get_varint(d, &v) < 0)
        return TA_EFORMAT;
    *out = (v >> 1) ^ (0 - (v & 1));
    return TA_OK;
}

int ta_delta_init(struct ta_delta *d, const void *p, size_t n)
{
    uint64_t block;
    uint64_t minis;
    uint64_t count;

    /* Not the whole struct: its buffer is 8 KiB, and a page may hold ten values. */
    memset(d, 0, offsetof(struct ta_delta, out));
    d->at = p;
    d->end = d->at + n;
    if (get_varint(d, &block) < 0 || get_varint(d, &minis) < 0 || get_varint(d, &count) < 0 ||
        get_zigzag(d, &d->value) < 0)
        return TA_EFORMAT;
    if (minis == 0 || minis > TA_DELTA_MINIS_MAX || block % minis || block / minis % 32 ||
        block / minis == 0 || block / minis > TA_DELTA_MINI_MAX)
        return TA_EFORMAT;
    d->mini_values = (uint32_t)(block / minis);
    d->n_minis = (uint32_t)minis;
    d->mini = d->n_minis;
    d->left = count;
    d->first = true;
    return TA_OK;
}

static int next_block(struct ta_delta *d)
{
    if (get_zigzag(d, &d->min_delta) < 0 || (size_t)(d->end - d->at) < d->n_minis)
        return TA_EFORMAT;
    d->widths = d->at;
    d->at += d->n_minis;
    d->mini = 0;
    return TA_OK;
}

static int next_mini(struct ta_delta *d)
{
    uint64_t value = d->value;

    if (d->mini == d->n_minis && next_block(d) < 0)
        return TA_EFORMAT;
    unsigned width = d->widths[d->mini++];
    size_t bytes = ta_bitpack_bytes(d->mini_values, width);
    if (width > 64 || bytes > (size_t)(d->end - d->at))
        return TA_EFORMAT;
    if (width == 0) {
        for (uint32_t i = 0; i < d->mini_values; i++)
            d->out[i] = value += d->min_delta;
    } else {
        ta_bitunpack_u64(d->at, (size_t)(d->end - d->at), d->mini_values, width, d->out);
        for (uint32_t i = 0; i < d->mini_values; i++)
            d->out[i] = value += d->min_delta + d->out[i];
    }
    d->at += bytes;
    d->have = d->left < d->mini_values ? (uint32_t)d->left : d->mini_values;
    d->done = 0;
    d->value = value;
    return TA_OK;
}

/* Decoded values that wait in d->out; 0 at the end. */
static int64_t waiting(struct ta_delta *d)
{
    if (d->done < d->have)
        return d->have - d->done;
    if (d->left == 0)
        return 0;
    if (d->first) {
        d->first = false;
        d->out[0] = d->value;
        d->have = 1;
        d->done = 0;
    } else if (next_mini(d) < 0) {
        return TA_EFORMAT;
    }
    d->left -= d->have;
    return d->have;
}

int64_t ta_delta_next_i64(struct ta_delta *d, int64_t *out, size_t n)
{
    int64_t k = waiting(d);

    if (k <= 0)
        return k;
    k = (uint64_t)k < n ? k : (int64_t)n;
    memcpy(out, d->out + d->done, (size_t)k * sizeof(*out));
    d->done += (uint32_t)k;
    return k;
}

int64_t ta_delta_next_i32(struct ta_delta *d, int32_t *out, size_t n)
{
    int64_t k = waiting(d);

    if (k <= 0)
        return k;
    k = (uint64_t)k < n ? k : (int64_t)n;
    for (int64_t i = 0; i < k; i++)
        out[i] = (int32_t)(uint32_t)d->out[d->done + (uint32_t)i];
    d->done += (uint32_t)k;
    return k;
}
