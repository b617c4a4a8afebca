/* commands.c - all subcommands, in the order in which `tarn --help` lists them. */
#include "app/command.h"

const struct ta_command *const ta_commands[] = {
    &ta_cmd_serve,
    &ta_cmd_query,
    &ta_cmd_top,
    &ta_cmd_doctor,
    &ta_cmd_archive,
    &ta_cmd_bench_ingest,
    &ta_cmd_bench_query,
    &ta_cmd_bench_demo,
    &ta_cmd_bench_size,
    &ta_cmd_inspect,
    &ta_cmd_convert,
    &ta_cmd_job_archive_list,
    &ta_cmd_job_archive_info,
    &ta_cmd_job_archive_validate,
    &ta_cmd_job_archive_convert,
    &ta_cmd_job_archive_import,
    &ta_cmd_job_archive_migrate,
    &ta_cmd_job_archive_compress,
    &ta_cmd_job_archive_remove,
    &ta_cmd_job_archive_redo,
    &ta_cmd_rule_cleaner_run,
    &ta_cmd_rule_cleaner_list,
    &ta_cmd_rule_cleaner_explain,
    &ta_cmd_retention_jobs,
    &ta_cmd_retention_nodes,
    &ta_cmd_completion,
};

const size_t ta_n_commands = TA_COUNT(ta_commands);
