/* store_text.h - all that a store holds, as text, to compare two stores. */
#ifndef TESTS_STORE_TEXT_H
#define TESTS_STORE_TEXT_H

#include "store/store.h"

/* One line per series, hosts and series in the order of walk.h: "cluster/host/type/stype metric" and per
 * buffer "[start len: values]", NaN as "-", all digits. Cut at cap; out is NUL-terminated. Returns out. */
char *store_text(struct ta_store *s, char *out, size_t cap);

/* A store with 2 shards over the metrics of the recorded sessions, seconds per slot as there. */
struct ta_store *store_text_new(struct ta_alloc *alloc, int64_t retention_s);

#endif
