#include "parquet/reader_int.h"

#include "base/bytes.h"
#include "parquet/digest.h"

#include <inttypes.h>

enum { TAIL_BYTES = 8 };

static int read_tail(struct ta_pq_reader *r, size_t footer_max, struct ta_err *err)
{
    unsigned char tail[TAIL_BYTES];
    unsigned char head[4];

    int e = r->file->ops->size(r->file, &r->file_bytes, err);
    if (e < 0)
        return e;
    if (r->file_bytes < sizeof(head) + TAIL_BYTES)
        return ta_fail(err, TA_EFORMAT, "not a Parquet file: %" PRIu64 " bytes", r->file_bytes);
    int64_t n = ta_pread_full(r->file, head, sizeof(head), 0, err);
    if (n >= 0)
        n = ta_pread_full(r->file, tail, sizeof(tail), r->file_bytes - sizeof(tail), err);
    if (n < 0)
        return (int)n;
    if (n < TAIL_BYTES || memcmp(head, "PAR1", 4) != 0 || memcmp(tail + 4, "PAR1", 4) != 0)
        return ta_fail(err, TA_EFORMAT, "not a Parquet file: no PAR1 at both ends");
    r->footer_bytes = ta_get_u32(tail);
    if (r->footer_bytes > r->file_bytes - sizeof(head) - TAIL_BYTES)
        return ta_fail(err, TA_EFORMAT, "parquet footer: %u bytes in a file of %" PRIu64,
                       r->footer_bytes, r->file_bytes);
    if (r->footer_bytes > footer_max)
        return ta_fail(err, TA_ERANGE, "parquet footer: %u bytes, at most %zu are read",
                       r->footer_bytes, footer_max);
    return TA_OK;
}

static int read_footer(struct ta_pq_reader *r, struct ta_err *err)
{
    /* One byte more, so that an empty footer is an allocation too. */
    r->footer = ta_alloc(r->alloc, (size_t)r->footer_bytes + 1);
    if (!r->footer)
        return ta_fail(err, TA_ENOMEM, "parquet footer: no memory for %u bytes", r->footer_bytes);
    int64_t n = ta_pread_full(r->file, r->footer, r->footer_bytes,
                              r->file_bytes - TAIL_BYTES - r->footer_bytes, err);
    if (n < 0)
        return (int)n;
    if (n < r->footer_bytes)
        return ta_fail(err, TA_EFORMAT, "parquet footer: the file became shorter");
    return ta_pq_footer_read(r, err);
}

int ta_pq_reader_open(struct ta_pq_reader **out, struct ta_file *file,
                      const struct ta_pq_limits *limits, struct ta_alloc *alloc, struct ta_err *err)
{
    size_t footer_max = limits && limits->footer_max ? limits->footer_max : 64 * MiB;
    struct ta_pq_reader *r = ta_alloc_zero(alloc, 1, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "parquet: no memory for a reader");
    r->alloc = alloc;
    r->file = file;
    r->page_max = limits && limits->page_max ? limits->page_max : 64 * MiB;
    int e = read_tail(r, footer_max, err);
    if (e >= 0)
        e = read_footer(r, err);
    if (e < 0) {
        ta_pq_reader_close(r);
        return e;
    }
    *out = r;
    return TA_OK;
}

void ta_pq_reader_close(struct ta_pq_reader *r)
{
    if (!r)
        return;
    ta_release(r->alloc, r->group.chunks, r->n_columns * sizeof(*r->group.chunks));
    ta_release(r->alloc, r->fields, r->n_columns * sizeof(*r->fields));
    ta_release(r->alloc, r->groups_at, ((size_t)r->n_groups + 1) * sizeof(*r->groups_at));
    ta_release(r->alloc, r->footer, (size_t)r->footer_bytes + 1);
    ta_release(r->alloc, r, sizeof(*r));
}

uint64_t ta_pq_reader_rows(const struct ta_pq_reader *r)
{
    return r->rows;
}

uint32_t ta_pq_reader_groups(const struct ta_pq_reader *r)
{
    return r->n_groups;
}

unsigned ta_pq_reader_columns(const struct ta_pq_reader *r)
{
    return r->n_columns;
}

const struct ta_pq_field *ta_pq_reader_field(const struct ta_pq_reader *r, unsigned column)
{
    return &r->fields[column];
}

int ta_pq_reader_find(const struct ta_pq_reader *r, const char *name)
{
    for (unsigned i = 0; i < r->n_columns; i++)
        if (ta_str_is(r->fields[i].name, name))
            return (int)i;
    return TA_ENOTFOUND;
}

