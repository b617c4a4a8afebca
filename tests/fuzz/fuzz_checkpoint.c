/* Any bytes as a checkpoint file of either format: read to the end, every value. */
#include "persist/checkpoint_json_read.h"
#include "persist/snapshot_read.h"

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

static void read_bin(const uint8_t *data, size_t size)
{
    static const struct ta_file_ops ops = {.pread = bytes_pread, .size = bytes_size};
    struct bytes b = {{&ops}, data, size};
    struct ta_snapshot_reader r = {0};
    struct ta_tree_series s;
    float v[64];

    if (ta_snapshot_open(&r, &b.file, &ta_heap, NULL) >= 0)
        while (ta_snapshot_next(&r, &s, NULL) > 0)
            for (uint32_t i = 0; i < s.n; i += 64)
                if (ta_snapshot_values(&b.file, s.at, i, s.n - i < 64 ? s.n - i : 64, v, NULL) < 0)
                    __builtin_trap(); /* what next has accepted is there */
    ta_snapshot_done(&r);
}

static void read_json(const uint8_t *data, size_t size)
{
    static struct ta_checkpoint_json r;
    struct ta_checkpoint_json_event e;
    struct ta_mem_source source;
    uint64_t n = 0;

    ta_mem_source_init(&source, data, size, 7);
    if (ta_checkpoint_json_open(&r, &source.source, &ta_heap, NULL) >= 0)
        while (ta_checkpoint_json_next(&r, &e, NULL) > 0) {
            if (e.kind == TA_CHECKPOINT_JSON_SERIES && e.series.n != n)
                __builtin_trap();
            n = e.kind == TA_CHECKPOINT_JSON_SERIES ? 0 : n + e.n;
        }
    ta_checkpoint_json_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_bin(data, size);
    read_json(data, size);
    return 0;
}
