/* gzip.c - see gzip.h. */
#include "io/gzip.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum { ROOM = 64 * 1024, GZIP = 16 /* zlib: a gzip header and trailer */, HEAD = 16 };

struct ta_gzip_state {
    z_stream z;
    bool at_eof;    /* of the inner source */
    bool is_packed; /* the member is complete; unpacking: between two members */
    bool has_any;   /* unpacking: a member began */
    unsigned char room[ROOM];
};

/* zlib frees without saying sizes: they stand before the block. */
static void *get_block(void *alloc, unsigned n, unsigned size)
{
    size_t bytes = (size_t)n * size + HEAD;
    unsigned char *p = ta_alloc(alloc, bytes);

    if (!p)
        return NULL;
    memcpy(p, &bytes, sizeof(bytes));
    return p + HEAD;
}

static void free_block(void *alloc, void *block)
{
    unsigned char *p = (unsigned char *)block - HEAD;
    size_t bytes;

    memcpy(&bytes, p, sizeof(bytes));
    ta_release(alloc, p, bytes);
}

/* More input when there is none: 1, 0 = the inner source has ended. */
static int64_t refill(struct ta_gzip *g, struct ta_err *err)
{
    struct ta_gzip_state *s = g->state;

    if (s->z.avail_in || s->at_eof)
        return s->z.avail_in > 0;
    int64_t n = g->inner->read(g->inner, s->room, ROOM, err);
    if (n < 0)
        return n;
    s->at_eof = n == 0;
    s->z.next_in = s->room;
    s->z.avail_in = (unsigned)n;
    return n > 0;
}

static void give(struct ta_gzip_state *s, void *buf, size_t n)
{
    s->z.next_out = buf;
    s->z.avail_out = (unsigned)(n < ROOM ? n : ROOM);
}

static int64_t pack(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_gzip *g = TA_CONTAINER(self, struct ta_gzip, source);
    struct ta_gzip_state *s = g->state;

    give(s, buf, n);
    while (!s->is_packed && s->z.next_out == (unsigned char *)buf) {
        int64_t more = refill(g, err);

        if (more < 0)
            return more;
        s->is_packed = deflate(&s->z, more ? Z_NO_FLUSH : Z_FINISH) == Z_STREAM_END;
    }
    return s->z.next_out - (unsigned char *)buf;
}

static int64_t unpack(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_gzip *g = TA_CONTAINER(self, struct ta_gzip, source);
    struct ta_gzip_state *s = g->state;

    give(s, buf, n);
    while (s->z.next_out == (unsigned char *)buf) {
        int64_t more = refill(g, err);

        if (more < 0)
            return more;
        if (!more)
            return s->is_packed ? 0 : ta_fail(err, TA_EFORMAT, "compressed data end too early");
        if (s->is_packed) /* another member */
            (void)inflateReset(&s->z);
        s->is_packed = false;
        int z = inflate(&s->z, Z_NO_FLUSH);
        if (z == Z_MEM_ERROR)
            return ta_fail(err, TA_ENOMEM, "no memory to unpack");
        if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
            return ta_fail(err, TA_EFORMAT, "compressed data are damaged: %s",
                           s->z.msg ? s->z.msg : "no gzip");
        s->is_packed = z == Z_STREAM_END;
    }
    return s->z.next_out - (unsigned char *)buf;
}

static int begin(struct ta_gzip *g, struct ta_source *inner, struct ta_alloc *alloc,
                 struct ta_err *err)
{
    *g = (struct ta_gzip){.inner = inner, .alloc = alloc};
    g->state = ta_alloc_zero(alloc, 1, sizeof(*g->state));
    if (!g->state)
        return ta_fail(err, TA_ENOMEM, "no memory for compressed data");
    g->state->z = (z_stream){.zalloc = get_block, .zfree = free_block, .opaque = alloc};
    return TA_OK;
}

static int fail_begin(struct ta_gzip *g, struct ta_err *err)
{
    ta_release(g->alloc, g->state, sizeof(*g->state));
    g->state = NULL;
    return ta_fail(err, TA_ENOMEM, "no memory for compressed data");
}

int ta_gzip_pack(struct ta_gzip *g, struct ta_source *inner, struct ta_alloc *alloc,
                 struct ta_err *err)
{
    int r = begin(g, inner, alloc, err);

    if (r < 0)
        return r;
    g->source.read = pack;
    return deflateInit2(&g->state->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, 8,
                        Z_DEFAULT_STRATEGY) == Z_OK
               ? TA_OK
               : fail_begin(g, err);
}

int ta_gzip_unpack(struct ta_gzip *g, struct ta_source *inner, struct ta_alloc *alloc,
                   struct ta_err *err)
{
    int r = begin(g, inner, alloc, err);

    if (r < 0)
        return r;
    g->source.read = unpack;
    return inflateInit2(&g->state->z, MAX_WBITS + GZIP) == Z_OK ? TA_OK : fail_begin(g, err);
}

void ta_gzip_done(struct ta_gzip *g)
{
    if (!g->state)
        return;
    if (g->source.read == pack)
        (void)deflateEnd(&g->state->z); /* complains of what was not read */
    else
        (void)inflateEnd(&g->state->z);
    ta_release(g->alloc, g->state, sizeof(*g->state));
    g->state = NULL;
}
