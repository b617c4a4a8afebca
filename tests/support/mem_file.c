#include "mem_file.h"

static int64_t mem_pread(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    struct mem_file *m = TA_CONTAINER(f, struct mem_file, file);

    (void)err;
    if (at >= m->len)
        return 0;
    n = n < m->len - at ? n : (size_t)(m->len - at);
    memcpy(buf, (const char *)m->at + at, n);
    return (int64_t)n;
}

static int mem_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    (void)err;
    *out = TA_CONTAINER(f, struct mem_file, file)->len;
    return TA_OK;
}

static int mem_close(struct ta_file *f, struct ta_err *err)
{
    (void)f;
    (void)err;
    return TA_OK;
}

void mem_file_init(struct mem_file *f, const void *p, size_t n)
{
    static const struct ta_file_ops ops = {
        .pread = mem_pread, .size = mem_size, .close = mem_close};

    *f = (struct mem_file){.file = {&ops}, .at = p, .len = n};
}
