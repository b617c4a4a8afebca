/* parse.c - one line: measurement, tags, fields, timestamp.
 *
 * An error of grammar ends the line; an error of meaning (field name, value, timestamp) is noted and
 * the line is read on, so that a string with line ends in it is passed over as a whole.
 */
#include "line/line_int.h"
#include "line/value.h"

static const struct ta_str none = {0};

static bool at_end(const struct line_cursor *c)
{
    return c->p == c->eol;
}

static bool is_at(const struct line_cursor *c, char byte)
{
    return c->p < c->eol && *c->p == byte;
}

static void skip_spaces(struct line_cursor *c)
{
    while (is_at(c, ' '))
        c->p++;
}

static struct ta_str *tag_place(struct ta_line_sample *s, struct ta_str key)
{
    switch (key.len) {
    case 4:
        return memcmp(key.at, "type", 4) == 0   ? &s->type
               : memcmp(key.at, "host", 4) == 0 ? &s->host
                                                : NULL;
    case 5:
        return memcmp(key.at, "stype", 5) == 0 ? &s->stype : NULL;
    case 7:
        return memcmp(key.at, "cluster", 7) == 0   ? &s->cluster
               : memcmp(key.at, "type-id", 7) == 0 ? &s->type_id
                                                   : NULL;
    case 8:
        return memcmp(key.at, "hostname", 8) == 0   ? &s->host
               : memcmp(key.at, "stype-id", 8) == 0 ? &s->stype_id
                                                    : NULL;
    default:
        return NULL;
    }
}

static const struct ta_line_tag *mapped_tag(const struct line_cursor *c, struct ta_str key)
{
    const struct ta_line_options *o = &c->scanner->options;

    for (size_t i = 0; o->mode == TA_LINE_INFLUX && i < o->n_tags; i++)
        if (ta_str_eq(o->tags[i].tag, key))
            return &o->tags[i];
    return NULL;
}

/* "cpu7" and "7" of the tag cpu are 7, "cpu-total" is the host. A type that is there already stays. */
static void take_mapped(const struct ta_line_tag *tag, struct ta_str value,
                        struct ta_line_sample *s)
{
    size_t n = tag->tag.len;

    if (s->type.len || s->type_id.len)
        return;
    if (value.len > n && memcmp(value.at, tag->tag.at, n) == 0) {
        struct ta_str rest = {value.at + n, value.len - n};
        if (ta_str_is(rest, "-total"))
            return;
        if (rest.at[0] >= '0' && rest.at[0] <= '9')
            value = rest;
    }
    s->type = tag->type;
    s->type_id = value;
}

/* ",key=value" at c->p. Later duplicates overwrite. */
static int parse_tag(struct line_cursor *c, struct ta_line_sample *s)
{
    bool key_escaped, escaped;

    c->p++;
    struct ta_str key = line_token(c, true, &key_escaped);
    if (key.len == 0)
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected tag key after comma", none);
    if (!is_at(c, '='))
        return line_bad(c, TA_LINE_SYNTAX, key.at, "expected '=' after tag key", key);
    c->p++;
    struct ta_str raw = line_token(c, true, &escaped);
    if (raw.len == 0)
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected tag value after tag key", key);
    if (is_at(c, '='))
        return line_bad(c, TA_LINE_SYNTAX, c->p, "'=' must be escaped in the value of tag", key);
    if (line_utf8(c, key) != LINE_OK)
        return LINE_BAD;
    /* An escape only ever adds a byte that no known key has. */
    struct ta_str *place = key_escaped ? NULL : tag_place(s, key);
    const struct ta_line_tag *tag = place || key_escaped ? NULL : mapped_tag(c, key);
    if (tag) {
        struct ta_str value;
        int r = line_name(c, raw, escaped, true, &value);
        if (r == LINE_OK)
            take_mapped(tag, value, s);
        return r;
    }
    if (!place)
        return line_utf8(c, raw);
    return line_name(c, raw, escaped, true, place);
}

/* From c->p to the spaces before the fields. */
static int parse_names(struct line_cursor *c, struct ta_line_sample *s)
{
    bool escaped;

    struct ta_str raw = line_token(c, false, &escaped);
    if (raw.len == 0)
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected measurement", none);
    int r = line_name(c, raw, escaped, false, &s->measurement);
    while (r == LINE_OK && is_at(c, ','))
        r = parse_tag(c, s);
    if (r != LINE_OK)
        return r;
    if (at_end(c))
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected tag or field, found end of line", none);
    if (*c->p != ' ')
        return line_bad(c, TA_LINE_SYNTAX, c->p, "invalid character", none);
    skip_spaces(c);
    return LINE_OK;
}

/* A quoted string at c->p; it may hold raw line ends. */
static int pass_string(struct line_cursor *c)
{
    const char *quote = c->p, *p = quote + 1;
    uint64_t rows = 0;
    const char *row_at = c->row_at;

    for (; p < c->end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < c->end)
            p++;
        if (*p == '\n') {
            rows++;
            row_at = p + 1;
        }
    }
    if (p >= c->end) /* the line ends where the row of the quote does */
        return c->is_whole ? line_bad(c, TA_LINE_SYNTAX, quote, "string has no end", none)
                           : LINE_PARTIAL;
    if (rows) {
        c->p = p + 1;
        c->row += rows;
        c->row_at = row_at;
        int r = line_find_end(c);
        if (r != LINE_OK)
            return r;
    }
    c->p = p + 1;
    struct ta_str text = {quote, (size_t)(p - quote)};
    if (ta_line_utf8(text) < text.len)
        return line_bad(c, TA_LINE_BAD_UTF8, quote, "invalid UTF-8 in string", none);
    return LINE_OK;
}

