/* Any bytes as a checkpoint file: the first byte says the format, the rest is the file. */
#include "mem_file.h"
#include "persist/tree_read.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_tree_reader *r = NULL;
    struct ta_tree_event ev;
    struct mem_file m;
    unsigned depth = 0;
    uint64_t values = 0;
    int e;

    if (size == 0)
        return 0;
    mem_file_init(&m, data + 1, size - 1);
    assert(ta_tree_reader_new(&r, data[0] & 1 ? TA_TREE_JSON : TA_TREE_BIN, &m.file, &ta_heap,
                              NULL) == TA_OK);
    while ((e = ta_tree_next(r, &ev, NULL)) > 0) {
        depth += ev.kind == TA_TREE_LEVEL;
        assert(ev.kind == TA_TREE_DAMAGE || ev.depth == depth);
        depth -= ev.kind == TA_TREE_LEVEL_END;
        values += ev.kind == TA_TREE_VALUES ? ev.n : 0;
        assert(ev.at <= size && values <= size);
        if (ev.kind == TA_TREE_METRIC && (data[0] & 2))
            ta_tree_skip_values(r);
    }
    assert(e == 0);
    ta_tree_reader_free(r);
    return 0;
}
