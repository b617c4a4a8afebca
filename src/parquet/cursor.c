/* cursor.c - the pages of one column chunk, one after the other.
 *
 *   chunk := dictionary page?  data page*          page := header (thrift)  payload (packed)
 *
 * A window of the file slides over the chunk; a page's payload is taken from it in place, checked,
 * unpacked and decoded in batches.
 */
#include "parquet/reader_int.h"

#include "base/bytes.h"
#include "parquet/codec.h"
#include "parquet/thrift.h"

#include <inttypes.h>
#include <zlib.h>

enum {
    WINDOW_BYTES = 64 * 1024, /* read at once; larger pages widen it */
    HEADER_SPARE = 1 << 20,   /* of a page header, beside its statistics */
    PAGE_DATA = 0,
    PAGE_DICTIONARY = 2,
    PAGE_DATA_V2 = 3
};

struct page {
    int64_t type;
    uint32_t plain_bytes, packed_bytes;
    bool has_crc;
    uint32_t crc;
    uint32_t values, nulls, rows;
    unsigned encoding, level_encoding;
    uint32_t level_bytes, repeat_bytes; /* version 2: levels stand unpacked in front */
    bool is_packed;                     /* version 2: the values are */
};

struct ta_pq_cursor {
    struct ta_pq_reader *reader;
    struct ta_pq_unpacker *unpacker;
    struct ta_pq_field field;
    struct ta_pq_chunk chunk;
    uint32_t group;
    uint64_t at, end;     /* file offset of the window's next unread byte; end of the chunk */
    struct ta_buf window; /* bytes of the file; [pos, len) are unread */
    size_t pos;
    struct ta_buf plain; /* unpacked page */
    struct ta_str page;  /* the page's content: in `plain`, or in the window if it was not packed */
    struct ta_buf dict_plain; /* unpacked dictionary page */
    struct ta_pq_lexicon lexicon;
    struct ta_rle levels;
    uint32_t level_left;      /* rows of the page whose level was not read yet */
    uint32_t level_bits[256]; /* a stretch of levels, and how much of it is used */
    uint32_t level_have, level_done;
    bool level_is_run;
    uint64_t values_left; /* of the chunk, nulls included, in pages not begun */
    uint32_t rows_left;   /* of this page */
    uint32_t n_pages;
    struct ta_pq_decoder decoder;
};

static int damaged(const struct ta_pq_cursor *c, struct ta_err *err, const char *what)
{
    return ta_fail(err, TA_EFORMAT, "parquet: row group %u, column %.*s, at byte %" PRIu64 ": %s",
                   c->group, TA_STR_FMT(c->field.name), c->at, what);
}

int ta_pq_cursor_new(struct ta_pq_cursor **out, struct ta_pq_reader *r, struct ta_err *err)
{
    struct ta_pq_cursor *c = ta_alloc_zero(r->alloc, 1, sizeof(*c));

    if (!c || ta_pq_unpacker_new(&c->unpacker, r->alloc) < 0) {
        ta_release(r->alloc, c, sizeof(*c));
        return ta_fail(err, TA_ENOMEM, "parquet: no memory for a cursor");
    }
    c->reader = r;
    ta_buf_init(&c->window, r->alloc, 0);
    ta_buf_init(&c->plain, r->alloc, r->page_max);
    ta_buf_init(&c->dict_plain, r->alloc, r->page_max);
    *out = c;
    return TA_OK;
}

void ta_pq_cursor_free(struct ta_pq_cursor *c)
{
    if (!c)
        return;
    struct ta_alloc *alloc = c->reader->alloc;
    ta_pq_lexicon_done(&c->lexicon, alloc);
    ta_pq_unpacker_free(c->unpacker);
    ta_buf_done(&c->window);
    ta_buf_done(&c->plain);
    ta_buf_done(&c->dict_plain);
    ta_release(alloc, c, sizeof(*c));
}

int ta_pq_cursor_open(struct ta_pq_cursor *c, uint32_t group, unsigned column, struct ta_err *err)
{
    const struct ta_pq_group *g;
    int e = ta_pq_reader_group(c->reader, group, &g, err);

    if (e < 0)
        return e;
    if (column >= c->reader->n_columns)
        return ta_fail(err, TA_EINVAL, "parquet: column %u of %u", column, c->reader->n_columns);
    c->field = c->reader->fields[column];
    c->chunk = g->chunks[column];
    c->group = group;
    c->at = c->chunk.at;
    c->end = c->chunk.at + c->chunk.bytes;
    c->values_left = c->chunk.values;
    c->rows_left = c->n_pages = 0;
    c->pos = 0;
    ta_buf_reset(&c->window);
    ta_pq_lexicon_done(&c->lexicon, c->reader->alloc);
    if (c->field.type != TA_PQ_BYTES && !ta_pq_type_width(c->field.type))
        return damaged(c, err, "a type that is not supported");
    if (c->chunk.codec != TA_PQ_UNCOMPRESSED && c->chunk.codec != TA_PQ_ZSTD)
        return damaged(c, err, "a compression that is not supported");
    return TA_OK;
}

