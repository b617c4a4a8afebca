#include "rest/s3_int.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    ATTEMPTS = 6,
    PARTS_MAX = 10000,
    PIECE = 64 * 1024,
    ANSWER_MAX = 64 * 1024,
    URL_MAX = 8 * 1024,
    ETAG_MAX = 80,
    HEADERS_MAX = 12
};

#define TAG_HEADER "x-amz-meta-tarn-tag"

/* Part [at, at + left) of a file as a body. */
struct part_source {
    struct ta_source source;
    struct ta_file *file;
    uint64_t at, left;
};

static int64_t part_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct part_source *p = TA_CONTAINER(self, struct part_source, source);

    n = n < p->left ? n : (size_t)p->left;
    int64_t got = ta_pread_full(p->file, buf, n, p->at, err);
    if (got < 0)
        return got;
    if ((size_t)got < n)
        return ta_fail(err, TA_EIO, "a file became shorter while it was uploaded");
    p->at += n;
    p->left -= n;
    return (int64_t)n;
}

int ta_s3_new(struct ta_s3 **out, const struct ta_s3_conf *conf, struct ta_alloc *alloc,
              struct ta_err *err)
{
    struct ta_s3 *s = ta_alloc_zero(alloc, 1, sizeof(*s));

    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for an S3 client");
    s->alloc = alloc;
    s->conf = *conf;
    s->conf.keys.service = "s3";
    if (!s->conf.part_bytes)
        s->conf.part_bytes = 8 * MiB;
    ta_buf_init(&s->url, alloc, URL_MAX);
    ta_buf_init(&s->path, alloc, URL_MAX);
    ta_buf_init(&s->auth, alloc, 4 * KiB);
    ta_buf_init(&s->answer, alloc, ANSWER_MAX);
    int r = ta_rest_client_new(&s->http, &conf->http, alloc, err);
    if (r < 0) {
        ta_s3_free(s);
        return r;
    }
    *out = s;
    return TA_OK;
}

void ta_s3_free(struct ta_s3 *s)
{
    if (!s)
        return;
    ta_rest_client_free(s->http);
    ta_buf_done(&s->url);
    ta_buf_done(&s->path);
    ta_buf_done(&s->auth);
    ta_buf_done(&s->answer);
    ta_release(s->alloc, s, sizeof(*s));
}

static int hash_part(const struct ta_s3_ask *a, char out[TA_SHA256_HEX], struct ta_alloc *alloc,
                     struct ta_err *err)
{
    if (!a->file)
        return ta_sha256_hex(a->text.at, a->text.len, out);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char *piece = ta_alloc(alloc, PIECE);
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct part_source part = {{part_read}, a->file, a->at, a->bytes};
    int64_t n = md && piece && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 1 : TA_ENOMEM;

