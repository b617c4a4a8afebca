/* complete_zsh_fish.c - the completion scripts of zsh and fish: with the words of --help. */
#include "app/complete.h"

/* ---- zsh -------------------------------------------------------------------------------------- */

/* Inside '...[words]:...': neither quotes nor brackets nor colons of their own. */
static int zsh_text(struct ta_buf *out, const char *text)
{
    int r = TA_OK;

    for (; *text && r == TA_OK; text++) {
        if (*text == '\'')
            r = ta_buf_z(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':')
            r = ta_buf_printf(out, "\\%c", *text);
        else
            r = ta_buf_byte(out, *text);
    }
    return r;
}

static int zsh_flag(const struct ta_option *row, struct ta_buf *out)
{
    int r = ta_buf_printf(out, " \\\n            '%s--%s[", row->kind == TA_OPT_LIST ? "*" : "",
                          row->name);

    if (r == TA_OK)
        r = zsh_text(out, row->help);
    if (r == TA_OK)
        r = ta_buf_byte(out, ']');
    switch (ta_complete_value(row)) {
    case TA_COMPLETE_NONE:
        break;
    case TA_COMPLETE_TEXT:
        r = r == TA_OK ? ta_buf_z(out, ":value: ") : r;
        break;
    case TA_COMPLETE_PATH:
        r = r == TA_OK ? ta_buf_z(out, ":path:_files") : r;
        break;
    case TA_COMPLETE_WORDS:
        r = r == TA_OK ? ta_buf_z(out, ":value:(") : r;
        r = r == TA_OK ? ta_complete_words(out, row->rule) : r;
        r = r == TA_OK ? ta_buf_byte(out, ')') : r;
        break;
    }
    return r == TA_OK ? ta_buf_byte(out, '\'') : r;
}

static int zsh_command(const struct ta_command *c, struct ta_buf *out)
{
    int r = ta_buf_printf(out, "    '%s')\n        _arguments '--help[show the flags]'", c->name);

    for (size_t i = 0; r == TA_OK && i < c->options->n; i++)
        r = zsh_flag(&c->options->rows[i], out);
    if (r == TA_OK && ta_complete_operands(c) == TA_COMPLETE_PATH)
        r = ta_buf_z(out, " \\\n            '*:path:_files'");
    if (r == TA_OK && ta_complete_operands(c) == TA_COMPLETE_WORDS) {
        r = ta_buf_z(out, " \\\n            '1:word:(");
        r = r == TA_OK ? ta_complete_words(out, c->operands) : r;
        r = r == TA_OK ? ta_buf_z(out, ")'") : r;
    }
    return r == TA_OK ? ta_buf_z(out, "\n        ;;\n") : r;
}

/* 'name:summary' of the commands whose first word is `first`; all first words when it is empty. */
static int zsh_names(const struct ta_command *const *commands, size_t n, struct ta_str first,
                     struct ta_buf *out)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < n; i++) {
        struct ta_complete_name name = ta_complete_name(commands[i]);

        if (first.len ? !ta_str_eq(name.first, first) : !ta_complete_is_new(commands, i))
            continue;
        r = ta_buf_printf(
            out, " \\\n            '%.*s:", TA_STR_FMT(first.len ? name.rest : name.first));
        if (r == TA_OK)
            r = zsh_text(out,
                         !first.len && name.rest.len ? "several commands" : commands[i]->summary);
        if (r == TA_OK)
            r = ta_buf_byte(out, '\'');
    }
    return r;
}

int ta_complete_zsh(const struct ta_command *const *commands, size_t n, struct ta_buf *out)
{
    int r = ta_buf_z(out, "#compdef tarn\n"
                          "# zsh completion for tarn, made by `tarn completion zsh`\n"
                          "_tarn() {\n"
                          "    local -a names\n"
                          "    local command=$words[2]\n"
                          "    if (( CURRENT == 2 )); then\n        names=(");

    if (r == TA_OK)
        r = zsh_names(commands, n, (struct ta_str){0}, out);
    if (r == TA_OK)
        r = ta_buf_z(out, ")\n        _describe command names\n        return\n    fi\n"
                          "    shift words\n    (( CURRENT-- ))\n"
                          "    case $command in\n");
    for (size_t i = 0; r == TA_OK && i < n; i++) {
        struct ta_complete_name name = ta_complete_name(commands[i]);

        if (name.rest.len == 0 || !ta_complete_is_new(commands, i))
            continue;
        r = ta_buf_printf(out,
                          "    %.*s)\n        if (( CURRENT == 2 )); then\n            names=(",
                          TA_STR_FMT(name.first));
        if (r == TA_OK)
            r = zsh_names(commands, n, name.first, out);
        if (r == TA_OK)
            r = ta_buf_z(out, ")\n            _describe command names\n            return\n"
                              "        fi\n        command+=\" $words[2]\"\n"
                              "        shift words\n        (( CURRENT-- ))\n        ;;\n");
    }
    if (r == TA_OK)
        r = ta_buf_z(out, "    esac\n    case $command in\n");
    for (size_t i = 0; r == TA_OK && i < n; i++)
        r = zsh_command(commands[i], out);
    return r == TA_OK ? ta_buf_z(out, "    esac\n}\n"
                                      "# loaded by name, or read from `tarn completion zsh`\n"
                                      "if [ \"$funcstack[1]\" = _tarn ]; then _tarn \"$@\"; "
                                      "else compdef _tarn tarn; fi\n")
                      : r;
}

