/* options.h - the flags of a subcommand: one table, from which parsing and --help come.
 *
 * Syntax, the same for every command and a superset of the reference's (spec: config 1): one
 * dash or two, `--name value` or `--name=value`, switches alone or with =true, =false, =1, =0,
 * =t, =f; `--` ends the flags. Values land in a struct of the command's own at the row's offset.
 */
#ifndef TARN_APP_OPTIONS_H
#define TARN_APP_OPTIONS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ta_opt_kind {
    TA_OPT_SWITCH,   /* bool */
    TA_OPT_TEXT,     /* const char *, borrowed from argv */
    TA_OPT_CHOICE,   /* const char *, one of the words in `rule`, separated by | */
    TA_OPT_LIST,     /* struct ta_opt_list; given several times or separated by commas */
    TA_OPT_INT,      /* int64_t */
    TA_OPT_REAL,     /* double */
    TA_OPT_SIZE,     /* uint64_t bytes: 32MiB */
    TA_OPT_DURATION, /* int64_t ns: 48h, 90m */
    TA_OPT_TIME      /* int64_t Unix seconds: seconds or RFC 3339 */
};

enum { TA_OPT_LIST_MAX = 256 };

struct ta_opt_list {
    struct ta_str item[TA_OPT_LIST_MAX]; /* slices of argv */
    size_t n;
};

struct ta_option {
    const char *name; /* without dashes */
    enum ta_opt_kind kind;
    size_t offset;        /* of the value in the command's struct */
    const char *arg;      /* how help names the value; NULL for a switch */
    const char *rule;     /* TA_OPT_CHOICE: the words; numbers: ">0" or ">=0"; else NULL */
    const char *default_; /* parsed as if given; NULL: the struct keeps zero */
    const char *help;     /* one line */
    bool is_required;
};

struct ta_option_table {
    const struct ta_option *rows;
    size_t n;
    /* The reference's flag parser ends at the first word that is no flag and ignores the rest. */
    bool stops_at_operand;
};

/* Words that are no flags; slices of argv. */
struct ta_operands {
    const char *word[64];
    size_t n;
};

/* Fills the struct at `out` from defaults, then argv[0..argc) (without program and command
 * names). TA_OK; TA_ECANCELED when -h, -help or --help was met: the caller prints help;
 * TA_EINVAL: *err says which flag and why, and names the nearest known flag. */
int ta_options_parse(const struct ta_option_table *table, int argc, char **argv, void *out,
                     struct ta_operands *operands, struct ta_err *err);

/* The table as help text, two columns, in the order of the rows. */
int ta_options_help(const struct ta_option_table *table, struct ta_buf *out);

/* Converts one text as a row of that kind would and stores it at out + offset: also the
 * conversion of config values. */
int ta_option_set(const struct ta_option *row, const char *text, void *out, struct ta_err *err);

#endif
