/* small_store.h - a store for tests that look closely: few metrics, one sample at a time. */
#ifndef TESTS_SMALL_STORE_H
#define TESTS_SMALL_STORE_H

#include "store/read.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"

/* The metrics: "load" of 60 s without aggregation, "m2" of 2 s summed, "flops" of 5 s averaged. */
enum { NOW = 1700000000, M60, M2, M5 };

/* A store of 4 shards over three metrics, of cluster "c". */
struct ta_store *small_store(struct ta_alloc *alloc, size_t cap_bytes, int64_t retention_s);

/* One sample, written at NOW. What ta_writer_column or ta_writer_append says. */
int small_put(struct ta_store *s, const char *host, int metric, const char *type, const char *stype,
              int64_t ts, double v);

/* The series' buffers, at most 16; their number. */
size_t small_buffers(struct ta_store *s, const char *host, int metric, const char *type,
                     struct ta_buffer_info *out);

struct ta_selection small_select(const char *host, int metric, const struct ta_sel *path,
                                 size_t n_path);

#endif
