/* decide.h - what to do with a workflow: pure functions of its record and its flags.
 *
 * The decision tables of the rule cleaner (spec: rule-cleaner 5.1, 5.4, 5.5). No I/O, no memory.
 */
#ifndef TARN_SWEEP_DECIDE_H
#define TARN_SWEEP_DECIDE_H

#include "sweep/record.h"

enum ta_pipeline {
    TA_MSTR_CONT,
    TA_MSTR_BLOCK,
    TA_AGENT_CONT,
    TA_AGENT_BLOCK,
    TA_PIPELINES,
    TA_MSTR_PIPELINES = TA_AGENT_CONT /* the first two */
};

struct ta_pipeline_row {
    const char *name;
    bool is_mstr; /* parents looked up, locks heeded, account of input placement */
    bool is_block;
};

/* In the order in which they run. */
extern const struct ta_pipeline_row ta_pipelines[TA_PIPELINES];

enum { TA_SWEPT_STATUSES = 3 };
extern const char *const ta_swept_statuses[TA_SWEPT_STATUSES]; /* in sweeping order */

bool ta_is_swept(struct ta_str status);
bool ta_is_announced(const struct ta_record *r);
bool ta_is_resubmission(const struct ta_record *r);

enum ta_route {
    TA_ROUTE_DRIFTED,  /* its status is not swept: nothing */
    TA_ROUTE_FORCE,    /* no cleanup; archive whatever the gates about cleanliness say */
    TA_ROUTE_TRANSFER, /* output not transferred: no cleanup, archive (which will skip it) */
    TA_ROUTE_TAPE,     /* not on tape: input rules only, no archive */
    TA_ROUTE_CLEAN     /* all pipelines, then archive */
};

enum ta_route ta_decide_route(const struct ta_record *r, bool is_transfer_done, bool is_on_tape);

/* The archived status to go to; NULL when there is none. */
const char *ta_target_status(struct ta_str status);

/* Has the present status lasted more than `hours` (strictly)? False without a known beginning. */
bool ta_is_older(const struct ta_record *r, int64_t now_s, int64_t hours);

enum ta_gate {
    TA_GATE_NONE, /* archive */
    TA_GATE_UNCLEAN,
    TA_GATE_TARGET, /* an error, the others are skips */
    TA_GATE_LOGDB,
    TA_GATE_DELAY,
    TA_GATE_DRY_RUN
};

struct ta_gate_facts {
    bool is_forced, is_clean, has_target, is_logdb_clean, is_delay_expired, is_real;
};

/* The first gate that stops the archiving. Unresolved parentage is none: it only alerts. */
enum ta_gate ta_decide_gate(const struct ta_gate_facts *f);
/* Does that gate send an alert when the alarm time has passed? */
bool ta_gate_alerts(enum ta_gate gate);
const char *ta_gate_name(enum ta_gate gate); /* "none", "unclean", ... */

/* `started` and `cleaned`: bits 1 << enum ta_pipeline. Not clean when nothing was started. */
bool ta_is_clean(unsigned started, unsigned cleaned);

#endif
