/* codec_pack.c - integers in few bits, and the small numbers of run headers. */
#include "store/run_int.h"

#include "base/bytes.h"

#include <string.h>

size_t ta_pack(const uint64_t *u, unsigned n, uint64_t base, unsigned width, unsigned char *out)
{
    if (width > 0)
        ta_codec_kernels()->pack(u, n, base, width, out);
    return ta_packed_bytes(n, width);
}

void ta_unpack(const unsigned char *in, unsigned width, unsigned first, unsigned n, uint64_t *out)
{
    if (width == 0)
        memset(out, 0, n * sizeof(*out));
    else
        ta_codec_kernels()->unpack(in + ta_packed_bytes(first, width), width, n, out);
    for (unsigned i = n; i % 4 != 0; i++)
        out[i] = 0;
}

static uint64_t to_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

size_t ta_zigzag_bytes(int64_t v)
{
    unsigned width = ta_bit_width(to_zigzag(v));

    return width ? (width + 6) / 7 : 1;
}

unsigned char *ta_put_zigzag(unsigned char *out, int64_t v)
{
    uint64_t rest = to_zigzag(v);

    for (; rest >= 0x80; rest >>= 7)
        *out++ = (unsigned char)(rest | 0x80);
    *out++ = (unsigned char)rest;
    return out;
}

unsigned char *ta_put_grid(unsigned char *out, struct ta_grid grid)
{
    *out++ = grid.code;
    if (ta_grid_has_arg(grid.code)) {
        ta_put_u16(out, grid.arg);
        out += 2;
    }
    return out;
}

bool ta_in_bytes(struct ta_run_in *in, size_t n, const unsigned char **out)
{
    if (in->left < n)
        return false;
    *out = in->at;
    in->at += n;
    in->left -= n;
    return true;
}

bool ta_in_u8(struct ta_run_in *in, uint8_t *out)
{
    const unsigned char *p;

    if (!ta_in_bytes(in, 1, &p))
        return false;
    *out = *p;
    return true;
}

bool ta_in_zigzag(struct ta_run_in *in, int64_t *out)
{
    uint64_t v = 0;
    uint8_t byte;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!ta_in_u8(in, &byte))
            return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = (int64_t)(v >> 1 ^ (0 - (v & 1)));
            return true;
        }
    }
    return false;
}

bool ta_in_grid(struct ta_run_in *in, struct ta_grid_op *out)
{
    struct ta_grid grid = {0, 0};
    const unsigned char *p;

    if (!ta_in_u8(in, &grid.code))
        return false;
    if (ta_grid_has_arg(grid.code)) {
        if (!ta_in_bytes(in, 2, &p))
            return false;
        grid.arg = ta_get_u16(p);
    }
    return ta_grid_op(grid, out);
}
