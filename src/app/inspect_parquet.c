/* inspect_parquet.c - what is inside a Parquet file: schema, row groups, encodings, sizes, ranges. */
#include "app/inspect.h"
#include "base/number.h"
#include "parquet/reader.h"

#include <stdio.h>

enum { GROUPS_SHOWN = 1000, RANGE_SHOWN = 64 };

static bool matches(const char *path, const unsigned char *head, size_t n)
{
    (void)path;
    return n >= 4 && memcmp(head, "PAR1", 4) == 0;
}

static void put_text(struct ta_json_writer *w, const char *key, struct ta_str s)
{
    s.len = s.len < RANGE_SHOWN ? s.len : RANGE_SHOWN;
    ta_json_member_str(w, key, s);
}

/* A statistic in the form its type has. */
static void put_bound(struct ta_json_writer *w, const char *key, enum ta_pq_type type,
                      struct ta_str s)
{
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;

    switch (type) {
    case TA_PQ_INT32:
        memcpy(&i32, s.at, sizeof(i32));
        ta_json_member_i64(w, key, i32);
        break;
    case TA_PQ_INT64:
        memcpy(&i64, s.at, sizeof(i64));
        ta_json_member_i64(w, key, i64);
        break;
    case TA_PQ_FLOAT:
        memcpy(&f32, s.at, sizeof(f32));
        ta_json_put_key(w, key);
        ta_json_put_f64(w, (double)f32);
        break;
    case TA_PQ_DOUBLE:
        memcpy(&f64, s.at, sizeof(f64));
        ta_json_put_key(w, key);
        ta_json_put_f64(w, f64);
        break;
    case TA_PQ_BOOL:
        ta_json_member_bool(w, key, s.at[0] != 0);
        break;
    default:
        put_text(w, key, s);
    }
}

static void put_encodings(struct ta_json_writer *w, uint32_t encodings)
{
    ta_json_put_key(w, "encodings");
    ta_json_put_array(w);
    for (unsigned e = 0; e < 32; e++)
        if (encodings & 1u << e)
            ta_json_put_z(w, ta_pq_encoding_name(e));
    ta_json_put_array_end(w);
}

static void put_schema(struct ta_json_writer *w, const struct ta_pq_reader *r)
{
    ta_json_put_key(w, "columns");
    ta_json_put_array(w);
    for (unsigned i = 0; i < ta_pq_reader_columns(r); i++) {
        const struct ta_pq_field *f = ta_pq_reader_field(r, i);
        ta_json_put_object(w);
        put_text(w, "name", f->name);
        ta_json_member_z(w, "type", ta_pq_type_name(f->type));
        if (f->logical == TA_PQ_STRING)
            ta_json_member_z(w, "logical", "STRING");
        ta_json_member_bool(w, "optional", f->optional);
        ta_json_put_object_end(w);
    }
    ta_json_put_array_end(w);
}

static void put_chunk(struct ta_json_writer *w, const struct ta_pq_field *field,
                      const struct ta_pq_chunk *c)
{
    ta_json_put_object(w);
    put_text(w, "column", field->name);
    ta_json_member_i64(w, "at", (int64_t)c->at);
    ta_json_member_i64(w, "bytes", (int64_t)c->bytes);
    ta_json_member_i64(w, "plain_bytes", (int64_t)c->plain_bytes);
    ta_json_member_z(w, "codec", ta_pq_codec_name(c->codec));
    put_encodings(w, c->encodings);
    if (c->has_nulls)
        ta_json_member_i64(w, "nulls", (int64_t)c->nulls);
    if (c->has_range) {
        put_bound(w, "min", c->type, c->min);
        put_bound(w, "max", c->type, c->max);
    }
    ta_json_member_bool(w, "page_index", c->column_index_bytes > 0 && c->offset_index_bytes > 0);
    ta_json_put_object_end(w);
}

/* One row group. Reads every page of it: what does not decode is damage. */
static int put_group(struct ta_json_writer *w, struct ta_pq_reader *r, struct ta_pq_cursor *cursor,
                     uint32_t i, struct ta_err *err)
{
    const struct ta_pq_group *g;
    struct ta_pq_batch batch;
    int e = ta_pq_reader_group(r, i, &g, err);

    if (e < 0)
        return e;
    if (i < GROUPS_SHOWN) {
        ta_json_put_object(w);
        ta_json_member_i64(w, "rows", (int64_t)g->rows);
        ta_json_put_key(w, "chunks");
        ta_json_put_array(w);
        for (unsigned c = 0; c < ta_pq_reader_columns(r); c++)
            put_chunk(w, ta_pq_reader_field(r, c), &g->chunks[c]);
        ta_json_put_array_end(w);
        ta_json_put_object_end(w);
    }
    for (unsigned c = 0; c < ta_pq_reader_columns(r); c++) {
        e = ta_pq_cursor_open(cursor, i, c, err);
        while (e >= 0 && (e = ta_pq_cursor_next(cursor, 0, &batch, err)) > 0)
            ;
        if (e < 0)
            return e;
    }
    return TA_OK;
}

static void put_meta(struct ta_json_writer *w, const struct ta_pq_reader *r)
{
    struct ta_str key;
    struct ta_str value;

    ta_json_put_key(w, "metadata");
    ta_json_put_object(w);
    for (uint32_t i = 0; ta_pq_reader_meta_at(r, i, &key, &value) > 0 && i < GROUPS_SHOWN; i++) {
        key.len = key.len < RANGE_SHOWN ? key.len : RANGE_SHOWN;
        value.len = value.len < 1024 ? value.len : 1024;
        ta_json_put_key_str(w, key);
        ta_json_put_str(w, value);
    }
    ta_json_put_object_end(w);
}

static int put_groups(struct ta_json_writer *w, struct ta_pq_reader *r, struct ta_err *err)
{
    struct ta_pq_cursor *cursor = NULL;
    int e = ta_pq_cursor_new(&cursor, r, err);

    ta_json_put_key(w, "row_groups");
    ta_json_put_array(w);
    for (uint32_t i = 0; i < ta_pq_reader_groups(r) && e >= 0; i++)
        e = put_group(w, r, cursor, i, err);
    ta_json_put_array_end(w);
    ta_pq_cursor_free(cursor);
    return e;
}

static int describe(struct ta_file *file, struct ta_json_writer *w, struct ta_alloc *alloc,
                    struct ta_err *err)
{
    struct ta_pq_reader *r = NULL;
    struct ta_err why = {0};
    int e = ta_pq_reader_open(&r, file, NULL, alloc, &why);

    if (e >= 0) {
        ta_json_member_i64(w, "rows", (int64_t)ta_pq_reader_rows(r));
        ta_json_member_i64(w, "row_group_count", ta_pq_reader_groups(r));
        ta_json_member_i64(w, "footer_bytes", (int64_t)ta_pq_reader_footer_bytes(r));
        put_text(w, "created_by", ta_pq_reader_created_by(r));
        put_meta(w, r);
        put_schema(w, r);
        e = put_groups(w, r, &why);
    }
    ta_pq_reader_close(r);
    if (e < 0)
        ta_json_member_z(w, "damage", why.text);
    return e < 0 ? ta_fail(err, e, "%s", why.text) : TA_OK;
}

const struct ta_inspect_kind ta_inspect_parquet = {"parquet", matches, describe};
