#define XXH_STATIC_LINKING_ONLY /* for XXH3_state_t on the stack */

#include "parquet/writer.h"

#include "parquet/column_write.h"
#include "parquet/footer_write.h"

#include <assert.h>
#include <xxhash.h>
#include <zlib.h>

enum {
    CUT_ROWS_MIN = 512,     /* smaller pages cost more in headers and index than they let skip */
    GROUPS_MAX = INT16_MAX, /* ordinals of row groups are 16 bit in the format */
    STREAM_PIECE = 64 * 1024,
    STREAM_SHARE =
        8 /* streamed bytes stand in the file already: a row group may have more of them */
};

struct ta_pq_writer {
    struct ta_alloc *alloc;
    const struct ta_pq_schema *schema;
    struct ta_sink *sink;
    size_t group_bytes;
    uint64_t group_rows;
    const char *created_by;
    uint64_t at; /* bytes given to the sink */
    struct ta_pq_bench bench;
    struct ta_pq_footer footer;
    uint64_t stream_at; /* where the open row group's streamed values begin */
    bool is_finished;
    struct ta_pq_column_writer columns[];
};

static size_t writer_size(const struct ta_pq_schema *schema)
{
    return sizeof(struct ta_pq_writer) + schema->n_columns * sizeof(struct ta_pq_column_writer);
}

static bool fits(const struct ta_pq_column *c)
{
    bool is_int = c->type == TA_PQ_INT32 || c->type == TA_PQ_INT64;
    bool is_float = c->type == TA_PQ_FLOAT || c->type == TA_PQ_DOUBLE;
    bool is_bool = c->type == TA_PQ_BOOL;

    if (c->logical == TA_PQ_STRING ? c->type != TA_PQ_BYTES
                                   : c->logical == TA_PQ_INT_SIGNED && !is_int)
        return false;
    if (!is_int && !is_float && !is_bool && c->type != TA_PQ_BYTES)
        return false;
    switch (c->encoding) {
    case TA_PQ_PLAIN:
    case TA_PQ_AUTO:
        return true;
    case TA_PQ_RLE_DICTIONARY:
        return !is_bool;
    case TA_PQ_DELTA_BINARY_PACKED:
        return is_int;
    case TA_PQ_BYTE_STREAM_SPLIT:
        return is_int || is_float;
    default:
        return false;
    }
}

/* Pages of the dictionary among others. */
static bool may_mix(const struct ta_pq_column *c)
{
    return ta_pq_type_width(c->type) >= 4 &&
           (c->encoding == TA_PQ_PLAIN || c->encoding == TA_PQ_BYTE_STREAM_SPLIT);
}

static bool may_stream(const struct ta_pq_column *c)
{
    return c->type == TA_PQ_BYTES && c->encoding == TA_PQ_PLAIN && !c->optional && c->no_stats;
}

static int check_schema(const struct ta_pq_schema *s, struct ta_err *err)
{
    unsigned n_streamed = 0;

    if (s->n_columns == 0 || s->n_columns > TA_PQ_COLUMNS_MAX)
        return ta_fail(err, TA_EINVAL, "parquet: %u columns", s->n_columns);
    for (unsigned i = 0; i < s->n_columns; i++) {
        if (!s->columns[i].name || !fits(&s->columns[i]) ||
            (s->columns[i].streamed && !may_stream(&s->columns[i])) ||
            (s->columns[i].dict_pages && !may_mix(&s->columns[i])))
            return ta_fail(err, TA_EINVAL, "parquet: column %u: type and encoding do not fit", i);
        n_streamed += s->columns[i].streamed;
    }
    if (n_streamed > 1)
        return ta_fail(err, TA_EINVAL, "parquet: more than one streamed column");
    for (unsigned i = 0; i < s->n_sorting; i++)
        if (s->sorting[i] >= s->n_columns)
            return ta_fail(err, TA_EINVAL, "parquet: sorted by column %u of %u", s->sorting[i],
                           s->n_columns);
    return TA_OK;
}

static int fail(struct ta_err *err, int code)
{
    return code < 0 ? ta_fail(err, code, "parquet: %s", ta_strerror(code)) : code;
}

static int put(struct ta_pq_writer *w, const void *p, size_t n, struct ta_err *err)
{
    int r = ta_sink_write(w->sink, p, n, err);

    w->at += n;
    return r;
}