    while (n > 0 && part.left) {
        n = part_read(&part.source, piece, PIECE, err);
        if (n > 0 && EVP_DigestUpdate(md, piece, (size_t)n) != 1)
            n = TA_ENOMEM;
    }
    if (n >= 0 && EVP_DigestFinal_ex(md, hash, NULL) != 1)
        n = TA_ENOMEM;
    EVP_MD_CTX_free(md);
    ta_release(alloc, piece, PIECE);
    for (size_t i = 0; n >= 0 && i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return n < 0 ? ta_fail(err, (int)n, "hashing an upload: %s", ta_strerror((int)n)) : TA_OK;
}

static int make_url(struct ta_s3 *s, const struct ta_s3_ask *a)
{
    int r;

    ta_buf_reset(&s->path);
    ta_buf_reset(&s->url);
    r = ta_buf_byte(&s->path, '/');
    if (r >= 0)
        r = ta_rest_encode(&s->path, ta_str(s->conf.bucket), false);
    if (r >= 0)
        r = ta_buf_byte(&s->path, '/');
    if (r >= 0)
        r = ta_rest_encode(&s->path, ta_str(a->key), true);
    if (r >= 0)
        r = ta_buf_printf(&s->url, "%s%.*s%s%s", s->conf.endpoint, (int)s->path.len, s->path.at,
                          a->query[0] ? "?" : "", a->query);
    if (r >= 0)
        r = ta_buf_byte(&s->url, 0);
    return r < 0 ? r : ta_buf_byte(&s->path, 0);
}

/* Host as curl sends it: what stands between "//" and the path; a default port does not. */
static void host_of(const char *endpoint, char out[256])
{
    const char *at = strstr(endpoint, "://");
    bool is_tls = strncmp(endpoint, "https", 5) == 0;

    snprintf(out, 256, "%s", at ? at + 3 : endpoint);
    out[strcspn(out, "/")] = 0;
    char *port = strrchr(out, ':');
    if (port && strcmp(port, is_tls ? ":443" : ":80") == 0)
        *port = 0;
}

/* One signed request; its answer's status, the body's first bytes in s->answer. */
static int ask_once(struct ta_s3 *s, const struct ta_s3_ask *a, struct ta_err *err)
{
    struct ta_sigv4_header sign[HEADERS_MAX];
    struct ta_rest_header send[HEADERS_MAX];
    struct ta_rest_answer *answer;
    struct ta_mem_source text;
    struct part_source part = {{part_read}, a->file, a->at, a->bytes};
    char date[TA_SIGV4_DATE];
    char hash[TA_SHA256_HEX];
    char host[256];
    size_t n = 0;

    int r = make_url(s, a);
    if (r < 0)
        return ta_fail(err, r, "S3 key %s: too long", a->key);
    r = hash_part(a, hash, s->alloc, err);
    if (r < 0)
        return r;
    ta_sigv4_date(ta_now_s(s->conf.clock), date);
    host_of(s->conf.endpoint, host);
    const struct ta_sigv4_header all[] = {
        /* sorted by name, as the signature wants them */
        {"host", host},
        {"if-none-match", a->if_none_match},
        {"x-amz-content-sha256", hash},
        {"x-amz-date", date},
        {TAG_HEADER, a->tag},
        {"x-amz-security-token", s->conf.keys.token},
    };
    for (size_t i = 0; i < TA_COUNT(all); i++)
        if (all[i].value && all[i].value[0])
            sign[n++] = all[i];
    const struct ta_sigv4_request request = {.method = a->method,
                                             .path = s->path.at,
                                             .query = a->query,
                                             .headers = sign,
                                             .n_headers = n,
                                             .payload_hash = hash};
    ta_buf_reset(&s->auth);
    r = ta_sigv4_authorization(&s->conf.keys, &request, date, &s->auth, err);
    if (r < 0 || ta_buf_byte(&s->auth, 0) < 0)
        return r < 0 ? r : ta_fail(err, TA_ENOMEM, "no memory to sign a request");
    for (size_t i = 0; i < n; i++)
        send[i] = (struct ta_rest_header){sign[i].name, sign[i].value};
    send[n] = (struct ta_rest_header){"authorization", s->auth.at};
    send[n + 1] = (struct ta_rest_header){"content-type", "application/octet-stream"};
    ta_mem_source_init(&text, a->text.at, a->text.len, 0);
    bool has_body =
        a->file || a->text.len || strcmp(a->method, "PUT") == 0 || strcmp(a->method, "POST") == 0;
    const struct ta_rest_request http = {.method = a->method,
                                         .url = s->url.at,
                                         .headers = send,
                                         .n_headers = n + 2,
                                         .body = !has_body ? NULL
                                                 : a->file ? &part.source
                                                           : &text.source,
                                         .body_bytes =
                                             a->file ? (int64_t)a->bytes : (int64_t)a->text.len};
    r = ta_rest_begin(s->http, &http, &answer, err);
    if (r < 0)
        return r;
    int status = answer->status;
    ta_buf_reset(&s->answer);
    s->body = a->keeps_body && status == 200 ? &answer->body : NULL;
    if (s->body)
        return status;
    r = ta_rest_read_all(s->http, answer, &s->answer, err);
    return r < 0 ? r : status;
}

static int wait_ms(struct ta_s3 *s, int64_t ms, struct ta_err *err)
{
    const _Atomic bool *stop = s->conf.http.stop;

    for (; ms > 0; ms -= 100) {
        if (stop && *stop)
            return ta_fail(err, TA_ECANCELED, "stopped");
        (void)poll(NULL, 0, (int)(ms < 100 ? ms : 100)); /* a shorter wait does no harm */
    }
    return TA_OK;
}

int ta_s3_ask(struct ta_s3 *s, const struct ta_s3_ask *a, struct ta_err *err)
{
    for (unsigned attempt = 0;; attempt++) {
        struct ta_err why = {0};
        int r = ask_once(s, a, &why);
        bool passing = r < 0 ? ta_rest_is_transient(r, 0)
                             : ta_rest_is_transient(TA_OK, r) || r == 500 || r == 409;
        if (!passing || attempt + 1 == ATTEMPTS)
            return r < 0 ? ta_fail(err, r, "%s", why.text) : r;
        int64_t wait = ta_rest_backoff_ms(s->http, attempt), most = s->conf.wait_max_ms;
        r = wait_ms(s, most && most < wait ? most : wait, err);
        if (r < 0)
            return r;
    }
}

struct ta_str ta_s3_element(const struct ta_s3 *s, const char *name)
{
    char open[64];
    const char *end = s->answer.at + s->answer.len;
    int n = snprintf(open, sizeof(open), "<%s>", name);

