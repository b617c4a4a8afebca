/* query.h - GET /api/query without HTTP: a request body in, the reference's bytes out.
 *
 *     ta_query_new(&q, store, NULL, alloc, err)
 *     while ((r = ta_query_parse(q, body, err)) == TA_EAGAIN) ... wait for more body ...
 *     r < 0: answer 400 with err's text (TA_ENOMEM, TA_ERANGE: the request is too large)
 *     while ((r = ta_query_fill(q, room, err)) == 1) ... send what is in room, empty it ...
 *     ta_query_free(q)
 *
 * The answer is made while it is sent. Between two fills a query holds no lock and no pointer into
 * the store, only where it is: a query, an id, a time stamp. Statistics stand behind the data of
 * each entry and are summed up while it passes; without data they come from the headers of the
 * compressed runs.
 *
 * Memory: the decoded request (limits.arena_bytes at most), windows of 4,096 slots (64 KiB), about
 * 20 KiB of text, and, only for entries that are resampled, one series (limits.window_bytes at most;
 * over it the entry is an error). Independent of the range and of the number of series. A request
 * for all nodes keeps the names of the nodes, 16-48 bytes each, so that `queries` and `results`
 * agree whatever comes or goes.
 *
 * Deviations (spec: http-api, weaknesses): infinities are null; children that do not line up are
 * aligned; hosts are in bytewise order; more than 1,048,576 empty slots in front of the data are
 * left out; and one key of our own, `"with-ids": true`, adds `type-id` and `subtype-id` to each
 * entry of a query that asks for ids one by one.
 *
 * Any thread, one at a time per query.
 */
#ifndef TARN_QUERY_QUERY_H
#define TARN_QUERY_QUERY_H

#include "base/buf.h"
#include "io/stream.h"
#include "query/request.h"
#include "store/store.h"

struct ta_query;

/* limits NULL: the defaults. Borrows store and alloc. TA_ENOMEM. */
int ta_query_new(struct ta_query **out, struct ta_store *store,
                 const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_err *err);
void ta_query_free(struct ta_query *q); /* NULL is fine; any time */

/* Decodes and plans. 0 = the answer can be filled; TA_EAGAIN when the source says so: call again
 * with the same source, which is borrowed until then. Other errors are final: TA_EFORMAT with the
 * words for the client, TA_EINVAL for a range over limits.range_s_max, TA_ERANGE and TA_ENOMEM when the
 * request is too large. */
int ta_query_parse(struct ta_query *q, struct ta_source *body, struct ta_err *err);

/* Appends the next bytes of the answer to room, at most up to room->max. 1 = more to come (also
 * with room left: a long piece of work pauses once something has been written), 0 = that was all.
 * TA_ENOMEM when `room` cannot be had; nothing else fails, whatever goes wrong with one entry is
 * told in that entry. Any size of room >= 1 gives the same bytes in total. */
int ta_query_fill(struct ta_query *q, struct ta_buf *room, struct ta_err *err);

/* What the answer so far consisted of; for metrics and the access log. */
struct ta_query_counts {
    uint64_t entries, errors; /* of the entries: with an error instead of data */
    uint64_t missing;         /* selections without any series */
    uint64_t values;          /* printed, padding included */
    uint64_t samples;         /* read from the store, about */
};
void ta_query_counts(const struct ta_query *q, struct ta_query_counts *out);

#endif
