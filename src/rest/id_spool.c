#include "rest/id_spool.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { MEMORY_DEFAULT = 4 * 1024 * 1024, BUFFER = 64 * 1024, WINDOW = 16 * 1024, HEAD = 2 };
enum { PACKED = 0x8000, PACKED_DIGITS = 32, PACKED_BYTES = 16 };

void ta_id_spool_init(struct ta_id_spool *s, struct ta_vfs *vfs, const char *dir, size_t memory,
                      struct ta_alloc *alloc)
{
    *s = (struct ta_id_spool){
        .alloc = alloc, .vfs = vfs, .dir = dir, .memory = memory ? memory : MEMORY_DEFAULT};
    ta_buf_init(&s->buf, alloc, s->memory > BUFFER ? s->memory : BUFFER);
}

void ta_id_spool_done(struct ta_id_spool *s)
{
    if (s->file)
        (void)ta_close(&s->file, NULL); /* it has no name: nothing is lost that counts */
    ta_buf_done(&s->buf);
    *s = (struct ta_id_spool){0};
}

/* Opened under a name that is gone at once. */
static int open_file(struct ta_id_spool *s, struct ta_err *err)
{
    char path[512];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "%.400s/tarn-ids-%ld-%p-%u", s->dir, (long)getpid(), (void *)s,
                 i);
        int r =
            ta_open(s->vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_EXCLUSIVE,
                    0600, &s->file, i < 99 ? NULL : err);
        if (r == TA_EEXIST && i < 99)
            continue;
        if (r < 0)
            return ta_fail(err, r, "%.200s: no temporary file: %s", s->dir, ta_strerror(r));
        return s->vfs->unlink(s->vfs, path, err);
    }
    return ta_fail(err, TA_EEXIST, "%.200s: too many temporary files", s->dir);
}

static int spill(struct ta_id_spool *s, struct ta_err *err)
{
    int r = s->file ? TA_OK : open_file(s, err);

    if (r == TA_OK)
        r = ta_pwrite_full(s->file, s->buf.at, s->buf.len, s->file_bytes, err);
    if (r < 0)
        return r;
    s->file_bytes += s->buf.len;
    ta_buf_reset(&s->buf);
    if (s->buf.cap > BUFFER) { /* the large buffer was for a list without a file */
        ta_buf_done(&s->buf);
        ta_buf_init(&s->buf, s->alloc, BUFFER);
    }
    return TA_OK;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool pack(struct ta_str name, unsigned char out[PACKED_BYTES])
{
    if (name.len != PACKED_DIGITS)
        return false;
    for (size_t i = 0; i < PACKED_BYTES; i++) {
        int high = digit_of(name.at[2 * i]), low = digit_of(name.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

int ta_id_spool_add(struct ta_id_spool *s, struct ta_str name, struct ta_err *err)
{
    unsigned char entry[HEAD + TA_ID_MAX];
    size_t len = name.len;
    int r = TA_OK;

    if (len == 0 || len > TA_ID_MAX)
        return ta_fail(err, TA_ERANGE, "a name of %zu bytes", len);
    if (pack(name, entry + HEAD)) {
        ta_put_u16(entry, PACKED | PACKED_DIGITS);
        len = PACKED_BYTES;
    } else {
        ta_put_u16(entry, (uint16_t)len);
        memcpy(entry + HEAD, name.at, len);
    }
    size_t limit = s->file ? (size_t)BUFFER : s->memory;
    if (s->buf.len && s->buf.len + HEAD + len > limit)
        r = spill(s, err);
    if (r == TA_OK) {
        r = ta_buf_add(&s->buf, entry, HEAD + len);
        if (r < 0)
            ta_fail(err, r, "list of names: %s", ta_strerror(r));
    }
    s->n += r == TA_OK;
    return r;
}

struct ta_id_mark ta_id_spool_mark(const struct ta_id_spool *s)
{
    return (struct ta_id_mark){s->file_bytes + s->buf.len, s->n};
}

void ta_id_spool_cut(struct ta_id_spool *s, struct ta_id_mark mark)
{
    if (mark.bytes < s->file_bytes) { /* what stands behind in the file is written over */
        s->file_bytes = mark.bytes;
        ta_buf_reset(&s->buf);
    } else {
        s->buf.len = (size_t)(mark.bytes - s->file_bytes);
    }
    s->n = mark.n;
}

void ta_id_cursor_init(struct ta_id_cursor *c, struct ta_id_spool *s)
{
    *c = (struct ta_id_cursor){.spool = s};
}

void ta_id_cursor_done(struct ta_id_cursor *c)
{
    if (c->window)
        ta_release(c->spool->alloc, c->window, WINDOW);
    c->window = NULL;
}

/* n bytes of the list at `at`, which do not cross from the file into the buffer: entries never do. */
static int fetch(struct ta_id_cursor *c, uint64_t at, size_t n, const char **out,
                 struct ta_err *err)
{
    struct ta_id_spool *s = c->spool;

    if (at >= s->file_bytes) {
        *out = s->buf.at + (at - s->file_bytes);
        return TA_OK;
    }
    if (at < c->window_at || at + n > c->window_at + c->window_len) {
        if (!c->window)
            c->window = ta_alloc(s->alloc, WINDOW);
        if (!c->window)
            return ta_fail(err, TA_ENOMEM, "reading a list of names");
        int64_t got = ta_pread_full(s->file, c->window, WINDOW, at, err);
        if (got < 0)
            return (int)got;
        c->window_at = at;
        c->window_len = (size_t)got;
        if (c->window_len < n)
            return ta_fail(err, TA_EFORMAT, "list of names: the file ends at %" PRIu64, at);
    }
    *out = c->window + (at - c->window_at);
    return TA_OK;
}

int ta_id_cursor_next(struct ta_id_cursor *c, struct ta_str *out, struct ta_err *err)
{
    static const char hex[] = "0123456789abcdef";
    const char *p;

    if (c->at == c->spool->file_bytes + c->spool->buf.len)
        return 0;
    int r = fetch(c, c->at, HEAD, &p, err);
    if (r < 0)
        return r;
    unsigned head = ta_get_u16(p);
    size_t len = head & PACKED ? (size_t)PACKED_BYTES : head;
    if (len > TA_ID_MAX)
        return ta_fail(err, TA_EFORMAT, "list of names: damaged at %" PRIu64, c->at);
    r = fetch(c, c->at + HEAD, len, &p, err);
    if (r < 0)
        return r;
    c->at += HEAD + len;
    if (head & PACKED) {
        for (size_t i = 0; i < PACKED_BYTES; i++) {
            c->text[2 * i] = hex[(unsigned char)p[i] >> 4];
            c->text[2 * i + 1] = hex[(unsigned char)p[i] & 15];
        }
        len = PACKED_DIGITS;
    } else {
        memcpy(c->text, p, len);
    }
    *out = (struct ta_str){c->text, len};
    return 1;
}
