/* job_event.h - a message about jobs or nodes: JSON inside line protocol (spec: archiver 4).
 *
 *     job,function=start_job event="{\"jobId\":4001,...}" 1700000000000000000
 *     nodestate event="{\"cluster\":\"fritz\",\"nodes\":[...]}" 1700000000000000000
 *
 * One line at a time out of a message; line feeds may stand inside the quotes.
 */
#ifndef TARN_APP_JOB_EVENT_H
#define TARN_APP_JOB_EVENT_H

#include "base/buf.h"

#include <stdbool.h>

struct ta_job_event {
    struct ta_str measurement, function; /* slices of the message; function may be empty */
    bool has_event;                      /* the field is there and a text */
};

/* Takes the next line from *rest: 1, its field `event`, without escapes, in `event`; 0 = no more. TA_EFORMAT: it is no
 * line; TA_ERANGE, TA_ENOMEM: the text does not fit. */
int ta_job_event_next(struct ta_str *rest, struct ta_job_event *out, struct ta_buf *event,
                      struct ta_err *err);

#endif
