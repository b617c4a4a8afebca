#include "parquet/column_write.h"

#include "base/bytes.h"
#include "parquet/bitpack.h"
#include "parquet/delta.h"
#include "parquet/split.h"
#include "parquet/thrift.h"

#include <assert.h>
#include <zlib.h>

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };

static int encode_bools(const struct ta_pq_column_writer *c, struct ta_buf *out)
{
    int r = ta_buf_reserve(out, c->values.len / 8 + 1);

    if (r < 0)
        return r;
    for (size_t i = 0; i < c->values.len; i += 8) {
        unsigned bits = 0;
        for (size_t j = i; j < i + 8 && j < c->values.len; j++)
            bits |= (unsigned)(c->values.at[j] != 0) << (j - i);
        out->at[out->len++] = (char)bits;
    }
    return TA_OK;
}

static int encode_split(const struct ta_pq_column_writer *c, struct ta_buf *out)
{
    int r = ta_buf_reserve(out, c->values.len);

    if (r < 0)
        return r;
    ta_split_encode(c->values.at, c->page_values, c->width, out->at + out->len);
    out->len += c->values.len;
    return TA_OK;
}

static int encode_delta(const struct ta_pq_column_writer *c, struct ta_buf *out)
{
    const void *values = c->values.at;

    return c->width == 4 ? ta_delta_encode_i32(values, c->page_values, out)
                         : ta_delta_encode_i64(values, c->page_values, out);
}

/* Readers differ on a width of 0, so one entry takes one bit. */
static unsigned index_width(const struct ta_pq_column_writer *c)
{
    unsigned width = c->dict.n ? ta_bits_of(c->dict.n - 1) : 0;

    return c->spec->dict_pages ? 8 : width ? width : 1;
}

/* Finds the indices of the page's numbers. TA_ERANGE: the dictionary is full. */
static int index_values(struct ta_pq_column_writer *c)
{
    struct ta_buf *runs = &c->bench->runs;
    struct ta_rle_run *last = NULL;
    int r;

    ta_buf_reset(runs);
    r = ta_buf_reserve(runs, c->page_values * sizeof(*last));
    if (r < 0)
        return r;
    for (size_t i = 0; i < c->values.len; i += c->width) {
        int64_t at = ta_pq_dict_index(&c->dict, (struct ta_str){c->values.at + i, c->width});
        if (at < 0)
            return (int)at;
        if (last && last->value == (uint32_t)at) {
            last->count++;
            continue;
        }
        last = (struct ta_rle_run *)(void *)(runs->at + runs->len);
        *last = (struct ta_rle_run){(uint32_t)at, 1};
        runs->len += sizeof(*last);
    }
    return TA_OK;
}

static int encode_indices(struct ta_pq_column_writer *c, struct ta_buf *out)
{
    const struct ta_rle_run *runs = c->runs;
    size_t n = c->n_runs;
    int r = TA_OK;

    if (!c->by_runs) {
        r = index_values(c);
        runs = (const struct ta_rle_run *)(void *)c->bench->runs.at;
        n = c->bench->runs.len / sizeof(*runs);
    }
    if (r < 0)
        return r;
    unsigned width = index_width(c);
    r = ta_buf_byte(out, (char)width);
    return r < 0 ? r : ta_rle_encode(runs, n, width, out);
}

static int encode_values(struct ta_pq_column_writer *c, enum ta_pq_encoding encoding,
                         struct ta_buf *out)
{
    switch (encoding) {
    case TA_PQ_RLE_DICTIONARY:
        return encode_indices(c, out);
    case TA_PQ_DELTA_BINARY_PACKED:
        return encode_delta(c, out);
    case TA_PQ_BYTE_STREAM_SPLIT:
        return encode_split(c, out);
    default:
        return c->spec->type == TA_PQ_BOOL ? encode_bools(c, out)
                                           : ta_buf_add(out, c->values.at, c->values.len);
    }
}

/* Takes the encoding of the chunk that makes its first page smallest; ties go to the earlier one. */
static int choose_encoding(struct ta_pq_column_writer *c)
{
    static const enum ta_pq_encoding integers[] = {TA_PQ_DELTA_BINARY_PACKED, TA_PQ_RLE_DICTIONARY,
                                                   TA_PQ_PLAIN};
    static const enum ta_pq_encoding floats[] = {TA_PQ_BYTE_STREAM_SPLIT, TA_PQ_RLE_DICTIONARY,
                                                 TA_PQ_PLAIN};
    bool is_float = c->spec->type == TA_PQ_FLOAT || c->spec->type == TA_PQ_DOUBLE;
    const enum ta_pq_encoding *try = is_float ? floats : integers;
    size_t best = SIZE_MAX;

    c->encoding = TA_PQ_PLAIN;
    if (c->spec->type == TA_PQ_BOOL)
        return TA_OK;
    for (size_t i = 0; i < TA_COUNT(floats); i++) {
        ta_buf_reset(&c->bench->trial);
        int r = encode_values(c, try[i], &c->bench->trial);
        if (r == TA_ERANGE && try[i] == TA_PQ_RLE_DICTIONARY)
            continue;
        if (r >= 0)
            r = ta_pq_pack(c->bench->packer, c->bench->trial.at, c->bench->trial.len,
                           &c->bench->packed);
        if (r < 0)
            return r;
        size_t bytes = c->bench->packed.len;
        bytes += try[i] == TA_PQ_RLE_DICTIONARY ? c->dict.plain.len : 0;
        if (bytes < best) {
            best = bytes;
            c->encoding = try[i];
        }
    }
    if (c->encoding != TA_PQ_RLE_DICTIONARY)
        ta_pq_dict_reset(&c->dict);
    return TA_OK;
}

