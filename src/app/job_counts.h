/* job_counts.h - how many starts and stops of jobs and states of nodes came, which way, and what became of them. */
#ifndef TARN_APP_JOB_COUNTS_H
#define TARN_APP_JOB_COUNTS_H

#include "app/exposition.h"

#include <stdatomic.h>

enum ta_job_way { TA_JOB_OVER_REST, TA_JOB_OVER_NATS, TA_JOB_WAYS };
enum ta_job_event_kind { TA_JOB_STARTS, TA_JOB_STOPS, TA_JOB_REPORTS, TA_JOB_EVENT_KINDS };

enum { TA_JOB_CODES = 10 }; /* statuses told apart, the last is "other" */

/* Any thread. */
struct ta_job_counts {
    _Atomic uint64_t done[TA_JOB_EVENT_KINDS][TA_JOB_WAYS][TA_JOB_CODES];
    _Atomic uint64_t unusable; /* over NATS: no event, or not carried out */
    _Atomic uint64_t dropped;  /* over NATS: messages that did not fit the queue */
};

void ta_job_counts_add(struct ta_job_counts *c, enum ta_job_event_kind kind, enum ta_job_way way,
                       int status);
void ta_job_counts_put(struct ta_job_counts *c, struct ta_exposition *e);

#endif
