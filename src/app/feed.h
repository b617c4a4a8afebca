/* feed.h - pieces that are pushed at us, as a source that is pulled.
 *
 * Holds one borrowed piece: what pulls must run until it says TA_EAGAIN before the next piece is
 * given, which every reader of sources does.
 */
#ifndef TARN_APP_FEED_H
#define TARN_APP_FEED_H

#include "io/stream.h"

#include <stdbool.h>

struct ta_feed {
    struct ta_source source;
    const char *at; /* borrowed */
    size_t len;
    bool is_end; /* no piece will follow */
};

void ta_feed_init(struct ta_feed *f);

static inline void ta_feed_give(struct ta_feed *f, const char *at, size_t len)
{
    f->at = at;
    f->len = len;
}

#endif
