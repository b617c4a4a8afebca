#include "parquet/footer_write.h"

#include "base/bytes.h"
#include "parquet/thrift.h"

enum {
    ORDER_UNKNOWN = 0,
    ORDER_ASCENDING = 1,
    DRAIN_BYTES = 64 * 1024,
    CONVERTED_UTF8 = 0,
    CONVERTED_INT_32 = 17,
    CONVERTED_INT_64 = 18
};

void ta_pq_footer_init(struct ta_pq_footer *f, struct ta_alloc *alloc)
{
    const size_t max =
        256 * MiB; /* the format's own bound is 2 GiB; callers roll files long before */

    memset(f, 0, sizeof(*f));
    ta_buf_init(&f->groups, alloc, max);
    ta_buf_init(&f->chunks, alloc, max);
    ta_buf_init(&f->extremes, alloc, max);
    ta_buf_init(&f->column_index, alloc, max);
    ta_buf_init(&f->offset_index, alloc, max);
    ta_buf_init(&f->meta, alloc, max);
}

void ta_pq_footer_done(struct ta_pq_footer *f)
{
    ta_buf_done(&f->groups);
    ta_buf_done(&f->chunks);
    ta_buf_done(&f->extremes);
    ta_buf_done(&f->column_index);
    ta_buf_done(&f->offset_index);
    ta_buf_done(&f->meta);
}

static uint32_t n_pages(const struct ta_pq_column_writer *c)
{
    return (uint32_t)(c->notes.len / sizeof(struct ta_pq_page_note));
}

static const struct ta_pq_page_note *page_notes(const struct ta_pq_column_writer *c)
{
    return (const struct ta_pq_page_note *)(const void *)c->notes.at;
}

/* Every page must say its extremes or that it is all null: else the chunk has no column index. */
static bool has_column_index(const struct ta_pq_column_writer *c)
{
    const struct ta_pq_page_note *note = page_notes(c);

    for (uint32_t i = 0; i < n_pages(c); i++)
        if (!note[i].has_range && !note[i].all_null)
            return false;
    return !c->spec->no_stats;
}

static void put_extremes(struct ta_thrift_writer *w, const struct ta_pq_column_writer *c, int field,
                         bool max)
{
    const struct ta_pq_page_note *note = page_notes(c);
    const char *at = c->extremes.at;

    ta_thrift_put_list(w, field, TA_THRIFT_BINARY, n_pages(c));
    for (uint32_t i = 0; i < n_pages(c); i++) {
        struct ta_str s = {at + (max ? note[i].min_len : 0),
                           max ? note[i].max_len : note[i].min_len};
        ta_thrift_item_str(w, s);
        at += note[i].min_len + note[i].max_len;
    }
}

/* Ascending when neither the minima nor the maxima of the pages ever fall. */
static int boundary_order(const struct ta_pq_column_writer *c)
{
    const struct ta_pq_page_note *note = page_notes(c);
    const char *at = c->extremes.at;
    struct ta_str min = {NULL, 0};
    struct ta_str max = {NULL, 0};

    for (uint32_t i = 0; i < n_pages(c); i++) {
        if (!note[i].has_range)
            continue;
        struct ta_str this_min = {at, note[i].min_len};
        struct ta_str this_max = {at + note[i].min_len, note[i].max_len};
        at += note[i].min_len + note[i].max_len;
        if (min.at && (ta_pq_order(c->spec->type, min, this_min) > 0 ||
                       ta_pq_order(c->spec->type, max, this_max) > 0))
            return ORDER_UNKNOWN;
        min = this_min;
        max = this_max;
    }
    return ORDER_ASCENDING;
}

static int put_column_index(struct ta_buf *out, const struct ta_pq_column_writer *c)
{
    const struct ta_pq_page_note *note = page_notes(c);
    struct ta_thrift_writer w;

    ta_thrift_writer_init(&w, out);
    ta_thrift_put_list(&w, 1, TA_THRIFT_TRUE, n_pages(c));
    for (uint32_t i = 0; i < n_pages(c); i++)
        ta_thrift_item_bool(&w, note[i].all_null);
    put_extremes(&w, c, 2, false);
    put_extremes(&w, c, 3, true);
    ta_thrift_put_i32(&w, 4, boundary_order(c));
    ta_thrift_put_list(&w, 5, TA_THRIFT_I64, n_pages(c));
    for (uint32_t i = 0; i < n_pages(c); i++)
        ta_thrift_item_i64(&w, note[i].nulls);
    ta_thrift_end(&w, 0);
    return w.error;
}

