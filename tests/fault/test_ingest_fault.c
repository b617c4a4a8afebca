/* Every allocation of ingest and of the store under it refused in turn; and none in the steady state. */
#include "fault.h"
#include "ingest/ingest.h"
#include "store_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1700010000 };

static const char body[] =
    "cpu_load,cluster=c,hostname=a,type=node value=1 1700000040\n"
    "cpu_user,cluster=c,hostname=a,type=hwthread,type-id=0 value=2 1700000040\n"
    "cpu_user,cluster=c,hostname=b,type=hwthread,type-id=0 value=3 1700000040\n"
    "cpu_load,cluster=c,hostname=e\\ f value=4 1700000040\n"
    "cpu_user,cluster=c,hostname=a,type=hwthread,type-id=1 value=5 1700000040\n";

/* The body in two pieces, cut in a line. All stored, or an error. */
static int feed_all(struct ta_ingest *in, struct ta_alloc *alloc)
{
    struct ta_feed f;
    size_t used;

    int r = ta_feed_init(&f, alloc, (struct ta_str){0}, NULL, NOW);
    if (r == TA_OK)
        r = ta_ingest_feed(in, &f, (struct ta_str){body, 100}, NOW, &used, NULL);
    if (r == TA_OK)
        r = ta_ingest_feed(in, &f, (struct ta_str){body + 100, sizeof(body) - 101}, NOW, &used,
                           NULL);
    if (r == TA_OK)
        r = ta_ingest_end(in, &f, true, NOW, NULL);
    if (r == TA_OK) {
        assert_int_equal(f.counts.stored, 5);
        assert_int_equal(ta_feed_verdict(&f, NULL), TA_OK);
    } else {
        assert_true(r == TA_ENOMEM);
        assert_true(f.counts.stored < 5);
    }
    ta_feed_done(&f);
    return r;
}

static void refused_memory_of_ingest_fails_the_feed_or_costs_prediction_only(void **state)
{
    (void)state;
    struct ta_store *store = store_text_new(&ta_heap, 0);
    for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
        struct ta_ingest_conf conf = {.store = store, .alloc = &f.alloc, .max_future_s = -1};
        struct ta_ingest *in = NULL;
        int r = ta_ingest_new(&in, &conf, NULL);
        if (r == TA_OK)
            r = feed_all(in, &f.alloc);
        ta_ingest_free(in);
        fault_judge(&f, r);
    }
    ta_store_free(store);
}

static void refused_memory_of_the_store_fails_the_feed(void **state)
{
    (void)state;
    for (struct fault f = {.may_succeed = true}; fault_next(&f);) {
        struct ta_store *store = store_text_new(&f.alloc, 0);
        struct ta_ingest_conf conf = {.store = store, .alloc = &ta_heap, .max_future_s = -1};
        struct ta_ingest *in = NULL;
        int r = store ? ta_ingest_new(&in, &conf, NULL) : TA_ENOMEM;
        if (r == TA_OK)
            r = feed_all(in, &ta_heap);
        ta_ingest_free(in);
        ta_store_free(store);
        fault_judge(&f, r);
    }
}

static void known_lines_take_no_memory(void **state)
{
    struct fault f = {0};
    struct ta_store *store = store_text_new(&ta_heap, 0);
    struct ta_ingest *in;
    char text[4096];
    size_t n = 0, calls = 0;

    (void)state;
    fault_count_only(&f);
    struct ta_ingest_conf conf = {.store = store, .alloc = &f.alloc, .max_future_s = -1};
    assert_int_equal(ta_ingest_new(&in, &conf, NULL), TA_OK);
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(text + n,
                             "cpu_user,cluster=c,hostname=a,type=hwthread,type-id=%d value=1 "
                             "1700000040\n",
                             i);
    for (int round = 0; round < 3; round++) {
        struct ta_feed feed;
        size_t used;
        calls = f.calls;
        assert_int_equal(ta_feed_init(&feed, &f.alloc, (struct ta_str){0}, NULL, NOW), TA_OK);
        assert_int_equal(ta_ingest_feed(in, &feed, (struct ta_str){text, n}, NOW, &used, NULL),
                         TA_OK);
        assert_int_equal(ta_ingest_end(in, &feed, true, NOW, NULL), TA_OK);
        assert_int_equal(feed.counts.stored, 40);
        ta_feed_done(&feed);
    }
    assert_int_equal(f.calls, calls);
    ta_ingest_free(in);
    ta_store_free(store);
    assert_int_equal(f.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_memory_of_ingest_fails_the_feed_or_costs_prediction_only),
        cmocka_unit_test(refused_memory_of_the_store_fails_the_feed),
        cmocka_unit_test(known_lines_take_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
