#include "parquet/column_write.h"

#include "base/bytes.h"

#include <assert.h>

enum {
    RUNS_MAX = 8192,          /* 64 KiB of runs a page */
    DICT_ENTRIES_MAX = 65536, /* beyond this a dictionary saves little */
    DICT_PAGES_ENTRIES = 256, /* indices of a byte: zstd finds in them what it cannot in odd bits */
    PAGE_ROWS_MAX = 1 << 30   /* rows of a page are 32-bit in the format */
};

void ta_pq_column_init(struct ta_pq_column_writer *c, const struct ta_pq_column *spec,
                       struct ta_pq_bench *bench, bool with_digest)
{
    memset(c, 0, sizeof(*c));
    c->spec = spec;
    c->bench = bench;
    c->width = ta_pq_type_width(spec->type);
    c->with_digest = with_digest;
    ta_pq_digest_init(&c->digest, spec->encoding == TA_PQ_RLE_DICTIONARY || c->width == 0);
    ta_pq_dict_init(&c->dict, bench->alloc, c->width,
                    spec->dict_pages ? DICT_PAGES_ENTRIES : DICT_ENTRIES_MAX, MiB);
    ta_buf_init(&c->values, bench->alloc, SIZE_MAX / 4); /* page_bytes, or one large value */
    ta_buf_init(&c->notes, bench->alloc, 64 * MiB);
    ta_buf_init(&c->extremes, bench->alloc, 64 * MiB);
    ta_pq_column_reset(c);
}

void ta_pq_column_done(struct ta_pq_column_writer *c)
{
    if (!c->bench)
        return;
    struct ta_alloc *alloc = c->bench->alloc;
    ta_pq_dict_done(&c->dict);
    ta_release(alloc, c->runs, RUNS_MAX * sizeof(*c->runs));
    ta_release(alloc, c->levels, RUNS_MAX * sizeof(*c->levels));
    ta_buf_done(&c->values);
    ta_buf_done(&c->notes);
    ta_buf_done(&c->extremes);
    ta_pq_spool_clear(&c->pages, &c->bench->pool);
    c->bench = NULL;
}

void ta_pq_column_reset(struct ta_pq_column_writer *c)
{
    ta_pq_dict_reset(&c->dict);
    ta_buf_reset(&c->notes);
    ta_buf_reset(&c->extremes);
    ta_pq_spool_clear(&c->pages, &c->bench->pool);
    ta_pq_range_reset(&c->range);
    ta_pq_range_reset(&c->page_range);
    c->rows = c->nulls = c->plain_bytes = 0;
    c->encodings = 0;
    c->has_dict_pages = false;
    c->encoding = c->spec->encoding;
    if (c->encoding == TA_PQ_AUTO && c->width == 0)
        c->encoding = TA_PQ_RLE_DICTIONARY;
    c->by_runs = c->encoding == TA_PQ_RLE_DICTIONARY;
}

int ta_pq_column_cut(struct ta_pq_column_writer *c)
{
    if (c->page_rows == 0)
        return TA_OK;
    int r = ta_pq_page_write(c);
    if (r < 0)
        return r;
    c->page_rows = c->page_values = 0;
    c->n_runs = c->n_levels = 0;
    ta_buf_reset(&c->values);
    ta_pq_range_reset(&c->page_range);
    return TA_OK;
}

static bool is_full(const struct ta_rle_run *list, uint32_t n, uint32_t value)
{
    return n == RUNS_MAX && list[n - 1].value != value;
}

/* Appends to a list of runs of RUNS_MAX places, allocated when first used. */
static int add_run(struct ta_pq_column_writer *c, struct ta_rle_run **list, uint32_t *n,
                   uint32_t value, uint32_t count)
{
    if (!*list) {
        *list = ta_alloc(c->bench->alloc, RUNS_MAX * sizeof(**list));
        if (!*list)
            return TA_ENOMEM;
    }
    if (*n && (*list)[*n - 1].value == value)
        (*list)[*n - 1].count += count;
    else
        (*list)[(*n)++] = (struct ta_rle_run){value, count};
    return TA_OK;
}

/* Counts n rows into the page, present or null; with a dictionary, `index` is their value. The page is
 * cut before when one of its lists is full: levels and values of a row stand in one page. */
static int add_rows(struct ta_pq_column_writer *c, bool present, uint32_t index, uint32_t n)
{
    bool optional = c->spec->optional;
    bool indexed = c->by_runs && present;
    int r = TA_OK;

    if ((optional && is_full(c->levels, c->n_levels, present)) ||
        (indexed && is_full(c->runs, c->n_runs, index)))
        r = ta_pq_column_cut(c);
    if (r >= 0 && optional)
        r = add_run(c, &c->levels, &c->n_levels, present, n);
    if (r >= 0 && indexed)
        r = add_run(c, &c->runs, &c->n_runs, index, n);
    if (r < 0)
        return r;
    c->page_rows += n;
    c->page_values += present ? n : 0;
    return TA_OK;
}

/* Rows that the page still takes. */
static int page_room(struct ta_pq_column_writer *c, uint64_t n, uint32_t *out)
{
    if (c->page_rows >= PAGE_ROWS_MAX) {
        int r = ta_pq_column_cut(c);
        if (r < 0)
            return r;
    }
    uint32_t room = PAGE_ROWS_MAX - c->page_rows;
    *out = n < room ? (uint32_t)n : room;
    return TA_OK;
}