static int encode_levels(const struct ta_pq_column_writer *c, struct ta_buf *out)
{
    size_t head = out->len;
    int r = ta_buf_add(out, "\0\0\0\0", 4);

    if (r >= 0)
        r = ta_rle_encode(c->levels, c->n_levels, 1, out);
    if (r >= 0)
        ta_put_u32(out->at + head, (uint32_t)(out->len - head - 4));
    return r;
}

static void swap(struct ta_buf *a, struct ta_buf *b)
{
    struct ta_buf was = *a;

    *a = *b;
    *b = was;
}

/* Tries the dictionary on a page that is encoded and packed, and takes it where it is smaller: *how. */
static int try_dictionary(struct ta_pq_column_writer *c, enum ta_pq_encoding *how)
{
    struct ta_pq_bench *b = c->bench;
    uint32_t before = c->dict.n;
    int r = TA_OK;

    ta_buf_reset(&b->trial);
    if (c->spec->optional)
        r = encode_levels(c, &b->trial);
    if (r >= 0)
        r = encode_values(c, TA_PQ_RLE_DICTIONARY, &b->trial);
    if (r == TA_ERANGE) { /* too many values, soon noticed */
        ta_pq_dict_cut(&c->dict, before);
        return TA_OK;
    }
    if (r >= 0)
        r = ta_pq_pack(b->packer, b->trial.at, b->trial.len, &b->trial_packed);
    if (r < 0)
        return r;
    if (b->trial_packed.len + (c->dict.n - before) * c->width >= b->packed.len) {
        ta_pq_dict_cut(&c->dict, before);
        return TA_OK;
    }
    swap(&b->plain, &b->trial);
    swap(&b->packed, &b->trial_packed);
    *how = TA_PQ_RLE_DICTIONARY;
    return TA_OK;
}

static int encode_page(struct ta_pq_column_writer *c)
{
    struct ta_buf *out = &c->bench->plain;
    int r = TA_OK;

    if (c->encoding == TA_PQ_AUTO)
        r = choose_encoding(c);
    ta_buf_reset(out);
    if (r >= 0 && c->spec->optional)
        r = encode_levels(c, out);
    if (r < 0)
        return r;
    size_t head = out->len;
    r = encode_values(c, c->encoding, out);
    if (r == TA_ERANGE && c->encoding == TA_PQ_RLE_DICTIONARY) {
        /* The dictionary that won the trial is full: the chunk goes on without. */
        bool is_float = c->spec->type == TA_PQ_FLOAT || c->spec->type == TA_PQ_DOUBLE;
        c->encoding = is_float ? TA_PQ_BYTE_STREAM_SPLIT : TA_PQ_DELTA_BINARY_PACKED;
        out->len = head;
        r = encode_values(c, c->encoding, out);
    }
    return r;
}

struct content {
    size_t plain_bytes, packed_bytes;
    uint32_t crc; /* of the packed bytes */
};

static int put_header(struct ta_pq_bench *b, int page_type, const struct content *content,
                      uint32_t n_values, enum ta_pq_encoding encoding)
{
    struct ta_thrift_writer w;

    ta_buf_reset(&b->header);
    ta_thrift_writer_init(&w, &b->header);
    ta_thrift_put_i32(&w, 1, page_type);
    ta_thrift_put_i32(&w, 2, (int64_t)content->plain_bytes);
    ta_thrift_put_i32(&w, 3, (int64_t)content->packed_bytes);
    ta_thrift_put_i32(&w, 4, (int32_t)content->crc);
    if (page_type == PAGE_DICTIONARY) {
        int saved = ta_thrift_begin(&w, 7);
        ta_thrift_put_i32(&w, 1, n_values);
        ta_thrift_put_i32(&w, 2, TA_PQ_PLAIN);
        ta_thrift_end(&w, saved);
    } else {
        int saved = ta_thrift_begin(&w, 5);
        ta_thrift_put_i32(&w, 1, n_values);
        ta_thrift_put_i32(&w, 2, encoding);
        ta_thrift_put_i32(&w, 3, TA_PQ_RLE);
        ta_thrift_put_i32(&w, 4, TA_PQ_RLE);
        ta_thrift_end(&w, saved);
    }
    ta_thrift_end(&w, 0);
    return w.error;
}