/* Statistics put the smallest and largest value into the header, and the reference's files each of them twice,
 * whatever their size. */
static size_t header_max(const struct ta_pq_cursor *c)
{
    return 4 * c->reader->page_max + HEADER_SPARE;
}

/* Makes the window hold `n` bytes and no more than that: large values must not cost twice their size. What was
 * unread is read again. */
static int widen(struct ta_pq_cursor *c, size_t n, struct ta_err *err)
{
    struct ta_alloc *alloc = c->reader->alloc;

    if (n > header_max(c) + WINDOW_BYTES)
        return ta_fail(err, TA_ERANGE, "parquet: a page of %zu bytes, at most %zu are read", n,
                       c->reader->page_max);
    ta_buf_done(&c->window);
    ta_buf_init(&c->window, alloc, n);
    c->pos = 0;
    int e = ta_buf_reserve(&c->window, n);
    return e < 0 ? ta_fail(err, e, "parquet: no memory for a page of %zu bytes", n) : TA_OK;
}

/* Makes `n` unread bytes stand in the window, if the chunk has them; *have says how many do. */
static int look(struct ta_pq_cursor *c, size_t n, size_t *have, struct ta_err *err)
{
    size_t unread = c->window.len - c->pos;

    if (unread < n && c->at + unread < c->end) {
        if (c->pos)
            memmove(c->window.at, c->window.at + c->pos, unread);
        c->pos = 0;
        c->window.len = unread;
        uint64_t rest = c->end - c->at - unread;
        size_t want = n - unread > WINDOW_BYTES ? n - unread : WINDOW_BYTES;
        want = want < rest ? want : (size_t)rest;
        if (unread + want > c->window.cap) {
            int e = widen(c, unread + want, err);
            if (e < 0)
                return e;
            want += unread;
            unread = 0;
        }
        int64_t got =
            ta_pread_full(c->reader->file, c->window.at + unread, want, c->at + unread, err);
        if (got < 0)
            return (int)got;
        if ((size_t)got < want)
            return damaged(c, err, "the file became shorter");
        c->window.len += want;
        unread = c->window.len;
    }
    *have = unread;
    return TA_OK;
}

static void take(struct ta_pq_cursor *c, size_t n)
{
    c->pos += n;
    c->at += n;
}

static void parse_v1(struct ta_thrift_reader *t, struct page *p)
{
    struct ta_thrift_field f = {0};

    while (ta_thrift_next(t, &f)) {
        if (f.id == 1)
            p->values = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
        else if (f.id == 2)
            p->encoding = (unsigned)ta_thrift_int_in(t, f.type, 0, 255);
        else if (f.id == 3)
            p->level_encoding = (unsigned)ta_thrift_int_in(t, f.type, 0, 255);
        else
            ta_thrift_skip(t, f.type);
    }
    p->rows = p->values;
    p->is_packed = true;
}

static void parse_v2(struct ta_thrift_reader *t, struct page *p)
{
    struct ta_thrift_field f = {0};

    p->is_packed = true;
    p->level_encoding = TA_PQ_RLE;
    while (ta_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            p->values = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 2:
            p->nulls = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 3:
            p->rows = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 4:
            p->encoding = (unsigned)ta_thrift_int_in(t, f.type, 0, 255);
            break;
        case 5:
            p->level_bytes = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 6:
            p->repeat_bytes = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 7:
            p->is_packed = ta_thrift_int(t, f.type) != 0;
            break;
        default:
            ta_thrift_skip(t, f.type);
        }
    }
}

static void parse_header(struct ta_thrift_reader *t, struct page *p)
{
    struct ta_thrift_field f = {0};

    *p = (struct page){.type = -1, .encoding = 255};
    while (ta_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            p->type = ta_thrift_int(t, f.type);
            break;
        case 2:
            p->plain_bytes = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 3:
            p->packed_bytes = (uint32_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 4:
            p->crc = (uint32_t)ta_thrift_int(t, f.type);
            p->has_crc = true;
            break;
        case 5:
        case 7:
            if (f.type == TA_THRIFT_STRUCT)
                parse_v1(t, p); /* a dictionary header begins with the same two fields */
            else
                t->bad = true;
            break;
        case 8:
            if (f.type == TA_THRIFT_STRUCT)
                parse_v2(t, p);
            else
                t->bad = true;
            break;
        default:
            ta_thrift_skip(t, f.type);
        }
    }
}

