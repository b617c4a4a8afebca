/* doc_read.h - one request document, read as it arrives into a bounded record.
 *
 * Everything but the captured fields is passed over without being kept, so the document may have any
 * size. Fields that count at any depth are collected wherever they stand, arrays included; identity,
 * type, status and history only at the top (spec: rule-cleaner 6.3).
 *
 * Memory: the scratch arena holds the captured text while the document is being read; the record is
 * one block of its exact size.
 */
#ifndef TARN_SWEEP_DOC_READ_H
#define TARN_SWEEP_DOC_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "io/json_read.h"
#include "sweep/record.h"

/* Reads the value that follows in j: the document. `scratch` is reset first and last; `max_bytes` is
 * the most captured text. TA_OK: *out is the caller's. TA_EINVAL: this document cannot be used (*why
 * says so) but was read to its end, and j goes on behind it. Any other error is j's or memory's and
 * ends the answer. */
int ta_doc_read(struct ta_json_reader *j, struct ta_arena *scratch, size_t max_bytes,
                struct ta_alloc *alloc, struct ta_record **out, struct ta_err *why);

#endif
