#include "sweep/workflow.h"

#include <stdio.h>

enum { ARENA_MAX = 1024 * 1024, SPOOL_MEMORY = 256 * 1024, ALARM_MAX = 16 * 1024 };

struct flow {
    const struct ta_flow_env *env;
    const struct ta_record *record;
    const struct ta_hash_set *locks;
    struct ta_outcome *o;
    int64_t now_s;
    bool has_parent, parent_failed; /* looked up already */
    struct ta_str parent;
};

const char *ta_result_name(enum ta_result r)
{
    static const char *const names[] = {[TA_RESULT_NOT_ATTEMPTED] = "not-attempted",
                                        [TA_RESULT_DRIFTED] = "drifted",
                                        [TA_RESULT_SKIPPED] = "skipped",
                                        [TA_RESULT_ERROR] = "error",
                                        [TA_RESULT_ARCHIVED] = "archived"};

    return names[r];
}

void ta_outcome_done(struct ta_outcome *o)
{
    for (size_t i = 0; i < TA_PIPELINES; i++)
        ta_id_spool_done(&o->rules[i]);
    if (o->alarm.alloc)
        ta_buf_done(&o->alarm);
    if (o->arena.parent)
        ta_arena_done(&o->arena);
    *o = (struct ta_outcome){0};
}

/* What a call's failure means for the rest: going on makes no sense after these. */
static bool is_final(int code)
{
    return code == TA_ECANCELED || code == TA_ENOMEM;
}

/* ---- alarms ------------------------------------------------------------------------------------- */

/* Has the alarm time passed? Then the text is collected. A text that finds no room is dropped:
 * it is for people. */
static bool collect_alarm(struct flow *f, const char *text)
{
    struct ta_buf *b = &f->o->alarm;
    size_t before = b->len;

    if (!ta_is_older(f->record, f->now_s, f->env->policy->alarm_hours))
        return false;
    if (b->len)
        (void)ta_buf_byte(b, '\n');
    if (ta_buf_printf(b, "%s: %.*s", text, TA_STR_FMT(f->record->name)) < 0)
        b->len = before;
    return true;
}

static int send_alert(struct flow *f)
{
    const struct ta_policy *p = f->env->policy;
    const struct ta_record *r = f->record;
    struct ta_err err = {0};
    struct ta_buf text;
    int sent = TA_OK;

    ta_logf(f->env->log, TA_LOG_CRIT, "workflow=%.*s status=%.*s not archived for more than %lld h",
            TA_STR_FMT(r->name), TA_STR_FMT(r->status), (long long)p->alarm_hours);
    if (!p->sends_alerts)
        return TA_OK;
    ta_buf_init(&text, f->env->alloc, (size_t)ALARM_MAX * 2);
    (void)ta_buf_printf(&text,
                        "Workflow %.*s (TransferDone: %s, TransferTape: %s, ParentageResolved: %s) "
                        "has exceeded the Status Advance Timeout of %lld hours in its status %.*s. "
                        "Additional info: %.*s Actions need to be taken!",
                        TA_STR_FMT(r->name), f->o->transfer_done ? "True" : "False",
                        f->o->on_tape ? "True" : "False", r->parentage_resolved ? "True" : "False",
                        (long long)p->alarm_hours, TA_STR_FMT(r->status), (int)f->o->alarm.len,
                        f->o->alarm.at ? f->o->alarm.at : "");
    struct ta_alert alert = {.workflow = r->name,
                             .status = r->status,
                             .since_s = r->transition_s,
                             .now_s = f->now_s,
                             .description = ta_buf_view(&text)};
    sent = f->env->port->alert(f->env->port, &alert, &err);
    ta_buf_done(&text);
    if (sent < 0)
        ta_logf(f->env->log, TA_LOG_ERROR, "workflow=%.*s alert failed: %s", TA_STR_FMT(r->name),
                err.text);
    return is_final(sent) ? sent : TA_OK;
}

/* ---- transfer state ----------------------------------------------------------------------------- */

