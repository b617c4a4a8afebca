/* Answers to queries: the same in every room, bounded, and right where we differ from the
 * reference. */
#include "ask.h"
#include "fault.h"
#include "feed.h"
#include "query/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { T0 = 1700000040, NOW_S = 1700100000 };

static const char metrics[] = "load 60 none,flops 60 sum,user 60 avg,fast 1 sum,odd 7 none";

static struct ta_store *store;

/* Host a: 2,000 minutes of load, 10 of flops on threads 0..3 (3 begins 2 minutes late), sub-levels;
 * host b: a little. */
static int set_up(void **state)
{
    (void)state;
    store = feed_store(&ta_heap, metrics);
    if (!store)
        return -1;
    for (int i = 0; i < 2000; i++)
        if (i % 97 != 5)
            feed_sample(store, "c", "a", "load", "", "", T0 + 60 * i, sin(i / 7.0) * 100, NOW_S);
    for (int t = 0; t < 4; t++)
        for (int i = t == 3 ? 2 : 0; i < 10; i++) {
            char type[16];
            snprintf(type, sizeof(type), "hwthread%d", t);
            feed_sample(store, "c", "a", "flops", type, "", T0 + 60 * i, t + i * 10, NOW_S);
            feed_sample(store, "c", "a", "user", type, "", T0 + 60 * i, t + i * 10, NOW_S);
        }
    feed_sample(store, "c", "a", "load", "acc0", "link1", T0, 5, NOW_S);
    feed_sample(store, "c", "b", "load", "", "", T0, 1e300, NOW_S);
    feed_sample(store, "c", "b", "load", "", "", T0 + 60, -1e300, NOW_S);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_store_free(store);
    return 0;
}

#define RANGE "\"from\":1700000040,\"to\":1700000640"

static void every_room_size_gives_the_same_bytes(void **state)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"for-all-nodes\":[\"load\",\"nope\"],\"with-ids\":true,\"queries\":["
        "{\"metric\":\"load\",\"host\":\"a\"},{\"metric\":\"load\",\"host\":\"a\",\"resolution\":"
        "600},"
        "{\"metric\":\"flops\",\"host\":\"a\",\"type\":\"hwthread\",\"type-ids\":[\"0\",\"9\","
        "\"3\"]},"
        "{\"metric\":\"user\",\"host\":\"a\",\"type\":\"hwthread\",\"type-ids\":[\"0\",\"3\"],"
        "\"aggreg\":true,\"scale-by\":-2},{\"metric\":\"x\\u0001<\\n\",\"host\":\"a\"}],"
        "\"from\":1699999440,\"to\":1700200000}";
    char *want = strdup(ask(store, body, 1 << 20));

    (void)state;
    assert_true(strlen(want) > 20000);
    for (size_t room = 1; room < 70000; room = room < 1300 ? room + 1 : room * 3 / 2)
        assert_string_equal(ask(store, body, room), want);
    free(want);
}

static void children_that_do_not_line_up_are_aligned_by_time(void **state)
{
    (void)state;
    assert_string_equal(
        ask(store,
            "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"flops\",\"host\":\"a\",\"type\":"
            "\"hwthread\",\"type-ids\":[\"3\",\"0\"],\"aggreg\":true}]," RANGE "}",
            4096),
        "{\"results\":[[{\"data\":[null,null,43.000,63.000,83.000,103.000,123.000,143.000,163.000,"
        "183.000],\"from\":1700000040,\"to\":1700000640,\"resolution\":60,\"avg\":113.00,\"min\":"
        "43.00,\"max\":183.00}]]}\n");
}

static void statistics_alone_equal_those_beside_the_data(void **state)
{
    static const char *const asks[] = {
        "{\"metric\":\"load\",\"host\":\"a\"}",
        "{\"metric\":\"load\",\"host\":\"a\",\"scale-by\":3}",
        "{\"metric\":\"load\",\"host\":\"a\",\"resolution\":600}",
        "{\"metric\":\"flops\",\"host\":\"a\"}",
        "{\"metric\":\"user\",\"host\":\"a\"}",
        ("{\"metric\":\"load\",\"host\":\"a\",\"type\":\"acc\",\"type-ids\":[\"0\"],"
         "\"subtype\":\"link\",\"subtype-ids\":[\"1\"]}")};
    char body[512];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(asks); i++) {
        for (int from = 0; from < 100000; from += 33333) {
            snprintf(body, sizeof(body),
                     "{\"cluster\":\"c\",\"queries\":[%s],\"from\":%d,\"to\":%d}", asks[i],
                     T0 + from, T0 + from + 90000);
            char *with = strdup(strstr(ask(store, body, 65536), "\"from\""));
            snprintf(
                body, sizeof(body),
                "{\"cluster\":\"c\",\"with-data\":false,\"queries\":[%s],\"from\":%d,\"to\":%d}",
                asks[i], T0 + from, T0 + from + 90000);
            assert_string_equal(strstr(ask(store, body, 65536), "\"from\""), with);
            free(with);
        }
    }
}