/* ---- fish ------------------------------------------------------------------------------------- */

static int fish_described(struct ta_buf *out, const char *text)
{
    int r = ta_buf_z(out, " -d '");

    if (r == TA_OK)
        r = ta_complete_escape(out, text, "'\\");
    return r == TA_OK ? ta_buf_z(out, "'\n") : r;
}

static int fish_flag(const struct ta_command *c, const struct ta_option *row, struct ta_buf *out)
{
    int r = ta_buf_printf(out, "complete -c tarn -n '__tarn_in %s' -l %s", c->name, row->name);

    switch (ta_complete_value(row)) {
    case TA_COMPLETE_NONE:
        break;
    case TA_COMPLETE_TEXT:
        r = r == TA_OK ? ta_buf_z(out, " -x") : r;
        break;
    case TA_COMPLETE_PATH:
        r = r == TA_OK ? ta_buf_z(out, " -r -F") : r;
        break;
    case TA_COMPLETE_WORDS:
        r = r == TA_OK ? ta_buf_z(out, " -x -a '") : r;
        r = r == TA_OK ? ta_complete_words(out, row->rule) : r;
        r = r == TA_OK ? ta_buf_byte(out, '\'') : r;
        break;
    }
    return r == TA_OK ? fish_described(out, row->help) : r;
}

static int fish_command(const struct ta_command *const *commands, size_t i, struct ta_buf *out)
{
    const struct ta_command *c = commands[i];
    struct ta_complete_name name = ta_complete_name(c);
    int r = TA_OK;

    if (ta_complete_is_new(commands, i)) {
        r = ta_buf_printf(out, "complete -c tarn -n '__tarn_at' -a %.*s", TA_STR_FMT(name.first));
        if (r == TA_OK)
            r = fish_described(out, name.rest.len ? "several commands" : c->summary);
    }
    if (r == TA_OK && name.rest.len) {
        r = ta_buf_printf(out, "complete -c tarn -n '__tarn_at %.*s' -a %.*s",
                          TA_STR_FMT(name.first), TA_STR_FMT(name.rest));
        if (r == TA_OK)
            r = fish_described(out, c->summary);
    }
    for (size_t k = 0; r == TA_OK && k < c->options->n; k++)
        r = fish_flag(c, &c->options->rows[k], out);
    if (r == TA_OK && ta_complete_operands(c) == TA_COMPLETE_PATH)
        r = ta_buf_printf(out, "complete -c tarn -n '__tarn_in %s' -F\n", c->name);
    if (r == TA_OK && ta_complete_operands(c) == TA_COMPLETE_WORDS) {
        r = ta_buf_printf(out, "complete -c tarn -n '__tarn_at %s' -a '", c->name);
        r = r == TA_OK ? ta_complete_words(out, c->operands) : r;
        r = r == TA_OK ? ta_buf_z(out, "'\n") : r;
    }
    return r;
}

int ta_complete_fish(const struct ta_command *const *commands, size_t n, struct ta_buf *out)
{
    int r = ta_buf_z(out, "# fish completion for tarn, made by `tarn completion fish`\n"
                          "# the words before the cursor are these, or begin with them\n"
                          "function __tarn_at\n"
                          "    set -l words (commandline -opc)\n"
                          "    set -e words[1]\n"
                          "    test \"$words\" = \"$argv\"\n"
                          "end\n"
                          "function __tarn_in\n"
                          "    set -l words (commandline -opc)\n"
                          "    set -e words[1]\n"
                          "    set -l n (count $argv)\n"
                          "    test (count $words) -ge $n\n"
                          "    and test \"$words[1..$n]\" = \"$argv\"\n"
                          "end\n"
                          "complete -c tarn -f\n"
                          "complete -c tarn -l help -d 'show the commands or flags'\n"
                          "complete -c tarn -n '__tarn_at' -l version -d 'print the version'\n");

    for (size_t i = 0; r == TA_OK && i < n; i++)
        r = fish_command(commands, i, out);
    return r;
}
