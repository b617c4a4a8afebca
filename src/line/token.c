/* token.c - names: where they end, their escapes, their encoding. */
#include "line/line_int.h"

enum { COMMA_SPACE = 1, EQUALS = 2, CONTROL = 4, BACKSLASH = 8 };

static const unsigned char classes[256] = {
    [0 ... 31] = CONTROL, [127] = CONTROL, [','] = COMMA_SPACE,
    [' '] = COMMA_SPACE,  ['='] = EQUALS,  ['\\'] = BACKSLASH};

int line_bad(struct line_cursor *c, enum ta_line_reason reason, const char *at, const char *what,
             struct ta_str token)
{
    struct ta_line_error *e = c->error;

    if (e->reason != TA_LINE_GOOD)
        return LINE_BAD;
    e->reason = reason;
    e->line = c->row;
    e->column = (uint64_t)(at - c->row_at) + 1;
    e->what = what;
    e->token = token;
    return LINE_BAD;
}

struct ta_str line_token(struct line_cursor *c, bool stop_at_equals, bool *escaped)
{
    const char *start = c->p, *p = start, *eol = c->eol;
    unsigned stops = COMMA_SPACE | CONTROL | BACKSLASH | (stop_at_equals ? EQUALS : 0);

    *escaped = false;
    for (; p < eol; p++) {
        unsigned class = classes[(unsigned char)*p] & stops;
        if (!class)
            continue;
        if (class != BACKSLASH)
            break;
        if (p + 1 < eol && (p[1] == ',' || p[1] == ' ' || (stop_at_equals && p[1] == '='))) {
            *escaped = true;
            p++;
        }
    }
    c->p = p;
    return (struct ta_str){start, (size_t)(p - start)};
}

int line_utf8(struct line_cursor *c, struct ta_str raw)
{
    size_t good = c->has_high ? ta_line_utf8(raw) : raw.len;

    if (good == raw.len)
        return LINE_OK;
    return line_bad(c, TA_LINE_BAD_UTF8, raw.at + good, "invalid UTF-8", (struct ta_str){0});
}

int line_name(struct line_cursor *c, struct ta_str raw, bool escaped, bool has_equals_escape,
              struct ta_str *out)
{
    char *side = c->side->at + c->side->used;
    size_t room = sizeof(c->side->at) - c->side->used, n = 0;

    if (line_utf8(c, raw) != LINE_OK)
        return LINE_BAD;
    if (escaped) {
        for (size_t i = 0; i < raw.len && n <= TA_LINE_NAME_MAX; i++) {
            char after = i + 1 < raw.len ? raw.at[i + 1] : 0;
            bool skip = raw.at[i] == '\\' &&
                        (after == ',' || after == ' ' || (has_equals_escape && after == '='));
            if (n == room)
                return LINE_NO_ROOM;
            side[n++] = raw.at[i += skip];
        }
    }
    *out = escaped ? (struct ta_str){side, n} : raw;
    if (out->len > TA_LINE_NAME_MAX)
        return line_bad(c, TA_LINE_LONG_NAME, raw.at, "name is longer than 255 bytes",
                        (struct ta_str){0});
    c->side->used += n;
    return LINE_OK;
}

size_t ta_line_utf8(struct ta_str s)
{
    const unsigned char *p = (const unsigned char *)s.at;

    for (size_t i = 0; i < s.len;) {
        unsigned c = p[i];
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || s.len - i <= more)
            return i;
        /* The second byte excludes overlong forms, surrogates and what is past U+10FFFF. */
        unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (p[i + 1] < low || p[i + 1] > high)
            return i;
        for (size_t k = 2; k <= more; k++)
            if (p[i + k] < 0x80 || p[i + k] > 0xbf)
                return i;
        i += more + 1;
    }
    return s.len;
}
