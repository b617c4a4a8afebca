#include "sweep/rucio.h"

#include "io/json_read.h"
#include "sweep/url.h"

#include <stdio.h>
#include <time.h>

enum { TOKEN_MAX = 16 * 1024, TOKEN_EARLY_S = 60, TOKEN_UNKNOWN_S = 600, HEADERS = 6 };

void ta_rucio_init(struct ta_rucio *r, const struct ta_rucio_conf *conf)
{
    *r = (struct ta_rucio){.conf = *conf};
    (void)pthread_mutex_init(&r->lock, NULL); /* fills a struct: cannot fail here */
    ta_buf_init(&r->token, conf->alloc, TOKEN_MAX);
}

void ta_rucio_done(struct ta_rucio *r)
{
    if (!r->conf.alloc)
        return;
    if (r->token.at)
        explicit_bzero(r->token.at, r->token.cap);
    ta_buf_done(&r->token);
    pthread_mutex_destroy(&r->lock);
    *r = (struct ta_rucio){0};
}

/* ---- token -------------------------------------------------------------------------------------- */

/* RFC 1123, as "Thu, 01 Jan 2099 00:00:00 UTC". */
static int64_t parse_end(struct ta_str s, int64_t now_s)
{
    struct tm tm = {0};
    char text[64];

    snprintf(text, sizeof(text), "%.*s", (int)(s.len < 60 ? s.len : 60), s.at ? s.at : "");
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S", &tm))
        return now_s + TOKEN_UNKNOWN_S;
    return (int64_t)timegm(&tm);
}

struct granting {
    struct ta_rucio *r;
};

/* What the authentication answered, in its headers: they are asked for while the call is open. */
static void take_grant(void *self, const struct ta_rest_client *client)
{
    struct granting *g = self;
    struct ta_rucio *r = g->r;
    struct ta_str token = ta_rest_header(client, "X-Rucio-Auth-Token");
    struct ta_str end = ta_rest_header(client, "X-Rucio-Auth-Token-Expires");

    ta_buf_reset(&r->token);
    r->token_end_s = parse_end(end, ta_now_s(r->conf.clock));
    if (token.len == 0 || ta_buf_str(&r->token, token) < 0 || ta_buf_byte(&r->token, 0) < 0)
        ta_buf_reset(&r->token);
}

static int ask_token(struct ta_rucio *r, struct ta_err *err)
{
    static const char *const paths[] = {[TA_RUCIO_X509] = "/auth/x509",
                                        [TA_RUCIO_PROXY] = "/auth/x509_proxy",
                                        [TA_RUCIO_USERPASS] = "/auth/userpass"};
    const struct ta_rucio_conf *c = &r->conf;
    struct granting granting = {.r = r};
    struct ta_rest_header headers[] = {{"X-Rucio-Account", c->account},
                                       {"X-Rucio-VO", c->vo},
                                       {"X-Rucio-Username", c->username ? c->username : ""},
                                       {"X-Rucio-Password", c->password ? c->password : ""}};
    struct ta_buf url;

    ta_buf_init(&url, c->alloc, TA_URL_MAX);
    int got = ta_url_add(&url, c->auth_url, paths[c->auth], NULL);
    if (got == TA_OK) {
        struct ta_call call = {.method = "GET",
                               .url = url.at,
                               .headers = headers,
                               .n_headers = c->auth == TA_RUCIO_USERPASS ? 4 : 2,
                               .is_idempotent = true,
                               .upstream = c->auth_upstream,
                               .take_head = take_grant,
                               .self = &granting};
        got = ta_caller_call(c->caller, &call, NULL, err);
    }
    ta_buf_done(&url);
    if (got == TA_OK && r->token.len == 0)
        got = ta_fail(err, TA_EDENIED, "Rucio gave no token");
    if (got < 0)
        ta_buf_reset(&r->token);
    else
        r->token_number++;
    return got < 0 ? ta_fail_context(err, got, "Rucio authentication: ") : TA_OK;
}

