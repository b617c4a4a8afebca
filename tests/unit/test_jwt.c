/* Tokens: the reference's words, its order of checks, the memory of verified tokens. */
#include "fault.h"
#include "net/base64.h"
#include "net/jwt.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The test vector of the specification. */
static const char doc_key[] = "kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0=";
static const char doc_token[] =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJ1c2VyIjoiYWRtaW4iLCJyb2xlcyI6WyJST0xFX0FETUlOIiwiUk9MR"
    "V9BTkFMWVNUIiwiUk9MRV9VU0VSIl19.d-3_3FZTsadPjDEdsWrrQ7nS0edMAR4zjl-"
    "eK7rJU3HziNBfI9PDHDIpJVHTNN5"
    "E5SlLGLFXctWyKAkwhXL-Dw";

/* A key pair of our own, to sign what no recording has. */
static EVP_PKEY *pair;
static char pair_key[64];

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const void *bytes, size_t n, bool url, char *out)
{
    const unsigned char *p = bytes;
    size_t len = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(have > 1 ? p[i + 1] : 0) << 8 |
                     (uint32_t)(have > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            char c = k <= have ? std_digits[v >> (18 - 6 * k) & 63] : '=';
            if (url && c == '=')
                continue;
            out[len++] = url && c == '+' ? '-' : url && c == '/' ? '_' : c;
        }
    }
    out[len] = 0;
    return len;
}

static int make_pair(void **state)
{
    unsigned char raw[32];
    size_t n = sizeof(raw);

    (void)state;
    pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(pair);
    assert_int_equal(EVP_PKEY_get_raw_public_key(pair, raw, &n), 1);
    encode(raw, n, false, pair_key);
    return 0;
}

static int drop_pair(void **state)
{
    (void)state;
    EVP_PKEY_free(pair);
    return 0;
}

static void sign(const char *header, const char *claims, char *out)
{
    unsigned char sig[64];
    size_t sig_len = sizeof(sig);
    size_t n = encode(header, strlen(header), true, out);

    out[n++] = '.';
    n += encode(claims, strlen(claims), true, out + n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &sig_len, (unsigned char *)out, n), 1);
    EVP_MD_CTX_free(ctx);
    out[n++] = '.';
    encode(sig, sig_len, true, out + n);
}

static const char eddsa[] = "{\"alg\":\"EdDSA\"}";

static struct ta_jwt *verifier(const char *key)
{
    struct ta_jwt *j = NULL;

    assert_int_equal(ta_jwt_new(&j, ta_str(key), &ta_heap, NULL), TA_OK);
    return j;
}

/* "" when the token is good. */
static const char *words(struct ta_jwt *j, const char *token, int64_t now_s)
{
    static struct ta_err err;

    memset(&err, 0, sizeof(err));
    int r = ta_jwt_check(j, ta_str(token), now_s, NULL, &err);
    assert_true(r == TA_OK || r == TA_EDENIED);
    assert_int_equal(r == TA_OK, err.text[0] == 0);
    return err.text;
}

static void the_documented_token_is_good_and_tells_its_roles(void **state)
{
    struct ta_jwt *j = verifier(doc_key);
    struct ta_token t;

    (void)state;
    assert_int_equal(ta_jwt_check(j, ta_str(doc_token), 1700000000, &t, NULL), TA_OK);
    assert_string_equal(t.user, "admin");
    assert_int_equal(t.roles, TA_ROLE_ADMIN | TA_ROLE_ANALYST | TA_ROLE_USER);
    assert_int_equal(t.exp_s, 0);
    ta_jwt_free(j);
}

static void any_changed_byte_of_a_token_is_refused(void **state)
{
    struct ta_jwt *j = verifier(doc_key);
    char token[sizeof(doc_token)];

    (void)state;
    /* The last digit carries four unused bits, which the reference ignores as well. */
    for (size_t i = 0; i + 2 < sizeof(doc_token); i++) {
        memcpy(token, doc_token, sizeof(token));
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_string_not_equal(words(j, token, 0), "");
    }
    assert_int_equal(ta_jwt_cached(j), 0);
    ta_jwt_free(j);
}