struct ta_str ta_pq_reader_created_by(const struct ta_pq_reader *r)
{
    return r->created_by;
}

uint64_t ta_pq_reader_footer_bytes(const struct ta_pq_reader *r)
{
    return r->footer_bytes;
}

struct ta_str ta_pq_reader_meta(const struct ta_pq_reader *r, const char *key)
{
    struct ta_str k;
    struct ta_str v;

    for (uint32_t i = 0; ta_pq_reader_meta_at(r, i, &k, &v) > 0; i++)
        if (ta_str_is(k, key))
            return v;
    return (struct ta_str){NULL, 0};
}

int ta_pq_reader_group(struct ta_pq_reader *r, uint32_t i, const struct ta_pq_group **out,
                       struct ta_err *err)
{
    if (i >= r->n_groups)
        return ta_fail(err, TA_EINVAL, "parquet: row group %u of %u", i, r->n_groups);
    if (r->group_number != i) {
        int e = ta_pq_footer_read_group(r, i, err);
        if (e < 0)
            return e;
    }
    *out = &r->group;
    return TA_OK;
}

static void add_batch(struct ta_pq_digest *d, const struct ta_pq_batch *b, size_t width)
{
    if (b->is_null) {
        ta_pq_digest_nulls(d, b->n);
    } else if (b->is_run) {
        struct ta_str v = width ? (struct ta_str){b->numbers, width} : b->strings[0];
        ta_pq_digest_run(d, v, b->n);
    } else if (width) {
        ta_pq_digest_values(d, b->numbers, b->n, width);
    } else {
        for (uint64_t i = 0; i < b->n; i++)
            ta_pq_digest_run(d, b->strings[i], 1);
    }
}

static int digest_column(struct ta_pq_reader *r, struct ta_pq_cursor *c, unsigned column,
                         struct ta_pq_digest *d, uint64_t *rows, struct ta_err *err)
{
    struct ta_pq_batch b;
    int e = TA_OK;

    for (uint32_t g = 0; g < r->n_groups; g++) {
        e = ta_pq_cursor_open(c, g, column, err);
        if (e < 0)
            return e;
        while ((e = ta_pq_cursor_next(c, 0, &b, err)) > 0) {
            add_batch(d, &b, ta_pq_type_width(r->fields[column].type));
            *rows += b.n;
        }
        if (e < 0)
            return e;
    }
    return TA_OK;
}

int ta_pq_reader_digests(struct ta_pq_reader *r, const struct ta_pq_schema *schema, uint64_t *out,
                         struct ta_err *err)
{
    struct ta_pq_cursor *cursor = NULL;

    if (r->n_columns != schema->n_columns)
        return ta_fail(err, TA_EFORMAT, "read back: %u columns, written were %u", r->n_columns,
                       schema->n_columns);
    int e = ta_pq_cursor_new(&cursor, r, err);
    for (unsigned i = 0; i < r->n_columns && e >= 0; i++) {
        const struct ta_pq_column *spec = &schema->columns[i];
        struct ta_pq_digest d;
        uint64_t found = 0;
        ta_pq_digest_init(&d, spec->encoding == TA_PQ_RLE_DICTIONARY || spec->type == TA_PQ_BYTES);
        e = digest_column(r, cursor, i, &d, &found, err);
        if (e >= 0 && found != r->rows)
            e = ta_fail(err, TA_EFORMAT, "read back: column %s has another number of rows",
                        spec->name);
        out[i] = ta_pq_digest_end(&d);
    }
    ta_pq_cursor_free(cursor);
    return e < 0 ? e : TA_OK;
}

int ta_pq_reader_verify(struct ta_pq_reader *r, const struct ta_pq_schema *schema, uint64_t rows,
                        const uint64_t *digests, struct ta_err *err)
{
    uint64_t found[TA_PQ_COLUMNS_MAX];

    if (r->rows != rows)
        return ta_fail(err, TA_EFORMAT, "read back: %" PRIu64 " rows, written were %" PRIu64,
                       r->rows, rows);
    int e = ta_pq_reader_digests(r, schema, found, err);
    for (unsigned i = 0; i < schema->n_columns && e >= 0; i++)
        if (found[i] != digests[i])
            e = ta_fail(err, TA_EFORMAT, "read back: column %s differs from what was written",
                        schema->columns[i].name);
    return e;
}
