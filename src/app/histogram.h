/* histogram.h - how long things took: counts in buckets that grow by a sixteenth. */
#ifndef TARN_APP_HISTOGRAM_H
#define TARN_APP_HISTOGRAM_H

#include <stdint.h>

enum { TA_HISTOGRAM_BUCKETS = 64 * 16 };

struct ta_histogram {
    uint64_t count[TA_HISTOGRAM_BUCKETS];
    uint64_t n;
    uint64_t max; /* exact */
};

void ta_histogram_add(struct ta_histogram *h, uint64_t value);
/* The value below which a share p (0..1) lies, at most a sixteenth too large; 0 when empty. */
uint64_t ta_histogram_at(const struct ta_histogram *h, double p);

#endif
