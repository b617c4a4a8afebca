/* URLs of services, names of workflows, days of reports. */
#include "sweep/report.h"
#include "sweep/sweep.h"
#include "sweep/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_port_goes_behind_cmsweb_hosts_and_nowhere_else(void **state)
{
    static const struct {
        const char *url, *with_port;
    } rows[] = {
        {"https://cmsweb.cern.ch/reqmgr2", "https://cmsweb.cern.ch:8443/reqmgr2"},
        {"https://cmsweb-testbed.cern.ch/couchdb/x/",
         "https://cmsweb-testbed.cern.ch:8443/couchdb/x"},
        {"https://cmsweb.cern.ch:9443/reqmgr2", "https://cmsweb.cern.ch:9443/reqmgr2"},
        {"http://cmsweb.cern.ch/reqmgr2", "http://cmsweb.cern.ch/reqmgr2"},
        {"https://other.cern.ch/cmsweb", "https://other.cern.ch/cmsweb"},
        {"https://cmsweb.example.org/a.cern.ch/b", "https://cmsweb.example.org/a.cern.ch/b"},
        {"https://cmsweb.cern.ch", "https://cmsweb.cern.ch"},
        {"http://", "http:"},
        {"x", "x"},
    };
    struct ta_arena arena;

    (void)state;
    ta_arena_init(&arena, &ta_heap, 64 * 1024);
    for (size_t i = 0; i < TA_COUNT(rows); i++)
        assert_string_equal(ta_cmsweb_url(&arena, rows[i].url, 8443), rows[i].with_port);
    assert_string_equal(ta_cmsweb_url(&arena, rows[0].url, 0), rows[0].url);
    ta_arena_done(&arena);
}

static void pieces_of_a_url_are_encoded_where_asked_for(void **state)
{
    struct ta_buf b;

    (void)state;
    ta_buf_init(&b, &ta_heap, 64);
    assert_int_equal(ta_url_add(&b, "http://h/", "%", "/A#b c", "?x=", "%", "[\"n\"]", NULL),
                     TA_OK);
    assert_string_equal(b.at, "http://h/%2FA%23b%20c?x=%5B%22n%22%5D");
    assert_int_equal(b.len, strlen(b.at));
    assert_true(ta_url_add(&b, "0123456789012345678901234567890123456789", NULL) < 0);
    ta_buf_done(&b);
}

static void a_workflow_has_a_plain_name_of_bounded_length(void **state)
{
    static char longest[513];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(ta_is_workflow_name(TA_STR("pdmvserv_task.1-B")));
    assert_false(ta_is_workflow_name(TA_STR("")));
    assert_false(ta_is_workflow_name(TA_STR("a/b")));
    assert_false(ta_is_workflow_name(TA_STR("a b")));
    assert_false(ta_is_workflow_name(TA_STR("a\"")));
    assert_true(ta_is_workflow_name((struct ta_str){longest, 512}));
    assert_false(ta_is_workflow_name((struct ta_str){longest, 513}));
}

static void a_report_tells_its_time_and_keeps_every_error_that_fits(void **state)
{
    struct ta_sweep_report r = {0};
    char text[40];

    (void)state;
    ta_report_time(text, 1765000000);
    assert_string_equal(text, "Sat, 06 Dec 2025 05:46:40 UTC");
    ta_report_error(&r, "one %d", 1);
    ta_report_error(&r, "two");
    assert_string_equal(r.error, "one 1; two");
    for (int i = 0; i < 1000; i++)
        ta_report_error(&r, "another error of some length");
    assert_true(strlen(r.error) < sizeof(r.error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_goes_behind_cmsweb_hosts_and_nowhere_else),
        cmocka_unit_test(pieces_of_a_url_are_encoded_where_asked_for),
        cmocka_unit_test(a_workflow_has_a_plain_name_of_bounded_length),
        cmocka_unit_test(a_report_tells_its_time_and_keeps_every_error_that_fits),
    };

    return cmocka_run_group_tests_name("sweep urls", tests, NULL, NULL);
}
