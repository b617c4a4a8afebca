/* nearest.h - the known name that a mistyped one probably meant. */
#ifndef TARN_APP_NEAREST_H
#define TARN_APP_NEAREST_H

#include "base/str.h"

/* One candidate after the other is offered; the closest one is kept. Names over 64 bytes are
 * never offered as an answer. Cost per offer: len(wanted) * len(candidate) steps. */
struct ta_nearest {
    struct ta_str wanted;
    const char *best; /* NULL: nothing came close; borrowed from the offers */
    unsigned distance;
};

void ta_nearest_init(struct ta_nearest *n, struct ta_str wanted);
/* `candidate` is borrowed for as long as `best` is used. */
void ta_nearest_offer(struct ta_nearest *n, const char *candidate);

#endif