static void infinities_are_null(void **state)
{
    (void)state;
    assert_string_equal(
        ask(store,
            "{\"cluster\":\"c\",\"with-padding\":false,\"queries\":[{\"metric\":"
            "\"load\",\"host\":\"b\",\"scale-by\":1e300}]," RANGE "}",
            4096),
        "{\"results\":[[{\"data\":[null,null],\"from\":1700000040,\"to\":1700000160,"
        "\"resolution\":60,\"avg\":0.00,\"min\":null,\"max\":null}]]}\n");
}

static void ids_are_named_on_request_only(void **state)
{
    static const char query[] =
        "\"cluster\":\"c\",\"with-data\":false,\"with-stats\":false,\"queries\":[{\"metric\":"
        "\"flops\",\"host\":\"a\",\"type\":\"hwthread\",\"type-ids\":[\"7\",\"1\"]},{\"metric\":"
        "\"load\",\"host\":\"a\",\"type\":\"acc\",\"type-ids\":[\"0\"],\"subtype\":\"link\","
        "\"subtype-ids\":[\"1\",\"2\"]}]," RANGE;
    char body[512];

    (void)state;
    snprintf(body, sizeof(body), "{%s}", query);
    assert_null(strstr(ask(store, body, 4096), "type-id"));
    snprintf(body, sizeof(body), "{\"with-ids\":true,%s}", query);
    assert_string_equal(
        ask(store, body, 4096),
        "{\"results\":[[{\"from\":1700000040,\"to\":1700000640,\"resolution\":60,\"avg\":0.00,"
        "\"min\":0.00,\"max\":0.00,\"type-id\":\"1\"}],[{\"from\":1700000040,\"to\":1700000100,"
        "\"resolution\":60,\"avg\":0.00,\"min\":0.00,\"max\":0.00,\"type-id\":\"0\",\"subtype-id\":"
        "\"1\"}]]}\n");
}

static void absurd_ranges_are_clamped_to_what_is_stored(void **state)
{
    static const char *const ranges[] = {
        "\"from\":0,\"to\":1000000000000",
        "\"from\":-9223372036854775808,\"to\":9223372036854775807",
        "\"from\":-9223372036854775808,\"to\":1700000640",
        "\"from\":0,\"to\":9223372036854775807",
    };
    char body[256];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(ranges); i++) {
        snprintf(body, sizeof(body),
                 "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"load\",\"host\":\"b\"}],%s}",
                 ranges[i]);
        const char *got = ask(store, body, 4096);
        assert_non_null(strstr(got, "{\"results\":[[{\"data\":[10000000000000000525047602552044"));
        assert_non_null(strstr(got, "],\"from\":1700000040,\"to\":1700000160,"));
        assert_true(strlen(got) < 2000);
    }
}

static void a_range_after_the_data_or_empty_has_no_data_member(void **state)
{
    (void)state;
    assert_string_equal(
        ask(store,
            "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"odd\",\"host\":\"a\"},"
            "{\"metric\":\"load\",\"host\":\"b\"}],\"from\":1700000640,\"to\":"
            "1700000640}",
            4096),
        "{\"results\":[[],[{\"from\":1700000640,\"to\":1700000640,\"resolution\":60,"
        "\"avg\":null,\"min\":null,\"max\":null}]]}\n");
}

