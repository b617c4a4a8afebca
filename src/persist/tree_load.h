/* tree_load.h - the good part of one checkpoint file into one host of a store. */
#ifndef TARN_PERSIST_TREE_LOAD_H
#define TARN_PERSIST_TREE_LOAD_H

#include "persist/tree_read.h"
#include "store/walk.h"

struct ta_tree_load {
    uint64_t samples; /* stored */
    uint64_t skipped; /* samples of unknown metrics or of levels too deep */
    uint64_t damaged; /* places; each was also given to `damage` */
};

/* Reads `t` to its end into `to`, whose session the caller finishes. `damage` (may be NULL) is told each
 * unreadable place. TA_ENOMEM, or the file could not be read: what came before it is loaded. */
int ta_tree_load(struct ta_tree_reader *t, struct ta_restore *to, const struct ta_metrics *metrics,
                 void (*damage)(void *self, const struct ta_tree_event *ev), void *self,
                 struct ta_tree_load *counts, struct ta_err *err);

#endif
