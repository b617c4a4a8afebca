/* buf.h - a growable byte buffer that is created with its maximum.
 *
 * No maximum, no buffer: over it, adding fails with TA_ERANGE; when memory is refused, with
 * TA_ENOMEM. After a failed add the buffer holds what it held before that add.
 */
#ifndef TARN_BASE_BUF_H
#define TARN_BASE_BUF_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>

struct ta_buf {
    char *at;
    size_t len, cap, max; /* bytes */
    struct ta_alloc *alloc;
};

void ta_buf_init(struct ta_buf *b, struct ta_alloc *alloc, size_t max);
void ta_buf_done(struct ta_buf *b); /* fine on a zeroed struct */

static inline void ta_buf_reset(struct ta_buf *b)
{
    b->len = 0;
}

/* Room for n more bytes at b->at + b->len, or TA_ERANGE / TA_ENOMEM. */
int ta_buf_reserve(struct ta_buf *b, size_t n);
int ta_buf_add(struct ta_buf *b, const void *p, size_t n);

static inline int ta_buf_str(struct ta_buf *b, struct ta_str s)
{
    return ta_buf_add(b, s.at, s.len);
}

static inline int ta_buf_z(struct ta_buf *b, const char *z)
{
    return ta_buf_add(b, z, strlen(z));
}

static inline int ta_buf_byte(struct ta_buf *b, char c)
{
    if (b->len < b->cap) {
        b->at[b->len++] = c;
        return TA_OK;
    }
    return ta_buf_add(b, &c, 1);
}

int ta_buf_printf(struct ta_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Decimal integer without printf. */
int ta_buf_i64(struct ta_buf *b, int64_t v);

static inline struct ta_str ta_buf_view(const struct ta_buf *b)
{
    return (struct ta_str){b->at, b->len};
}

#endif
