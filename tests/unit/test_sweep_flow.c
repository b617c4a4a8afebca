/* A workflow, from record to outcome, with services that answer from a table. */
#include "fault.h"
#include "sweep/report.h"
#include "sweep/workflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW_S = 1765000000, HOUR_S = 3600, LOG_MAX = 4096 };

/* Services whose every call is noted; `fails` lists calls, by the first words of their note, that fail. */
struct services {
    struct ta_port port;
    char calls[LOG_MAX];
    size_t n;
    const char *fails[4];
    bool is_done, has_records;
    const char *tape_state;
    const char *parent;
    int cancel_after; /* calls; 0: never */
};

static struct services *services_of(struct ta_port *port)
{
    return TA_CONTAINER(port, struct services, port);
}

static int note(struct ta_port *port, struct ta_err *err, const char *verb, struct ta_str what,
                const char *more)
{
    struct services *s = services_of(port);
    size_t from = s->n;

    s->n += (size_t)snprintf(s->calls + s->n, LOG_MAX - s->n, "%s%s %.*s%s%s", s->n ? ";" : "",
                             verb, TA_STR_FMT(what), more[0] ? " " : "", more);
    assert_true(s->n < LOG_MAX);
    if (s->cancel_after && --s->cancel_after == 0)
        return ta_fail(err, TA_ECANCELED, "stopped");
    for (size_t i = 0; i < TA_COUNT(s->fails); i++)
        if (s->fails[i] &&
            strncmp(s->calls + from + (from > 0), s->fails[i], strlen(s->fails[i])) == 0)
            return ta_fail(err, TA_EIO, "injected");
    return TA_OK;
}

static int transfer(struct ta_port *port, struct ta_str workflow, struct ta_arena *arena,
                    struct ta_transfer *out, struct ta_err *err)
{
    struct services *s = services_of(port);
    int r = note(port, err, "transfer", workflow, "");

    if (r < 0)
        return r;
    *out = (struct ta_transfer){.is_done = s->is_done};
    if (s->tape_state) {
        out->at = ta_arena_get(arena, sizeof(*out->at));
        if (!out->at)
            return TA_ENOMEM;
        *out->at = (struct ta_tape_rule){.id = TA_STR("tape"), .dataset = TA_STR("/o")};
        out->n = 1;
    }
    return TA_OK;
}

static int parent(struct ta_port *port, struct ta_str dataset, struct ta_arena *arena,
                  struct ta_str *out, struct ta_err *err)
{
    struct services *s = services_of(port);
    int r = note(port, err, "parent", dataset, "");

    (void)arena;
    if (r == TA_OK && !s->parent)
        return ta_fail(err, TA_ENOTFOUND, "none");
    if (r == TA_OK)
        *out = ta_str(s->parent);
    return r;
}

static int blocks(struct ta_port *port, struct ta_str dataset, struct ta_id_spool *out,
                  struct ta_err *err)
{
    char name[64];
    int r = note(port, err, "blocks", dataset, "");

    snprintf(name, sizeof(name), "%.*s#1", TA_STR_FMT(dataset));
    return r < 0 ? r : ta_id_spool_add(out, ta_str(name), err);
}

static int rules(struct ta_port *port, struct ta_str did, const char *account,
                 struct ta_id_spool *out, struct ta_err *err)
{
    char id[64];
    int r = note(port, err, "rules", did, account);

    snprintf(id, sizeof(id), "r%.*s", TA_STR_FMT(did));
    return r < 0 ? r : ta_id_spool_add(out, ta_str(id), err);
}

static int rule_state(struct ta_port *port, struct ta_str rule, struct ta_arena *arena,
                      struct ta_str *out, struct ta_err *err)
{
    (void)arena;
    *out = ta_str(services_of(port)->tape_state);
    return note(port, err, "state", rule, "");
}

static int expire(struct ta_port *port, struct ta_str rule, struct ta_err *err)
{
    return note(port, err, "EXPIRE", rule, "");
}

static int has_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err)
{
    int r = note(port, err, "log", workflow, "");

    return r < 0 ? r : services_of(port)->has_records;
}

static int clean_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err)
{
    return note(port, err, "CLEANLOG", workflow, "");
}

