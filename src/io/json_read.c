/* json_read.c - the grammar of JSON over one fixed buffer; json_scan.c knows the characters.
 *
 * A token in the making stays in the buffer from `at` on until it is whole; when bytes are missing
 * it is moved to the front and the source is asked. A newline can stand only between tokens, so
 * lines are counted where white space is passed over and nowhere else.
 */
#include "base/number.h"
#include "io/json_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { BUFFER_DEFAULT = 64 * 1024, BUFFER_LEAST = 32, DEPTH_DEFAULT = 64 };

static size_t block_size(const struct ta_json_reader *r)
{
    return sizeof(*r) + r->cap + r->text_max;
}

int ta_json_reader_new(struct ta_json_reader **out, struct ta_source *src,
                       const struct ta_json_limits *limits, struct ta_alloc *alloc)
{
    static const struct ta_json_limits none = {0};
    const struct ta_json_limits *l = limits ? limits : &none;
    struct ta_json_reader init = {.src = src,
                                  .alloc = alloc,
                                  .cap = l->buffer ? l->buffer : BUFFER_DEFAULT,
                                  .depth_max = l->depth ? l->depth : DEPTH_DEFAULT,
                                  .line = 1,
                                  .accepts_nonfinite = l->accepts_nonfinite,
                                  .last = TA_JSON_NULL};

    init.text_max = l->text_max ? l->text_max : init.cap / 2;
    if (init.cap < BUFFER_LEAST || init.cap > SIZE_MAX / 4 || init.text_max > init.cap / 2 ||
        init.depth_max > TA_JSON_DEPTH_MAX)
        return TA_EINVAL;
    struct ta_json_reader *r = ta_alloc(alloc, block_size(&init));
    if (!r)
        return TA_ENOMEM;
    *r = init;
    r->buf = (unsigned char *)(r + 1);
    r->decoded = r->buf + r->cap;
    *out = r;
    return TA_OK;
}

void ta_json_reader_free(struct ta_json_reader *r)
{
    if (r)
        ta_release(r->alloc, r, block_size(r));
}

int ta_json_refill(struct ta_json_reader *r, struct ta_err *err)
{
    if (r->at_eof)
        return 0;
    if (r->at > 0 && (r->at == r->end || r->end == r->cap || r->at >= r->cap / 2)) {
        memmove(r->buf, r->buf + r->at, r->end - r->at);
        r->base += r->at;
        r->end -= r->at;
        r->scan -= r->at;
        r->at = 0;
    }
    int64_t got = r->src->read(r->src, r->buf + r->end, r->cap - r->end, err);
    if (got == 0)
        r->at_eof = true;
    if (got < 0) {
        if (got != TA_EAGAIN)
            r->failed = (int)got;
        return (int)got;
    }
    r->end += (size_t)got;
    return got > 0;
}

int ta_json_fail(struct ta_json_reader *r, int code, size_t where, struct ta_err *err,
                 const char *what)
{
    r->failed = code;
    return ta_fail(err, code, "%s at line %" PRIu64 ":%" PRIu64, what, r->line,
                   r->base + where - r->line_start + 1);
}

int ta_json_fail_byte(struct ta_json_reader *r, size_t where, struct ta_err *err, const char *what)
{
    unsigned char c = r->buf[where];
    char text[120];

    if (c >= 0x20 && c < 0x7f)
        snprintf(text, sizeof(text), "invalid character '%c' %s", c, what);
    else
        snprintf(text, sizeof(text), "invalid character 0x%02x %s", c, what);
    return ta_json_fail(r, TA_EFORMAT, where, err, text);
}

int ta_json_fail_eof(struct ta_json_reader *r, struct ta_err *err)
{
    return ta_json_fail(r, TA_EFORMAT, r->end, err, "unexpected EOF");
}

/* 1 = a byte that is no white space stands at r->at, 0 = end of the source. */
static int pass_space(struct ta_json_reader *r, struct ta_err *err)
{
    for (;;) {
        for (; r->at < r->end; r->at++) {
            unsigned char c = r->buf[r->at];
            if (c > ' ')
                return 1;
            if (c == '\n') {
                r->line++;
                r->line_start = r->base + r->at + 1;
            } else if (c != ' ' && c != '\t' && c != '\r') {
                return 1;
            }
        }
        r->scan = r->at;
        int got = ta_json_refill(r, err);
        if (got <= 0)
            return got;
    }
}

static bool top_is_object(const struct ta_json_reader *r)
{
    unsigned i = r->depth - 1;

    return r->in_object[i / 64] >> i % 64 & 1;
}

/* The state behind a value that is whole. */
static void end_value(struct ta_json_reader *r)
{
    r->state = r->depth ? JSON_AFTER : JSON_DONE;
}

