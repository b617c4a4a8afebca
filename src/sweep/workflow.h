/* workflow.h - one workflow, from its record to its outcome.
 *
 * Calls the services through a port, in the order of the specification (rule-cleaner 5); in dry run
 * it calls none that writes. Whatever fails stays with this workflow.
 *
 * Memory: the record, an arena of at most 1 MiB for what services say, and per pipeline a list of
 * rule ids that goes to a file above 256 KiB.
 */
#ifndef TARN_SWEEP_WORKFLOW_H
#define TARN_SWEEP_WORKFLOW_H

#include "base/clock.h"
#include "base/log.h"
#include "rest/hash_set.h"
#include "sweep/decide.h"
#include "sweep/port.h"

struct ta_policy {
    const char *mstr_account, *agent_account;
    int64_t delay_hours, alarm_hours;
    bool is_real, sends_alerts, alerts_tape_pending;
};

/* All a worker needs; the same for every workflow. */
struct ta_flow_env {
    const struct ta_policy *policy;
    struct ta_port *port;
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_vfs *vfs;
    const char *temp_dir;
    struct ta_alloc *alloc;
};

enum ta_result {
    TA_RESULT_NOT_ATTEMPTED, /* the archive step was not reached */
    TA_RESULT_DRIFTED,
    TA_RESULT_SKIPPED,
    TA_RESULT_ERROR,
    TA_RESULT_ARCHIVED
};

const char *ta_result_name(enum ta_result r);

struct ta_outcome {
    enum ta_result result;
    enum ta_gate gate; /* why it was skipped */
    enum ta_route route;
    bool transfer_done, on_tape;
    struct ta_transfer transfer; /* in the arena */
    unsigned started, cleaned;   /* bits 1 << enum ta_pipeline */
    struct ta_id_spool rules[TA_PIPELINES];
    uint64_t n_expired[TA_PIPELINES], n_failed[TA_PIPELINES]; /* updates of rules */
    struct ta_names parents;
    bool has_archive_marker, is_forced, is_clean, is_logdb_clean, is_delay_expired;
    bool tried_transition; /* the status change was asked for */
    const char *target;
    struct ta_buf alarm; /* texts collected, joined by newlines */
    char reason[240];    /* what stopped it, for people */
    struct ta_arena arena;
};

/* Runs the record through. `locks` are the names no input rule may be expired of. TA_OK, or
 * TA_ECANCELED, TA_ENOMEM when it could not be carried through. *out must be given to
 * ta_outcome_done in any case. */
int ta_flow_run(const struct ta_flow_env *env, const struct ta_record *record,
                const struct ta_hash_set *locks, struct ta_outcome *out, struct ta_err *err);
void ta_outcome_done(struct ta_outcome *o); /* fine on a zeroed struct */

#endif