    if (s->answer.len == 0)
        return (struct ta_str){NULL, 0};
    const char *at = memmem(s->answer.at, s->answer.len, open, (size_t)n);
    if (!at)
        return (struct ta_str){NULL, 0};
    at += n;
    const char *stop = memchr(at, '<', (size_t)(end - at));
    return stop ? (struct ta_str){at, (size_t)(stop - at)} : (struct ta_str){NULL, 0};
}

int ta_s3_refused(const struct ta_s3 *s, const struct ta_s3_ask *a, int status, struct ta_err *err)
{
    struct ta_str code = ta_s3_element(s, "Code");
    int result = status == 403 || status == 401 ? TA_EDENIED
                 : status == 412                ? TA_EEXIST
                 : status == 404                ? TA_ENOTFOUND
                                                : TA_EIO;

    return ta_fail(err, result, "S3: %s %s/%s: answer %d%s%.*s", a->method, s->conf.bucket, a->key,
                   status, code.len ? " " : "", TA_STR_FMT(code));
}

int ta_s3_head(struct ta_s3 *s, const char *key, struct ta_s3_object *out, struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "HEAD", .key = key, .query = ""};
    int status = ta_s3_ask(s, &a, err);

    if (status < 0)
        return status;
    if (status == 404)
        return 0;
    if (status != 200)
        return ta_s3_refused(s, &a, status, err);
    struct ta_str length = ta_rest_header(s->http, "content-length");
    struct ta_str tag = ta_rest_header(s->http, TAG_HEADER);
    char number[24];
    snprintf(number, sizeof(number), "%.*s", TA_STR_FMT(length));
    unsigned long long bytes = 0;
    if (sscanf(number, "%llu", &bytes) != 1)
        return ta_fail(err, TA_EIO, "S3: HEAD %s/%s: no size in the answer", s->conf.bucket, key);
    out->bytes = bytes;
    snprintf(out->tag, sizeof(out->tag), "%.*s", TA_STR_FMT(tag));
    return 1;
}

/* ---- upload in parts ---------------------------------------------------------------------------- */

static int begin_upload(struct ta_s3 *s, const char *key, const char *tag, struct ta_buf *id,
                        struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "POST", .key = key, .query = "uploads=", .tag = tag};
    int status = ta_s3_ask(s, &a, err);

    if (status < 0)
        return status;
    struct ta_str upload = ta_s3_element(s, "UploadId");
    if (status != 200 || !upload.len)
        return ta_s3_refused(s, &a, status, err);
    int r = ta_rest_encode(id, upload, false);
    return r < 0 || ta_buf_byte(id, 0) < 0 ? ta_fail(err, TA_ENOMEM, "S3: an upload id too long")
                                           : TA_OK;
}

static int put_part(struct ta_s3 *s, struct ta_s3_ask *a, unsigned number, const char *id,
                    struct ta_buf *list, struct ta_err *err)
{
    char query[2048];
    int n = snprintf(query, sizeof(query), "partNumber=%u&uploadId=%s", number, id);

    if (n < 0 || (size_t)n >= sizeof(query))
        return ta_fail(err, TA_ERANGE, "S3: an upload id too long");
    a->query = query;
    int status = ta_s3_ask(s, a, err);
    if (status < 0)
        return status;
    struct ta_str etag = ta_rest_header(s->http, "etag");
    if (status != 200 || !etag.len || etag.len > ETAG_MAX)
        return ta_s3_refused(s, a, status, err);
    int r = ta_buf_printf(list, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>", number,
                          TA_STR_FMT(etag));
    return r < 0 ? ta_fail(err, r, "S3: too many parts") : TA_OK;
}

