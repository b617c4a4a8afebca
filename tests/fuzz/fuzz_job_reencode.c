/* Any bytes as a job's data document to be written anew: refused with words, or written as a document that, written
 * anew once more, stays the same. */
#include "jobs/data_reencode.h"
#include "mem_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int reencode(const void *at, size_t n, struct ta_buf *out)
{
    struct ta_err err = {0};
    struct ta_buf_sink sink;
    struct mem_file file;

    mem_file_init(&file, at, n);
    ta_buf_sink_init(&sink, out);
    int r = ta_data_reencode(&file.file, n, &sink.sink, &ta_heap, &err);
    if (r < 0 && (err.code != r || !err.text[0]))
        abort();
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_buf once, twice;

    ta_buf_init(&once, &ta_heap, 64 * MiB);
    ta_buf_init(&twice, &ta_heap, 64 * MiB);
    if (reencode(data, size, &once) >= 0 && (reencode(once.at, once.len, &twice) < 0 ||
                                             !ta_str_eq(ta_buf_view(&once), ta_buf_view(&twice))))
        abort();
    ta_buf_done(&twice);
    ta_buf_done(&once);
    return 0;
}
