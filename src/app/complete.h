/* complete.h - completion scripts for shells, made from the tables of commands and flags. */
#ifndef TARN_APP_COMPLETE_H
#define TARN_APP_COMPLETE_H

#include "app/command.h"

/* Adds the script to `out`. TA_ENOMEM, TA_ERANGE: of the buffer. */
int ta_complete_bash(const struct ta_command *const *commands, size_t n, struct ta_buf *out);
int ta_complete_zsh(const struct ta_command *const *commands, size_t n, struct ta_buf *out);
int ta_complete_fish(const struct ta_command *const *commands, size_t n, struct ta_buf *out);

/* What a flag's value is completed with. */
enum ta_complete_value {
    TA_COMPLETE_NONE,  /* a switch: it has no value */
    TA_COMPLETE_TEXT,  /* nothing can be offered */
    TA_COMPLETE_WORDS, /* the words of `rule` */
    TA_COMPLETE_PATH   /* files and directories */
};
enum ta_complete_value ta_complete_value(const struct ta_option *row);
/* The same of a command's operands; TA_COMPLETE_WORDS: `operands` is such a rule. */
enum ta_complete_value ta_complete_operands(const struct ta_command *c);

/* The command's first word, and the rest: "bench", "ingest"; rest is empty for one word. */
struct ta_complete_name {
    struct ta_str first, rest;
};
struct ta_complete_name ta_complete_name(const struct ta_command *c);

/* Is this the first of the commands with its first word? */
bool ta_complete_is_new(const struct ta_command *const *commands, size_t i);

/* Adds `text` with a backslash before each character of `special`. */
int ta_complete_escape(struct ta_buf *out, const char *text, const char *special);
/* Adds the words of a rule "a|b|c", parted by blanks. */
int ta_complete_words(struct ta_buf *out, const char *rule);

#endif
