/* The reference's archive files are read as they were written: version 2 pages, byte arrays by length. */
#include "io/vfs.h"
#include "parquet/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COLUMNS = 8, ROWS_MAX = 64, TEXT_MAX = 64 };

static char cells[ROWS_MAX][COLUMNS][TEXT_MAX];

static void put_cell(char *to, const struct ta_pq_field *field, const struct ta_pq_batch *b,
                     uint64_t k)
{
    k = b->is_run ? 0 : k;
    if (field->type == TA_PQ_BYTES)
        snprintf(to, TEXT_MAX, "%.*s", TA_STR_FMT(b->strings[k]));
    else if (field->type == TA_PQ_INT64)
        snprintf(to, TEXT_MAX, "%lld", (long long)((const int64_t *)b->numbers)[k]);
    else
        snprintf(to, TEXT_MAX, "%g", (double)((const float *)b->numbers)[k]);
}

static uint64_t read_cells(struct ta_pq_reader *r)
{
    struct ta_pq_cursor *cursor = NULL;
    struct ta_pq_batch b;
    uint64_t row = 0;

    assert_int_equal(ta_pq_cursor_new(&cursor, r, NULL), TA_OK);
    for (unsigned c = 0; c < COLUMNS; c++) {
        row = 0;
        for (uint32_t g = 0; g < ta_pq_reader_groups(r); g++) {
            assert_int_equal(ta_pq_cursor_open(cursor, g, c, NULL), TA_OK);
            while (ta_pq_cursor_next(cursor, 0, &b, NULL) > 0)
                for (uint64_t k = 0; k < b.n && row < ROWS_MAX; k++)
                    put_cell(cells[row++][c], ta_pq_reader_field(r, c), &b, k);
        }
        assert_int_equal(row, ta_pq_reader_rows(r));
    }
    ta_pq_cursor_free(cursor);
    return row;
}

static void the_reference_archive_has_the_rows_it_was_made_of(void **state)
{
    (void)state;
    struct ta_pq_reader *r = NULL;
    struct ta_file *file = NULL;
    char line[COLUMNS * TEXT_MAX + 16];
    char want[COLUMNS * TEXT_MAX + 16];
    FILE *expected = fopen("tests/data/parquet/reference-rows.txt", "r");

    assert_non_null(expected);
    assert_int_equal(ta_open(&ta_vfs_posix, "tests/data/parquet/reference.parquet", TA_OPEN_READ, 0,
                             &file, NULL),
                     TA_OK);
    assert_int_equal(ta_pq_reader_open(&r, file, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_pq_reader_columns(r), COLUMNS);
    uint64_t rows = read_cells(r);
    for (uint64_t i = 0; i < rows; i++) {
        assert_non_null(fgets(want, sizeof(want), expected));
        want[strcspn(want, "\n")] = 0;
        line[0] = 0;
        for (unsigned c = 0; c < COLUMNS; c++)
            snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", c ? "|" : "",
                     cells[i][c]);
        assert_string_equal(line, want);
    }
    assert_null(fgets(want, sizeof(want), expected));
    fclose(expected);
    ta_pq_reader_close(r);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_archive_has_the_rows_it_was_made_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
