/* conf_read.c - a configuration file into a struct, driven by the tables. */
#include "app/conf_int.h"
#include "app/nearest.h"
#include "app/options.h"
#include "io/json_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    STRINGS_MAX = 64, /* of one array of strings */
    WHERE_MAX = 160
};

/* Messages */

const char *ta_conf_kind_name(const struct ta_json_token *t)
{
    switch (t->kind) {
    case TA_JSON_OBJECT:
    case TA_JSON_OBJECT_END:
        return "an object";
    case TA_JSON_ARRAY:
    case TA_JSON_ARRAY_END:
        return "an array";
    case TA_JSON_KEY:
        return "a key";
    case TA_JSON_STRING:
        return "a string";
    case TA_JSON_NUMBER:
        return "a number";
    case TA_JSON_TRUE:
    case TA_JSON_FALSE:
        return "a boolean";
    case TA_JSON_NULL:
        return "null";
    }
    return "something else";
}

static void place(char *out, size_t n, const struct ta_conf_reader *r,
                  const struct ta_json_token *t, const char *where)
{
    snprintf(out, n, "%.160s:%llu:%llu: %s", r->file, (unsigned long long)t->line,
             (unsigned long long)t->column, where);
}

int ta_conf_bad(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                struct ta_err *err, const char *fmt, ...)
{
    char at[WHERE_MAX + 200], text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    place(at, sizeof(at), r, t, where);
    return ta_fail(err, TA_EINVAL, "%s: %s", at, text);
}

void ta_conf_warn(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                  const char *fmt, ...)
{
    char at[WHERE_MAX + 200], text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    place(at, sizeof(at), r, t, where);
    ta_logf(r->log, TA_LOG_WARN, "%s: %s", at, text);
}

int ta_conf_next(struct ta_conf_reader *r, struct ta_json_token *t, struct ta_err *err)
{
    struct ta_err why = {0};
    int got = ta_json_next(r->json, t, &why);

    if (got > 0)
        return TA_OK;
    if (got == 0)
        return ta_fail(err, TA_EINVAL, "%.160s: could not decode: unexpected EOF", r->file);
    return ta_fail(err, got == TA_ENOMEM ? got : TA_EINVAL, "%.160s: could not decode: %s", r->file,
                   why.text[0] ? why.text : ta_strerror(got));
}

/* Values */

int ta_conf_copy(struct ta_conf_reader *r, const struct ta_json_token *t, const char *where,
                 const char **out, struct ta_err *err)
{
    if (memchr(t->text.at, 0, t->text.len))
        return ta_conf_bad(r, t, where, err, "holds a zero byte");
    struct ta_str copy = ta_arena_copy(r->arena, t->text);
    if (!copy.at)
        return ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
    *out = copy.at;
    return TA_OK;
}

/* The row of an option that converts and stores like this key. */
static struct ta_option as_option(const struct ta_conf_key *key)
{
    static const enum ta_opt_kind kinds[] = {
        [TA_CONF_TEXT] = TA_OPT_TEXT,         [TA_CONF_WORD] = TA_OPT_CHOICE,
        [TA_CONF_BOOL] = TA_OPT_SWITCH,       [TA_CONF_INT] = TA_OPT_INT,
        [TA_CONF_DURATION] = TA_OPT_DURATION, [TA_CONF_SIZE] = TA_OPT_SIZE,
        [TA_CONF_REAL] = TA_OPT_REAL,
    };
    const char *rule = key->rule && key->rule[0] == '~' ? key->rule + 1 : key->rule;

    return (struct ta_option){
        .name = key->name, .kind = kinds[key->kind], .offset = key->offset, .rule = rule};
}

static const char *wanted_name(enum ta_conf_kind kind)
{
    static const char *const names[] = {
        [TA_CONF_TEXT] = "a string",
        [TA_CONF_WORD] = "a string",
        [TA_CONF_BOOL] = "true or false",
        [TA_CONF_INT] = "an integer",
        [TA_CONF_DURATION] = "a duration such as \"48h\"",
        [TA_CONF_REAL] = "a number",
        [TA_CONF_SIZE] = "a size: bytes, or text such as \"32MiB\"",
        [TA_CONF_TABLE] = "an object",
        [TA_CONF_STRINGS] = "an array of strings",
        [TA_CONF_ITEMS] = "an array",
        [TA_CONF_IGNORED] = "any value",
    };
    return names[kind];
}

static bool has_right_kind(enum ta_conf_kind want, enum ta_json_kind got)
{
    switch (want) {
    case TA_CONF_TEXT:
    case TA_CONF_WORD:
    case TA_CONF_DURATION:
        return got == TA_JSON_STRING;
    case TA_CONF_BOOL:
        return got == TA_JSON_TRUE || got == TA_JSON_FALSE;
    case TA_CONF_INT:
    case TA_CONF_REAL:
        return got == TA_JSON_NUMBER;
    case TA_CONF_SIZE:
        return got == TA_JSON_NUMBER || got == TA_JSON_STRING;
    case TA_CONF_TABLE:
        return got == TA_JSON_OBJECT;
    case TA_CONF_STRINGS:
    case TA_CONF_ITEMS:
        return got == TA_JSON_ARRAY;
    case TA_CONF_IGNORED:
        return true;
    }
    return false;
}

