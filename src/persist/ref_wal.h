/* ref_wal.h - the reference's write-ahead log, one `current.wal` per host: read and written.
 *
 * (spec: formats 2)
 *   file    u32 0xCC1DA701, then records
 *   record  u32 0xCC1DA7A1, u32 payload length P, payload, u32 CRC-32 (IEEE) of the payload
 *   payload i64 time stamp, u16 length + metric, u8 count of selector elements (0..2),
 *           { u8 length + bytes } each, binary32 value; bytes after it are ignored
 *
 * The reference stops at the first damaged record and loses all behind it. This reader goes on at the next
 * record that proves itself (magic, length, checksum) and reports what it passed over. It streams through
 * one window of a little over 1 MiB, the largest record the reference accepts.
 */
#ifndef TARN_PERSIST_REF_WAL_H
#define TARN_PERSIST_REF_WAL_H

#include "base/alloc.h"
#include "base/buf.h"
#include "io/vfs.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_ref_wal_sample {
    int64_t ts_s;
    struct ta_str metric, type,
        stype; /* borrowed until the next call; elements empty when absent */
    float value;
};

enum ta_ref_wal_find {
    TA_REF_WAL_SAMPLE,
    TA_REF_WAL_DAMAGE, /* [at, at + bytes) is unreadable, good records follow */
    TA_REF_WAL_TORN    /* the same with nothing good behind it */
};

struct ta_ref_wal_entry {
    enum ta_ref_wal_find kind;
    uint64_t at, bytes; /* of the record or the gap, in the file */
    struct ta_ref_wal_sample sample;
};

struct ta_ref_wal_reader;

/* Borrows file and alloc until freed. A missing or wrong file magic is damage at offset 0, not an error. */
int ta_ref_wal_reader_new(struct ta_ref_wal_reader **out, struct ta_file *file,
                          struct ta_alloc *alloc, struct ta_err *err);
void ta_ref_wal_reader_free(struct ta_ref_wal_reader *r); /* NULL is fine */
/* 1 = *out filled, 0 = end of the file, < 0 = it could not be read. About 40 ns a record. */
int ta_ref_wal_next(struct ta_ref_wal_reader *r, struct ta_ref_wal_entry *out, struct ta_err *err);

/* Writing, for conversions: the magic once, then records. Names of at most 255 bytes (the metric 65535). */
int ta_ref_wal_put_head(struct ta_buf *out);
int ta_ref_wal_put(struct ta_buf *out, const struct ta_ref_wal_sample *s);

#endif
