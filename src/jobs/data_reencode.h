/* data_reencode.h - a job's data document, read from a file and written as the reference writes it.
 *
 * (spec: job-archive 4) Metrics and scopes come sorted by the bytes of their names, members in the reference's
 * order, numbers with its two decimals (document_write.h); members that it does not know are dropped, units that are one
 * word (version 1) become base and prefix, statistics that are missing are zero. Writing what was written so
 * before gives the same bytes.
 *
 * Two passes: the first notes where each scope's parts stand, the second goes there. Memory: that index (names, and
 * 100 bytes for each scope of a metric), the writer's 64 KiB, a reader's 96 KiB, and the values of one series.
 */
#ifndef TARN_JOBS_DATA_REENCODE_H
#define TARN_JOBS_DATA_REENCODE_H

#include "io/vfs.h"
#include "jobs/document_write.h"

enum {
    TA_REENCODE_SCOPES_MAX = 65536,  /* metrics times scopes */
    TA_REENCODE_VALUES_MAX = 1 << 24 /* of one series */
};

/* The document is [0, bytes) of `file`. TA_EFORMAT: it has not the shape of data, with the line or with metric and
 * scope; TA_ERANGE past the limits above; TA_ENOMEM; file's and sink's. */
int ta_data_reencode(struct ta_file *file, uint64_t bytes, struct ta_sink *sink,
                     struct ta_alloc *alloc, struct ta_err *err);

#endif
