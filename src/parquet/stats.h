/* stats.h - smallest and largest value of a page and of a column chunk, in the format's order.
 *
 * Numbers by their value (NaN left out, a zero widened to -0.0 .. +0.0 as the format asks), byte
 * arrays bytewise unsigned. Values longer than TA_PQ_STAT_BYTES have no statistics: the chunk then
 * says nothing, which every reader accepts.
 */
#ifndef TARN_PARQUET_STATS_H
#define TARN_PARQUET_STATS_H

#include "base/str.h"
#include "parquet/format.h"

#include <stdbool.h>

enum { TA_PQ_STAT_BYTES = 256 };

struct ta_pq_range {
    bool has;      /* there was a value */
    bool too_long; /* a value was longer than a statistic may be: min and max mean nothing */
    uint16_t min_len, max_len;
    char min[TA_PQ_STAT_BYTES], max[TA_PQ_STAT_BYTES];
};

void ta_pq_range_reset(struct ta_pq_range *r);
/* One byte array. */
void ta_pq_range_bytes(struct ta_pq_range *r, struct ta_str value);
/* n values of a number type (in memory form). */
void ta_pq_range_numbers(struct ta_pq_range *r, enum ta_pq_type type, const void *values, size_t n);
/* *into covers both afterwards. */
void ta_pq_range_join(struct ta_pq_range *into, enum ta_pq_type type,
                      const struct ta_pq_range *other);
/* Order of two values of the type, in the form statistics have: < 0, 0, > 0. */
int ta_pq_order(enum ta_pq_type type, struct ta_str a, struct ta_str b);

static inline bool ta_pq_range_known(const struct ta_pq_range *r)
{
    return r->has && !r->too_long;
}

static inline struct ta_str ta_pq_range_min(const struct ta_pq_range *r)
{
    return (struct ta_str){r->min, r->min_len};
}

static inline struct ta_str ta_pq_range_max(const struct ta_pq_range *r)
{
    return (struct ta_str){r->max, r->max_len};
}

#endif
