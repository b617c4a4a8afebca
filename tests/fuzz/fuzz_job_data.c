/* Any bytes as a job's data document, plain and compressed: found sound or refused with words, the same however
 * they come in pieces; what is answered of a sound one is sound again; and packing them gives them back. */
#include "io/gzip.h"
#include "io/vfs_mem.h"
#include "jobs/data_check.h"
#include "jobs/document_check.h"
#include "jobs/job_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold_against_rules(const uint8_t *data, size_t size)
{
    struct ta_mem_source src;
    struct ta_err err = {0};
    struct ta_buf lines;
    uint64_t n = 0;

    ta_buf_init(&lines, &ta_heap, 64 * KiB);
    ta_mem_source_init(&src, data, size, 0);
    int r =
        ta_document_check(&src.source, 4 * KiB, "x", &ta_rules_of_data, &lines, &n, &ta_heap, &err);
    if ((r < 0 && (err.code != r || !err.text[0])) || (lines.len == 0) != (n == 0))
        abort();
    ta_buf_done(&lines);
}

static int check(const uint8_t *data, size_t size, size_t step, struct ta_data_counts *counts)
{
    struct ta_mem_source src;
    struct ta_err err = {0};

    ta_mem_source_init(&src, data, size, step);
    int r = ta_data_check(&src.source, counts, &ta_heap, &err);
    if (r < 0 && (err.code != r || !err.text[0]))
        abort();
    return r;
}

static int answer(const uint8_t *data, size_t size, struct ta_vfs *vfs, struct ta_buf *out,
                  struct ta_err *err)
{
    const unsigned flags = TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE;
    const struct ta_job_question q = {.resolution_s = TA_JOB_RESOLUTION_COARSEST};
    const struct ta_job job = {.num_nodes = 1};
    struct ta_job_files files = {.bytes_max = 1 << 20};
    struct ta_mem_source src;
    struct ta_buf_sink sink;
    struct ta_arena arena;

    ta_mem_source_init(&src, data, size, 0);
    ta_buf_sink_init(&sink, out);
    ta_arena_init(&arena, &ta_heap, 1 << 20);
    if (ta_open(vfs, "/v", flags, 0600, &files.values, NULL) < 0 ||
        ta_open(vfs, "/s", flags, 0600, &files.series, NULL) < 0)
        abort();
    int r = ta_job_answer_archived(&q, &src.source, &files, NULL, &job, &sink.sink, &arena,
                                   &ta_heap, err);
    ta_arena_done(&arena);
    (void)ta_close(&files.values, NULL);
    (void)ta_close(&files.series, NULL);
    return r;
}

static void answer_of_it_is_sound(const uint8_t *data, size_t size)
{
    struct ta_data_counts counts;
    struct ta_err err = {0};
    struct ta_vfs_mem disk;
    struct ta_buf out;

    if (ta_vfs_mem_init(&disk, &ta_heap) < 0)
        abort();
    ta_buf_init(&out, &ta_heap, 16 << 20);
    int r = answer(data, size, &disk.vfs, &out, &err);
    if (r < 0 ? !err.text[0] : check((const uint8_t *)out.at, out.len, 0, &counts) < 0)
        abort();
    ta_buf_done(&out);
    ta_vfs_mem_done(&disk);
}

static void check_packed(const uint8_t *data, size_t size)
{
    struct ta_data_counts counts;
    struct ta_mem_source src;
    struct ta_gzip gzip;

    ta_mem_source_init(&src, data, size, 0);
    if (ta_gzip_unpack(&gzip, &src.source, &ta_heap, NULL) < 0)
        abort();
    (void)ta_data_check(&gzip.source, &counts, &ta_heap, NULL); /* it may be anything */
    ta_gzip_done(&gzip);
}

static void pack_and_unpack(const uint8_t *data, size_t size)
{
    struct ta_mem_source src;
    struct ta_gzip pack, unpack;
    uint8_t piece[1000];
    size_t at = 0;
    int64_t n;

    ta_mem_source_init(&src, data, size, 5);
    if (ta_gzip_pack(&pack, &src.source, &ta_heap, NULL) < 0 ||
        ta_gzip_unpack(&unpack, &pack.source, &ta_heap, NULL) < 0)
        abort();
    for (; (n = unpack.source.read(&unpack.source, piece, sizeof(piece), NULL)) > 0;
         at += (size_t)n)
        if (at + (size_t)n > size || memcmp(data + at, piece, (size_t)n) != 0)
            abort();
    if (n < 0 || at != size)
        abort();
    ta_gzip_done(&unpack);
    ta_gzip_done(&pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_data_counts whole, pieces;

    if (check(data, size, 0, &whole) != check(data, size, 1, &pieces) ||
        whole.values != pieces.values)
        abort();
    hold_against_rules(data, size);
    answer_of_it_is_sound(data, size);
    check_packed(data, size);
    pack_and_unpack(data, size);
    return 0;
}
