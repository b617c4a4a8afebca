/* columns.h - made-up samples of the kinds that cluster nodes send, for tests and benchmarks.
 *
 * Every series has noise of its own, so that nothing is won by comparing series with each other. The
 * same kind and seed give the same samples.
 */
#ifndef TARN_TESTS_COLUMNS_H
#define TARN_TESTS_COLUMNS_H

#include <stdint.h>

struct column {
    uint64_t random; /* state of the generator */
    double level;    /* where a random walk stands; 0 at first */
    unsigned n;      /* values taken, where that matters */
};

struct column_kind {
    const char *name;
    unsigned weight; /* series of this kind on a host of the fleet; 0: the fleet has none */
    double (*next)(struct column *column);
};

extern const struct column_kind column_kinds[];
extern const unsigned n_column_kinds;

void column_init(struct column *column, uint64_t seed);

/* Uniform in [0, 2^64), [0, 1) and about normal. */
uint64_t column_bits(struct column *column);
double column_uniform(struct column *column);
double column_normal(struct column *column);

#endif
