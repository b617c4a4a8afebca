/* ask.h - a query asked and answered in memory. */
#ifndef TESTS_ASK_H
#define TESTS_ASK_H

#include "query/query.h"

/* The whole answer, NUL-terminated, valid until the next call of the thread; taken through a room
 * of `room_bytes` at a time. "error: ..." when the request was refused. */
const char *ask(struct ta_store *s, const char *body, size_t room_bytes);

/* The same for a request with limits and an allocator of its own: 0, or the error. Appends to
 * `to`. */
int ask_into(struct ta_store *s, const char *body, size_t n_body, size_t room_bytes,
             const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_buf *to,
             struct ta_query_counts *counts, struct ta_err *err);

/* Gives the memory of the thread's last answer back. */
void ask_done(void);

#endif
