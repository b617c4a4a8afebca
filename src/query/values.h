/* values.h - the arithmetic on the values of one answer: statistics, scaling, padding.
 *
 * Pure functions. NaN is "no sample" and never counts. (spec: http-api 4.2, metric-store 7)
 */
#ifndef TARN_QUERY_VALUES_H
#define TARN_QUERY_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* A running summary; all zero is the empty one. Values are added in index order, so that the sum
 * is the reference's sum however the values arrive in pieces. */
struct ta_summary {
    uint64_t count; /* values that are not NaN */
    double sum, min, max;
};

void ta_summary_add(struct ta_summary *s, const double *v, size_t n);

struct ta_stats {
    double avg, min, max;
};

/* All NaN when nothing was added. */
struct ta_stats ta_summary_stats(const struct ta_summary *s);

/* 0 and 1 mean "no scaling". */
static inline int ta_scale_is_on(double by)
{
    return by != 0.0 && by != 1.0;
}

/* min and max are not swapped for a negative factor (as the reference). */
void ta_stats_scale(struct ta_stats *s, double by);
void ta_scale(double *v, size_t n, double by);

/* Empty slots in front of data that begins at `data_from` when `from` was asked for: the
 * difference of the two divided separately, as the reference does; 0 when not positive. No
 * overflow for any input; freq_s > 0. */
int64_t ta_padding(int64_t data_from, int64_t from, int64_t freq_s);

#endif
