/* command.h - the subcommands of `tarn`: one row each, one file each (cmd_<name>.c). */
#ifndef TARN_APP_COMMAND_H
#define TARN_APP_COMMAND_H

#include "app/options.h"

/* Exit status of every command (design: product, "One binary"). */
enum ta_exit {
    TA_EXIT_OK = 0,
    TA_EXIT_FAILED = 1, /* the work failed, in whole or part; a start-up error of the server */
    TA_EXIT_USAGE = 2   /* wrong flags or operands */
};

struct ta_command {
    const char *name;     /* one or two words: "serve", "bench ingest" */
    const char *operands; /* as shown in usage; "" for none */
    const char *summary;  /* one line for the list of commands */
    const char *notes;    /* paragraphs after the flags; may be NULL */
    const struct ta_option_table *options;
    /* argv without program and command names. Returns an exit status. */
    int (*run)(const struct ta_command *self, int argc, char **argv);
};

extern const struct ta_command ta_cmd_serve;
extern const struct ta_command ta_cmd_reference; /* serve under the name cc-metric-store */
extern const struct ta_command ta_cmd_archive;
extern const struct ta_command ta_cmd_convert;
extern const struct ta_command ta_cmd_job_archive_list;
extern const struct ta_command ta_cmd_job_archive_info;
extern const struct ta_command ta_cmd_job_archive_validate;
extern const struct ta_command ta_cmd_job_archive_convert;
extern const struct ta_command ta_cmd_job_archive_import;
extern const struct ta_command ta_cmd_job_archive_migrate;
extern const struct ta_command ta_cmd_job_archive_compress;
extern const struct ta_command ta_cmd_job_archive_remove;
extern const struct ta_command ta_cmd_job_archive_redo;
extern const struct ta_command ta_cmd_inspect;
extern const struct ta_command ta_cmd_query;
extern const struct ta_command ta_cmd_top;
extern const struct ta_command ta_cmd_doctor;
extern const struct ta_command ta_cmd_bench_ingest;
extern const struct ta_command ta_cmd_bench_query;
extern const struct ta_command ta_cmd_bench_demo;
extern const struct ta_command ta_cmd_bench_size;
extern const struct ta_command ta_cmd_rule_cleaner_run;
extern const struct ta_command ta_cmd_rule_cleaner_list;
extern const struct ta_command ta_cmd_rule_cleaner_explain;
extern const struct ta_command ta_cmd_retention_jobs;
extern const struct ta_command ta_cmd_retention_nodes;
extern const struct ta_command ta_cmd_completion;

/* All of them but ta_cmd_reference (commands.c). */
extern const struct ta_command *const ta_commands[];
extern const size_t ta_n_commands;

/* What every run function does first: parses into *values. Returns true to go on; else *status
 * is the exit status: help was printed on stdout, or the usage error on stderr. Commands that
 * take no operands (`operands` is "") refuse them. */
bool ta_command_parse(const struct ta_command *self, int argc, char **argv, void *values,
                      struct ta_operands *operands, int *status);

/* "tarn <command>: <text>" on stderr; returns TA_EXIT_FAILED. */
int ta_command_fail(const struct ta_command *self, const struct ta_err *err);
/* Same with a hint to --help; returns TA_EXIT_USAGE. */
int ta_command_usage(const struct ta_command *self, const char *text);

#endif
