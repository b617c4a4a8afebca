/* test_ingest_predict.c - lines of known form are taken as the plain way takes them. */
#include "feed_run.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct feed_run one, other;

static const char *result_of(const char *cluster, const char *body)
{
    feed_run_open(&one, false, NULL);
    feed_run_all(&one, cluster, ta_str(body), SIZE_MAX, 1);
    feed_run_close(&one);
    return one.text;
}

static void prediction_stores_what_the_plain_way_stores(void **state)
{
    static char body[1 << 16];
    static const char *const hosts[] = {"n1", "n0002", "n3"};
    struct feed_run *runs[] = {&one, &other};

    (void)state;
    for (int turn = 0; turn < 4; turn++) {
        int order = turn & 2;
        for (int plain = 0; plain < 2; plain++) {
            struct feed_run *r = runs[plain];
            r->is_baseline = turn & 1;
            feed_run_open(r, plain, NULL);
            for (int i = 0; i < 60; i++) {
                size_t n = feed_run_batch(body, sizeof(body), hosts[i % 3], i / 3, order);
                feed_run_all(r, "fallback", (struct ta_str){body, n}, SIZE_MAX, 1);
            }
            struct ta_feed f = {0};
            feed_run_tell(r, &f);
            feed_run_close(r);
        }
        assert_string_equal(one.text, other.text);
        assert_true(strlen(one.text) > 2000);
    }
}

static void lines_of_a_known_kind_are_predicted(void **state)
{
    static char body[1 << 16];
    struct ta_feed f;

    (void)state;
    feed_run_open(&one, false, NULL);
    for (int tick = 0; tick < 3; tick++) {
        size_t n = 0;
        for (int i = 0; i < 50; i++)
            n +=
                (size_t)sprintf(body + n,
                                "cpu_user,cluster=c,hostname=h,type=hwthread,type-id=%d value=%d.5 "
                                "%d\n",
                                i, tick, NOW + 60 * tick);
        assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(""), NULL, NOW), TA_OK);
        feed_run_give(&one, &f, (struct ta_str){body, n});
        feed_run_finish(&one, &f, true);
        assert_int_equal(f.counts.stored, 50);
        /* The first time it is not known yet that the batch begins anew after its last line. */
        assert_true(tick == 0 || f.counts.predicted >= 48);
        ta_feed_done(&f);
    }
    feed_run_close(&one);
}

static void a_host_name_with_escapes_is_never_taken_for_its_bytes(void **state)
{
    static const char body[] =
        "cpu_load,hostname=a\\ b,type=node value=1 1700000040\n"
        "cpu_load,hostname=a,type=node value=1 1700000040\n"
        "cpu_load,hostname=a,type=node value=2 1700000100\n"
        "cpu_load,hostname=a\\ b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a=b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a,type=node value=3 1700000160\n"
        "# a comment of some length, so that all lines above can be read quickly, "
        "which needs about a hundred bytes behind them\n";

    (void)state;
    const char *text = result_of("c", body);
    assert_string_equal(
        text, "c/a// cpu_load [1700000010 3: 1 2 3]\n"
              "c/a b// cpu_load [1700000010 2: 1 2]\nstored 5, syntax 2\n"
              "at line 5:22: expected '=' after field key 'b' (lines refused: 2, stored: 5)");
}

static void a_new_table_of_metrics_is_noticed(void **state)
{
    static const char body[] = "later,cluster=c,hostname=h,type=node value=1 1700000040\n"
                               "later,cluster=c,hostname=h,type=node value=1 1700000040\n"
                               "# a comment of some length, so that the lines above can be read "
                               "quickly, which needs about a "
                               "hundred bytes behind them\n";
    struct ta_metric def = {TA_STR("later"), 60, TA_AGG_SUM};
    struct ta_metrics *base, *more;

    (void)state;
    feed_run_open(&one, false, NULL);
    feed_run_all(&one, "", TA_STR(body), SIZE_MAX, 1);
    assert_string_equal(one.text, "stored 0, unknown_metric 2\ngood");
    base = ta_store_metrics(one.store);
    assert_int_equal(ta_metrics_new(&more, &ta_heap, base, &def, 1, NULL), TA_OK);
    assert_int_equal(ta_store_set_metrics(one.store, more, NULL), TA_OK);
    ta_metrics_unref(base);
    ta_metrics_unref(more);
    feed_run_all(&one, "", TA_STR(body), SIZE_MAX, 1);
    assert_string_equal(one.text, "c/h// later [1700000010 1: 1]\nstored 2\ngood");
    feed_run_close(&one);
}

static void more_kinds_of_lines_than_are_remembered_are_stored_all_the_same(void **state)
{
    static char body[1 << 20];
    struct ta_feed f;
    uint64_t stored = 0;

    (void)state;
    feed_run_open(&one, false, NULL);
    for (int round = 0; round < 20; round++) {
        size_t n = 0;
        for (int i = 0; i < 2000; i++)
            n += (size_t)sprintf(body + n,
                                 "cpu_load,cluster=c%d,hostname=h%d,tag=%d value=1 1700000040\n",
                                 round % 2 ? i % 100 : 0, i / 500, round * 2000 + i);
        assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(""), NULL, NOW), TA_OK);
        assert_int_equal(feed_run_give(&one, &f, (struct ta_str){body, n}), TA_OK);
        feed_run_finish(&one, &f, true);
        stored += f.counts.stored;
        ta_feed_done(&f);
    }
    feed_run_close(&one);
    assert_int_equal(stored, 40000);
}

struct worker {
    pthread_t thread;
    struct ta_store *store;
    int number;
    uint64_t stored;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct ta_ingest_conf conf = {.store = w->store, .alloc = &ta_heap, .max_future_s = 3600};
    struct ta_ingest *in;
    char body[8192], host[16];

    if (ta_ingest_new(&in, &conf, NULL) < 0)
        return NULL;
    for (int i = 0; i < 200; i++) {
        struct ta_feed f;
        size_t used;
        snprintf(host, sizeof(host), "h%d", (w->number + i) % 5);
        size_t n = feed_run_batch(body, sizeof(body), host, i / 5 % 40, 0);
        (void)ta_feed_init(&f, &ta_heap, TA_STR("c"), NULL, NOW);
        (void)ta_ingest_feed(in, &f, (struct ta_str){body, n}, NOW, &used, NULL);
        (void)ta_ingest_end(in, &f, true, NOW, NULL);
        w->stored += f.counts.stored;
        ta_feed_done(&f);
    }
    ta_ingest_free(in);
    return NULL;
}

static void threads_with_an_ingest_each_share_a_store(void **state)
{
    struct worker workers[4];
    struct ta_store_counts counts;

    (void)state;
    feed_run_open(&one, false, NULL);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.store = one.store, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].stored, 200 * 8);
    }
    ta_store_counts(one.store, &counts);
    assert_int_equal(counts.stored, 4 * 200 * 8);
    assert_int_equal(counts.hosts, 10);
    feed_run_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prediction_stores_what_the_plain_way_stores),
        cmocka_unit_test(lines_of_a_known_kind_are_predicted),
        cmocka_unit_test(a_host_name_with_escapes_is_never_taken_for_its_bytes),
        cmocka_unit_test(a_new_table_of_metrics_is_noticed),
        cmocka_unit_test(more_kinds_of_lines_than_are_remembered_are_stored_all_the_same),
        cmocka_unit_test(threads_with_an_ingest_each_share_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