static int read_transfer(struct flow *f)
{
    struct ta_outcome *o = f->o;
    struct ta_port *port = f->env->port;
    struct ta_err err = {0};
    int r = port->transfer(port, f->record->name, &o->arena, &o->transfer, &err);

    if (r < 0) {
        o->transfer = (struct ta_transfer){0};
        ta_logf(f->env->log, TA_LOG_WARN, "workflow=%.*s transfer state unknown: %s",
                TA_STR_FMT(f->record->name), err.text[0] ? err.text : ta_strerror(r));
        return r == TA_ECANCELED ? r : TA_OK;
    }
    o->transfer_done = o->transfer.is_done;
    o->on_tape = o->transfer_done;
    for (size_t i = 0; o->transfer_done && i < o->transfer.n; i++) {
        struct ta_tape_rule *t = &o->transfer.at[i];
        r = port->rule_state(port, t->id, &o->arena, &t->state, NULL);
        if (r == TA_ECANCELED)
            return r;
        if (r < 0)
            t->state = TA_STR("Missing");
        if (!ta_str_is(t->state, "OK"))
            o->on_tape = false;
    }
    return TA_OK;
}

/* ---- pipelines ---------------------------------------------------------------------------------- */

/* The parent, looked up once a workflow. Without one the pipelines that want it fail. */
static int find_parent(struct flow *f, struct ta_err *err)
{
    const struct ta_record *r = f->record;
    struct ta_port *port = f->env->port;

    if (!r->has_input || !r->include_parents || f->has_parent)
        return TA_OK;
    if (f->parent_failed)
        return ta_fail(err, TA_ENOTFOUND, "the parent of its input is not known");
    f->parent_failed = true;
    if (r->has_many_inputs)
        return ta_fail(err, TA_EINVAL, "parents of more than one input dataset");
    int got = port->parent(port, r->inputs.at[0], &f->o->arena, &f->parent, err);
    if (got < 0)
        return got;
    f->parent_failed = false;
    f->has_parent = true;
    f->o->parents = (struct ta_names){&f->parent, 1};
    return TA_OK;
}

static int collect_blocks(struct flow *f, struct ta_str dataset, const char *account,
                          struct ta_id_spool *rules, struct ta_err *err)
{
    const struct ta_flow_env *env = f->env;
    struct ta_id_cursor at;
    struct ta_id_spool blocks;
    struct ta_str block;
    int r;

    ta_id_spool_init(&blocks, env->vfs, env->temp_dir, SPOOL_MEMORY, env->alloc);
    r = env->port->blocks(env->port, dataset, &blocks, err);
    ta_id_cursor_init(&at, &blocks);
    while (r >= 0 && (r = ta_id_cursor_next(&at, &block, err)) > 0)
        r = env->port->rules(env->port, block, account, rules, err);
    ta_id_cursor_done(&at);
    ta_id_spool_done(&blocks);
    return r < 0 ? r : TA_OK;
}

static int collect_names(struct flow *f, enum ta_pipeline p, const struct ta_names *names,
                         struct ta_err *err)
{
    const struct ta_pipeline_row *row = &ta_pipelines[p];
    const struct ta_policy *policy = f->env->policy;
    const char *account = row->is_mstr ? policy->mstr_account : policy->agent_account;
    struct ta_id_spool *rules = &f->o->rules[p];
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < names->n; i++) {
        struct ta_str name = names->at[i];
        if (row->is_mstr && ta_hash_set_has(f->locks, name)) {
            ta_logf(f->env->log, TA_LOG_INFO, "workflow=%.*s pipeline=%s locked=%.*s",
                    TA_STR_FMT(f->record->name), row->name, TA_STR_FMT(name));
            continue;
        }
        r = row->is_block ? collect_blocks(f, name, account, rules, err)
                          : f->env->port->rules(f->env->port, name, account, rules, err);
    }
    return r < 0 ? r : TA_OK;
}

static int collect(struct flow *f, enum ta_pipeline p, struct ta_err *err)
{
    if (!ta_pipelines[p].is_mstr)
        return collect_names(f, p, &f->record->outputs, err);
    int r = find_parent(f, err);
    if (r == TA_OK)
        r = collect_names(f, p, &f->record->inputs, err);
    if (r == TA_OK)
        r = collect_names(f, p, &f->o->parents, err);
    return r;
}