static int open_container(struct ta_json_reader *r, bool is_object, struct ta_err *err)
{
    unsigned i = r->depth;
    uint64_t bit = UINT64_C(1) << i % 64;

    if (r->depth == r->depth_max)
        return ta_json_fail(r, TA_ERANGE, r->at, err, "nesting is too deep");
    r->in_object[i / 64] = is_object ? r->in_object[i / 64] | bit : r->in_object[i / 64] & ~bit;
    r->depth++;
    r->at++;
    r->token.kind = is_object ? TA_JSON_OBJECT : TA_JSON_ARRAY;
    r->state = is_object ? JSON_FIRST_KEY : JSON_FIRST_VALUE;
    return TA_OK;
}

static void close_container(struct ta_json_reader *r)
{
    r->token.kind = top_is_object(r) ? TA_JSON_OBJECT_END : TA_JSON_ARRAY_END;
    r->depth--;
    r->token.depth = r->depth;
    r->at++;
    end_value(r);
}

/* A token starts at r->at. */
static void begin_token(struct ta_json_reader *r)
{
    r->token = (struct ta_json_token){
        .depth = r->depth, .line = r->line, .column = r->base + r->at - r->line_start + 1};
    r->scan = r->at;
    r->step = 0;
    r->needs_decoding = false;
    r->partial = true;
}

static int read_literal(struct ta_json_reader *r, enum ta_json_kind kind, struct ta_str word,
                        struct ta_err *err)
{
    r->token.kind = kind;
    r->token.text = word;
    return ta_json_scan_literal(r, word, err);
}

/* The scalar that begins at r->at, or goes on there in a second try. */
static int read_scalar(struct ta_json_reader *r, unsigned char first, bool skip, struct ta_err *err)
{
    switch (first) {
    case '"':
        r->token.kind = TA_JSON_STRING;
        return ta_json_scan_string(r, skip, &r->token.text, err);
    case 't':
        return read_literal(r, TA_JSON_TRUE, TA_STR("true"), err);
    case 'f':
        return read_literal(r, TA_JSON_FALSE, TA_STR("false"), err);
    case 'n':
        return read_literal(r, TA_JSON_NULL, TA_STR("null"), err);
    default:
        r->token.kind = TA_JSON_NUMBER;
        return ta_json_scan_number(r, skip, &r->token.text, err);
    }
}

/* Goes on with the token that was begun; a skipped one may have lost its first byte, so its kind
 * decides. */
static int resume_token(struct ta_json_reader *r, enum json_mode mode, struct ta_err *err)
{
    static const char first[] = {
        [TA_JSON_KEY] = '"',  [TA_JSON_STRING] = '"', [TA_JSON_NUMBER] = 0,
        [TA_JSON_TRUE] = 't', [TA_JSON_FALSE] = 'f',  [TA_JSON_NULL] = 'n'};
    enum ta_json_kind kind = r->token.kind;
    bool skip = mode == JSON_PASS || (mode == JSON_WALK && kind != TA_JSON_KEY);
    int bad = read_scalar(r, (unsigned char)first[kind], skip, err);

    r->token.kind = kind;
    if (bad < 0)
        return bad;
    r->partial = false;
    if (skip)
        r->token.text = (struct ta_str){0};
    if (kind == TA_JSON_KEY)
        r->state = JSON_COLON;
    else
        end_value(r);
    return 1;
}

static int start_value(struct ta_json_reader *r, unsigned char c, enum json_mode mode,
                       struct ta_err *err)
{
    begin_token(r);
    if (c == '{' || c == '[') {
        r->partial = false;
        int bad = open_container(r, c == '{', err);
        return bad < 0 ? bad : 1;
    }
    if (c == '"')
        r->token.kind = TA_JSON_STRING;
    else if (c == 't')
        r->token.kind = TA_JSON_TRUE;
    else if (c == 'f')
        r->token.kind = TA_JSON_FALSE;
    else if (c == 'n')
        r->token.kind = TA_JSON_NULL;
    else if (c == '-' || (c >= '0' && c <= '9') || (r->accepts_nonfinite && (c == 'N' || c == 'I')))
        r->token.kind = TA_JSON_NUMBER;
    else
        return ta_json_fail_byte(r, r->at, err, "looking for beginning of value");
    return resume_token(r, mode, err);
}

static int start_key(struct ta_json_reader *r, unsigned char c, enum json_mode mode,
                     struct ta_err *err)
{
    begin_token(r);
    if (c != '"')
        return ta_json_fail_byte(r, r->at, err, "looking for beginning of object key string");
    r->token.kind = TA_JSON_KEY;
    return resume_token(r, mode, err);
}

static int end_container(struct ta_json_reader *r)
{
    begin_token(r);
    r->partial = false;
    close_container(r);
    return 1;
}

/* After a value inside a container: 0 = a comma was passed, 1 = the container ended. */
static int after_value(struct ta_json_reader *r, unsigned char c, struct ta_err *err)
{
    bool is_object = top_is_object(r);

    if (c == ',') {
        r->at++;
        r->state = is_object ? JSON_NEXT_KEY : JSON_VALUE;
        return 0;
    }
    if (c == (is_object ? '}' : ']'))
        return end_container(r);
    return ta_json_fail_byte(r, r->at, err,
                             is_object ? "after object key:value pair" : "after array element");
}

