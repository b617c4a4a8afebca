/* health.h - GET /api/healthcheck without HTTP (spec: http-api 7, metric-store 9).
 *
 * Life and return values as in query.h: new, parse, fill, free. Nodes come sorted, each once; the
 * state of a node is looked up when its turn comes, at the time given to that fill.
 *
 * Memory: the decoded request (limits.arena_bytes at most) and about 20 KiB of text.
 */
#ifndef TARN_QUERY_HEALTH_H
#define TARN_QUERY_HEALTH_H

#include "base/buf.h"
#include "io/stream.h"
#include "query/request.h"
#include "store/store.h"

struct ta_health_query;

int ta_health_new(struct ta_health_query **out, struct ta_store *store,
                  const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_err *err);
void ta_health_free(struct ta_health_query *h); /* NULL is fine */

/* As ta_query_parse. Unknown keys are errors here. The caller puts "parsing request body failed: "
 * before the words. */
int ta_health_parse(struct ta_health_query *h, struct ta_source *body, struct ta_err *err);

/* As ta_query_fill. */
int ta_health_fill(struct ta_health_query *h, int64_t now_s, struct ta_buf *room,
                   struct ta_err *err);

#endif
