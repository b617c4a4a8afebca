#include "net/jwt.h"

#include "net/base64.h"
#include "net/jwt_claims.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <strings.h>

enum { KEY_BYTES = 32, DIGEST_BYTES = 32, INDEX = 2 * TA_JWT_CACHE, KEY_TEXT_MAX = 4096 };

struct entry {
    unsigned char
        digest[DIGEST_BYTES]; /* SHA-256 of the token's text: the text itself is a secret */
    struct jwt_claims claims;
};

/* The bytes, not OpenSSL's object: threads take a copy and share nothing whose life they would count. */
struct key {
    bool is_good; /* false: of a wrong length, refuses everything */
    unsigned char raw[KEY_BYTES];
};

struct ta_jwt {
    struct ta_alloc *alloc;
    pthread_mutex_t lock; /* guards all below */
    struct key key;
    uint64_t generation; /* of the key */
    size_t n_entries;
    struct entry entries[TA_JWT_CACHE];
    uint16_t index[INDEX]; /* entry + 1 by digest; 0: free */
};

/* ---- Remembered tokens ---- */

static size_t home_of(const unsigned char *digest)
{
    return (size_t)digest[0] | (size_t)(digest[1] & (INDEX / 256 - 1)) << 8;
}

static uint16_t *find(struct ta_jwt *j, const unsigned char *digest)
{
    size_t i = home_of(digest);

    while (j->index[i] &&
           CRYPTO_memcmp(j->entries[j->index[i] - 1].digest, digest, DIGEST_BYTES) != 0)
        i = (i + 1) % INDEX;
    return &j->index[i];
}

static void forget_all(struct ta_jwt *j)
{
    memset(j->index, 0, sizeof(j->index));
    j->n_entries = 0;
}

static void forget_expired(struct ta_jwt *j, int64_t now_s)
{
    size_t n = j->n_entries;

    forget_all(j);
    for (size_t i = 0; i < n; i++) {
        if (jwt_time_failure(&j->entries[i].claims, now_s))
            continue;
        j->entries[j->n_entries] = j->entries[i];
        *find(j, j->entries[i].digest) = (uint16_t)(j->n_entries + 1);
        j->n_entries++;
    }
}

static bool recall(struct ta_jwt *j, const unsigned char *digest, struct jwt_claims *out)
{
    pthread_mutex_lock(&j->lock);
    uint16_t at = *find(j, digest);
    if (at)
        *out = j->entries[at - 1].claims;
    pthread_mutex_unlock(&j->lock);
    return at != 0;
}

static void remember(struct ta_jwt *j, const unsigned char *digest, const struct jwt_claims *c,
                     uint64_t generation, int64_t now_s)
{
    pthread_mutex_lock(&j->lock);
    if (j->generation == generation) { /* else it was checked with a key that is gone */
        if (j->n_entries == TA_JWT_CACHE)
            forget_expired(j, now_s);
        if (j->n_entries == TA_JWT_CACHE)
            forget_all(j);
        uint16_t *place = find(j, digest);
        if (!*place) {
            struct entry *e = &j->entries[j->n_entries++];
            memcpy(e->digest, digest, DIGEST_BYTES);
            e->claims = *c;
            *place = (uint16_t)j->n_entries;
        }
    }
    pthread_mutex_unlock(&j->lock);
}

/* ---- Keys ---- */

static int read_key(struct ta_str text, struct key *out, struct ta_err *err)
{
    unsigned char raw[KEY_TEXT_MAX / 4 * 3 + 3];
    int64_t n = text.len <= KEY_TEXT_MAX ? ta_base64_decode(TA_BASE64_STD, text, raw) : -1;

    if (n < 0)
        return ta_fail(err, TA_EINVAL, "the token key is not base64");
    out->is_good = n == KEY_BYTES;
    if (out->is_good)
        memcpy(out->raw, raw, KEY_BYTES);
    return TA_OK;
}

int ta_jwt_new(struct ta_jwt **out, struct ta_str key_base64, struct ta_alloc *alloc,
               struct ta_err *err)
{
    struct key key = {0};

    int r = read_key(key_base64, &key, err);
    if (r < 0)
        return r;
    struct ta_jwt *j = ta_alloc_zero(alloc, 1, sizeof(*j));
    if (!j)
        return ta_fail(err, TA_ENOMEM, "no memory for tokens");
    j->alloc = alloc;
    j->key = key;
    pthread_mutex_init(&j->lock, NULL);
    *out = j;
    return TA_OK;
}

int ta_jwt_set_key(struct ta_jwt *j, struct ta_str key_base64, struct ta_err *err)
{
    struct key key = {0};

    int r = read_key(key_base64, &key, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&j->lock);
    j->key = key;
    j->generation++;
    forget_all(j);
    pthread_mutex_unlock(&j->lock);
    return TA_OK;
}

size_t ta_jwt_cached(struct ta_jwt *j)
{
    pthread_mutex_lock(&j->lock);
    size_t n = j->n_entries;
    pthread_mutex_unlock(&j->lock);
    return n;
}

void ta_jwt_free(struct ta_jwt *j)
{
    if (!j)
        return;
    pthread_mutex_destroy(&j->lock);
    ta_release(j->alloc, j, sizeof(*j));
}

/* ---- Checking ---- */

struct parts {
    struct ta_str header, claims, signature;
    struct ta_str signed_text; /* header.claims */
};

