/* cmd_serve.c - `tarn serve`, also under the name cc-metric-store.
 *
 * Flags are the reference's and ours in one table; the main thread only takes signals, tells the
 * service manager and ends windows of the log. (spec: config 1, 3, 5; metric-store 12)
 */
#include "app/cleanup.h"
#include "app/command.h"
#include "app/job_import.h"
#include "app/job_rebuild.h"
#include "app/notify.h"
#include "app/privileges.h"
#include "app/server.h"
#include "app/signals.h"
#include "app/stderr_log.h"
#include "jobs/schema.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_MS = 30000, /* for running requests, as the reference */
    TICK_MS = 1000
};

struct values {
    const char *config, *loglevel, *import_job;
    bool logdate, dev, gops, version, cleanup, check_config, migrate, init_db;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "config",
     .kind = TA_OPT_TEXT,
     .offset = AT(config),
     .arg = "FILE",
     .help = "configuration; ./config.json if that exists, else a loopback default"},
    {.name = "check-config",
     .kind = TA_OPT_SWITCH,
     .offset = AT(check_config),
     .help = "check the configuration and exit"},
    {.name = "loglevel",
     .kind = TA_OPT_TEXT,
     .offset = AT(loglevel),
     .arg = "LEVEL",
     .help = "debug, info, warn (default), err, fatal, crit"},
    {.name = "logdate",
     .kind = TA_OPT_SWITCH,
     .offset = AT(logdate),
     .help = "put date and time into log lines"},
    {.name = "dev",
     .kind = TA_OPT_SWITCH,
     .offset = AT(dev),
     .help = "accepted; tarn has no Swagger pages"},
    {.name = "gops",
     .kind = TA_OPT_SWITCH,
     .offset = AT(gops),
     .help = "accepted; there is no Go runtime to look into"},
    {.name = "cleanup-checkpoints",
     .kind = TA_OPT_SWITCH,
     .offset = AT(cleanup),
     .help = "one clean-up of old checkpoint files, then exit"},
    {.name = "migrate-db",
     .kind = TA_OPT_SWITCH,
     .offset = AT(migrate),
     .help = "bring main.db to the version of this tarn, then exit"},
    {.name = "init-db",
     .kind = TA_OPT_SWITCH,
     .offset = AT(init_db),
     .help = "make the table of jobs of main.db anew from the archive, then exit"},
    {.name = "import-job",
     .kind = TA_OPT_TEXT,
     .offset = AT(import_job),
     .arg = "META:DATA",
     .help = "put a job's two files, or several pairs with commas, into archive and main.db, then "
             "exit"},
    {.name = "version",
     .kind = TA_OPT_SWITCH,
     .offset = AT(version),
     .help = "print the version and exit"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), true};

struct process {
    struct values v;
    const char *path; /* of the configuration; NULL: built-in */
    bool is_reference;
    struct ta_stderr_log log;
    struct ta_notify notify;
    struct ta_config config;
    struct ta_server server;
};

static void set_level(struct process *p)
{
    enum ta_log_level level = TA_LOG_WARN;
    const char *word = p->v.loglevel ? p->v.loglevel : p->config.tarn.log_level;

    if (word && ta_log_level_parse(word, &level) < 0) {
        fprintf(stderr,
                "\"%s\" is no log level (debug, info, warn, err, fatal, crit); "
                "using debug\n",
                word);
        level = TA_LOG_DEBUG;
    }
    p->log.level = (int)level;
}

static int load_config(struct process *p, struct ta_config *out, struct ta_err *err)
{
    const char *path = p->v.config ? p->v.config : "./config.json";

    if (!p->v.config && !p->is_reference && access(path, F_OK) < 0) {
        p->path = NULL;
        return ta_config_builtin(out, &ta_heap, err);
    }
    p->path = path;
    int r = ta_config_load(out, &ta_vfs_posix, path, &ta_heap, &p->log.log, err);
    /* The reference takes a missing file for an empty configuration. */
    if (r == TA_ENOTFOUND && p->is_reference) {
        *err = (struct ta_err){0};
        return ta_fail(err, TA_EINVAL, "%.200s: main configuration must be present", path);
    }
    return r;
}

static void warn(struct process *p)
{
    const struct ta_config *c = &p->config;
    struct ta_log *log = &p->log.log;

    if (p->v.gops || p->v.dev)
        ta_logf(log, TA_LOG_WARN, "-gops and -dev have no effect in tarn");
    if (!c->main.jwt_public_key[0])
        ta_logf(log, TA_LOG_WARN,
                "main.jwt-public-key is not set: EVERYBODY who can reach %s may write, read and "
                "free all data (tarn.require-auth refuses such a start)",
                c->main.addr);
    if ((c->store.n_subscriptions || c->tarn.n_jetstream) && !c->nats.address[0])
        ta_logf(log, TA_LOG_WARN, "there are NATS subjects to read, but no nats.address");
}

