/* cmd_doctor.c - `tarn doctor`: what is wrong with this machine or configuration, and what to do. */
#include "app/command.h"
#include "app/doctor.h"
#include "app/token.h"
#include "io/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *config, *url, *token, *ca_file;
    int64_t hosts;
    bool json;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "config",
     .kind = TA_OPT_TEXT,
     .offset = AT(config),
     .arg = "FILE",
     .help = "the server's configuration; default ./config.json, else the built-in one"},
    {.name = "hosts",
     .kind = TA_OPT_INT,
     .offset = AT(hosts),
     .arg = "N",
     .rule = ">=0",
     .default_ = "0",
     .help = "nodes that will send; 0: as many as have checkpoints"},
    {.name = "url",
     .kind = TA_OPT_TEXT,
     .offset = AT(url),
     .arg = "URL",
     .help = "a running store to ask as well"},
    {.name = "token",
     .kind = TA_OPT_TEXT,
     .offset = AT(token),
     .arg = "FILE",
     .help = "file that holds the access token (JWT) for it"},
    {.name = "ca-file",
     .kind = TA_OPT_TEXT,
     .offset = AT(ca_file),
     .arg = "FILE",
     .help = "PEM certificates to trust instead of the system's"},
    {.name = "json",
     .kind = TA_OPT_SWITCH,
     .offset = AT(json),
     .help = "the findings as one JSON object"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

static const char *const words[] = {"good", "note", "warning", "bad"};

static enum ta_finding_level worst(const struct ta_findings *f)
{
    enum ta_finding_level level = TA_FINDING_GOOD;

    for (size_t i = 0; i < f->n; i++)
        level = f->at[i].level > level ? f->at[i].level : level;
    return level;
}

static void print_text(const struct ta_findings *f)
{
    static const char *const colours[] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
    bool has_colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

    for (size_t i = 0; i < f->n; i++) {
        const struct ta_finding *x = &f->at[i];
        printf("%s%-8s%s %-12s %s\n", has_colour ? colours[x->level] : "", words[x->level],
               has_colour ? "\033[0m" : "", x->topic, x->what);
        if (x->todo[0])
            printf("%-21s -> %s\n", "", x->todo);
    }
}

static int print_json(const struct ta_findings *f)
{
    struct ta_json_writer w;
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 256 * KiB);
    ta_json_writer_init(&w, &out);
    ta_json_put_object(&w);
    ta_json_member_z(&w, "worst", words[worst(f)]);
    ta_json_put_key(&w, "findings");
    ta_json_put_array(&w);
    for (size_t i = 0; i < f->n; i++) {
        ta_json_put_object(&w);
        ta_json_member_z(&w, "level", words[f->at[i].level]);
        ta_json_member_z(&w, "topic", f->at[i].topic);
        ta_json_member_z(&w, "what", f->at[i].what);
        ta_json_member_z(&w, "todo", f->at[i].todo);
        ta_json_put_object_end(&w);
    }
    ta_json_put_array_end(&w);
    int r = ta_json_put_object_end(&w);
    if (r == TA_OK)
        printf("%.*s\n", (int)out.len, out.at);
    ta_buf_done(&out);
    return r;
}

/* What the configuration's reader warns of is a finding too. */
struct warnings {
    struct ta_log log;
    struct ta_findings *findings;
};

static void on_warning(struct ta_log *log, enum ta_log_level level, const char *text)
{
    struct warnings *w = TA_CONTAINER(log, struct warnings, log);

    if (level >= TA_LOG_WARN)
        ta_finding_add(w->findings, TA_FINDING_WARN, "config", "", "%.300s", text);
}

static void examine(const struct values *v, struct ta_findings *out)
{
    const char *path = v->config                            ? v->config
                       : access("./config.json", F_OK) == 0 ? "./config.json"
                                                            : NULL;
    struct warnings warnings = {{on_warning}, out};
    struct ta_config config;
    struct ta_machine machine;
    struct ta_err err = {0};
    int r = path ? ta_config_load(&config, &ta_vfs_posix, path, &ta_heap, &warnings.log, &err)
                 : ta_config_builtin(&config, &ta_heap, &err);

    if (r < 0) {
        ta_finding_add(out, TA_FINDING_BAD, "config", "doc/config.md names every key", "%.300s",
                       err.text);
        return;
    }
    ta_doctor_probe(&machine, &config, path, v->hosts);
    ta_doctor_judge(out, &config, &machine);
    ta_config_done(&config);
}

static void ask(const struct values *v, struct ta_findings *out)
{
    char token[TA_TOKEN_TEXT_MAX];
    struct ta_asked asked;
    struct ta_err err = {0};

    if (v->token && ta_token_read(v->token, token, &err) < 0) {
        ta_finding_add(out, TA_FINDING_BAD, "tokens", "--token names a file with one line",
                       "%.300s", err.text);
        return;
    }
    ta_doctor_ask(&asked, v->url, v->token ? token : NULL, v->ca_file);
    ta_doctor_judge_store(out, &asked);
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct ta_findings findings = {0};
    struct values v = {0};
    int status;
    int r = TA_OK;

    if (!ta_command_parse(self, argc, argv, &v, NULL, &status))
        return status;
    examine(&v, &findings);
    if (v.url)
        ask(&v, &findings);
    if (v.json)
        r = print_json(&findings);
    else
        print_text(&findings);
    return r < 0 || worst(&findings) == TA_FINDING_BAD ? TA_EXIT_FAILED : TA_EXIT_OK;
}

const struct ta_command ta_cmd_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "what is wrong with this machine or configuration, and what to do",
    .notes =
        "Run it on the machine and as the user that the server will have. It writes a small file "
        "into the\n"
        "checkpoint directory to measure syncs, and removes it. Exit status 1: something is bad.\n",
    .options = &options,
    .run = run};
