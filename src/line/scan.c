/* scan.c - blocks into lines: where a line ends, what is blank, where to go on after a bad one. */
#include "line/line.h"

#include "base/bytes.h"
#include "line/line_int.h"

#include <assert.h>

static const struct ta_str no_token = {0};

void ta_line_init(struct ta_line *s, const struct ta_line_options *options)
{
    s->options = options ? *options : (struct ta_line_options){0};
    if (s->options.line_max == 0)
        s->options.line_max = TA_LINE_BYTES_MAX;
    s->line = 1;
    s->is_skipping = false;
}

static bool has_high_bytes(const char *p, const char *end)
{
    uint64_t any = 0;

    for (; end - p >= 8; p += 8)
        any |= ta_get_u64(p);
    for (; p < end; p++)
        any |= (unsigned char)*p;
    return (any & UINT64_C(0x8080808080808080)) != 0;
}

int line_find_end(struct line_cursor *c)
{
    const char *lf = memchr(c->p, '\n', (size_t)(c->end - c->p));

    if (!lf && !c->is_whole)
        return LINE_PARTIAL;
    c->eol = lf ? lf : c->end;
    c->next = lf ? lf + 1 : c->end;
    if (!lf && c->is_long) {
        c->scanner->is_skipping = true;
        return line_bad(c, TA_LINE_LONG_LINE, c->row_at, "line is too long", no_token);
    }
    if (c->eol > c->p && c->eol[-1] == '\r')
        c->eol--;
    c->has_high |= has_high_bytes(c->p, c->eol);
    return LINE_OK;
}

/* LINE_OK: nothing but spaces or a comment. */
static bool is_blank(struct line_cursor *c, int *r)
{
    const char *p = c->p;

    *r = LINE_OK;
    while (p < c->eol && *p == ' ')
        p++;
    if (p < c->eol && *p != '#') {
        c->p = p;
        return false;
    }
    for (; p < c->eol; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *r = line_bad(c, TA_LINE_SYNTAX, p, "control character in a comment", no_token);
    return true;
}

/* Passes the rest of a line that was too long. */
static const char *skip_rest(struct ta_line *s, const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));

    if (!lf)
        return end;
    s->is_skipping = false;
    s->line++;
    return lf + 1;
}

/* One line at `p`: LINE_OK with room->n samples, or why not; *next is set unless it is partial or
 * had no room. */
static int scan_line(struct ta_line *s, struct ta_line_side *side, const char *p, const char *end,
                     bool is_end, struct line_room *room, struct ta_line_error *error,
                     const char **next)
{
    size_t line_max = s->options.line_max;
    bool is_long = (size_t)(end - p) >= line_max;
    struct line_cursor c = {.p = p,
                            .end = is_long ? p + line_max : end,
                            .row_at = p,
                            .row = s->line,
                            .is_long = is_long,
                            .is_whole = is_long || is_end,
                            .scanner = s,
                            .side = side,
                            .error = error};

    *error = (struct ta_line_error){0};
    room->n = room->left_out = 0;
    int r = line_find_end(&c);
    if (r == LINE_OK && !is_blank(&c, &r))
        r = line_parse(&c, room);
    if (r == LINE_NO_ROOM && room->is_alone)
        r = line_bad(&c, TA_LINE_LONG_LINE, p, "line has too many fields or escaped names",
                     no_token);
    if (r == LINE_PARTIAL || r == LINE_NO_ROOM)
        return r;
    s->line = c.row + !s->is_skipping;
    *next = c.next;
    return r;
}

void ta_line_scan(struct ta_line *s, struct ta_line_side *side, struct ta_str block, bool is_end,
                  struct ta_line_sample *out, size_t max, struct ta_line_result *result)
{
    const char *p = block.at, *end = block.at + block.len, *next = p;
    struct ta_line_error error;

    assert(max >= 1 && max <= TA_LINE_BATCH_MAX);
    assert(s->options.mode == TA_LINE_NATIVE || max == TA_LINE_BATCH_MAX);
    *result = (struct ta_line_result){.stop = TA_LINE_DRAINED};
    side->used = 0;
    while (p < end && result->stop == TA_LINE_DRAINED) {
        if (s->is_skipping) {
            p = skip_rest(s, p, end);
            continue;
        }
        if (result->n == max) {
            result->stop = TA_LINE_FULL;
            break;
        }
        struct line_room room = {.at = out + result->n,
                                 .max = max - result->n,
                                 .is_alone = result->n == 0 && side->used == 0};
        int r = scan_line(s, side, p, end, is_end, &room, &error, &next);
        if (r == LINE_PARTIAL)
            break;
        if (r == LINE_NO_ROOM) {
            result->stop = TA_LINE_FULL;
            break;
        }
        if (r == LINE_BAD) {
            result->stop = TA_LINE_BAD;
            result->error = error;
        } else {
            result->n += room.n;
            result->left_out += room.left_out;
        }
        p = next;
    }
    result->used = (size_t)(p - block.at);
}

const char *ta_line_reason_name(enum ta_line_reason reason)
{
    static const char *const names[TA_LINE_N_REASONS] = {
        [TA_LINE_GOOD] = "good",
        [TA_LINE_SYNTAX] = "syntax",
        [TA_LINE_BAD_UTF8] = "utf8",
        [TA_LINE_UNKNOWN_FIELD] = "unknown_field",
        [TA_LINE_BAD_TYPE] = "value_type",
        [TA_LINE_BAD_VALUE] = "value",
        [TA_LINE_VALUE_RANGE] = "value_range",
        [TA_LINE_BAD_TIME] = "timestamp",
        [TA_LINE_LONG_NAME] = "long_name",
        [TA_LINE_LONG_LINE] = "long_line",
    };

    return names[reason];
}

/* Bytes of a request in a message: bounded, one line. */
static void put_token(char *out, size_t cap, struct ta_str s)
{
    size_t n = s.len < cap - 1 ? s.len : cap - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f ? '?' : s.at[i];
    out[n] = 0;
}

int ta_line_fail(struct ta_err *err, const struct ta_line_error *e)
{
    char host[65], token[65];
    bool names_host = e->reason == TA_LINE_UNKNOWN_FIELD || e->reason == TA_LINE_BAD_TYPE;

    put_token(host, sizeof(host), e->host);
    put_token(token, sizeof(token), e->token);
    return ta_fail(err, TA_EFORMAT, "at line %llu:%llu: %s%s%s%s%s%s%s",
                   (unsigned long long)e->line, (unsigned long long)e->column,
                   names_host ? "host " : "", names_host ? host : "", names_host ? ": " : "",
                   e->what, e->token.len ? " '" : "", token, e->token.len ? "'" : "");
}
