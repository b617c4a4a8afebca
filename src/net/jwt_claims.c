#include "net/jwt_claims.h"

#include "io/json_read.h"

static int reader_new(struct ta_json_reader **out, struct ta_source *src, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    struct ta_json_limits limits = {.buffer = (size_t)2 * TA_JWT_BYTES_MAX};

    int r = ta_json_reader_new(out, src, &limits, alloc);
    return r < 0 ? ta_fail(err, r, "no memory to read the token") : TA_OK;
}

/* Calls `member` for each member of the top-level object. */
static int each_member(struct ta_str json, struct ta_alloc *alloc,
                       int (*member)(void *self, struct ta_str key, struct ta_json_reader *rd,
                                     struct ta_err *err),
                       void *self, struct ta_err *err)
{
    struct ta_mem_source mem;
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    char key[32];

    ta_mem_source_init(&mem, json.at, json.len, 0);
    int r = reader_new(&rd, &mem.source, alloc, err);
    if (r < 0)
        return r;
    r = ta_json_next(rd, &t, err);
    if (r > 0 && t.kind != TA_JSON_OBJECT && t.kind != TA_JSON_NULL)
        r = ta_json_expected(&t, "object", err);
    bool is_object = r > 0 && t.kind == TA_JSON_OBJECT;
    while (is_object && r > 0) {
        r = ta_json_next(rd, &t, err);
        if (r <= 0 || t.kind == TA_JSON_OBJECT_END)
            break;
        /* The reader's key lives until its next call; a longer one is none of ours. */
        size_t n = t.text.len < sizeof(key) ? t.text.len : 0;
        memcpy(key, t.text.at, n);
        r = member(self, (struct ta_str){key, n}, rd, err);
        if (r == TA_OK)
            r = 1;
    }
    if (r >= 0)
        r = ta_json_finish(rd, err);
    ta_json_reader_free(rd);
    return r < 0 ? r : TA_OK;
}

static bool is_known_alg(struct ta_str s)
{
    static const char *const known[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                        "RS512", "ES256", "ES384", "ES512", "PS256",
                                        "PS384", "PS512", "none"};

    for (size_t i = 0; i < TA_COUNT(known); i++)
        if (ta_str_is(s, known[i]))
            return true;
    return false;
}

static int header_member(void *self, struct ta_str key, struct ta_json_reader *rd,
                         struct ta_err *err)
{
    enum jwt_alg *alg = self;
    struct ta_json_token t;

    int r = ta_json_next(rd, &t, err);
    if (r < 0)
        return r;
    if (!ta_str_is(key, "alg"))
        return ta_json_skip(rd, err);
    if (t.kind != TA_JSON_STRING)
        *alg = JWT_ALG_ABSENT;
    else if (ta_str_is(t.text, "EdDSA"))
        *alg = JWT_ALG_EDDSA;
    else
        *alg = is_known_alg(t.text) ? JWT_ALG_OTHER : JWT_ALG_UNKNOWN;
    return ta_json_skip(rd, err);
}

int jwt_read_header(struct ta_str json, struct ta_alloc *alloc, enum jwt_alg *out,
                    struct ta_err *err)
{
    *out = JWT_ALG_ABSENT;
    return each_member(json, alloc, header_member, out, err);
}

static uint32_t role_of(struct ta_str s)
{
    static const struct {
        const char *name;
        uint32_t role;
    } roles[] = {{"admin", TA_ROLE_ADMIN},     {"api", TA_ROLE_API},
                 {"user", TA_ROLE_USER},       {"support", TA_ROLE_SUPPORT},
                 {"manager", TA_ROLE_MANAGER}, {"analyst", TA_ROLE_ANALYST}};
    char lower[16];

    if (ta_str_starts(s, TA_STR("ROLE_")))
        s = (struct ta_str){s.at + 5, s.len - 5};
    if (s.len >= sizeof(lower))
        return 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        lower[i] = c;
    }
    for (size_t i = 0; i < TA_COUNT(roles); i++)
        if (ta_str_is((struct ta_str){lower, s.len}, roles[i].name))
            return roles[i].role;
    return 0;
}

/* Behind the opening bracket. Inner containers are passed over. */
static int read_roles(struct ta_json_reader *rd, uint32_t *out, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    *out = 0;
    while ((r = ta_json_next(rd, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind == TA_JSON_STRING)
            *out |= role_of(t.text);
        r = ta_json_skip(rd, err);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : TA_OK;
}

static void take_user(struct ta_token *token, struct ta_str s)
{
    size_t n = s.len < sizeof(token->user) - 1 ? s.len : sizeof(token->user) - 1;

    memcpy(token->user, s.at, n);
    token->user[n] = 0;
}

/* Whole seconds, cut toward zero; beyond int64 the end of its range. */
static int take_time(const struct ta_json_token *t, int64_t *out, bool *bad, struct ta_err *err)
{
    double v = 0;

    *bad = t->kind != TA_JSON_NUMBER;
    *out = 0;
    if (*bad)
        return TA_OK;
    if (ta_json_f64(t, &v) < 0)
        return ta_fail(err, TA_EFORMAT, "a time in the token is out of range");
    if (v >= 9.2e18)
        *out = INT64_MAX;
    else if (v <= -9.2e18)
        *out = INT64_MIN;
    else
        *out = (int64_t)v;
    return TA_OK;
}

struct claims_self {
    struct jwt_claims *out;
    bool has_sub;
};

static int claims_member(void *self, struct ta_str key, struct ta_json_reader *rd,
                         struct ta_err *err)
{
    struct claims_self *s = self;
    struct jwt_claims *c = s->out;
    struct ta_json_token t;

    int r = ta_json_next(rd, &t, err);
    if (r < 0)
        return r;
    if (ta_str_is(key, "exp")) {
        r = take_time(&t, &c->token.exp_s, &c->bad_exp, err);
    } else if (ta_str_is(key, "iat")) {
        r = take_time(&t, &c->token.iat_s, &c->bad_iat, err);
    } else if (ta_str_is(key, "nbf")) {
        r = take_time(&t, &c->token.nbf_s, &c->bad_nbf, err);
    } else if (ta_str_is(key, "sub") && t.kind == TA_JSON_STRING) {
        take_user(&c->token, t.text);
        s->has_sub = true;
    } else if (ta_str_is(key, "user") && t.kind == TA_JSON_STRING && !s->has_sub) {
        take_user(&c->token, t.text);
    } else if (ta_str_is(key, "roles") && t.kind == TA_JSON_ARRAY) {
        return read_roles(rd, &c->token.roles, err);
    }
    return r < 0 ? r : ta_json_skip(rd, err);
}

int jwt_read_claims(struct ta_str json, struct ta_alloc *alloc, struct jwt_claims *out,
                    struct ta_err *err)
{
    struct claims_self self = {.out = out};

    memset(out, 0, sizeof(*out));
    return each_member(json, alloc, claims_member, &self, err);
}

const char *jwt_time_failure(const struct jwt_claims *c, int64_t now_s)
{
    const struct ta_token *t = &c->token;
    const char *words = NULL;

    if (c->bad_exp || (t->exp_s && now_s >= t->exp_s))
        words = "Token is expired";
    if (c->bad_iat || (t->iat_s && now_s < t->iat_s))
        words = "Token used before issued";
    if (c->bad_nbf || (t->nbf_s && now_s < t->nbf_s))
        words = "Token is not valid yet";
    return words;
}
