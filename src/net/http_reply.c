/* http_reply.c - answers: kept in the request until it is their time, then handed to the library.
 * */
#include "net/http_int.h"

#include "io/json_write.h"

#include <strings.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {207, "Multi-Status"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

const char *ta_http_reason(int status)
{
    for (size_t i = 0; i < TA_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

/* ---- What handlers call ---- */

static const char *copy_text(struct ta_http_req *q, const char *s)
{
    return ta_arena_copy(&q->arena, ta_str(s)).at;
}

int ta_http_set_header(struct ta_http_req *q, const char *name, const char *value)
{
    if (!*name || strpbrk(name, "\r\n: \t") || strpbrk(value, "\r\n"))
        return TA_EINVAL;
    struct http_field *f = ta_arena_get(&q->arena, sizeof(*f));
    const char *n = copy_text(q, name);
    const char *v = copy_text(q, value);
    if (!f || !n || !v)
        return TA_ENOMEM;
    *f = (struct http_field){.next = q->answer.fields, .name = n, .value = v};
    q->answer.fields = f;
    return TA_OK;
}

/* No memory for the answer's own bytes: the status alone still says what happened. */
static int set_answer(struct ta_http_req *q, int status, const char *content_type,
                      struct ta_str body)
{
    struct http_answer *a = &q->answer;

    if (a->status)
        return TA_ESTATE;
    a->status = status;
    a->content_type = content_type ? copy_text(q, content_type) : NULL;
    a->body = ta_arena_copy(&q->arena, body);
    if (a->body.at && (!content_type || a->content_type))
        return TA_OK;
    a->body = (struct ta_str){"", 0};
    return TA_ENOMEM;
}

int ta_http_reply(struct ta_http_req *q, int status, const char *content_type, struct ta_str body)
{
    return set_answer(q, status, content_type, body);
}

int ta_http_reply_error(struct ta_http_req *q, int status, struct ta_str message)
{
    struct ta_buf b;

    ta_buf_init(&b, &q->arena.alloc, message.len * 6 + 256);
    int r = ta_buf_z(&b, "{\"status\":");
    if (r == TA_OK)
        r = ta_json_escape(&b, ta_str(ta_http_reason(status)));
    if (r == TA_OK)
        r = ta_buf_z(&b, ",\"error\":");
    if (r == TA_OK)
        r = ta_json_escape(&b, message);
    if (r == TA_OK)
        r = ta_buf_z(&b, "}\n");
    int s = set_answer(q, status, "application/json", r == TA_OK ? ta_buf_view(&b) : TA_STR(""));
    return r < 0 ? r : s;
}

int ta_http_reply_text(struct ta_http_req *q, int status, const char *message)
{
    struct ta_buf b;

    if (q->answer.status)
        return TA_ESTATE;
    ta_buf_init(&b, &q->arena.alloc, strlen(message) + 2);
    int r = ta_http_set_header(q, "X-Content-Type-Options", "nosniff");
    if (r == TA_OK)
        r = ta_buf_z(&b, message);
    if (r == TA_OK)
        r = ta_buf_byte(&b, '\n');
    int s = set_answer(q, status, "text/plain; charset=utf-8",
                       r == TA_OK ? ta_buf_view(&b) : TA_STR(""));
    return r < 0 ? r : s;
}

int ta_http_reply_stream(struct ta_http_req *q, int status, const char *content_type)
{
    int r = set_answer(q, status, content_type, TA_STR(""));

    if (r == TA_OK)
        q->answer.is_stream = true;
    return r;
}

void http_reply_failure(struct ta_http_req *q, int code, const struct ta_err *err)
{
    static const struct {
        int code, status;
    } table[] = {{TA_EINVAL, 400}, {TA_EFORMAT, 400}, {TA_EDENIED, 403},  {TA_ENOTFOUND, 404},
                 {TA_ERANGE, 413}, {TA_ENOMEM, 503},  {TA_ECANCELED, 503}};
    int status = 500;

    for (size_t i = 0; i < TA_COUNT(table); i++)
        if (table[i].code == code)
            status = table[i].status;
    (void)ta_http_reply_error(q, status, ta_str(err->code ? err->text : ta_strerror(code)));
}

/* ---- What the library gets ---- */

static ssize_t read_answer(void *cls, uint64_t at, char *buf, size_t max)
{
    struct ta_http_req *q = cls;
    struct ta_err err = {0};

    (void)at;
    q->progress_ns = q->worker->now_ns;
    for (;;) {
        if (q->conn->is_cut)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (q->is_suspended)
            return 0;
        int64_t n = http_encode_read(q->encode, buf, max, &err);
        if (n > 0) {
            q->answer_bytes += (uint64_t)n;
            return (ssize_t)n;
        }
        if (n == 0)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (n != TA_EAGAIN) {
            q->cut_short = true;
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        if (http_req_suspend(q))
            return 0;
    }
}

static bool has_field(const struct ta_http_req *q, const char *name)
{
    for (const struct http_field *f = q->answer.fields; f; f = f->next)
        if (strcasecmp(f->name, name) == 0)
            return true;
    return false;
}

/* The first room, and with it what kind of answer this is. 0: decided; TA_EAGAIN: later. */
static int start_stream(struct ta_http_req *q)
{
    struct http_answer *a = &q->answer;
    struct ta_err err = {0};
    int r = TA_OK;

    if (!q->encode)
        r = http_encode_new(&q->encode, q, &q->arena);
    while (r == TA_OK) {
        r = http_encode_fill(q->encode, &err);
        if (r != TA_EAGAIN)
            break;
        if (http_req_suspend(q))
            return TA_EAGAIN;
        r = TA_OK;
    }
    bool press = r >= 0 && q->accepts_gzip && !has_field(q, "Content-Encoding") &&
                 http_encode_room(q->encode).len >= HTTP_ENCODE_MIN;
    if (press)
        r = http_encode_gzip(q->encode, &q->arena);
    if (press && r == TA_OK)
        r = ta_http_set_header(q, "Content-Encoding", "gzip");
    if (press && r == TA_OK)
        r = ta_http_set_header(q, "Vary", "Accept-Encoding");
    if (r < 0) {
        *a = (struct http_answer){0};
        http_reply_failure(q, r, &err);
        return TA_OK;
    }
    if (!press && http_encode_ended(q->encode)) {
        a->is_stream = false;
        a->body = http_encode_room(q->encode);
    }
    return TA_OK;
}

static bool add_fields(const struct ta_http_req *q, struct MHD_Response *response)
{
    const struct http_answer *a = &q->answer;
    bool ok = true;

    if (a->content_type)
        ok = MHD_add_response_header(response, "Content-Type", a->content_type) == MHD_YES;
    if (ok && atomic_load(&q->worker->server->is_stopping))
        ok = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    for (const struct http_field *f = a->fields; f && ok; f = f->next)
        ok = MHD_add_response_header(response, f->name, f->value) == MHD_YES;
    return ok;
}

bool http_reply_queue(struct ta_http_req *q)
{
    struct http_answer *a = &q->answer;
    struct MHD_Response *response;

    if (a->is_stream && start_stream(q) == TA_EAGAIN)
        return true;
    if (a->is_stream)
        response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, TA_HTTP_ROOM, read_answer, q, NULL);
    else
        response = MHD_create_response_from_buffer(a->body.len, (void *)(uintptr_t)a->body.at,
                                                   MHD_RESPMEM_PERSISTENT);
    if (!response)
        return false;
    bool ok = add_fields(q, response);
    if (ok) {
        q->phase = REQ_ANSWER;
        q->answer_ns = q->progress_ns = q->worker->now_ns;
        q->waited_ns = 0;
        if (!a->is_stream && q->method != TA_HTTP_HEAD)
            q->answer_bytes = a->body.len;
        ok = MHD_queue_response(q->conn->mhd, (unsigned)a->status, response) == MHD_YES;
    }
    MHD_destroy_response(response);
    return ok;
}
