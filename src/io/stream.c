#include "io/stream.h"

#include "base/str.h"

int64_t ta_read_full(struct ta_source *src, void *buf, size_t n, struct ta_err *err)
{
    unsigned char *at = buf;
    size_t done = 0;

    while (done < n) {
        int64_t got = src->read(src, at + done, n - done, err);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int64_t mem_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_mem_source *s = TA_CONTAINER(self, struct ta_mem_source, source);
    size_t left = s->len - s->pos;

    (void)err;
    n = n < left ? n : left;
    if (s->step && n > s->step)
        n = s->step;
    if (n)
        memcpy(buf, s->at + s->pos, n);
    s->pos += n;
    return (int64_t)n;
}

void ta_mem_source_init(struct ta_mem_source *s, const void *p, size_t n, size_t step)
{
    *s = (struct ta_mem_source){.source = {mem_read}, .at = p, .len = n, .step = step};
}

static int buf_write(struct ta_sink *self, const void *p, size_t n, struct ta_err *err)
{
    struct ta_buf_sink *s = TA_CONTAINER(self, struct ta_buf_sink, sink);
    int r = ta_buf_add(s->buf, p, n);

    if (r < 0)
        return ta_fail(err, r, "buffer limited to %zu bytes is full", s->buf->max);
    return TA_OK;
}

void ta_buf_sink_init(struct ta_buf_sink *s, struct ta_buf *buf)
{
    *s = (struct ta_buf_sink){.sink = {buf_write}, .buf = buf};
}