/* The header of a page whose content stands packed in bench->packed. */
static int put_packed_header(struct ta_pq_bench *b, int page_type, size_t plain_bytes,
                             uint32_t n_values, enum ta_pq_encoding encoding)
{
    const struct content content = {
        plain_bytes, b->packed.len,
        (uint32_t)crc32_z(0, (const Bytef *)b->packed.at, b->packed.len)};

    return put_header(b, page_type, &content, n_values, encoding);
}

static void take_range(struct ta_pq_column_writer *c)
{
    if (c->spec->no_stats)
        return;
    if (c->by_runs) {
        for (uint32_t i = 0; i < c->n_runs; i++) {
            struct ta_str v = ta_pq_dict_at(&c->dict, c->runs[i].value);
            if (c->width)
                ta_pq_range_numbers(&c->page_range, c->spec->type, v.at, 1);
            else
                ta_pq_range_bytes(&c->page_range, v);
        }
    } else if (c->width) {
        ta_pq_range_numbers(&c->page_range, c->spec->type, c->values.at, c->page_values);
    }
    ta_pq_range_join(&c->range, c->spec->type, &c->page_range);
}

static int put_note(struct ta_pq_column_writer *c, size_t bytes)
{
    struct ta_pq_page_note note = {.offset = c->pages.bytes,
                                   .first_row = c->rows,
                                   .bytes = (uint32_t)bytes,
                                   .nulls = c->page_rows - c->page_values,
                                   .has_range = ta_pq_range_known(&c->page_range),
                                   .all_null = c->page_values == 0};
    int r = TA_OK;

    if (note.has_range) {
        note.min_len = c->page_range.min_len;
        note.max_len = c->page_range.max_len;
        r = ta_buf_str(&c->extremes, ta_pq_range_min(&c->page_range));
        if (r >= 0)
            r = ta_buf_str(&c->extremes, ta_pq_range_max(&c->page_range));
    }
    return r < 0 ? r : ta_buf_add(&c->notes, &note, sizeof(note));
}

int ta_pq_page_write(struct ta_pq_column_writer *c)
{
    struct ta_pq_bench *b = c->bench;

    take_range(c);
    int r = encode_page(c);
    if (r >= 0)
        r = ta_pq_pack(b->packer, b->plain.at, b->plain.len, &b->packed);
    enum ta_pq_encoding how = c->encoding;
    if (r >= 0 && c->spec->dict_pages)
        r = try_dictionary(c, &how);
    if (r >= 0)
        r = b->plain.len > INT32_MAX || b->packed.len > INT32_MAX ? TA_ERANGE : TA_OK;
    if (r >= 0)
        r = put_packed_header(b, PAGE_DATA, b->plain.len, c->page_rows, how);
    if (r >= 0)
        r = put_note(c, b->header.len + b->packed.len);
    if (r >= 0)
        r = ta_pq_spool_add(&c->pages, &b->pool, b->header.at, b->header.len);
    if (r >= 0)
        r = ta_pq_spool_add(&c->pages, &b->pool, b->packed.at, b->packed.len);
    if (r < 0)
        return r;
    c->rows += c->page_rows;
    c->nulls += c->page_rows - c->page_values;
    c->plain_bytes += b->header.len + b->plain.len;
    c->encodings |= 1u << how;
    c->has_dict_pages |= how == TA_PQ_RLE_DICTIONARY;
    return TA_OK;
}

int ta_pq_page_stream(struct ta_pq_column_writer *c, uint32_t bytes, uint32_t crc)
{
    struct ta_pq_bench *b = c->bench;
    unsigned char head[4];
    size_t content_bytes = sizeof(head) + bytes;

    ta_put_u32(head, bytes);
    uLong head_crc = crc32_z(0, head, sizeof(head));
    const struct content content = {content_bytes, content_bytes,
                                    (uint32_t)crc32_combine(head_crc, crc, (z_off_t)bytes)};
    int r = put_header(b, PAGE_DATA, &content, 1, TA_PQ_PLAIN);
    if (r >= 0)
        r = ta_buf_add(&b->header, head, sizeof(head));
    size_t page_bytes = b->header.len + bytes;
    c->page_rows = c->page_values = 1;
    if (r >= 0)
        r = put_note(c, page_bytes);
    c->page_rows = c->page_values = 0;
    if (r < 0)
        return r;
    c->pages.bytes += page_bytes;
    c->rows++;
    c->plain_bytes += page_bytes;
    c->encodings |= 1u << TA_PQ_PLAIN;
    return TA_OK;
}

int ta_pq_page_dict(struct ta_pq_column_writer *c)
{
    struct ta_pq_bench *b = c->bench;
    int r = ta_pq_pack(b->packer, c->dict.plain.at, c->dict.plain.len, &b->packed);

    assert(c->has_dict_pages);
    if (r < 0)
        return r;
    return put_packed_header(b, PAGE_DICTIONARY, c->dict.plain.len, c->dict.n, TA_PQ_PLAIN);
}
