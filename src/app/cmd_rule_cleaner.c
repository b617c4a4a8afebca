/* cmd_rule_cleaner.c - `tarn rule-cleaner run|list|explain` (spec: rule-cleaner 6.6, 7.5, 9). */
#include "app/cleaner_http.h"
#include "app/cleaner_log.h"
#include "app/command.h"
#include "app/signals.h"
#include "sweep/outcome_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 3, GRACE_MS = 30000, TURN_MS = 100, CONFIG_PRINT_MAX = 64 * 1024 };

struct values {
    const char *config, *status;
    bool once, print_config, json;
    int64_t now_s; /* 0: the system's */
};

#define AT(member) offsetof(struct values, member)
#define CONFIG                                                                                     \
    {                                                                                              \
        .name = "config", .kind = TA_OPT_TEXT, .offset = AT(config), .arg = "FILE",                \
        .is_required = true, .help = "configuration (see doc/rule-cleaner.md)"                     \
    }
#define NOW                                                                                        \
    {                                                                                              \
        .name = "now", .kind = TA_OPT_TIME, .offset = AT(now_s), .arg = "TIME", .rule = ">0",      \
        .help = "decide as if it were this time"                                                   \
    }

static const struct ta_option run_rows[] = {
    CONFIG,
    {.name = "once", .kind = TA_OPT_SWITCH, .offset = AT(once), .help = "one cycle, then end"},
    NOW,
    {.name = "json",
     .kind = TA_OPT_SWITCH,
     .offset = AT(json),
     .help = "one line of JSON for each workflow on stdout, the report last"},
    {.name = "print-config",
     .kind = TA_OPT_SWITCH,
     .offset = AT(print_config),
     .help = "print the effective configuration and end"},
};
static const struct ta_option list_rows[] = {
    CONFIG,
    {.name = "status",
     .kind = TA_OPT_TEXT,
     .offset = AT(status),
     .arg = "STATUS",
     .is_required = true,
     .help = "status whose workflows are listed"},
    {.name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json), .help = "an array of names"},
    NOW,
};
static const struct ta_option explain_rows[] = {
    CONFIG,
    {.name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json), .help = "lines of JSON"},
    NOW,
};
static const struct ta_option_table run_options = {run_rows, TA_COUNT(run_rows), false};
static const struct ta_option_table list_options = {list_rows, TA_COUNT(list_rows), false};
static const struct ta_option_table explain_options = {explain_rows, TA_COUNT(explain_rows), false};

/* ---- what all three need ------------------------------------------------------------------------ */

/* The system's clock, its wall stopped at --now. */
struct fixed_clock {
    struct ta_clock clock;
    int64_t wall_ns;
};

static int64_t fixed_wall(struct ta_clock *self)
{
    return TA_CONTAINER(self, struct fixed_clock, clock)->wall_ns;
}

static int64_t system_mono(struct ta_clock *self)
{
    (void)self;
    return ta_mono_ns(&ta_clock_system);
}

struct tool {
    const struct ta_command *self;
    struct values v;
    struct ta_cleaner_log log;
    struct fixed_clock fixed;
    struct ta_cleaner_conf conf;
    struct ta_cleaner cleaner;
    bool has_rest;
};

static const char *env(const char *name)
{
    return getenv(name);
}

/* TA_OK, or *status is what to end with. */
static int open_tool(struct tool *t, int *status)
{
    struct ta_err err = {0};

    ta_cleaner_log_init(&t->log, STDERR_FILENO, TA_LOG_INFO);
    int r = ta_cleaner_conf_load(&t->conf, &ta_vfs_posix, t->v.config, &ta_heap, &t->log.log, &err);
    if (r == TA_OK && t->conf.data.verbose)
        t->log.level = TA_LOG_DEBUG;
    if (r == TA_OK && t->v.print_config)
        return TA_OK; /* needs neither credentials nor services */
    t->fixed = (struct fixed_clock){{fixed_wall, system_mono}, t->v.now_s * 1000000000};
    if (r == TA_OK)
        r = ta_rest_global_init(&err);
    t->has_rest = r == TA_OK;
    if (r == TA_OK)
        r = ta_cleaner_init(&t->cleaner, &t->conf, env,
                            t->v.now_s ? &t->fixed.clock : &ta_clock_system, &t->log.log, &err);
    if (r < 0) {
        (void)ta_command_fail(t->self, &err); /* our own status says more */
        *status = TA_EXIT_USAGE;
    }
    return r;
}

