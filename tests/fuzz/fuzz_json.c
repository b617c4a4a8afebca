/* Any bytes, in pieces whose size the first byte says, end as the whole does; skipping too. */
#include "io/json_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The outcome and a checksum of the tokens. */
static int read_all(const uint8_t *data, size_t size, size_t step, bool skip, uint64_t *sum)
{
    struct ta_json_limits limits = {.buffer = 256};
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    struct ta_mem_source src;

    *sum = 0;
    ta_mem_source_init(&src, data, size, step);
    int r = ta_json_reader_new(&rd, &src.source, &limits, &ta_heap);
    while (r >= 0 && (r = ta_json_next(rd, &t, NULL)) == 1) {
        *sum = *sum * 31 + (uint64_t)t.kind + t.column * 7 + t.line * 5 + t.depth;
        for (size_t i = 0; i < t.text.len; i++)
            *sum = *sum * 31 + (unsigned char)t.text.at[i];
        if (skip && t.kind == TA_JSON_KEY && (r = ta_json_skip(rd, NULL)) < 0)
            break;
    }
    if (r == 0)
        r = ta_json_finish(rd, NULL);
    ta_json_reader_free(rd);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, pieces, skipped;

    if (size == 0)
        return 0;
    int r = read_all(data + 1, size - 1, 0, false, &whole);
    int in_pieces = read_all(data + 1, size - 1, 1 + data[0] % 64u, false, &pieces);
    /* Of two faults in one token, its length and a bad byte, the one seen first is told: that may
     * depend on the pieces. */
    if ((r < 0) != (in_pieces < 0) || whole != pieces)
        __builtin_trap();
    /* What is good when read is good when skipped. */
    if (read_all(data + 1, size - 1, 0, true, &skipped) < 0 && r == 0)
        __builtin_trap();
    return 0;
}
