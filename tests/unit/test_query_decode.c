/* Request bodies are decoded by the rules of the reference's decoder, within bounds. */
#include "query/request.h"

#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

static const struct ta_dec_limits limits = {1000, 1000, 256};

/* A source that has nothing yet at every other call. */
struct halting {
    struct ta_source source;
    struct ta_mem_source bytes;
    int calls;
};

static int64_t halting_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct halting *h = (struct halting *)(void *)self;

    if (h->calls++ % 2 == 0)
        return TA_EAGAIN;
    return h->bytes.source.read(&h->bytes.source, buf, n, err);
}

static int decode(const char *body, size_t step, const struct ta_dec_field *root, void *out,
                  struct ta_arena *arena, struct ta_alloc *alloc, struct ta_err *err)
{
    struct halting src = {{halting_read}, {{0}, NULL, 0, 0, 0}, 0};
    struct ta_decoder *d = NULL;

    ta_mem_source_init(&src.bytes, body, strlen(body), step);
    int r = ta_decoder_new(&d, &src.source, root, out, &limits, arena, alloc);
    if (r < 0)
        return r;
    while ((r = ta_decoder_run(d, err)) == TA_EAGAIN)
        continue;
    ta_decoder_free(d);
    return r;
}

static struct ta_arena arena;

static struct ta_query_request query_of(const char *body)
{
    struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;
    struct ta_err err = {0};

    if (decode(body, 0, &ta_query_root, &rq, &arena, &ta_heap, &err) < 0)
        fail_msg("%s: %s", body, err.text);
    return rq;
}

static const char *query_error(const char *body)
{
    static struct ta_err err;
    struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;

    err = (struct ta_err){0};
    assert_int_equal(decode(body, 0, &ta_query_root, &rq, &arena, &ta_heap, &err), TA_EFORMAT);
    return err.text;
}

static const struct ta_query_item *item_at(const struct ta_query_request *rq, size_t i)
{
    const struct ta_dec_item *item = rq->queries.first;

    assert_true(i < rq->queries.n);
    while (i-- > 0)
        item = item->next;
    return (const struct ta_query_item *)(const void *)item;
}

static int set_up(void **state)
{
    (void)state;
    ta_arena_init(&arena, &ta_heap, 1 * MiB);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_arena_done(&arena);
    return 0;
}

static const char full[] =
    "{\"cluster\":\"fritz\",\"queries\":[{\"type\":\"hwthread\",\"subtype\":\"s\",\"metric\":"
    "\"flops\\u005fany\",\"host\":\"f0201\",\"resolution\":600,\"type-ids\":[\"0\",\"1\",\"2\"],"
    "\"subtype-ids\":[\"a\"],\"scale-by\":0.5,\"aggreg\":true},{\"metric\":\"m\",\"host\":\"h\"}],"
    "\"for-all-nodes\":[\"a\",\"b\"],\"from\":-5,\"to\":1720964715,\"with-stats\":false,"
    "\"with-data\":false,\"with-padding\":false,\"with-ids\":true}";

static void check_full(const struct ta_query_request *rq)
{
    const struct ta_query_item *q = item_at(rq, 0);

    assert_true(ta_str_is(rq->cluster, "fritz"));
    assert_int_equal(rq->queries.n, 2);
    assert_true(q->type.is_set && ta_str_is(q->type.str, "hwthread"));
    assert_true(q->subtype.is_set && ta_str_is(q->subtype.str, "s"));
    assert_true(ta_str_is(q->metric, "flops_any"));
    assert_true(ta_str_is(q->host, "f0201"));
    assert_int_equal(q->resolution_s, 600);
    assert_int_equal(q->type_ids.n, 3);
    assert_true(ta_str_is(q->type_ids.at[2], "2"));
    assert_int_equal(q->subtype_ids.n, 1);
    assert_true(ta_str_is(q->subtype_ids.at[0], "a"));
    assert_true(q->scale_by == 0.5);
    assert_true(q->is_aggregated);
    assert_false(item_at(rq, 1)->type.is_set);
    assert_int_equal(rq->for_all_nodes.n, 2);
    assert_int_equal(rq->from_s, -5);
    assert_int_equal(rq->to_s, 1720964715);
    assert_false(rq->with_stats || rq->with_data || rq->with_padding);
    assert_true(rq->with_ids);
}

static void a_request_is_decoded_whatever_pieces_it_comes_in(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof(full); step++) {
        struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;
        assert_int_equal(decode(full, step, &ta_query_root, &rq, &arena, &ta_heap, NULL), TA_OK);
        check_full(&rq);
        ta_arena_reset(&arena);
    }
}

