#include "net/uri.h"

static bool starts_nocase(struct ta_str s, const char *lower)
{
    size_t n = strlen(lower);

    if (s.len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != lower[i])
            return false;
    }
    return true;
}

static struct ta_str from(struct ta_str s, size_t at)
{
    return (struct ta_str){s.at + at, s.len - at};
}

struct ta_uri ta_uri_split(struct ta_str target)
{
    struct ta_uri u = {0};
    struct ta_str s = target;

    if (starts_nocase(s, "http://"))
        s = from(s, 7);
    else if (starts_nocase(s, "https://"))
        s = from(s, 8);
    if (s.at != target.at) {
        size_t i = 0;
        while (i < s.len && s.at[i] != '/' && s.at[i] != '?')
            i++;
        s = from(s, i);
    }
    const char *mark = s.len ? memchr(s.at, '?', s.len) : NULL;
    size_t n = mark ? (size_t)(mark - s.at) : s.len;
    if (mark)
        u.query = from(s, n + 1);
    u.path = n ? (struct ta_str){s.at, n} : TA_STR("/");
    return u;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int64_t ta_uri_decode(struct ta_str s, bool plus, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex(s.at[i + 1]) : -1;
            int low = i + 2 < s.len ? hex(s.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    return (int64_t)n;
}

/* The next pair of a query; false at its end. */
static bool next_pair(struct ta_str *rest, struct ta_str *name, struct ta_str *value)
{
    while (rest->len && rest->at[0] == '&')
        *rest = from(*rest, 1);
    if (!rest->len)
        return false;
    const char *end = memchr(rest->at, '&', rest->len);
    struct ta_str pair = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    const char *eq = memchr(pair.at, '=', pair.len);
    size_t n = eq ? (size_t)(eq - pair.at) : pair.len;

    *name = (struct ta_str){pair.at, n};
    *value = from(pair, eq ? n + 1 : n);
    *rest = from(*rest, pair.len);
    return true;
}

struct ta_str ta_uri_param(struct ta_str query, struct ta_str name)
{
    struct ta_str n, v;

    while (next_pair(&query, &n, &v))
        if (ta_str_eq(n, name))
            return v;
    return (struct ta_str){0};
}

static struct ta_str decode_copy(struct ta_str s, bool plus, struct ta_arena *arena)
{
    char *p = ta_arena_get(arena, s.len + 1);
    int64_t n = p ? ta_uri_decode(s, plus, p) : -1;

    if (n < 0)
        return (struct ta_str){0};
    p[n] = 0;
    return (struct ta_str){p, (size_t)n};
}

/* Compares without memory: names are short and mostly unescaped. */
static bool name_is(struct ta_str raw, struct ta_str name)
{
    char decoded[128];

    if (ta_str_eq(raw, name))
        return true;
    if (raw.len > sizeof(decoded))
        return false;
    int64_t n = ta_uri_decode(raw, true, decoded);
    return n >= 0 && ta_str_eq((struct ta_str){decoded, (size_t)n}, name);
}

struct ta_str ta_uri_param_decoded(struct ta_str query, struct ta_str name, struct ta_arena *arena)
{
    struct ta_str n, v;

    while (next_pair(&query, &n, &v))
        if (name_is(n, name))
            return decode_copy(v, true, arena);
    return (struct ta_str){0};
}

bool ta_uri_is_clean(struct ta_str path)
{
    if (!path.len || path.at[0] != '/')
        return false;
    for (size_t i = 0; i < path.len;) {
        size_t start = ++i; /* behind a slash */
        while (i < path.len && path.at[i] != '/')
            i++;
        size_t n = i - start;
        const char *e = path.at + start;
        if (n == 0 && i < path.len)
            return false;
        if ((n == 1 && e[0] == '.') || (n == 2 && e[0] == '.' && e[1] == '.'))
            return false;
    }
    return true;
}

struct ta_str ta_uri_clean(struct ta_str path, struct ta_arena *arena)
{
    char *out = ta_arena_get(arena, path.len + 3);
    size_t n = 0;
    bool slash = true; /* the path ends in one */

    if (!out)
        return (struct ta_str){0};
    for (size_t i = 0; i < path.len;) {
        while (i < path.len && path.at[i] == '/')
            i++;
        size_t start = i;
        while (i < path.len && path.at[i] != '/')
            i++;
        struct ta_str e = {path.at + start, i - start};
        slash = i < path.len || !e.len;
        if (!e.len || ta_str_is(e, "."))
            continue;
        if (ta_str_is(e, "..")) {
            while (n && out[--n] != '/') {
            }
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, e.at, e.len);
        n += e.len;
    }
    if (!n || (slash && out[n - 1] != '/'))
        out[n++] = '/';
    out[n] = 0;
    return (struct ta_str){out, n};
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct ta_str ta_uri_escape_path(struct ta_str path, struct ta_arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = ta_arena_get(arena, path.len * 3 + 1);
    size_t n = 0;

    if (!out)
        return (struct ta_str){0};
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];
        if (is_alnum(c) || (c && strchr("-_.~$&+,/:;=@", c))) {
            out[n++] = c;
        } else {
            out[n++] = '%';
            out[n++] = digits[(unsigned char)c >> 4];
            out[n++] = digits[(unsigned char)c & 15];
        }
    }
    out[n] = 0;
    return (struct ta_str){out, n};
}

bool ta_uri_is_token(struct ta_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.at[i]) && (!s.at[i] || !strchr("!#$%&'*+-.^_`|~", s.at[i])))
            return false;
    return s.len > 0;
}
