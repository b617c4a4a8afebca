/* Any bytes as a Parquet file: opened, described and read to the end of every column. */
#include "parquet/reader.h"

struct bytes {
    struct ta_file file;
    const uint8_t *at;
    size_t len;
};

static int64_t bytes_pread(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    const struct bytes *b = TA_CONTAINER(f, struct bytes, file);

    (void)err;
    if (at >= b->len)
        return 0;
    n = n < b->len - at ? n : (size_t)(b->len - at);
    memcpy(buf, b->at + at, n);
    return (int64_t)n;
}

static int bytes_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    (void)err;
    *out = TA_CONTAINER(f, struct bytes, file)->len;
    return TA_OK;
}

static void read_columns(struct ta_pq_reader *r)
{
    struct ta_pq_cursor *cursor = NULL;
    const struct ta_pq_group *group;
    struct ta_pq_batch b;
    volatile unsigned char sum = 0;
    uint64_t rows = 0;

    if (ta_pq_cursor_new(&cursor, r, NULL) < 0)
        return;
    for (uint32_t g = 0; g < ta_pq_reader_groups(r) && g < 8; g++) {
        if (ta_pq_reader_group(r, g, &group, NULL) < 0)
            continue;
        for (unsigned c = 0; c < ta_pq_reader_columns(r); c++) {
            if (ta_pq_cursor_open(cursor, g, c, NULL) < 0)
                continue;
            while (rows < 1u << 22 && ta_pq_cursor_next(cursor, 0, &b, NULL) > 0) {
                rows += b.n < TA_PQ_BATCH ? b.n : TA_PQ_BATCH;
                for (uint64_t i = 0; !b.is_null && b.strings && i < (b.is_run ? 1 : b.n); i++)
                    for (size_t k = 0; k < b.strings[i].len; k += 64)
                        sum += (unsigned char)b.strings[i].at[k];
            }
        }
    }
    ta_pq_cursor_free(cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ta_pq_limits limits = {.footer_max = 1 * MiB, .page_max = 1 * MiB};
    struct ta_pq_reader *r = NULL;
    struct ta_budget budget;
    static const struct ta_file_ops ops = {.pread = bytes_pread, .size = bytes_size};
    struct bytes m = {{&ops}, data, size};

    ta_budget_init(&budget, "fuzz", 32 * MiB, &ta_heap);
    if (ta_pq_reader_open(&r, &m.file, &limits, &budget.alloc, NULL) >= 0)
        read_columns(r);
    ta_pq_reader_close(r);
    if (ta_budget_used(&budget))
        __builtin_trap();
    return 0;
}
