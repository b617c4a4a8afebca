/* Files that the writer makes are read back whole; damaged ones are refused, not followed. */
#include "fault.h"
#include "mem_file.h"
#include "parquet/reader.h"
#include "parquet/writer.h"
#include "pq_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ta_pq_options small = {
    .page_bytes = 4 * KiB, .group_bytes = 256 * KiB, .with_digests = true};

static int write_sample(struct ta_buf *file, const struct ta_pq_options *options, uint64_t rows,
                        uint64_t *digests, struct ta_alloc *alloc)
{
    struct ta_pq_writer *w = NULL;
    struct ta_buf_sink sink;
    struct ta_err err = {0};

    ta_buf_sink_init(&sink, file);
    int r = ta_pq_writer_new(&w, &pq_sample_schema, options, &sink.sink, alloc, &err);
    if (r >= 0)
        r = ta_pq_writer_meta(w, "made.by", TA_STR("a test"), &err);
    if (r >= 0)
        r = pq_sample_write(w, 0, rows, &err);
    if (r >= 0)
        r = ta_pq_writer_finish(w, &err);
    if (r >= 0 && digests)
        ta_pq_writer_digests(w, digests);
    ta_pq_writer_free(w);
    return r;
}

static int64_t read_sample(const struct ta_buf *file, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_pq_reader *r = NULL;
    struct mem_file m;

    mem_file_init(&m, file->at, file->len);
    int64_t rows = ta_pq_reader_open(&r, &m.file, NULL, alloc, err);
    if (rows >= 0)
        rows = pq_sample_read(r, err);
    ta_pq_reader_close(r);
    return rows;
}

static void every_type_and_encoding_comes_back(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 2, 7, 100, 4096, 150000};
    struct ta_buf file;

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    for (size_t i = 0; i < TA_COUNT(lengths); i++) {
        struct ta_err err = {0};
        ta_buf_reset(&file);
        assert_int_equal(write_sample(&file, &small, lengths[i], NULL, &ta_heap), TA_OK);
        int64_t rows = read_sample(&file, &ta_heap, &err);
        if (rows < 0)
            fail_msg("%s", err.text);
        assert_int_equal(rows, lengths[i]);
    }
    ta_buf_done(&file);
}

static void metadata_and_schema_come_back(void **state)
{
    (void)state;
    struct ta_pq_reader *r = NULL;
    const struct ta_pq_group *g;
    struct ta_buf file;
    struct mem_file m;

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    assert_int_equal(write_sample(&file, &small, 90000, NULL, &ta_heap), TA_OK);
    mem_file_init(&m, file.at, file.len);
    assert_int_equal(ta_pq_reader_open(&r, &m.file, NULL, &ta_heap, NULL), TA_OK);
    assert_true(ta_str_is(ta_pq_reader_meta(r, "made.by"), "a test"));
    assert_null(ta_pq_reader_meta(r, "nobody").at);
    assert_int_equal(ta_pq_reader_columns(r), pq_sample_schema.n_columns);
    assert_int_equal(ta_pq_reader_find(r, "text"), 8);
    assert_int_equal(ta_pq_reader_find(r, "tex"), TA_ENOTFOUND);
    assert_true(ta_pq_reader_field(r, 8)->optional);
    assert_int_equal(ta_pq_reader_field(r, 8)->logical, TA_PQ_STRING);
    assert_in_range(ta_pq_reader_groups(r), 2, 50);
    assert_int_equal(ta_pq_reader_group(r, 0, &g, NULL), TA_OK);
    assert_int_equal(g->n_sorting, 1);
    assert_int_equal(g->sorting[0], 3);
    assert_true(g->chunks[7].has_range);
    assert_true(ta_str_is(g->chunks[7].min, "host0"));
    assert_false(g->chunks[9].has_range);
    assert_int_equal(g->chunks[12].nulls, g->rows);
    ta_pq_reader_close(r);
    ta_buf_done(&file);
}

