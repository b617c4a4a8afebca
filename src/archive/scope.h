/* scope.h - the scope columns of the archive, from the name of a level. */
#ifndef TARN_ARCHIVE_SCOPE_H
#define TARN_ARCHIVE_SCOPE_H

#include "base/arena.h"
#include "base/str.h"

/* (spec: formats 9.) No level: scope `node`, no id. Else a known kind followed by a digit: that kind and the
 * rest as the id; any other name is the scope as a whole. Borrowed from `level` or static. */
void ta_arc_scope(const struct ta_str *level, struct ta_str *scope, struct ta_str *id);

/* The text with every invalid byte replaced by U+FFFD: some readers refuse a whole file for one bad
 * string. The text itself when it is valid. at == NULL: no memory. */
struct ta_str ta_arc_utf8(struct ta_str s, struct ta_arena *arena);

#endif
