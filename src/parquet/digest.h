/* digest.h - a fingerprint of a column's rows, the same however they were batched.
 *
 * The writer takes it of the rows it was given, a reader of the rows it finds: equal fingerprints and
 * counts say that every value came through encoding, compression and disk. Columns that are put as runs
 * are hashed by runs (equal neighbours joined), so that it costs nothing per row.
 */
#ifndef TARN_PARQUET_DIGEST_H
#define TARN_PARQUET_DIGEST_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_pq_digest {
    uint64_t state[12]; /* an XXH64 state, opaque here */
    bool by_runs;
    bool has_run;
    uint64_t run_hash, run_count;
    uint64_t nulls;
};

void ta_pq_digest_init(struct ta_pq_digest *d, bool by_runs);
/* n values of `width` bytes each. */
void ta_pq_digest_values(struct ta_pq_digest *d, const void *values, size_t n, size_t width);
/* The same value n times. */
void ta_pq_digest_run(struct ta_pq_digest *d, struct ta_str value, uint64_t n);
/* A run of one value whose XXH3 hash (64 bit) is `hash`, in a column that is hashed by runs. */
void ta_pq_digest_hashed(struct ta_pq_digest *d, uint64_t hash);
/* Null rows; their place among the others counts only in a column that is hashed by runs. */
void ta_pq_digest_nulls(struct ta_pq_digest *d, uint64_t n);
uint64_t ta_pq_digest_end(struct ta_pq_digest *d);

#endif
