/* conf_int.h - the tables of configuration keys, shared by conf*.c and the test of the manual. */
#ifndef TARN_APP_CONF_INT_H
#define TARN_APP_CONF_INT_H

#include "app/conf.h"

enum ta_conf_kind {
    TA_CONF_TEXT,
    TA_CONF_WORD, /* one of the words in `rule` */
    TA_CONF_BOOL,
    TA_CONF_INT,
    TA_CONF_DURATION,
    TA_CONF_REAL,
    TA_CONF_SIZE,    /* number of bytes, or text such as "32MiB" */
    TA_CONF_TABLE,   /* an object with a table of its own: `sub` */
    TA_CONF_STRINGS, /* array of strings */
    TA_CONF_ITEMS,   /* array of objects, handled by `items` */
    TA_CONF_IGNORED  /* the reference's, without effect in either program */
};

/* What a table does with a key that it does not know. */
enum ta_conf_unknown { TA_CONF_REFUSE, TA_CONF_WARN };

struct ta_conf_reader;

struct ta_conf_key {
    const char *name;
    enum ta_conf_kind kind;
    size_t offset;        /* in the section's struct */
    const char *default_; /* converted like a given value; NULL: zero */
    const char *rule; /* words, ">0", ">=0"; "~": an unusable value is a warning and the default */
    bool is_required;
    const struct ta_conf_table *sub;
    int (*items)(struct ta_conf_reader *r, const char *where, void *section, struct ta_err *err);
    const char *help;
};

struct ta_conf_table {
    const char *name;
    const struct ta_conf_key *keys;
    size_t n;
    enum ta_conf_unknown unknown;
};

/* A top-level section: where its struct stands in struct ta_config. */
struct ta_conf_section {
    const struct ta_conf_table *table;
    size_t offset;
    size_t present_offset; /* of its bool has_...; SIZE_MAX: none */
};

extern const struct ta_conf_section ta_conf_sections[];
extern const size_t ta_conf_n_sections;

/* conf_items.c: what is no plain key. */
int ta_conf_read_subscriptions(struct ta_conf_reader *r, const char *where, void *section,
                               struct ta_err *err);
int ta_conf_read_influx_tags(struct ta_conf_reader *r, const char *where, void *section,
                             struct ta_err *err);
int ta_conf_read_metrics(struct ta_conf_reader *r, struct ta_config *c, struct ta_err *err);

extern const struct ta_conf_table ta_conf_influx_tag_table; /* of one item */

/* conf_check.c: rules over more than one key, and formats of single ones. */
int ta_conf_check(const struct ta_config *c, struct ta_log *log, struct ta_err *err);

/* The reader's state, and what conf_items.c uses of it (conf_read.c). */
struct ta_conf_reader {
    struct ta_json_reader *json;
    const char *file; /* for messages */
    struct ta_arena *arena;
    struct ta_log *log;
};

struct ta_json_token;

int ta_conf_next(struct ta_conf_reader *r, struct ta_json_token *t, struct ta_err *err);
/* "<file>:<line>:<column>: <where>: <text>"; returns TA_EINVAL. */
int ta_conf_bad(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                struct ta_err *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void ta_conf_warn(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A NUL-terminated copy in the arena, refused with a NUL byte inside. */
int ta_conf_copy(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                 const char **out, struct ta_err *err);
const char *ta_conf_kind_name(const struct ta_json_token *t);

/* Sets every default of the table (and its sub-tables) in the struct at `section`. */
int ta_conf_defaults(const struct ta_conf_table *table, void *section, struct ta_err *err);
/* Reads one object, whose opening token was taken already, into the struct at `section`. */
int ta_conf_read_table(struct ta_conf_reader *r, const struct ta_conf_table *table,
                       const char *where, void *section, struct ta_err *err);

#endif
