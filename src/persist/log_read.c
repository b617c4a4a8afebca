#include "persist/log_read.h"

#include "base/bytes.h"

#include <assert.h>
#include <inttypes.h>

/* One whole record and a piece to read ahead. */
enum { WINDOW = TA_LOG_RECORD_HEAD + TA_LOG_PAYLOAD_MAX + 64 * 1024 };

struct ta_log_reader {
    struct ta_alloc *alloc;
    struct ta_file *file;
    struct ta_log_segment segment;
    uint64_t size;     /* of the file */
    uint64_t at;       /* offset of the next byte to judge */
    uint64_t sequence; /* expected next */
    uint64_t window_at;
    size_t window_len;
    unsigned char window[WINDOW];
};

static int read_head(struct ta_log_reader *r, struct ta_err *err)
{
    unsigned char heads[TA_LOG_RECORDS_AT] = {0};
    int64_t got = ta_pread_full(r->file, heads, sizeof(heads), 0, err);

    if (got < 0)
        return (int)got;
    if (ta_log_segment_decode(heads, &r->segment) == TA_OK ||
        ta_log_segment_decode(heads + TA_LOG_SEGMENT_HEAD, &r->segment) == TA_OK)
        return TA_OK;
    return ta_fail(err, TA_EFORMAT, "no log segment header within its first %d bytes",
                   TA_LOG_RECORDS_AT);
}

int ta_log_reader_new(struct ta_log_reader **out, struct ta_file *file, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    struct ta_log_reader *r = ta_alloc(alloc, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "log reader");
    r->alloc = alloc;
    r->file = file;
    r->at = r->window_at = TA_LOG_RECORDS_AT;
    r->window_len = 0;
    int e = file->ops->size(file, &r->size, err);
    if (e == TA_OK)
        e = read_head(r, err);
    if (e < 0) {
        ta_log_reader_free(r);
        return e;
    }
    r->sequence = r->segment.first_sequence;
    *out = r;
    return TA_OK;
}

void ta_log_reader_free(struct ta_log_reader *r)
{
    if (r)
        ta_release(r->alloc, r, sizeof(*r));
}

const struct ta_log_segment *ta_log_reader_segment(const struct ta_log_reader *r)
{
    return &r->segment;
}

/* Makes the window begin at or before `at` and hold `want` bytes from there, if the file has so many. Afterwards *n
 * bytes stand at the result. */
static const unsigned char *look(struct ta_log_reader *r, uint64_t at, size_t want, size_t *n,
                                 int *e, struct ta_err *err)
{
    uint64_t end = r->window_at + r->window_len;

    assert(at >= r->window_at);
    if (end < r->size && (at >= end || end - at < want)) {
        size_t keep = at < end ? (size_t)(end - at) : 0;
        if (keep)
            memmove(r->window, r->window + (at - r->window_at), keep);
        r->window_at = at;
        r->window_len = keep;
        int64_t got = ta_pread_full(r->file, r->window + keep, WINDOW - keep, at + keep, err);
        if (got < 0) {
            *e = (int)got;
            return NULL;
        }
        r->window_len += (size_t)got;
        if (r->window_len < WINDOW)
            r->size = r->window_at + r->window_len; /* the file got shorter, or this is its end */
    }
    end = r->window_at + r->window_len;
    *n = at < end ? (size_t)(end - at) : 0;
    return r->window + (at - r->window_at);
}

/* The same of a whole record, should one stand there. */
static const unsigned char *look_at_record(struct ta_log_reader *r, uint64_t at, size_t *n, int *e,
                                           struct ta_err *err)
{
    const unsigned char *p = look(r, at, TA_LOG_RECORD_HEAD, n, e, err);

    if (!p || *n < TA_LOG_RECORD_HEAD || ta_get_u32(p + 4) > TA_LOG_PAYLOAD_MAX)
        return p;
    return look(r, at, TA_LOG_RECORD_HEAD + ta_get_u32(p + 4), n, e, err);
}

static bool take_record(struct ta_log_reader *r, uint64_t at, const unsigned char *p, size_t n,
                        struct ta_log_entry *out)
{
    struct ta_log_record rec;

    if (n == 0 || ta_log_record_parse(p, n, r->segment.salt, &rec) != 1 ||
        rec.sequence < r->sequence)
        return false;
    *out = (struct ta_log_entry){.kind = TA_LOG_FOUND_RECORD,
                                 .at = at,
                                 .bytes = TA_LOG_RECORD_HEAD + rec.payload.len,
                                 .record = rec};
    return true;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* From r->at, where no record stands: to the next one, or the end. */
static int skip_damage(struct ta_log_reader *r, struct ta_log_entry *out, struct ta_err *err)
{
    bool only_zeros = true;
    uint64_t at = r->at;
    int e = TA_OK;

    for (;;) {
        size_t n = 0;
        struct ta_log_entry found;
        const unsigned char *p = look_at_record(r, at, &n, &e, err);
        if (!p)
            return e;
        if (n == 0)
            break;
        if (at > r->at && take_record(r, at, p, n, &found)) {
            *out = (struct ta_log_entry){.kind = TA_LOG_FOUND_DAMAGE,
                                         .at = r->at,
                                         .bytes = at - r->at,
                                         .lost = found.record.sequence - r->sequence};
            r->at = at;
            r->sequence = found.record.sequence;
            return 1;
        }
        const unsigned char *next = n > 1 ? memchr(p + 1, 'T', n - 1) : NULL;
        size_t step = next ? (size_t)(next - p) : n;
        only_zeros = only_zeros && all_zero(p, step);
        at += step;
    }
    *out = (struct ta_log_entry){.kind = TA_LOG_FOUND_TORN, .at = r->at, .bytes = at - r->at};
    r->at = at;
    return only_zeros ? 0 : 1;
}

int ta_log_reader_next(struct ta_log_reader *r, struct ta_log_entry *out, struct ta_err *err)
{
    size_t n = 0;
    int e = TA_OK;
    const unsigned char *p = look_at_record(r, r->at, &n, &e, err);

    if (!p)
        return e;
    if (n == 0)
        return 0;
    /* A record that is whole but skips sequence numbers follows a lost one: say so first. */
    if (!take_record(r, r->at, p, n, out))
        return skip_damage(r, out, err);
    if (out->record.sequence != r->sequence) {
        uint64_t lost = out->record.sequence - r->sequence;
        r->sequence = out->record.sequence;
        *out = (struct ta_log_entry){.kind = TA_LOG_FOUND_DAMAGE, .at = r->at, .lost = lost};
        return 1;
    }
    r->at += out->bytes;
    r->sequence++;
    return 1;
}
