/* scrape.h - GET /metrics of a running store, as the few numbers that a live view shows.
 *
 * The text is read as it arrives, family by family; what is not asked for is passed over. Memory: this struct
 * and one line.
 */
#ifndef TARN_APP_SCRAPE_H
#define TARN_APP_SCRAPE_H

#include "base/str.h"
#include "rest/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row each in scrape.c: the family's name and how its samples become one number. */
enum ta_scrape_key {
    TA_SCRAPE_READY,
    TA_SCRAPE_START_TIME,
    TA_SCRAPE_HOSTS,
    TA_SCRAPE_SERIES,
    TA_SCRAPE_BYTES,
    TA_SCRAPE_CAP_BYTES,
    TA_SCRAPE_FREED_EARLY,
    TA_SCRAPE_STORED,
    TA_SCRAPE_STORED_LATE,
    TA_SCRAPE_REFUSED_SAMPLES,
    TA_SCRAPE_REFUSED_LINES,
    TA_SCRAPE_SKIPPED_LINES,
    TA_SCRAPE_LOG_BYTES,
    TA_SCRAPE_LOG_SEGMENT_BYTES,
    TA_SCRAPE_LOG_SEGMENTS,
    TA_SCRAPE_LOG_FAILING,
    TA_SCRAPE_CHECKPOINT_TIME,
    TA_SCRAPE_CHECKPOINT_RUNNING,
    TA_SCRAPE_CHECKPOINTS_FAILED,
    TA_SCRAPE_CLEANUP_TIME,
    TA_SCRAPE_CLEANUP_RUNNING,
    TA_SCRAPE_CLEANUP_FAILED,
    TA_SCRAPE_CONNECTIONS,
    TA_SCRAPE_REQUESTS,
    TA_SCRAPE_REQUESTS_4XX,
    TA_SCRAPE_REQUESTS_5XX,
    TA_SCRAPE_NATS_CONNECTED,
    TA_SCRAPE_NATS_MESSAGES,
    TA_SCRAPE_NATS_LAG,
    TA_SCRAPE_NATS_DROPPED,
    TA_SCRAPE_USED_NODES,
    TA_SCRAPE_KEYS
};

enum { TA_SCRAPE_BUCKETS = 40 };

/* A histogram: how many were at most so long, cumulated as in the text. */
struct ta_scrape_histogram {
    double bound[TA_SCRAPE_BUCKETS]; /* seconds; the last one may be infinite */
    double count[TA_SCRAPE_BUCKETS];
    size_t n;
};

struct ta_scrape {
    int64_t at_mono_ns; /* when it was taken; the caller's */
    int64_t at_s;
    double value[TA_SCRAPE_KEYS];
    bool has[TA_SCRAPE_KEYS]; /* the text had the family */
    struct ta_scrape_histogram sync, request;
    char version[32];
};

/* Reads the text to its end. TA_EFORMAT: a line that is no sample, with its number; the source's errors. */
int ta_scrape_read(struct ta_scrape *out, struct ta_source *text, struct ta_err *err);

/* The value at `share` (0..1) of what happened between two scrapes, or NaN when nothing did. The upper bound of
 * the bucket it falls into, as Prometheus reckons without interpolation. */
double ta_scrape_quantile(const struct ta_scrape_histogram *before,
                          const struct ta_scrape_histogram *now, double share);

/* Growth per second of a counter; 0 when it was reset (the store was started anew). */
double ta_scrape_rate(const struct ta_scrape *before, const struct ta_scrape *now,
                      enum ta_scrape_key key);

#endif
