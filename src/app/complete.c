/* complete.c - what the scripts of all shells need, and that of bash. */
#include "app/complete.h"

#include <string.h>
#include <strings.h>

enum ta_complete_value ta_complete_value(const struct ta_option *row)
{
    if (row->kind == TA_OPT_SWITCH)
        return TA_COMPLETE_NONE;
    if (row->kind == TA_OPT_CHOICE)
        return TA_COMPLETE_WORDS;
    if (row->arg && (strcasecmp(row->arg, "FILE") == 0 || strcasecmp(row->arg, "DIR") == 0))
        return TA_COMPLETE_PATH;
    return TA_COMPLETE_TEXT;
}

enum ta_complete_value ta_complete_operands(const struct ta_command *c)
{
    if (!c->operands[0])
        return TA_COMPLETE_NONE;
    if (strchr(c->operands, '|'))
        return TA_COMPLETE_WORDS;
    return strncmp(c->operands, "FILE", 4) == 0 || strncmp(c->operands, "SRC", 3) == 0
               ? TA_COMPLETE_PATH
               : TA_COMPLETE_TEXT;
}

struct ta_complete_name ta_complete_name(const struct ta_command *c)
{
    size_t n = strcspn(c->name, " ");

    return (struct ta_complete_name){{c->name, n}, ta_str(c->name + n + (c->name[n] == ' '))};
}

bool ta_complete_is_new(const struct ta_command *const *commands, size_t i)
{
    struct ta_str first = ta_complete_name(commands[i]).first;

    for (size_t k = 0; k < i; k++)
        if (ta_str_eq(ta_complete_name(commands[k]).first, first))
            return false;
    return true;
}

int ta_complete_escape(struct ta_buf *out, const char *text, const char *special)
{
    int r = TA_OK;

    for (; *text && r == TA_OK; text++) {
        if (strchr(special, *text))
            r = ta_buf_byte(out, '\\');
        if (r == TA_OK)
            r = ta_buf_byte(out, *text);
    }
    return r;
}

int ta_complete_words(struct ta_buf *out, const char *rule)
{
    int r = TA_OK;

    for (; *rule && r == TA_OK; rule++)
        r = *rule == '|' ? ta_buf_byte(out, ' ') : ta_buf_byte(out, *rule);
    return r;
}

/* ---- bash ------------------------------------------------------------------------------------- */

/* Second words of the first word of command i, or flags and values of one command. */
static int bash_seconds(const struct ta_command *const *commands, size_t n, size_t i,
                        struct ta_buf *out)
{
    struct ta_str first = ta_complete_name(commands[i]).first;
    int r = ta_buf_printf(out, "    %.*s)\n        _tarn_offer \"", TA_STR_FMT(first));

    for (size_t k = i; r == TA_OK && k < n; k++) {
        struct ta_complete_name name = ta_complete_name(commands[k]);

        if (ta_str_eq(name.first, first))
            r = ta_buf_printf(out, "%s%.*s", k == i ? "" : " ", TA_STR_FMT(name.rest));
    }
    return r == TA_OK ? ta_buf_z(out, "\" ;;\n") : r;
}

static int bash_values(const struct ta_command *c, struct ta_buf *out)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < c->options->n; i++) {
        const struct ta_option *row = &c->options->rows[i];
        enum ta_complete_value value = ta_complete_value(row);

        if (value == TA_COMPLETE_NONE)
            continue;
        r = ta_buf_printf(out, "        --%s|-%s) ", row->name, row->name);
        if (r == TA_OK && value == TA_COMPLETE_WORDS) {
            r = ta_buf_z(out, "_tarn_offer \"");
            r = r == TA_OK ? ta_complete_words(out, row->rule) : r;
            r = r == TA_OK ? ta_buf_z(out, "\"; return ;;\n") : r;
        } else if (r == TA_OK) {
            r = ta_buf_z(out,
                         value == TA_COMPLETE_PATH ? "_tarn_paths; return ;;\n" : "return ;;\n");
        }
    }
    return r;
}

