/* nats_inputs.h - all of a configuration's NATS: the connection, its subscriptions and consumers. */
#ifndef TARN_APP_NATS_INPUTS_H
#define TARN_APP_NATS_INPUTS_H

#include "app/conf.h"
#include "app/nats_in.h"

struct ta_nats_inputs {
    struct ta_alloc *alloc;
    struct ta_nats *nats; /* NULL: none is configured */
    struct ta_poison poison;
    char *poison_path; /* NULL or owned */
    size_t poison_path_room;
    struct ta_nats_in **at;
    struct ta_nats_source
        *source; /* what each of `at` reads; its strings are in `names` or the config */
    size_t n, cap;
    struct ta_arena names;
};

/* Starts what the configuration asks for; nothing when it names no server. Servers may be away: that shows
 * in the state. `common` says where samples go (its nats and poison are filled in here). Borrows config until
 * stop. On failure nothing is left. */
int ta_nats_inputs_start(struct ta_nats_inputs *s, const struct ta_config *config,
                         const struct ta_nats_in_conf *common, struct ta_vfs *vfs,
                         struct ta_err *err);
/* Ends the interest at the server, finishes what is in work and ends the threads; numbers can still be read.
 * Fine on a zeroed struct, as stop. */
void ta_nats_inputs_end(struct ta_nats_inputs *s);
void ta_nats_inputs_stop(struct ta_nats_inputs *s); /* the same when it was not done, and frees */

/* Calls `each` with every partition of a list such as "0-3,7", ascending as written, at most 1,024. TA_EINVAL:
 * not such a list; else what `each` said first. */
int ta_partitions(const char *list, int (*each)(void *self, unsigned partition), void *self);

#endif
