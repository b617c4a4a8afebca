/* The signatures of AWS's published examples for S3 (documentation, "Signature Calculations for the
 * Authorization Header", examples of 24 May 2013). */
#include "rest/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DATE  "20130524T000000Z"
#define HOST  "examplebucket.s3.amazonaws.com"

static const struct ta_sigv4_keys keys = {.access = "AKIAIOSFODNN7EXAMPLE",
                                          .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                          .region = "us-east-1",
                                          .service = "s3"};

static void assert_signature(const struct ta_sigv4_request *req, const char *want)
{
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 4 * KiB);
    assert_int_equal(ta_sigv4_authorization(&keys, req, DATE, &out, NULL), TA_OK);
    assert_int_equal(ta_buf_byte(&out, 0), TA_OK);
    const char *at = strstr(out.at, "Signature=");
    assert_non_null(at);
    assert_string_equal(at + 10, want);
    assert_null(strstr(out.at, keys.secret));
    ta_buf_done(&out);
}

static void getting_a_range_is_signed_as_published(void **state)
{
    (void)state;
    const struct ta_sigv4_header headers[] = {{"host", HOST},
                                              {"range", "bytes=0-9"},
                                              {"x-amz-content-sha256", EMPTY},
                                              {"x-amz-date", DATE}};
    assert_signature(&(struct ta_sigv4_request){"GET", "/test.txt", "", headers, 4, EMPTY},
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void putting_an_object_is_signed_as_published(void **state)
{
    (void)state;
    char hash[TA_SHA256_HEX];

    assert_int_equal(ta_sha256_hex("Welcome to Amazon S3.", 21, hash), TA_OK);
    const struct ta_sigv4_header headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                              {"host", HOST},
                                              {"x-amz-content-sha256", hash},
                                              {"x-amz-date", DATE},
                                              {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    assert_signature(&(struct ta_sigv4_request){"PUT", "/test%24file.text", "", headers, 5, hash},
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void queries_are_signed_as_published(void **state)
{
    (void)state;
    const struct ta_sigv4_header headers[] = {
        {"host", HOST}, {"x-amz-content-sha256", EMPTY}, {"x-amz-date", DATE}};

    assert_signature(&(struct ta_sigv4_request){"GET", "/", "lifecycle=", headers, 3, EMPTY},
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    assert_signature(
        &(struct ta_sigv4_request){"GET", "/", "max-keys=2&prefix=J", headers, 3, EMPTY},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void dates_have_the_form_that_is_signed(void **state)
{
    (void)state;
    char date[TA_SIGV4_DATE];

    ta_sigv4_date(1369353600, date);
    assert_string_equal(date, DATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(getting_a_range_is_signed_as_published),
        cmocka_unit_test(putting_an_object_is_signed_as_published),
        cmocka_unit_test(queries_are_signed_as_published),
        cmocka_unit_test(dates_have_the_form_that_is_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