static int archive(struct ta_port *port, struct ta_str workflow, const char *target,
                   struct ta_err *err)
{
    return note(port, err, "ARCHIVE", workflow, target);
}

static int alert(struct ta_port *port, const struct ta_alert *a, struct ta_err *err)
{
    return note(port, err, "alert", a->workflow, "");
}

static const struct ta_port table_port = {transfer, parent,  blocks,    rules,   rule_state,
                                          expire,   has_log, clean_log, archive, alert};

/* One case: what differs from a clean, old, rejected workflow with one input and one output. */
struct flow_case {
    const char *says;
    const char *status, *type;
    int64_t age_s; /* of its status; 0: 100 h; < 0: unknown */
    bool includes_parents, is_unresolved, has_many_inputs, is_locked, is_dry;
    struct services s;
    enum ta_result result;
    enum ta_gate gate;
    const char *calls;
};

#define CLEANUP                                                                                    \
    "rules /i mstr;EXPIRE r/i;blocks /i;rules /i#1 mstr;EXPIRE r/i#1;"                             \
    "rules /o agent;EXPIRE r/o;blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w"

static const struct flow_case flow_cases[] = {
    {.says = "rejected",
     .result = TA_RESULT_ARCHIVED,
     .calls = CLEANUP ";ARCHIVE w rejected-archived"},
    {.says = "aborted",
     .status = "aborted-completed",
     .result = TA_RESULT_ARCHIVED,
     .calls = CLEANUP ";ARCHIVE w aborted-archived"},
    {.says = "announced, transferred, on tape",
     .status = "announced",
     .s = {.is_done = true, .tape_state = "OK"},
     .result = TA_RESULT_ARCHIVED,
     .calls = "transfer w;state tape;" CLEANUP ";ARCHIVE w normal-archived"},
    {.says = "not transferred",
     .status = "announced",
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = "transfer w;log w"},
    {.says = "transfer state unknown",
     .status = "announced",
     .s = {.is_done = true, .fails = {"transfer"}},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = "transfer w;log w"},
    {.says = "tape stuck: input rules only, no archive",
     .status = "announced",
     .age_s = 800 * HOUR_S,
     .s = {.is_done = true, .tape_state = "STUCK"},
     .result = TA_RESULT_NOT_ATTEMPTED,
     .calls = "transfer w;state tape;rules /i mstr;EXPIRE r/i;blocks /i;rules /i#1 mstr;"
              "EXPIRE r/i#1"},
    {.says = "resubmission",
     .type = "Resubmission",
     .result = TA_RESULT_ARCHIVED,
     .calls = "log w;ARCHIVE w rejected-archived"},
    {.says = "another status",
     .status = "normal-archived",
     .type = "Resubmission",
     .result = TA_RESULT_DRIFTED,
     .calls = ""},
    {.says = "locked input",
     .is_locked = true,
     .result = TA_RESULT_ARCHIVED,
     .calls = "rules /o agent;EXPIRE r/o;blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w;"
              "ARCHIVE w rejected-archived"},
    {.says = "dry run",
     .is_dry = true,
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_DRY_RUN,
     .calls = "rules /i mstr;blocks /i;rules /i#1 mstr;rules /o agent;blocks /o;rules /o#1 agent;"
              "log w"},
    {.says = "exactly as old as the delay",
     .age_s = 48 * HOUR_S,
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_DELAY,
     .calls = CLEANUP},
    {.says = "a second older than the delay",
     .age_s = 48 * HOUR_S + 1,
     .result = TA_RESULT_ARCHIVED,
     .calls = CLEANUP ";ARCHIVE w rejected-archived"},
    {.says = "no known beginning",
     .age_s = -1,
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_DELAY,
     .calls = CLEANUP},
    {.says = "log records, old",
     .s = {.has_records = true},
     .result = TA_RESULT_ARCHIVED,
     .calls = CLEANUP ";CLEANLOG w;ARCHIVE w rejected-archived"},
    {.says = "log records, old, dry run",
     .is_dry = true,
     .s = {.has_records = true},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_LOGDB,
     .calls = "rules /i mstr;blocks /i;rules /i#1 mstr;rules /o agent;blocks /o;rules /o#1 agent;"
              "log w"},
    {.says = "log records, fresh",
     .age_s = HOUR_S,
     .s = {.has_records = true},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_LOGDB,
     .calls = CLEANUP},
    {.says = "log not readable: nothing is deleted",
     .s = {.has_records = true, .fails = {"log"}},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_LOGDB,
     .calls = CLEANUP},
    {.says = "a listing fails: nothing of its pipeline, and an alert",
     .age_s = 800 * HOUR_S,
     .s = {.fails = {"rules /i#1"}},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = "rules /i mstr;EXPIRE r/i;blocks /i;rules /i#1 mstr;rules /o agent;EXPIRE r/o;"
              "blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w;alert w"},
    {.says = "an update fails",
     .s = {.fails = {"EXPIRE r/o"}},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = CLEANUP},
    {.says = "parents",
     .includes_parents = true,
     .s = {.parent = "/p"},
     .result = TA_RESULT_ARCHIVED,
     .calls = "parent /i;rules /i mstr;rules /p mstr;EXPIRE r/i;EXPIRE r/p;blocks /i;"
              "rules /i#1 mstr;blocks /p;rules /p#1 mstr;EXPIRE r/i#1;EXPIRE r/p#1;"
              "rules /o agent;EXPIRE r/o;blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w;"
              "ARCHIVE w rejected-archived"},
    {.says = "no parent",
     .includes_parents = true,
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = "parent /i;rules /o agent;EXPIRE r/o;blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w"},
    {.says = "parents of many inputs",
     .includes_parents = true,
     .has_many_inputs = true,
     .s = {.parent = "/p"},
     .result = TA_RESULT_SKIPPED,
     .gate = TA_GATE_UNCLEAN,
     .calls = "rules /o agent;EXPIRE r/o;blocks /o;rules /o#1 agent;EXPIRE r/o#1;log w"},
    {.says = "unresolved parentage only alerts",
     .is_unresolved = true,
     .age_s = 800 * HOUR_S,
     .result = TA_RESULT_ARCHIVED,
     .calls = CLEANUP ";alert w;ARCHIVE w rejected-archived"},
    {.says = "the status change fails",
     .s = {.fails = {"ARCHIVE"}},
     .result = TA_RESULT_ERROR,
     .calls = CLEANUP ";ARCHIVE w rejected-archived"},
};

