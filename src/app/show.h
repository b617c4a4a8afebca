/* show.h - how `tarn query` prints a series: a table row, CSV lines, or a plot. */
#ifndef TARN_APP_SHOW_H
#define TARN_APP_SHOW_H

#include "app/answer.h"
#include "base/buf.h"

#include <stdbool.h>

enum ta_show_format { TA_SHOW_TABLE, TA_SHOW_CSV, TA_SHOW_PLOT };

/* What a series is called: the query it answers. */
struct ta_show_name {
    struct ta_str host, metric, type, id, subtype, subtype_id; /* may be empty */
};

struct ta_show {
    enum ta_show_format format;
    unsigned width, height; /* of the terminal, for plots and tables */
    bool has_colour, is_ascii;
};

/* Adds the head of the output. */
int ta_show_head(const struct ta_show *s, struct ta_buf *out);
/* Adds one series. A CSV of a long series is larger than any buffer, so it is added in parts:
 * *row starts at 0; 1 = call again when `out` was emptied, 0 = the series is complete. */
int ta_show_series(const struct ta_show *s, const struct ta_show_name *name,
                   const struct ta_answer_series *series, size_t *row, struct ta_buf *out);

#endif
