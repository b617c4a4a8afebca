/* manage.h - POST /api/free and GET /api/debug without HTTP (spec: http-api 6, 7).
 *
 * Free: the body names subtrees, `to` the time before which their buffers go. Debug: a selector,
 * and a text that is made while it is sent, with no lock held in between.
 */
#ifndef TARN_QUERY_MANAGE_H
#define TARN_QUERY_MANAGE_H

#include "base/buf.h"
#include "io/stream.h"
#include "query/request.h"
#include "store/store.h"

/* ---- free ---------------------------------------------------------------------------------- */

/* The query parameter `to`. TA_EINVAL when it is empty (the reference answers 400), TA_EFORMAT or
 * TA_ERANGE with the words of its integer parser (it answers 500). */
int ta_free_time(struct ta_str to, int64_t *out, struct ta_err *err);

struct ta_free_query;

int ta_free_new(struct ta_free_query **out, const struct ta_query_limits *limits,
                struct ta_alloc *alloc, struct ta_err *err);
void ta_free_free(struct ta_free_query *f); /* NULL is fine */
/* As ta_query_parse. Nothing is freed yet: a body that ends in an error frees nothing. */
int ta_free_parse(struct ta_free_query *f, struct ta_source *body, struct ta_err *err);
/* Frees what the selectors name, in their order; returns the number of buffers. */
uint64_t ta_free_run(struct ta_free_query *f, struct ta_store *store, int64_t before_s);

/* ---- debug --------------------------------------------------------------------------------- */

struct ta_debug;

/* `selector` is decoded already: elements separated by ':', empty = everything. An element below
 * the host may itself hold ':' (accelerator addresses do): where the plain reading finds nothing,
 * the others are tried. TA_ENOTFOUND with the reference's words, TA_ERANGE for a selector over 4
 * KiB, TA_ENOMEM. */
int ta_debug_new(struct ta_debug **out, struct ta_store *store, struct ta_str selector,
                 struct ta_alloc *alloc, struct ta_err *err);
/* As ta_query_fill. Memory: about 24 KiB. */
int ta_debug_fill(struct ta_debug *d, struct ta_buf *room, struct ta_err *err);
void ta_debug_free(struct ta_debug *d); /* NULL is fine */

#endif