static int run_case(const struct flow_case *c, struct ta_alloc *alloc, struct services *s,
                    struct ta_outcome *o, struct ta_sweep_report *report)
{
    struct ta_str input = TA_STR("/i"), output = TA_STR("/o");
    int64_t age_s = c->age_s ? c->age_s : 100 * HOUR_S;
    struct ta_record record = {.name = TA_STR("w"),
                               .type = ta_str(c->type ? c->type : "TaskChain"),
                               .status = ta_str(c->status ? c->status : "rejected"),
                               .inputs = {&input, 1},
                               .outputs = {&output, 1},
                               .has_input = true,
                               .has_many_inputs = c->has_many_inputs,
                               .include_parents = c->includes_parents,
                               .parentage_resolved = !c->is_unresolved,
                               .has_transition = age_s >= 0,
                               .transition_s = NOW_S - age_s};
    struct ta_policy policy = {.mstr_account = "mstr",
                               .agent_account = "agent",
                               .delay_hours = 48,
                               .alarm_hours = 720,
                               .is_real = !c->is_dry,
                               .sends_alerts = true};
    struct ta_clock_manual clock;
    struct ta_hash_set locks;

    ta_clock_manual_init(&clock, NOW_S);
    ta_hash_set_init(&locks, 1, &ta_heap);
    if (c->is_locked)
        assert_int_equal(ta_hash_set_add(&locks, input), 1);
    *s = c->s;
    s->port = table_port;
    struct ta_flow_env env = {.policy = &policy,
                              .port = &s->port,
                              .clock = &clock.clock,
                              .vfs = &ta_vfs_posix,
                              .temp_dir = "/tmp",
                              .alloc = alloc};
    int r = ta_flow_run(&env, &record, &locks, o, NULL);
    ta_hash_set_done(&locks);
    ta_report_add(report, o);
    return r;
}

