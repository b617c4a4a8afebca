/* client.c - pull semantics on libcurl's multi interface.
 *
 * One easy handle in one multi handle. libcurl pushes body bytes into our buffer; when
 * a piece does not fit, the transfer is paused and unpaused after the reader has emptied the
 * buffer. libcurl hands over at most CURL_MAX_WRITE_SIZE (16 KiB) a call, decoded bytes
 * included, so a buffer of at least that size always makes progress.
 */
#include "rest/client.h"

#include "base/number.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <strings.h>

enum { BUFFER_DEFAULT = 64 * 1024, CONNECT_MS = 30000, IDLE_MS = 60000, POLL_MS = 200 };

struct ta_rest_client {
    struct ta_alloc *alloc;
    struct ta_rest_conf conf;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct ta_rest_answer answer;
    struct ta_source *upload;
    struct ta_err first; /* first error of the request, kept for later reads */
    unsigned char *buf;  /* body bytes [at, len) wait for the reader */
    size_t at, len, cap;
    char *head; /* header and trailer lines, NUL-separated "name: value" */
    size_t head_len;
    bool is_running, is_paused, has_head, is_done;
    bool is_head_whole; /* its last line, the empty one, has come */
    CURLcode result;
    char words[CURL_ERROR_SIZE];
};

int ta_rest_global_init(struct ta_err *err)
{
    CURLcode r = curl_global_init(CURL_GLOBAL_DEFAULT);

    return r == CURLE_OK ? TA_OK : ta_fail(err, TA_ENOMEM, "libcurl: %s", curl_easy_strerror(r));
}

void ta_rest_global_done(void)
{
    curl_global_cleanup();
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct ta_rest_client *c = arg;
    size_t bytes = size * n;

    c->has_head = true;
    if (c->at == c->len)
        c->at = c->len = 0;
    if (bytes > c->cap - c->len) {
        c->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(c->buf + c->len, p, bytes);
    c->len += bytes;
    return bytes;
}

/* Called once per header line, for every hop and for trailers. A new status line starts over. */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct ta_rest_client *c = arg;
    size_t bytes = size * n;
    size_t len = bytes;

    if (bytes >= 5 && memcmp(p, "HTTP/", 5) == 0) {
        c->head_len = 0;
        c->is_head_whole = false;
    }
    while (len > 0 && (p[len - 1] == '\n' || p[len - 1] == '\r'))
        len--;
    if (len == 0) {
        c->is_head_whole = true;
        return bytes;
    }
    if (len + 1 > TA_REST_HEADER_BYTES_MAX - c->head_len) {
        ta_fail(&c->first, TA_ERANGE, "answer's header is larger than %d bytes",
                TA_REST_HEADER_BYTES_MAX);
        return 0;
    }
    memcpy(c->head + c->head_len, p, len);
    c->head[c->head_len + len] = 0;
    c->head_len += len + 1;
    return bytes;
}

static size_t on_upload(char *p, size_t size, size_t n, void *arg)
{
    struct ta_rest_client *c = arg;
    int64_t got = c->upload->read(c->upload, p, size * n, &c->first);

    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    struct ta_rest_client *c = arg;

    (void)dt, (void)dn, (void)ut, (void)un;
    return c->conf.stop && atomic_load_explicit(c->conf.stop, memory_order_relaxed);
}

int ta_rest_client_new(struct ta_rest_client **out, const struct ta_rest_conf *conf,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_rest_client *c = ta_alloc_zero(alloc, 1, sizeof(*c));

    if (!c)
        return ta_fail(err, TA_ENOMEM, "HTTP client");
    c->alloc = alloc;
    c->conf = *conf;
    c->cap = conf->buffer ? conf->buffer : BUFFER_DEFAULT;
    if (c->cap < CURL_MAX_WRITE_SIZE)
        c->cap = CURL_MAX_WRITE_SIZE;
    c->buf = ta_alloc(alloc, c->cap);
    c->head = ta_alloc(alloc, TA_REST_HEADER_BYTES_MAX);
    c->multi = curl_multi_init();
    c->easy = curl_easy_init();
    if (!c->buf || !c->head || !c->multi || !c->easy) {
        ta_rest_client_free(c);
        return ta_fail(err, TA_ENOMEM, "HTTP client");
    }
    *out = c;
    return TA_OK;
}

void ta_rest_client_free(struct ta_rest_client *c)
{
    if (!c)
        return;
    ta_rest_end(c);
    if (c->easy)
        curl_easy_cleanup(c->easy);
    if (c->multi)
        curl_multi_cleanup(c->multi);
    ta_release(c->alloc, c->buf, c->cap);
    ta_release(c->alloc, c->head, TA_REST_HEADER_BYTES_MAX);
    ta_release(c->alloc, c, sizeof(*c));
}

static bool has_line_break(const char *s)
{
    return strpbrk(s, "\r\n") != NULL;
}

static int add_header(struct ta_rest_client *c, const char *line, struct ta_err *err)
{
    struct curl_slist *grown = curl_slist_append(c->headers, line);

    if (!grown)
        return ta_fail(err, TA_ENOMEM, "request headers");
    c->headers = grown;
    return TA_OK;
}

