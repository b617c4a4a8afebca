/* writer.h - a Parquet file, written front to back into a sink.
 *
 *   "PAR1"  { column chunk per column }*  column indexes  offset indexes  footer  length  "PAR1"
 *
 * The caller appends to columns one by one, in any order, as many rows to each before the row group
 * ends: arrays of numbers, or one value and how often it repeats, which costs the same for one row as
 * for a million. Data pages are version 1 with a CRC, compressed with zstd.
 *
 * Memory: `page_bytes` per column of numbers and 64 KiB of runs per dictionary column, the dictionaries
 * (at most 1 MiB each; nothing for a streamed column), three pages of scratch, one zstd context (1-3 MiB), the encoded pages of the open row
 * group (`group_bytes`; ta_pq_writer_step ends it there), and what the footer will say: about 1 KiB
 * per row group and 60 bytes per page of an indexed column (ta_pq_writer_footer_bytes; the caller begins
 * another file before that grows). Nothing depends on the rows of a file.
 *
 * After a failure the writer may only be freed. One thread at a time.
 */
#ifndef TARN_PARQUET_WRITER_H
#define TARN_PARQUET_WRITER_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"
#include "io/stream.h"
#include "parquet/format.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_pq_options {
    int zstd_level;      /* 0 = 1 */
    size_t page_bytes;   /* values of a page, before compression; 0 = 256 KiB. A larger single
                               value makes a page of its own */
    size_t group_bytes;  /* encoded bytes after which ta_pq_writer_step ends a row group; 0 = 8 MiB.
                        Streamed values, which are not kept, count for an eighth */
    uint64_t group_rows; /* rows after which it does; 0 = 4 Mi */
    const char *created_by; /* NULL = "tarn version <v>" */
    bool with_digests;      /* keep a digest of every column (ta_pq_writer_digests) */
};

struct ta_pq_writer;

/* Borrows schema (and all it points to), sink and alloc; writes the file's head. TA_EINVAL for a schema
 * that cannot be. */
int ta_pq_writer_new(struct ta_pq_writer **out, const struct ta_pq_schema *schema,
                     const struct ta_pq_options *options, struct ta_sink *sink,
                     struct ta_alloc *alloc, struct ta_err *err);
void ta_pq_writer_free(
    struct ta_pq_writer *w); /* NULL is fine; an unfinished file stays unfinished */

/* One value, n rows (n >= 0). Numbers in memory form: `value` has the width of the column's type. */
int ta_pq_put_run(struct ta_pq_writer *w, unsigned column, struct ta_str value, uint64_t n,
                  struct ta_err *err);
/* n rows of a column of numbers: an array of int32_t, int64_t, float, double or (booleans) bytes. */
int ta_pq_put_array(struct ta_pq_writer *w, unsigned column, const void *values, size_t n,
                    struct ta_err *err);
/* n rows of an INT64 column: first, first + step, ... */
int ta_pq_put_steps(struct ta_pq_writer *w, unsigned column, int64_t first, int64_t step, size_t n,
                    struct ta_err *err);
/* n rows without a value, in an optional column. */
int ta_pq_put_null(struct ta_pq_writer *w, unsigned column, uint64_t n, struct ta_err *err);

/* One row of the streamed column: `bytes` bytes of `source`, whose CRC-32 (zlib's) is `crc`. They go to the
 * sink at once through 64 KiB of buffer, as a page of their own, in front of the row group's other columns.
 * TA_EFORMAT when the source has other bytes than that: the file is then spoilt. */
int ta_pq_put_stream(struct ta_pq_writer *w, unsigned column, struct ta_source *source,
                     uint32_t bytes, uint32_t crc, struct ta_err *err);

/* One row's number. */
static inline int ta_pq_put_i64(struct ta_pq_writer *w, unsigned column, int64_t v,
                                struct ta_err *err)
{
    return ta_pq_put_run(w, column, (struct ta_str){(const char *)&v, sizeof(v)}, 1, err);
}

static inline int ta_pq_put_i32(struct ta_pq_writer *w, unsigned column, int32_t v,
                                struct ta_err *err)
{
    return ta_pq_put_run(w, column, (struct ta_str){(const char *)&v, sizeof(v)}, 1, err);
}

static inline int ta_pq_put_f64(struct ta_pq_writer *w, unsigned column, double v,
                                struct ta_err *err)
{
    return ta_pq_put_run(w, column, (struct ta_str){(const char *)&v, sizeof(v)}, 1, err);
}

/* Here something new begins (another metric): columns with `cuts` end their page, so that a reader
 * with the page index can leave out the rest. Pages of fewer than 512 rows are not cut. */
int ta_pq_writer_cut(struct ta_pq_writer *w, struct ta_err *err);

/* All columns stand at the same row: ends the row group if it has reached its budget. 1 = it did. */
int ta_pq_writer_step(struct ta_pq_writer *w, struct ta_err *err);
/* Ends the row group now; nothing when it is empty. TA_ESTATE when columns differ in rows. */
int ta_pq_writer_end_group(struct ta_pq_writer *w, struct ta_err *err);

/* For the footer; both are copied. Any time before finish. */
int ta_pq_writer_meta(struct ta_pq_writer *w, const char *key, struct ta_str value,
                      struct ta_err *err);

/* Ends the last row group, writes indexes and footer. The sink is neither flushed nor closed. */
int ta_pq_writer_finish(struct ta_pq_writer *w, struct ta_err *err);

uint64_t ta_pq_writer_rows(const struct ta_pq_writer *w);   /* in ended row groups */
uint64_t ta_pq_writer_bytes(const struct ta_pq_writer *w);  /* given to the sink */
uint32_t ta_pq_writer_groups(const struct ta_pq_writer *w); /* ended row groups */
/* What footer and indexes would take now. */
size_t ta_pq_writer_footer_bytes(const struct ta_pq_writer *w);
/* With options.with_digests, after finish: out[n_columns], to be compared with ta_pq_reader_verify. */
void ta_pq_writer_digests(struct ta_pq_writer *w, uint64_t *out);

#endif
