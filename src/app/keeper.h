/* keeper.h - the thread that tends the store: retention, compression, memory.
 *
 * Retention runs every half retention as in the reference, but at least once a minute: what is
 * freed is the same (whole buffers older than now - retention), it only goes sooner, and not before a checkpoint
 * file has it: a clock that steps forward, or a disk that fails for a while, loses nothing. The memory
 * cap needs no thread: the store keeps it when memory is taken. Before each run, the first of them at the
 * start, the node provider is asked; while it is slow to answer only compression waits, up to 10 s.
 */
#ifndef TARN_APP_KEEPER_H
#define TARN_APP_KEEPER_H

#include "app/protector.h"
#include "app/safe.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ta_keeper {
    struct ta_store *store;
    struct ta_protector *protector; /* NULL or off: nobody is protected */
    struct ta_safe *safe;           /* NULL: there are no files to wait for */
    struct ta_clock *clock;
    struct ta_log *log;
    _Atomic int64_t retention_s; /* <= 0: nothing goes by age */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_running, is_stopping; /* guarded by lock */
    int64_t retained_mono_ns, reported_mono_ns,
        counted_mono_ns; /* of the last run; the thread's own */
};

/* Starts the thread. Borrows everything until the stop. */
int ta_keeper_start(struct ta_keeper *k, struct ta_store *store, struct ta_protector *protector,
                    struct ta_safe *safe, int64_t retention_s, struct ta_clock *clock,
                    struct ta_log *log, struct ta_err *err);
/* Ends the thread within a slice of its work (milliseconds). Fine when it never ran. */
void ta_keeper_stop(struct ta_keeper *k);

/* One turn, as the thread takes it: what is due at this moment. Returns true when there is more
 * to do at once. For tests. */
bool ta_keeper_turn(struct ta_keeper *k);

#endif
