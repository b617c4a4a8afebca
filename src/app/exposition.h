/* exposition.h - Prometheus' text format, version 0.0.4, into a buffer.
 *
 * One family after the other: its HELP and TYPE lines once, then its samples. The first error (buffer full)
 * sticks, so a caller checks once at the end.
 */
#ifndef TARN_APP_EXPOSITION_H
#define TARN_APP_EXPOSITION_H

#include "base/buf.h"

#include <stdint.h>

struct ta_exposition {
    struct ta_buf *out;
    const char *family; /* begun last */
    int error;
};

/* type: "counter", "gauge" or "histogram". name and help are static strings without line breaks. */
void ta_expo_family(struct ta_exposition *e, const char *name, const char *type, const char *help);
/* One sample of the family begun last; suffix "" or "_total", "_sum" ...; label and value NULL: none. Label values
 * are escaped. */
void ta_expo_u64(struct ta_exposition *e, const char *suffix, const char *label, const char *value,
                 uint64_t number);
void ta_expo_f64(struct ta_exposition *e, const char *suffix, const char *label, const char *value,
                 double number);
/* Two labels. */
void ta_expo_u64_2(struct ta_exposition *e, const char *suffix, const char *label1,
                   const char *value1, const char *label2, const char *value2, uint64_t number);

/* A family with a single sample without labels. */
void ta_expo_counter(struct ta_exposition *e, const char *name, const char *help, uint64_t number);
void ta_expo_gauge(struct ta_exposition *e, const char *name, const char *help, double number);

/* A family of kind histogram from counts per bucket (not cumulated); bounds in seconds, n - 1 of them, the last
 * bucket has none. */
void ta_expo_histogram(struct ta_exposition *e, const char *name, const char *help,
                       const double *bounds, const uint64_t *counts, size_t n, double sum);

#endif
