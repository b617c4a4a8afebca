#include "parquet/rle.h"

#include "parquet/bitpack.h"

#include <string.h>

enum { LITERALS_MAX = 504 }; /* 63 groups of 8: the longest stretch whose head is one byte */

struct literals {
    uint32_t v[LITERALS_MAX];
    unsigned n;
};

static size_t put_varint(unsigned char *out, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        out[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (unsigned char)v;
    return n;
}

static int put_literals(struct literals *lit, unsigned width, struct ta_buf *out)
{
    if (lit->n == 0)
        return TA_OK;
    while (lit->n % 8)
        lit->v[lit->n++] = 0;
    size_t bytes = (size_t)lit->n / 8 * width;
    int r = ta_buf_reserve(out, bytes + 9);
    if (r < 0)
        return r;
    unsigned char *to = (unsigned char *)out->at + out->len;
    *to++ = (unsigned char)(lit->n / 8 << 1 | 1);
    if (width)
        ta_bitpack_u32(to, lit->v, lit->n, width);
    out->len += 1 + bytes;
    lit->n = 0;
    return TA_OK;
}

static int put_run(uint32_t value, uint32_t count, unsigned width, struct ta_buf *out)
{
    unsigned char bytes[10 + 4];
    size_t n = put_varint(bytes, (uint64_t)count << 1);

    memcpy(bytes + n, &value, 4); /* little-endian; the low bytes are those wanted */
    return ta_buf_add(out, bytes, n + (width + 7) / 8);
}

int ta_rle_encode(const struct ta_rle_run *runs, size_t n, unsigned width, struct ta_buf *out)
{
    struct literals lit;
    int r;

    lit.n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t left = runs[i].count;
        /* Literals go in whole groups of eight: fill the group that is open first. */
        for (; left && lit.n % 8; left--)
            lit.v[lit.n++] = runs[i].value;
        if (left >= 8) {
            r = put_literals(&lit, width, out);
            if (r < 0)
                return r;
            r = put_run(runs[i].value, left, width, out);
            if (r < 0)
                return r;
            continue;
        }
        if (lit.n == LITERALS_MAX) {
            r = put_literals(&lit, width, out);
            if (r < 0)
                return r;
        }
        for (; left; left--)
            lit.v[lit.n++] = runs[i].value;
    }
    return put_literals(&lit, width, out);
}

int ta_rle_init(struct ta_rle *r, const void *p, size_t n, unsigned width)
{
    if (width > 32)
        return TA_EFORMAT;
    *r = (struct ta_rle){.at = p, .end = (const unsigned char *)p + n, .width = width};
    return TA_OK;
}

static int get_varint(struct ta_rle *r, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (r->at == r->end)
            return TA_EFORMAT;
        unsigned b = *r->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return TA_OK;
        }
    }
    return TA_EFORMAT;
}

static int next_stretch(struct ta_rle *r)
{
    uint64_t head;

    if (get_varint(r, &head) < 0 || head >> 1 > UINT32_MAX)
        return TA_EFORMAT;
    size_t room = (size_t)(r->end - r->at);
    if (head & 1) {
        uint64_t groups = head >> 1;
        if (groups * r->width > room || groups > UINT32_MAX / 8)
            return TA_EFORMAT;
        if (r->width == 0) {
            /* Zeros that take no bytes, however many: a run in all but name. */
            r->run_value = 0;
            r->run_left = (uint32_t)groups * 8;
            return TA_OK;
        }
        r->packed = r->at;
        r->packed_left = (uint32_t)groups * 8;
        r->packed_done = 0;
        r->at += groups * r->width;
        return TA_OK;
    }
    size_t bytes = (r->width + 7) / 8;
    if (bytes > room)
        return TA_EFORMAT;
    r->run_value = 0;
    memcpy(&r->run_value, r->at, bytes);
    r->at += bytes;
    r->run_left = (uint32_t)(head >> 1);
    return TA_OK;
}

int64_t ta_rle_next(struct ta_rle *r, uint32_t *out, uint32_t room, uint32_t max, bool *is_run)
{
    while (!r->run_left && !r->packed_left) {
        if (r->at == r->end)
            return 0;
        int e = next_stretch(r);
        if (e < 0)
            return e;
    }
    if (r->run_left) {
        uint32_t n = r->run_left < max ? r->run_left : max;
        out[0] = r->run_value;
        r->run_left -= n;
        *is_run = true;
        return n;
    }
    uint32_t n = r->packed_left < max ? r->packed_left : max;
    n = n < room ? n : room;
    /* Groups of eight begin at a byte: they are unpacked whole, what is asked of a part of one is
     * taken out of that group alone. */
    if (n >= 8)
        n &= ~(uint32_t)7;
    uint32_t skip = r->packed_done % 8;
    const unsigned char *from = r->packed + (size_t)(r->packed_done / 8) * r->width;
    size_t readable = (size_t)(r->end - from);
    if (skip == 0 && n >= 8) {
        ta_bitunpack_u32(from, readable, n, r->width, out);
    } else {
        uint32_t group[8];
        ta_bitunpack_u32(from, readable, 8, r->width, group);
        n = n < 8 - skip ? n : 8 - skip;
        memcpy(out, group + skip, n * sizeof(*out));
    }
    r->packed_done += n;
    r->packed_left -= n;
    *is_run = false;
    return n;
}