static int bash_operands(const struct ta_command *c, struct ta_buf *out)
{
    int r;

    switch (ta_complete_operands(c)) {
    case TA_COMPLETE_PATH:
        return ta_buf_z(out, "        [[ $word == -* ]] || _tarn_paths\n");
    case TA_COMPLETE_WORDS:
        r = ta_buf_z(out, "        _tarn_offer \"");
        if (r == TA_OK)
            r = ta_complete_words(out, c->operands);
        return r == TA_OK ? ta_buf_z(out, "\"\n") : r;
    default:
        return TA_OK;
    }
}

static int bash_command(const struct ta_command *c, struct ta_buf *out)
{
    int r = ta_buf_printf(out, "    \"%s\")\n        case \"$before\" in\n", c->name);

    if (r == TA_OK)
        r = bash_values(c, out);
    if (r == TA_OK)
        r = ta_buf_z(out, "        esac\n        _tarn_offer \"");
    for (size_t i = 0; r == TA_OK && i < c->options->n; i++)
        r = ta_buf_printf(out, "--%s ", c->options->rows[i].name);
    if (r == TA_OK)
        r = ta_buf_z(out, "--help\"\n");
    if (r == TA_OK)
        r = bash_operands(c, out);
    return r == TA_OK ? ta_buf_z(out, "        ;;\n") : r;
}

int ta_complete_bash(const struct ta_command *const *commands, size_t n, struct ta_buf *out)
{
    int r = ta_buf_z(out, "# bash completion for tarn, made by `tarn completion bash`\n"
                          "# $word is a local of _tarn\n"
                          "_tarn_offer() { COMPREPLY+=($(compgen -W \"$1\" -- \"$word\")); }\n"
                          "_tarn_paths() { compopt -o filenames 2>/dev/null; "
                          "COMPREPLY+=($(compgen -f -- \"$word\")); }\n"
                          "_tarn() {\n"
                          "    local word=${COMP_WORDS[COMP_CWORD]}\n"
                          "    local before=${COMP_WORDS[COMP_CWORD-1]}\n"
                          "    local command=${COMP_WORDS[1]} at=1\n"
                          "    COMPREPLY=()\n"
                          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        _tarn_offer \"");

    for (size_t i = 0; r == TA_OK && i < n; i++)
        if (ta_complete_is_new(commands, i))
            r = ta_buf_printf(out, "%.*s ", TA_STR_FMT(ta_complete_name(commands[i]).first));
    if (r == TA_OK)
        r = ta_buf_z(out, "--help --version\"\n        return\n    fi\n"
                          "    case \"$command\" in\n    ");
    bool has_two = false;
    for (size_t i = 0; r == TA_OK && i < n; i++) {
        struct ta_complete_name name = ta_complete_name(commands[i]);

        if (name.rest.len == 0 || !ta_complete_is_new(commands, i))
            continue;
        r = ta_buf_printf(out, "%s%.*s", has_two ? "|" : "", TA_STR_FMT(name.first));
        has_two = true;
    }
    if (r == TA_OK)
        r = ta_buf_z(out, ") at=2 command=\"$command ${COMP_WORDS[2]}\" ;;\n    esac\n"
                          "    if [ \"$COMP_CWORD\" -le \"$at\" ]; then\n"
                          "        case \"${COMP_WORDS[1]}\" in\n");
    for (size_t i = 0; r == TA_OK && i < n; i++)
        if (ta_complete_name(commands[i]).rest.len && ta_complete_is_new(commands, i))
            r = bash_seconds(commands, n, i, out);
    if (r == TA_OK)
        r = ta_buf_z(out, "        esac\n        return\n    fi\n    case \"$command\" in\n");
    for (size_t i = 0; r == TA_OK && i < n; i++)
        r = bash_command(commands[i], out);
    return r == TA_OK ? ta_buf_z(out, "    esac\n}\ncomplete -F _tarn tarn\n") : r;
}