static bool split(struct ta_str s, struct parts *out)
{
    const char *a = s.len ? memchr(s.at, '.', s.len) : NULL;
    size_t left = a ? s.len - (size_t)(a - s.at) - 1 : 0;
    const char *b = left ? memchr(a + 1, '.', left) : NULL;
    size_t n = b ? (size_t)(s.at + s.len - b) - 1 : 0;

    if (!b || memchr(b + 1, '.', n))
        return false;
    out->header = (struct ta_str){s.at, (size_t)(a - s.at)};
    out->claims = (struct ta_str){a + 1, (size_t)(b - a) - 1};
    out->signature = (struct ta_str){b + 1, n};
    out->signed_text = (struct ta_str){s.at, (size_t)(b - s.at)};
    return true;
}

static int denied(struct ta_err *err, const char *words)
{
    return ta_fail(err, TA_EDENIED, "%s", words);
}

static int decode(struct ta_str part, unsigned char *out, struct ta_str *json, struct ta_err *err)
{
    int64_t n = ta_base64_decode(TA_BASE64_URL, part, out);

    if (n < 0)
        return ta_fail(err, TA_EDENIED, "illegal base64 data at input byte %lld",
                       (long long)(-1 - n));
    *json = (struct ta_str){(const char *)out, (size_t)n};
    return TA_OK;
}

/* JSON faults of a token are refusals; only memory is not the sender's. */
static int as_refusal(int code, struct ta_err *err)
{
    if (code == TA_ENOMEM)
        return code;
    if (err)
        err->code = TA_EDENIED;
    return TA_EDENIED;
}

static int check_alg(enum jwt_alg alg, struct ta_err *err)
{
    switch (alg) {
    case JWT_ALG_EDDSA:
        return TA_OK;
    case JWT_ALG_OTHER:
        return denied(err, "only Ed25519/EdDSA supported");
    case JWT_ALG_UNKNOWN:
        return denied(err, "signing method (alg) is unavailable.");
    case JWT_ALG_ABSENT:
        break;
    }
    return denied(err, "signing method (alg) is unspecified.");
}

static int verify(const struct key *key, const struct parts *p, struct ta_err *err)
{
    unsigned char sig[TA_JWT_BYTES_MAX];
    struct ta_str raw = {0};

    if (!key->is_good)
        return denied(err, "key is invalid");
    int r = decode(p->signature, sig, &raw, err);
    if (r < 0)
        return r;
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->raw, KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = false;
    if (public && ctx)
        good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, public) == 1 &&
               EVP_DigestVerify(ctx, sig, raw.len, (const unsigned char *)p->signed_text.at,
                                p->signed_text.len) == 1;
    else
        r = ta_fail(err, TA_ENOMEM, "no memory to check the token");
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    return r < 0 || good ? r : denied(err, "ed25519: verification error");
}

/* The key of now, and which one it is. */
static struct key copy_key(struct ta_jwt *j, uint64_t *generation)
{
    pthread_mutex_lock(&j->lock);
    struct key key = j->key;
    *generation = j->generation;
    pthread_mutex_unlock(&j->lock);
    return key;
}

static int read_token(struct ta_jwt *j, struct ta_str token, struct parts *p,
                      struct jwt_claims *claims, struct ta_err *err)
{
    unsigned char bytes[TA_JWT_BYTES_MAX];
    enum jwt_alg alg;
    struct ta_str json = {0};

    if (token.len > TA_JWT_BYTES_MAX)
        return denied(err, "the token is too long");
    if (!split(token, p))
        return denied(err, "token contains an invalid number of segments");
    if (token.len > 7 && strncasecmp(token.at, "bearer ", 7) == 0)
        return denied(err, "tokenstring should not contain 'bearer '");
    int r = decode(p->header, bytes, &json, err);
    if (r < 0)
        return r;
    r = jwt_read_header(json, j->alloc, &alg, err);
    if (r < 0)
        return as_refusal(r, err);
    r = decode(p->claims, bytes, &json, err);
    if (r < 0)
        return r;
    r = jwt_read_claims(json, j->alloc, claims, err);
    if (r < 0)
        return as_refusal(r, err);
    return check_alg(alg, err);
}

static int check_new(struct ta_jwt *j, struct ta_str token, const unsigned char *digest,
                     int64_t now_s, struct jwt_claims *claims, struct ta_err *err)
{
    struct parts p = {0};
    uint64_t generation;

    int r = read_token(j, token, &p, claims, err);
    if (r < 0)
        return r;
    struct key key = copy_key(j, &generation);
    r = verify(&key, &p, err);
    if (r == TA_OK && !jwt_time_failure(claims, now_s))
        remember(j, digest, claims, generation, now_s);
    return r;
}

int ta_jwt_check(struct ta_jwt *j, struct ta_str token, int64_t now_s, struct ta_token *out,
                 struct ta_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct jwt_claims claims;

    if (EVP_Digest(token.len ? token.at : "", token.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return ta_fail(err, TA_ENOMEM, "no memory to check the token");
    if (!recall(j, digest, &claims)) {
        int r = check_new(j, token, digest, now_s, &claims, err);
        if (r < 0)
            return r;
    }
    const char *words = jwt_time_failure(&claims, now_s);
    if (words)
        return denied(err, words);
    if (out)
        *out = claims.token;
    return TA_OK;
}