int ta_pq_writer_new(struct ta_pq_writer **out, const struct ta_pq_schema *schema,
                     const struct ta_pq_options *options, struct ta_sink *sink,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    int r = check_schema(schema, err);

    if (r < 0)
        return r;
    struct ta_pq_writer *w = ta_alloc_zero(alloc, 1, writer_size(schema));
    if (!w)
        return fail(err, TA_ENOMEM);
    w->alloc = alloc;
    w->schema = schema;
    w->sink = sink;
    w->group_bytes = options->group_bytes ? options->group_bytes : 8 * MiB;
    w->group_rows = options->group_rows ? options->group_rows : 4 << 20;
    w->created_by =
        options->created_by ? options->created_by : "tarn version " TARN_VERSION " (build 0)";
    w->bench.alloc = alloc;
    w->bench.page_bytes = options->page_bytes ? options->page_bytes : 256 * KiB;
    ta_pq_pool_init(&w->bench.pool, alloc);
    ta_buf_init(&w->bench.plain, alloc, SIZE_MAX / 4);
    ta_buf_init(&w->bench.packed, alloc, SIZE_MAX / 4);
    ta_buf_init(&w->bench.trial, alloc, SIZE_MAX / 4);
    ta_buf_init(&w->bench.trial_packed, alloc, SIZE_MAX / 4);
    ta_buf_init(&w->bench.runs, alloc, SIZE_MAX / 4);
    ta_buf_init(&w->bench.header, alloc, 64 * KiB);
    ta_pq_footer_init(&w->footer, alloc);
    for (unsigned i = 0; i < schema->n_columns; i++)
        ta_pq_column_init(&w->columns[i], &schema->columns[i], &w->bench, options->with_digests);
    r = fail(err, ta_pq_packer_new(&w->bench.packer, options->zstd_level ? options->zstd_level : 1,
                                   alloc));
    if (r >= 0)
        r = put(w, "PAR1", 4, err);
    if (r < 0) {
        ta_pq_writer_free(w);
        return r;
    }
    *out = w;
    return TA_OK;
}

void ta_pq_writer_free(struct ta_pq_writer *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->schema->n_columns; i++)
        ta_pq_column_done(&w->columns[i]);
    ta_pq_footer_done(&w->footer);
    ta_pq_packer_free(w->bench.packer);
    ta_buf_done(&w->bench.plain);
    ta_buf_done(&w->bench.packed);
    ta_buf_done(&w->bench.trial);
    ta_buf_done(&w->bench.trial_packed);
    ta_buf_done(&w->bench.runs);
    ta_buf_done(&w->bench.header);
    ta_pq_pool_done(&w->bench.pool);
    ta_release(w->alloc, w, writer_size(w->schema));
}

int ta_pq_put_run(struct ta_pq_writer *w, unsigned column, struct ta_str value, uint64_t n,
                  struct ta_err *err)
{
    assert(column < w->schema->n_columns);
    return fail(err, ta_pq_column_run(&w->columns[column], value, n));
}

int ta_pq_put_array(struct ta_pq_writer *w, unsigned column, const void *values, size_t n,
                    struct ta_err *err)
{
    assert(column < w->schema->n_columns);
    return fail(err, ta_pq_column_array(&w->columns[column], values, n));
}

int ta_pq_put_steps(struct ta_pq_writer *w, unsigned column, int64_t first, int64_t step, size_t n,
                    struct ta_err *err)
{
    assert(column < w->schema->n_columns);
    return fail(err, ta_pq_column_steps(&w->columns[column], first, step, n));
}

int ta_pq_put_null(struct ta_pq_writer *w, unsigned column, uint64_t n, struct ta_err *err)
{
    assert(column < w->schema->n_columns);
    return fail(err, ta_pq_column_null(&w->columns[column], n));
}

/* Copies the value behind the head of its page; *out_hash is that of the digest. */
static int copy_value(struct ta_pq_writer *w, struct ta_source *source, uint32_t bytes,
                      uint32_t crc, uint64_t *out_hash, struct ta_err *err)
{
    XXH3_state_t hash;
    uLong found = crc32_z(0, NULL, 0);
    struct ta_buf *piece = &w->bench.plain;

    ta_buf_reset(piece);
    int r = fail(err, ta_buf_reserve(piece, STREAM_PIECE));
    if (r < 0)
        return r;
    XXH3_64bits_reset(&hash);
    for (uint32_t left = bytes; left;) {
        int64_t n = ta_read_full(source, piece->at, left < STREAM_PIECE ? left : STREAM_PIECE, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return ta_fail(err, TA_EFORMAT, "parquet: a value ends before its %u bytes", bytes);
        found = crc32_z(found, (const Bytef *)piece->at, (size_t)n);
        XXH3_64bits_update(&hash, piece->at, (size_t)n);
        r = put(w, piece->at, (size_t)n, err);
        if (r < 0)
            return r;
        left -= (uint32_t)n;
    }
    if (found != crc)
        return ta_fail(err, TA_EFORMAT, "parquet: a value is not the one that was announced");
    *out_hash = XXH3_64bits_digest(&hash);
    return TA_OK;
}

int ta_pq_put_stream(struct ta_pq_writer *w, unsigned column, struct ta_source *source,
                     uint32_t bytes, uint32_t crc, struct ta_err *err)
{
    assert(column < w->schema->n_columns && w->schema->columns[column].streamed);
    struct ta_pq_column_writer *c = &w->columns[column];
    uint64_t hash = 0;

    if (bytes > INT32_MAX - 8)
        return ta_fail(err, TA_ERANGE, "parquet: a value of %u bytes", bytes);
    if (c->rows == 0)
        w->stream_at = w->at;
    int r = fail(err, ta_pq_page_stream(c, bytes, crc));
    if (r >= 0)
        r = put(w, w->bench.header.at, w->bench.header.len, err);
    if (r >= 0)
        r = copy_value(w, source, bytes, crc, &hash, err);
    if (r >= 0 && c->with_digest)
        ta_pq_digest_hashed(&c->digest, hash);
    return r;
}

int ta_pq_writer_cut(struct ta_pq_writer *w, struct ta_err *err)
{
    for (unsigned i = 0; i < w->schema->n_columns; i++) {
        struct ta_pq_column_writer *c = &w->columns[i];
        if (!c->spec->cuts || c->page_rows < CUT_ROWS_MIN)
            continue;
        int r = ta_pq_column_cut(c);
        if (r < 0)
            return fail(err, r);
    }
    return TA_OK;
}

int ta_pq_writer_step(struct ta_pq_writer *w, struct ta_err *err)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < w->schema->n_columns; i++)
        bytes += w->columns[i].pages.bytes / (w->schema->columns[i].streamed ? STREAM_SHARE : 1);
    if (bytes < w->group_bytes && ta_pq_column_rows(&w->columns[0]) < w->group_rows)
        return 0;
    int r = ta_pq_writer_end_group(w, err);
    return r < 0 ? r : 1;
}

