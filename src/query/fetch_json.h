/* fetch_json.h - POST /api/load without HTTP: a request body in, JSON out (doc/load-api.md).
 *
 * Life, return values and rules of filling as in query.h. The answer is made while it is sent;
 * memory is that of fetch.h and about 40 KiB.
 */
#ifndef TARN_QUERY_FETCH_JSON_H
#define TARN_QUERY_FETCH_JSON_H

#include "query/fetch.h"

struct ta_fetch_query;

/* `clusters[0..n)` are those that requests may name; borrowed, as everything. */
int ta_fetch_query_new(struct ta_fetch_query **out, struct ta_store *store,
                       const struct ta_cluster *const *clusters, size_t n_clusters,
                       const struct ta_query_limits *limits, struct ta_alloc *alloc,
                       struct ta_err *err);
void ta_fetch_query_free(struct ta_fetch_query *q); /* NULL is fine */

/* As ta_query_parse; also TA_EINVAL for what fetch.h refuses, an unknown function or cluster. */
int ta_fetch_query_parse(struct ta_fetch_query *q, struct ta_source *body, struct ta_err *err);
/* As ta_query_fill. */
int ta_fetch_query_fill(struct ta_fetch_query *q, struct ta_buf *room, struct ta_err *err);

#endif
