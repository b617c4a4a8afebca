#include "app/keeper.h"
#include "store/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int64_t T = 1700000040;

struct bench {
    struct ta_clock_manual clock;
    struct ta_metrics *metrics;
    struct ta_store *store;
    struct ta_keeper keeper;
    struct ta_log log;
    char text[4096];
};

static void keep_line(struct ta_log *self, enum ta_log_level level, const char *text)
{
    struct bench *b = TA_CONTAINER(self, struct bench, log);
    size_t n = strlen(b->text);

    (void)level;
    snprintf(b->text + n, sizeof(b->text) - n, "%s\n", text);
}

static int set_up(void **state)
{
    static struct bench b;
    const struct ta_metric metric = {TA_STR("load"), 60, TA_AGG_NONE};
    struct ta_store_conf conf = {.alloc = &ta_heap};

    memset(&b, 0, sizeof(b));
    b.log.emit = keep_line;
    ta_clock_manual_init(&b.clock, T);
    if (ta_metrics_new(&b.metrics, &ta_heap, NULL, &metric, 1, NULL) < 0)
        return -1;
    conf.metrics = b.metrics;
    if (ta_store_new(&b.store, &conf, NULL) < 0)
        return -1;
    b.keeper = (struct ta_keeper){
        .store = b.store, .clock = &b.clock.clock, .log = &b.log, .retention_s = 3600};
    b.keeper.retained_mono_ns = b.keeper.reported_mono_ns = ta_mono_ns(&b.clock.clock);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    ta_store_free(b->store);
    ta_metrics_unref(b->metrics);
    return 0;
}

static void fill(struct bench *b, const char *host, int n)
{
    const struct ta_column_key key = {0};
    struct ta_writer w;

    for (int i = 0; i < n; i++) {
        assert_int_equal(ta_writer_begin(&w, b->store, TA_STR("c"), ta_str(host), T, NULL), 0);
        int64_t column = ta_writer_column(&w, &key);
        assert_int_equal(ta_writer_append(&w, (uint32_t)column, T + i * 60, i), 0);
        ta_writer_end(&w);
    }
}

static uint64_t buffers(struct bench *b)
{
    struct ta_store_counts n;

    ta_store_counts(b->store, &n);
    return n.buffers;
}

static void pass(struct bench *b, int64_t seconds)
{
    ta_clock_manual_advance(&b->clock, seconds * 1000000000);
    while (ta_keeper_turn(&b->keeper))
        continue;
}

static void buffers_go_when_all_of_them_is_older_than_the_retention(void **state)
{
    struct bench *b = *state;

    fill(b, "h", 1024); /* two buffers of 512 minutes */
    assert_int_equal(buffers(b), 2);
    pass(b, 512 * 60 + 3600 - 60);
    assert_int_equal(buffers(b), 2);
    pass(b, 180);
    assert_int_equal(buffers(b), 1);
    pass(b, 512 * 60 + 120);
    assert_int_equal(buffers(b), 0);
    assert_non_null(strstr(b->text, "1 buffers freed"));
}

static void nothing_goes_by_age_before_a_file_has_it(void **state)
{
    struct bench *b = *state;
    struct ta_safe safe = {.clock = &b->clock.clock,
                           .state = {.saved_before_s = INT64_MIN, .saved_mono_ns = 1}};

    pthread_mutex_init(&safe.lock, NULL);
    pthread_cond_init(&safe.wake, NULL);
    b->keeper.safe = &safe;
    fill(b, "h", 512);
    ta_clock_manual_step(&b->clock, 86400 * INT64_C(1000000000)); /* only the clock on the wall */
    pass(b, 120);
    assert_int_equal(buffers(b), 1);
    assert_true(safe.is_due); /* a checkpoint was asked for */
    safe.state.saved_before_s = T + 600 * 60;
    pass(b, 120);
    assert_int_equal(buffers(b), 0);
    /* No checkpoint succeeds any more: memory has its limit all the same. */
    fill(b, "h", 512);
    safe.state.saved_before_s = T - 60;
    pass(b, 120);
    assert_int_equal(buffers(b), 1);
    pass(b, 3600);
    assert_int_equal(buffers(b), 0);
    pthread_cond_destroy(&safe.wake);
    pthread_mutex_destroy(&safe.lock);
}

static void without_a_retention_nothing_goes_by_age(void **state)
{
    struct bench *b = *state;

    b->keeper.retention_s = 0;
    fill(b, "h", 1024);
    pass(b, INT64_C(10) * 365 * 86400);
    assert_int_equal(buffers(b), 2);
}

static void retention_runs_at_least_once_a_minute(void **state)
{
    struct bench *b = *state;

    fill(b, "h", 1);
    b->keeper.retention_s = 86400;
    pass(b, 86400 + 120);
    assert_int_equal(buffers(b), 0);
}

static void the_memory_is_reported_every_five_minutes(void **state)
{
    struct bench *b = *state;

    fill(b, "h", 10);
    pass(b, 299);
    assert_null(strstr(b->text, "memory usage"));
    pass(b, 2);
    assert_non_null(strstr(b->text, "memory usage: 0.0"));
}

static void the_thread_starts_and_stops_at_once(void **state)
{
    struct bench *b = *state;
    struct ta_keeper k = {0};

    ta_keeper_stop(&k); /* never ran */
    assert_int_equal(ta_keeper_start(&k, b->store, NULL, NULL, 3600, &ta_clock_system, NULL, NULL),
                     TA_OK);
    fill(b, "h", 100);
    ta_keeper_stop(&k);
    ta_keeper_stop(&k);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(buffers_go_when_all_of_them_is_older_than_the_retention),
        TEST(nothing_goes_by_age_before_a_file_has_it),
        TEST(without_a_retention_nothing_goes_by_age),
        TEST(retention_runs_at_least_once_a_minute),
        TEST(the_memory_is_reported_every_five_minutes),
        TEST(the_thread_starts_and_stops_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
