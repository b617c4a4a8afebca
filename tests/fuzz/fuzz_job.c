/* Any bytes as metadata of a job: refused, or written so that they read back to the same text. */
#include "jobs/job.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct ta_job *job)
{
    struct ta_buf rules;

    ta_buf_init(&rules, &ta_heap, 64 * MiB);
    if (ta_job_check(job, &rules) < 0)
        abort();
    ta_buf_done(&rules);
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
        judge(&job);
    }
    ta_arena_done(&arena);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_buf once, twice;

    ta_buf_init(&once, &ta_heap, 64 * MiB);
    ta_buf_init(&twice, &ta_heap, 64 * MiB);
    if (rewrite((struct ta_str){(const char *)data, size}, &once) == TA_OK) {
        if (rewrite((struct ta_str){once.at, once.len}, &twice) < 0 ||
            !ta_str_eq(ta_buf_view(&once), ta_buf_view(&twice)))
            abort();
    }
    ta_buf_done(&twice);
    ta_buf_done(&once);
    return 0;
}