static int put_offset_index(struct ta_buf *out, const struct ta_pq_column_writer *c,
                            uint64_t data_at)
{
    const struct ta_pq_page_note *note = page_notes(c);
    struct ta_thrift_writer w;

    ta_thrift_writer_init(&w, out);
    ta_thrift_put_list(&w, 1, TA_THRIFT_STRUCT, n_pages(c));
    for (uint32_t i = 0; i < n_pages(c); i++) {
        int saved = ta_thrift_begin_item(&w);
        ta_thrift_put_i64(&w, 1, (int64_t)(data_at + note[i].offset));
        ta_thrift_put_i32(&w, 2, note[i].bytes);
        ta_thrift_put_i64(&w, 3, (int64_t)note[i].first_row);
        ta_thrift_end(&w, saved);
    }
    ta_thrift_end(&w, 0);
    return w.error;
}

int ta_pq_footer_chunk(struct ta_pq_footer *f, const struct ta_pq_column_writer *c,
                       uint64_t dict_at, uint64_t data_at, uint64_t dict_plain_bytes,
                       uint64_t dict_packed_bytes)
{
    struct ta_pq_chunk_note note = {
        .dict_at = dict_at,
        .data_at = data_at,
        .plain_bytes = c->plain_bytes + dict_plain_bytes,
        .packed_bytes = c->pages.bytes + dict_packed_bytes,
        .nulls = c->nulls,
        .encodings = c->encodings,
        .has_range = ta_pq_range_known(&c->range),
    };
    size_t before = f->column_index.len;
    int r = has_column_index(c) ? put_column_index(&f->column_index, c) : TA_OK;

    if (r < 0)
        return r;
    note.column_index_bytes = (uint32_t)(f->column_index.len - before);
    before = f->offset_index.len;
    r = put_offset_index(&f->offset_index, c, data_at);
    if (r < 0)
        return r;
    note.offset_index_bytes = (uint32_t)(f->offset_index.len - before);
    if (note.has_range) {
        note.min_len = c->range.min_len;
        note.max_len = c->range.max_len;
        r = ta_buf_str(&f->extremes, ta_pq_range_min(&c->range));
        if (r >= 0)
            r = ta_buf_str(&f->extremes, ta_pq_range_max(&c->range));
    }
    return r < 0 ? r : ta_buf_add(&f->chunks, &note, sizeof(note));
}

int ta_pq_footer_group(struct ta_pq_footer *f, uint64_t rows, uint64_t at)
{
    struct ta_pq_group_note note = {rows, at};
    int r = ta_buf_add(&f->groups, &note, sizeof(note));

    if (r < 0)
        return r;
    f->n_groups++;
    f->rows += rows;
    return TA_OK;
}

int ta_pq_footer_meta(struct ta_pq_footer *f, struct ta_str key, struct ta_str value)
{
    struct ta_thrift_writer w;
    size_t before = f->meta.len;

    ta_thrift_writer_init(&w, &f->meta);
    ta_thrift_put_str(&w, 1, key);
    ta_thrift_put_str(&w, 2, value);
    ta_thrift_end(&w, 0);
    if (w.error < 0) {
        f->meta.len = before;
        return w.error;
    }
    f->n_meta++;
    return TA_OK;
}

size_t ta_pq_footer_bytes(const struct ta_pq_footer *f)
{
    return f->groups.len + f->chunks.len + f->extremes.len + f->column_index.len +
           f->offset_index.len + f->meta.len;
}

static void put_logical(struct ta_thrift_writer *w, const struct ta_pq_column *c)
{
    int saved;
    int inner;

    if (c->logical == TA_PQ_PLAIN_TYPE)
        return;
    bool is_string = c->logical == TA_PQ_STRING;
    bool is_64 = c->type == TA_PQ_INT64;
    ta_thrift_put_i32(w, 6,
                      is_string ? CONVERTED_UTF8
                      : is_64   ? CONVERTED_INT_64
                                : CONVERTED_INT_32);
    saved = ta_thrift_begin(w, 10);
    inner = ta_thrift_begin(w, is_string ? 1 : 10);
    if (!is_string) {
        ta_thrift_put_byte(w, 1, is_64 ? 64 : 32);
        ta_thrift_put_bool(w, 2, true);
    }
    ta_thrift_end(w, inner);
    ta_thrift_end(w, saved);
}