static int write_chunk(struct ta_pq_writer *w, struct ta_pq_column_writer *c, struct ta_err *err)
{
    uint64_t dict_at = 0;
    uint64_t dict_plain = 0;
    uint64_t begin = w->at;

    if (c->spec->streamed) {
        int r = fail(err, ta_pq_footer_chunk(&w->footer, c, 0, w->stream_at, 0, 0));
        if (r >= 0)
            ta_pq_column_reset(c);
        return r;
    }
    if (c->has_dict_pages) {
        int r = fail(err, ta_pq_page_dict(c));
        if (r < 0)
            return r;
        dict_at = w->at;
        dict_plain = w->bench.header.len + c->dict.plain.len;
        r = put(w, w->bench.header.at, w->bench.header.len, err);
        if (r >= 0)
            r = put(w, w->bench.packed.at, w->bench.packed.len, err);
        if (r < 0)
            return r;
    }
    int r = fail(err, ta_pq_footer_chunk(&w->footer, c, dict_at, w->at, dict_plain, w->at - begin));
    if (r < 0)
        return r;
    w->at += c->pages.bytes;
    r = ta_pq_spool_drain(&c->pages, &w->bench.pool, w->sink, err);
    if (r < 0)
        return r;
    ta_pq_column_reset(c);
    return TA_OK;
}

int ta_pq_writer_end_group(struct ta_pq_writer *w, struct ta_err *err)
{
    uint64_t rows = ta_pq_column_rows(&w->columns[0]);
    uint64_t begin = w->at;

    for (unsigned i = 1; i < w->schema->n_columns; i++)
        if (ta_pq_column_rows(&w->columns[i]) != rows)
            return ta_fail(err, TA_ESTATE, "parquet: column %s has %llu rows, column %s %llu",
                           w->schema->columns[i].name,
                           (unsigned long long)ta_pq_column_rows(&w->columns[i]),
                           w->schema->columns[0].name, (unsigned long long)rows);
    if (rows == 0)
        return TA_OK;
    if (w->footer.n_groups == GROUPS_MAX)
        return ta_fail(err, TA_ERANGE, "parquet: more than %d row groups", GROUPS_MAX);
    for (unsigned i = 0; i < w->schema->n_columns; i++) {
        begin = w->schema->columns[i].streamed ? w->stream_at : begin;
        int r = fail(err, ta_pq_column_cut(&w->columns[i]));
        if (r >= 0)
            r = write_chunk(w, &w->columns[i], err);
        if (r < 0)
            return r;
    }
    return fail(err, ta_pq_footer_group(&w->footer, rows, begin));
}

int ta_pq_writer_meta(struct ta_pq_writer *w, const char *key, struct ta_str value,
                      struct ta_err *err)
{
    return fail(err, ta_pq_footer_meta(&w->footer, ta_str(key), value));
}

int ta_pq_writer_finish(struct ta_pq_writer *w, struct ta_err *err)
{
    assert(!w->is_finished);
    int r = ta_pq_writer_end_group(w, err);
    if (r < 0)
        return r;
    w->is_finished = true;
    return ta_pq_footer_write(&w->footer, w->schema, w->created_by, &w->bench.plain, w->sink,
                              &w->at, err);
}

uint64_t ta_pq_writer_rows(const struct ta_pq_writer *w)
{
    return w->footer.rows;
}

uint64_t ta_pq_writer_bytes(const struct ta_pq_writer *w)
{
    return w->at;
}

uint32_t ta_pq_writer_groups(const struct ta_pq_writer *w)
{
    return w->footer.n_groups;
}

size_t ta_pq_writer_footer_bytes(const struct ta_pq_writer *w)
{
    return ta_pq_footer_bytes(&w->footer);
}

void ta_pq_writer_digests(struct ta_pq_writer *w, uint64_t *out)
{
    for (unsigned i = 0; i < w->schema->n_columns; i++)
        out[i] = ta_pq_digest_end(&w->columns[i].digest);
}