static void close_tool(struct tool *t)
{
    if (t->cleaner.conf)
        ta_cleaner_done(&t->cleaner);
    if (t->has_rest)
        ta_rest_global_done();
    ta_cleaner_conf_done(&t->conf);
    ta_cleaner_log_done(&t->log);
}

static int status_of(int r, const struct ta_sweep_report *report)
{
    if (r == TA_EAGAIN)
        return EXIT_SKIPPED;
    return r < 0 || report->failed || report->lists_failed || report->was_stopped ||
                   report->transition_failed || report->block_failed || report->container_failed
               ? TA_EXIT_FAILED
               : TA_EXIT_OK;
}

/* ---- lines on stdout ---------------------------------------------------------------------------- */

static int write_stdout(struct ta_sink *self, const void *p, size_t n, struct ta_err *err)
{
    (void)self;
    return fwrite(p, 1, n, stdout) == n ? TA_OK : ta_fail_sys(err, "writing the output");
}

static struct ta_sink to_stdout = {write_stdout};

static void print_json(void *self, const struct ta_record *record, struct ta_outcome *outcome)
{
    struct tool *t = self;
    struct ta_err err = {0};

    if (ta_outcome_write(record, outcome, &to_stdout, &ta_heap, &err) < 0)
        ta_logf(&t->log.log, TA_LOG_ERROR, "%s", err.text);
}

static void print_name_json(void *self, struct ta_str name, enum ta_chunk_state state)
{
    (void)self;
    printf("{\"RequestName\":\"%.*s\",\"result\":\"%s\"}\n", TA_STR_FMT(name),
           state == TA_CHUNK_MISSING ? "missing" : "failed");
}

static void print_report(const struct ta_sweep_report *report)
{
    struct ta_json_writer w;
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, CONFIG_PRINT_MAX);
    ta_json_writer_init(&w, &text);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "report");
    ta_json_put_object(&w);
    (void)ta_report_write(report, &w); /* the writer keeps the error */
    ta_json_put_object_end(&w);
    if (ta_json_put_object_end(&w) == TA_OK)
        printf("%.*s\n", (int)text.len, text.at);
    ta_buf_done(&text);
}

static void print_rules(struct ta_outcome *o)
{
    for (size_t p = 0; p < TA_PIPELINES; p++) {
        struct ta_id_cursor at;
        struct ta_str id;

        ta_id_cursor_init(&at, &o->rules[p]);
        while (ta_id_cursor_next(&at, &id, NULL) > 0)
            printf("  would expire   %.*s (%s)\n", TA_STR_FMT(id), ta_pipelines[p].name);
        ta_id_cursor_done(&at);
    }
}

static void print_flag(const char *name, bool value)
{
    printf("  %-14s %s\n", name, value ? "yes" : "no");
}

static void print_people(void *self, const struct ta_record *r, struct ta_outcome *o)
{
    (void)self;
    printf("%.*s\n  %-14s %.*s\n  %-14s %.*s\n", TA_STR_FMT(r->name), "status",
           TA_STR_FMT(r->status), "type", TA_STR_FMT(r->type));
    print_flag("transferred", o->transfer_done);
    print_flag("on tape", o->on_tape);
    print_flag("parents known", r->parentage_resolved);
    for (size_t p = 0; p < TA_PIPELINES; p++)
        if (o->started >> p & 1)
            printf("  %-14s %s, %llu rules\n", ta_pipelines[p].name,
                   o->cleaned >> p & 1 ? "fine" : "failed", (unsigned long long)o->rules[p].n);
    print_rules(o);
    if (o->has_archive_marker) {
        print_flag("clean", o->is_clean);
        print_flag("log clean", o->is_logdb_clean);
        print_flag("delay expired", o->is_delay_expired);
        printf("  %-14s %s\n", "target", o->target ? o->target : "none");
    }
    printf("  %-14s %s, gate %s%s%s\n", "result", ta_result_name(o->result), ta_gate_name(o->gate),
           o->reason[0] ? ": " : "", o->reason);
}

static void print_name_people(void *self, struct ta_str name, enum ta_chunk_state state)
{
    (void)self;
    printf("%.*s\n  %-14s %s\n", TA_STR_FMT(name), "result",
           state == TA_CHUNK_MISSING ? "missing" : "failed");
}