static void absent_and_null_keys_leave_the_defaults(void **state)
{
    struct ta_query_request rq = query_of(
        "{\"cluster\":null,\"queries\":[{\"type\":null,\"type-ids\":null,\"resolution\":null,"
        "\"aggreg\":null,\"scale-by\":null},null],\"for-all-nodes\":null,\"from\":null,"
        "\"with-stats\":null}");

    (void)state;
    assert_true(rq.with_stats && rq.with_data && rq.with_padding && !rq.with_ids);
    assert_int_equal(rq.cluster.len, 0);
    assert_false(rq.for_all_nodes.is_set);
    assert_int_equal(rq.queries.n, 2);
    assert_false(item_at(&rq, 0)->type.is_set);
    assert_false(item_at(&rq, 0)->type_ids.is_set);
    assert_true(isnan(item_at(&rq, 0)->scale_by));
    assert_true(item_at(&rq, 1)->scale_by == 0);
    assert_int_equal(query_of("null").queries.n, 0);
}

static void keys_match_in_any_case_and_the_last_of_equal_ones_wins(void **state)
{
    struct ta_query_request rq = query_of("{\"Cluster\":\"a\",\"FROM\":1,\"to\":5,\"To\":7,"
                                          "\"QUERIES\":[{\"Metric\":\"x\"}],\"queries\":[]}");

    (void)state;
    assert_true(ta_str_is(rq.cluster, "a"));
    assert_int_equal(rq.from_s, 1);
    assert_int_equal(rq.to_s, 7);
    assert_int_equal(rq.queries.n, 0);
    assert_null(rq.queries.first);
}

static void unknown_keys_and_what_follows_the_value_are_not_looked_at(void **state)
{
    struct ta_query_request rq =
        query_of("{\"x\":{\"from\":[1,{}]},\"from\":3,\"y\":[[\"a\"]],\"to\":4} trailing {");

    (void)state;
    assert_int_equal(rq.from_s, 3);
    assert_int_equal(rq.to_s, 4);
}

static void null_in_a_list_of_strings_is_an_empty_string(void **state)
{
    struct ta_query_request rq = query_of("{\"for-all-nodes\":[null,\"a\",\"\"]}");

    (void)state;
    assert_int_equal(rq.for_all_nodes.n, 3);
    assert_int_equal(rq.for_all_nodes.at[0].len, 0);
    assert_true(ta_str_is(rq.for_all_nodes.at[1], "a"));
    assert_int_equal(rq.for_all_nodes.at[2].len, 0);
}

static void errors_have_the_references_words(void **state)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"", "EOF"},
        {" \n", "EOF"},
        {"{\"cluster\": \"x\", \"queries\": [", "unexpected EOF"},
        {"{\"from\": \"now\"}",
         "json: cannot unmarshal string into Go struct field APIQueryRequest.from of type int64"},
        {"{\"from\": 1700000040.5}", "json: cannot unmarshal number 1700000040.5 into Go struct "
                                     "field APIQueryRequest.from of type int64"},
        {"{\"to\": 1e3}", "json: cannot unmarshal number 1e3 into Go struct field "
                          "APIQueryRequest.to of type int64"},
        {"{\"to\": 99999999999999999999}",
         "json: cannot unmarshal number 99999999999999999999 into Go struct field "
         "APIQueryRequest.to of type int64"},
        {"{\"queries\":[{\"metric\": 5}]}", "json: cannot unmarshal number into Go struct field "
                                            "APIQueryRequest.queries.metric of type string"},
        {"{\"queries\":[{\"type-ids\": [[1]]}]}",
         "json: cannot unmarshal array into Go struct field APIQueryRequest.queries.type-ids of "
         "type string"},
        {"{\"with-stats\": \"true\"}", "json: cannot unmarshal string into Go struct field "
                                       "APIQueryRequest.with-stats of type bool"},
        {"[1,[2]]", "json: cannot unmarshal array into Go value of type APIQueryRequest"},
        {"{\"from\":true,\"to\":[]}",
         "json: cannot unmarshal bool into Go struct field APIQueryRequest.from of type int64"},
        {"{\"from\":\"x\",\"queries\":[", "unexpected EOF"}, /* syntax goes first */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(query_error(cases[i].body), cases[i].words);
}

static void equal_lists_and_names_are_stored_once(void **state)
{
    char body[8192] = "{\"queries\":[";
    size_t len = strlen(body);

    (void)state;
    for (int i = 0; i < 50; i++)
        len +=
            (size_t)snprintf(body + len, sizeof(body) - len,
                             "%s{\"metric\":\"flops_any\",\"host\":\"h%02d\",\"type-ids\":[\"0\","
                             "\"1\",\"2\",\"3\"]}",
                             i ? "," : "", i);
    snprintf(body + len, sizeof(body) - len, "]}");
    struct ta_query_request rq = query_of(body);
    assert_int_equal(rq.queries.n, 50);
    assert_ptr_equal(item_at(&rq, 49)->type_ids.at, item_at(&rq, 0)->type_ids.at);
    assert_ptr_equal(item_at(&rq, 49)->metric.at, item_at(&rq, 0)->metric.at);
    assert_true(ta_str_is(item_at(&rq, 49)->host, "h49"));
    assert_true(ta_str_is(item_at(&rq, 0)->host, "h00"));
}

