/* fuzz_store.c - bytes as a program of writes, restores, frees and upkeep: the store stays equal to the naive
 * model, buffer by buffer and slot by slot.
 *
 * Each operation is 6 bytes: what, which series, a signed step of time (2 bytes), a value, a count.
 */
#include "store/read.h"
#include "store/walk.h"
#include "store_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERIES = 4, OP_BYTES = 6, RETENTION = 100000 };

static const struct ta_column_key keys[SERIES] = {
    {0, {0}, {0}},
    {0, {"core0", 5}, {0}},
    {1, {"core0", 5}, {"x", 1}},
    {1, {"core1", 5}, {0}},
};

struct world {
    struct ta_store *store;
    struct model_series model[SERIES];
    int64_t now;
};

static void check(bool good)
{
    if (!good)
        abort();
}

static void write_some(struct world *w, unsigned series, int64_t ts, double v, unsigned n)
{
    struct ta_writer wr;

    check(ta_writer_begin(&wr, w->store, TA_STR("c"), TA_STR("h"), w->now, NULL) == 0);
    int64_t col = ta_writer_column(&wr, &keys[series]);
    check(col >= 0);
    for (unsigned i = 0; i <= n; i++, ts += w->model[series].freq_s) {
        int r = ta_writer_append(&wr, (uint32_t)col, ts, v + i);

        check(r ==
              (model_write(&w->model[series], ts, v + i, w->now - RETENTION) < 0 ? TA_ERANGE : 0));
    }
    ta_writer_end(&wr);
}

static void restore_some(struct world *w, unsigned series, int64_t start, double v, unsigned n)
{
    struct model_series *m = &w->model[series];
    double values[256];
    struct ta_restore *r;

    for (unsigned i = 0; i <= n; i++)
        values[i] = i % 5 == 3 ? NAN : v + i;
    check(ta_restore_new(&r, w->store, NULL) == 0);
    check(ta_restore_begin(r, TA_STR("c"), TA_STR("h"), NULL) == 0);
    check(ta_restore_add(r, &keys[series], start, m->freq_s, values, n + 1, NULL) == 0);
    check(ta_restore_end(r, NULL) == 0);
    ta_restore_free(r);
    if (!model_has(m, start, start + (n + 1) * m->freq_s)) {
        model_restore(m, start, values, n + 1);
        return;
    }
    for (unsigned i = 0; i <= n; i++)
        if (!isnan(values[i]))
            (void)model_write(m, start + m->freq_s / 2 + i * m->freq_s, values[i], INT64_MIN);
}

static void compare(struct world *w, unsigned series)
{
    const struct model_series *m = &w->model[series];
    struct ta_buffer_info b;
    double cells[MODEL_SLOTS];
    int64_t after = INT64_MIN;
    size_t n = 0;

    for (; ta_walk_buffers(w->store, TA_STR("c"), TA_STR("h"), &keys[series], after, &b, 1); n++) {
        after = b.start_s;
        check(n < m->n && b.start_s == m->buffers[n]->start_s && b.len == m->buffers[n]->len &&
              b.capacity == m->buffers[n]->capacity);
        check(ta_walk_slots(w->store, TA_STR("c"), TA_STR("h"), &keys[series], after, 0, cells,
                            MODEL_SLOTS) == (int)b.len);
        for (uint32_t i = 0; i < b.len; i++)
            check(cells[i] == m->buffers[n]->cells[i] ||
                  (isnan(cells[i]) && isnan(m->buffers[n]->cells[i])));
    }
    check(n == m->n);
}

static void run(struct world *w, const uint8_t *op)
{
    unsigned series = op[1] % SERIES;
    int64_t ts = w->now + (int16_t)(op[2] | op[3] << 8) * (1 + op[0] / 64);
    double v = op[4] / 10.0;
    uint64_t n = 0;

    switch (op[0] % 8) {
    case 0:
        restore_some(w, series, ts, v, op[5]);
        break;
    case 1:
        for (unsigned i = 0; i < SERIES; i++)
            n += model_free_before(&w->model[i], ts);
        check(ta_store_free_before(w->store, NULL, 0, ts) == n);
        break;
    case 2:
        (void)ta_store_keep(w->store, w->now, op[5], op[4]);
        break;
    case 3:
        w->now += op[5];
        compare(w, series);
        break;
    default:
        write_some(w, series, ts, v, op[5]);
        w->now = ts > w->now ? ts : w->now;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ta_metric defs[] = {{TA_STR("a"), 10, TA_AGG_SUM},
                                            {TA_STR("b"), 3, TA_AGG_AVG}};
    struct world w = {.now = 1700000000};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 1, .retention_s = RETENTION};

    check(ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, 2, NULL) == 0);
    check(ta_store_new(&w.store, &conf, NULL) == 0);
    ta_metrics_unref(conf.metrics);
    for (unsigned i = 0; i < SERIES; i++)
        w.model[i].freq_s = defs[keys[i].metric].freq_s;
    for (; size >= OP_BYTES; data += OP_BYTES, size -= OP_BYTES)
        run(&w, data);
    for (unsigned i = 0; i < SERIES; i++) {
        compare(&w, i);
        model_done(&w.model[i]);
    }
    ta_store_free(w.store);
    return 0;
}
