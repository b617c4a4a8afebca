#include "base/buf.h"

#include <stdio.h>

enum { FIRST = 256 };

void ta_buf_init(struct ta_buf *b, struct ta_alloc *alloc, size_t max)
{
    *b = (struct ta_buf){.alloc = alloc, .max = max};
}

void ta_buf_done(struct ta_buf *b)
{
    if (b->alloc)
        ta_release(b->alloc, b->at, b->cap);
    b->at = NULL;
    b->len = b->cap = 0;
}

int ta_buf_reserve(struct ta_buf *b, size_t n)
{
    if (n <= b->cap - b->len)
        return TA_OK;
    if (b->len > b->max || n > b->max - b->len)
        return TA_ERANGE;
    size_t want = b->len + n;
    size_t cap = b->cap ? b->cap : FIRST;
    while (cap < want)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    char *grown = ta_resize(b->alloc, b->at, b->cap, cap);
    if (!grown)
        return TA_ENOMEM;
    b->at = grown;
    b->cap = cap;
    return TA_OK;
}

int ta_buf_add(struct ta_buf *b, const void *p, size_t n)
{
    int r = ta_buf_reserve(b, n);

    if (r < 0)
        return r;
    if (n)
        memcpy(b->at + b->len, p, n);
    b->len += n;
    return TA_OK;
}

int ta_buf_printf(struct ta_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return TA_EINVAL;
    int r = ta_buf_reserve(b, (size_t)n + 1); /* vsnprintf writes a NUL that we do not count */
    if (r < 0)
        return r;
    va_start(ap, fmt);
    vsnprintf(b->at + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return TA_OK;
}

int ta_buf_i64(struct ta_buf *b, int64_t v)
{
    char digits[20];
    size_t n = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[sizeof(digits) - ++n] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    int r = ta_buf_reserve(b, n + 1);
    if (r < 0)
        return r;
    if (v < 0)
        b->at[b->len++] = '-';
    memcpy(b->at + b->len, digits + sizeof(digits) - n, n);
    b->len += n;
    return TA_OK;
}
