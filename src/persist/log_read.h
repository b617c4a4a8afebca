/* log_read.h - one log segment, record by record, past any damage.
 *
 * Reads a segment file through one buffer that holds the largest record (a little over 1 MiB).
 * Where the bytes are not the record that should stand there, the reader searches on, byte by
 * byte, for the next one that proves itself (magic, length, checksum under this segment's salt,
 * a sequence not yet seen) and reports the gap; nothing good behind a damaged spot is lost.
 * Zeros from some point to the end of the file are room reserved and never used: a clean end.
 */
#ifndef TARN_PERSIST_LOG_READ_H
#define TARN_PERSIST_LOG_READ_H

#include "base/alloc.h"
#include "io/vfs.h"
#include "persist/log_format.h"

enum ta_log_find {
    TA_LOG_FOUND_RECORD, /* `record` is filled */
    TA_LOG_FOUND_DAMAGE, /* [at, at + bytes) is unreadable, good records follow */
    TA_LOG_FOUND_TORN /* [at, at + bytes) is unreadable and nothing good follows, as a crash in the
                          * middle of a write leaves it: the last thing of a file */
};

struct ta_log_entry {
    enum ta_log_find kind;
    uint64_t at;                 /* file offset */
    uint64_t bytes;              /* of the record with its head, or of the gap */
    uint64_t lost;               /* DAMAGE: records missing by their sequence numbers */
    struct ta_log_record record; /* RECORD; borrowed until the next call */
};

struct ta_log_reader;

/* Reads the segment's header from the copy that is whole. TA_EFORMAT: neither is, or this is no
 * segment. Borrows file and alloc until freed. */
int ta_log_reader_new(struct ta_log_reader **out, struct ta_file *file, struct ta_alloc *alloc,
                      struct ta_err *err);
void ta_log_reader_free(struct ta_log_reader *r); /* NULL is fine */

const struct ta_log_segment *ta_log_reader_segment(const struct ta_log_reader *r);

/* 1 = *out filled, 0 = end of the segment, < 0 = the file could not be read. */
int ta_log_reader_next(struct ta_log_reader *r, struct ta_log_entry *out, struct ta_err *err);

#endif
