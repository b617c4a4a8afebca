#include "app/http_answer.h"

#include "base/err.h"
#include "base/number.h"

#include <string.h>
#include <strings.h>

enum { CHUNK_DIGITS = 15 };

void ta_http_answer_init(struct ta_http_answer *a)
{
    a->status = 0;
    a->closes = a->is_chunked = false;
    a->body_bytes = a->left = 0;
    a->n_kept = a->n_line = 0;
    a->at = ANSWER_HEAD;
}

static int status_line(struct ta_http_answer *a)
{
    int64_t status;
    struct ta_str code = {a->line + 9, 3};

    if (a->n_line < 12 || memcmp(a->line, "HTTP/1.", 7) != 0 || ta_parse_i64(code, &status) < 0 ||
        status < 100)
        return TA_EFORMAT;
    a->status = (int)status;
    return TA_OK;
}

static bool header_is(const struct ta_http_answer *a, const char *name, struct ta_str *value)
{
    size_t n = strlen(name);

    if (a->n_line <= n || strncasecmp(a->line, name, n) != 0 || a->line[n] != ':')
        return false;
    *value = (struct ta_str){a->line + n + 1, a->n_line - n - 1};
    while (value->len && value->at[0] == ' ') {
        value->at++;
        value->len--;
    }
    return true;
}

static int header_line(struct ta_http_answer *a)
{
    struct ta_str value;

    if (a->n_line == 0) {
        a->at = a->is_chunked ? ANSWER_CHUNK_SIZE : a->left ? ANSWER_BODY : ANSWER_DONE;
        return TA_OK;
    }
    if (header_is(a, "Content-Length", &value))
        return ta_parse_u64(value, &a->left);
    if (header_is(a, "Transfer-Encoding", &value))
        a->is_chunked = true;
    if (header_is(a, "Connection", &value) && value.len == 5 &&
        strncasecmp(value.at, "close", 5) == 0)
        a->closes = true;
    return TA_OK;
}

static int chunk_line(struct ta_http_answer *a)
{
    size_t i = 0;

    a->left = 0;
    for (; i < a->n_line && i < CHUNK_DIGITS; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *d = memchr(digits, a->line[i], sizeof(digits) - 1);

        if (!d)
            break;
        a->left = a->left * 16 + (uint64_t)(d - digits) % 16;
    }
    if (i == 0)
        return TA_EFORMAT;
    a->at = a->left ? ANSWER_CHUNK : ANSWER_TRAILER;
    return TA_OK;
}

static int whole_line(struct ta_http_answer *a)
{
    switch (a->at) {
    case ANSWER_HEAD:
        return a->status ? header_line(a) : status_line(a);
    case ANSWER_CHUNK_SIZE:
        return chunk_line(a);
    case ANSWER_CHUNK_END:
        a->at = ANSWER_CHUNK_SIZE;
        return a->n_line ? TA_EFORMAT : TA_OK;
    case ANSWER_TRAILER:
        if (a->n_line == 0)
            a->at = ANSWER_DONE;
        return TA_OK;
    case ANSWER_BODY:
    case ANSWER_CHUNK:
    case ANSWER_DONE:
        break;
    }
    return TA_EFORMAT;
}

/* Takes bytes up to a line's end; returns how many, or TA_EFORMAT. */
static int64_t take_line(struct ta_http_answer *a, const char *at, size_t len)
{
    const char *end = memchr(at, '\n', len);
    size_t n = end ? (size_t)(end - at) : len;
    size_t room = sizeof(a->line) - a->n_line;

    memcpy(a->line + a->n_line, at, n < room ? n : room);
    a->n_line += n < room ? n : room;
    if (!end)
        return (int64_t)n;
    if (a->n_line && a->line[a->n_line - 1] == '\r')
        a->n_line--;
    int r = whole_line(a);
    a->n_line = 0;
    return r < 0 ? r : (int64_t)n + 1;
}

static size_t take_body(struct ta_http_answer *a, const char *at, size_t len)
{
    size_t n = a->left < len ? (size_t)a->left : len;
    size_t keep = sizeof(a->kept) - a->n_kept;

    keep = keep < n ? keep : n;
    memcpy(a->kept + a->n_kept, at, keep);
    a->n_kept += keep;
    a->body_bytes += n;
    a->left -= n;
    if (a->left == 0)
        a->at = a->is_chunked ? ANSWER_CHUNK_END : ANSWER_DONE;
    return n;
}

int ta_http_answer_feed(struct ta_http_answer *a, const char *at, size_t len)
{
    while (len > 0 && a->at != ANSWER_DONE) {
        int64_t n = a->at == ANSWER_BODY || a->at == ANSWER_CHUNK ? (int64_t)take_body(a, at, len)
                                                                  : take_line(a, at, len);

        if (n < 0)
            return (int)n;
        at += n;
        len -= (size_t)n;
    }
    return a->at == ANSWER_DONE;
}
