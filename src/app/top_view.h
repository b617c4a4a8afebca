/* top_view.h - two scrapes of a store as text: a screen for people, a line or an object for programs.
 *
 * Pure: numbers in, text out.
 */
#ifndef TARN_APP_TOP_VIEW_H
#define TARN_APP_TOP_VIEW_H

#include "app/scrape.h"
#include "base/buf.h"

enum { TA_TOP_HISTORY = 60 };

struct ta_top_view {
    const char *url;
    struct ta_scrape before, now;
    double rates[TA_TOP_HISTORY]; /* samples per second, oldest first */
    size_t n_rates;
    unsigned width; /* of the terminal */
    bool has_colour, is_ascii;
};

/* `next` becomes now, now becomes before. The first one is both. */
void ta_top_take(struct ta_top_view *v, const struct ta_scrape *next);

/* A screen of lines without control sequences other than colours. */
int ta_top_screen(const struct ta_top_view *v, struct ta_buf *out);
/* The head of the columns of ta_top_line, and one line. */
int ta_top_line_head(struct ta_buf *out);
int ta_top_line(const struct ta_top_view *v, struct ta_buf *out);
/* One JSON object and a line feed. */
int ta_top_json(const struct ta_top_view *v, struct ta_buf *out);

#endif
