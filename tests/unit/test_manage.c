/* Freeing, debug text and health as the routes use them: texts of any length, memory refused. */
#include "fault.h"
#include "feed.h"
#include "query/health.h"
#include "query/manage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { T0 = 1700000040, NOW_S = 1700000100 };

static struct ta_store *store;

static int set_up(void **state)
{
    (void)state;
    store = feed_store(&ta_heap, "load 60 none,flops 60 sum");
    if (!store)
        return -1;
    feed_sample(store, "c", "a", "load", "", "", T0, 1, NOW_S);
    feed_sample(store, "c", "a", "flops", "hwthread0", "", T0, 2, NOW_S);
    feed_sample(store, "c", "b", "load", "", "", T0, 3, NOW_S);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_store_free(store);
    return 0;
}

static struct ta_str repeat(char *room, const char *unit, size_t n)
{
    size_t len = strlen(unit);

    for (size_t i = 0; i < n; i++)
        memcpy(room + i * len, unit, len);
    return (struct ta_str){room, n * len};
}

static void unknown_selectors_of_any_length_are_named_as_far_as_they_fit(void **state)
{
    static const char *const units[] = {"a", ":", "a:", "\x01", "\"", "\n:"};
    char room[1024];

    (void)state;
    for (size_t u = 0; u < TA_COUNT(units); u++)
        for (size_t n = 1; n <= 500; n++) {
            struct ta_debug *d = NULL;
            struct ta_err err = {0};
            int r = ta_debug_new(&d, store, repeat(room, units[u], n), &ta_heap, &err);
            assert_int_equal(r, TA_ENOTFOUND);
            assert_non_null(strstr(err.text, "not found: []string{\""));
        }
}

static void times_of_any_length_are_named_as_far_as_they_fit(void **state)
{
    char room[1024];

    (void)state;
    for (size_t n = 1; n <= 500; n++) {
        struct ta_err err = {0};
        int64_t to = 7;
        assert_true(ta_free_time(repeat(room, "\x01", n), &to, &err) < 0);
        assert_non_null(strstr(err.text, "strconv.ParseInt"));
        assert_int_equal(to, 7);
    }
}

static int free_all(struct ta_alloc *alloc)
{
    static const char body[] = "[[\"c\",\"a\"],[\"c\",\"b\"],[]]";
    struct ta_free_query *f = NULL;
    struct ta_mem_source src;

    int r = ta_free_new(&f, NULL, alloc, NULL);
    if (r < 0)
        return r;
    ta_mem_source_init(&src, body, sizeof(body) - 1, 3);
    r = ta_free_parse(f, &src.source, NULL);
    if (r >= 0)
        (void)ta_free_run(f, store, T0 - 100000);
    ta_free_free(f);
    return r;
}

static int dump_all(struct ta_alloc *alloc)
{
    struct ta_debug *d = NULL;
    char text[64];

    int r = ta_debug_new(&d, store, (struct ta_str){0}, alloc, NULL);
    for (bool more = r >= 0; more;) {
        struct ta_buf room = {.at = text, .cap = sizeof(text), .max = sizeof(text)};
        r = ta_debug_fill(d, &room, NULL);
        more = r == 1;
    }
    ta_debug_free(d);
    return r;
}

static int look_after_all(struct ta_alloc *alloc)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"nodes\":[\"b\",\"a\",\"x\"],\"metric-names\":[\"load\",\"flops\"]}";
    struct ta_health_query *h = NULL;
    struct ta_mem_source src;
    char text[64];

    int r = ta_health_new(&h, store, NULL, alloc, NULL);
    if (r < 0)
        return r;
    ta_mem_source_init(&src, body, sizeof(body) - 1, 5);
    r = ta_health_parse(h, &src.source, NULL);
    for (bool more = r >= 0; more;) {
        struct ta_buf room = {.at = text, .cap = sizeof(text), .max = sizeof(text)};
        r = ta_health_fill(h, NOW_S, &room, NULL);
        more = r == 1;
    }
    ta_health_free(h);
    return r;
}

static void every_failing_allocation_is_an_error_or_a_whole_answer(void **state)
{
    static int (*const works[])(struct ta_alloc *) = {free_all, dump_all, look_after_all};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(works); i++)
        for (struct fault f = {.may_succeed = true}; fault_next(&f);)
            fault_judge(&f, works[i](&f.alloc));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_selectors_of_any_length_are_named_as_far_as_they_fit),
        TEST(times_of_any_length_are_named_as_far_as_they_fit),
        TEST(every_failing_allocation_is_an_error_or_a_whole_answer),
    };

    return cmocka_run_group_tests_name("free, debug, health", tests, NULL, NULL);
}
