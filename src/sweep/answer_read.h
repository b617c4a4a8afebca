/* answer_read.h - the documents of one answer as records: a reader for rest/chunk_fetch.h.
 *
 * One reader per thread. Its scratch arena keeps one block between answers.
 */
#ifndef TARN_SWEEP_ANSWER_READ_H
#define TARN_SWEEP_ANSWER_READ_H

#include "rest/chunk_fetch.h"
#include "sweep/record.h"

struct ta_answer_reader {
    struct ta_chunk_reader reader;
    struct ta_alloc *alloc;
    struct ta_log *log;
    size_t max_bytes; /* captured text of one document */
    struct ta_arena scratch;
    uint64_t n_unasked; /* documents that came without being asked for */
};

void ta_answer_reader_init(struct ta_answer_reader *a, size_t max_bytes, struct ta_log *log,
                           struct ta_alloc *alloc);
void ta_answer_reader_done(struct ta_answer_reader *a);

#endif
