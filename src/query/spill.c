/* spill.c - see spill.h. */
#include "query/spill.h"

int ta_spill_init(struct ta_spill *s, struct ta_alloc *alloc, size_t max)
{
    *s = (struct ta_spill){0};
    ta_buf_init(&s->text, alloc, max);
    return ta_buf_reserve(&s->text, max);
}

void ta_spill_done(struct ta_spill *s)
{
    ta_buf_done(&s->text);
}

bool ta_spill_drain(struct ta_spill *s, struct ta_buf *room)
{
    size_t left = s->text.len - s->at, fits = room->cap - room->len;
    size_t n = left < fits ? left : fits;

    if (n > 0)
        memcpy(room->at + room->len, s->text.at + s->at, n);
    room->len += n;
    s->at += n;
    if (n < left)
        return false;
    ta_buf_reset(&s->text);
    s->at = 0;
    return true;
}
