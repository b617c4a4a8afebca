#include "app/options.h"

#include "app/nearest.h"
#include "base/number.h"
#include "base/units.h"

#include <string.h>

static void *at(const struct ta_option *row, void *out)
{
    return (char *)out + row->offset;
}

/* Is `word` one of "a|b|c"? */
static bool is_choice(const char *rule, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = rule; p; p = strchr(p, '|')) {
        p += *p == '|';
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, word, n) == 0)
            return true;
    }
    return false;
}

static int check_rule(const struct ta_option *row, double v, struct ta_err *err)
{
    if (!row->rule)
        return TA_OK;
    if (strcmp(row->rule, ">0") == 0 ? v > 0 : v >= 0)
        return TA_OK;
    return ta_fail(err, TA_EINVAL, "must be %s",
                   strcmp(row->rule, ">0") == 0 ? "greater than 0" : "0 or more");
}

static int set_switch(const char *text, bool *out, struct ta_err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"1", true},    {"t", true},      {"T", true},
                 {"TRUE", true}, {"True", true}, {"false", false}, {"0", false},
                 {"f", false},   {"F", false},   {"FALSE", false}, {"False", false}};

    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (strcmp(words[i].word, text) == 0) {
            *out = words[i].value;
            return TA_OK;
        }
    return ta_fail(err, TA_EINVAL, "\"%.40s\" is neither true nor false", text);
}

static int add_items(struct ta_opt_list *list, const char *text, struct ta_err *err)
{
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");

        if (n > 0) {
            if (list->n == TA_OPT_LIST_MAX)
                return ta_fail(err, TA_EINVAL, "more than %d values", TA_OPT_LIST_MAX);
            list->item[list->n++] = (struct ta_str){p, n};
        }
        p += n;
        if (!*p)
            return TA_OK;
    }
}

static int set_number(const struct ta_option *row, const char *text, void *out, struct ta_err *err)
{
    struct ta_str s = ta_str(text);
    double v = 0;
    int r;

    if (row->kind == TA_OPT_INT) {
        int64_t i = 0;

        r = ta_parse_i64(s, &i);
        v = (double)i;
        if (r == TA_OK && (r = check_rule(row, v, err)) == TA_OK)
            memcpy(at(row, out), &i, sizeof(i));
        if (r == TA_EINVAL)
            return r;
        return r == TA_OK ? r : ta_fail(err, TA_EINVAL, "\"%.40s\" is not an integer", text);
    }
    r = ta_parse_f64(s, &v);
    if (r < 0)
        return ta_fail(err, TA_EINVAL, "\"%.40s\" is not a number", text);
    r = check_rule(row, v, err);
    if (r == TA_OK)
        memcpy(at(row, out), &v, sizeof(v));
    return r;
}

static int set_unit(const struct ta_option *row, const char *text, void *out, struct ta_err *err)
{
    struct ta_str s = ta_str(text);
    int64_t v = 0;
    uint64_t bytes = 0;
    int r;

    if (row->kind == TA_OPT_SIZE)
        r = ta_parse_size(s, &bytes, err);
    else if (row->kind == TA_OPT_TIME)
        r = ta_parse_time(s, &v, err);
    else
        r = ta_parse_duration(s, &v, err);
    if (r < 0)
        return TA_EINVAL;
    r = check_rule(row, row->kind == TA_OPT_SIZE ? (double)bytes : (double)v, err);
    if (r < 0)
        return r;
    if (row->kind == TA_OPT_SIZE)
        memcpy(at(row, out), &bytes, sizeof(bytes));
    else
        memcpy(at(row, out), &v, sizeof(v));
    return TA_OK;
}

int ta_option_set(const struct ta_option *row, const char *text, void *out, struct ta_err *err)
{
    switch (row->kind) {
    case TA_OPT_SWITCH:
        return set_switch(text, at(row, out), err);
    case TA_OPT_CHOICE:
        if (!is_choice(row->rule, text))
            return ta_fail(err, TA_EINVAL, "\"%.40s\" is not one of %s", text, row->rule);
        memcpy(at(row, out), &text, sizeof(text));
        return TA_OK;
    case TA_OPT_TEXT:
        memcpy(at(row, out), &text, sizeof(text));
        return TA_OK;
    case TA_OPT_LIST:
        return add_items(at(row, out), text, err);
    case TA_OPT_INT:
    case TA_OPT_REAL:
        return set_number(row, text, out, err);
    case TA_OPT_SIZE:
    case TA_OPT_DURATION:
    case TA_OPT_TIME:
        return set_unit(row, text, out, err);
    }
    return ta_fail(err, TA_EINVAL, "no such kind of value");
}

