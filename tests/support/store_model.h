/* store_model.h - the metric store as the spec tells it, as simple and slow as possible.
 *
 * Each series is a sorted array of buffers with 512 cells. Reading goes slot by slot through the chain as
 * written in metric-store 4.3, with the fixes that are meant (several buffers stepped per slot; late
 * samples stored in the buffer that covers them, or in a new one). The store is compared with it.
 */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_SLOTS = 512 };

struct model_buffer {
    int64_t start_s;
    uint32_t capacity, len;
    bool is_restored;
    double cells[MODEL_SLOTS];
};

struct model_series {
    int64_t freq_s;
    size_t n, cap;
    struct model_buffer **buffers; /* oldest first */
};

void model_done(struct model_series *m);
/* 0 stored in the newest, 1 stored late, -1 refused. */
int model_write(struct model_series *m, int64_t ts_s, double v, int64_t oldest_s);
/* Nothing of the series may lie in the range. */
void model_restore(struct model_series *m, int64_t start_s, const double *v, uint32_t n);
/* Does any buffer's capacity reach into [start, end)? */
bool model_has(const struct model_series *m, int64_t start_s, int64_t end_s);
/* Cells of [from, to) as read and where they begin; out may be NULL. With `is_raised` false the grid begins at
 * from even when the samples begin later. */
size_t model_read(const struct model_series *m, int64_t from_s, int64_t to_s, bool is_raised,
                  int64_t *out_from_s, double *out, size_t max);
/* Drops from the oldest on what ends before t. Returns how many. */
size_t model_free_before(struct model_series *m, int64_t t);
void model_drop_oldest(struct model_series *m);

#endif
