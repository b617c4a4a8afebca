/* format.h - the words of the Parquet format that callers meet: types, encodings, columns.
 *
 * Flat schemas only: every column is a leaf under the root, required or optional. Numbers of the
 * enumerations are those of the format (apache/parquet-format, parquet.thrift), so they stand in files.
 */
#ifndef TARN_PARQUET_FORMAT_H
#define TARN_PARQUET_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ta_pq_type {
    TA_PQ_BOOL = 0, /* one byte a value (0 or 1) in memory, one bit in a file */
    TA_PQ_INT32 = 1,
    TA_PQ_INT64 = 2,
    TA_PQ_INT96 = 3, /* never written; refused when read */
    TA_PQ_FLOAT = 4,
    TA_PQ_DOUBLE = 5,
    TA_PQ_BYTES = 6,
    TA_PQ_FIXED = 7 /* fixed-length byte array: never written; refused when read */
};

/* What the physical values mean. */
enum ta_pq_logical {
    TA_PQ_PLAIN_TYPE, /* nothing beyond the physical type */
    TA_PQ_STRING,     /* BYTES holding UTF-8 */
    TA_PQ_INT_SIGNED  /* INT32 or INT64 annotated as a signed integer of its own width */
};

enum ta_pq_encoding {
    TA_PQ_PLAIN = 0,
    TA_PQ_PLAIN_DICTIONARY = 2, /* read only: the old name of RLE_DICTIONARY */
    TA_PQ_RLE = 3,
    TA_PQ_BIT_PACKED = 4, /* never met in flat files */
    TA_PQ_DELTA_BINARY_PACKED = 5,
    TA_PQ_DELTA_LENGTH_BYTE_ARRAY = 6, /* read only */
    TA_PQ_DELTA_BYTE_ARRAY = 7,        /* refused when read */
    TA_PQ_RLE_DICTIONARY = 8,
    TA_PQ_BYTE_STREAM_SPLIT = 9,
    TA_PQ_AUTO = 100 /* writer only: bytes: dictionary, else PLAIN; numbers: smallest on trial */
};

enum ta_pq_codec { TA_PQ_UNCOMPRESSED = 0, TA_PQ_ZSTD = 6 };

enum { TA_PQ_COLUMNS_MAX = 256 };

struct ta_pq_column {
    const char *name; /* static, or as long as the writer lives */
    enum ta_pq_type type;
    enum ta_pq_logical logical;
    enum ta_pq_encoding encoding; /* PLAIN, RLE_DICTIONARY, DELTA_BINARY_PACKED (integers),
                                     BYTE_STREAM_SPLIT (4- and 8-byte numbers) or AUTO */
    bool optional;
    bool no_stats; /* blobs: neither statistics nor a column index */
    bool cuts;     /* ta_pq_writer_cut ends a page of this column */
    bool
        dict_pages; /* numbers, PLAIN or BYTE_STREAM_SPLIT: a page of few different values (256 in a row
                        group) is written with the dictionary where that is smaller */
    bool streamed; /* blobs of any size (ta_pq_put_stream): required BYTES, PLAIN, no_stats; not
                      compressed; at most one column of a schema */
};

struct ta_pq_schema {
    const char *root; /* name of the root element */
    const struct ta_pq_column *columns;
    unsigned n_columns; /* 1..TA_PQ_COLUMNS_MAX */
    const uint16_t
        *sorting; /* columns by which the rows of each row group ascend; only what is true */
    unsigned n_sorting;
};

/* Bytes of one value in memory: 1, 4 or 8; 0 for BYTES and the types that are refused. */
size_t ta_pq_type_width(enum ta_pq_type type);

/* Names for people; "unknown" for numbers out of range. */
const char *ta_pq_type_name(unsigned type);
const char *ta_pq_encoding_name(unsigned encoding);
const char *ta_pq_codec_name(unsigned codec);

#endif