/* One token into r->token: 1, 0 = the value is complete, < 0 error or TA_EAGAIN. */
static int step(struct ta_json_reader *r, enum json_mode mode, struct ta_err *err)
{
    if (r->failed)
        return ta_fail(err, r->failed, "reading JSON failed before");
    if (r->partial)
        return resume_token(r, mode, err);
    while (r->state != JSON_DONE) {
        int got = pass_space(r, err);
        if (got < 0)
            return got;
        if (got == 0 && r->depth == 0)
            return ta_json_fail(r, TA_EFORMAT, r->end, err, "EOF");
        if (got == 0)
            return ta_json_fail_eof(r, err);
        unsigned char c = r->buf[r->at];
        switch (r->state) {
        case JSON_FIRST_KEY:
            return c == '}' ? end_container(r) : start_key(r, c, mode, err);
        case JSON_NEXT_KEY:
            return start_key(r, c, mode, err);
        case JSON_FIRST_VALUE:
            return c == ']' ? end_container(r) : start_value(r, c, mode, err);
        case JSON_VALUE:
            return start_value(r, c, mode, err);
        case JSON_COLON:
            if (c != ':')
                return ta_json_fail_byte(r, r->at, err, "after object key");
            r->at++;
            r->state = JSON_VALUE;
            break;
        default:
            got = after_value(r, c, err);
            if (got)
                return got;
        }
    }
    return 0;
}

static int next(struct ta_json_reader *r, enum json_mode mode, struct ta_json_token *out,
                struct ta_err *err)
{
    if (r->skipping) { /* a skip that met TA_EAGAIN is ended first */
        int bad = ta_json_skip(r, err);
        if (bad < 0)
            return bad;
    }
    int got = step(r, mode, err);
    if (got == 1) {
        r->last = r->token.kind;
        *out = r->token;
    }
    return got;
}

int ta_json_next(struct ta_json_reader *r, struct ta_json_token *out, struct ta_err *err)
{
    return next(r, JSON_KEEP, out, err);
}

int ta_json_walk(struct ta_json_reader *r, struct ta_json_token *out, struct ta_err *err)
{
    return next(r, JSON_WALK, out, err);
}

int ta_json_skip(struct ta_json_reader *r, struct ta_err *err)
{
    if (!r->skipping) {
        bool opened = r->last == TA_JSON_OBJECT || r->last == TA_JSON_ARRAY;
        if (!opened && r->last != TA_JSON_KEY)
            return TA_OK;
        r->skip_to = r->depth - opened;
        r->skipping = true;
    }
    do {
        int got = step(r, JSON_PASS, err);
        if (got < 0)
            return got;
    } while (r->depth > r->skip_to);
    r->skipping = false;
    r->last = TA_JSON_NULL;
    return TA_OK;
}

int ta_json_finish(struct ta_json_reader *r, struct ta_err *err)
{
    if (r->failed)
        return ta_fail(err, r->failed, "reading JSON failed before");
    int got = pass_space(r, err);

    if (got == 1)
        return ta_json_fail_byte(r, r->at, err, "after top-level value");
    return got;
}

void ta_json_again(struct ta_json_reader *r)
{
    r->state = JSON_VALUE;
    r->last = TA_JSON_NULL;
    r->depth = 0;
}

int ta_json_more(struct ta_json_reader *r, struct ta_err *err)
{
    if (r->failed)
        return ta_fail(err, r->failed, "reading JSON failed before");
    int got = pass_space(r, err);

    if (got == 1)
        ta_json_again(r);
    return got;
}

uint64_t ta_json_offset(const struct ta_json_reader *r)
{
    return r->base + r->at;
}

int ta_json_i64(const struct ta_json_token *t, int64_t *out)
{
    return t->kind == TA_JSON_NUMBER ? ta_parse_i64(t->text, out) : TA_EFORMAT;
}

int ta_json_u64(const struct ta_json_token *t, uint64_t *out)
{
    return t->kind == TA_JSON_NUMBER ? ta_parse_u64(t->text, out) : TA_EFORMAT;
}

int ta_json_f64(const struct ta_json_token *t, double *out)
{
    return t->kind == TA_JSON_NUMBER ? ta_parse_f64(t->text, out) : TA_EFORMAT;
}

int ta_json_expected(const struct ta_json_token *t, const char *what, struct ta_err *err)
{
    static const char *const names[] = {"an object", "the end of an object",
                                        "an array",  "the end of an array",
                                        "a key",     "a string",
                                        "a number",  "true",
                                        "false",     "null"};

    return ta_fail(err, TA_EFORMAT, "line %" PRIu64 ":%" PRIu64 ": expected %s, found %s", t->line,
                   t->column, what, names[t->kind]);
}