static void reload(struct process *p)
{
    struct ta_err err = {0};
    struct ta_config next;

    ta_notify_reloading(&p->notify, ta_mono_ns(&ta_clock_system));
    if (!p->path) {
        ta_logf(&p->log.log, TA_LOG_WARN, "reload: there is no configuration file");
    } else if (ta_config_load(&next, &ta_vfs_posix, p->path, &ta_heap, &p->log.log, &err) < 0) {
        ta_logf(&p->log.log, TA_LOG_ERROR, "reload: nothing is changed: %s", err.text);
    } else {
        enum ta_log_level level;

        ta_server_reload(&p->server, &next);
        if (!p->v.loglevel && ta_log_level_parse(next.tarn.log_level, &level) == TA_OK)
            p->log.level = (int)level;
        ta_config_done(&next);
        ta_logf(&p->log.log, TA_LOG_INFO, "reload: done");
    }
    ta_notify_send(&p->notify, "READY=1\nSTATUS=running");
}

/* Until a signal to stop. */
static void wait(struct process *p)
{
    int64_t pinged = 0;

    for (;;) {
        switch (ta_signals_wait(TICK_MS)) {
        case TA_SIGNAL_STOP:
            return;
        case TA_SIGNAL_RELOAD:
            reload(p);
            break;
        case TA_SIGNAL_CHECKPOINT:
            (void)ta_safe_ask_checkpoint(&p->server.safe); /* its end is said in the log */
            break;
        case TA_SIGNAL_NONE:
            break;
        }
        ta_stderr_log_tick(&p->log);
        int64_t now = ta_mono_ns(&ta_clock_system);
        if (p->notify.watchdog_ns && now - pinged >= p->notify.watchdog_ns) {
            pinged = now;
            ta_notify_send(&p->notify, "WATCHDOG=1");
        }
    }
}

static void stop(struct process *p)
{
    ta_signals_arm_abort();
    ta_notify_send(&p->notify, "STOPPING=1\nSTATUS=Shutting down ...");
    struct ta_err err = {0};
    int cut = 0;
    if (ta_server_stop(&p->server, STOP_MS, &cut, &err) < 0)
        ta_logf(&p->log.log, TA_LOG_ERROR,
                "the last checkpoint failed, the log has what it lacks: %s", err.text);
    if (cut > 0)
        ta_logf(&p->log.log, TA_LOG_WARN, "%d requests were cut by the stop", cut);
    printf("Graceful shutdown completed!\n");
    fflush(stdout);
}

static int serve(struct process *p, struct ta_err *err)
{
    const struct ta_config *c = &p->config;
    int r = ta_signals_block(err);

    if (r == TA_OK)
        r = ta_server_open(&p->server, c, &ta_clock_system, &p->log.log, err);
    if (r < 0)
        return r;
    p->server.own.log_suppressed = &p->log.n_held_back; /* read once requests come */
    r = ta_privileges_drop(c->main.user, c->main.group, err);
    if (r == TA_OK)
        r = ta_server_start(&p->server, err);
    if (r == TA_OK) {
        ta_logf(&p->log.log, TA_LOG_INFO, "%s server listening at %s (port %u)",
                p->server.is_tls ? "HTTPS" : "HTTP", c->main.addr,
                ta_http_server_port(p->server.http));
        ta_notify_send(&p->notify, "READY=1\nSTATUS=running");
        wait(p);
        stop(p);
    }
    ta_server_close(&p->server);
    return r;
}

/* The words of the reference, which ends them without a newline. */
static int clean_up(struct process *p)
{
    struct ta_archive_result result;
    struct ta_err err = {0};
    struct ta_cleanup what = {.config = &p->config,
                              .clock = &ta_clock_system,
                              .log = &p->log.log,
                              .retention_ns = p->config.store.retention_ns};
    int r = ta_cleanup_run(&what, &result, &err);

    if (r < 0) {
        ta_logf(&p->log.log, TA_LOG_CRIT, "%s", err.text[0] ? err.text : ta_strerror(r));
        return TA_EXIT_FAILED;
    }
    printf(p->config.store.cleanup_mode[0] == 'a'
               ? "Cleanup done: %llu checkpoint files archived to parquet."
               : "Cleanup done: %llu checkpoint files deleted.",
           (unsigned long long)result.files);
    return TA_EXIT_OK;
}

