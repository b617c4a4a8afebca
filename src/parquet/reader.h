/* reader.h - a Parquet file, read page by page.
 *
 * For flat schemas as tarn and the reference write them: required and optional columns; pages of both
 * versions; zstd or no compression; PLAIN, dictionary, RLE (booleans), DELTA_BINARY_PACKED,
 * DELTA_LENGTH_BYTE_ARRAY, BYTE_STREAM_SPLIT. Files are not trusted: every length is checked against the
 * file, every page against its CRC if it has one; a damaged file gives TA_EFORMAT with the place.
 *
 * Memory: the footer's bytes (at most `footer_max`) and 8 bytes a row group; per cursor one page packed and one
 * unpacked (at most `page_max` each), the dictionary, one zstd context and about 160 KiB of batch.
 */
#ifndef TARN_PARQUET_READER_H
#define TARN_PARQUET_READER_H

#include "base/alloc.h"
#include "base/err.h"
#include "io/vfs.h"
#include "parquet/decode.h"
#include "parquet/format.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_pq_limits {
    size_t footer_max; /* 0 = 64 MiB */
    size_t page_max;   /* 0 = 64 MiB */
};

/* A column as the file declares it. */
struct ta_pq_field {
    struct ta_str name;
    enum ta_pq_type type;
    enum ta_pq_logical logical;
    bool optional;
};

struct ta_pq_chunk {
    enum ta_pq_type type;
    unsigned codec;     /* enum ta_pq_codec, or another number */
    uint32_t encodings; /* bit per encoding below 32 */
    uint64_t values;    /* nulls included */
    uint64_t at, bytes; /* of its first page in the file; all pages, headers included */
    uint64_t data_at;   /* of the first data page */
    uint64_t plain_bytes;
    bool has_range, has_nulls, has_dict;
    struct ta_str min, max; /* as stored; borrowed from the reader */
    uint64_t nulls;
    uint64_t column_index_at, column_index_bytes, offset_index_at, offset_index_bytes;
};

struct ta_pq_group {
    uint64_t rows, plain_bytes;
    unsigned n_sorting;
    uint16_t sorting[8]; /* the first columns it declares to be sorted by, ascending ones only */
    struct ta_pq_chunk *chunks;
};

struct ta_pq_reader;

/* Reads the footer. Borrows file and alloc. TA_EFORMAT: not a Parquet file, damaged, or not flat;
 * TA_ERANGE: a limit. */
int ta_pq_reader_open(struct ta_pq_reader **out, struct ta_file *file,
                      const struct ta_pq_limits *limits, struct ta_alloc *alloc,
                      struct ta_err *err);
void ta_pq_reader_close(struct ta_pq_reader *r); /* NULL is fine; the file stays open */

uint64_t ta_pq_reader_rows(const struct ta_pq_reader *r);
uint32_t ta_pq_reader_groups(const struct ta_pq_reader *r);
unsigned ta_pq_reader_columns(const struct ta_pq_reader *r);
const struct ta_pq_field *ta_pq_reader_field(const struct ta_pq_reader *r, unsigned column);
/* Number of the column with this name, or TA_ENOTFOUND. */
int ta_pq_reader_find(const struct ta_pq_reader *r, const char *name);
struct ta_str ta_pq_reader_created_by(const struct ta_pq_reader *r);
uint64_t ta_pq_reader_footer_bytes(const struct ta_pq_reader *r);

/* Value of a metadata key; at == NULL when there is none. Borrowed from the reader. */
struct ta_str ta_pq_reader_meta(const struct ta_pq_reader *r, const char *key);
/* The i-th pair of the metadata: 1, or 0 behind the last. */
int ta_pq_reader_meta_at(const struct ta_pq_reader *r, uint32_t i, struct ta_str *key,
                         struct ta_str *value);

/* Row group i < groups; *out is valid until the next call with this reader. */
int ta_pq_reader_group(struct ta_pq_reader *r, uint32_t i, const struct ta_pq_group **out,
                       struct ta_err *err);

struct ta_pq_cursor;

/* A cursor may be opened on one chunk after the other. Borrows the reader. */
int ta_pq_cursor_new(struct ta_pq_cursor **out, struct ta_pq_reader *r, struct ta_err *err);
void ta_pq_cursor_free(struct ta_pq_cursor *c); /* NULL is fine */
int ta_pq_cursor_open(struct ta_pq_cursor *c, uint32_t group, unsigned column, struct ta_err *err);
/* 1 = *out holds at least one row, at most `max` (0 = any number); 0 = the chunk ended with the number of
 * values it declares; TA_EFORMAT, TA_EIO, TA_ENOMEM. */
int ta_pq_cursor_next(struct ta_pq_cursor *c, uint64_t max, struct ta_pq_batch *out,
                      struct ta_err *err);

/* Reads the whole file: out[n_columns] as ta_pq_writer_digests would give them for `schema`. */
int ta_pq_reader_digests(struct ta_pq_reader *r, const struct ta_pq_schema *schema, uint64_t *out,
                         struct ta_err *err);

/* Reads the whole file and compares: rows, and each column's digest with `digests` as ta_pq_writer_digests
 * gave them for `schema`. TA_EFORMAT names what differs. */
int ta_pq_reader_verify(struct ta_pq_reader *r, const struct ta_pq_schema *schema, uint64_t rows,
                        const uint64_t *digests, struct ta_err *err);

#endif
