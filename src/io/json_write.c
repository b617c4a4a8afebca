#include "io/json_write.h"

#include "base/number.h"
#include "io/utf8.h"

#include <math.h>

void ta_json_writer_init(struct ta_json_writer *w, struct ta_buf *out)
{
    *w = (struct ta_json_writer){.out = out};
}

static int keep(struct ta_json_writer *w, int r)
{
    if (r < 0 && w->error == TA_OK)
        w->error = r;
    return w->error;
}

/* What stands before a value or a key: a comma, if it is not the first of its container. */
static int separate(struct ta_json_writer *w)
{
    if (w->error)
        return w->error;
    if (w->has_key) {
        w->has_key = false;
        return TA_OK;
    }
    if (w->depth == 0)
        return TA_OK;
    bool *has_item = &w->has_item[w->depth - 1];
    if (*has_item)
        return keep(w, ta_buf_byte(w->out, ','));
    *has_item = true;
    return TA_OK;
}

static int put(struct ta_json_writer *w, const void *p, size_t n)
{
    if (separate(w) < 0)
        return w->error;
    return keep(w, ta_buf_add(w->out, p, n));
}

static int open_container(struct ta_json_writer *w, char c)
{
    if (w->depth == TA_JSON_WRITE_DEPTH)
        return keep(w, TA_ERANGE);
    if (put(w, &c, 1) == TA_OK)
        w->has_item[w->depth++] = false;
    return w->error;
}

static int close_container(struct ta_json_writer *w, char c)
{
    if (w->error)
        return w->error;
    if (w->depth == 0 || w->has_key)
        return keep(w, TA_ESTATE);
    w->depth--;
    return keep(w, ta_buf_byte(w->out, c));
}

int ta_json_put_object(struct ta_json_writer *w)
{
    return open_container(w, '{');
}

int ta_json_put_object_end(struct ta_json_writer *w)
{
    return close_container(w, '}');
}

int ta_json_put_array(struct ta_json_writer *w)
{
    return open_container(w, '[');
}

int ta_json_put_array_end(struct ta_json_writer *w)
{
    return close_container(w, ']');
}

int ta_json_put_key_str(struct ta_json_writer *w, struct ta_str key)
{
    if (w->error)
        return w->error;
    if (w->has_key || w->depth == 0)
        return keep(w, TA_ESTATE);
    if (separate(w) < 0 || keep(w, ta_json_escape(w->out, key)) < 0 ||
        keep(w, ta_buf_byte(w->out, ':')) < 0)
        return w->error;
    w->has_key = true;
    return TA_OK;
}

int ta_json_put_key(struct ta_json_writer *w, const char *key)
{
    return ta_json_put_key_str(w, ta_str(key));
}

int ta_json_put_str(struct ta_json_writer *w, struct ta_str s)
{
    if (separate(w) < 0)
        return w->error;
    return keep(w, ta_json_escape(w->out, s));
}

int ta_json_put_z(struct ta_json_writer *w, const char *z)
{
    return ta_json_put_str(w, ta_str(z));
}

int ta_json_put_i64(struct ta_json_writer *w, int64_t v)
{
    if (separate(w) < 0)
        return w->error;
    return keep(w, ta_buf_i64(w->out, v));
}

int ta_json_put_u64(struct ta_json_writer *w, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[sizeof(digits) - ++n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return put(w, digits + sizeof(digits) - n, n);
}

int ta_json_put_bool(struct ta_json_writer *w, bool v)
{
    return v ? put(w, "true", 4) : put(w, "false", 5);
}

int ta_json_put_null(struct ta_json_writer *w)
{
    return put(w, "null", 4);
}

/* Numbers are printed in place when there is room for the longest, else beside. */
int ta_json_put_fixed(struct ta_json_writer *w, double v, int decimals)
{
    char text[TA_FIXED_MAX];

    if (!isfinite(v))
        return ta_json_put_null(w);
    if (separate(w) < 0)
        return w->error;
    if (w->out->cap - w->out->len >= TA_FIXED_MAX) {
        w->out->len += ta_print_fixed(w->out->at + w->out->len, v, decimals);
        return TA_OK;
    }
    return keep(w, ta_buf_add(w->out, text, ta_print_fixed(text, v, decimals)));
}

int ta_json_put_f64(struct ta_json_writer *w, double v)
{
    char text[TA_SHORTEST_MAX];

    if (!isfinite(v))
        return ta_json_put_null(w);
    return put(w, text, ta_print_shortest(text, v));
}

int ta_json_put_raw(struct ta_json_writer *w, struct ta_str json)
{
    return put(w, json.at, json.len);
}

int ta_json_member_str(struct ta_json_writer *w, const char *key, struct ta_str v)
{
    ta_json_put_key(w, key);
    return ta_json_put_str(w, v);
}

int ta_json_member_z(struct ta_json_writer *w, const char *key, const char *v)
{
    ta_json_put_key(w, key);
    return ta_json_put_z(w, v);
}

int ta_json_member_i64(struct ta_json_writer *w, const char *key, int64_t v)
{
    ta_json_put_key(w, key);
    return ta_json_put_i64(w, v);
}

int ta_json_member_bool(struct ta_json_writer *w, const char *key, bool v)
{
    ta_json_put_key(w, key);
    return ta_json_put_bool(w, v);
}

/* The escape of one byte below 0x80; 0 when it stands for itself. */
static size_t escape_of(unsigned char c, char out[6])
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[][2] = {{'"', '"'},  {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'},
                                     {'\t', 't'}, {'\b', 'b'},  {'\f', 'f'}};

    if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&')
        return 0;
    for (size_t i = 0; i < TA_COUNT(shorts); i++)
        if (c == (unsigned char)shorts[i][0]) {
            out[0] = '\\';
            out[1] = shorts[i][1];
            return 2;
        }
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

int ta_json_escape(struct ta_buf *out, struct ta_str s)
{
    size_t from = 0, i = 0, before = out->len;
    int r = ta_buf_byte(out, '"');

    while (r == TA_OK && i < s.len) {
        char escape[6];
        size_t width = 1, n = 0;
        if ((unsigned char)s.at[i] < 0x80) {
            n = escape_of((unsigned char)s.at[i], escape);
        } else {
            width = ta_utf8_width(s.at + i, s.len - i);
            if (width == 0) {
                width = 1;
                memcpy(escape, "\\ufffd", n = 6);
            } else if (width == 3 && !memcmp(s.at + i, "\xe2\x80\xa8", 3)) {
                memcpy(escape, "\\u2028", n = 6);
            } else if (width == 3 && !memcmp(s.at + i, "\xe2\x80\xa9", 3)) {
                memcpy(escape, "\\u2029", n = 6);
            }
        }
        if (n) {
            r = ta_buf_add(out, s.at + from, i - from);
            if (r == TA_OK)
                r = ta_buf_add(out, escape, n);
            from = i + width;
        }
        i += width;
    }
    if (r == TA_OK)
        r = ta_buf_add(out, s.at ? s.at + from : "", s.len - from);
    if (r == TA_OK)
        r = ta_buf_byte(out, '"');
    if (r < 0)
        out->len = before; /* never half a string */
    return r;
}