/* ---- run ---------------------------------------------------------------------------------------- */

struct sweeping {
    struct tool *t;
    int r; /* of the last cycle */
    struct ta_sweep_report report;
    _Atomic bool is_over;
};

static void pause_between(struct ta_cleaner *c)
{
    int64_t until = ta_mono_ns(&ta_clock_system) + c->conf->data.interval_s * 1000000000;

    while (!atomic_load(&c->stop_soon) && ta_mono_ns(&ta_clock_system) < until)
        usleep(TURN_MS * 1000);
}

static void *sweep(void *arg)
{
    struct sweeping *s = arg;
    struct ta_cleaner *c = &s->t->cleaner;

    for (;;) {
        s->r = ta_cleaner_cycle(c, &s->report, NULL);
        if (s->t->v.once || atomic_load(&c->stop_soon))
            break;
        pause_between(c);
        if (atomic_load(&c->stop_soon))
            break;
    }
    atomic_store(&s->is_over, true);
    return NULL;
}

/* Until the sweep is over, or a signal came and the time of grace is gone. True when it was
 * asked to stop. */
static bool wait_for_end(struct sweeping *s)
{
    struct ta_cleaner *c = &s->t->cleaner;
    int64_t asked_ns = 0;

    while (!atomic_load(&s->is_over)) {
        enum ta_signal got = TA_SIGNAL_NONE;

        if (asked_ns)
            usleep(TURN_MS * 1000); /* further signals are for the handler that ends us */
        else
            got = ta_signals_wait(TURN_MS);
        if (got == TA_SIGNAL_STOP) {
            ta_logf(&s->t->log.log, TA_LOG_INFO, "stopping: no new chunk is begun");
            asked_ns = ta_mono_ns(&ta_clock_system);
            atomic_store(&c->stop_soon, true);
            ta_signals_arm_abort();
        }
        if (asked_ns && ta_mono_ns(&ta_clock_system) - asked_ns > GRACE_MS * INT64_C(1000000))
            atomic_store(&c->stop_now, true);
    }
    return asked_ns != 0;
}

static int run_loop(struct tool *t)
{
    struct sweeping s = {.t = t};
    struct ta_cleaner_http http = {0};
    struct ta_err err = {0};
    pthread_t thread = 0;
    int r = TA_OK;

    if (!t->v.once)
        r = ta_cleaner_http_start(&http, &t->cleaner, &err);
    if (r == TA_OK && pthread_create(&thread, NULL, sweep, &s) != 0)
        r = ta_fail(&err, TA_ENOMEM, "no thread could be made");
    if (r < 0) {
        ta_cleaner_http_stop(&http);
        return ta_command_fail(t->self, &err);
    }
    bool was_asked = wait_for_end(&s);
    pthread_join(thread, NULL);
    ta_cleaner_http_stop(&http);
    if (t->v.json)
        print_report(&s.report);
    return was_asked || !t->v.once ? TA_EXIT_OK : status_of(s.r, &s.report);
}

static int print_config(struct tool *t)
{
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, CONFIG_PRINT_MAX);
    int r = ta_cleaner_conf_print(&t->conf, &text);
    if (r == TA_OK)
        printf("%.*s\n", (int)text.len, text.at);
    ta_buf_done(&text);
    return r == TA_OK && fflush(stdout) == 0 ? TA_EXIT_OK : TA_EXIT_FAILED;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct tool t = {.self = self};
    struct ta_err err = {0};
    int status = TA_EXIT_USAGE;

    if (!ta_command_parse(self, argc, argv, &t.v, NULL, &status))
        return status;
    if (t.v.now_s && !t.v.once)
        return ta_command_usage(self, "--now needs --once");
    if (ta_signals_block(&err) < 0)
        return ta_command_fail(self, &err);
    if (open_tool(&t, &status) == TA_OK) {
        if (t.v.json) {
            t.cleaner.sweep.watch = print_json;
            t.cleaner.sweep.watch_name = print_name_json;
            t.cleaner.sweep.watcher = &t;
        }
        status = t.v.print_config ? print_config(&t) : run_loop(&t);
    }
    close_tool(&t);
    return status;
}

/* ---- list --------------------------------------------------------------------------------------- */

struct printing {
    bool is_json;
    uint64_t n;
};

