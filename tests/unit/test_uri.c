/* Request targets: splitting, escapes, parameters, cleaning. */
#include "net/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_str(struct ta_str s, const char *want)
{
    assert_non_null(s.at);
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.at, want, s.len);
}

static void a_target_is_split_into_path_and_query(void **state)
{
    static const struct {
        const char *target, *path, *query;
    } list[] = {
        {"/", "/", NULL},
        {"/a/b?c=d?e", "/a/b", "c=d?e"},
        {"/a?", "/a", ""},
        {"", "/", NULL},
        {"?x", "/", "x"},
        {"http://host:80/a?b", "/a", "b"},
        {"HTTPS://host", "/", NULL},
        {"http://host?q", "/", "q"},
        {"*", "*", NULL},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        struct ta_uri u = ta_uri_split(ta_str(list[i].target));
        assert_str(u.path, list[i].path);
        if (list[i].query)
            assert_str(u.query, list[i].query);
        else
            assert_null(u.query.at);
    }
}

static void escapes_are_decoded_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool plus;
        int64_t n;
        const char *bytes;
    } list[] = {
        {"a%20b", false, 3, "a b"},     {"a+b", false, 3, "a+b"}, {"a+b", true, 3, "a b"},
        {"%41%5a%5A", false, 3, "AZZ"}, {"%", false, -1, ""},     {"%4", false, -1, ""},
        {"%4g", false, -1, ""},         {"%%41", false, -1, ""},  {"", false, 0, ""},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        int64_t n = ta_uri_decode(ta_str(list[i].text), list[i].plus, out);
        assert_int_equal(n, list[i].n);
        if (n > 0)
            assert_memory_equal(out, list[i].bytes, (size_t)n);
    }
}

static void the_first_parameter_of_a_name_counts(void **state)
{
    struct ta_str q = TA_STR("a=1&&b&c=%41+x&a=2&d%20e=f&bad=%g&=v");
    struct ta_arena arena;

    (void)state;
    ta_arena_init(&arena, &ta_heap, 64 * KiB);
    assert_str(ta_uri_param(q, TA_STR("a")), "1");
    assert_str(ta_uri_param(q, TA_STR("b")), "");
    assert_str(ta_uri_param(q, TA_STR("c")), "%41+x");
    assert_null(ta_uri_param(q, TA_STR("d e")).at);
    assert_null(ta_uri_param(q, TA_STR("z")).at);
    assert_str(ta_uri_param_decoded(q, TA_STR("c"), &arena), "A x");
    assert_str(ta_uri_param_decoded(q, TA_STR("d e"), &arena), "f");
    assert_null(ta_uri_param_decoded(q, TA_STR("bad"), &arena).at);
    assert_null(ta_uri_param((struct ta_str){0}, TA_STR("a")).at);
    ta_arena_done(&arena);
}

static void paths_are_cleaned_as_the_reference_does(void **state)
{
    static const struct {
        const char *path, *clean;
    } list[] = {
        {"/", "/"},        {"/a", "/a"},           {"/a/", "/a/"},         {"//a", "/a"},
        {"/a//b", "/a/b"}, {"/a/./b", "/a/b"},     {"/a/../b", "/b"},      {"/../a", "/a"},
        {"/..", "/"},      {"/a/..", "/"},         {"/a/b/../", "/a/"},    {"a", "/a"},
        {"", "/"},         {"/a/.", "/a"},         {"/.a/..b", "/.a/..b"}, {"/a/...", "/a/..."},
        {"////", "/"},     {"/a/b/../../c", "/c"},
    };
    struct ta_arena arena;

    (void)state;
    ta_arena_init(&arena, &ta_heap, 64 * KiB);
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        struct ta_str clean = ta_uri_clean(ta_str(list[i].path), &arena);
        assert_str(clean, list[i].clean);
        assert_true(ta_uri_is_clean(clean));
        assert_int_equal(ta_uri_is_clean(ta_str(list[i].path)),
                         strcmp(list[i].path, list[i].clean) == 0);
    }
    assert_str(ta_uri_escape_path(TA_STR("/a b\xc3\xa4?%"), &arena), "/a%20b%C3%A4%3F%25");
    ta_arena_done(&arena);
}

static void a_refused_allocation_is_seen(void **state)
{
    struct ta_arena none;

    (void)state;
    ta_arena_init(&none, &ta_heap, 0);
    assert_null(ta_uri_clean(TA_STR("//a"), &none).at);
    assert_null(ta_uri_escape_path(TA_STR("/a"), &none).at);
    assert_null(ta_uri_param_decoded(TA_STR("a=1"), TA_STR("a"), &none).at);
}

static void tokens_have_no_separators(void **state)
{
    (void)state;
    assert_true(ta_uri_is_token(TA_STR("Content-Length")));
    assert_true(ta_uri_is_token(TA_STR("x!#$%&'*+-.^_`|~9")));
    assert_false(ta_uri_is_token(TA_STR("")));
    assert_false(ta_uri_is_token(TA_STR("a b")));
    assert_false(ta_uri_is_token(TA_STR("a:")));
    assert_false(ta_uri_is_token((struct ta_str){"a\0b", 3}));
    assert_false(ta_uri_is_token(TA_STR("\xc3\xa4")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_split_into_path_and_query),
        cmocka_unit_test(escapes_are_decoded_or_refused),
        cmocka_unit_test(the_first_parameter_of_a_name_counts),
        cmocka_unit_test(paths_are_cleaned_as_the_reference_does),
        cmocka_unit_test(a_refused_allocation_is_seen),
        cmocka_unit_test(tokens_have_no_separators),
    };

    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