static void every_row_of_the_decision_tables_makes_its_calls_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(flow_cases); i++) {
        const struct flow_case *c = &flow_cases[i];
        struct ta_sweep_report report = {0};
        struct ta_outcome o;
        struct services s;

        assert_int_equal(run_case(c, &ta_heap, &s, &o, &report), TA_OK);
        if (strcmp(s.calls, c->calls) != 0 || o.result != c->result || o.gate != c->gate)
            fail_msg("%s:\n  %s gate %s\n  calls %s\n  not   %s", c->says, ta_result_name(o.result),
                     ta_gate_name(o.gate), s.calls, c->calls);
        assert_int_equal(report.total, o.result != TA_RESULT_DRIFTED);
        assert_int_equal(report.normal_archived + report.force_archived,
                         o.result == TA_RESULT_ARCHIVED);
        ta_outcome_done(&o);
    }
}

static void refused_memory_never_archives_what_is_not_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(flow_cases); i++) {
        const struct flow_case *c = &flow_cases[i];
        for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
            struct ta_sweep_report report = {0};
            struct ta_outcome o;
            struct services s;
            int r = run_case(c, &f.alloc, &s, &o, &report);
            /* Whatever is written is written by the undisturbed run too. */
            if (strstr(s.calls, "ARCHIVE"))
                assert_non_null(strstr(c->calls, "ARCHIVE"));
            if (strstr(s.calls, "EXPIRE r/i"))
                assert_non_null(strstr(c->calls, "EXPIRE r/i"));
            ta_outcome_done(&o);
            fault_judge(&f, r);
        }
    }
}

static void a_stop_between_two_calls_ends_the_workflow_there(void **state)
{
    struct flow_case c = {.status = "announced", .s = {.is_done = true, .tape_state = "OK"}};

    (void)state;
    for (c.s.cancel_after = 1; c.s.cancel_after < 13; c.s.cancel_after++) {
        struct ta_sweep_report report = {0};
        struct ta_outcome o;
        struct services s;
        int n_calls = 1;

        assert_int_equal(run_case(&c, &ta_heap, &s, &o, &report), TA_ECANCELED);
        for (const char *p = s.calls; *p; p++)
            n_calls += *p == ';';
        assert_int_equal(n_calls, c.s.cancel_after);
        assert_int_equal(o.result, TA_RESULT_ERROR);
        ta_outcome_done(&o);
    }
}

static void gates_stop_in_their_order(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct ta_gate_facts f = {.is_forced = bits & 1,
                                  .is_clean = bits & 2,
                                  .has_target = bits & 4,
                                  .is_logdb_clean = bits & 8,
                                  .is_delay_expired = bits & 16,
                                  .is_real = bits & 32};
        enum ta_gate want = !(bits & 3)    ? TA_GATE_UNCLEAN
                            : !(bits & 4)  ? TA_GATE_TARGET
                            : !(bits & 8)  ? TA_GATE_LOGDB
                            : !(bits & 16) ? TA_GATE_DELAY
                            : !(bits & 32) ? TA_GATE_DRY_RUN
                                           : TA_GATE_NONE;
        assert_int_equal(ta_decide_gate(&f), want);
    }
}

static void a_workflow_is_clean_when_all_that_started_ended_well(void **state)
{
    (void)state;
    assert_false(ta_is_clean(0, 0));
    assert_true(ta_is_clean(3, 3));
    assert_false(ta_is_clean(15, 7));
    assert_true(ta_is_clean(15, 15));
}

static void a_status_in_the_future_or_far_past_is_no_overflow(void **state)
{
    struct ta_record r = {.has_transition = true, .transition_s = INT64_MIN};

    (void)state;
    assert_false(ta_is_older(&r, NOW_S, 48));
    r.transition_s = NOW_S + 10;
    assert_false(ta_is_older(&r, NOW_S, 0));
    r.transition_s = NOW_S - 1;
    assert_true(ta_is_older(&r, NOW_S, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_decision_tables_makes_its_calls_and_no_other),
        cmocka_unit_test(refused_memory_never_archives_what_is_not_clean),
        cmocka_unit_test(a_stop_between_two_calls_ends_the_workflow_there),
        cmocka_unit_test(gates_stop_in_their_order),
        cmocka_unit_test(a_workflow_is_clean_when_all_that_started_ended_well),
        cmocka_unit_test(a_status_in_the_future_or_far_past_is_no_overflow),
    };

    return cmocka_run_group_tests_name("workflows", tests, NULL, NULL);
}
