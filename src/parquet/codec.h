/* codec.h - zstd for pages: contexts that are made once, with memory from our allocator. */
#ifndef TARN_PARQUET_CODEC_H
#define TARN_PARQUET_CODEC_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct ta_pq_packer;   /* compressing */
struct ta_pq_unpacker; /* decompressing */

/* About 1 MiB at level 1, 3 MiB at level 3, allocated at the first page. Borrows alloc. */
int ta_pq_packer_new(struct ta_pq_packer **out, int level, struct ta_alloc *alloc);
void ta_pq_packer_free(struct ta_pq_packer *p);
/* Replaces the content of `out` by the zstd frame of p[0..n). */
int ta_pq_pack(struct ta_pq_packer *c, const void *p, size_t n, struct ta_buf *out);

int ta_pq_unpacker_new(struct ta_pq_unpacker **out, struct ta_alloc *alloc);
void ta_pq_unpacker_free(struct ta_pq_unpacker *p);
/* Decompresses into out[0..n): TA_EFORMAT unless it gives exactly n bytes. */
int ta_pq_unpack(struct ta_pq_unpacker *c, const void *p, size_t packed, void *out, size_t n);

#endif