static int read_strings(struct ta_conf_reader *r, const char *where, struct ta_conf_strings *out,
                        struct ta_err *err)
{
    const char *item[STRINGS_MAX];
    struct ta_json_token t;
    size_t n = 0;
    int got;

    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_STRING)
            return ta_conf_bad(r, &t, where, err, "expected a string, found %s",
                               ta_conf_kind_name(&t));
        if (n == STRINGS_MAX)
            return ta_conf_bad(r, &t, where, err, "more than %d values", STRINGS_MAX);
        got = ta_conf_copy(r, &t, where, &item[n++], err);
        if (got < 0)
            return got;
    }
    if (got < 0)
        return got;
    out->at = ta_arena_get(r->arena, n * sizeof(item[0]));
    if (!out->at)
        return ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
    memcpy(out->at, item, n * sizeof(item[0]));
    out->n = n;
    return TA_OK;
}

static int set_plain(struct ta_conf_reader *r, const struct ta_conf_key *key, const char *where,
                     const struct ta_json_token *t, void *section, struct ta_err *err)
{
    struct ta_option row = as_option(key);
    struct ta_err why = {0};
    const char *text = t->kind == TA_JSON_TRUE ? "true" : "false";

    if (t->kind == TA_JSON_STRING || t->kind == TA_JSON_NUMBER) {
        int copied = ta_conf_copy(r, t, where, &text, err);
        if (copied < 0)
            return copied;
    }
    int got = ta_option_set(&row, text, section, &why);
    if (got == TA_OK)
        return TA_OK;
    /* A text that is no value at all is forgiven where the reference forgives it; one that
     * breaks the rule is not: it crashes the reference. */
    if (key->rule && key->rule[0] == '~' && why.code != TA_EINVAL) {
        ta_conf_warn(r, t, where, "%s; using %s", why.text, key->default_);
        return ta_option_set(&row, key->default_, section, err);
    }
    return ta_conf_bad(r, t, where, err, "%s", why.text);
}

static int read_value(struct ta_conf_reader *r, const struct ta_conf_key *key, const char *where,
                      void *section, struct ta_err *err)
{
    void *at = (char *)section + key->offset;
    struct ta_json_token t;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    bool is_scalar =
        key->kind != TA_CONF_TABLE && key->kind != TA_CONF_STRINGS && key->kind != TA_CONF_ITEMS;
    if (t.kind == TA_JSON_NULL && is_scalar && !key->is_required)
        return TA_OK; /* as the reference: null leaves the default */
    if (!has_right_kind(key->kind, t.kind))
        return ta_conf_bad(r, &t, where, err, "expected %s, found %s", wanted_name(key->kind),
                           ta_conf_kind_name(&t));
    switch (key->kind) {
    case TA_CONF_IGNORED:
        return ta_json_skip(r->json, err);
    case TA_CONF_TABLE:
        return ta_conf_read_table(r, key->sub, where, at, err);
    case TA_CONF_STRINGS:
        return read_strings(r, where, at, err);
    case TA_CONF_ITEMS:
        return key->items(r, where, section, err);
    case TA_CONF_TEXT:
    case TA_CONF_WORD:
    case TA_CONF_BOOL:
    case TA_CONF_INT:
    case TA_CONF_REAL:
    case TA_CONF_DURATION:
    case TA_CONF_SIZE:
        break;
    }
    return set_plain(r, key, where, &t, section, err);
}

/* Tables */

int ta_conf_defaults(const struct ta_conf_table *table, void *section, struct ta_err *err)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct ta_conf_key *key = &table->keys[i];
        int r = TA_OK;

        if (key->kind == TA_CONF_TABLE) {
            r = ta_conf_defaults(key->sub, (char *)section + key->offset, err);
        } else if (key->default_) {
            struct ta_option row = as_option(key);
            r = ta_option_set(&row, key->default_, section, err);
        }
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static int unknown_key(struct ta_conf_reader *r, const struct ta_conf_table *table,
                       const struct ta_json_token *t, const char *where, struct ta_err *err)
{
    struct ta_nearest near;
    char hint[100] = "";

    ta_nearest_init(&near, t->text);
    for (size_t i = 0; i < table->n; i++)
        ta_nearest_offer(&near, table->keys[i].name);
    if (near.best)
        snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", near.best);
    if (table->unknown == TA_CONF_REFUSE)
        return ta_conf_bad(r, t, where, err, "unknown key%s", hint);
    ta_conf_warn(r, t, where, "unknown key is ignored%s", hint);
    return ta_json_skip(r->json, err);
}

int ta_conf_read_table(struct ta_conf_reader *r, const struct ta_conf_table *table,
                       const char *where, void *section, struct ta_err *err)
{
    uint64_t seen = 0; /* bit i: row i was given; tables are shorter than 64 rows */
    struct ta_json_token t;
    int got;

    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind == TA_JSON_KEY) {
        const struct ta_conf_key *key = NULL;
        char inner[WHERE_MAX];

        snprintf(inner, sizeof(inner), "%s.%.*s", where, (int)(t.text.len < 60 ? t.text.len : 60),
                 t.text.at);
        for (size_t i = 0; i < table->n && !key; i++)
            if (ta_str_is(t.text, table->keys[i].name))
                key = &table->keys[i];
        if (!key) {
            got = unknown_key(r, table, &t, inner, err);
        } else {
            if (seen >> (key - table->keys) & 1)
                ta_conf_warn(r, &t, inner, "given more than once; the last one counts");
            seen |= (uint64_t)1 << (key - table->keys);
            got = read_value(r, key, inner, section, err);
        }
        if (got < 0)
            return got;
    }
    if (got < 0)
        return got;
    for (size_t i = 0; i < table->n; i++)
        if (table->keys[i].is_required && !(seen >> i & 1))
            return ta_conf_bad(r, &t, where, err, "missing key '%s'", table->keys[i].name);
    return TA_OK;
}