static void a_health_request_refuses_unknown_keys_after_its_syntax_was_good(void **state)
{
    struct ta_health_request rq = {0};
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(decode("{\"Cluster\":\"c\",\"nodes\":[\"n\"],\"metric-names\":null}", 0,
                            &ta_health_root, &rq, &arena, &ta_heap, &err),
                     TA_OK);
    assert_true(ta_str_is(rq.cluster, "c"));
    assert_int_equal(rq.nodes.n, 1);
    assert_int_equal(
        decode("{\"x\\n\":{\"a\":1}}", 0, &ta_health_root, &rq, &arena, &ta_heap, &err),
        TA_EFORMAT);
    assert_string_equal(err.text, "json: unknown field \"x\\n\"");
}

static void selectors_to_free_are_lists_in_a_list(void **state)
{
    struct ta_dec_chain c = {0};
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(
        decode("[[\"a\",\"b\"],[],null]", 0, &ta_free_root, &c, &arena, &ta_heap, &err), TA_OK);
    assert_int_equal(c.n, 3);
    assert_int_equal(((struct ta_dec_list *)(void *)c.first)->list.n, 2);
    assert_int_equal(((struct ta_dec_list *)(void *)c.first->next)->list.n, 0);
    assert_int_equal(decode("null", 0, &ta_free_root, &c, &arena, &ta_heap, &err), TA_OK);
    assert_int_equal(c.n, 0);
    assert_int_equal(decode("[[1]]", 0, &ta_free_root, &c, &arena, &ta_heap, &err), TA_EFORMAT);
    assert_string_equal(err.text, "json: cannot unmarshal number into Go value of type string");
}

static void what_passes_a_limit_is_refused(void **state)
{
    char body[9000] = "{\"for-all-nodes\":[";
    struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;
    struct ta_err err = {0};
    size_t len = strlen(body);

    (void)state;
    for (int i = 0; i < 1001; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s\"a\"", i ? "," : "");
    snprintf(body + len, sizeof(body) - len, "]}");
    assert_int_equal(decode(body, 0, &ta_query_root, &rq, &arena, &ta_heap, &err), TA_ERANGE);
    assert_string_equal(err.text, "more than 1000 entries in one list of the request");

    len = (size_t)snprintf(body, sizeof(body), "{\"queries\":[");
    for (int i = 0; i < 1001; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s{}", i ? "," : "");
    snprintf(body + len, sizeof(body) - len, "]}");
    err = (struct ta_err){0};
    assert_int_equal(decode(body, 0, &ta_query_root, &rq, &arena, &ta_heap, &err), TA_ERANGE);
    assert_string_equal(err.text, "more than 1000 entries in one list of the request");
}

static void an_arena_that_is_too_small_is_an_error(void **state)
{
    struct ta_arena small;
    struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;

    (void)state;
    ta_arena_init(&small, &ta_heap, 100);
    assert_int_equal(decode(full, 0, &ta_query_root, &rq, &small, &ta_heap, NULL), TA_ENOMEM);
    ta_arena_done(&small);
}

static void every_failing_allocation_is_an_error_without_a_leak(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_arena a;
        struct ta_query_request rq = TA_QUERY_REQUEST_DEFAULTS;
        ta_arena_init(&a, &f.alloc, 1 * MiB);
        int r = decode(full, 0, &ta_query_root, &rq, &a, &f.alloc, NULL);
        ta_arena_done(&a);
        fault_judge(&f, r);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_decoded_whatever_pieces_it_comes_in),
        TEST(absent_and_null_keys_leave_the_defaults),
        TEST(keys_match_in_any_case_and_the_last_of_equal_ones_wins),
        TEST(unknown_keys_and_what_follows_the_value_are_not_looked_at),
        TEST(null_in_a_list_of_strings_is_an_empty_string),
        TEST(errors_have_the_references_words),
        TEST(equal_lists_and_names_are_stored_once),
        TEST(a_health_request_refuses_unknown_keys_after_its_syntax_was_good),
        TEST(selectors_to_free_are_lists_in_a_list),
        TEST(what_passes_a_limit_is_refused),
        TEST(an_arena_that_is_too_small_is_an_error),
        TEST(every_failing_allocation_is_an_error_without_a_leak),
    };

    return cmocka_run_group_tests_name("query_decode", tests, NULL, NULL);
}