static void malformed_tokens_are_refused_in_the_words_of_the_reference(void **state)
{
    static const struct {
        const char *token, *words;
    } list[] = {
        {"", "token contains an invalid number of segments"},
        {"abc", "token contains an invalid number of segments"},
        {"a.b", "token contains an invalid number of segments"},
        {"a.b.c.d", "token contains an invalid number of segments"},
        {"bearer a.b.c", "tokenstring should not contain 'bearer '"},
        {"Bearer a.b.c", "tokenstring should not contain 'bearer '"},
        {"e!J.e30.", "illegal base64 data at input byte 1"},
        {"eyJ=.e30.", "illegal base64 data at input byte 3"},
        {"e.e30.", "illegal base64 data at input byte 0"},
        {"e30.e30.", "signing method (alg) is unspecified."},
        {"bnVsbA.e30.", "signing method (alg) is unspecified."},          /* null */
        {"eyJhbGciOjF9.e30.", "signing method (alg) is unspecified."},    /* {"alg":1} */
        {"eyJhbGciOiJYIn0.e30.", "signing method (alg) is unavailable."}, /* X */
        {"eyJhbGciOiJub25lIn0.e30.", "only Ed25519/EdDSA supported"},     /* none */
        {"eyJhbGciOiJSUzI1NiJ9.e30.", "only Ed25519/EdDSA supported"},    /* RS256 */
        {"eyJhbGciOiJFZERTQSJ9.e30.", "ed25519: verification error"},
        {"eyJhbGciOiJFZERTQSJ9.e30.A", "illegal base64 data at input byte 0"},
    };
    struct ta_jwt *j = verifier(doc_key);

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++)
        assert_string_equal(words(j, list[i].token, 0), list[i].words);
    /* Neither a header nor claims that are no JSON object. */
    assert_string_not_equal(words(j, "WzFd.e30.", 0), "");
    assert_string_not_equal(words(j, "eyJhbGciOiJFZERTQSJ9.WzFd.", 0), "");
    assert_string_not_equal(words(j, "eyJhbGciOiJFZERTQSJ9.e30x.", 0), "");
    ta_jwt_free(j);
}

static void times_are_checked_without_leeway_and_the_last_failure_speaks(void **state)
{
    static const struct {
        const char *claims;
        int64_t now_s;
        const char *words;
    } list[] = {
        {"{}", 100, ""},
        {"{\"exp\":0,\"iat\":0,\"nbf\":0}", 100, ""},
        {"{\"exp\":100}", 99, ""},
        {"{\"exp\":100}", 100, "Token is expired"},
        {"{\"exp\":100.9}", 100, "Token is expired"},
        {"{\"exp\":1e2}", 99, ""},
        {"{\"exp\":1e18}", 99, ""},
        {"{\"exp\":1e300}", 99, ""},
        {"{\"exp\":-1}", 99, "Token is expired"},
        {"{\"exp\":\"4102444800\"}", 99, "Token is expired"},
        {"{\"exp\":null}", 99, "Token is expired"},
        {"{\"exp\":{\"a\":[1]}}", 99, "Token is expired"},
        {"{\"iat\":100}", 100, ""},
        {"{\"iat\":101}", 100, "Token used before issued"},
        {"{\"iat\":true}", 100, "Token used before issued"},
        {"{\"nbf\":100}", 100, ""},
        {"{\"nbf\":101}", 100, "Token is not valid yet"},
        {"{\"exp\":1,\"iat\":101}", 100, "Token used before issued"},
        {"{\"exp\":1,\"iat\":101,\"nbf\":101}", 100, "Token is not valid yet"},
        {"{\"exp\":1,\"exp\":200}", 100, ""},
        {"{\"exp\":200,\"exp\":1}", 100, "Token is expired"},
        {"{\"sub\":\"x\",\"other\":[{\"exp\":1}],\"roles\":[\"api\",[\"admin\"],7]}", 100, ""},
    };
    struct ta_jwt *j = verifier(pair_key);
    char token[1024];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        sign(eddsa, list[i].claims, token);
        assert_string_equal(words(j, token, list[i].now_s), list[i].words);
        assert_string_equal(words(j, token, list[i].now_s), list[i].words);
    }
    /* A bad signature speaks before a bad time. */
    sign(eddsa, "{\"exp\":1}", token);
    char *digit = &token[strlen(token) - 10];
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_string_equal(words(j, token, 100), "ed25519: verification error");
    ta_jwt_free(j);
}

