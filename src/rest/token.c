#include "rest/token.h"

#include "io/json_read.h"
#include "io/vfs.h"

#include <unistd.h>

enum { EARLY_S = 300, CLAIMS_MAX = 8 * 1024 };

static int value_of(char c)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *p = c ? strchr(plain, c) : NULL;

    return p ? (int)(p - plain) : -1;
}

/* base64url without padding (RFC 4648, section 5); the number of bytes, or -1. */
static int64_t decode(struct ta_str s, char *out)
{
    unsigned bits = 0, n_bits = 0;
    int64_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int v = value_of(s.at[i]);
        if (v < 0)
            return -1;
        bits = (bits << 6 | (unsigned)v) & 0xfffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (char)(bits >> n_bits & 0xff);
        }
    }
    return n;
}

static int64_t read_exp(struct ta_json_reader *j)
{
    struct ta_json_token t;
    int64_t exp = INT64_MAX;

    if (ta_json_next(j, &t, NULL) <= 0 || t.kind != TA_JSON_OBJECT)
        return exp;
    while (ta_json_next(j, &t, NULL) > 0 && t.kind == TA_JSON_KEY) {
        double v;
        if (!ta_str_is(t.text, "exp")) {
            if (ta_json_skip(j, NULL) < 0)
                break;
        } else if (ta_json_next(j, &t, NULL) <= 0) {
            break;
        } else if (ta_json_f64(&t, &v) == TA_OK && v > 0 && v < 1e15) {
            exp = (int64_t)v;
        }
    }
    return exp;
}

int64_t ta_token_end_s(struct ta_str token)
{
    const char *dot = token.len ? memchr(token.at, '.', token.len) : NULL;
    char claims[CLAIMS_MAX];
    struct ta_mem_source src;
    struct ta_json_reader *j;

    if (!dot)
        return INT64_MAX;
    struct ta_str part = {dot + 1, token.len - (size_t)(dot + 1 - token.at)};
    const char *end = memchr(part.at, '.', part.len);
    part.len = end ? (size_t)(end - part.at) : 0;
    int64_t n = part.len / 4 * 3 + 3 <= sizeof(claims) ? decode(part, claims) : -1;
    if (n <= 0)
        return INT64_MAX;
    ta_mem_source_init(&src, claims, (size_t)n, 0);
    if (ta_json_reader_new(&j, &src.source, NULL, &ta_heap) < 0)
        return INT64_MAX;
    int64_t exp = read_exp(j);
    ta_json_reader_free(j);
    return exp;
}

/* The first line of the file. */
static int read_file(struct ta_token_file *t, struct ta_err *err)
{
    char text[TA_TOKEN_MAX];
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, t->path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    int64_t n = ta_pread_full(file, text, sizeof(text), 0, err);
    (void)ta_close(&file, NULL); /* it was only read */
    if (n < 0)
        return (int)n;
    size_t len = 0;
    while (len < (size_t)n && text[len] > ' ' && text[len] < 0x7f)
        len++;
    if (len == 0 || len == sizeof(text))
        r = ta_fail(err, TA_EINVAL, "%.200s: holds no token", t->path);
    if (r == TA_OK) {
        ta_buf_reset(&t->text);
        r = ta_buf_add(&t->text, text, len);
    }
    explicit_bzero(text, sizeof(text));
    if (r == TA_OK)
        t->end_s = ta_token_end_s(ta_buf_view(&t->text));
    t->is_refused = t->is_refused && r < 0;
    return r;
}

int ta_token_file_init(struct ta_token_file *t, const char *path, bool may_be_text,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    *t = (struct ta_token_file){.path = path, .end_s = INT64_MAX};
    ta_buf_init(&t->text, alloc, TA_TOKEN_MAX);
    (void)pthread_mutex_init(&t->lock, NULL); /* fills a struct: cannot fail here */
    if (!may_be_text || access(path, F_OK) == 0)
        return read_file(t, err);
    t->path = NULL;
    for (const char *p = path; *p; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return ta_fail(err, TA_EINVAL, "the token is neither a file nor a token");
    int r = ta_buf_z(&t->text, path);
    return r < 0 ? ta_fail(err, r, "the token is too long") : TA_OK;
}

void ta_token_file_done(struct ta_token_file *t)
{
    if (t->text.at)
        explicit_bzero(t->text.at, t->text.cap);
    if (t->text.alloc) {
        ta_buf_done(&t->text);
        pthread_mutex_destroy(&t->lock);
    }
    *t = (struct ta_token_file){0};
}

int ta_token_file_get(struct ta_token_file *t, int64_t now_s, struct ta_buf *out,
                      struct ta_err *err)
{
    int r = TA_OK;

    pthread_mutex_lock(&t->lock);
    if (t->path && (t->is_refused || (t->end_s != INT64_MAX && t->end_s - now_s < EARLY_S)))
        (void)read_file(t, NULL); /* the old one may still do; if not, the server says so */
    r = ta_buf_str(out, ta_buf_view(&t->text));
    pthread_mutex_unlock(&t->lock);
    return r < 0 ? ta_fail(err, r, "token") : TA_OK;
}

void ta_token_file_refused(struct ta_token_file *t)
{
    pthread_mutex_lock(&t->lock);
    t->is_refused = true;
    pthread_mutex_unlock(&t->lock);
}
