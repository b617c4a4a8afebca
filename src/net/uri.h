/* uri.h - the parts of a request target: path, query, escapes (RFC 3986; RFC 9112, 3.2).
 *
 * Pure functions over slices; nothing is kept.
 */
#ifndef TARN_NET_URI_H
#define TARN_NET_URI_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

struct ta_uri {
    struct ta_str path;  /* as sent; "/" when there is none */
    struct ta_str query; /* behind the first '?', as sent; at == NULL when there is no '?' */
};

/* Splits a request target; of the absolute form ("http://host/x") only what follows the authority
 * counts. Slices of `target`. */
struct ta_uri ta_uri_split(struct ta_str target);

/* Decodes %XX, and '+' to a space when `plus`. `out` has room for s.len bytes and may be s.at
 * itself. The length, or -1 for a malformed escape. */
int64_t ta_uri_decode(struct ta_str s, bool plus, char *out);

/* The raw value of the first `name=value` pair (or `name` alone: empty value); at == NULL when
 * there is none. Names are compared as sent. */
struct ta_str ta_uri_param(struct ta_str query, struct ta_str name);
/* The same, found and given decoded; at == NULL also when the value is malformed or the arena
 * refuses. */
struct ta_str ta_uri_param_decoded(struct ta_str query, struct ta_str name, struct ta_arena *arena);

/* True when a path is what ta_uri_clean would make of it. */
bool ta_uri_is_clean(struct ta_str path);
/* Removes empty, "." and ".." elements; keeps a trailing slash; always absolute. at == NULL when
 * the arena refuses. */
struct ta_str ta_uri_clean(struct ta_str path, struct ta_arena *arena);
/* Escapes what may not stand in a path (for a Location header). at == NULL when the arena refuses.
 * */
struct ta_str ta_uri_escape_path(struct ta_str path, struct ta_arena *arena);

/* RFC 9110 token: a header or method name. */
bool ta_uri_is_token(struct ta_str s);

#endif
