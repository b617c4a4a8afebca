/* dict.h - the distinct values of a column chunk, numbered as they come.
 *
 * Values are kept in the form of a PLAIN page (byte arrays behind their 4-byte length), so that the
 * dictionary page is this buffer. Both limits are fixed at init: over either, a new value is TA_ERANGE
 * and the writer falls back. Memory: twice `bytes_max` at most, plus 12 bytes an entry.
 */
#ifndef TARN_PARQUET_DICT_H
#define TARN_PARQUET_DICT_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_pq_dict {
    struct ta_alloc *alloc;
    struct ta_buf plain; /* the values */
    uint32_t *offsets; /* of entry i in `plain`: of its first byte, its length field not counted */
    uint32_t *slots;   /* open addressing, entry + 1, 0 = free; a power of two of them */
    uint32_t n, cap;   /* entries, room for entries */
    uint32_t n_slots;
    uint32_t n_max;
    uint32_t width; /* bytes a value, 0 = byte arrays */
    uint32_t last;  /* entry found last */
};

void ta_pq_dict_init(struct ta_pq_dict *d, struct ta_alloc *alloc, size_t width, uint32_t n_max,
                     size_t bytes_max);
void ta_pq_dict_done(struct ta_pq_dict *d); /* fine on a zeroed struct */
/* Empty, memory kept. */
void ta_pq_dict_reset(struct ta_pq_dict *d);

/* Forgets the entries from number n on. Costs as much as adding the n that stay. */
void ta_pq_dict_cut(struct ta_pq_dict *d, uint32_t n);

/* Number of the value, added if new. TA_ERANGE when a limit is reached, TA_ENOMEM; the dictionary is
 * then as it was. Cost when it equals the last one: a comparison. */
int64_t ta_pq_dict_index(struct ta_pq_dict *d, struct ta_str value);
/* Borrowed until the next value is added. */
struct ta_str ta_pq_dict_at(const struct ta_pq_dict *d, uint32_t i);

#endif
