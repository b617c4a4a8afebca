#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

int ask_into(struct ta_store *s, const char *body, size_t n_body, size_t room_bytes,
             const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_buf *to,
             struct ta_query_counts *counts, struct ta_err *err)
{
    struct ta_query *q = NULL;
    struct ta_mem_source src;
    struct ta_buf room;

    ta_mem_source_init(&src, body, n_body, 0);
    ta_buf_init(&room, alloc, room_bytes);
    int r = ta_query_new(&q, s, limits, alloc, err);
    if (r >= 0)
        r = ta_query_parse(q, &src.source, err);
    while (r >= 0 && (r = ta_query_fill(q, &room, err)) >= 0) {
        int added = ta_buf_str(to, ta_buf_view(&room));
        ta_buf_reset(&room);
        if (added < 0)
            r = added;
        else if (r == 0)
            break;
    }
    if (counts && q)
        ta_query_counts(q, counts);
    ta_buf_done(&room);
    ta_query_free(q);
    return r;
}

static _Thread_local struct ta_buf out;

void ask_done(void)
{
    ta_buf_done(&out);
}

const char *ask(struct ta_store *s, const char *body, size_t room_bytes)
{
    struct ta_err err = {0};

    ta_buf_done(&out);
    ta_buf_init(&out, &ta_heap, 256 * MiB);
    if (ask_into(s, body, strlen(body), room_bytes, NULL, &ta_heap, &out, NULL, &err) < 0) {
        ta_buf_reset(&out);
        (void)ta_buf_z(&out, "error: ");
        (void)ta_buf_z(&out, err.text);
    }
    return ta_buf_byte(&out, '\0') < 0 ? "" : out.at;
}