static void claims_are_read_into_the_token(void **state)
{
    struct ta_jwt *j = verifier(pair_key);
    struct ta_token t;
    char token[1024];

    (void)state;
    sign(eddsa,
         "{\"user\":\"u\",\"sub\":\"s\",\"exp\":2000,\"iat\":1,\"nbf\":2,"
         "\"roles\":[\"ROLE_API\",\"Support\",\"ROLE_x\",\"MANAGER\"]}",
         token);
    assert_int_equal(ta_jwt_check(j, ta_str(token), 100, &t, NULL), TA_OK);
    assert_string_equal(t.user, "s");
    assert_int_equal(t.roles, TA_ROLE_API | TA_ROLE_SUPPORT | TA_ROLE_MANAGER);
    assert_int_equal(t.exp_s, 2000);
    assert_int_equal(t.iat_s, 1);
    assert_int_equal(t.nbf_s, 2);
    ta_jwt_free(j);
}

static void a_remembered_token_still_expires(void **state)
{
    struct ta_jwt *j = verifier(pair_key);
    char token[512];

    (void)state;
    sign(eddsa, "{\"exp\":100}", token);
    assert_string_equal(words(j, token, 50), "");
    assert_int_equal(ta_jwt_cached(j), 1);
    assert_string_equal(words(j, token, 50), "");
    assert_int_equal(ta_jwt_cached(j), 1);
    assert_string_equal(words(j, token, 100), "Token is expired");
    ta_jwt_free(j);
}

static void a_full_memory_drops_the_expired_then_all(void **state)
{
    struct ta_jwt *j = verifier(pair_key);
    char token[512], claims[64];

    (void)state;
    for (int i = 0; i < TA_JWT_CACHE; i++) {
        snprintf(claims, sizeof(claims), "{\"exp\":%d,\"n\":%d}", i < 24 ? 100 : 1000, i);
        sign(eddsa, claims, token);
        assert_string_equal(words(j, token, 50), "");
    }
    assert_int_equal(ta_jwt_cached(j), TA_JWT_CACHE);
    sign(eddsa, "{\"n\":\"x\"}", token);
    assert_string_equal(words(j, token, 500), "");
    assert_int_equal(ta_jwt_cached(j), TA_JWT_CACHE - 24 + 1);
    for (int i = 0; i < 24; i++) {
        snprintf(claims, sizeof(claims), "{\"m\":%d}", i);
        sign(eddsa, claims, token);
        assert_string_equal(words(j, token, 500), "");
    }
    assert_int_equal(ta_jwt_cached(j), 1);
    ta_jwt_free(j);
}

static void a_new_key_forgets_the_tokens_of_the_old(void **state)
{
    struct ta_jwt *j = verifier(doc_key);
    struct ta_err err = {0};
    char token[512];

    (void)state;
    sign(eddsa, "{}", token);
    assert_string_equal(words(j, doc_token, 0), "");
    assert_int_equal(ta_jwt_set_key(j, TA_STR("not base64"), &err), TA_EINVAL);
    assert_string_equal(words(j, doc_token, 0), "");
    assert_int_equal(ta_jwt_set_key(j, ta_str(pair_key), NULL), TA_OK);
    assert_string_equal(words(j, doc_token, 0), "ed25519: verification error");
    assert_string_equal(words(j, token, 0), "");
    ta_jwt_free(j);
}

