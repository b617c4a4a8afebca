/* data_spool.c - see data_spool.h. */
#include "jobs/data_spool.h"

#include <assert.h>
#include <stdio.h>
#include <zlib.h>

enum { ROOM = 64 * 1024, GZIP = 16 /* zlib: a gzip header and trailer */ };

struct ta_data_deflate {
    z_stream z;
    bool is_ready;
    unsigned char room[ROOM];
};

int ta_data_spool_init(struct ta_data_spool *s, struct ta_vfs *vfs, const char *path,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    *s = (struct ta_data_spool){.vfs = vfs, .alloc = alloc};
    int n = snprintf(s->path, sizeof(s->path), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(s->path))
        return ta_fail(err, TA_ERANGE, "path too long");
    return TA_OK;
}

static void end_deflate(struct ta_data_spool *s)
{
    if (!s->deflate)
        return;
    if (s->deflate->is_ready)
        (void)deflateEnd(&s->deflate->z); /* complains of what was not flushed */
    ta_release(s->alloc, s->deflate, sizeof(*s->deflate));
    s->deflate = NULL;
}

void ta_data_spool_done(struct ta_data_spool *s)
{
    bool has_file = s->file != NULL;

    if (!s->alloc)
        return;
    end_deflate(s);
    (void)ta_close(&s->file, NULL); /* nobody needs what is in it */
    if (has_file)
        (void)s->vfs->unlink(s->vfs, s->path, NULL); /* or it is overwritten at the next start */
    s->alloc = NULL;
}

/* zlib asks without saying sizes when it frees: they stand before the block. */
static void *get_block(void *alloc, unsigned n, unsigned size)
{
    size_t bytes = (size_t)n * size + 16;
    unsigned char *p = ta_alloc(alloc, bytes);

    if (!p)
        return NULL;
    memcpy(p, &bytes, sizeof(bytes));
    return p + 16;
}

static void free_block(void *alloc, void *block)
{
    unsigned char *p = (unsigned char *)block - 16;
    size_t bytes;

    memcpy(&bytes, p, sizeof(bytes));
    ta_release(alloc, p, bytes);
}

static int begin_deflate(struct ta_data_spool *s, struct ta_err *err)
{
    struct ta_data_deflate *d = ta_alloc(s->alloc, sizeof(*d));

    s->deflate = d;
    if (d) {
        d->z = (z_stream){.zalloc = get_block, .zfree = free_block, .opaque = s->alloc};
        d->is_ready = deflateInit2(&d->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, 8,
                                   Z_DEFAULT_STRATEGY) == Z_OK;
        if (d->is_ready)
            return TA_OK;
    }
    return ta_fail(err, TA_ENOMEM, "no memory to compress a job's data");
}

static int compress_more(struct ta_data_spool *s, const void *at, size_t n, int flush,
                         struct ta_err *err)
{
    struct ta_data_deflate *d = s->deflate;
    int z;

    d->z.next_in = (unsigned char *)(uintptr_t)at;
    d->z.avail_in = (unsigned)n;
    do {
        d->z.next_out = d->room;
        d->z.avail_out = ROOM;
        z = deflate(&d->z, flush);
        size_t made = ROOM - d->z.avail_out;
        int r = made ? ta_pwrite_full(s->file, d->room, made, s->n_file, err) : TA_OK;
        if (r < 0)
            return r;
        s->n_file += made;
    } while (d->z.avail_out == 0 || (flush == Z_FINISH && z == Z_OK));
    assert(d->z.avail_in == 0);
    return TA_OK;
}

static int take(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err)
{
    struct ta_data_spool *s = TA_CONTAINER(self, struct ta_data_spool, sink);
    const unsigned char *at = buf;
    int r = TA_OK;

    if (!s->deflate) {
        if (s->n_head + n <= sizeof(s->head)) {
            memcpy(s->head + s->n_head, at, n);
            s->n_head += n;
            return TA_OK;
        }
        r = begin_deflate(s, err);
        if (r >= 0)
            r = compress_more(s, s->head, s->n_head, Z_NO_FLUSH, err);
    }
    while (r >= 0 && n > 0) {
        size_t piece = n < UINT32_MAX / 2 ? n : UINT32_MAX / 2;

        r = compress_more(s, at, piece, Z_NO_FLUSH, err);
        at += piece;
        n -= piece;
    }
    return r;
}

int ta_data_spool_begin(struct ta_data_spool *s, struct ta_err *err)
{
    int r = TA_OK;

    end_deflate(s);
    s->sink.write = take;
    s->n_head = 0;
    s->n_file = 0;
    if (!s->file)
        r = ta_open(s->vfs, s->path,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE |
                        TA_OPEN_NOFOLLOW,
                    0600, &s->file, err);
    return r < 0 ? ta_fail_context(err, r, "spooling a job's data: ") : TA_OK;
}

int ta_data_spool_finish(struct ta_data_spool *s, struct ta_err *err)
{
    return s->deflate ? compress_more(s, NULL, 0, Z_FINISH, err) : TA_OK;
}

uint64_t ta_data_spool_bytes(const struct ta_data_spool *s)
{
    return s->deflate ? s->n_file : s->n_head;
}

bool ta_data_spool_is_gzip(const struct ta_data_spool *s)
{
    return s->deflate != NULL;
}

/* The file may be longer than this document: an earlier one was. */
static int64_t read_more(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_data_spool_source *src = TA_CONTAINER(self, struct ta_data_spool_source, source);

    if (!src->is_file)
        return src->head.source.read(&src->head.source, buf, n, err);
    uint64_t left = src->n_left < n ? src->n_left : n;
    int64_t got = left ? src->file.source.read(&src->file.source, buf, (size_t)left, err) : 0;
    if (got > 0)
        src->n_left -= (uint64_t)got;
    else if (got == 0 && left > 0)
        return ta_fail(err, TA_EIO, "a spool file has become shorter");
    return got;
}

void ta_data_spool_read(struct ta_data_spool *s, struct ta_data_spool_source *out)
{
    *out = (struct ta_data_spool_source){
        .source = {read_more}, .is_file = s->deflate != NULL, .n_left = s->n_file};
    ta_mem_source_init(&out->head, s->head, s->n_head, 0);
    if (out->is_file)
        ta_file_source_init(&out->file, s->file);
}