static int set_headers(struct ta_rest_client *c, const struct ta_rest_request *req,
                       struct ta_err *err)
{
    int r = TA_OK;

    if (req->n_headers > TA_REST_HEADERS_MAX)
        return ta_fail(err, TA_ERANGE, "more than %d request headers", TA_REST_HEADERS_MAX);
    for (size_t i = 0; r == TA_OK && i < req->n_headers; i++) {
        const struct ta_rest_header *h = &req->headers[i];
        struct ta_buf line;

        if (has_line_break(h->name) || has_line_break(h->value))
            return ta_fail(err, TA_EINVAL, "line break in the request header %s", h->name);
        ta_buf_init(&line, c->alloc, TA_REST_HEADER_BYTES_MAX);
        /* "Name;" is libcurl's way to send a header without a value. */
        r = h->value[0] ? ta_buf_printf(&line, "%s: %s", h->name, h->value)
                        : ta_buf_printf(&line, "%s;", h->name);
        if (r == TA_OK)
            r = ta_buf_byte(&line, 0);
        r = r == TA_OK ? add_header(c, line.at, err)
                       : ta_fail(err, r, "request header %s", h->name);
        ta_buf_done(&line);
    }
    /* No "Expect: 100-continue" round trip: bodies are small or signed anyway. */
    return r == TA_OK ? add_header(c, "Expect:", err) : r;
}

static void set_body(struct ta_rest_client *c, const struct ta_rest_request *req)
{
    CURL *e = c->easy;

    c->upload = req->body;
    if (req->body) {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(e, CURLOPT_READDATA, c);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_bytes);
    } else if (strcmp(req->method, "HEAD") == 0) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (strcmp(req->method, "POST") == 0 || strcmp(req->method, "PUT") == 0) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, 0L);
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
}

static void set_options(struct ta_rest_client *c, const struct ta_rest_request *req)
{
    const struct ta_rest_conf *k = &c->conf;
    CURL *e = c->easy;

    curl_easy_reset(e); /* keeps connections and the TLS session cache */
    curl_easy_setopt(e, CURLOPT_URL, req->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_USERAGENT, k->user_agent ? k->user_agent : "tarn/" TARN_VERSION);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(k->connect_ms ? k->connect_ms : CONNECT_MS));
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     (long)(((k->idle_ms ? k->idle_ms : IDLE_MS) + 999) / 1000));
    if (k->total_ms)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)k->total_ms);
    if (k->redirects) {
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)k->redirects);
    }
    if (k->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, k->ca_file);
    if (k->ca_dir)
        curl_easy_setopt(e, CURLOPT_CAPATH, k->ca_dir);
    if (k->cert_file) {
        curl_easy_setopt(e, CURLOPT_SSLCERT, k->cert_file);
        curl_easy_setopt(e, CURLOPT_SSLKEY, k->key_file ? k->key_file : k->cert_file);
    }
    if (k->insecure) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (req->decode)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->words);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(e, CURLOPT_XFERINFODATA, c);
    set_body(c, req);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
}

static bool has_asked(const struct ta_rest_client *c)
{
    long bytes = 0;

    return curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

/* The request's failure in words: an error of ours (upload source, header limit) comes first. */
static int failed(struct ta_rest_client *c, struct ta_err *err)
{
    if (!c->first.code) {
        /* libcurl calls an answer that is no HTTP an unsupported protocol, as it does a URL. */
        bool is_url = c->result == CURLE_URL_MALFORMAT ||
                      (c->result == CURLE_UNSUPPORTED_PROTOCOL && !has_asked(c));

        if (c->result == CURLE_ABORTED_BY_CALLBACK)
            ta_fail(&c->first, TA_ECANCELED, "request canceled");
        else if (is_url)
            ta_fail(&c->first, TA_EINVAL, "not a usable URL");
        else if (c->result == CURLE_OK)
            ta_fail(&c->first, TA_EIO, "the answer ends within its head");
        else if (c->result == CURLE_OUT_OF_MEMORY)
            ta_fail(&c->first, TA_ENOMEM, "HTTP request");
        else
            ta_fail(&c->first, TA_EIO, "%s",
                    c->words[0] ? c->words : curl_easy_strerror(c->result));
    }
    return ta_fail(err, c->first.code, "%s", c->first.text);
}

/* Lets libcurl work once and, if that brought nothing, waits up to POLL_MS for the network. */
static void turn(struct ta_rest_client *c)
{
    int running = 0;
    int left = 0;
    CURLMcode m = curl_multi_perform(c->multi, &running);

    if (m != CURLM_OK) {
        ta_fail(&c->first, TA_EIO, "libcurl: %s", curl_multi_strerror(m));
        c->is_done = true;
        return;
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(c->multi, &left));) {
        if (msg->msg == CURLMSG_DONE) {
            c->result = msg->data.result;
            c->is_done = true;
        }
    }
    if (!c->is_done && !c->is_paused && c->at == c->len)
        (void)curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL); /* a failure shows in perform */
}

