/* Writers, readers, the keeper and retention at the same time: whatever is read is what was written. */
#include "store/read.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>

enum { HOSTS = 6, COLUMNS = 20, TICKS = 3000, T0 = 1700000000, FREQ = 10 };

struct work {
    struct ta_store *store;
    _Atomic int n_writing;
    _Atomic int tick[HOSTS];
    _Atomic int n_wrong;
};

static double value_of(int host, int column, int64_t ts)
{
    return (double)((ts - T0) / FREQ * 100 + host * 1000000 + column);
}

static struct ta_str name_of(char *out, const char *prefix, int i)
{
    return (struct ta_str){out, (size_t)snprintf(out, 16, "%s%d", prefix, i)};
}

static void write_tick(struct work *w, int host, int tick)
{
    char name[16], type[16];
    int64_t ts = T0 + tick * FREQ;
    struct ta_writer wr;

    if (ta_writer_begin(&wr, w->store, TA_STR("c"), name_of(name, "h", host), ts, NULL) < 0)
        return;
    for (int column = 0; column < COLUMNS; column++) {
        struct ta_column_key key = {0, name_of(type, "t", column), {0}};
        int64_t col = ta_writer_column(&wr, &key);

        if (col < 0 || ta_writer_append(&wr, (uint32_t)col, ts, value_of(host, column, ts)) < 0)
            continue; /* at the cap, or older than what is left */
        if (tick % 7 == column % 7 && tick > 100) {
            int64_t late = ts - (int64_t)(column + 1) * 30 * FREQ;

            (void)ta_writer_append(&wr, (uint32_t)col, late, value_of(host, column, late));
        }
    }
    ta_writer_end(&wr);
    w->tick[host] = tick;
}

static void *run_writer(void *arg)
{
    struct work *w = arg;
    int first = w->n_writing++ % 2;

    for (int tick = 0; tick < TICKS; tick++)
        for (int host = first; host < HOSTS; host += 2)
            write_tick(w, host, tick);
    w->n_writing -= 100;
    return NULL;
}

static bool is_working(struct work *w)
{
    return w->n_writing > -198;
}

static void read_one(struct work *w, int host, int column)
{
    char name[16], type[16];
    struct ta_sel path = {.kind = TA_SEL_EXACT, .name = name_of(type, "t", column)};
    struct ta_selection sel = {TA_STR("c"), name_of(name, "h", host), &path, 1, 0};
    int64_t from = T0 + w->tick[host] * FREQ - 700 * FREQ;
    double cells[800];
    struct ta_span span;

    if (ta_read_span(w->store, &sel, from, from + 800 * FREQ, &span) < 0)
        return;
    size_t n = span.n_slots < 800 ? (size_t)span.n_slots : 800;
    if (ta_read_sum(w->store, &sel, span.from_s, cells, n) != 1)
        return;
    for (size_t i = 0; i < n; i++)
        if (!isnan(cells[i]) && cells[i] != value_of(host, column, span.from_s + (int64_t)i * FREQ))
            w->n_wrong++;
}

static void *run_reader(void *arg)
{
    struct work *w = arg;
    struct ta_host_name names[4];

    for (int i = 0; is_working(w); i++) {
        struct ta_read_stats stats;
        struct ta_selection sel = {TA_STR("c"), TA_STR("h1"), NULL, 0, 0};

        read_one(w, i % HOSTS, i / HOSTS % COLUMNS);
        (void)ta_walk_hosts(w->store, TA_STR("c"), NULL, names, 4);
        (void)ta_read_stats(w->store, &sel, T0, T0 + TICKS * FREQ, &stats);
    }
    return NULL;
}

static void *run_keeper(void *arg)
{
    struct work *w = arg;
    struct ta_node used = {TA_STR("c"), TA_STR("h2")};
    struct ta_host_cut cut;
    struct ta_store_counts counts;
    int shrunk = 0;

    for (int i = 0; is_working(w); i++) {
        int64_t now = T0 + w->tick[0] * FREQ;

        (void)ta_store_keep(w->store, now, 20 * FREQ, 3000);
        if (i % 8 == 0)
            (void)ta_store_retain(w->store, now - 600 * FREQ, &used, 1, NULL);
        if (w->tick[0] > shrunk + 800) {
            shrunk = w->tick[0];
            (void)ta_store_shrink(w->store, ta_store_bytes(w->store) * 3 / 4);
        }
        (void)ta_walk_cut(w->store, TA_STR("c"), TA_STR("h3"), &cut);
        ta_store_counts(w->store, &counts);
    }
    return NULL;
}

static void what_is_read_is_what_was_written_whatever_runs_beside(void **state)
{
    static const struct ta_metric def = {TA_STR("m"), FREQ, TA_AGG_SUM};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 2, .retention_s = 700 * FREQ};
    void *(*const runs[])(void *) = {run_writer, run_writer, run_reader, run_keeper};
    struct work w = {0};
    struct ta_store_counts counts;
    pthread_t threads[4];

    (void)state;
    assert_int_equal(ta_metrics_new(&conf.metrics, &ta_heap, NULL, &def, 1, NULL), 0);
    assert_int_equal(ta_store_new(&w.store, &conf, NULL), 0);
    ta_metrics_unref(conf.metrics);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &w), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(w.n_wrong, 0);
    ta_store_counts(w.store, &counts); /* that all of it really took place */
    assert_true(counts.stored_late && counts.merged_runs && counts.freed_buffers &&
                counts.freed_early_buffers);
    ta_store_free(w.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written_whatever_runs_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