/* Reads the next page's header and leaves its payload at the window's position. */
static int next_header(struct ta_pq_cursor *c, struct page *p, struct ta_err *err)
{
    struct ta_thrift_reader t;
    size_t want = 256;
    size_t have;

    for (;;) {
        int e = look(c, want, &have, err);
        if (e < 0)
            return e;
        ta_thrift_reader_init(&t, c->window.at + c->pos, have);
        parse_header(&t, p);
        if (!t.bad)
            break;
        if (!t.short_input || have < want || want >= header_max(c))
            return damaged(c, err, "bad page header");
        want *= 4;
    }
    take(c, (size_t)(t.at - (const unsigned char *)c->window.at) - c->pos);
    if (p->packed_bytes > c->end - c->at)
        return damaged(c, err, "a page reaches past its column chunk");
    if (p->packed_bytes > c->reader->page_max || p->plain_bytes > c->reader->page_max)
        return ta_fail(err, TA_ERANGE, "parquet: a page of %u bytes, at most %zu are read",
                       p->plain_bytes, c->reader->page_max);
    if (p->type == PAGE_DATA_V2 &&
        (p->level_bytes > p->packed_bytes || p->repeat_bytes || p->level_bytes > p->plain_bytes))
        return damaged(c, err, "bad levels in a page");
    return TA_OK;
}

/* Makes the page's payload stand in the window, and checks it. */
static int checked(struct ta_pq_cursor *c, const struct page *p, struct ta_err *err)
{
    size_t have;
    int e = look(c, p->packed_bytes, &have, err);

    if (e < 0)
        return e;
    if (p->has_crc && (uint32_t)crc32_z(0, (const unsigned char *)c->window.at + c->pos,
                                        p->packed_bytes) != p->crc)
        return damaged(c, err, "a page's checksum is wrong");
    return TA_OK;
}

/* Checks and unpacks the payload into `out`; levels of a version 2 page stay unpacked in front. */
static int payload(struct ta_pq_cursor *c, const struct page *p, struct ta_buf *out,
                   struct ta_err *err)
{
    int e = checked(c, p, err);

    if (e < 0)
        return e;
    const unsigned char *from = (const unsigned char *)c->window.at + c->pos;
    ta_buf_reset(out);
    e = ta_buf_reserve(out, (size_t)p->plain_bytes + 1);
    if (e < 0)
        return ta_fail(err, e, "parquet: no memory for a page of %u bytes", p->plain_bytes);
    size_t front = p->level_bytes;
    size_t packed = p->packed_bytes - front;
    size_t plain = p->plain_bytes - front;
    if (front)
        memcpy(out->at, from, front);
    if (c->chunk.codec == TA_PQ_UNCOMPRESSED || !p->is_packed || packed == 0) {
        if (packed != plain)
            return damaged(c, err, "a page's sizes contradict each other");
        if (plain)
            memcpy(out->at + front, from + front, plain);
    } else {
        e = ta_pq_unpack(c->unpacker, from + front, packed, out->at + front, plain);
        if (e == TA_EFORMAT)
            return damaged(c, err, "a page does not decompress");
        if (e < 0)
            return ta_fail(err, e, "parquet: no memory to decompress");
    }
    out->len = p->plain_bytes;
    take(c, p->packed_bytes);
    return TA_OK;
}

static int begin_levels(struct ta_pq_cursor *c, const struct page *p, size_t *front)
{
    const unsigned char *at = (const unsigned char *)c->page.at;

    *front = 0;
    c->level_have = c->level_done = 0;
    c->level_left = p->rows;
    if (p->type == PAGE_DATA_V2) {
        *front = p->level_bytes;
        return c->field.optional ? ta_rle_init(&c->levels, at, p->level_bytes, 1) : TA_OK;
    }
    if (!c->field.optional)
        return TA_OK;
    if (p->level_encoding != TA_PQ_RLE || c->page.len < 4 || ta_get_u32(at) > c->page.len - 4)
        return TA_EFORMAT;
    *front = 4 + (size_t)ta_get_u32(at);
    return ta_rle_init(&c->levels, at + 4, ta_get_u32(at), 1);
}

/* Values that are there among the page's rows; the levels are left as they were. */
static int64_t count_present(const struct ta_pq_cursor *c, uint32_t rows)
{
    struct ta_rle levels = c->levels;
    uint32_t bits[256];
    uint32_t present = 0;
    bool is_run;

    if (!c->field.optional)
        return rows;
    for (uint32_t done = 0; done < rows;) {
        int64_t n = ta_rle_next(&levels, bits, 256, rows - done, &is_run);
        if (n <= 0)
            return TA_EFORMAT;
        if (is_run) {
            present += bits[0] ? (uint32_t)n : 0;
        } else {
            for (int64_t i = 0; i < n; i++)
                present += bits[i];
        }
        done += (uint32_t)n;
    }
    return present;
}

