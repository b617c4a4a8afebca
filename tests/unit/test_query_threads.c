/* Queries while samples come and go: every answer is whole and holds only what was ever stored. */
#include "ask.h"
#include "feed.h"
#include "store/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

enum { T0 = 1700000000, TICKS = 1500, HOSTS = 3, THREADS = 8, QUERIES = 60 };

struct shared {
    struct ta_store *store;
    _Atomic int is_over;
};

static void write_tick(struct ta_store *s, int host, int tick)
{
    char name[16];
    struct ta_writer w;

    snprintf(name, sizeof(name), "h%d", host);
    assert_int_equal(ta_writer_begin(&w, s, TA_STR("c"), ta_str(name), T0 + 60 * tick, NULL),
                     TA_OK);
    for (int t = 0; t < THREADS; t++) {
        char type[16];
        snprintf(type, sizeof(type), "hwthread%d", t);
        struct ta_column_key key = {0, ta_str(type), TA_STR("")};
        int64_t col = ta_writer_column(&w, &key);
        assert_true(col >= 0);
        assert_int_equal(ta_writer_append(&w, (uint32_t)col, T0 + 60 * tick, 1), TA_OK);
    }
    ta_writer_end(&w);
}

static void *writer(void *arg)
{
    struct shared *sh = arg;

    for (int tick = 0; tick < TICKS; tick++) {
        for (int h = 0; h < HOSTS; h++)
            write_tick(sh->store, h, tick);
        if (tick % 64 == 0)
            while (ta_store_keep(sh->store, T0 + 60 * tick, T0, 1000) > 0)
                continue;
        if (tick % 700 == 699)
            ta_store_free_before(sh->store, NULL, 0, T0 + 60 * (tick - 600));
    }
    sh->is_over = 1;
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
    pthread_t w, r[2];
    void *n_bad = NULL;

    (void)state;
    assert_non_null(sh.store);
    write_tick(sh.store, 0, 0);
    assert_int_equal(pthread_create(&w, NULL, writer, &sh), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&r[i], NULL, reader, &sh), 0);
    assert_int_equal(pthread_join(w, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(r[i], &n_bad), 0);
        assert_int_equal((intptr_t)n_bad, 0);
    }
    ta_store_free(sh.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_whole_while_samples_come_and_go),
    };

    return cmocka_run_group_tests_name("query_threads", tests, NULL, NULL);
}