static void a_request_for_all_nodes_names_them_in_order_in_both_parts(void **state)
{
    (void)state;
    assert_string_equal(
        ask(store,
            "{\"cluster\":\"c\",\"for-all-nodes\":[\"flops\",\"odd\"],\"with-data\":false,"
            "\"with-stats\":false," RANGE "}",
            4096),
        "{\"queries\":[{\"metric\":\"flops\",\"host\":\"a\",\"resolution\":0,\"aggreg\":false},"
        "{\"metric\":\"odd\",\"host\":\"a\",\"resolution\":0,\"aggreg\":false},{\"metric\":"
        "\"flops\","
        "\"host\":\"b\",\"resolution\":0,\"aggreg\":false},{\"metric\":\"odd\",\"host\":\"b\","
        "\"resolution\":0,\"aggreg\":false}],\"results\":[[{\"from\":1700000040,\"to\":1700000640,"
        "\"resolution\":60,\"avg\":0.00,\"min\":0.00,\"max\":0.00}],[],[],[]]}\n");
}

static void resampling_beyond_the_budget_is_an_error_of_that_entry_alone(void **state)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"load\",\"host\":\"a\","
        "\"resolution\":600},{\"metric\":\"load\",\"host\":\"b\","
        "\"resolution\":600}],\"with-data\":false,\"from\":1700000040,\"to\":"
        "1700200000}";
    struct ta_query_limits limits = ta_query_limits_default;
    struct ta_query_counts counts;
    struct ta_buf out;

    (void)state;
    limits.window_bytes = 2000 * sizeof(double) - 1;
    ta_buf_init(&out, &ta_heap, 64 * KiB);
    assert_int_equal(
        ask_into(store, body, strlen(body), 4096, &limits, &ta_heap, &out, &counts, NULL), TA_OK);
    assert_int_equal(counts.entries, 2);
    assert_int_equal(counts.errors, 1);
    assert_non_null(strstr(out.at, "{\"error\":\"resampling 2000 values takes more memory than one "
                                   "request may hold\",\"from\":0,"));
    ta_buf_done(&out);
}

static void a_plain_fetch_of_any_length_stays_within_a_fixed_budget(void **state)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"fast\",\"host\":\"a\"}],"
        "\"from\":1700000040,\"to\":1700200000}";
    struct ta_budget budget;
    struct ta_query *q = NULL;
    struct ta_mem_source src;
    char bytes[4096];
    size_t total = 0;
    int r;

    (void)state;
    for (int i = 0; i < 100000; i++)
        feed_sample(store, "c", "a", "fast", "", "", T0 + i, i * 0.1, NOW_S);
    ta_budget_init(&budget, "query", 256 * KiB, &ta_heap);
    ta_mem_source_init(&src, body, strlen(body), 0);
    assert_int_equal(ta_query_new(&q, store, NULL, &budget.alloc, NULL), TA_OK);
    assert_int_equal(ta_query_parse(q, &src.source, NULL), TA_OK);
    do {
        struct ta_buf room = {bytes, 0, sizeof(bytes), sizeof(bytes), NULL};
        r = ta_query_fill(q, &room, NULL);
        total += room.len;
    } while (r > 0);
    ta_query_free(q);
    assert_int_equal(r, 0);
    assert_true(total > 800000);
    assert_true(budget.peak < 200 * KiB);
    assert_int_equal(ta_budget_used(&budget), 0);
}

static void a_request_for_a_thousand_nodes_takes_memory_for_their_names_only(void **state)
{
    static const char body[] = "{\"cluster\":\"c\",\"for-all-nodes\":[\"load\",\"fast\"],\"from\":"
                               "1700000040,\"to\":1700200000}";
    struct ta_query_counts counts;
    struct ta_budget budget;
    struct ta_buf out;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char host[16];
        snprintf(host, sizeof(host), "node%04d", i);
        for (int k = 0; k < 10; k++)
            feed_sample(store, "c", host, "fast", "", "", T0 + k, k, NOW_S);
    }
    ta_budget_init(&budget, "query", 256 * KiB, &ta_heap);
    ta_buf_init(&out, &ta_heap, 4 * MiB);
    assert_int_equal(
        ask_into(store, body, strlen(body), 4096, NULL, &budget.alloc, &out, &counts, NULL), TA_OK);
    assert_int_equal(counts.entries, 1002);
    assert_int_equal(counts.missing, 1002);
    assert_int_equal(counts.errors, 0);
    assert_true(counts.samples >= 10000);
    ta_buf_done(&out);
}

