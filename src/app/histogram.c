#include "app/histogram.h"

/* Values below 16 have a bucket each; above, the highest bit and the four below it choose. */
static unsigned bucket_of(uint64_t v)
{
    unsigned bit = v < 16 ? 0 : 63u - (unsigned)__builtin_clzll(v) - 3;

    return bit == 0 ? (unsigned)v : bit * 16 + (unsigned)(v >> (bit - 1) & 15);
}

static uint64_t top_of(unsigned bucket)
{
    unsigned bit = bucket / 16;

    if (bit == 0)
        return bucket;
    return ((uint64_t)(16 + bucket % 16 + 1) << (bit - 1)) - 1;
}

void ta_histogram_add(struct ta_histogram *h, uint64_t value)
{
    h->count[bucket_of(value)]++;
    h->n++;
    if (value > h->max)
        h->max = value;
}

uint64_t ta_histogram_at(const struct ta_histogram *h, double p)
{
    uint64_t want = (uint64_t)(p * (double)h->n), seen = 0;

    for (unsigned i = 0; i < TA_HISTOGRAM_BUCKETS; i++) {
        seen += h->count[i];
        if (seen > want || (seen == h->n && seen > 0))
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return 0;
}