static void put_schema(struct ta_thrift_writer *w, const struct ta_pq_schema *schema)
{
    ta_thrift_put_list(w, 2, TA_THRIFT_STRUCT, schema->n_columns + 1);
    int saved = ta_thrift_begin_item(w);
    ta_thrift_put_str(w, 4, ta_str(schema->root));
    ta_thrift_put_i32(w, 5, schema->n_columns);
    ta_thrift_end(w, saved);
    for (unsigned i = 0; i < schema->n_columns; i++) {
        const struct ta_pq_column *c = &schema->columns[i];
        saved = ta_thrift_begin_item(w);
        ta_thrift_put_i32(w, 1, c->type);
        ta_thrift_put_i32(w, 3, c->optional);
        ta_thrift_put_str(w, 4, ta_str(c->name));
        put_logical(w, c);
        ta_thrift_end(w, saved);
    }
}

static void put_statistics(struct ta_thrift_writer *w, const struct ta_pq_chunk_note *note,
                           const char *extremes)
{
    int saved = ta_thrift_begin(w, 12);

    ta_thrift_put_i64(w, 3, (int64_t)note->nulls);
    if (note->has_range) {
        ta_thrift_put_str(w, 5, (struct ta_str){extremes + note->min_len, note->max_len});
        ta_thrift_put_str(w, 6, (struct ta_str){extremes, note->min_len});
        ta_thrift_put_bool(w, 7, true);
        ta_thrift_put_bool(w, 8, true);
    }
    ta_thrift_end(w, saved);
}

static void put_encodings(struct ta_thrift_writer *w, uint32_t encodings)
{
    bool has_dict = encodings & 1u << TA_PQ_RLE_DICTIONARY;
    /* The dictionary page itself is PLAIN, levels are RLE. */
    uint32_t all = encodings | 1u << TA_PQ_RLE | (has_dict ? 1u << TA_PQ_PLAIN : 0);

    ta_thrift_put_list(w, 2, TA_THRIFT_I32, (uint32_t)__builtin_popcount(all));
    for (unsigned e = 0; e < 32; e++)
        if (all & 1u << e)
            ta_thrift_item_i64(w, e);
}

static void put_chunk(struct ta_thrift_writer *w, const struct ta_pq_column *column,
                      const struct ta_pq_chunk_note *note, const char *extremes, uint64_t rows,
                      uint64_t column_index_at, uint64_t offset_index_at)
{
    int saved = ta_thrift_begin_item(w);

    ta_thrift_put_i64(w, 2, 0); /* file_offset: writers are asked to put 0 */
    int inner = ta_thrift_begin(w, 3);
    ta_thrift_put_i32(w, 1, column->type);
    put_encodings(w, note->encodings);
    ta_thrift_put_list(w, 3, TA_THRIFT_BINARY, 1);
    ta_thrift_item_str(w, ta_str(column->name));
    ta_thrift_put_i32(w, 4, column->streamed ? TA_PQ_UNCOMPRESSED : TA_PQ_ZSTD);
    ta_thrift_put_i64(w, 5, (int64_t)rows);
    ta_thrift_put_i64(w, 6, (int64_t)note->plain_bytes);
    ta_thrift_put_i64(w, 7, (int64_t)note->packed_bytes);
    ta_thrift_put_i64(w, 9, (int64_t)note->data_at);
    if (note->dict_at)
        ta_thrift_put_i64(w, 11, (int64_t)note->dict_at);
    put_statistics(w, note, extremes);
    ta_thrift_end(w, inner);
    ta_thrift_put_i64(w, 4, (int64_t)offset_index_at);
    ta_thrift_put_i32(w, 5, note->offset_index_bytes);
    if (note->column_index_bytes) {
        ta_thrift_put_i64(w, 6, (int64_t)column_index_at);
        ta_thrift_put_i32(w, 7, note->column_index_bytes);
    }
    ta_thrift_end(w, saved);
}

static void put_group_tail(struct ta_thrift_writer *w, const struct ta_pq_schema *schema,
                           const struct ta_pq_group_note *group, uint64_t plain, uint64_t packed,
                           uint32_t ordinal)
{
    ta_thrift_put_i64(w, 2, (int64_t)plain);
    ta_thrift_put_i64(w, 3, (int64_t)group->rows);
    if (schema->n_sorting) {
        ta_thrift_put_list(w, 4, TA_THRIFT_STRUCT, schema->n_sorting);
        for (unsigned i = 0; i < schema->n_sorting; i++) {
            int saved = ta_thrift_begin_item(w);
            ta_thrift_put_i32(w, 1, schema->sorting[i]);
            ta_thrift_put_bool(w, 2, false);
            ta_thrift_put_bool(w, 3, false);
            ta_thrift_end(w, saved);
        }
    }
    ta_thrift_put_i64(w, 5, (int64_t)group->at);
    ta_thrift_put_i64(w, 6, (int64_t)packed);
    ta_thrift_put_i16(w, 7, (int)ordinal);
}

