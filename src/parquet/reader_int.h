/* reader_int.h - the reader's state, shared by footer_read.c, reader.c and cursor.c. */
#ifndef TARN_PARQUET_READER_INT_H
#define TARN_PARQUET_READER_INT_H

#include "parquet/reader.h"

struct ta_pq_reader {
    struct ta_alloc *alloc;
    struct ta_file *file;
    uint64_t file_bytes;
    size_t page_max;
    unsigned char *footer;
    uint32_t footer_bytes;
    struct ta_pq_field *fields;
    unsigned n_columns;
    uint32_t *groups_at; /* where each row group's struct begins in the footer */
    uint32_t n_groups;
    uint64_t rows;
    uint32_t meta_at, n_meta; /* first key-value struct in the footer */
    struct ta_str created_by;
    struct ta_pq_group group; /* the one parsed last */
    uint32_t group_number;    /* its number; n_groups = none */
};

/* Parses the footer that r->footer holds, row groups excepted. */
int ta_pq_footer_read(struct ta_pq_reader *r, struct ta_err *err);
/* Parses row group i into r->group. */
int ta_pq_footer_read_group(struct ta_pq_reader *r, uint32_t i, struct ta_err *err);

#endif
