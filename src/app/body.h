/* body.h - a request body that is parsed while it comes.
 *
 * The server pushes pieces; the parsers of requests pull from a source. This stands between: a
 * source over one borrowed piece, which the parser empties before it says TA_EAGAIN, and the
 * memory of whether the parser is through.
 */
#ifndef TARN_APP_BODY_H
#define TARN_APP_BODY_H

#include "base/err.h"
#include "io/stream.h"

#include <stdbool.h>

/* One of ta_query_parse, ta_health_parse, ...: 0 = complete, TA_EAGAIN = more, else final. */
typedef int (*ta_body_parser)(void *object, struct ta_source *body, struct ta_err *err);

struct ta_body {
    struct ta_source source;
    const char *at; /* borrowed */
    size_t len;
    bool is_end, is_parsed;
};

void ta_body_init(struct ta_body *b);
/* Gives the parser the next piece. TA_OK also when it wants more; what follows a complete value
 * is passed over, as the reference's decoder does. */
int ta_body_piece(struct ta_body *b, const char *at, size_t len, ta_body_parser parse, void *object,
                  struct ta_err *err);
/* No piece will follow. TA_OK: the value is complete. */
int ta_body_end(struct ta_body *b, ta_body_parser parse, void *object, struct ta_err *err);

#endif
