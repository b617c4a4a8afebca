/* document_check.c - see document_check.h. One function a kind of value; each begins behind the value's first
 * token. Where a rule ends the rest of the value is passed over, so the depth is that of the rules; only
 * the items of sets are read to their leaves, to which the reader sets a depth. */
#include "jobs/document_check.h"

#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "io/json_read.h"

enum { PATH_MAX_BYTES = 512, NAME_SHOWN = 64, WORD_SHOWN = 40 };

struct checking {
    struct ta_json_reader *json;
    const char *name;
    struct ta_buf *lines;
    uint64_t n;
    struct ta_err *err;
    char path[PATH_MAX_BYTES];
    size_t path_len;
};

/* What a value is made of, as one number: equal for equal values. NULL: nobody asks. */
typedef uint64_t *fingerprint;

static uint64_t mix(uint64_t a, uint64_t b)
{
    const uint64_t both[2] = {a, b};

    return ta_hash(both, sizeof(both));
}

/* ---- telling ------------------------------------------------------------------------------------ */

static void path_bytes(struct checking *c, const char *at, size_t n)
{
    size_t room = sizeof(c->path) - c->path_len;

    n = n < room ? n : room;
    memcpy(c->path + c->path_len, at, n);
    c->path_len += n;
}

/* Cut between characters. */
static size_t shown(struct ta_str text, size_t max)
{
    size_t n = text.len < max ? text.len : max;

    while (n < text.len && n > 0 && ((unsigned char)text.at[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void path_name(struct checking *c, struct ta_str name)
{
    size_t n = shown(name, NAME_SHOWN);

    path_bytes(c, "/", 1);
    for (size_t i = 0; i < n; i++) {
        char byte = (unsigned char)name.at[i] < 0x20 || name.at[i] == 0x7f ? '?' : name.at[i];

        if (byte == '~' || byte == '/')
            path_bytes(c, byte == '~' ? "~0" : "~1", 2);
        else
            path_bytes(c, &byte, 1);
    }
    if (n < name.len)
        path_bytes(c, "...", 3);
}

static void path_index(struct checking *c, uint64_t i)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "/%llu", (unsigned long long)i);

    path_bytes(c, text, (size_t)n);
}

/* A line has the document and the path in front. */
static int begin_line(struct checking *c)
{
    int r = ta_buf_printf(c->lines, "%s: ", c->name);

    if (r >= 0)
        r = c->path_len ? ta_buf_add(c->lines, c->path, c->path_len) : ta_buf_z(c->lines, "/");
    return r < 0 ? r : ta_buf_z(c->lines, ": ");
}

static int end_line(struct checking *c, int r)
{
    if (r >= 0)
        r = ta_buf_byte(c->lines, '\n');
    return r < 0 ? ta_fail(c->err, r, "what is wrong with a document: %s", ta_strerror(r)) : TA_OK;
}

static bool is_told(struct checking *c)
{
    return c->n++ < TA_DOCUMENT_LINES_MAX;
}

static int put_quoted(struct checking *c, struct ta_str word)
{
    size_t n = shown(word, WORD_SHOWN);
    int r = ta_buf_byte(c->lines, '"');

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = ta_buf_byte(c->lines, (unsigned char)word.at[i] < 0x20 ? '?' : word.at[i]);
    return r < 0 ? r : ta_buf_z(c->lines, n < word.len ? "...\"" : "\"");
}

static int broken(struct checking *c, const char *text, struct ta_str word)
{
    if (!is_told(c))
        return TA_OK;
    int r = begin_line(c);
    if (r >= 0)
        r = ta_buf_z(c->lines, text);
    if (r >= 0 && word.at)
        r = put_quoted(c, word);
    return end_line(c, r);
}

static int broken_count(struct checking *c, const char *what, uint64_t n, size_t min)
{
    if (!is_told(c))
        return TA_OK;
    int r = begin_line(c);
    if (r >= 0)
        r = ta_buf_printf(c->lines, "has %llu %s, must have %zu or more", (unsigned long long)n,
                          what, min);
    return end_line(c, r);
}

static int broken_word(struct checking *c, const struct ta_rule *rule, struct ta_str word)
{
    if (!is_told(c))
        return TA_OK;
    int r = begin_line(c);
    if (r >= 0)
        r = ta_buf_z(c->lines, "is ");
    if (r >= 0)
        r = put_quoted(c, word);
    for (size_t i = 0; r >= 0 && rule->words[i]; i++)
        r = ta_buf_printf(c->lines, "%s\"%s\"", i ? ", " : ", must be one of ", rule->words[i]);
    return end_line(c, r);
}

/* ---- kinds -------------------------------------------------------------------------------------- */

static double number_of(const struct ta_json_token *token)
{
    double v;

    if (ta_json_f64(token, &v) >= 0)
        return v;
    return token->text.at[0] == '-' ? -HUGE_VAL : HUGE_VAL; /* of the right sign is enough */
}

static enum ta_rule_kind kind_of(const struct ta_json_token *token)
{
    switch (token->kind) {
    case TA_JSON_OBJECT:
        return TA_RULE_OBJECT;
    case TA_JSON_ARRAY:
        return TA_RULE_LIST;
    case TA_JSON_STRING:
        return TA_RULE_STRING;
    case TA_JSON_TRUE:
    case TA_JSON_FALSE:
        return TA_RULE_BOOL;
    case TA_JSON_NUMBER: {
        double v = number_of(token);

        return isfinite(v) && v == trunc(v) ? TA_RULE_INTEGER : TA_RULE_NUMBER;
    }
    default:
        return TA_RULE_ANY; /* null */
    }
}

static const char *const is_words[] = {
    [TA_RULE_ANY] = "is null",           [TA_RULE_OBJECT] = "is an object",
    [TA_RULE_LIST] = "is a list",        [TA_RULE_STRING] = "is a string",
    [TA_RULE_NUMBER] = "is a fraction",  [TA_RULE_INTEGER] = "is a number",
    [TA_RULE_BOOL] = "is true or false",
};
static const char *const must_words[] = {
    [TA_RULE_ANY] = "anything",       [TA_RULE_OBJECT] = "an object",
    [TA_RULE_LIST] = "a list",        [TA_RULE_STRING] = "a string",
    [TA_RULE_NUMBER] = "a number",    [TA_RULE_INTEGER] = "a whole number",
    [TA_RULE_BOOL] = "true or false",
};

static int check_kind(struct checking *c, const struct ta_rule *rule, enum ta_rule_kind is)
{
    if (rule->kind == TA_RULE_ANY || rule->kind == is ||
        (rule->kind == TA_RULE_NUMBER && is == TA_RULE_INTEGER))
        return 1;
    if (!is_told(c))
        return 0;
    int r = begin_line(c);
    if (r >= 0)
        r = ta_buf_printf(c->lines, "%s, must be %s", is_words[is], must_words[rule->kind]);
    r = end_line(c, r);
    return r < 0 ? r : 0;
}

/* ---- values ------------------------------------------------------------------------------------- */

static int next(struct checking *c, struct ta_json_token *token)
{
    int r = ta_json_next(c->json, token, c->err);

    return r == 0 ? ta_fail(c->err, TA_EFORMAT, "the document ends too early") : r;
}

static int check_scalar(struct checking *c, const struct ta_rule *rule,
                        const struct ta_json_token *token, fingerprint print)
{
    bool is_number = token->kind == TA_JSON_NUMBER;
    double v = is_number ? number_of(token) : 0;
    int r = TA_OK;

    if (print && is_number)
        *print = mix(TA_JSON_NUMBER, v == 0 ? 0 : ta_hash(&v, sizeof(v)));
    else if (print)
        *print = mix(token->kind, token->kind == TA_JSON_STRING ? ta_hash_str(token->text) : 0);
    if (!rule)
        return TA_OK;
    if (token->kind == TA_JSON_STRING && rule->words) {
        bool is_word = false;

        for (size_t i = 0; rule->words[i]; i++)
            is_word |= ta_str_is(token->text, rule->words[i]);
        r = is_word ? TA_OK : broken_word(c, rule, token->text);
    }
    if (r >= 0 && is_number && rule->bound == TA_RULE_NOT_BELOW_0 && v < 0)
        r = broken(c, "is below 0", (struct ta_str){0});
    if (r >= 0 && is_number && rule->bound == TA_RULE_ABOVE_0 && v <= 0)
        r = broken(c, "must be above 0", (struct ta_str){0});
    return r;
}

static int check_value(struct checking *c, const struct ta_rule *rule,
                       const struct ta_json_token *token, fingerprint print);

static const struct ta_rule *rule_of(const struct ta_rule *rule, struct ta_str name, uint64_t *seen)
{
    if (!rule)
        return NULL;
    for (size_t i = 0; i < rule->n_members; i++) {
        if (ta_str_is(name, rule->members[i].name)) {
            *seen |= UINT64_C(1) << i;
            return rule->members[i].rule;
        }
    }
    return rule->others;
}

static int check_object(struct checking *c, const struct ta_rule *rule, fingerprint print)
{
    struct ta_json_token token;
    uint64_t n = 0, seen = 0, sum = 0;
    size_t here = c->path_len;
    int r;

    while ((r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        const struct ta_rule *of_member = rule_of(rule, token.text, &seen);
        uint64_t name = print ? ta_hash_str(token.text) : 0;
        uint64_t value = 0;

        n++;
        if (!of_member && !print) {
            r = ta_json_skip(c->json, c->err);
        } else {
            path_name(c, token.text);
            r = next(c, &token);
            if (r > 0)
                r = check_value(c, of_member, &token, print ? &value : NULL);
            c->path_len = here;
        }
        if (r < 0)
            return r;
        sum += mix(name, value); /* in any order */
    }
    if (print)
        *print = mix(TA_JSON_OBJECT, sum);
    if (r < 0 || !rule)
        return r < 0 ? r : TA_OK;
    r = n < rule->members_min ? broken_count(c, "members", n, rule->members_min) : TA_OK;
    for (size_t i = 0; r >= 0 && i < rule->n_members; i++)
        if (rule->members[i].is_required && !(seen >> i & 1))
            r = broken(c, "lacks ", ta_str(rule->members[i].name));
    return r;
}

/* The items of a set so far. */
struct set {
    uint64_t at[TA_DOCUMENT_SET_MAX];
    size_t n;
};

static bool is_twice(struct set *set, uint64_t print)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->at[i] == print)
            return true;
    if (set->n < TA_DOCUMENT_SET_MAX)
        set->at[set->n++] = print;
    return false;
}

static int check_list(struct checking *c, const struct ta_rule *rule, struct set *set,
                      fingerprint print)
{
    struct ta_json_token token;
    uint64_t n = 0, all = 0;
    size_t here = c->path_len;
    bool has_number = false;
    int r;

    while ((r = next(c, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        uint64_t value = 0;

        if (rule && rule->has_number && token.kind == TA_JSON_NUMBER && number_of(&token) >= 0)
            has_number = true;
        if (rule && rule->items)
            path_index(c, n);
        n++;
        r = check_value(c, rule ? rule->items : NULL, &token, print || set ? &value : NULL);
        if (r >= 0 && set && is_twice(set, value))
            r = broken(c, "is there twice", (struct ta_str){0});
        c->path_len = here;
        if (r < 0)
            return r;
        all = mix(all, value);
    }
    if (print)
        *print = mix(TA_JSON_ARRAY, all);
    if (r < 0 || !rule)
        return r < 0 ? r : TA_OK;
    r = n < rule->items_min ? broken_count(c, "items", n, rule->items_min) : TA_OK;
    if (r >= 0 && rule->has_number && !has_number)
        r = broken(c, "has no number that is not below 0", (struct ta_str){0});
    return r;
}

static int check_set(struct checking *c, const struct ta_rule *rule, fingerprint print)
{
    struct set set;

    set.n = 0;
    return check_list(c, rule, &set, print);
}

static int check_value(struct checking *c, const struct ta_rule *rule,
                       const struct ta_json_token *token, fingerprint print)
{
    int r = rule ? check_kind(c, rule, kind_of(token)) : 1;

    if (r < 0)
        return r;
    if (r == 0)
        rule = NULL; /* of another kind: its other rules do not speak of it */
    if (!rule && !print && (token->kind == TA_JSON_OBJECT || token->kind == TA_JSON_ARRAY))
        return ta_json_skip(c->json, c->err);
    if (token->kind == TA_JSON_OBJECT)
        return check_object(c, rule, print);
    if (token->kind == TA_JSON_ARRAY)
        return rule && rule->is_set ? check_set(c, rule, print) : check_list(c, rule, NULL, print);
    return check_scalar(c, rule, token, print);
}

int ta_document_check(struct ta_source *json, size_t buffer, const char *name,
                      const struct ta_rule *rule, struct ta_buf *lines, uint64_t *n,
                      struct ta_alloc *alloc, struct ta_err *err)
{
    struct checking c = {.name = name, .lines = lines, .err = err};
    struct ta_json_token token;

    if (ta_json_reader_new(&c.json, json, &(struct ta_json_limits){.buffer = buffer}, alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to check a document");
    int r = next(&c, &token);
    if (r > 0)
        r = check_value(&c, rule, &token, NULL);
    if (r >= 0)
        r = ta_json_finish(c.json, err);
    ta_json_reader_free(c.json);
    *n = c.n;
    return r < 0 ? r : TA_OK;
}
