#include "jobs/gzip_source.h"

#include <zlib.h>

enum { ROOM = 64 * 1024, GZIP_WINDOW = 15 + 16, MEM_LEVEL = 8, ARENA_MAX = 1 << 20 };

/* zlib frees through a pointer without a size; the arena forgets all at once. */
static void *get(void *opaque, unsigned n, unsigned size)
{
    return ta_arena_get(opaque, (size_t)n * size);
}

static void forget(void *opaque, void *p)
{
    (void)opaque;
    (void)p;
}

static int64_t read_packed(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_gzip_source *s = TA_CONTAINER(self, struct ta_gzip_source, source);
    z_stream *z = s->z;
    unsigned room = n < UINT32_MAX ? (unsigned)n : UINT32_MAX;

    z->next_out = buf;
    z->avail_out = room;
    while (z->avail_out == room && !s->is_done) {
        if (z->avail_in == 0 && !s->has_ended) {
            int64_t got = s->from->read(s->from, s->room, ROOM, err);
            if (got < 0)
                return got;
            s->has_ended = got == 0;
            z->next_in = s->room;
            z->avail_in = (unsigned)got;
        }
        int r = deflate(z, s->has_ended ? Z_FINISH : Z_NO_FLUSH);
        if (r == Z_STREAM_ERROR)
            return ta_fail(err, TA_ESTATE, "cannot compress");
        s->is_done = r == Z_STREAM_END;
    }
    return room - z->avail_out;
}

int ta_gzip_source_init(struct ta_gzip_source *s, struct ta_source *from, int level,
                        struct ta_alloc *alloc, struct ta_err *err)
{
    *s = (struct ta_gzip_source){.source = {read_packed}, .from = from};
    ta_arena_init(&s->arena, alloc, ARENA_MAX);
    z_stream *z = ta_arena_get(&s->arena, sizeof(*z));
    s->room = ta_arena_get(&s->arena, ROOM);
    if (z && s->room) {
        *z = (z_stream){.zalloc = get, .zfree = forget, .opaque = &s->arena};
        if (deflateInit2(z, level, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
            s->z = z;
    }
    return s->z ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory to compress");
}

void ta_gzip_source_done(struct ta_gzip_source *s)
{
    if (s->z)
        (void)deflateEnd(s->z); /* what it holds is in the arena */
    s->z = NULL;
    ta_arena_done(&s->arena);
}
