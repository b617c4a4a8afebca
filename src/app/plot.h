/* plot.h - a series as a curve of braille dots (or letters), for a terminal.
 *
 * Pure: values in, text out. Each cell holds 2 x 4 dots; a column of dots covers the values of
 * its share of the time, drawn from their smallest to their largest, so that no peak is lost.
 * Gaps stay empty.
 */
#ifndef TARN_APP_PLOT_H
#define TARN_APP_PLOT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_PLOT_WIDTH_MIN = 30, TA_PLOT_WIDTH_MAX = 400, TA_PLOT_HEIGHT_MAX = 60 };

struct ta_plot {
    const char *title;
    const double *values; /* NaN = no sample */
    size_t n;
    int64_t from_s, step_s; /* time of values[0] and between two */
    unsigned width, height; /* cells; width of the whole, height of the curve; clamped */
    bool has_colour, is_ascii;
};

/* Adds title, curve and axes. An empty series says so in one line. */
int ta_plot_draw(const struct ta_plot *p, struct ta_buf *out);

/* At most seven letters such as "1.25k", "37.2M", "0.004"; out has room for 24. Returns out. */
char *ta_plot_number(char *out, double v);

#endif
