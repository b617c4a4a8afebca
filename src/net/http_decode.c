#include "net/http_decode.h"

#define ZSTD_STATIC_LINKING_ONLY /* for a decoder that takes its memory from us */
#include "net/http.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { ZSTD_WINDOW_LOG_MAX = 22, RATIO_FREE = 1024 * 1024 };

struct http_decode {
    z_stream *z;
    ZSTD_DCtx *zstd;
    char *out;      /* TA_HTTP_PIECE */
    size_t at, len; /* of the piece: taken, filled */
    uint64_t n_in, n_out, bytes_max;
    uint32_t ratio_max;
    bool is_whole;   /* at the end of a gzip member or zstd frame */
    bool may_follow; /* another member may follow */
    bool is_unseen;  /* gzip was announced, no byte of it has come */
    bool is_plain;   /* gzip was announced, but the bytes are not */
};

/* Both libraries free through a pointer without a size; the arena forgets all at once. */
static void *zlib_get(void *opaque, unsigned n, unsigned size)
{
    size_t bytes;

    if (__builtin_mul_overflow((size_t)n, (size_t)size, &bytes))
        return NULL;
    return ta_arena_get(opaque, bytes);
}

static void zlib_forget(void *opaque, void *p)
{
    (void)opaque;
    (void)p;
}

static void *zstd_get(void *opaque, size_t n)
{
    return ta_arena_get(opaque, n);
}

static bool is_word(struct ta_str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static int new_zlib(struct http_decode *d, struct ta_arena *arena)
{
    z_stream *z = ta_arena_get(arena, sizeof(*z));

    if (!z)
        return TA_ENOMEM;
    *z = (z_stream){.zalloc = zlib_get, .zfree = zlib_forget, .opaque = arena};
    if (inflateInit2(z, 15 + 32) != Z_OK) /* + 32: gzip or zlib by its header */
        return TA_ENOMEM;
    d->z = z;
    return TA_OK;
}

static int new_zstd(struct http_decode *d, struct ta_arena *arena)
{
    d->zstd = ZSTD_createDCtx_advanced((ZSTD_customMem){zstd_get, zlib_forget, arena});
    if (!d->zstd)
        return TA_ENOMEM;
    (void)ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    return TA_OK;
}

int http_decode_new(struct http_decode **out, struct ta_str coding, uint64_t bytes_max,
                    uint32_t ratio_max, struct ta_arena *arena)
{
    bool zlib = is_word(coding, "gzip") || is_word(coding, "x-gzip") || is_word(coding, "deflate");
    bool zstd = is_word(coding, "zstd");

    if (!coding.len || is_word(coding, "identity")) {
        *out = NULL;
        return TA_OK;
    }
    if (!zlib && !zstd)
        return TA_EINVAL;
    struct http_decode *d = ta_arena_get(arena, sizeof(*d));
    char *piece = ta_arena_get(arena, TA_HTTP_PIECE);
    if (!d || !piece)
        return TA_ENOMEM;
    *d = (struct http_decode){.out = piece, .bytes_max = bytes_max, .ratio_max = ratio_max};
    d->may_follow = !is_word(coding, "deflate");
    d->is_unseen = zlib && d->may_follow;
    int r = zlib ? new_zlib(d, arena) : new_zstd(d, arena);
    if (r < 0)
        return r;
    *out = d;
    return TA_OK;
}

void http_decode_free(struct http_decode *d)
{
    if (!d)
        return;
    if (d->z)
        (void)inflateEnd(d->z); /* what it holds is in the arena */
    (void)ZSTD_freeDCtx(d->zstd);
}

/* One step: fills the piece as far as it goes. */
static int run_zlib(struct http_decode *d, struct ta_str *in, struct ta_err *err)
{
    z_stream *z = d->z;

    if (d->is_whole) {
        if (!d->may_follow || inflateReset(z) != Z_OK)
            return ta_fail(err, TA_EFORMAT, "bytes behind the compressed body");
        d->is_whole = false;
    }
    z->next_in = (unsigned char *)(uintptr_t)in->at;
    z->avail_in = in->len < UINT32_MAX ? (unsigned)in->len : UINT32_MAX;
    z->next_out = (unsigned char *)d->out;
    z->avail_out = TA_HTTP_PIECE;
    int r = inflate(z, Z_NO_FLUSH);
    size_t used = (size_t)((const char *)z->next_in - in->at);
    d->len = TA_HTTP_PIECE - z->avail_out;
    *in = (struct ta_str){in->at + used, in->len - used};
    d->n_in += used;
    d->is_whole = r == Z_STREAM_END;
    if (r == Z_MEM_ERROR)
        return ta_fail(err, TA_ENOMEM, "no memory to decompress the body");
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return ta_fail(err, TA_EFORMAT, "the compressed body is damaged");
    return TA_OK;
}

static int run_zstd(struct http_decode *d, struct ta_str *in, struct ta_err *err)
{
    ZSTD_inBuffer from = {in->at, in->len, 0};
    ZSTD_outBuffer to = {d->out, TA_HTTP_PIECE, 0};

    size_t r = ZSTD_decompressStream(d->zstd, &to, &from);
    d->len = to.pos;
    *in = (struct ta_str){in->at + from.pos, in->len - from.pos};
    d->n_in += from.pos;
    if (ZSTD_isError(r)) {
        if (ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation)
            return ta_fail(err, TA_ENOMEM, "no memory to decompress the body");
        if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge)
            return ta_fail(err, TA_ERANGE, "the compressed body needs a window of more than 4 MiB");
        return ta_fail(err, TA_EFORMAT, "the compressed body is damaged");
    }
    d->is_whole = r == 0;
    return TA_OK;
}