/* A copy of the present token; a new one is asked for when `refused` is its number. */
static int get_token(struct ta_rucio *r, uint64_t refused, uint64_t *number, struct ta_buf *out,
                     struct ta_err *err)
{
    int64_t now_s = ta_now_s(r->conf.clock);
    int got = TA_OK;

    if (r->conf.auth == TA_RUCIO_OIDC) {
        if (refused)
            ta_token_file_refused(r->conf.token);
        *number = 1;
        got = ta_token_file_get(r->conf.token, now_s, out, err);
        return got == TA_OK ? ta_buf_byte(out, 0) : got;
    }
    /* The lock is held over the call: the others would only ask for the same. */
    pthread_mutex_lock(&r->lock);
    if (r->token.len == 0 || r->token_number == refused || r->token_end_s - now_s < TOKEN_EARLY_S)
        got = ask_token(r, err);
    *number = r->token_number;
    if (got == TA_OK)
        got = ta_buf_str(out, ta_buf_view(&r->token));
    pthread_mutex_unlock(&r->lock);
    return got;
}

/* ---- calls -------------------------------------------------------------------------------------- */

struct asking {
    const char *method;
    struct ta_buf url;
    struct ta_str body;
    ta_call_reader read;
    void *self;
};

static int ask_once(struct ta_rucio *r, const struct asking *a, uint64_t refused, uint64_t *number,
                    struct ta_call_end *end, struct ta_err *err)
{
    struct ta_buf token;

    ta_buf_init(&token, r->conf.alloc, TOKEN_MAX + 1);
    int got = get_token(r, refused, number, &token, err);
    if (got == TA_OK) {
        struct ta_rest_header headers[HEADERS] = {{"X-Rucio-Auth-Token", token.at},
                                                  {"X-Rucio-Account", r->conf.account},
                                                  {"X-Rucio-VO", r->conf.vo},
                                                  {"X-Rucio-Script", "wmcore-microservices"},
                                                  {"Accept", "*/*"},
                                                  {"Content-Type", "application/json"}};
        struct ta_call call = {.method = a->method,
                               .url = a->url.at,
                               .headers = headers,
                               .n_headers = HEADERS,
                               .body = a->body,
                               .is_idempotent = true,
                               .upstream = r->conf.upstream,
                               .read = a->read,
                               .self = a->self};
        got = ta_caller_call(r->conf.caller, &call, end, err);
    }
    if (token.at)
        explicit_bzero(token.at, token.cap);
    ta_buf_done(&token);
    return got;
}

/* Takes a->url. */
static int ask(struct ta_rucio *r, struct asking *a, struct ta_call_end *end, struct ta_err *err)
{
    struct ta_err why = {0};
    uint64_t number = 0;

    *end = (struct ta_call_end){0};
    int got = ask_once(r, a, 0, &number, end, &why);
    if (got < 0 && end->status == 401) {
        why = (struct ta_err){0};
        got = ask_once(r, a, number, &number, end, &why);
    }
    ta_buf_done(&a->url);
    return got < 0 ? ta_fail(err, got, "%s", why.text[0] ? why.text : ta_strerror(got)) : TA_OK;
}

static struct asking prepare(struct ta_rucio *r, const char *method)
{
    struct asking a = {.method = method};

    ta_buf_init(&a.url, r->conf.alloc, TA_URL_MAX);
    return a;
}

static int add_encoded(struct ta_buf *url, struct ta_str name, const char *behind)
{
    int r = ta_rest_encode(url, name, false);

    return r == TA_OK ? ta_url_add(url, behind, NULL) : r;
}

