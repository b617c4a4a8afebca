/* Every allocation of the store fails in turn: what was accepted is there, what was refused is not. */
#include "fault.h"
#include "store/read.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"
#include "store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { HOSTS = 2, COLUMNS = 9 };

static const char *const hosts[HOSTS] = {"n1", "n2"};
static const int64_t now_s = 1700000000;

struct world {
    struct ta_store *store;
    struct model_series model[HOSTS][COLUMNS];
};

static struct ta_column_key key_of(int column)
{
    static const char *const types[3] = {"", "socket0", "core11"};

    return (struct ta_column_key){(uint32_t)(column / 3), ta_str(types[column % 3]),
                                  column == 4 ? TA_STR("sub") : (struct ta_str){0}};
}

static int write_one(struct world *w, int host, int column, int64_t ts, double v)
{
    struct ta_column_key key = key_of(column);
    struct ta_writer wr;
    int64_t col;
    int r = ta_writer_begin(&wr, w->store, TA_STR("c"), ta_str(hosts[host]), now_s, NULL);

    if (r < 0)
        return r;
    col = ta_writer_column(&wr, &key);
    r = col < 0 ? (int)col : ta_writer_append(&wr, (uint32_t)col, ts, v);
    ta_writer_end(&wr);
    if (r == TA_OK)
        (void)model_write(&w->model[host][column], ts, v, INT64_MIN);
    return r;
}

/* All columns of a host at one time, as a node sends them. */
static int write_tick(struct world *w, int host, int64_t ts)
{
    int r = TA_OK;

    for (int column = 0; column < COLUMNS; column++) {
        int one = write_one(w, host, column, ts, (double)(ts % 1000) / 8 + column);

        r = one < 0 ? one : r;
    }
    return r;
}

static int write_all(struct world *w)
{
    int r = TA_OK, one;

    for (int i = 0; i < 90; i++)
        for (int host = 0; host < HOSTS; host++) {
            one = write_tick(w, host, now_s + i * 10 + host);
            r = one < 0 ? one : r;
        }
    /* A new generation, then late samples into sealed slots and before everything. */
    one = write_tick(w, 0, now_s + 600 * 10);
    r = one < 0 ? one : r;
    for (int i = 0; i < 6; i++) {
        one = write_one(w, 0, i, now_s + 170, -i);
        r = one < 0 ? one : r;
        one = write_one(w, 0, i, now_s - 2000 - 700 * i, 0.5);
        r = one < 0 ? one : r;
    }
    return r;
}

static int restore_all(struct world *w)
{
    static double v[700];
    struct ta_restore *re;
    int r = ta_restore_new(&re, w->store, NULL);

    if (r < 0)
        return r;
    for (int i = 0; i < 700; i++)
        v[i] = i % 5 ? i / 10.0 : NAN;
    r = ta_restore_begin(re, TA_STR("c"), TA_STR("n3"), NULL);
    for (int column = 0; column < COLUMNS; column++) {
        struct ta_column_key key = key_of(column);
        int one = ta_restore_add(re, &key, now_s - 20000, 10, v, 700, NULL);

        r = one < 0 ? one : r;
    }
    int one = ta_restore_end(re, NULL);
    ta_restore_free(re);
    return one < 0 ? one : r;
}

static void check_series(struct world *w, int host, int column)
{
    const struct model_series *m = &w->model[host][column];
    struct ta_column_key key = key_of(column);
    struct ta_buffer_info b[8];
    double cells[512];
    size_t n = ta_walk_buffers(w->store, TA_STR("c"), ta_str(hosts[host]), &key, INT64_MIN, b, 8);

    assert_int_equal(n, m->n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(b[i].start_s, m->buffers[i]->start_s);
        assert_int_equal(b[i].len, m->buffers[i]->len);
        assert_int_equal(ta_walk_slots(w->store, TA_STR("c"), ta_str(hosts[host]), &key,
                                       b[i].start_s, 0, cells, 512),
                         b[i].len);
        for (uint32_t k = 0; k < b[i].len; k++)
            assert_true(cells[k] == m->buffers[i]->cells[k] ||
                        (isnan(cells[k]) && isnan(m->buffers[i]->cells[k])));
    }
}

static int dump_all(struct world *w, struct ta_alloc *a)
{
    struct ta_dump *d;
    struct ta_buf text;
    int r = ta_dump_new(&d, w->store, a, NULL, 0, NULL);

    if (r < 0)
        return r;
    ta_buf_init(&text, a, 1024 * KiB);
    do {
        ta_buf_reset(&text);
        r = ta_dump_fill(d, &text, 1000);
    } while (r > 0);
    ta_buf_done(&text);
    ta_dump_free(d);
    return r;
}

static int work(struct ta_alloc *a)
{
    static const struct ta_metric defs[] = {{TA_STR("a"), 10, TA_AGG_SUM},
                                            {TA_STR("b"), 10, TA_AGG_SUM},
                                            {TA_STR("c"), 20, TA_AGG_AVG}};
    struct world w = {0};
    struct ta_metrics *metrics;
    struct ta_store_conf conf = {.alloc = a, .n_shards = 1, .retention_s = 100000};
    int r = ta_metrics_new(&metrics, a, NULL, defs, 3, NULL), one;

    if (r < 0)
        return r;
    conf.metrics = metrics;
    r = ta_store_new(&w.store, &conf, NULL);
    ta_metrics_unref(metrics);
    if (r < 0)
        return r;
    for (int host = 0; host < HOSTS; host++)
        for (int column = 0; column < COLUMNS; column++)
            w.model[host][column].freq_s = column < 6 ? 10 : 20;

    r = write_all(&w);
    (void)ta_store_keep(w.store, now_s + 100000, 100,
                        1000000); /* does without what it cannot get */
    one = restore_all(&w);
    r = one < 0 ? one : r;
    one = dump_all(&w, a);
    r = one < 0 ? one : r;
    for (int host = 0; host < HOSTS; host++)
        for (int column = 0; column < COLUMNS; column++)
            check_series(&w, host, column);
    one = (int)ta_store_retain(w.store, now_s - 5000, &(struct ta_node){TA_STR("c"), TA_STR("n2")},
                               1, NULL);
    r = one < 0 ? one : r;
    for (int host = 0; host < HOSTS; host++)
        for (int column = 0; column < COLUMNS; column++)
            model_done(&w.model[host][column]);
    ta_store_free(w.store);
    return r;
}

static void every_refused_allocation_costs_no_accepted_sample(void **state)
{
    (void)state;
    for (struct fault f = {.may_succeed = true}; fault_next(&f);)
        fault_judge(&f, work(&f.alloc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_allocation_costs_no_accepted_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