static int print_name(void *self, struct ta_str name, struct ta_err *err)
{
    struct printing *p = self;

    if (!ta_is_workflow_name(name))
        return TA_OK; /* as in a cycle: what is no name of a workflow is left out */
    int n = p->is_json ? printf("%s\"%.*s\"", p->n ? "," : "", TA_STR_FMT(name))
                       : printf("%.*s\n", TA_STR_FMT(name));
    p->n++;
    return n < 0 ? ta_fail_sys(err, "writing the output") : TA_OK;
}

static int list(const struct ta_command *self, int argc, char **argv)
{
    struct tool t = {.self = self};
    int status = TA_EXIT_USAGE;

    if (!ta_command_parse(self, argc, argv, &t.v, NULL, &status))
        return status;
    if (open_tool(&t, &status) == TA_OK) {
        struct printing p = {.is_json = t.v.json};
        struct ta_err err = {0};

        if (p.is_json)
            putchar('[');
        int r = ta_services_list(&t.cleaner.services, t.v.status, print_name, &p, &err);
        if (p.is_json)
            printf("]\n");
        status = r == TA_OK && fflush(stdout) == 0 ? TA_EXIT_OK : ta_command_fail(self, &err);
    }
    close_tool(&t);
    return status;
}

/* ---- explain ------------------------------------------------------------------------------------ */

static int explain_names(struct tool *t, const struct ta_operands *words)
{
    struct ta_sweep_conf *sweep_conf = &t->cleaner.sweep;
    struct ta_sweep_report report = {0};
    struct ta_id_spool names;
    struct ta_err err = {0};
    int r = TA_OK;

    sweep_conf->policy.is_real = false; /* whatever the configuration says */
    sweep_conf->policy.sends_alerts = false;
    sweep_conf->workers = sweep_conf->chunks_in_flight = 1; /* in the order asked for */
    sweep_conf->watch = t->v.json ? print_json : print_people;
    sweep_conf->watch_name = t->v.json ? print_name_json : print_name_people;
    sweep_conf->watcher = t;
    ta_id_spool_init(&names, &ta_vfs_posix, sweep_conf->temp_dir, 0, &ta_heap);
    for (size_t i = 0; r == TA_OK && i < words->n; i++)
        r = ta_is_workflow_name(ta_str(words->word[i]))
                ? ta_id_spool_add(&names, ta_str(words->word[i]), &err)
                : ta_fail(&err, TA_EINVAL, "\"%.100s\" is no name of a workflow", words->word[i]);
    if (r == TA_OK)
        r = ta_sweep_names(sweep_conf, &names, &t->cleaner.gauges, &report, &err);
    ta_id_spool_done(&names);
    if (r < 0)
        (void)ta_command_fail(t->self, &err); /* our own status says more */
    return r == TA_EINVAL ? TA_EXIT_USAGE : status_of(r, &report);
}

static int explain(const struct ta_command *self, int argc, char **argv)
{
    struct tool t = {.self = self};
    struct ta_operands words = {0};
    int status = TA_EXIT_USAGE;

    if (!ta_command_parse(self, argc, argv, &t.v, &words, &status))
        return status;
    if (words.n == 0)
        return ta_command_usage(self, "which workflows?");
    if (open_tool(&t, &status) == TA_OK)
        status = explain_names(&t, &words);
    close_tool(&t);
    return status;
}

static const char run_notes[] =
    "Dry run unless the configuration sets enableRealMode. Exit status: 0 the cycle is complete, "
    "1\n"
    "complete with failures, 2 wrong flags or configuration, 3 skipped (locks or all listings are\n"
    "unavailable). Without --once it goes on every `interval` seconds and serves its status.\n";

const struct ta_command ta_cmd_rule_cleaner_run = {
    .name = "rule-cleaner run",
    .operands = "",
    .summary = "expire the replication rules of ended workflows and archive them",
    .notes = run_notes,
    .options = &run_options,
    .run = run,
};

const struct ta_command ta_cmd_rule_cleaner_list = {
    .name = "rule-cleaner list",
    .operands = "",
    .summary = "print the workflows listed under a status",
    .options = &list_options,
    .run = list,
};

const struct ta_command ta_cmd_rule_cleaner_explain = {
    .name = "rule-cleaner explain",
    .operands = "NAME...",
    .summary = "say what a cycle would do with workflows, and why; writes nothing",
    .options = &explain_options,
    .run = explain,
};