static int url_failed(struct asking *a, int code, struct ta_err *err)
{
    ta_buf_done(&a->url);
    return ta_fail(err, code, "a name that makes no URL");
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* What is taken from an object's members; the texts last until the next object. */
struct members {
    char id[TA_ID_MAX + 1], name[TA_ID_MAX + 1], type[64], account[128], state[64];
};

static void keep(char *out, size_t cap, struct ta_str text)
{
    size_t n = text.len < cap ? text.len : 0; /* what is too long is as if it were absent */

    memcpy(out, text.at, n);
    out[n] = 0;
}

static int read_members(struct ta_json_reader *j, struct members *m, struct ta_err *err)
{
    struct {
        const char *key;
        char *at;
        size_t cap;
    } wanted[] = {{"id", m->id, sizeof(m->id)},
                  {"name", m->name, sizeof(m->name)},
                  {"type", m->type, sizeof(m->type)},
                  {"account", m->account, sizeof(m->account)},
                  {"state", m->state, sizeof(m->state)}};
    struct ta_json_token t;
    int r = ta_json_next(j, &t, err);

    m->id[0] = m->name[0] = m->type[0] = m->account[0] = m->state[0] = 0;
    if (r < 0)
        return r;
    if (r == 0 || t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        size_t i = 0;
        while (i < TA_COUNT(wanted) && !ta_str_is(t.text, wanted[i].key))
            i++;
        if (i == TA_COUNT(wanted)) {
            r = ta_json_skip(j, err);
        } else if ((r = ta_json_next(j, &t, err)) > 0) {
            keep(wanted[i].at, wanted[i].cap, t.kind == TA_JSON_STRING ? t.text : TA_STR(""));
            r = ta_json_skip(j, err);
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : TA_OK;
}

struct listing {
    struct ta_alloc *alloc;
    const char *account; /* of rules; NULL: names of type DATASET are listed */
    struct ta_id_spool *out;
    struct members m;
};

static int take_row(struct listing *l, struct ta_err *err)
{
    const struct members *m = &l->m;

    if (!l->account) {
        if (strcmp(m->type, "DATASET") != 0)
            return TA_OK;
        if (!m->name[0])
            return ta_fail(err, TA_EFORMAT, "a block without name");
        return ta_id_spool_add(l->out, ta_str(m->name), err);
    }
    if (!m->id[0])
        return ta_fail(err, TA_EFORMAT, "a rule without id");
    if (m->account[0] && strcmp(m->account, l->account) != 0)
        return ta_fail(err, TA_EFORMAT, "a rule of another account");
    return ta_id_spool_add(l->out, ta_str(m->id), err);
}

/* JSON objects one after another. */
static int read_rows(void *self, struct ta_source *body, struct ta_err *err)
{
    struct ta_json_limits limits = {.buffer = 16 * KiB, .accepts_nonfinite = true};
    struct listing *l = self;
    struct ta_json_reader *j;
    int r = ta_json_reader_new(&j, body, &limits, l->alloc);

    if (r < 0)
        return ta_fail(err, r, "reading rows");
    while (r >= 0 && (r = ta_json_more(j, err)) > 0) {
        r = read_members(j, &l->m, err);
        if (r == TA_OK)
            r = take_row(l, err);
    }
    ta_json_reader_free(j);
    return r < 0 ? r : TA_OK;
}

static int read_one(void *self, struct ta_source *body, struct ta_err *err)
{
    struct ta_json_limits limits = {.buffer = 16 * KiB, .accepts_nonfinite = true};
    struct listing *l = self;
    struct ta_json_reader *j;
    int r = ta_json_reader_new(&j, body, &limits, l->alloc);

    if (r < 0)
        return ta_fail(err, r, "reading an answer");
    r = read_members(j, &l->m, err);
    if (r == TA_OK)
        r = ta_json_finish(j, err);
    ta_json_reader_free(j);
    return r;
}

/* ---- the calls ---------------------------------------------------------------------------------- */

int ta_rucio_rules(struct ta_rucio *r, struct ta_str did, const char *account,
                   struct ta_id_spool *out, struct ta_err *err)
{
    struct listing l = {.alloc = r->conf.alloc, .account = account, .out = out};
    struct asking a = prepare(r, "GET");
    struct ta_call_end end;
    int got = ta_url_add(&a.url, r->conf.url, "/rules/?name=", NULL);

    if (got == TA_OK)
        got = add_encoded(&a.url, did, "&scope=cms&account=");
    if (got == TA_OK)
        got = add_encoded(&a.url, ta_str(account), "");
    if (got < 0)
        return url_failed(&a, got, err);
    a.read = read_rows;
    a.self = &l;
    return ask(r, &a, &end, err);
}

int ta_rucio_content(struct ta_rucio *r, struct ta_str did, struct ta_id_spool *out,
                     struct ta_err *err)
{
    struct listing l = {.alloc = r->conf.alloc, .out = out};
    struct asking a = prepare(r, "GET");
    struct ta_call_end end;
    int got = ta_url_add(&a.url, r->conf.url, "/dids/cms/", NULL);

    if (got == TA_OK)
        got = add_encoded(&a.url, did, "/dids");
    if (got < 0)
        return url_failed(&a, got, err);
    a.read = read_rows;
    a.self = &l;
    return ask(r, &a, &end, err);
}

/* Is that refusal a plain "there is none"? The class decides, the status where there is no class. */
static bool is_absent(const struct ta_call_end *end, const char *class_name)
{
    if (end->error_class[0])
        return strcmp(end->error_class, class_name) == 0;
    return end->status == 404;
}

int ta_rucio_is_container(struct ta_rucio *r, struct ta_str did, struct ta_err *err)
{
    struct listing l = {.alloc = r->conf.alloc};
    struct asking a = prepare(r, "GET");
    struct ta_err why = {0};
    struct ta_call_end end;
    int got = ta_url_add(&a.url, r->conf.url, "/dids/cms/", NULL);

    if (got == TA_OK)
        got = add_encoded(&a.url, did, "");
    if (got < 0)
        return url_failed(&a, got, err);
    a.read = read_one;
    a.self = &l;
    got = ask(r, &a, &end, &why);
    if (got == TA_OK)
        return strcmp(l.m.type, "CONTAINER") == 0;
    if (is_absent(&end, "DataIdentifierNotFound"))
        return 0;
    return ta_fail(err, got, "%s", why.text);
}

int ta_rucio_rule_state(struct ta_rucio *r, struct ta_str rule, struct ta_arena *arena,
                        struct ta_str *out, struct ta_err *err)
{
    struct listing l = {.alloc = r->conf.alloc};
    struct asking a = prepare(r, "GET");
    struct ta_call_end end;
    int got = ta_url_add(&a.url, r->conf.url, "/rules/", NULL);

    if (got == TA_OK)
        got = add_encoded(&a.url, rule, "");
    if (got < 0)
        return url_failed(&a, got, err);
    a.read = read_one;
    a.self = &l;
    got = ask(r, &a, &end, err);
    if (got < 0)
        return got;
    struct ta_str state = ta_arena_copy(arena, ta_str(l.m.state));
    if (!state.at)
        return ta_fail(err, TA_ENOMEM, "state of a rule");
    *out = state;
    return TA_OK;
}

int ta_rucio_expire(struct ta_rucio *r, struct ta_str rule, struct ta_err *err)
{
    struct asking a = prepare(r, "PUT");
    struct ta_err why = {0};
    struct ta_call_end end;
    int got = ta_url_add(&a.url, r->conf.url, "/rules/", NULL);

    if (got == TA_OK)
        got = add_encoded(&a.url, rule, "");
    if (got < 0)
        return url_failed(&a, got, err);
    a.body = TA_STR("{\"options\": {\"lifetime\": 0}}");
    got = ask(r, &a, &end, &why);
    if (got == TA_OK || is_absent(&end, "RuleNotFound"))
        return TA_OK;
    return ta_fail(err, got, "%s", why.text);
}