static bool is_boolean(struct ta_str s)
{
    static const char *const words[] = {"t", "T", "true",  "True",  "TRUE",
                                        "f", "F", "false", "False", "FALSE"};

    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (ta_str_is(s, words[i]))
            return true;
    return false;
}

enum value_kind { VALUE_NUMBER, VALUE_OTHER, VALUE_WRONG };

/* The value at c->p. LINE_BAD only for grammar; a wrong value is noted in *kind and the error. */
static int parse_value(struct line_cursor *c, double *out, enum value_kind *kind)
{
    bool is_native = c->scanner->options.mode == TA_LINE_NATIVE;
    const char *start = c->p, *quick;

    *kind = VALUE_NUMBER;
    if (c->end - start >= TA_LINE_QUICK_BYTES &&
        (quick = ta_line_quick_number(start, out)) != NULL) {
        c->p = quick;
        return LINE_OK;
    }
    if (*start == '"') {
        *kind = VALUE_OTHER;
        if (is_native)
            line_bad(c, TA_LINE_BAD_TYPE, start, "unsupported value type in message: string", none);
        return pass_string(c);
    }
    while (!at_end(c) && *c->p != ',' && *c->p != ' ')
        c->p++;
    struct ta_str token = {start, (size_t)(c->p - start)};
    const char *what;
    if (is_boolean(token)) {
        *kind = VALUE_OTHER;
        if (is_native)
            line_bad(c, TA_LINE_BAD_TYPE, start, "unsupported value type in message: bool", none);
        return LINE_OK;
    }
    enum ta_line_reason reason = ta_line_number(token, out, &what);
    if (reason != TA_LINE_GOOD) {
        *kind = VALUE_WRONG;
        line_bad(c, reason, start, what, token);
    }
    return LINE_OK;
}

/* key=value at c->p. */
static int parse_field(struct line_cursor *c, struct line_room *room,
                       const struct ta_line_sample *head, const char *line_at)
{
    bool is_native = c->scanner->options.mode == TA_LINE_NATIVE, escaped;
    const char *key_at = c->p;
    struct ta_str key;
    enum value_kind kind;
    double value;

    struct ta_str raw = line_token(c, true, &escaped);
    if (raw.len == 0)
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected field key but none found", none);
    if (!is_at(c, '='))
        return line_bad(c, TA_LINE_SYNTAX, c->p, "expected '=' after field key", raw);
    int r = line_name(c, raw, escaped, true, &key);
    if (r != LINE_OK)
        return r;
    c->p++;
    if (at_end(c) || *c->p == ' ' || *c->p == ',')
        return line_bad(c, TA_LINE_SYNTAX, c->p, "missing value for field", raw);
    if (is_native && !ta_str_eq(key, TA_STR("value")))
        line_bad(c, TA_LINE_UNKNOWN_FIELD, key_at, "unknown field:", key);
    const char *value_at = c->p;
    r = parse_value(c, &value, &kind);
    if (r != LINE_OK)
        return r;
    if (kind == VALUE_OTHER && !is_native)
        room->left_out++;
    if (kind != VALUE_NUMBER)
        return LINE_OK;
    if (is_native)
        room->n = 0; /* the last one wins */
    if (room->n == room->max)
        return LINE_NO_ROOM;
    struct ta_line_sample *s = &room->at[room->n++];
    *s = *head;
    s->field = key;
    s->value = value;
    s->head = (struct ta_str){line_at, (size_t)(value_at - line_at)};
    return LINE_OK;
}

static int parse_time(struct line_cursor *c, bool *has, int64_t *out_s)
{
    skip_spaces(c);
    *has = !at_end(c);
    if (!*has)
        return LINE_OK;
    const char *start = c->p;
    while (!at_end(c) && *c->p != ' ')
        c->p++;
    struct ta_str token = {start, (size_t)(c->p - start)};
    if (ta_line_time(token, c->scanner->options.precision, out_s) < 0)
        return line_bad(c, TA_LINE_BAD_TIME, start, "malformed timestamp", token);
    skip_spaces(c);
    if (!at_end(c))
        return line_bad(c, TA_LINE_BAD_TIME, c->p, "text after the timestamp", none);
    return LINE_OK;
}

int line_parse(struct line_cursor *c, struct line_room *room)
{
    const char *line_at = c->row_at;
    struct ta_line_sample head = {.line = c->row};
    bool has_ts = false;
    int64_t ts_s = 0;
    size_t n_fields = 0;

    room->n = room->left_out = 0;
    int r = parse_names(c, &head);
    c->error->measurement = head.measurement;
    c->error->host = head.host;
    if (r != LINE_OK)
        return r;
    for (;; c->p++) {
        r = parse_field(c, room, &head, line_at);
        if (r != LINE_OK)
            return r;
        n_fields++;
        if (!is_at(c, ','))
            break;
    }
    if (!at_end(c) && *c->p != ' ')
        return line_bad(c, TA_LINE_SYNTAX, c->p, "invalid character after value", none);
    r = parse_time(c, &has_ts, &ts_s);
    if (r != LINE_OK || c->error->reason != TA_LINE_GOOD)
        return LINE_BAD;
    for (size_t i = 0; i < room->n; i++) {
        room->at[i].has_ts = has_ts;
        room->at[i].ts_s = ts_s;
        if (n_fields > 1)
            room->at[i].head.len = 0;
    }
    return LINE_OK;
}
