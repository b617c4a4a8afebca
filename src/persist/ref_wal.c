#include "persist/ref_wal.h"

#include "base/bytes.h"
#include "base/crc32.h"

static const uint32_t file_magic = 0xCC1DA701u;
static const uint32_t record_magic = 0xCC1DA7A1u;
enum {
    HEAD = 8,
    TAIL = 4,
    PAYLOAD_MIN = 15,
    PAYLOAD_MAX = 1 << 20,
    RECORD_MAX = HEAD + PAYLOAD_MAX + TAIL,
    WINDOW = RECORD_MAX + 64 * 1024
};

struct ta_ref_wal_reader {
    struct ta_alloc *alloc;
    struct ta_file *file;
    uint64_t at;        /* of the next byte to judge */
    uint64_t window_at; /* of window[0] */
    size_t len;         /* bytes in the window */
    bool is_end;        /* the file ends with the window */
    bool has_begun;
    unsigned char window[WINDOW];
};

int ta_ref_wal_reader_new(struct ta_ref_wal_reader **out, struct ta_file *file,
                          struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_ref_wal_reader *r = ta_alloc(alloc, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "reader of a reference log");
    r->alloc = alloc;
    r->file = file;
    r->at = r->window_at = 0;
    r->len = 0;
    r->is_end = r->has_begun = false;
    *out = r;
    return TA_OK;
}

void ta_ref_wal_reader_free(struct ta_ref_wal_reader *r)
{
    if (r)
        ta_release(r->alloc, r, sizeof(*r));
}

/* What the window has from `at` on, at least `want` <= RECORD_MAX bytes if the file has so many. */
static int look(struct ta_ref_wal_reader *r, uint64_t at, size_t want, const unsigned char **p,
                size_t *n, struct ta_err *err)
{
    size_t skip = (size_t)(at - r->window_at);

    if (!r->is_end && (skip > r->len || r->len - skip < want)) {
        size_t keep = skip < r->len ? r->len - skip : 0;
        memmove(r->window, r->window + (r->len - keep), keep);
        int64_t got = ta_pread_full(r->file, r->window + keep, WINDOW - keep, at + keep, err);
        if (got < 0)
            return (int)got;
        r->window_at = at;
        r->len = keep + (size_t)got;
        r->is_end = (size_t)got < WINDOW - keep;
        skip = 0;
    }
    *p = r->window + skip;
    *n = r->len - skip;
    return TA_OK;
}

static bool take(struct ta_str *in, size_t n, struct ta_str *out)
{
    if (in->len < n)
        return false;
    *out = (struct ta_str){in->at, n};
    in->at += n;
    in->len -= n;
    return true;
}

static bool parse_payload(struct ta_str in, struct ta_ref_wal_sample *out)
{
    struct ta_str part;
    struct ta_str element[2] = {{0}, {0}};

    if (!take(&in, 8, &part))
        return false;
    out->ts_s = ta_get_i64(part.at);
    if (!take(&in, 2, &part) || !take(&in, ta_get_u16(part.at), &out->metric) ||
        !take(&in, 1, &part))
        return false;
    unsigned n = (unsigned char)part.at[0];
    if (n > TA_COUNT(element))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!take(&in, 1, &part) || !take(&in, (unsigned char)part.at[0], &element[i]))
            return false;
    if (!take(&in, 4, &part))
        return false;
    out->value = ta_get_f32(part.at);
    out->type = element[0];
    out->stype = element[1];
    return true;
}

/* The bytes of the whole and good record at p, or 0. */
static size_t parse_record(const unsigned char *p, size_t n, struct ta_ref_wal_sample *out)
{
    if (n < HEAD + PAYLOAD_MIN + TAIL || ta_get_u32(p) != record_magic)
        return 0;
    size_t payload = ta_get_u32(p + 4);
    if (payload < PAYLOAD_MIN || payload > PAYLOAD_MAX || n < HEAD + payload + TAIL)
        return 0;
    if (ta_get_u32(p + HEAD + payload) != ta_crc32(p + HEAD, payload) ||
        !parse_payload((struct ta_str){(const char *)p + HEAD, payload}, out))
        return 0;
    return HEAD + payload + TAIL;
}