/* Updates go on after one that failed: each expires a rule on its own. */
static int expire_all(struct flow *f, enum ta_pipeline p, struct ta_err *err)
{
    const struct ta_flow_env *env = f->env;
    struct ta_id_cursor at;
    struct ta_str rule;
    int got, failed = TA_OK;

    ta_id_cursor_init(&at, &f->o->rules[p]);
    while ((got = ta_id_cursor_next(&at, &rule, err)) > 0) {
        if (!env->policy->is_real) {
            ta_logf(env->log, TA_LOG_INFO, "workflow=%.*s pipeline=%s rule=%.*s would be expired",
                    TA_STR_FMT(f->record->name), ta_pipelines[p].name, TA_STR_FMT(rule));
            continue;
        }
        int r = env->port->expire(env->port, rule, err);
        f->o->n_expired[p] += r == TA_OK;
        f->o->n_failed[p] += r < 0;
        failed = r < 0 ? r : failed;
        if (is_final(r))
            break;
    }
    ta_id_cursor_done(&at);
    return got < 0 ? got : failed;
}

static int run_pipeline(struct flow *f, enum ta_pipeline p)
{
    struct ta_err err = {0};
    char text[400];

    f->o->started |= 1u << p;
    int r = collect(f, p, &err);
    if (r == TA_OK)
        r = expire_all(f, p, &err);
    if (r == TA_OK) {
        f->o->cleaned |= 1u << p;
        return TA_OK;
    }
    ta_logf(f->env->log, TA_LOG_ERROR, "workflow=%.*s pipeline=%s failed: %s",
            TA_STR_FMT(f->record->name), ta_pipelines[p].name,
            err.text[0] ? err.text : ta_strerror(r));
    if (r == TA_ECANCELED)
        return r;
    snprintf(text, sizeof(text), "%s failed", ta_pipelines[p].name);
    if (f->o->route == TA_ROUTE_CLEAN)
        (void)collect_alarm(f, text);
    return TA_OK;
}

static int run_pipelines(struct flow *f, size_t n)
{
    int r = TA_OK;

    for (size_t p = 0; r == TA_OK && p < n; p++)
        r = run_pipeline(f, (enum ta_pipeline)p);
    return r;
}

/* ---- archive ------------------------------------------------------------------------------------ */

static int check_log(struct flow *f)
{
    struct ta_port *port = f->env->port;
    struct ta_err err = {0};
    int r = port->has_log(port, f->record->name, &err);

    if (r == 0) {
        f->o->is_logdb_clean = true;
        return TA_OK;
    }
    if (r > 0 && f->o->is_delay_expired && f->env->policy->is_real) {
        r = port->clean_log(port, f->record->name, &err);
        f->o->is_logdb_clean = r == TA_OK;
    }
    if (r < 0)
        ta_logf(f->env->log, TA_LOG_ERROR, "workflow=%.*s log records: %s",
                TA_STR_FMT(f->record->name), err.text);
    return r == TA_ECANCELED ? r : TA_OK;
}

static int change_status(struct flow *f)
{
    struct ta_outcome *o = f->o;
    struct ta_err err = {0};

    o->tried_transition = true;
    int r = f->env->port->archive(f->env->port, f->record->name, o->target, &err);
    o->result = r == TA_OK ? TA_RESULT_ARCHIVED : TA_RESULT_ERROR;
    if (r < 0) {
        snprintf(o->reason, sizeof(o->reason), "status change failed: %.200s", err.text);
        ta_logf(f->env->log, TA_LOG_ERROR, "workflow=%.*s %s", TA_STR_FMT(f->record->name),
                o->reason);
    }
    return r == TA_ECANCELED ? r : TA_OK;
}

static int stop_at_gate(struct flow *f)
{
    static const char *const reasons[] = {
        [TA_GATE_NONE] = "",
        [TA_GATE_UNCLEAN] = "not properly cleaned workflow",
        [TA_GATE_TARGET] = "no archived status can be reached from its status",
        [TA_GATE_LOGDB] = "log records are left",
        [TA_GATE_DELAY] = "the archival delay has not expired",
        [TA_GATE_DRY_RUN] = "dry run",
    };
    struct ta_outcome *o = f->o;

    o->result = o->gate == TA_GATE_TARGET ? TA_RESULT_ERROR : TA_RESULT_SKIPPED;
    snprintf(o->reason, sizeof(o->reason), "%s", reasons[o->gate]);
    if (ta_gate_alerts(o->gate) && collect_alarm(f, reasons[o->gate]))
        return send_alert(f);
    return TA_OK;
}