static void a_request_for_all_metrics_of_a_thousand_hosts_passes_the_limits(void **state)
{
    enum { METRICS = 20, NODES = 1000, IDS = 128, BODY = 24 * 1024 * 1024 };
    struct ta_query_counts counts;
    struct ta_err err = {0};
    struct ta_buf body, out;
    int r = 0;

    (void)state;
    ta_buf_init(&body, &ta_heap, BODY);
    ta_buf_init(&out, &ta_heap, 8 * MiB);
    r |= ta_buf_z(&body, "{\"cluster\":\"c\",\"queries\":[");
    for (int i = 0; i < METRICS * NODES; i++) {
        r |= ta_buf_printf(&body,
                           "%s{\"metric\":\"m%02d\",\"host\":\"node%04d\",\"type\":"
                           "\"hwthread\",\"aggreg\":true,\"resolution\":600,\"type-ids\":[",
                           i ? "," : "", i / NODES, i % NODES);
        for (int t = 0; t < IDS; t++)
            r |= ta_buf_printf(&body, "%s\"%d\"", t ? "," : "", t);
        r |= ta_buf_z(&body, "]}");
    }
    r |= ta_buf_z(&body, "],\"from\":1,\"to\":0}");
    assert_int_equal(r, TA_OK);
    r = ask_into(store, body.at, body.len, 4096, NULL, &ta_heap, &out, &counts, &err);
    ta_buf_done(&body);
    ta_buf_done(&out);
    assert_string_equal(err.text, "");
    assert_int_equal(counts.errors, METRICS * NODES); /* from > to: nothing is read */
    assert_int_equal(r, TA_OK);
}

static void data_freed_between_two_fills_reads_as_null(void **state)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"queries\":[{\"metric\":\"load\",\"host\":\"a\"}],"
        "\"with-stats\":false,\"from\":1700000040,\"to\":1700200000}";
    struct ta_query *q = NULL;
    struct ta_mem_source src;
    struct ta_buf out;

    (void)state;
    ta_mem_source_init(&src, body, strlen(body), 0);
    ta_buf_init(&out, &ta_heap, 1 * MiB);
    assert_int_equal(ta_query_new(&q, store, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_query_parse(q, &src.source, NULL), TA_OK);
    char head[12];
    struct ta_buf small = {head, 0, sizeof(head), sizeof(head), NULL};
    assert_int_equal(ta_query_fill(q, &small, NULL), 1);
    ta_store_free_before(store, NULL, 0, INT64_MAX);
    assert_int_equal(ta_query_fill(q, &out, NULL), 0);
    ta_query_free(q);
    assert_int_equal(ta_buf_byte(&out, 0), TA_OK);
    assert_non_null(strstr(out.at, "]]}\n"));
    ta_buf_done(&out);
}

static void every_failing_allocation_is_an_error_or_a_whole_answer(void **state)
{
    static const char body[] =
        "{\"cluster\":\"c\",\"for-all-nodes\":[\"load\"],\"queries\":[{\"metric\":\"load\","
        "\"host\":"
        "\"a\",\"resolution\":600},{\"metric\":\"flops\",\"host\":\"a\",\"type\":\"hwthread\","
        "\"type-ids\":[\"0\",\"3\"],\"aggreg\":true}],\"from\":1700000040,\"to\":1700200000}";

    (void)state;
    for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
        struct ta_buf out;
        ta_buf_init(&out, &ta_heap, 1 * MiB);
        int r = ask_into(store, body, strlen(body), 4096, NULL, &f.alloc, &out, NULL, NULL);
        if (r >= 0)
            assert_memory_equal(out.at + out.len - 4, "]]}\n", 4);
        ta_buf_done(&out);
        fault_judge(&f, r);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_room_size_gives_the_same_bytes),
        TEST(children_that_do_not_line_up_are_aligned_by_time),
        TEST(statistics_alone_equal_those_beside_the_data),
        TEST(infinities_are_null),
        TEST(ids_are_named_on_request_only),
        TEST(absurd_ranges_are_clamped_to_what_is_stored),
        TEST(a_range_after_the_data_or_empty_has_no_data_member),
        TEST(a_request_for_all_nodes_names_them_in_order_in_both_parts),
        TEST(resampling_beyond_the_budget_is_an_error_of_that_entry_alone),
        TEST(a_plain_fetch_of_any_length_stays_within_a_fixed_budget),
        TEST(a_request_for_a_thousand_nodes_takes_memory_for_their_names_only),
        TEST(a_request_for_all_metrics_of_a_thousand_hosts_passes_the_limits),
        TEST(data_freed_between_two_fills_reads_as_null),
        TEST(every_failing_allocation_is_an_error_or_a_whole_answer),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