static void a_row_group_ends_at_its_budget(void **state)
{
    (void)state;
    struct ta_pq_options options = small;
    struct ta_pq_reader *r = NULL;
    const struct ta_pq_group *g;
    struct ta_buf file;
    struct mem_file m;

    options.group_rows = 1000;
    ta_buf_init(&file, &ta_heap, 64 * MiB);
    assert_int_equal(write_sample(&file, &options, 3500, NULL, &ta_heap), TA_OK);
    mem_file_init(&m, file.at, file.len);
    assert_int_equal(ta_pq_reader_open(&r, &m.file, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_pq_reader_groups(r), 4);
    assert_int_equal(ta_pq_reader_group(r, 3, &g, NULL), TA_OK);
    assert_int_equal(g->rows, 500);
    ta_pq_reader_close(r);
    ta_buf_done(&file);
}

static void columns_of_different_length_are_refused(void **state)
{
    (void)state;
    struct ta_pq_writer *w = NULL;
    struct ta_buf_sink sink;
    struct ta_buf file;
    struct ta_err err = {0};

    ta_buf_init(&file, &ta_heap, 1 * MiB);
    ta_buf_sink_init(&sink, &file);
    assert_int_equal(ta_pq_writer_new(&w, &pq_sample_schema, &small, &sink.sink, &ta_heap, NULL),
                     0);
    assert_int_equal(ta_pq_put_i64(w, 3, 1, NULL), TA_OK);
    assert_int_equal(ta_pq_writer_end_group(w, &err), TA_ESTATE);
    assert_int_equal(ta_pq_put_null(w, 3, 1, NULL), TA_EINVAL);
    assert_int_equal(ta_pq_put_i32(w, 3, 1, NULL), TA_EINVAL);
    ta_pq_writer_free(w);
    ta_buf_done(&file);
}

static void digests_tell_equal_from_different_files(void **state)
{
    (void)state;
    uint64_t digests[TA_PQ_COLUMNS_MAX];
    struct ta_pq_reader *r = NULL;
    struct ta_buf file;
    struct mem_file m;
    struct ta_err err = {0};

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    assert_int_equal(write_sample(&file, &small, 90000, digests, &ta_heap), TA_OK);
    mem_file_init(&m, file.at, file.len);
    assert_int_equal(ta_pq_reader_open(&r, &m.file, NULL, &ta_heap, NULL), TA_OK);
    int e = ta_pq_reader_verify(r, &pq_sample_schema, 90000, digests, &err);
    if (e < 0)
        fail_msg("%s", err.text);
    assert_int_equal(ta_pq_reader_verify(r, &pq_sample_schema, 89999, digests, NULL), TA_EFORMAT);
    for (unsigned c = 0; c < pq_sample_schema.n_columns; c++) {
        digests[c] ^= 1;
        assert_int_equal(ta_pq_reader_verify(r, &pq_sample_schema, 90000, digests, NULL),
                         TA_EFORMAT);
        digests[c] ^= 1;
    }
    ta_pq_reader_close(r);
    ta_buf_done(&file);
}

/* Reads all columns without looking at the values. */
static int64_t read_all(const void *p, size_t n, struct ta_alloc *alloc)
{
    uint64_t no_digests[TA_PQ_COLUMNS_MAX] = {0};
    struct ta_pq_reader *r = NULL;
    struct mem_file m;

    mem_file_init(&m, p, n);
    int e = ta_pq_reader_open(&r, &m.file, NULL, alloc, NULL);
    if (e >= 0)
        e = ta_pq_reader_verify(r, &pq_sample_schema, ta_pq_reader_rows(r), no_digests, NULL);
    ta_pq_reader_close(r);
    return e;
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct ta_buf file;

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    assert_int_equal(write_sample(&file, &small, 300, NULL, &ta_heap), TA_OK);
    for (size_t cut = 0; cut < file.len; cut += 7)
        assert_true(read_all(file.at, cut, &ta_heap) < 0);
    ta_buf_done(&file);
}

/* First byte behind the pages: where the indexes begin. */
static size_t pages_end(const struct ta_buf *file)
{
    struct ta_pq_reader *r = NULL;
    const struct ta_pq_group *g;
    struct mem_file m;
    size_t end = 0;

    mem_file_init(&m, file->at, file->len);
    assert_int_equal(ta_pq_reader_open(&r, &m.file, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_pq_reader_group(r, ta_pq_reader_groups(r) - 1, &g, NULL), TA_OK);
    for (unsigned c = 0; c < ta_pq_reader_columns(r); c++)
        end = g->chunks[c].at + g->chunks[c].bytes;
    ta_pq_reader_close(r);
    return end;
}

static void a_bit_flipped_in_any_page_is_noticed(void **state)
{
    (void)state;
    uint64_t digests[TA_PQ_COLUMNS_MAX];
    struct ta_pq_reader *r;
    struct ta_buf file;
    struct mem_file m;

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    assert_int_equal(write_sample(&file, &small, 120, digests, &ta_heap), TA_OK);
    size_t end = pages_end(&file);
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.at[bit / 8] = (char)(file.at[bit / 8] ^ 1 << bit % 8);
        r = NULL;
        mem_file_init(&m, file.at, file.len);
        int e = ta_pq_reader_open(&r, &m.file, NULL, &ta_heap, NULL);
        if (e >= 0)
            e = ta_pq_reader_verify(r, &pq_sample_schema, 120, digests, NULL);
        /* Some bits of headers and footer say nothing that reading needs; none may change a value. */
        if (e >= 0 && bit / 8 < end)
            assert_true(pq_sample_read(r, NULL) == 120);
        ta_pq_reader_close(r);
        file.at[bit / 8] = (char)(file.at[bit / 8] ^ 1 << bit % 8);
    }
    ta_buf_done(&file);
}

static void memory_follows_the_budgets_and_not_the_rows(void **state)
{
    (void)state;
    const struct ta_pq_options options = {.page_bytes = 64 * KiB, .group_bytes = 1 * MiB};
    size_t peak[2];

    for (int i = 0; i < 2; i++) {
        struct ta_budget budget;
        struct ta_buf file;
        ta_budget_init(&budget, "writer", 24 * MiB, &ta_heap);
        ta_buf_init(&file, &ta_heap, 64 * MiB);
        assert_int_equal(write_sample(&file, &options, i ? 600000 : 200000, NULL, &budget.alloc),
                         0);
        peak[i] = budget.peak;
        assert_int_equal(ta_budget_used(&budget), 0);
        ta_buf_done(&file);
    }
    assert_in_range(peak[1], 1, peak[0] + 512 * KiB);
}

static int write_and_read(struct ta_alloc *alloc)
{
    struct ta_buf file;

    ta_buf_init(&file, &ta_heap, 64 * MiB);
    int64_t r = write_sample(&file, &small, 60, NULL, alloc);
    if (r >= 0)
        r = read_sample(&file, alloc, NULL);
    ta_buf_done(&file);
    return r < 0 ? (int)r : TA_OK;
}

static void every_refused_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, write_and_read(&f.alloc));
}

/* For tests/e2e/test_parquet_readers.py: other people's readers look at the same rows. */
static void a_sample_is_left_where_it_is_wanted(void **state)
{
    (void)state;
    const char *path = getenv("TARN_PARQUET_SAMPLE");
    struct ta_buf file;

    if (!path)
        skip();
    ta_buf_init(&file, &ta_heap, 256 * MiB);
    assert_int_equal(write_sample(&file, &small, 200000, NULL, &ta_heap), TA_OK);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file.at, 1, file.len, out), file.len);
    assert_int_equal(fclose(out), 0);
    ta_buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_encoding_comes_back),
        cmocka_unit_test(metadata_and_schema_come_back),
        cmocka_unit_test(a_row_group_ends_at_its_budget),
        cmocka_unit_test(columns_of_different_length_are_refused),
        cmocka_unit_test(digests_tell_equal_from_different_files),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_bit_flipped_in_any_page_is_noticed),
        cmocka_unit_test(memory_follows_the_budgets_and_not_the_rows),
        cmocka_unit_test(every_refused_allocation_is_an_error_and_leaks_nothing),
        cmocka_unit_test(a_sample_is_left_where_it_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
