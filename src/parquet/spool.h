/* spool.h - bytes that wait for their turn, in blocks of one size that are used again.
 *
 * A row group's columns are filled side by side but stand one after the other in the file, so the
 * finished pages of each column wait here. Blocks come from one pool per writer; a drained spool gives
 * them back to it.
 */
#ifndef TARN_PARQUET_SPOOL_H
#define TARN_PARQUET_SPOOL_H

#include "base/alloc.h"
#include "io/stream.h"

#include <stddef.h>
#include <stdint.h>

struct ta_pq_block;

struct ta_pq_pool {
    struct ta_alloc *alloc;
    struct ta_pq_block *unused;
};

struct ta_pq_spool {
    struct ta_pq_block *first, *last;
    uint64_t bytes;
};

void ta_pq_pool_init(struct ta_pq_pool *p, struct ta_alloc *alloc);
/* After every spool was cleared. */
void ta_pq_pool_done(struct ta_pq_pool *p);

/* A spool begins zeroed. TA_ENOMEM leaves it partly extended: the row group is then lost anyway. */
int ta_pq_spool_add(struct ta_pq_spool *s, struct ta_pq_pool *pool, const void *p, size_t n);
int ta_pq_spool_drain(struct ta_pq_spool *s, struct ta_pq_pool *pool, struct ta_sink *to,
                      struct ta_err *err);
void ta_pq_spool_clear(struct ta_pq_spool *s, struct ta_pq_pool *pool);

#endif