/* Without this every thread has a heap of its own in the C library, and what one thread frees the others cannot
 * use: at the memory cap the process would hold the cap several times over. Samples in the steady state allocate
 * nothing, so that one heap holds nobody up. */
static void share_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1); /* at worst as before */
}

static int migrate(struct process *p)
{
    const struct ta_job_schema_options schema = {true, p->config.tarn.all_job_indexes};
    const char *path = p->config.main.db;
    struct ta_err err = {0};
    int r = path[0] ? ta_job_desk_prepare(path, &schema, &err)
                    : ta_fail(&err, TA_EINVAL, "-migrate-db: main.db is not set");

    if (r < 0) {
        ta_logf(&p->log.log, TA_LOG_CRIT, "%s", err.text);
        return TA_EXIT_FAILED;
    }
    printf("%s: version %d\n", path, TA_JOB_SCHEMA_VERSION);
    return TA_EXIT_OK;
}

static int init_db(struct process *p)
{
    struct ta_job_rebuilt done;
    struct ta_err err = {0};
    int r = ta_job_rebuild(&p->config, NULL, &p->log.log, &done, &err);

    if (r < 0)
        ta_logf(&p->log.log, TA_LOG_CRIT, "%s", err.text);
    printf(
        "%s: %llu jobs out of the archive, %llu left as they are newer, %llu gone, %llu failed\n",
        p->config.main.db, (unsigned long long)done.put, (unsigned long long)done.newer,
        (unsigned long long)done.gone, (unsigned long long)done.failed);
    return r < 0 || done.failed ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static int import_jobs(struct process *p)
{
    struct ta_err err = {0};
    unsigned n;
    int r = ta_job_import(&p->config, p->v.import_job, &n, &err);

    if (r < 0)
        ta_logf(&p->log.log, TA_LOG_CRIT, "%s", err.text);
    printf("%s: %u jobs imported\n", p->config.main.db, n);
    return r < 0 ? TA_EXIT_FAILED : TA_EXIT_OK;
}

/* Everything between the flags and the end of the process. */
static int start(struct process *p)
{
    struct ta_err err = {0};
    int r = load_config(p, &p->config, &err);

    if (r == TA_OK) {
        set_level(p);
        if (p->v.check_config) {
            printf("%s: good (%zu metrics)\n", p->path ? p->path : "built-in configuration",
                   p->config.n_metrics);
            return TA_EXIT_OK;
        }
        if (p->v.cleanup)
            return clean_up(p);
        if (p->v.migrate)
            return migrate(p);
        if (p->v.init_db)
            return init_db(p);
        if (p->v.import_job)
            return import_jobs(p);
        warn(p);
        struct ta_err why = {0};
        if (ta_notify_init(&p->notify, &why) < 0)
            ta_logf(&p->log.log, TA_LOG_WARN, "%s", why.text);
        r = serve(p, &err);
        ta_notify_done(&p->notify);
    }
    if (r < 0)
        ta_logf(&p->log.log, TA_LOG_CRIT, "%s", err.text[0] ? err.text : ta_strerror(r));
    return r < 0 ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct process *p = ta_alloc_zero(&ta_heap, 1, sizeof(*p));
    int status = TA_EXIT_FAILED;

    if (!p)
        return status;
    share_heap();
    p->is_reference = self == &ta_cmd_reference;
    if (!ta_command_parse(self, argc, argv, &p->v, NULL, &status)) {
        ta_release(&ta_heap, p, sizeof(*p));
        return status;
    }
    if (p->v.version) {
        printf("Version:\t%s\nGit hash:\t%s\nBuild time:\t%s\n", TARN_VERSION, "-", "-");
        ta_release(&ta_heap, p, sizeof(*p));
        return TA_EXIT_OK;
    }
    ta_stderr_log_init(&p->log, STDERR_FILENO, &ta_clock_system);
    p->log.has_date = p->v.logdate;
    p->notify.fd = -1;
    set_level(p);
    status = start(p);
    ta_config_done(&p->config);
    ta_stderr_log_done(&p->log);
    ta_release(&ta_heap, p, sizeof(*p));
    return status;
}

static const char notes[] = "Signals: SIGTERM, SIGINT stop; SIGHUP reads the configuration again.\n"
                            "The configuration is described in doc/config.md.\n";

const struct ta_command ta_cmd_serve = {.name = "serve",
                                        .operands = "",
                                        .summary =
                                            "the metric store: takes samples, answers queries",
                                        .notes = notes,
                                        .options = &options,
                                        .run = run};

const struct ta_command ta_cmd_reference = {.name = "serve",
                                            .operands = "",
                                            .summary = "the metric store, as cc-metric-store",
                                            .notes = notes,
                                            .options = &options,
                                            .run = run};
