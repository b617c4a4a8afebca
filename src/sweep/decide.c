#include "sweep/decide.h"

const struct ta_pipeline_row ta_pipelines[TA_PIPELINES] = {
    [TA_MSTR_CONT] = {"plineMSTrCont", true, false},
    [TA_MSTR_BLOCK] = {"plineMSTrBlock", true, true},
    [TA_AGENT_CONT] = {"plineAgentCont", false, false},
    [TA_AGENT_BLOCK] = {"plineAgentBlock", false, true},
};

static const struct {
    const char *status, *target;
} targets[] = {
    {"announced", "normal-archived"},
    {"aborted-completed", "aborted-archived"},
    {"rejected", "rejected-archived"},
};

const char *const ta_swept_statuses[TA_SWEPT_STATUSES] = {"announced", "aborted-completed",
                                                          "rejected"};

const char *ta_target_status(struct ta_str status)
{
    for (size_t i = 0; i < TA_COUNT(targets); i++)
        if (ta_str_is(status, targets[i].status))
            return targets[i].target;
    return NULL;
}

bool ta_is_swept(struct ta_str status)
{
    return ta_target_status(status) != NULL;
}

bool ta_is_announced(const struct ta_record *r)
{
    return ta_str_is(r->status, "announced");
}

bool ta_is_resubmission(const struct ta_record *r)
{
    return ta_str_is(r->type, "Resubmission");
}

enum ta_route ta_decide_route(const struct ta_record *r, bool is_transfer_done, bool is_on_tape)
{
    if (!ta_is_swept(r->status))
        return TA_ROUTE_DRIFTED;
    if (ta_is_resubmission(r))
        return TA_ROUTE_FORCE;
    if (ta_is_announced(r) && !is_transfer_done)
        return TA_ROUTE_TRANSFER;
    if (ta_is_announced(r) && !is_on_tape)
        return TA_ROUTE_TAPE;
    return TA_ROUTE_CLEAN;
}

bool ta_is_older(const struct ta_record *r, int64_t now_s, int64_t hours)
{
    int64_t age_s;

    return r->has_transition && !__builtin_sub_overflow(now_s, r->transition_s, &age_s) &&
           age_s > hours * 3600;
}

enum ta_gate ta_decide_gate(const struct ta_gate_facts *f)
{
    if (!f->is_clean && !f->is_forced)
        return TA_GATE_UNCLEAN;
    if (!f->has_target)
        return TA_GATE_TARGET;
    if (!f->is_logdb_clean)
        return TA_GATE_LOGDB;
    if (!f->is_delay_expired)
        return TA_GATE_DELAY;
    return f->is_real ? TA_GATE_NONE : TA_GATE_DRY_RUN;
}

bool ta_gate_alerts(enum ta_gate gate)
{
    return gate == TA_GATE_UNCLEAN || gate == TA_GATE_TARGET || gate == TA_GATE_LOGDB;
}

const char *ta_gate_name(enum ta_gate gate)
{
    static const char *const names[] = {
        [TA_GATE_NONE] = "none",   [TA_GATE_UNCLEAN] = "unclean", [TA_GATE_TARGET] = "target",
        [TA_GATE_LOGDB] = "logdb", [TA_GATE_DELAY] = "delay",     [TA_GATE_DRY_RUN] = "dry-run",
    };

    return names[gate];
}

bool ta_is_clean(unsigned started, unsigned cleaned)
{
    return started && (started & cleaned) == started;
}
