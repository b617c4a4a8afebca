/* column_write.h - one column of the open row group: values in, finished pages out.
 *
 * A page collects either runs of dictionary indices or plain values. When it is full it is encoded,
 * compressed and put aside in the column's spool; the writer later drains the spools in turn.
 */
#ifndef TARN_PARQUET_COLUMN_WRITE_H
#define TARN_PARQUET_COLUMN_WRITE_H

#include "parquet/codec.h"
#include "parquet/dict.h"
#include "parquet/digest.h"
#include "parquet/format.h"
#include "parquet/rle.h"
#include "parquet/spool.h"
#include "parquet/stats.h"

/* What all columns of a writer share. */
struct ta_pq_bench {
    struct ta_alloc *alloc;
    size_t page_bytes;
    struct ta_pq_pool pool;
    struct ta_pq_packer *packer;
    struct ta_buf plain;  /* payload of the page being finished */
    struct ta_buf packed; /* compressed */
    struct ta_buf trial;  /* of an encoding that is being tried */
    struct ta_buf trial_packed;
    struct ta_buf runs; /* indices of numbers that turned out to fit a dictionary */
    struct ta_buf header;
};

/* One finished data page. */
struct ta_pq_page_note {
    uint64_t offset; /* in the chunk's data pages */
    uint64_t first_row;
    uint32_t bytes; /* header included */
    uint32_t nulls;
    uint16_t min_len, max_len; /* min, then max, in `extremes` */
    bool has_range;
    bool all_null;
};

struct ta_pq_column_writer {
    const struct ta_pq_column *spec;
    struct ta_pq_bench *bench;
    size_t width; /* 0 = byte arrays */

    enum ta_pq_encoding encoding; /* of the pages from now on; AUTO = not decided yet */
    bool by_runs; /* the page collects runs of indices, not values; numbers that chose a dictionary
                     on trial collect values and are indexed when the page ends */
    struct ta_pq_dict dict;

    struct ta_rle_run *runs; /* page: dictionary indices */
    uint32_t n_runs;
    struct ta_buf values; /* page: values in memory form; byte arrays as in a PLAIN page */
    uint32_t page_rows, page_values;
    struct ta_rle_run *levels; /* page, optional columns: present (1) or null (0) */
    uint32_t n_levels;
    struct ta_pq_range page_range;

    struct ta_pq_spool pages; /* chunk: finished data pages */
    struct ta_buf notes;      /* chunk: struct ta_pq_page_note, one a page */
    struct ta_buf extremes;   /* chunk: min and max of every page, back to back */
    struct ta_pq_range range;
    uint64_t rows, nulls; /* chunk, finished pages */
    uint64_t plain_bytes; /* chunk: pages with headers, before compression */
    uint32_t encodings;   /* chunk: bit per encoding */
    bool has_dict_pages;

    bool with_digest;
    struct ta_pq_digest digest;
};

/* Borrows spec and bench. Nothing is allocated before the first value. */
void ta_pq_column_init(struct ta_pq_column_writer *c, const struct ta_pq_column *spec,
                       struct ta_pq_bench *bench, bool with_digest);
void ta_pq_column_done(struct ta_pq_column_writer *c);
/* After the chunk was written: ready for the next row group. */
void ta_pq_column_reset(struct ta_pq_column_writer *c);

int ta_pq_column_run(struct ta_pq_column_writer *c, struct ta_str value, uint64_t n);
int ta_pq_column_array(struct ta_pq_column_writer *c, const void *values, size_t n);
int ta_pq_column_steps(struct ta_pq_column_writer *c, int64_t first, int64_t step, size_t n);
int ta_pq_column_null(struct ta_pq_column_writer *c, uint64_t n);

/* Ends the page, if it has rows. */
int ta_pq_column_cut(struct ta_pq_column_writer *c);

static inline uint64_t ta_pq_column_rows(const struct ta_pq_column_writer *c)
{
    return c->rows + c->page_rows;
}

/* page_write.c: encodes, compresses and spools the collected page; called by ta_pq_column_cut. */
int ta_pq_page_write(struct ta_pq_column_writer *c);
/* The head of a page with one value of a streamed column into bench->header, the value's length at its end;
 * what follows is the value itself. `crc` is the value's. */
int ta_pq_page_stream(struct ta_pq_column_writer *c, uint32_t bytes, uint32_t crc);
/* The dictionary page, header included, into bench->header and bench->packed. */
int ta_pq_page_dict(struct ta_pq_column_writer *c);

#endif
