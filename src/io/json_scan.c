/* json_scan.c - the characters of one string, number or literal.
 *
 * Each scan is a state machine whose state is kept in the reader (`scan`, `step`), so that it goes
 * on where it stopped, at any byte, and looks at no byte twice.
 */
#include "io/json_int.h"
#include "io/utf8.h"

/* Adds what is missing to the token: 1 = more bytes, 0 = end, < 0 error. */
static int more(struct ta_json_reader *r, bool skip, struct ta_err *err)
{
    if (skip)
        r->at = r->scan;
    else if (r->scan - r->at > r->text_max + 1)
        return ta_json_fail(r, TA_ERANGE, r->at, err, "string or number is too long");
    return ta_json_refill(r, err);
}

enum string_step { STRING_OPEN, STRING_TEXT, STRING_ESCAPE, STRING_HEX1, STRING_HEX4 = 6 };

enum { PLAIN, HIGH, QUOTE, BACKSLASH, CONTROL };

static const unsigned char string_class[256] = {
    [0 ... 0x1f] = CONTROL, ['"'] = QUOTE, ['\\'] = BACKSLASH, [0x80 ... 0xff] = HIGH};

static int hex_of(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte after a backslash; TA_OK or the error. */
static int step_escape(struct ta_json_reader *r, unsigned char c, struct ta_err *err)
{
    if (r->step == STRING_ESCAPE) {
        if (c == 'u')
            r->step = STRING_HEX1;
        else if (c && strchr("\"\\/bfnrt", c))
            r->step = STRING_TEXT;
        else
            return ta_json_fail_byte(r, r->scan, err, "in string escape code");
        return TA_OK;
    }
    if (hex_of(c) < 0)
        return ta_json_fail_byte(r, r->scan, err, "in \\u hexadecimal character escape");
    r->step = r->step == STRING_HEX4 ? STRING_TEXT : (unsigned char)(r->step + 1);
    return TA_OK;
}

/* Looks at what the buffer has: 1 = the closing quote is at r->scan, 0 = bytes are missing. */
static int scan_string_part(struct ta_json_reader *r, struct ta_err *err)
{
    while (r->scan < r->end) {
        if (r->step == STRING_TEXT) {
            const unsigned char *p = r->buf + r->scan, *end = r->buf + r->end;
            while (p < end && string_class[*p] == PLAIN)
                p++;
            r->scan = (size_t)(p - r->buf);
            if (p == end)
                return 0;
            switch (string_class[*p]) {
            case QUOTE:
                return 1;
            case CONTROL:
                return ta_json_fail_byte(r, r->scan, err, "in string literal");
            case BACKSLASH:
                r->step = STRING_ESCAPE;
                break;
            default:
                break;
            }
            r->needs_decoding = true;
        } else if (r->step == STRING_OPEN) {
            r->step = STRING_TEXT;
        } else {
            int bad = step_escape(r, r->buf[r->scan], err);
            if (bad < 0)
                return bad;
        }
        r->scan++;
    }
    return 0;
}

static uint32_t four_hex(const unsigned char *p)
{
    return (uint32_t)(hex_of(p[0]) << 12 | hex_of(p[1]) << 8 | hex_of(p[2]) << 4 | hex_of(p[3]));
}

/* The character of the escape at p (behind the backslash) and the bytes it takes. */
static size_t decode_escape(const unsigned char *p, const unsigned char *end, uint32_t *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *known = strchr(from, *p);

    if (*p != 'u') {
        *out = known ? (unsigned char)to[known - from] : *p;
        return 1;
    }
    uint32_t c = four_hex(p + 1);
    if (c >= 0xd800 && c < 0xdc00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u') {
        uint32_t low = four_hex(p + 7);
        if (low >= 0xdc00 && low < 0xe000) {
            *out = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            return 11;
        }
    }
    *out = c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
    return 5;
}

/* Escapes are checked already. The result can be longer than the text, as an invalid byte takes
 * three, so it has a place of its own. */
static int decode(struct ta_json_reader *r, const unsigned char *p, const unsigned char *end,
                  struct ta_str *out, struct ta_err *err)
{
    size_t n = 0;

    while (p < end) {
        char one[4];
        size_t width, put;
        if (*p == '\\') {
            uint32_t c = 0;
            width = 1 + decode_escape(p + 1, end, &c);
            put = ta_utf8_put(one, c);
        } else {
            width = put = ta_utf8_width((const char *)p, (size_t)(end - p));
            if (width)
                memcpy(one, p, width);
            else
                put = ta_utf8_put(one, (uint32_t)(width++, 0xfffd));
        }
        if (put > r->text_max - n)
            return ta_json_fail(r, TA_ERANGE, r->at, err, "string or number is too long");
        memcpy(r->decoded + n, one, put);
        n += put;
        p += width;
    }
    *out = (struct ta_str){(char *)r->decoded, n};
    return TA_OK;
}

int ta_json_scan_string(struct ta_json_reader *r, bool skip, struct ta_str *out, struct ta_err *err)
{
    for (;;) {
        int found = scan_string_part(r, err);
        if (found < 0)
            return found;
        if (found)
            break;
        int got = more(r, skip, err);
        if (got < 0)
            return got;
        if (got == 0)
            return ta_json_fail_eof(r, err);
    }
    const unsigned char *first = r->buf + r->at + 1, *end = r->buf + r->scan;
    if (!skip) {
        if ((size_t)(end - first) > r->text_max)
            return ta_json_fail(r, TA_ERANGE, r->at, err, "string or number is too long");
        int bad = TA_OK;
        if (r->needs_decoding)
            bad = decode(r, first, end, out, err);
        else
            *out = (struct ta_str){(const char *)first, (size_t)(end - first)};
        if (bad < 0)
            return bad;
    }
    r->at = ++r->scan;
    return TA_OK;
}

/* RFC 8259 section 6 as a table: rows are states, columns classes of bytes. */
enum number_step { START, MINUS, ZERO, INTEGER, POINT, FRACTION, MARK, SIGN, EXPONENT, BAD, WORD };
enum { OTHER, DIGIT_0, DIGIT, DASH, PLUS, DOT, LETTER_E, CLASSES };

static const unsigned char number_class[256] = {
    ['0'] = DIGIT_0, ['1' ... '9'] = DIGIT, ['-'] = DASH,    ['+'] = PLUS,
    ['.'] = DOT,     ['e'] = LETTER_E,      ['E'] = LETTER_E};

static const unsigned char number_next[BAD][CLASSES] = {
    /*            other 0         1-9       -      +     .      e   */
    [START] = {BAD, ZERO, INTEGER, MINUS, BAD, BAD, BAD},
    [MINUS] = {BAD, ZERO, INTEGER, BAD, BAD, BAD, BAD},
    [ZERO] = {BAD, BAD, BAD, BAD, BAD, POINT, MARK},
    [INTEGER] = {BAD, INTEGER, INTEGER, BAD, BAD, POINT, MARK},
    [POINT] = {BAD, FRACTION, FRACTION, BAD, BAD, BAD, BAD},
    [FRACTION] = {BAD, FRACTION, FRACTION, BAD, BAD, BAD, MARK},
    [MARK] = {BAD, EXPONENT, EXPONENT, SIGN, SIGN, BAD, BAD},
    [SIGN] = {BAD, EXPONENT, EXPONENT, BAD, BAD, BAD, BAD},
    [EXPONENT] = {BAD, EXPONENT, EXPONENT, BAD, BAD, BAD, BAD},
};

static bool is_whole(unsigned step)
{
    return step == ZERO || step == INTEGER || step == FRACTION || step == EXPONENT;
}

/* The word that the byte at r->scan begins or, behind a minus, goes on with; {NULL, 0} for none. */
static struct ta_str nonfinite_word(const struct ta_json_reader *r)
{
    unsigned char c = r->buf[r->scan];

    if (r->accepts_nonfinite && r->step == START && c == 'N')
        return TA_STR("NaN");
    if (r->accepts_nonfinite && r->step == START && c == 'I')
        return TA_STR("Infinity");
    if (r->accepts_nonfinite && r->step == MINUS && c == 'I')
        return TA_STR("-Infinity");
    return (struct ta_str){0};
}

static int scan_word(struct ta_json_reader *r, struct ta_str word, struct ta_str *out,
                     struct ta_err *err)
{
    r->step = WORD;
    *out = word;
    return ta_json_scan_literal(r, word, err);
}

int ta_json_scan_number(struct ta_json_reader *r, bool skip, struct ta_str *out, struct ta_err *err)
{
    if (r->step == WORD) /* its first byte, which is still there, says which one */
        return scan_word(r,
                         r->buf[r->at] == 'N'   ? TA_STR("NaN")
                         : r->buf[r->at] == 'I' ? TA_STR("Infinity")
                                                : TA_STR("-Infinity"),
                         out, err);
    for (;;) {
        const unsigned char *p = r->buf + r->scan, *end = r->buf + r->end;
        unsigned step = r->step, class = OTHER;
        while (p < end && (class = number_class[*p]) != OTHER) {
            unsigned next = number_next[step][class];
            if (next == BAD)
                break;
            step = next;
            p++;
        }
        r->step = (unsigned char)step;
        r->scan = (size_t)(p - r->buf);
        if (p < end) {
            struct ta_str word = nonfinite_word(r);
            if (word.at)
                return scan_word(r, word, out, err);
            if (!is_whole(step) || class != OTHER)
                return ta_json_fail_byte(r, r->scan, err, "in numeric literal");
            break;
        }
        /* A lone minus stays, as a word may follow. */
        int got = more(r, skip && step != MINUS, err);
        if (got < 0)
            return got;
        if (got == 0 && !is_whole(step))
            return ta_json_fail_eof(r, err);
        if (got == 0)
            break;
    }
    if (!skip && r->scan - r->at > r->text_max)
        return ta_json_fail(r, TA_ERANGE, r->at, err, "string or number is too long");
    *out = (struct ta_str){(const char *)r->buf + r->at, r->scan - r->at};
    r->at = r->scan;
    return TA_OK;
}

int ta_json_scan_literal(struct ta_json_reader *r, struct ta_str word, struct ta_err *err)
{
    for (;;) {
        for (; r->scan < r->end; r->scan++) {
            size_t i = r->scan - r->at;
            if (i == word.len)
                break;
            if (r->buf[r->scan] != (unsigned char)word.at[i])
                return ta_json_fail_byte(r, r->scan, err, "in literal");
        }
        if (r->scan - r->at == word.len)
            break;
        int got = ta_json_refill(r, err);
        if (got < 0)
            return got;
        if (got == 0)
            return ta_json_fail_eof(r, err);
    }
    r->at = r->scan;
    return TA_OK;
}
