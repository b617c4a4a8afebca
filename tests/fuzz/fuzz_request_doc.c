/* fuzz_request_doc - answers of the request service: read whole and byte by byte the same comes out,
 * and what comes out is bounded. */
#include "io/stream.h"
#include "sweep/answer_read.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES = 3, TEXT_MAX = 4096 };

static void check(bool is_good)
{
    if (!is_good)
        abort();
}

static int read_all(const uint8_t *data, size_t size, size_t step, struct ta_chunk_slot *slots)
{
    struct ta_answer_reader reader;
    struct ta_chunk chunk = {slots, NAMES};
    struct ta_mem_source src;

    slots[0] = (struct ta_chunk_slot){.name = TA_STR("w")};
    slots[1] = (struct ta_chunk_slot){.name = TA_STR("v")};
    slots[2] = (struct ta_chunk_slot){.name = TA_STR("u")};
    ta_answer_reader_init(&reader, TEXT_MAX, NULL, &ta_heap);
    ta_mem_source_init(&src, data, size, step);
    int r = reader.reader.read(&reader.reader, &src.source, &chunk, NULL);
    ta_answer_reader_done(&reader);
    return r;
}

static void compare(const struct ta_record *a, const struct ta_record *b)
{
    check((a == NULL) == (b == NULL));
    if (!a)
        return;
    check(a->bytes == b->bytes && a->bytes < 16 * TEXT_MAX);
    check(ta_str_eq(a->name, b->name) && ta_str_eq(a->status, b->status));
    check(a->outputs.n == b->outputs.n && a->inputs.n == b->inputs.n);
    for (size_t i = 0; i < a->inputs.n; i++)
        check(a->inputs.at[i].len > 0 && ta_str_eq(a->inputs.at[i], b->inputs.at[i]));
    check(a->has_transition == b->has_transition && a->transition_s == b->transition_s);
    check(a->include_parents == b->include_parents);
    check(!a->has_many_inputs || a->has_input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_chunk_slot whole[NAMES], bytes[NAMES];
    int r = read_all(data, size, 0, whole);

    check(r == read_all(data, size, 1, bytes));
    for (size_t i = 0; i < NAMES; i++) {
        check(whole[i].state == bytes[i].state);
        compare(whole[i].item, bytes[i].item);
        ta_record_free(whole[i].item);
        ta_record_free(bytes[i].item);
    }
    return 0;
}
