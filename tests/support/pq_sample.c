#include "pq_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct ta_pq_column columns[] = {
    {.name = "flag", .type = TA_PQ_BOOL, .encoding = TA_PQ_PLAIN},
    {.name = "i32", .type = TA_PQ_INT32, .logical = TA_PQ_INT_SIGNED, .encoding = TA_PQ_AUTO},
    {.name = "i32_opt",
     .type = TA_PQ_INT32,
     .encoding = TA_PQ_DELTA_BINARY_PACKED,
     .optional = true},
    {.name = "i64",
     .type = TA_PQ_INT64,
     .logical = TA_PQ_INT_SIGNED,
     .encoding = TA_PQ_DELTA_BINARY_PACKED},
    {.name = "f32", .type = TA_PQ_FLOAT, .encoding = TA_PQ_BYTE_STREAM_SPLIT, .cuts = true},
    {.name = "f64", .type = TA_PQ_DOUBLE, .encoding = TA_PQ_AUTO},
    {.name = "f64_opt", .type = TA_PQ_DOUBLE, .encoding = TA_PQ_PLAIN, .optional = true},
    {.name = "name",
     .type = TA_PQ_BYTES,
     .logical = TA_PQ_STRING,
     .encoding = TA_PQ_RLE_DICTIONARY},
    {.name = "text",
     .type = TA_PQ_BYTES,
     .logical = TA_PQ_STRING,
     .encoding = TA_PQ_AUTO,
     .optional = true},
    {.name = "blob", .type = TA_PQ_BYTES, .encoding = TA_PQ_PLAIN, .no_stats = true},
    {.name = "i64_dict", .type = TA_PQ_INT64, .encoding = TA_PQ_RLE_DICTIONARY},
    {.name = "flag_opt", .type = TA_PQ_BOOL, .encoding = TA_PQ_AUTO, .optional = true},
    {.name = "all_null", .type = TA_PQ_INT64, .encoding = TA_PQ_AUTO, .optional = true},
    {.name = "mixed",
     .type = TA_PQ_FLOAT,
     .encoding = TA_PQ_BYTE_STREAM_SPLIT,
     .cuts = true,
     .dict_pages = true},
    {.name = "mixed_opt",
     .type = TA_PQ_DOUBLE,
     .encoding = TA_PQ_PLAIN,
     .optional = true,
     .dict_pages = true},
};

static const uint16_t sorting[] = {3};

const struct ta_pq_schema pq_sample_schema = {.root = "sample",
                                              .columns = columns,
                                              .n_columns = TA_COUNT(columns),
                                              .sorting = sorting,
                                              .n_sorting = 1};

static bool put_number(char out[8], const void *v, size_t n, struct ta_str *s)
{
    memcpy(out, v, n);
    *s = (struct ta_str){out, n};
    return true;
}

static bool put_text(char text[64], const char *prefix, uint64_t i, struct ta_str *s)
{
    int n = snprintf(text, 64, "%s%llu", prefix, (unsigned long long)i);

    *s = (struct ta_str){text, (size_t)n};
    return true;
}

bool pq_sample_value(unsigned c, uint64_t i, char number[8], char text[64], struct ta_str *out)
{
    uint8_t flag = i % 3 == 0;
    int32_t i32 = (int32_t)i * 7 - 1000;
    int64_t i64 = 1700000000 + 60 * (int64_t)i;
    float f32 = (float)i / 4;
    double f64 = (double)(i % 100) * 0.5;
    /* Stretches of few values, of many, of few others. */
    uint64_t mixed = i / 5000 % 2 ? i : (i * i * 2654435761 % 4294967296 >> 13) % 20 + i / 20000;

    *out = (struct ta_str){NULL, 0};
    switch (c) {
    case 0:
        return put_number(number, &flag, 1, out);
    case 1:
        return put_number(number, &i32, 4, out);
    case 2:
        i32 = -(int32_t)i;
        return i % 5 != 0 && put_number(number, &i32, 4, out);
    case 3:
        return put_number(number, &i64, 8, out);
    case 4:
        return put_number(number, &f32, 4, out);
    case 5:
        return put_number(number, &f64, 8, out);
    case 6:
        f64 = (double)i / 8;
        return i % 7 >= 3 && put_number(number, &f64, 8, out);
    case 7:
        return put_text(text, "host", i / 1000, out);
    case 8:
        return i % 4 != 1 && put_text(text, "t", i, out);
    case 9:
        memset(text, (int)(i % 251), i % 17);
        *out = (struct ta_str){text, i % 17};
        return true;
    case 10:
        i64 = (int64_t)i / 100;
        return put_number(number, &i64, 8, out);
    case 11:
        return i / 10 % 2 && put_number(number, &flag, 1, out);
    case 13:
        f32 = (float)mixed / 4;
        return put_number(number, &f32, 4, out);
    case 14:
        f64 = (double)mixed / 4;
        return i % 13 && put_number(number, &f64, 8, out);
    default:
        return false;
    }
}

int pq_sample_write(struct ta_pq_writer *w, uint64_t from, uint64_t to, struct ta_err *err)
{
    char number[8];
    char text[64];
    struct ta_str v;

    for (uint64_t i = from; i < to; i++) {
        for (unsigned c = 0; c < TA_COUNT(columns); c++) {
            int r = pq_sample_value(c, i, number, text, &v) ? ta_pq_put_run(w, c, v, 1, err)
                                                            : ta_pq_put_null(w, c, 1, err);
            if (r < 0)
                return r;
        }
        int r = i % 10000 == 9999 ? ta_pq_writer_cut(w, err) : TA_OK;
        if (r >= 0)
            r = ta_pq_writer_step(w, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static void compare(unsigned c, uint64_t i, const struct ta_pq_batch *b, uint64_t k)
{
    size_t width = ta_pq_type_width(columns[c].type);
    char number[8];
    char text[64];
    struct ta_str want;

    bool is_there = pq_sample_value(c, i, number, text, &want);
    assert_int_equal(is_there, !b->is_null);
    if (b->is_null)
        return;
    k = b->is_run ? 0 : k;
    struct ta_str got =
        width ? (struct ta_str){(const char *)b->numbers + k * width, width} : b->strings[k];
    if (!ta_str_eq(want, got))
        fail_msg("column %s, row %llu differs", columns[c].name, (unsigned long long)i);
}

static int64_t read_column(struct ta_pq_reader *r, struct ta_pq_cursor *cursor, unsigned c,
                           struct ta_err *err)
{
    struct ta_pq_batch b;
    uint64_t row = 0;
    int e = TA_OK;

    for (uint32_t g = 0; g < ta_pq_reader_groups(r); g++) {
        e = ta_pq_cursor_open(cursor, g, c, err);
        if (e < 0)
            return e;
        /* Odd limits, so that batches end anywhere. */
        while ((e = ta_pq_cursor_next(cursor, row % 1000 + (row % 2 ? 0 : 1), &b, err)) > 0)
            for (uint64_t k = 0; k < b.n; k++)
                compare(c, row++, &b, k);
        if (e < 0)
            return e;
    }
    return (int64_t)row;
}

int64_t pq_sample_read(struct ta_pq_reader *r, struct ta_err *err)
{
    struct ta_pq_cursor *cursor = NULL;
    int64_t rows = ta_pq_cursor_new(&cursor, r, err);

    for (unsigned c = 0; c < TA_COUNT(columns) && rows >= 0; c++) {
        rows = read_column(r, cursor, c, err);
        if (rows >= 0)
            assert_int_equal(rows, ta_pq_reader_rows(r));
    }
    ta_pq_cursor_free(cursor);
    return rows;
}
