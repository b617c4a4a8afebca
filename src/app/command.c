#include "app/command.h"

#include <stdio.h>

enum { HELP_MAX = 64 * 1024 };

static void print_help(const struct ta_command *self)
{
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, HELP_MAX);
    (void)ta_options_help(self->options, &text); /* a cut text is still help */
    printf("usage: tarn %s [flags]%s%s\n\n%s\n\nFlags:\n%.*s  %-28sshow this\n", self->name,
           self->operands[0] ? " " : "", self->operands, self->summary, (int)text.len,
           text.at ? text.at : "", "--help");
    if (self->notes)
        printf("\n%s", self->notes);
    ta_buf_done(&text);
}

int ta_command_fail(const struct ta_command *self, const struct ta_err *err)
{
    fprintf(stderr, "tarn %s: %s\n", self->name, err->text[0] ? err->text : ta_strerror(err->code));
    return TA_EXIT_FAILED;
}

int ta_command_usage(const struct ta_command *self, const char *text)
{
    fprintf(stderr, "tarn %s: %s\nRun `tarn %s --help` for its flags.\n", self->name, text,
            self->name);
    return TA_EXIT_USAGE;
}

bool ta_command_parse(const struct ta_command *self, int argc, char **argv, void *values,
                      struct ta_operands *operands, int *status)
{
    struct ta_operands unused;
    struct ta_err err = {0};

    if (!operands)
        operands = &unused;
    int r = ta_options_parse(self->options, argc, argv, values, operands, &err);
    if (r == TA_ECANCELED) {
        print_help(self);
        *status = TA_EXIT_OK;
        return false;
    }
    if (r == TA_OK && operands->n > 0 && !self->operands[0])
        r = ta_fail(&err, TA_EINVAL, "unexpected word \"%.80s\"", operands->word[0]);
    if (r < 0) {
        *status = ta_command_usage(self, err.text);
        return false;
    }
    return true;
}
