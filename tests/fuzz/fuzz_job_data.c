/* Any bytes as a job's data document, plain and compressed: found sound or refused with words, the same however
 * they come in pieces; and packing them gives them back. */
#include "io/gzip.h"
#include "jobs/data_check.h"
#include "jobs/document_check.h"

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
    check_packed(data, size);
    pack_and_unpack(data, size);
    return 0;
}
