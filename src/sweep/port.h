/* port.h - what a workflow asks of the services around it.
 *
 * The seam between the decisions (workflow.c) and the network (services.c, rucio.c): tests put a
 * table of answers behind it. Every call may block; TA_ECANCELED ends the work. Names are as they
 * stand in documents: unescaped, not empty.
 */
#ifndef TARN_SWEEP_PORT_H
#define TARN_SWEEP_PORT_H

#include "base/arena.h"
#include "base/err.h"
#include "rest/id_spool.h"

struct ta_tape_rule {
    struct ta_str id, dataset;
    struct ta_str state; /* filled by workflow.c */
};

struct ta_transfer {
    bool is_done;
    struct ta_tape_rule *at; /* entries with a rule id, in the arena */
    size_t n;
};

struct ta_alert {
    struct ta_str workflow, status;
    int64_t since_s, now_s;
    struct ta_str description; /* free text, white space runs are made one space */
};

struct ta_port {
    /* State of the output's transfer. Any failure is TA_E*: then it is unknown. */
    int (*transfer)(struct ta_port *self, struct ta_str workflow, struct ta_arena *arena,
                    struct ta_transfer *out, struct ta_err *err);
    /* The parent of a dataset, in the arena; TA_ENOTFOUND when it has none. */
    int (*parent)(struct ta_port *self, struct ta_str dataset, struct ta_arena *arena,
                  struct ta_str *out, struct ta_err *err);
    /* Adds the blocks of a container to `out`. A name that is unknown or no container adds none. */
    int (*blocks)(struct ta_port *self, struct ta_str dataset, struct ta_id_spool *out,
                  struct ta_err *err);
    /* Adds the ids of the account's rules on a name. */
    int (*rules)(struct ta_port *self, struct ta_str did, const char *account,
                 struct ta_id_spool *out, struct ta_err *err);
    /* State of a rule, in the arena. */
    int (*rule_state)(struct ta_port *self, struct ta_str rule, struct ta_arena *arena,
                      struct ta_str *out, struct ta_err *err);
    /* WRITES. A rule that is gone is a success. */
    int (*expire)(struct ta_port *self, struct ta_str rule, struct ta_err *err);
    /* 1 = the workflow has log records, 0 = none. */
    int (*has_log)(struct ta_port *self, struct ta_str workflow, struct ta_err *err);
    /* WRITES. Deletes them; TA_OK only when none is left behind. */
    int (*clean_log)(struct ta_port *self, struct ta_str workflow, struct ta_err *err);
    /* WRITES. TA_OK only when the workflow is known to have the target status. */
    int (*archive)(struct ta_port *self, struct ta_str workflow, const char *target,
                   struct ta_err *err);
    /* Tells people. */
    int (*alert)(struct ta_port *self, const struct ta_alert *alert, struct ta_err *err);
};

#endif
