/* Tokens from strangers: text, header and claims. No input may be accepted: nobody has the key. */
#include "base/arena.h"
#include "net/base64.h"
#include "net/jwt.h"
#include "net/jwt_claims.h"

#include <assert.h>
#include <stdlib.h>

static const char key[] = "kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0=";
/* The documented token is good, and so is the same with other unused bits at its end. */
static const char good[] =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJ1c2VyIjoiYWRtaW4iLCJyb2xlcyI6WyJST0xFX0FETUlOIiwiUk9MR"
    "V9BTkFMWVNUIiwiUk9MRV9VU0VSIl19.";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_base64(struct ta_str s, enum ta_base64 kind)
{
    unsigned char *out = malloc(ta_base64_room(s.len)); /* exact, so that one byte more is seen */
    int64_t n = ta_base64_decode(kind, s, out);

    assert(n >= -1 - (int64_t)s.len && n <= (int64_t)ta_base64_room(s.len));
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ta_jwt *jwt;
    struct ta_str s = {(const char *)data, size};
    struct ta_err err = {0};
    struct ta_token token;
    struct jwt_claims claims;
    enum jwt_alg alg;

    if (!jwt && ta_jwt_new(&jwt, ta_str(key), &ta_heap, NULL) < 0)
        abort();
    int r = ta_jwt_check(jwt, s, 1700000000, &token, &err);
    if (r == TA_OK)
        assert(ta_str_starts(s, ta_str(good)));
    else
        assert(r == TA_EDENIED && err.text[0]);
    (void)jwt_read_header(s, &ta_heap, &alg, NULL);
    if (jwt_read_claims(s, &ta_heap, &claims, NULL) == TA_OK)
        (void)jwt_time_failure(&claims, 1700000000);
    read_base64(s, TA_BASE64_STD);
    read_base64(s, TA_BASE64_URL);
    return 0;
}