static int put_parts(struct ta_s3 *s, const char *key, struct ta_file *file, uint64_t bytes,
                     const char *id, struct ta_buf *list, struct ta_err *err)
{
    uint64_t part =
        bytes / PARTS_MAX + 1 > s->conf.part_bytes ? bytes / PARTS_MAX + 1 : s->conf.part_bytes;
    unsigned number = 1;
    int r = ta_buf_z(list, "<CompleteMultipartUpload>");

    for (uint64_t at = 0; at < bytes && r >= 0; at += part) {
        struct ta_s3_ask a = {.method = "PUT",
                              .key = key,
                              .file = file,
                              .at = at,
                              .bytes = bytes - at < part ? bytes - at : part};
        r = put_part(s, &a, number++, id, list, err);
    }
    return r < 0 ? r : ta_buf_z(list, "</CompleteMultipartUpload>");
}

static int end_upload(struct ta_s3 *s, const char *key, const char *id, const struct ta_buf *list,
                      struct ta_err *err)
{
    char query[2048];

    snprintf(query, sizeof(query), "uploadId=%s", id);
    const struct ta_s3_ask a = {.method = "POST",
                                .key = key,
                                .query = query,
                                .if_none_match = "*",
                                .text = ta_buf_view(list)};
    int status = ta_s3_ask(s, &a, err);
    if (status < 0)
        return status;
    /* The server may answer 200 at once and tell the error in the body. */
    return status == 200 && !ta_s3_element(s, "Code").len ? TA_OK
                                                          : ta_s3_refused(s, &a, status, err);
}

static void drop_upload(struct ta_s3 *s, const char *key, const char *id)
{
    char query[2048];

    snprintf(query, sizeof(query), "uploadId=%s", id);
    const struct ta_s3_ask a = {.method = "DELETE", .key = key, .query = query};
    (void)ask_once(s, &a, NULL); /* parts that stay are the bucket's life-cycle rule's business */
}

static int put_in_parts(struct ta_s3 *s, const char *key, struct ta_file *file, uint64_t bytes,
                        const char *tag, struct ta_err *err)
{
    struct ta_buf list;
    struct ta_buf id;

    ta_buf_init(&id, s->alloc, 2000);
    ta_buf_init(&list, s->alloc, 2 * MiB);
    int r = begin_upload(s, key, tag, &id, err);
    if (r >= 0) {
        r = put_parts(s, key, file, bytes, id.at, &list, err);
        if (r >= 0)
            r = end_upload(s, key, id.at, &list, err);
        if (r < 0)
            drop_upload(s, key, id.at);
    }
    ta_buf_done(&id);
    ta_buf_done(&list);
    return r;
}

static int put_whole(struct ta_s3 *s, const char *key, struct ta_file *file, uint64_t bytes,
                     const char *tag, struct ta_err *err)
{
    const struct ta_s3_ask a = {.method = "PUT",
                                .key = key,
                                .query = "",
                                .if_none_match = "*",
                                .tag = tag,
                                .file = file,
                                .bytes = bytes};
    int status = ta_s3_ask(s, &a, err);

    return status < 0 ? status : status == 200 ? TA_OK : ta_s3_refused(s, &a, status, err);
}

/* 1 = the object is there and is ours, 0 = it is not there, TA_EEXIST = it is another. */
static int is_ours(struct ta_s3 *s, const char *key, uint64_t bytes, const char *tag,
                   struct ta_err *err)
{
    struct ta_s3_object object;
    int r = ta_s3_head(s, key, &object, err);

    if (r <= 0)
        return r;
    if (object.bytes == bytes && strcmp(object.tag, tag) == 0)
        return 1;
    return ta_fail(err, TA_EEXIST, "S3: %s/%s exists already", s->conf.bucket, key);
}

int ta_s3_put(struct ta_s3 *s, const char *key, struct ta_file *file, const char *tag,
              struct ta_err *err)
{
    struct ta_err why = {0};
    uint64_t bytes;

    int r = file->ops->size(file, &bytes, err);
    if (r >= 0)
        r = is_ours(s, key, bytes, tag, err);
    if (r != 0)
        return r < 0 ? r : TA_OK;
    r = bytes > s->conf.part_bytes ? put_in_parts(s, key, file, bytes, tag, &why)
                                   : put_whole(s, key, file, bytes, tag, &why);
    if (r == TA_ENOMEM || r == TA_ERANGE || r == TA_ECANCELED || r == TA_EDENIED)
        return ta_fail(err, r, "%s", why.text);
    /* The answer may have been lost, or a repeat met its own first success: the object itself tells. */
    int there = is_ours(s, key, bytes, tag, err);
    if (there < 0)
        return there;
    if (there == 0)
        return ta_fail(err, r < 0 ? r : TA_EIO, "%s",
                       r < 0 ? why.text : "S3: an object is not there after its upload");
    return TA_OK;
}
