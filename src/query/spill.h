/* spill.h - text that is made in whole pieces and leaves as the room allows.
 *
 * A generator writes its next piece into `text` and drains it into whatever room it is given,
 * across as many calls as that takes.
 */
#ifndef TARN_QUERY_SPILL_H
#define TARN_QUERY_SPILL_H

#include "base/buf.h"

#include <stdbool.h>

struct ta_spill {
    struct ta_buf text;
    size_t at; /* bytes of it that have left */
};

/* Takes memory for pieces of up to `max` bytes at once, so that writing them cannot fail. */
int ta_spill_init(struct ta_spill *s, struct ta_alloc *alloc, size_t max);
void ta_spill_done(struct ta_spill *s); /* fine on a zeroed struct */

/* Moves what fits into the memory that `room` has. True: all is out, the text is empty. */
bool ta_spill_drain(struct ta_spill *s, struct ta_buf *room);

#endif