static int run_plain(struct http_decode *d, struct ta_str *in)
{
    size_t n = in->len < TA_HTTP_PIECE ? in->len : TA_HTTP_PIECE;

    if (n)
        memcpy(d->out, in->at, n);
    d->len = n;
    *in = (struct ta_str){in->at + n, in->len - n};
    d->n_in += n;
    d->is_whole = true;
    return TA_OK;
}

static int run(struct http_decode *d, struct ta_str *in, struct ta_err *err)
{
    /* The reference ignores Content-Encoding, so senders that announce gzip and send text work
     * there; no text begins with the magic of gzip. */
    if (d->is_unseen && in->len) {
        d->is_unseen = false;
        d->is_plain = in->at[0] != '\x1f';
    }
    if (d->is_plain)
        return run_plain(d, in);
    return d->z ? run_zlib(d, in, err) : run_zstd(d, in, err);
}

int http_decode_next(struct http_decode *d, struct ta_str *in, struct ta_str *piece,
                     struct ta_err *err)
{
    while (d->at == d->len) {
        /* A full piece may have more behind it even when no input is left. */
        bool more = d->len == TA_HTTP_PIECE;
        d->at = d->len = 0;
        if (!in->len && !more)
            return 0;
        if (!in->len && d->is_whole)
            return 0;
        int r = run(d, in, err);
        if (r < 0)
            return r;
        d->n_out += d->len;
        if (d->n_out > d->bytes_max)
            return ta_fail(err, TA_ERANGE, "the decompressed body is larger than %llu bytes",
                           (unsigned long long)d->bytes_max);
        if (d->n_out > RATIO_FREE && d->n_out / d->ratio_max > d->n_in)
            return ta_fail(err, TA_ERANGE, "the body expands more than %u times", d->ratio_max);
    }
    *piece = (struct ta_str){d->out + d->at, d->len - d->at};
    return 1;
}

void http_decode_taken(struct http_decode *d, size_t n)
{
    d->at += n;
    /* A piece taken to its end keeps d->len, which tells the next call whether it was full. */
}

int http_decode_end(const struct http_decode *d, struct ta_err *err)
{
    if (d->is_whole || d->is_unseen)
        return TA_OK;
    return ta_fail(err, TA_EFORMAT, "the compressed body ends early");
}
