/* decode.h - the values of one page, a bounded batch at a time.
 *
 * Everything here reads bytes that nobody has checked: whatever they hold, reading stays inside the page
 * and the dictionary, and a batch never holds more than TA_PQ_BATCH values, however many a run claims.
 */
#ifndef TARN_PARQUET_DECODE_H
#define TARN_PARQUET_DECODE_H

#include "base/alloc.h"
#include "base/str.h"
#include "parquet/delta.h"
#include "parquet/format.h"
#include "parquet/rle.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_PQ_BATCH = 4096 };

/* Rows of one column. All are null, or none is. */
struct ta_pq_batch {
    uint64_t n;
    bool is_null;
    bool is_run;         /* one value stands for all n */
    const void *numbers; /* int32_t, int64_t, float, double or (booleans) bytes; aligned */
    const struct ta_str
        *strings; /* BYTES; borrowed, as numbers, until the next call on the cursor */
};

/* A decoded dictionary page. */
struct ta_pq_lexicon {
    uint32_t n;
    bool is_there;
    const unsigned char *numbers; /* of the column's width, unaligned */
    struct ta_str *strings;
    size_t strings_bytes; /* allocated */
};

struct ta_pq_decoder {
    enum ta_pq_type type;
    size_t width;
    enum ta_pq_encoding encoding;
    const unsigned char *at, *end; /* PLAIN: what is left; SPLIT: all; DELTA_LENGTH: the bytes */
    uint64_t total, done;          /* values in the page, given out */
    const struct ta_pq_lexicon *lexicon;
    struct ta_rle rle;
    struct ta_delta delta;
    uint64_t out[TA_PQ_BATCH];
    uint32_t indices[TA_PQ_BATCH];
    struct ta_str strings[TA_PQ_BATCH];
};

/* Reads the n values of a dictionary page (PLAIN). lex was zeroed or filled before. Borrows the bytes. */
int ta_pq_lexicon_read(struct ta_pq_lexicon *lex, enum ta_pq_type type, const void *p, size_t bytes,
                       uint32_t n, struct ta_alloc *alloc);
void ta_pq_lexicon_done(struct ta_pq_lexicon *lex, struct ta_alloc *alloc);

/* Begins a page of n values (nulls not counted). TA_EFORMAT: not a page of this encoding, or an encoding that
 * is not supported for the type. Borrows bytes and lexicon. */
int ta_pq_decode_init(struct ta_pq_decoder *d, enum ta_pq_type type, unsigned encoding,
                      const void *p, size_t bytes, uint64_t n, const struct ta_pq_lexicon *lexicon);
/* 1 = *out holds at least 1 and at most `max` values; TA_EFORMAT when the page has fewer than it said. */
int ta_pq_decode_next(struct ta_pq_decoder *d, uint64_t max, struct ta_pq_batch *out);

#endif