/* The dictionary is full: this page ends, the chunk goes on without it. */
static int leave_dictionary(struct ta_pq_column_writer *c)
{
    int r = ta_pq_column_cut(c);

    if (r < 0)
        return r;
    c->by_runs = false;
    if (c->width == 0 || c->spec->type == TA_PQ_BOOL)
        c->encoding = TA_PQ_PLAIN;
    else if (c->spec->type == TA_PQ_INT32 || c->spec->type == TA_PQ_INT64)
        c->encoding = TA_PQ_DELTA_BINARY_PACKED;
    else
        c->encoding = TA_PQ_BYTE_STREAM_SPLIT;
    return TA_OK;
}

static int put_plain(struct ta_pq_column_writer *c, struct ta_str value, uint32_t n)
{
    size_t bytes = c->width ? c->width : 4 + value.len;

    for (uint32_t i = 0; i < n; i++) {
        if (c->values.len + bytes > c->bench->page_bytes && c->page_rows) {
            int r = ta_pq_column_cut(c);
            if (r < 0)
                return r;
        }
        int r = add_rows(c, true, 0, 1);
        if (r >= 0)
            r = ta_buf_reserve(&c->values, bytes);
        if (r < 0)
            return r;
        char *to = c->values.at + c->values.len;
        if (!c->width)
            ta_put_u32(to, (uint32_t)value.len);
        if (value.len)
            memcpy(to + (c->width ? 0 : 4), value.at, value.len);
        c->values.len += bytes;
        if (!c->width && !c->spec->no_stats)
            ta_pq_range_bytes(&c->page_range, value);
    }
    return TA_OK;
}

int ta_pq_column_run(struct ta_pq_column_writer *c, struct ta_str value, uint64_t n)
{
    if (c->spec->streamed || (c->width ? value.len != c->width : value.len > INT32_MAX - 8))
        return TA_EINVAL;
    if (c->with_digest)
        ta_pq_digest_run(&c->digest, value, n);
    while (n) {
        uint32_t k;
        int r = page_room(c, n, &k);
        if (r < 0)
            return r;
        int64_t index = c->by_runs ? ta_pq_dict_index(&c->dict, value) : 0;
        if (index == TA_ERANGE) {
            r = leave_dictionary(c);
            if (r < 0)
                return r;
            continue;
        }
        if (index < 0)
            return (int)index;
        r = c->by_runs ? add_rows(c, true, (uint32_t)index, k) : put_plain(c, value, k);
        if (r < 0)
            return r;
        n -= k;
    }
    return TA_OK;
}

/* Room for at least one and at most n numbers in the page; the page is cut when it has none. */
static int64_t number_room(struct ta_pq_column_writer *c, size_t n)
{
    if (c->values.len + c->width > c->bench->page_bytes && c->page_rows) {
        int r = ta_pq_column_cut(c);
        if (r < 0)
            return r;
    }
    size_t left = c->bench->page_bytes > c->values.len ? c->bench->page_bytes - c->values.len : 0;
    size_t room = left / c->width ? left / c->width : 1;
    size_t k = n < room ? n : room;
    /* Counting may cut the page: it comes before the values are placed. */
    int r = add_rows(c, true, 0, (uint32_t)k);
    if (r >= 0)
        r = ta_buf_reserve(&c->values, k * c->width);
    return r < 0 ? r : (int64_t)k;
}

int ta_pq_column_array(struct ta_pq_column_writer *c, const void *values, size_t n)
{
    const char *from = values;

    if (!c->width)
        return TA_EINVAL;
    if (c->by_runs) {
        for (size_t i = 0; i < n; i++) {
            int r = ta_pq_column_run(c, (struct ta_str){from + i * c->width, c->width}, 1);
            if (r < 0)
                return r;
        }
        return TA_OK;
    }
    if (c->with_digest)
        ta_pq_digest_values(&c->digest, values, n, c->width);
    while (n) {
        int64_t k = number_room(c, n);
        if (k < 0)
            return (int)k;
        size_t bytes = (size_t)k * c->width;
        memcpy(c->values.at + c->values.len, from, bytes);
        c->values.len += bytes;
        from += bytes;
        n -= (size_t)k;
    }
    return TA_OK;
}

int ta_pq_column_steps(struct ta_pq_column_writer *c, int64_t first, int64_t step, size_t n)
{
    int64_t part[512];
    uint64_t v = (uint64_t)first;

    if (c->spec->type != TA_PQ_INT64)
        return TA_EINVAL;
    while (n) {
        size_t k = n < TA_COUNT(part) ? n : TA_COUNT(part);
        for (size_t i = 0; i < k; i++)
            part[i] = (int64_t)(v + i * (uint64_t)step);
        int r = ta_pq_column_array(c, part, k);
        if (r < 0)
            return r;
        v += k * (uint64_t)step;
        n -= k;
    }
    return TA_OK;
}

int ta_pq_column_null(struct ta_pq_column_writer *c, uint64_t n)
{
    if (!c->spec->optional)
        return TA_EINVAL;
    if (c->with_digest)
        ta_pq_digest_nulls(&c->digest, n);
    while (n) {
        uint32_t k;
        int r = page_room(c, n, &k);
        if (r >= 0)
            r = add_rows(c, false, 0, k);
        if (r < 0)
            return r;
        n -= k;
    }
    return TA_OK;
}
