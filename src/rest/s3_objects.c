/* s3_objects.c - reading, listing, replacing and deleting objects; declared in s3.h. */
#include "rest/s3_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

enum {
    KEYS_A_PAGE = 400,
    PAGE_MAX = 1024 * 1024, /* of an answer: keys may be 1 KiB, and are said with much around */
    QUERY_MAX = 8 * 1024
};

#define REPLACE_MAX (UINT64_C(5) << 30) /* the protocol's bound of one request */

int ta_s3_check(struct ta_s3 *s, struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "HEAD", .key = "", .query = ""};
    int status = ta_s3_ask(s, &a, err);

    return status < 0 ? status : status == 200 ? TA_OK : ta_s3_refused(s, &a, status, err);
}

int ta_s3_get(struct ta_s3 *s, const char *key, struct ta_source **out, uint64_t *bytes,
              struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "GET", .key = key, .query = "", .keeps_body = true};
    int status = ta_s3_ask(s, &a, err);

    if (status < 0)
        return status;
    if (status != 200)
        return ta_s3_refused(s, &a, status, err);
    if (ta_parse_u64(ta_rest_header(s->http, "content-length"), bytes) < 0) {
        ta_s3_get_end(s);
        return ta_fail(err, TA_EIO, "S3: GET %s/%s: no size in the answer", s->conf.bucket, key);
    }
    *out = s->body;
    return TA_OK;
}

void ta_s3_get_end(struct ta_s3 *s)
{
    if (s->body)
        ta_rest_end(s->http);
    s->body = NULL;
}

int ta_s3_replace(struct ta_s3 *s, const char *key, struct ta_file *file, uint64_t bytes,
                  struct ta_str text, struct ta_err *err)
{
    const struct ta_s3_ask a = {
        .method = "PUT", .key = key, .query = "", .file = file, .bytes = bytes, .text = text};

    if (file && bytes > REPLACE_MAX)
        return ta_fail(err, TA_ERANGE, "S3: %s/%s: %" PRIu64 " bytes do not fit into one request",
                       s->conf.bucket, key, bytes);
    int status = ta_s3_ask(s, &a, err);
    return status < 0 ? status : status == 200 ? TA_OK : ta_s3_refused(s, &a, status, err);
}

int ta_s3_delete(struct ta_s3 *s, const char *key, struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "DELETE", .key = key, .query = ""};
    int status = ta_s3_ask(s, &a, err);

    if (status < 0)
        return status;
    return status == 200 || status == 204 || status == 404 ? TA_OK
                                                           : ta_s3_refused(s, &a, status, err);
}

/* ---- listing ------------------------------------------------------------------------------------ */

static int list_query(struct ta_buf *query, const char *prefix, bool by_folder, const char *after)
{
    int r = by_folder ? ta_buf_z(query, "delimiter=%2F&") : TA_OK;

    if (r >= 0)
        r = ta_buf_printf(query, "list-type=2&max-keys=%d&prefix=", KEYS_A_PAGE);
    if (r >= 0)
        r = ta_rest_encode(query, ta_str(prefix), false);
    if (r >= 0 && after[0])
        r = ta_buf_z(query, "&start-after=");
    if (r >= 0 && after[0])
        r = ta_rest_encode(query, ta_str(after), false);
    return r < 0 ? r : ta_buf_byte(query, 0);
}

/* The next text between `open` and '<' from *at on; {NULL, 0} = there is none. */
static struct ta_str next_text(const char **at, const char *end, const char *open)
{
    const char *from = memmem(*at, (size_t)(end - *at), open, strlen(open));

    if (!from)
        return (struct ta_str){NULL, 0};
    from += strlen(open);
    const char *to = memchr(from, '<', (size_t)(end - from));
    *at = to ? to : end;
    return (struct ta_str){from, (size_t)(*at - from)};
}

/* Entities of XML; a character by number is a byte, as in control characters. */
static int add_name(struct ta_buf *names, struct ta_str s)
{
    static const struct {
        const char *entity;
        char byte;
    } entities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    int r = TA_OK;

    for (size_t i = 0; r >= 0 && i < s.len;) {
        const struct ta_str rest = {s.at + i, s.len - i};
        size_t n = 1;
        char c = s.at[i];

        for (size_t j = 0; c == '&' && n == 1 && j < TA_COUNT(entities); j++) {
            if (ta_str_starts(rest, ta_str(entities[j].entity))) {
                n = strlen(entities[j].entity);
                c = entities[j].byte;
            }
        }
        r = c ? ta_buf_byte(names, c) : TA_OK;
        i += n;
    }
    return r < 0 ? r : ta_buf_byte(names, 0);
}

static int read_page(struct ta_s3 *s, const struct ta_buf *page, bool by_folder,
                     struct ta_buf *names, struct ta_err *err)
{
    const char *end = page->at + page->len;
    const char *at = page->at;
    struct ta_str name;
    int r = TA_OK;

    struct ta_str more = next_text(&at, end, "<IsTruncated>");
    if (!more.at)
        return ta_fail(err, TA_EFORMAT, "S3: the list of %s is not understood", s->conf.bucket);
    at = page->at;
    if (by_folder) {
        while (r >= 0 && (at = memmem(at, (size_t)(end - at), "<CommonPrefixes>", 16)) != NULL &&
               (name = next_text(&at, end, "<Prefix>")).at)
            r = add_name(names, name);
    } else {
        while (r >= 0 && (name = next_text(&at, end, "<Key>")).at)
            r = add_name(names, name);
    }
    if (r < 0)
        return ta_fail(err, r, "S3: a page of the list of %s: %s", s->conf.bucket, ta_strerror(r));
    return ta_str_is(more, "true");
}

int ta_s3_list(struct ta_s3 *s, const char *prefix, bool by_folder, const char *after,
               struct ta_buf *names, struct ta_err *err)
{
    struct ta_buf query;
    struct ta_buf page;

    ta_buf_reset(names);
    ta_buf_init(&query, s->alloc, QUERY_MAX);
    ta_buf_init(&page, s->alloc, PAGE_MAX);
    int r = list_query(&query, prefix, by_folder, after);
    if (r < 0)
        (void)ta_fail(err, r, "S3: listing %s: %s", s->conf.bucket, ta_strerror(r));
    const struct ta_s3_ask a = {.method = "GET", .key = "", .query = query.at, .keeps_body = true};
    int status = r < 0 ? r : ta_s3_ask(s, &a, err);
    r = status < 0 ? status : TA_OK;
    if (r >= 0 && status != 200)
        r = ta_s3_refused(s, &a, status, err);
    while (r >= 0) {
        char piece[4096];
        int64_t n = s->body->read(s->body, piece, sizeof(piece), err);

        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = ta_buf_add(&page, piece, (size_t)n);
        if (r < 0)
            (void)ta_fail(err, r, "S3: a page of the list of %s: %s", s->conf.bucket,
                          ta_strerror(r));
    }
    ta_s3_get_end(s);
    if (r >= 0)
        r = read_page(s, &page, by_folder, names, err);
    ta_buf_done(&page);
    ta_buf_done(&query);
    return r;
}
