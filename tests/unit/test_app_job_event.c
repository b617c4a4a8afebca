/* Events about jobs out of line protocol. */
#include "app/job_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ta_buf event;

static int set_up(void **state)
{
    (void)state;
    ta_buf_init(&event, &ta_heap, 64);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_buf_done(&event);
    return 0;
}

static struct ta_job_event take(struct ta_str *rest)
{
    struct ta_job_event out;

    assert_int_equal(ta_job_event_next(rest, &out, &event, NULL), 1);
    return out;
}

static void assert_text(struct ta_str s, const char *z)
{
    assert_int_equal(s.len, strlen(z));
    assert_memory_equal(s.at, z, s.len);
}

static void lines_come_one_by_one_with_their_text_unescaped(void **state)
{
    struct ta_str rest =
        TA_STR("# no event\njob,function=start_job event=\"{\\\"a\\\":\\\"b\\\\\\\\c\\\"}\" "
               "1700000000000000000\r\n\nnodestate,x=y event=\"two\nlines\"");
    struct ta_job_event e = take(&rest);

    (void)state;
    assert_text(e.measurement, "job");
    assert_text(e.function, "start_job");
    assert_true(e.has_event);
    assert_text(ta_buf_view(&event), "{\"a\":\"b\\\\c\"}");
    e = take(&rest);
    assert_text(e.measurement, "nodestate");
    assert_int_equal(e.function.len, 0);
    assert_text(ta_buf_view(&event), "two\nlines");
    assert_int_equal(ta_job_event_next(&rest, &e, &event, NULL), 0);
}

static void a_line_without_a_text_named_event_has_none(void **state)
{
    static const char *const lines[] = {"job event=1", "job other=\"x\"", "job a=1i,b=t 5"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(lines); i++) {
        struct ta_str rest = ta_str(lines[i]);

        assert_false(take(&rest).has_event);
    }
}

static void the_field_may_stand_among_others(void **state)
{
    struct ta_str rest = TA_STR("job a=\"x\",event=\"y\",b=1 7");

    (void)state;
    assert_true(take(&rest).has_event);
    assert_text(ta_buf_view(&event), "y");
}

static void what_is_no_line_is_said_so(void **state)
{
    static const char *const lines[] = {
        "job",           ",a=b event=\"x\"", "job,a event=\"x\"", "job event",
        "job event=\"x", "job event=\"x\"y", "job event=\"x\\"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(lines); i++) {
        struct ta_str rest = ta_str(lines[i]);
        struct ta_job_event out;
        struct ta_err err = {0};

        assert_int_equal(ta_job_event_next(&rest, &out, &event, &err), TA_EFORMAT);
        assert_true(err.text[0] != 0);
    }
}

static void a_text_beyond_the_maximum_is_refused(void **state)
{
    char line[128] = "job event=\"";
    struct ta_str rest;
    struct ta_job_event out;

    (void)state;
    memset(line + strlen(line), 'x', 100);
    rest = (struct ta_str){line, 111};
    assert_int_equal(ta_job_event_next(&rest, &out, &event, NULL), TA_ERANGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_come_one_by_one_with_their_text_unescaped),
        TEST(a_line_without_a_text_named_event_has_none),
        TEST(the_field_may_stand_among_others),
        TEST(what_is_no_line_is_said_so),
        TEST(a_text_beyond_the_maximum_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