/* The thrift text goes out in pieces, so that the footer needs no second copy in memory. */
struct drain {
    struct ta_buf *buf;
    struct ta_sink *to;
    uint64_t bytes;
    struct ta_err *err;
};

static int drain(struct drain *d, struct ta_thrift_writer *w, size_t keep)
{
    if (w->error < 0)
        return ta_fail(d->err, w->error, "footer: %s", ta_strerror(w->error));
    if (d->buf->len <= keep)
        return TA_OK;
    int r = ta_sink_write(d->to, d->buf->at, d->buf->len, d->err);
    d->bytes += d->buf->len;
    ta_buf_reset(d->buf);
    return r;
}

/* The row groups; *index_at of the two kinds of index are the offsets of their first bytes. */
static int put_groups(struct ta_pq_footer *f, const struct ta_pq_schema *schema,
                      uint64_t column_index_at, uint64_t offset_index_at,
                      struct ta_thrift_writer *w, struct drain *d)
{
    const struct ta_pq_chunk_note *note = (const void *)f->chunks.at;
    const struct ta_pq_group_note *group = (const void *)f->groups.at;
    const char *extremes = f->extremes.at;

    ta_thrift_put_list(w, 4, TA_THRIFT_STRUCT, f->n_groups);
    for (uint32_t g = 0; g < f->n_groups; g++) {
        uint64_t plain = 0;
        uint64_t packed = 0;
        int saved = ta_thrift_begin_item(w);
        ta_thrift_put_list(w, 1, TA_THRIFT_STRUCT, schema->n_columns);
        for (unsigned i = 0; i < schema->n_columns; i++, note++) {
            put_chunk(w, &schema->columns[i], note, extremes, group[g].rows, column_index_at,
                      offset_index_at);
            extremes += note->min_len + note->max_len;
            column_index_at += note->column_index_bytes;
            offset_index_at += note->offset_index_bytes;
            plain += note->plain_bytes;
            packed += note->packed_bytes;
        }
        put_group_tail(w, schema, &group[g], plain, packed, g);
        ta_thrift_end(w, saved);
        int r = drain(d, w, DRAIN_BYTES);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static void put_tail(struct ta_pq_footer *f, const struct ta_pq_schema *schema,
                     const char *created_by, struct ta_thrift_writer *w)
{
    if (f->n_meta) {
        ta_thrift_put_list(w, 5, TA_THRIFT_STRUCT, f->n_meta);
        if (w->error >= 0)
            w->error = ta_buf_add(w->out, f->meta.at, f->meta.len);
    }
    ta_thrift_put_str(w, 6, ta_str(created_by));
    /* Without the declared order readers may not use min and max of strings. */
    ta_thrift_put_list(w, 7, TA_THRIFT_STRUCT, schema->n_columns);
    for (unsigned i = 0; i < schema->n_columns; i++) {
        int saved = ta_thrift_begin_item(w);
        ta_thrift_end(w, ta_thrift_begin(w, 1));
        ta_thrift_end(w, saved);
    }
    ta_thrift_end(w, 0);
}

int ta_pq_footer_write(struct ta_pq_footer *f, const struct ta_pq_schema *schema,
                       const char *created_by, struct ta_buf *scratch, struct ta_sink *to,
                       uint64_t *at, struct ta_err *err)
{
    struct drain d = {.buf = scratch, .to = to, .err = err};
    struct ta_thrift_writer w;
    unsigned char tail[8];

    int r = ta_sink_write(to, f->column_index.at, f->column_index.len, err);
    if (r >= 0)
        r = ta_sink_write(to, f->offset_index.at, f->offset_index.len, err);
    if (r < 0)
        return r;
    ta_buf_reset(scratch);
    ta_thrift_writer_init(&w, scratch);
    ta_thrift_put_i32(&w, 1, 2); /* version: 2 since encodings beyond the first set are used */
    put_schema(&w, schema);
    ta_thrift_put_i64(&w, 3, (int64_t)f->rows);
    r = put_groups(f, schema, *at, *at + f->column_index.len, &w, &d);
    if (r < 0)
        return r;
    put_tail(f, schema, created_by, &w);
    r = drain(&d, &w, 0);
    if (r < 0)
        return r;
    ta_put_u32(tail, (uint32_t)d.bytes);
    memcpy(tail + 4, "PAR1", 4);
    *at += f->column_index.len + f->offset_index.len + d.bytes + sizeof(tail);
    return ta_sink_write(to, tail, sizeof(tail), err);
}