/* The data page's content, in place if that is possible. */
static int content(struct ta_pq_cursor *c, const struct page *p, struct ta_err *err)
{
    bool in_place = c->chunk.codec == TA_PQ_UNCOMPRESSED && p->packed_bytes == p->plain_bytes;
    int e;

    if (!in_place) {
        e = payload(c, p, &c->plain, err);
        c->page = ta_buf_view(&c->plain);
        return e;
    }
    e = checked(c, p, err);
    if (e < 0)
        return e;
    c->page = (struct ta_str){c->window.at + c->pos, p->packed_bytes};
    take(c, p->packed_bytes);
    return TA_OK;
}

static int begin_data_page(struct ta_pq_cursor *c, const struct page *p, struct ta_err *err)
{
    size_t front;

    int e = content(c, p, err);
    if (e < 0)
        return e;
    if (p->values == 0 || p->values > c->values_left || p->rows != p->values)
        return damaged(c, err, "a page holds another number of rows than its chunk allows");
    if (begin_levels(c, p, &front) < 0)
        return damaged(c, err, "bad levels in a page");
    int64_t present = count_present(c, p->rows);
    if (present < 0)
        return damaged(c, err, "bad levels in a page");
    if (ta_pq_decode_init(&c->decoder, c->field.type, p->encoding, c->page.at + front,
                          c->page.len - front, (uint64_t)present, &c->lexicon) < 0)
        return damaged(c, err, "a page cannot be decoded");
    c->rows_left = p->rows;
    c->values_left -= p->values;
    c->n_pages++;
    return TA_OK;
}

static int next_page(struct ta_pq_cursor *c, struct ta_err *err)
{
    struct page p;

    for (;;) {
        if (c->at >= c->end)
            return damaged(c, err, "the column chunk ends before its last row");
        int e = next_header(c, &p, err);
        if (e < 0)
            return e;
        if (p.type == PAGE_DATA || p.type == PAGE_DATA_V2)
            return begin_data_page(c, &p, err);
        if (p.type != PAGE_DICTIONARY) {
            size_t have;
            e = look(c, p.packed_bytes, &have, err);
            if (e < 0)
                return e;
            take(c, p.packed_bytes);
            continue;
        }
        if (c->lexicon.is_there || c->n_pages)
            return damaged(c, err, "a second dictionary");
        e = payload(c, &p, &c->dict_plain, err);
        if (e < 0)
            return e;
        e = ta_pq_lexicon_read(&c->lexicon, c->field.type, c->dict_plain.at, c->dict_plain.len,
                               p.values, c->reader->alloc);
        if (e < 0)
            return e == TA_ENOMEM ? ta_fail(err, e, "parquet: no memory for a dictionary")
                                  : damaged(c, err, "a bad dictionary");
    }
}

/* Length of the next stretch of rows that are all there (*present) or all null. */
static int64_t next_stretch(struct ta_pq_cursor *c, bool *present)
{
    if (!c->field.optional) {
        *present = true;
        return c->rows_left;
    }
    if (c->level_done == c->level_have) {
        int64_t n = ta_rle_next(&c->levels, c->level_bits, TA_COUNT(c->level_bits), c->level_left,
                                &c->level_is_run);
        if (n <= 0)
            return TA_EFORMAT;
        c->level_have = (uint32_t)n;
        c->level_done = 0;
        c->level_left -= (uint32_t)n;
    }
    if (c->level_is_run) {
        *present = c->level_bits[0];
        return c->level_have - c->level_done;
    }
    uint32_t i = c->level_done;
    *present = c->level_bits[i];
    while (i < c->level_have && (bool)c->level_bits[i] == *present)
        i++;
    return i - c->level_done;
}

int ta_pq_cursor_next(struct ta_pq_cursor *c, uint64_t max, struct ta_pq_batch *out,
                      struct ta_err *err)
{
    bool present;

    if (c->rows_left == 0) {
        if (c->values_left == 0)
            return 0;
        int e = next_page(c, err);
        if (e < 0)
            return e;
    }
    int64_t n = next_stretch(c, &present);
    if (n <= 0)
        return damaged(c, err, "bad levels in a page");
    if (max && (uint64_t)n > max)
        n = (int64_t)max;
    if (present) {
        if (ta_pq_decode_next(&c->decoder, (uint64_t)n, out) < 0)
            return damaged(c, err, "a page cannot be decoded");
    } else {
        *out = (struct ta_pq_batch){.n = (uint64_t)n, .is_null = true};
    }
    if (c->field.optional)
        c->level_done += (uint32_t)out->n;
    c->rows_left -= (uint32_t)out->n;
    return 1;
}
