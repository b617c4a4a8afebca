/* http_encode.h - a streamed answer on its way out: one room, and gzip behind it when asked for.
 *
 * Memory from the request's arena: TA_HTTP_ROOM, and 135 KiB with gzip.
 */
#ifndef TARN_NET_HTTP_ENCODE_H
#define TARN_NET_HTTP_ENCODE_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_http_req;
struct http_encode;

/* The room is filled once before the headers are decided: `room` has the first bytes afterwards. */
int http_encode_new(struct http_encode **out, struct ta_http_req *req, struct ta_arena *arena);
/* Fills the room by the handler. 1: bytes are there; 0: the end, bytes may be there; TA_EAGAIN;
 * another error. */
int http_encode_fill(struct http_encode *e, struct ta_err *err);
struct ta_str http_encode_room(const struct http_encode *e);
bool http_encode_ended(const struct http_encode *e);
/* From now on what comes out is gzip. TA_ENOMEM. */
int http_encode_gzip(struct http_encode *e, struct ta_arena *arena);
void http_encode_free(struct http_encode *e); /* NULL is fine */

/* Up to `max` bytes for the socket. > 0: bytes; 0: the end; TA_EAGAIN: the handler waits; another
 * error: cut. */
int64_t http_encode_read(struct http_encode *e, char *out, size_t max, struct ta_err *err);

#endif
