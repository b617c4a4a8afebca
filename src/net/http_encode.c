#include "net/http_encode.h"

#include "net/http_int.h"

#include <zlib.h>

/* Level 1 and a small window: answers are numbers in text, the level buys little and costs the
 * worker's time. 14 and 7 take (1 << 16) + (1 << 16) bytes. */
enum { GZIP_LEVEL = 1, GZIP_WINDOW = 14, GZIP_MEMORY = 7 };

struct http_encode {
    struct ta_http_req *req;
    struct ta_buf room;
    size_t at; /* of room, handed on */
    bool ended;
    z_stream *z;
    bool z_ended;
};

int http_encode_new(struct http_encode **out, struct ta_http_req *req, struct ta_arena *arena)
{
    struct http_encode *e = ta_arena_get(arena, sizeof(*e));
    char *p = ta_arena_get(arena, TA_HTTP_ROOM);

    if (!e || !p)
        return TA_ENOMEM;
    *e = (struct http_encode){.req = req};
    e->room = (struct ta_buf){.at = p, .cap = TA_HTTP_ROOM, .max = TA_HTTP_ROOM};
    e->room.alloc = &arena->alloc;
    *out = e;
    return TA_OK;
}

int http_encode_fill(struct http_encode *e, struct ta_err *err)
{
    const struct ta_http_handler *h = e->req->route->handler;

    if (e->ended)
        return 0;
    ta_buf_reset(&e->room);
    e->at = 0;
    int r = h->fill(e->req, &e->room, err);
    if (r == TA_HTTP_END)
        e->ended = true;
    if (r == TA_EAGAIN && e->room.len)
        r = TA_HTTP_MORE; /* against the contract, but no byte is lost: the wake stays pending */
    if (r > 0 && !e->room.len)
        return ta_fail(err, TA_ESTATE, "an answer made no progress");
    return r;
}

struct ta_str http_encode_room(const struct http_encode *e)
{
    return ta_buf_view(&e->room);
}

bool http_encode_ended(const struct http_encode *e)
{
    return e->ended;
}

/* zlib frees through a pointer without a size; the arena forgets all at once. */
static void *zlib_get(void *opaque, unsigned n, unsigned size)
{
    return ta_arena_get(opaque, (size_t)n * size);
}

static void zlib_forget(void *opaque, void *p)
{
    (void)opaque;
    (void)p;
}

int http_encode_gzip(struct http_encode *e, struct ta_arena *arena)
{
    z_stream *z = ta_arena_get(arena, sizeof(*z));

    if (!z)
        return TA_ENOMEM;
    *z = (z_stream){.zalloc = zlib_get, .zfree = zlib_forget, .opaque = arena};
    if (deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW + 16, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return TA_ENOMEM;
    e->z = z;
    return TA_OK;
}

void http_encode_free(struct http_encode *e)
{
    if (e && e->z)
        (void)deflateEnd(e->z); /* what it holds is in the arena */
}

static size_t copy_out(struct http_encode *e, char *out, size_t max)
{
    size_t n = e->room.len - e->at;

    if (n > max)
        n = max;
    memcpy(out, e->room.at + e->at, n);
    e->at += n;
    return n;
}

static size_t press_out(struct http_encode *e, char *out, size_t max)
{
    z_stream *z = e->z;

    z->next_in = (unsigned char *)e->room.at + e->at;
    z->avail_in = (unsigned)(e->room.len - e->at);
    z->next_out = (unsigned char *)out;
    z->avail_out = max < UINT32_MAX ? (unsigned)max : UINT32_MAX;
    unsigned had = z->avail_out;
    int r = deflate(z, e->ended ? Z_FINISH : Z_NO_FLUSH);
    e->z_ended = r == Z_STREAM_END;
    e->at = e->room.len - z->avail_in;
    return had - z->avail_out;
}

int64_t http_encode_read(struct http_encode *e, char *out, size_t max, struct ta_err *err)
{
    for (;;) {
        size_t n = 0;
        if (e->z && !e->z_ended && (e->at < e->room.len || e->ended))
            n = press_out(e, out, max);
        else if (!e->z)
            n = copy_out(e, out, max);
        if (n)
            return (int64_t)n;
        if (e->z ? e->z_ended : e->ended)
            return 0;
        int r = http_encode_fill(e, err);
        if (r < 0)
            return r;
    }
}
