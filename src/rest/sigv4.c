#include "rest/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HASH = 32, CANONICAL_MAX = 64 * 1024 };

void ta_sigv4_date(int64_t now_s, char out[TA_SIGV4_DATE])
{
    time_t t = (time_t)now_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, TA_SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm);
}

static void to_hex(const unsigned char hash[HASH], char out[TA_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < HASH; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * HASH] = 0;
}

int ta_sha256_hex(const void *p, size_t n, char out[TA_SHA256_HEX])
{
    unsigned char hash[HASH];

    if (EVP_Digest(p, n, hash, NULL, EVP_sha256(), NULL) != 1)
        return TA_ENOMEM;
    to_hex(hash, out);
    return TA_OK;
}

/* The request in the form both sides hash. */
static int put_canonical(const struct ta_sigv4_request *req, struct ta_buf *out)
{
    int r = ta_buf_printf(out, "%s\n%s\n%s\n", req->method, req->path, req->query);

    for (size_t i = 0; i < req->n_headers && r >= 0; i++)
        r = ta_buf_printf(out, "%s:%s\n", req->headers[i].name, req->headers[i].value);
    if (r >= 0)
        r = ta_buf_byte(out, '\n');
    for (size_t i = 0; i < req->n_headers && r >= 0; i++)
        r = ta_buf_printf(out, "%s%s", i ? ";" : "", req->headers[i].name);
    return r < 0 ? r : ta_buf_printf(out, "\n%s", req->payload_hash);
}

static bool hmac(const void *key, size_t key_len, const char *text, unsigned char out[HASH])
{
    unsigned n = 0;

    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out,
                &n) != NULL;
}

/* The chain of keys: secret, day, region, service, request, text. */
static int sign(const struct ta_sigv4_keys *keys, const char *day, const char *text,
                char out[TA_SHA256_HEX])
{
    unsigned char key[HASH];
    char secret[256];

    int n = snprintf(secret, sizeof(secret), "AWS4%s", keys->secret);
    if (n < 0 || (size_t)n >= sizeof(secret))
        return TA_ERANGE;
    bool ok = hmac(secret, (size_t)n, day, key) && hmac(key, HASH, keys->region, key) &&
              hmac(key, HASH, keys->service, key) && hmac(key, HASH, "aws4_request", key) &&
              hmac(key, HASH, text, key);
    explicit_bzero(secret, sizeof(secret));
    if (ok)
        to_hex(key, out);
    explicit_bzero(key, sizeof(key));
    return ok ? TA_OK : TA_ENOMEM;
}

static int put_authorization(const struct ta_sigv4_keys *keys, const struct ta_sigv4_request *req,
                             const char *date, struct ta_buf *canonical, struct ta_buf *out)
{
    char hash[TA_SHA256_HEX];
    char signature[TA_SHA256_HEX];
    char day[9];
    char text[512];

    snprintf(day, sizeof(day), "%.8s", date);
    int r = put_canonical(req, canonical);
    if (r >= 0)
        r = ta_sha256_hex(canonical->at, canonical->len, hash);
    if (r < 0)
        return r;
    int n = snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date,
                     day, keys->region, keys->service, hash);
    if (n < 0 || (size_t)n >= sizeof(text))
        return TA_ERANGE;
    r = sign(keys, day, text, signature);
    if (r >= 0)
        r = ta_buf_printf(out,
                          "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request,SignedHeaders=",
                          keys->access, day, keys->region, keys->service);
    for (size_t i = 0; i < req->n_headers && r >= 0; i++)
        r = ta_buf_printf(out, "%s%s", i ? ";" : "", req->headers[i].name);
    return r < 0 ? r : ta_buf_printf(out, ",Signature=%s", signature);
}

int ta_sigv4_authorization(const struct ta_sigv4_keys *keys, const struct ta_sigv4_request *req,
                           const char *date, struct ta_buf *out, struct ta_err *err)
{
    struct ta_buf canonical;

    ta_buf_init(&canonical, out->alloc, CANONICAL_MAX);
    int r = put_authorization(keys, req, date, &canonical, out);
    ta_buf_done(&canonical);
    return r < 0 ? ta_fail(err, r, "signing a request: %s", ta_strerror(r)) : TA_OK;
}
