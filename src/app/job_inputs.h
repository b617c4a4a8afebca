/* job_inputs.h - jobs and states of nodes that come over NATS (spec: archiver 4).
 *
 * One thread for each subject of main.api-subjects. A message's events go to the desk one by one, and the
 * next waits until the last is stored: so the start of a job comes before its stop, and what is behind
 * waits in the subscription's bounded queue. There is no answer: what is wrong is said in the log.
 */
#ifndef TARN_APP_JOB_INPUTS_H
#define TARN_APP_JOB_INPUTS_H

#include "app/conf.h"
#include "app/job_desk.h"
#include "net/nats.h"

enum { TA_JOB_INPUTS = 2 };

struct ta_job_input {
    struct ta_nats *nats;
    struct ta_job_desk *desk;
    const char *subject;
    const char *measurement; /* what its lines are called */
    pthread_t thread;
    _Atomic bool stop;
    bool is_running;
};

struct ta_job_inputs {
    struct ta_job_input at[TA_JOB_INPUTS];
    size_t n;
};

/* Starts what the configuration names; nothing without a connection. Borrows all until the stop. */
int ta_job_inputs_start(struct ta_job_inputs *s, const struct ta_config *config,
                        struct ta_nats *nats, struct ta_job_desk *desk, struct ta_err *err);
/* Takes what waits, then ends the threads. The desk must still run. Fine on a zeroed struct, and twice. */
void ta_job_inputs_stop(struct ta_job_inputs *s);

#endif