static int archive(struct flow *f)
{
    const struct ta_policy *p = f->env->policy;
    struct ta_outcome *o = f->o;

    o->has_archive_marker = true;
    o->target = ta_target_status(f->record->status);
    o->is_clean = ta_is_clean(o->started, o->cleaned);
    o->is_delay_expired = ta_is_older(f->record, f->now_s, p->delay_hours);
    if (f->record->broken_history)
        ta_logf(f->env->log, TA_LOG_WARN, "workflow=%.*s has a broken status history",
                TA_STR_FMT(f->record->name));
    int r = check_log(f);
    if (r < 0)
        return r;
    if (!f->record->parentage_resolved && !o->is_forced &&
        collect_alarm(f, "not properly cleaned workflow: 'ParentageResolved' is false")) {
        r = send_alert(f);
        if (r < 0)
            return r;
    }
    struct ta_gate_facts facts = {.is_forced = o->is_forced,
                                  .is_clean = o->is_clean,
                                  .has_target = o->target != NULL,
                                  .is_logdb_clean = o->is_logdb_clean,
                                  .is_delay_expired = o->is_delay_expired,
                                  .is_real = p->is_real};
    o->gate = ta_decide_gate(&facts);
    return o->gate == TA_GATE_NONE ? change_status(f) : stop_at_gate(f);
}

/* ---- dispatch ----------------------------------------------------------------------------------- */

static int wait_for_tape(struct flow *f)
{
    bool is_late = collect_alarm(f, "tape rules are not OK yet");
    int r = run_pipelines(f, TA_MSTR_PIPELINES);

    snprintf(f->o->reason, sizeof(f->o->reason), "output is not on tape yet");
    if (r == TA_OK && is_late && f->env->policy->alerts_tape_pending)
        r = send_alert(f);
    return r;
}

static int dispatch(struct flow *f)
{
    struct ta_outcome *o = f->o;
    int r = TA_OK;

    switch (o->route) {
    case TA_ROUTE_DRIFTED:
        o->result = TA_RESULT_DRIFTED;
        return TA_OK;
    case TA_ROUTE_FORCE:
        o->is_forced = true;
        break;
    case TA_ROUTE_TRANSFER:
        (void)collect_alarm(f, "output is not transferred yet");
        break;
    case TA_ROUTE_TAPE:
        return wait_for_tape(f);
    case TA_ROUTE_CLEAN:
        r = run_pipelines(f, TA_PIPELINES);
        break;
    }
    return r == TA_OK ? archive(f) : r;
}

int ta_flow_run(const struct ta_flow_env *env, const struct ta_record *record,
                const struct ta_hash_set *locks, struct ta_outcome *out, struct ta_err *err)
{
    struct flow f = {
        .env = env, .record = record, .locks = locks, .o = out, .now_s = ta_now_s(env->clock)};
    int r = TA_OK;

    *out = (struct ta_outcome){.parents = record->parents};
    ta_arena_init(&out->arena, env->alloc, ARENA_MAX);
    ta_buf_init(&out->alarm, env->alloc, ALARM_MAX);
    for (size_t i = 0; i < TA_PIPELINES; i++)
        ta_id_spool_init(&out->rules[i], env->vfs, env->temp_dir, SPOOL_MEMORY, env->alloc);
    if (ta_is_announced(record))
        r = read_transfer(&f);
    out->route = ta_decide_route(record, out->transfer_done, out->on_tape);
    if (r == TA_OK)
        r = dispatch(&f);
    if (f.has_parent) { /* it stands in f, which ends here */
        struct ta_str *keep = ta_arena_get(&out->arena, sizeof(*keep));
        if (keep)
            *keep = f.parent;
        out->parents = (struct ta_names){keep, keep != NULL};
    }
    if (r < 0) {
        out->result = TA_RESULT_ERROR;
        ta_fail(err, r, "workflow %.*s: %s", TA_STR_FMT(record->name), ta_strerror(r));
    }
    return r;
}
