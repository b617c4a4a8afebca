/* feed.h - a store with samples in it, from plain lines: for tests, fuzz targets and benchmarks.
 *
 * Understands what senders write (measurement, tags, value=, seconds), without escapes; it is no
 * protocol parser and checks nothing.
 */
#ifndef TESTS_FEED_H
#define TESTS_FEED_H

#include "store/store.h"

/* A table from "name freq agg" words separated by commas, agg being none, sum or avg:
 * "cpu_load 60 none,flops_any 60 sum". NULL when something fails. */
struct ta_metrics *feed_metrics(struct ta_alloc *alloc, const char *words);

/* A store with that table, no cap and no retention; NULL when something fails. */
struct ta_store *feed_store(struct ta_alloc *alloc, const char *words);

/* Writes the lines; the number of samples stored, or < 0. */
long feed_lines(struct ta_store *s, const char *lines, int64_t now_s);

/* One sample; type and stype are whole elements, "" for none. 0 or < 0. */
int feed_sample(struct ta_store *s, const char *cluster, const char *host, const char *metric,
                const char *type, const char *stype, int64_t ts_s, double v, int64_t now_s);

#endif