static const struct ta_option *find(const struct ta_option_table *table, struct ta_str name)
{
    for (size_t i = 0; i < table->n; i++)
        if (ta_str_is(name, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

static int unknown_flag(const struct ta_option_table *table, const char *word, struct ta_str name,
                        struct ta_err *err)
{
    struct ta_nearest near;

    ta_nearest_init(&near, name);
    for (size_t i = 0; i < table->n; i++)
        ta_nearest_offer(&near, table->rows[i].name);
    if (near.best)
        return ta_fail(err, TA_EINVAL, "unknown flag %.80s; did you mean --%s?", word, near.best);
    return ta_fail(err, TA_EINVAL, "unknown flag %.80s", word);
}

static int set_defaults(const struct ta_option_table *table, void *out, struct ta_err *err)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->rows[i].default_) {
            int r = ta_option_set(&table->rows[i], table->rows[i].default_, out, err);
            if (r < 0)
                return r;
        }
    return TA_OK;
}

/* One flag with its value. `*i` is moved past a value that is a word of its own. */
static int take_flag(const struct ta_option_table *table, int argc, char **argv, int *i, void *out,
                     uint64_t *given, struct ta_err *err)
{
    const char *word = argv[*i];
    const char *p = word + 1 + (word[1] == '-');
    struct ta_str name = {p, strcspn(p, "=")};
    const char *value = p[name.len] == '=' ? p + name.len + 1 : NULL;
    const struct ta_option *row = find(table, name);

    if (!row && (ta_str_is(name, "h") || ta_str_is(name, "help")))
        return TA_ECANCELED;
    if (!row)
        return unknown_flag(table, word, name, err);
    if (!value && row->kind == TA_OPT_SWITCH) {
        value = "true";
    } else if (!value) {
        if (*i + 1 >= argc)
            return ta_fail(err, TA_EINVAL, "flag --%s needs a value (%s)", row->name, row->arg);
        value = argv[++*i];
    }
    uint64_t bit = (uint64_t)1 << (row - table->rows);
    if (row->kind == TA_OPT_LIST && row->default_ && !(*given & bit))
        memset((char *)out + row->offset, 0, sizeof(struct ta_opt_list));
    *given |= bit;
    int r = ta_option_set(row, value, out, err);
    return r < 0 ? ta_fail_context(err, r, "flag --%s: ", row->name) : TA_OK;
}

int ta_options_parse(const struct ta_option_table *table, int argc, char **argv, void *out,
                     struct ta_operands *operands, struct ta_err *err)
{
    uint64_t given = 0; /* bit i: row i was given; tables are shorter than 64 rows */
    int r = set_defaults(table, out, err);
    bool has_flags = true;

    operands->n = 0;
    for (int i = 0; r == TA_OK && i < argc; i++) {
        const char *word = argv[i];

        if (has_flags && strcmp(word, "--") == 0) {
            has_flags = false;
        } else if (has_flags && word[0] == '-' && word[1]) {
            r = take_flag(table, argc, argv, &i, out, &given, err);
        } else if (table->stops_at_operand) {
            break;
        } else if (operands->n == TA_COUNT(operands->word)) {
            return ta_fail(err, TA_EINVAL, "more than %zu operands", TA_COUNT(operands->word));
        } else {
            operands->word[operands->n++] = word;
        }
    }
    for (size_t i = 0; r == TA_OK && i < table->n; i++)
        if (table->rows[i].is_required && !(given >> i & 1))
            return ta_fail(err, TA_EINVAL, "flag --%s is required", table->rows[i].name);
    return r;
}

int ta_options_help(const struct ta_option_table *table, struct ta_buf *out)
{
    enum { COLUMN = 30 };
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < table->n; i++) {
        const struct ta_option *row = &table->rows[i];
        const char *arg = row->kind == TA_OPT_CHOICE ? row->rule : row->arg;
        size_t from = out->len;

        r = ta_buf_printf(out, "  --%s%s%s", row->name, arg ? " " : "", arg ? arg : "");
        if (r < 0)
            return r;
        size_t used = out->len - from;
        r = ta_buf_printf(out, "%s%*s%s", used < COLUMN ? "" : "\n",
                          (int)(used < COLUMN ? COLUMN - used : COLUMN), "", row->help);
        if (r == TA_OK && row->is_required)
            r = ta_buf_z(out, " (required)");
        if (r == TA_OK && row->default_ && row->kind != TA_OPT_SWITCH)
            r = ta_buf_printf(out, " (default %s)", row->default_);
        if (r == TA_OK)
            r = ta_buf_byte(out, '\n');
    }
    return r;
}