static void a_key_of_wrong_length_refuses_every_token(void **state)
{
    struct ta_jwt *j = NULL;

    (void)state;
    assert_int_equal(ta_jwt_new(&j, TA_STR("AAAA!"), &ta_heap, NULL), TA_EINVAL);
    j = verifier("AAAA");
    assert_string_equal(words(j, doc_token, 0), "key is invalid");
    ta_jwt_free(j);
}

static struct ta_jwt *shared;

static void *check_many(void *arg)
{
    size_t good = 0;

    (void)arg;
    for (int i = 0; i < 300; i++)
        good += ta_jwt_check(shared, ta_str(doc_token), 0, NULL, NULL) == TA_OK;
    return (void *)good;
}

static void threads_share_a_verifier_while_its_key_changes(void **state)
{
    pthread_t threads[4];

    (void)state;
    shared = verifier(doc_key);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_many, NULL), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(ta_jwt_set_key(shared, ta_str(i % 2 ? doc_key : pair_key), NULL), TA_OK);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(words(shared, doc_token, 0), "");
    ta_jwt_free(shared);
}

static int check_once(struct ta_alloc *alloc)
{
    struct ta_jwt *j = NULL;
    struct ta_err err = {0};

    int r = ta_jwt_new(&j, ta_str(doc_key), alloc, &err);
    if (r == TA_OK)
        r = ta_jwt_check(j, ta_str(doc_token), 0, NULL, &err);
    assert_true(r == TA_OK || r == TA_ENOMEM);
    ta_jwt_free(j);
    return r;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, check_once(&f.alloc));
}

static void base64_is_decoded_as_the_reference_does(void **state)
{
    static const struct {
        enum ta_base64 kind;
        const char *text;
        int64_t n;
        const char *bytes;
    } list[] = {
        {TA_BASE64_STD, "", 0, ""},
        {TA_BASE64_STD, "Zg==", 1, "f"},
        {TA_BASE64_STD, "Zm8=", 2, "fo"},
        {TA_BASE64_STD, "Zm9v", 3, "foo"},
        {TA_BASE64_STD, "Zm9vYg==", 4, "foob"},
        {TA_BASE64_STD, "Zm\n9v", 3, "foo"},
        {TA_BASE64_URL, "Zg", 1, "f"},
        {TA_BASE64_URL, "_-8", 2, "\xff\xef"},
        {TA_BASE64_STD, "/+8=", 2, "\xff\xef"},
        {TA_BASE64_URL, "/", -1, ""},
        {TA_BASE64_STD, "Zg", -1, ""},
        {TA_BASE64_STD, "Zg=", -4, ""},
        {TA_BASE64_STD, "Zg==x", -5, ""},
        {TA_BASE64_URL, "Zg==", -3, ""},
        {TA_BASE64_STD, "Z===", -2, ""},
        {TA_BASE64_URL, "ab\x80", -3, ""},
    };
    unsigned char out[64];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        int64_t n = ta_base64_decode(list[i].kind, ta_str(list[i].text), out);
        assert_int_equal(n, list[i].n);
        if (n > 0)
            assert_memory_equal(out, list[i].bytes, (size_t)n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_token_is_good_and_tells_its_roles),
        cmocka_unit_test(any_changed_byte_of_a_token_is_refused),
        cmocka_unit_test(malformed_tokens_are_refused_in_the_words_of_the_reference),
        cmocka_unit_test(times_are_checked_without_leeway_and_the_last_failure_speaks),
        cmocka_unit_test(claims_are_read_into_the_token),
        cmocka_unit_test(a_remembered_token_still_expires),
        cmocka_unit_test(a_full_memory_drops_the_expired_then_all),
        cmocka_unit_test(a_new_key_forgets_the_tokens_of_the_old),
        cmocka_unit_test(a_key_of_wrong_length_refuses_every_token),
        cmocka_unit_test(threads_share_a_verifier_while_its_key_changes),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(base64_is_decoded_as_the_reference_does),
    };

    return cmocka_run_group_tests_name("jwt", tests, make_pair, drop_pair);
}