static int64_t body_read(struct ta_source *self, void *out, size_t n, struct ta_err *err)
{
    struct ta_rest_answer *a = TA_CONTAINER(self, struct ta_rest_answer, body);
    struct ta_rest_client *c = TA_CONTAINER(a, struct ta_rest_client, answer);

    while (c->at == c->len) {
        if (!c->is_running)
            return ta_fail(err, TA_ESTATE, "the request has ended");
        if (c->is_done && !c->is_paused)
            return c->result == CURLE_OK && !c->first.code ? 0 : failed(c, err);
        if (c->is_paused) {
            c->is_paused = false;
            (void)curl_easy_pause(c->easy, CURLPAUSE_CONT); /* delivers to on_body at once */
            continue;
        }
        turn(c);
    }
    size_t have = c->len - c->at;
    n = n < have ? n : have;
    memcpy(out, c->buf + c->at, n);
    c->at += n;
    return (int64_t)n;
}

/* The head is known to be complete, redirects followed, once a body byte came or the transfer
 * ended. */
static int wait_for_head(struct ta_rest_client *c, struct ta_err *err)
{
    while (!c->has_head && !c->is_done)
        turn(c);
    if (c->is_done && (c->result != CURLE_OK || c->first.code) && c->len == 0)
        return failed(c, err);
    /* libcurl takes a connection that is closed there for the end of an empty answer. */
    return c->is_head_whole ? TA_OK : failed(c, err);
}

int ta_rest_begin(struct ta_rest_client *c, const struct ta_rest_request *req,
                  struct ta_rest_answer **out, struct ta_err *err)
{
    long status = 0;

    ta_rest_end(c);
    c->at = c->len = c->head_len = 0;
    c->is_paused = c->has_head = c->is_done = c->is_head_whole = false;
    c->result = CURLE_OK;
    c->first = (struct ta_err){0};
    c->words[0] = 0;
    c->answer = (struct ta_rest_answer){0};
    int r = set_headers(c, req, err);
    if (r < 0)
        return r;
    set_options(c, req);
    CURLMcode m = curl_multi_add_handle(c->multi, c->easy);
    if (m != CURLM_OK)
        return ta_fail(err, TA_EIO, "libcurl: %s", curl_multi_strerror(m));
    c->is_running = true;
    r = wait_for_head(c, err);
    if (r < 0) {
        ta_rest_end(c);
        return r;
    }
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    c->answer.status = (int)status;
    c->answer.body.read = body_read;
    *out = &c->answer;
    return TA_OK;
}

void ta_rest_end(struct ta_rest_client *c)
{
    if (c->is_running)
        (void)curl_multi_remove_handle(c->multi, c->easy);
    c->is_running = false;
    c->upload = NULL;
    curl_slist_free_all(c->headers);
    c->headers = NULL;
}

struct ta_str ta_rest_header(const struct ta_rest_client *c, const char *name)
{
    struct ta_str found = {0};
    size_t n = strlen(name);

    for (size_t at = 0; at < c->head_len;) {
        const char *line = c->head + at;
        size_t len = strlen(line);

        if (len > n && line[n] == ':' && strncasecmp(line, name, n) == 0) {
            size_t from = n + 1;
            while (from < len && (line[from] == ' ' || line[from] == '\t'))
                from++;
            found = (struct ta_str){line + from, len - from};
        }
        at += len + 1;
    }
    return found;
}

int ta_rest_read_all(struct ta_rest_client *c, struct ta_rest_answer *answer, struct ta_buf *into,
                     struct ta_err *err)
{
    char piece[4096];
    int64_t got;
    int r = TA_OK;

    while (r == TA_OK && (got = answer->body.read(&answer->body, piece, sizeof(piece), err)) != 0) {
        if (got < 0)
            r = (int)got;
        else if ((r = ta_buf_add(into, piece, (size_t)got)) < 0)
            ta_fail(err, r, "answer is larger than %zu bytes", into->max);
    }
    ta_rest_end(c);
    return r;
}

bool ta_rest_is_transient(int code, int status)
{
    if (code < 0)
        return code == TA_EIO;
    return status == 429 || status == 502 || status == 503 || status == 504;
}

int64_t ta_rest_backoff_ms(const struct ta_rest_client *c, unsigned attempt)
{
    int64_t wait = attempt < 6 ? (int64_t)250 << attempt : 10000;
    uint64_t asked = 0;

    if (wait > 10000)
        wait = 10000;
    if (ta_parse_u64(ta_rest_header(c, "Retry-After"), &asked) == TA_OK) {
        int64_t asked_ms = (int64_t)(asked < 60 ? asked : 60) * 1000;
        wait = asked_ms > wait ? asked_ms : wait;
    }
    return wait;
}

int ta_rest_encode(struct ta_buf *out, struct ta_str s, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < s.len; i++) {
        unsigned char ch = (unsigned char)s.at[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || (ch != 0 && strchr("-._~", ch)) ||
                     (keep_slash && ch == '/');
        char coded[3] = {'%', hex[ch >> 4], hex[ch & 15]};

        r = plain ? ta_buf_byte(out, (char)ch) : ta_buf_add(out, coded, sizeof(coded));
    }
    return r;
}
