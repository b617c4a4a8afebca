/* cleaner.h - the rule cleaner put together from its configuration: credentials, connections, session
 * with Rucio, services, locks, and the settings of a cycle. */
#ifndef TARN_APP_CLEANER_H
#define TARN_APP_CLEANER_H

#include "app/cleaner_conf.h"
#include "app/cleaner_rucio.h"
#include "sweep/sweep.h"

#include <pthread.h>

struct ta_cleaner {
    const struct ta_cleaner_conf *conf;
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_arena arena; /* URLs and names */
    struct ta_x509 x509;
    struct ta_rucio_login login;
    struct ta_token_file token;
    bool has_token;
    struct ta_call_stats stats;
    struct ta_caller *caller, *rucio_caller;
    struct ta_rucio rucio;
    struct ta_services services;
    struct ta_locks locks;
    struct ta_sweep_gauges gauges;
    struct ta_sweep_conf sweep;
    struct ta_file *state_lock;
    _Atomic bool stop_soon, stop_now; /* no new chunk; no further call */

    pthread_mutex_t lock;
    struct ta_sweep_report report; /* of the last cycle; guarded by lock */
    bool has_report;               /* guarded by lock */
    int64_t ended_mono_ns;         /* of the last cycle, or the start; guarded by lock */
    bool is_in_cycle;              /* guarded by lock */
};

/* Borrows all but env until done. Give it to ta_cleaner_done in any case. TA_EINVAL: the
 * configuration cannot work; TA_ESTATE: another instance holds stateDir. */
int ta_cleaner_init(struct ta_cleaner *c, const struct ta_cleaner_conf *conf, ta_env_reader env,
                    struct ta_clock *clock, struct ta_log *log, struct ta_err *err);
void ta_cleaner_done(struct ta_cleaner *c);

/* One cycle; the report is kept for the status interface and copied to *out (may be NULL). */
int ta_cleaner_cycle(struct ta_cleaner *c, struct ta_sweep_report *out, struct ta_err *err);

#endif
