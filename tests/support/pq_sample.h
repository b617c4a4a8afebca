/* pq_sample.h - rows of every column type, null pattern and encoding, by formula, for Parquet tests.
 *
 * tests/e2e/test_parquet_readers.py has the same formulas: change both.
 */
#ifndef TARN_TESTS_PQ_SAMPLE_H
#define TARN_TESTS_PQ_SAMPLE_H

#include "parquet/reader.h"
#include "parquet/writer.h"

extern const struct ta_pq_schema pq_sample_schema;

/* Row i of column c: false = null. Numbers go to `number` in memory form, byte arrays point into `text`. */
bool pq_sample_value(unsigned c, uint64_t i, char number[8], char text[64], struct ta_str *out);

/* Appends rows [from, to) to every column, row by row, stepping after each. */
int pq_sample_write(struct ta_pq_writer *w, uint64_t from, uint64_t to, struct ta_err *err);

/* Reads everything and compares; returns the number of rows, negative on an error; fails the test when a
 * value differs. */
int64_t pq_sample_read(struct ta_pq_reader *r, struct ta_err *err);

#endif