/* The same, of a whole record when it looks like one. */
static int look_at_record(struct ta_ref_wal_reader *r, uint64_t at, const unsigned char **p,
                          size_t *n, struct ta_err *err)
{
    int e = look(r, at, HEAD, p, n, err);

    if (e < 0 || *n < HEAD || ta_get_u32(*p) != record_magic || ta_get_u32(*p + 4) > PAYLOAD_MAX)
        return e;
    return look(r, at, HEAD + ta_get_u32(*p + 4) + TAIL, p, n, err);
}

static int skip_damage(struct ta_ref_wal_reader *r, struct ta_ref_wal_entry *out,
                       struct ta_err *err)
{
    uint64_t at = r->at;

    for (;;) {
        const unsigned char *p;
        size_t n;
        int e = look_at_record(r, at, &p, &n, err);
        if (e < 0)
            return e;
        if (n == 0)
            break;
        struct ta_ref_wal_sample sample;
        if (at > r->at && parse_record(p, n, &sample) > 0) {
            *out = (struct ta_ref_wal_entry){
                .kind = TA_REF_WAL_DAMAGE, .at = r->at, .bytes = at - r->at};
            r->at = at;
            return 1;
        }
        const unsigned char *next = n > 1 ? memchr(p + 1, record_magic & 0xFF, n - 1) : NULL;
        at += next ? (size_t)(next - p) : n;
    }
    *out = (struct ta_ref_wal_entry){.kind = TA_REF_WAL_TORN, .at = r->at, .bytes = at - r->at};
    r->at = at;
    return 1;
}

int ta_ref_wal_next(struct ta_ref_wal_reader *r, struct ta_ref_wal_entry *out, struct ta_err *err)
{
    const unsigned char *p;
    size_t n;
    int e;

    if (!r->has_begun) {
        r->has_begun = true;
        e = look(r, 0, 4, &p, &n, err);
        if (e < 0)
            return e;
        r->at = n >= 4 && ta_get_u32(p) == file_magic ? 4 : 0;
    }
    e = look_at_record(r, r->at, &p, &n, err);
    if (e < 0)
        return e;
    if (n == 0)
        return 0;
    size_t bytes = parse_record(p, n, &out->sample);
    if (bytes == 0)
        return skip_damage(r, out, err);
    out->kind = TA_REF_WAL_SAMPLE;
    out->at = r->at;
    out->bytes = bytes;
    r->at += bytes;
    return 1;
}

int ta_ref_wal_put_head(struct ta_buf *out)
{
    unsigned char b[4];

    ta_put_u32(b, file_magic);
    return ta_buf_add(out, b, sizeof(b));
}

static void put_element(struct ta_buf *out, struct ta_str s)
{
    out->at[out->len++] = (char)(unsigned char)s.len;
    memcpy(out->at + out->len, s.at, s.len);
    out->len += s.len;
}

int ta_ref_wal_put(struct ta_buf *out, const struct ta_ref_wal_sample *s)
{
    unsigned n = s->type.len == 0 ? 0 : s->stype.len == 0 ? 1 : 2;
    size_t payload = PAYLOAD_MIN + s->metric.len + (n > 0 ? 1 + s->type.len : 0) +
                     (n > 1 ? 1 + s->stype.len : 0);

    if (s->metric.len > UINT16_MAX || s->type.len > 255 || s->stype.len > 255)
        return TA_EINVAL;
    int r = ta_buf_reserve(out, HEAD + payload + TAIL);
    if (r < 0)
        return r;
    char *start = out->at + out->len;
    ta_put_u32(start, record_magic);
    ta_put_u32(start + 4, (uint32_t)payload);
    ta_put_i64(start + 8, s->ts_s);
    ta_put_u16(start + 16, (uint16_t)s->metric.len);
    memcpy(start + 18, s->metric.at, s->metric.len);
    out->len += 18 + s->metric.len;
    out->at[out->len++] = (char)n;
    if (n > 0)
        put_element(out, s->type);
    if (n > 1)
        put_element(out, s->stype);
    ta_put_f32(out->at + out->len, s->value);
    out->len += 4;
    ta_put_u32(out->at + out->len, ta_crc32(start + HEAD, payload));
    out->len += 4;
    return TA_OK;
}
