/* cmd_completion.c - `tarn completion`: a script that teaches a shell the commands and flags. */
#include "app/complete.h"

#include <stdio.h>
#include <string.h>

enum { SCRIPT_MAX = 256 * 1024 };

static const struct ta_option_table options = {NULL, 0, false};

static const struct {
    const char *shell;
    int (*make)(const struct ta_command *const *commands, size_t n, struct ta_buf *out);
} shells[] = {{"bash", ta_complete_bash}, {"zsh", ta_complete_zsh}, {"fish", ta_complete_fish}};

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct ta_operands words;
    struct ta_err err = {0};
    struct ta_buf script;
    char none;
    int status;

    if (!ta_command_parse(self, argc, argv, &none, &words, &status))
        return status;
    for (size_t i = 0; words.n == 1 && i < TA_COUNT(shells); i++) {
        if (strcmp(words.word[0], shells[i].shell) != 0)
            continue;
        ta_buf_init(&script, &ta_heap, SCRIPT_MAX);
        int r = shells[i].make(ta_commands, ta_n_commands, &script);
        if (r < 0)
            ta_fail(&err, r, "no memory for the script");
        else if (fwrite(script.at, 1, script.len, stdout) != script.len || fflush(stdout) != 0)
            r = ta_fail_sys(&err, "writing the script");
        ta_buf_done(&script);
        return r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
    }
    return ta_command_usage(self, "one of bash, zsh, fish");
}

const struct ta_command ta_cmd_completion = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .summary = "a script that completes commands and flags in a shell",
    .notes = "Packages install the scripts. By hand, for the shell you are in:\n"
             "  source <(tarn completion bash)\n"
             "  tarn completion fish | source\n",
    .options = &options,
    .run = run,
};
