/* JSON text as Go's encoder would write it, in any size of buffer. */
#include "fault.h"
#include "io/json_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int write_document(struct ta_buf *out)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    ta_json_put_object(&w);
    ta_json_member_z(&w, "name", "a\"b");
    ta_json_member_i64(&w, "least", INT64_MIN);
    ta_json_put_key(&w, "most");
    ta_json_put_u64(&w, UINT64_MAX);
    ta_json_put_key(&w, "data");
    ta_json_put_array(&w);
    ta_json_put_fixed(&w, 1.0005, 3);
    ta_json_put_fixed(&w, NAN, 3);
    ta_json_put_f64(&w, 0.1);
    ta_json_put_f64(&w, -INFINITY);
    ta_json_put_array(&w);
    ta_json_put_array_end(&w);
    ta_json_put_object(&w);
    ta_json_put_object_end(&w);
    ta_json_put_raw(&w, TA_STR("{\"raw\":1}"));
    ta_json_put_array_end(&w);
    ta_json_member_bool(&w, "yes", true);
    ta_json_member_bool(&w, "no", false);
    ta_json_put_key(&w, "nothing");
    ta_json_put_null(&w);
    return ta_json_put_object_end(&w);
}

static const char document[] = "{\"name\":\"a\\\"b\",\"least\":-9223372036854775808,"
                               "\"most\":18446744073709551615,\"data\":[1.000,null,0.1,null,[],{},"
                               "{\"raw\":1}],\"yes\":true,\"no\":false,\"nothing\":null}";

static void commas_and_colons_stand_where_they_belong(void **state)
{
    struct ta_buf out;

    (void)state;
    ta_buf_init(&out, &ta_heap, 4096);
    assert_int_equal(write_document(&out), TA_OK);
    assert_true(ta_str_is(ta_buf_view(&out), document));
    ta_buf_done(&out);
}

static void a_buffer_too_small_anywhere_is_an_error_that_sticks(void **state)
{
    (void)state;
    for (size_t max = 0; max < sizeof(document) - 1; max++) {
        struct ta_buf out;
        ta_buf_init(&out, &ta_heap, max);
        assert_int_equal(write_document(&out), TA_ERANGE);
        assert_true(out.len <= max);
        assert_memory_equal(out.len ? out.at : "", document, out.len);
        ta_buf_done(&out);
    }
}

static int write_and_drop(struct ta_alloc *alloc)
{
    struct ta_buf out;

    ta_buf_init(&out, alloc, 4096);
    int r = write_document(&out);
    ta_buf_done(&out);
    return r;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, write_and_drop(&f.alloc));
}

static void strings_are_escaped_as_go_does(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\f\x01\x1f\x7f", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\""},
        {"<a>&", "\"\\u003ca\\u003e\\u0026\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {"a\xff"
         "b\xc3",
         "\"a\\ufffdb\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xc0\x80", "\"\\ufffd\\ufffd\""},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_buf out;
        ta_buf_init(&out, &ta_heap, 256);
        assert_int_equal(ta_json_escape(&out, ta_str(cases[i].in)), TA_OK);
        assert_int_equal(ta_buf_byte(&out, 0), TA_OK);
        assert_string_equal(out.at, cases[i].out);
        ta_buf_done(&out);
    }
}

static void misuse_is_refused_and_too_deep_nesting_too(void **state)
{
    struct ta_json_writer w;
    struct ta_buf out;

    (void)state;
    ta_buf_init(&out, &ta_heap, 4096);
    ta_json_writer_init(&w, &out);
    assert_int_equal(ta_json_put_object_end(&w), TA_ESTATE);
    ta_json_writer_init(&w, &out);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "a");
    assert_int_equal(ta_json_put_key(&w, "b"), TA_ESTATE);
    ta_json_writer_init(&w, &out);
    for (int i = 0; i < TA_JSON_WRITE_DEPTH; i++)
        assert_int_equal(ta_json_put_array(&w), TA_OK);
    assert_int_equal(ta_json_put_array(&w), TA_ERANGE);
    assert_int_equal(ta_json_put_null(&w), TA_ERANGE);
    ta_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons_stand_where_they_belong),
        cmocka_unit_test(a_buffer_too_small_anywhere_is_an_error_that_sticks),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(strings_are_escaped_as_go_does),
        cmocka_unit_test(misuse_is_refused_and_too_deep_nesting_too),
    };

    return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
