/* Any bytes as metadata of a job: refused, or written so that they read back to the same text; and held against
 * the schema's rules. */
#include "jobs/document_check.h"
#include "jobs/job.h"

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
        ta_document_check(&src.source, 4 * KiB, "x", &ta_rules_of_meta, &lines, &n, &ta_heap, &err);
    if ((r < 0 && (err.code != r || !err.text[0])) || (lines.len == 0) != (n == 0))
        abort();
    ta_buf_done(&lines);
}

static int rewrite(struct ta_str text, struct ta_buf *out)
{
    struct ta_arena arena;
    struct ta_json_writer w;
    struct ta_job job;

    ta_arena_init(&arena, &ta_heap, 16 * MiB);

    int e = ta_job_read_text(&job, text, false, &arena, &ta_heap, NULL);

    if (e == TA_OK) {
        ta_json_writer_init(&w, out);
        e = ta_job_write(&w, &job);
    }
    ta_arena_done(&arena);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_buf once, twice;

    ta_buf_init(&once, &ta_heap, 64 * MiB);
    ta_buf_init(&twice, &ta_heap, 64 * MiB);
    hold_against_rules(data, size);
    if (rewrite((struct ta_str){(const char *)data, size}, &once) == TA_OK) {
        if (rewrite((struct ta_str){once.at, once.len}, &twice) < 0 ||
            !ta_str_eq(ta_buf_view(&once), ta_buf_view(&twice)))
            abort();
    }
    ta_buf_done(&twice);
    ta_buf_done(&once);
    return 0;
}
