/* http_decode.h - compressed request bodies (Content-Encoding: gzip, deflate, zstd).
 *
 * Bytes go in, pieces of at most TA_HTTP_PIECE come out; what was not taken stays and comes first
 * next time. A body that was announced as gzip and is not comes out as it is. Memory:
 * TA_HTTP_PIECE for the piece, and 48 KiB (zlib) or 4.4 MiB at most (zstd, window of 4 MiB), all
 * from the request's arena.
 */
#ifndef TARN_NET_HTTP_DECODE_H
#define TARN_NET_HTTP_DECODE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct http_decode;

/* `coding` is the header's value. *out is NULL for "identity" and "". TA_EINVAL: unknown coding;
 * TA_ENOMEM. Bounds: at most bytes_max come out, and at most ratio_max times what went in beyond
 * the first MiB. */
int http_decode_new(struct http_decode **out, struct ta_str coding, uint64_t bytes_max,
                    uint32_t ratio_max, struct ta_arena *arena);
/* Releases what is not in the arena; NULL is fine. */
void http_decode_free(struct http_decode *d);

/* The next piece from *in, which moves over what was used. 1: *piece is filled; 0: *in is used up;
 * TA_EFORMAT, TA_ERANGE (a bound). */
int http_decode_next(struct http_decode *d, struct ta_str *in, struct ta_str *piece,
                     struct ta_err *err);
/* `n` bytes of the last piece were used; the rest is the next piece. */
void http_decode_taken(struct http_decode *d, size_t n);
/* The body is complete: TA_EFORMAT when the compressed stream is not. */
int http_decode_end(const struct http_decode *d, struct ta_err *err);

#endif
