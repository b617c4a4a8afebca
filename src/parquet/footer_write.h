/* footer_write.h - what a file says about itself at its end: indexes, row groups, schema, metadata. */
#ifndef TARN_PARQUET_FOOTER_WRITE_H
#define TARN_PARQUET_FOOTER_WRITE_H

#include "parquet/column_write.h"

/* A written column chunk, as the footer will tell it. */
struct ta_pq_chunk_note {
    uint64_t dict_at, data_at; /* file offsets; dict_at 0 = no dictionary */
    uint64_t plain_bytes, packed_bytes;
    uint64_t nulls;
    uint32_t encodings;                              /* bit per encoding */
    uint32_t column_index_bytes, offset_index_bytes; /* 0 = none */
    uint16_t min_len, max_len;                       /* in `extremes` */
    bool has_range;
};

struct ta_pq_group_note {
    uint64_t rows, at;
};

struct ta_pq_footer {
    struct ta_buf groups;   /* struct ta_pq_group_note */
    struct ta_buf chunks;   /* struct ta_pq_chunk_note, n_columns a group */
    struct ta_buf extremes; /* min and max of every chunk that has them, back to back */
    struct ta_buf column_index, offset_index; /* serialised, chunk after chunk */
    struct ta_buf meta;                       /* key-value structs, serialised */
    uint32_t n_groups, n_meta;
    uint64_t rows;
};

void ta_pq_footer_init(struct ta_pq_footer *f, struct ta_alloc *alloc);
void ta_pq_footer_done(struct ta_pq_footer *f);

/* Notes a chunk whose first data page stands at data_at. */
int ta_pq_footer_chunk(struct ta_pq_footer *f, const struct ta_pq_column_writer *c,
                       uint64_t dict_at, uint64_t data_at, uint64_t dict_plain_bytes,
                       uint64_t dict_packed_bytes);
int ta_pq_footer_group(struct ta_pq_footer *f, uint64_t rows, uint64_t at);
int ta_pq_footer_meta(struct ta_pq_footer *f, struct ta_str key, struct ta_str value);

/* Bytes held, about those that will be written. */
size_t ta_pq_footer_bytes(const struct ta_pq_footer *f);

/* Writes the indexes and the footer; *at is the file offset and moves on. `scratch` is used as buffer. */
int ta_pq_footer_write(struct ta_pq_footer *f, const struct ta_pq_schema *schema,
                       const char *created_by, struct ta_buf *scratch, struct ta_sink *to,
                       uint64_t *at, struct ta_err *err);

#endif
