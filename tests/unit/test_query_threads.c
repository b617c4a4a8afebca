/* Queries while lines come in and samples go by retention and by request: every answer is whole
 * and holds only what was ever stored. */
#include "ask.h"
#include "feed.h"
#include "ingest/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

enum { T0 = 1700000000, TICKS = 1500, HOSTS = 3, THREADS = 8, QUERIES = 60 };

struct shared {
    struct ta_store *store;
    _Atomic int tick, kept; /* written to the end; seen by the keeper */
    _Atomic int is_over;
};

/* A tick of a host as the collector sends it. */
static void write_tick(struct ta_ingest *in, int host, int tick)
{
    struct ta_feed f;
    char text[THREADS * 80];
    size_t n = 0, used;
    int64_t now = T0 + 60 * tick;

    for (int t = 0; t < THREADS; t++)
        n +=
            (size_t)snprintf(text + n, sizeof(text) - n,
                             "flops,cluster=c,hostname=h%d,type=hwthread,type-id=%d value=1 %lld\n",
                             host, t, (long long)now);
    assert_int_equal(ta_feed_init(&f, &ta_heap, TA_STR(""), NULL, now), TA_OK);
    assert_int_equal(ta_ingest_feed(in, &f, (struct ta_str){text, n}, now, &used, NULL), TA_OK);
    assert_int_equal(ta_ingest_end(in, &f, true, now, NULL), TA_OK);
    assert_int_equal(f.counts.stored, THREADS);
    ta_feed_done(&f);
}

static struct ta_ingest *new_ingest(struct ta_store *store)
{
    struct ta_ingest_conf conf = {.store = store, .alloc = &ta_heap, .max_future_s = -1};
    struct ta_ingest *in = NULL;

    assert_int_equal(ta_ingest_new(&in, &conf, NULL), TA_OK);
    return in;
}

static void *writer(void *arg)
{
    struct shared *sh = arg;
    struct ta_ingest *in = new_ingest(sh->store);

    for (int tick = 0; tick < TICKS; tick++) {
        for (int h = 0; h < HOSTS; h++)
            write_tick(in, h, tick);
        sh->tick = tick;
        while (sh->kept < tick - 100)
            sched_yield();
    }
    ta_ingest_free(in);
    sh->is_over = 1;
    return NULL;
}

/* Compresses, retires what is old but for one host in use, and frees that one's on request. */
static void *keeper(void *arg)
{
    static const struct ta_str in_use[] = {TA_STR("c"), TA_STR("h2")};
    struct shared *sh = arg;
    struct ta_node used = {in_use[0], in_use[1]};

    while (!sh->is_over) {
        int tick = sh->tick;
        int64_t now = T0 + 60 * tick;
        (void)ta_store_keep(sh->store, now, T0, 1000);
        assert_true(ta_store_retain(sh->store, now - 60 * 600, &used, 1, NULL) >= 0);
        ta_store_free_before(sh->store, in_use, 2, now - 60 * 700);
        sh->kept = tick;
    }
    return NULL;
}

/* The values are 1 each, so the sum is 8 wherever it is not null. */
static int is_whole(const char *answer)
{
    const char *at = strstr(answer, "\"data\":[");

    if (strncmp(answer, "{\"queries\":[", 12) != 0 && strncmp(answer, "{\"results\":[", 12) != 0)
        return 0;
    for (; at && *at != ']'; at = strpbrk(at + 1, ",]"))
        if (strncmp(at + 1, "null", 4) != 0 && strncmp(at + 1, "8.000", 5) != 0 && *at != '"')
            return 0;
    return strcmp(answer + strlen(answer) - 3, "]}\n") == 0;
}

static void *reader(void *arg)
{
    static const char *const bodies[] = {
        "{\"cluster\":\"c\",\"for-all-nodes\":[\"flops\"],\"from\":1700000000,\"to\":1700100000}",
        ("{\"cluster\":\"c\",\"queries\":[{\"metric\":\"flops\",\"host\":\"h1\",\"aggreg\":true,"
         "\"type\":\"hwthread\",\"type-ids\":[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"],"
         "\"resolution\":600}],\"from\":1700000000,\"to\":1700100000}"),
        ("{\"cluster\":\"c\",\"with-data\":false,\"queries\":[{\"metric\":\"flops\",\"host\":"
         "\"h2\","
         "\"type\":\"hwthread\",\"type-ids\":[\"3\"]}],\"from\":1700000000,\"to\":1700100000}")};
    struct shared *sh = arg;
    intptr_t n_bad = 0;

    for (int i = 0; i < QUERIES || !sh->is_over; i++)
        n_bad += !is_whole(ask(sh->store, bodies[i % 3], 300 + 50 * (size_t)(i % 40)));
    ask_done();
    return (void *)n_bad;
}

static void answers_are_whole_while_samples_come_and_go(void **state)
{
    struct shared sh = {.store = feed_store(&ta_heap, "flops 60 sum")};
    struct ta_store_counts counts;
    struct ta_ingest *in;
    pthread_t w, k, r[2];
    void *n_bad = NULL;

    (void)state;
    assert_non_null(sh.store);
    in = new_ingest(sh.store);
    write_tick(in, 0, 0);
    ta_ingest_free(in);
    assert_int_equal(pthread_create(&w, NULL, writer, &sh), 0);
    assert_int_equal(pthread_create(&k, NULL, keeper, &sh), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&r[i], NULL, reader, &sh), 0);
    assert_int_equal(pthread_join(w, NULL), 0);
    assert_int_equal(pthread_join(k, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(r[i], &n_bad), 0);
        assert_int_equal((intptr_t)n_bad, 0);
    }
    ta_store_counts(sh.store, &counts);
    assert_true(counts.freed_buffers > 0); /* samples went meanwhile */
    ta_store_free(sh.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_whole_while_samples_come_and_go),
    };

    return cmocka_run_group_tests_name("query_threads", tests, NULL, NULL);
}
