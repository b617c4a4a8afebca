/* The store against a naive model: the same random samples, reads, frees and restores in both. */
#include "store/read.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"
#include "store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { HOSTS = 3, METRICS = 3, PATHS = 6, READ_MAX = 20000 };

static const char *const hosts[HOSTS] = {"n1", "n2", "n\303\274 3"};
static const struct {
    const char *type, *stype;
} paths[PATHS] = {{"", ""},        {"socket0", ""}, {"socket0", "mem0"}, {"socket0", "mem1"},
                  {"socket1", ""}, {"core10", "x"}};
static const int64_t freqs[METRICS] = {60, 1, 7};

struct world {
    uint64_t rng;
    struct ta_store *store;
    struct ta_metrics *metrics;
    struct ta_restore *restore; /* of all hosts */
    struct model_series model[HOSTS][METRICS][PATHS];
    int64_t now, retention;
    unsigned long seed;
    int op;
};

static uint64_t rnd(struct world *w, uint64_t n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng * 0x2545f4914f6cdd1dULL >> 16) % n;
}

static struct ta_column_key key_of(int metric, int path)
{
    return (struct ta_column_key){(uint32_t)metric, ta_str(paths[path].type),
                                  ta_str(paths[path].stype)};
}

#define HERE(w) "seed %lu, operation %d", (w)->seed, (w)->op
#define CHECK(w, cond)                                                                             \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            print_error(HERE(w));                                                                  \
            print_error(": %s\n", #cond);                                                          \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static double value(struct world *w)
{
    switch (rnd(w, 6)) {
    case 0:
        return 0.0;
    case 1:
        return -0.0;
    case 2:
        return (double)rnd(w, 100) / 10.0;
    case 3:
        return (double)(float)rnd(w, 1000000) / 3.0;
    case 4:
        return 1e300 * (double)rnd(w, 100);
    default:
        return (double)rnd(w, 3);
    }
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b));
}

static void op_write(struct world *w)
{
    int host = (int)rnd(w, HOSTS);
    struct ta_writer wr;
    int n = 1 + (int)rnd(w, 60);
    int metric = (int)rnd(w, METRICS), path = (int)rnd(w, PATHS);
    int64_t freq = freqs[metric];
    bool is_single = rnd(w, 2);

    w->now += (int64_t)rnd(w, 3) * freq;
    assert_int_equal(ta_writer_begin(&wr, w->store, TA_STR("c"), ta_str(hosts[host]), w->now, NULL),
                     0);

    int64_t ts = w->now;
    switch (rnd(w, 10)) {
    case 0: /* back-filling */
        ts -= (int64_t)rnd(w, (uint64_t)w->retention + 1000);
        break;
    case 1: /* a leap ahead */
        ts += (int64_t)rnd(w, 600) * freq;
        break;
    case 2:
        ts -= (int64_t)rnd(w, 40) * freq;
        break;
    default:
        break;
    }
    for (int i = 0; i < n; i++) {
        struct ta_column_key key = key_of(metric, path);
        int64_t col = ta_writer_column(&wr, &key);
        double v = value(w);

        assert_true(col >= 0);
        int r = ta_writer_append(&wr, (uint32_t)col, ts, v);
        int want = model_write(&w->model[host][metric][path], ts, v, w->now - w->retention);

        CHECK(w, r == (want < 0 ? TA_ERANGE : 0));
        if (is_single) {
            ts += freq + (rnd(w, 20) ? 0 : (int64_t)rnd(w, (uint64_t)freq + 3));
        } else {
            path = (int)rnd(w, PATHS);
            ts += rnd(w, PATHS) ? 0 : freq;
        }
        if (ts > w->now)
            w->now = ts;
    }
    ta_writer_end(&wr);
}

static void op_restore(struct world *w)
{
    static double v[1500];
    int host = (int)rnd(w, HOSTS), metric = (int)rnd(w, METRICS);
    int n_series = 1 + (int)rnd(w, 3);
    size_t n = 1 + rnd(w, rnd(w, 4) ? 100 : 1500);
    int64_t freq = freqs[metric];
    int64_t start = w->now - (int64_t)rnd(w, (uint64_t)w->retention);

    assert_int_equal(ta_restore_begin(w->restore, TA_STR("c"), ta_str(hosts[host]), NULL), 0);
    for (int k = 0; k < n_series; k++) {
        int path = (int)rnd(w, PATHS);
        struct model_series *m = &w->model[host][metric][path];
        struct ta_column_key key = key_of(metric, path);

        for (size_t i = 0; i < n; i++)
            v[i] = rnd(w, 10) ? value(w) : NAN;
        assert_int_equal(ta_restore_add(w->restore, &key, start, freq, v, n, NULL), 0);
        for (size_t at = 0; at < n; at += 512) {
            uint32_t part = (uint32_t)(n - at < 512 ? n - at : 512);
            int64_t from = start + (int64_t)at * freq;

            if (!model_has(m, from, from + part * freq)) {
                model_restore(m, from, v + at, part);
                continue;
            }
            for (uint32_t i = 0; i < part; i++)
                if (!isnan(v[at + i]))
                    (void)model_write(m, from + freq / 2 + i * freq, v[at + i], INT64_MIN);
        }
    }
    assert_int_equal(ta_restore_end(w->restore, NULL), 0);
}

static void check_sum(struct world *w, const struct ta_selection *sel,
                      struct model_series *const *series, size_t n_series, int64_t from, int64_t to)
{
    static double got[READ_MAX], want[READ_MAX], one[READ_MAX];
    struct ta_span span;
    int r = ta_read_span(w->store, sel, from, to, &span);
    int64_t grid = INT64_MAX, first = INT64_MAX, raised;
    size_t n = 0;

    CHECK(w, r == (n_series ? 0 : TA_ENOTFOUND));
    if (!n_series)
        return;
    CHECK(w, span.n_series == n_series);
    for (size_t i = 0; i < n_series; i++) {
        size_t cells = model_read(series[i], from, to, true, &raised, NULL, 0);

        first = raised < first ? raised : first;
        grid = cells && raised < grid ? raised : grid;
    }
    grid = grid == INT64_MAX ? first : grid;
    for (size_t i = 0; i < READ_MAX; i++)
        want[i] = n_series == 1 ? -0.0 : 0.0;
    for (size_t i = 0; i < n_series; i++) {
        size_t cells = model_read(series[i], grid, to, false, &raised, one, READ_MAX);

        n = cells > n ? cells : n;
        for (size_t k = 0; k < READ_MAX; k++)
            want[k] += k < cells ? one[k] : NAN;
    }
    CHECK(w, span.from_s == grid);
    CHECK(w, span.n_slots == n);
    CHECK(w, span.to_s == grid + (int64_t)n * span.freq_s);
    n = n < READ_MAX ? n : READ_MAX;
    for (size_t at = 0; at < n;) {
        size_t part = 1 + rnd(w, n);

        part = part < n - at ? part : n - at;
        CHECK(w, ta_read_sum(w->store, sel, grid + (int64_t)at * span.freq_s, got + at, part) ==
                     (int64_t)n_series);
        at += part;
    }
    for (size_t i = 0; i < n; i++) {
        if (!same(got[i], want[i]))
            print_error("cell %zu of %zu: %g, not %g\n", i, n, got[i], want[i]);
        CHECK(w, same(got[i], want[i]));
    }

    struct ta_read_stats stats;
    uint64_t count = 0;
    double min = INFINITY, max = -INFINITY;

    CHECK(w, ta_read_stats(w->store, sel, from, to, &stats) == 0);
    for (size_t i = 0; i < n_series; i++) {
        size_t cells = model_read(series[i], grid, to, false, &raised, one, READ_MAX);

        for (size_t k = 0; k < cells && k < READ_MAX; k++)
            if (!isnan(one[k])) {
                count++;
                min = one[k] < min ? one[k] : min;
                max = one[k] > max ? one[k] : max;
            }
    }
    CHECK(w, stats.n_samples == count);
    CHECK(w, !count || (stats.min == min && stats.max == max));
}

static void op_read(struct world *w)
{
    int host = (int)rnd(w, HOSTS), metric = (int)rnd(w, METRICS);
    struct model_series *all = w->model[host][metric], *series[PATHS * 2];
    int64_t freq = freqs[metric];
    int64_t from = w->now - (int64_t)rnd(w, (uint64_t)w->retention);
    int64_t to = from + (int64_t)rnd(w, 3000) * freq + (int64_t)rnd(w, (uint64_t)freq);
    struct ta_sel path[2] = {{.kind = TA_SEL_EXACT}, {.kind = TA_SEL_EXACT}};
    struct ta_str group[] = {TA_STR("socket1"), TA_STR("none"), TA_STR("socket0"),
                             TA_STR("socket1")};
    struct ta_selection sel = {.cluster = TA_STR("c"),
                               .host = ta_str(hosts[host]),
                               .path = path,
                               .metric = (uint32_t)metric};
    size_t n = 0;
    int one = (int)rnd(w, PATHS);

    switch (rnd(w, 4)) {
    case 0: /* the host: its own, else each type's own, else those below, sorted */
        if (all[0].n) {
            series[n++] = &all[0];
            break;
        }
        if (all[5].n)
            series[n++] = &all[5];
        if (all[1].n) {
            series[n++] = &all[1];
        } else {
            for (int i = 2; i <= 3; i++)
                if (all[i].n)
                    series[n++] = &all[i];
        }
        if (all[4].n)
            series[n++] = &all[4];
        break;
    case 1: /* a list of types */
        sel.n_path = 1;
        path[0] = (struct ta_sel){.kind = TA_SEL_GROUP, .names = group, .n_names = 4};
        if (all[4].n)
            series[n++] = &all[4];
        if (all[1].n) {
            series[n++] = &all[1];
        } else {
            for (int i = 2; i <= 3; i++)
                if (all[i].n)
                    series[n++] = &all[i];
        }
        if (all[4].n)
            series[n++] = &all[4];
        break;
    case 2: /* any subtype of one type */
        sel.n_path = 2;
        path[0].name = TA_STR("socket0");
        path[1].kind = TA_SEL_ANY;
        for (int i = 2; i <= 3; i++)
            if (all[i].n)
                series[n++] = &all[i];
        break;
    default:
        if (!paths[one].type[0])
            one = 4;
        sel.n_path = paths[one].stype[0] ? 2 : 1;
        path[0].name = ta_str(paths[one].type);
        path[1].name = ta_str(paths[one].stype);
        if (all[one].n)
            series[n++] = &all[one];
        else if (one == 1)
            for (int i = 2; i <= 3; i++)
                if (all[i].n)
                    series[n++] = &all[i];
        break;
    }
    check_sum(w, &sel, series, n, from, to);
}

static void op_walk(struct world *w)
{
    int host = (int)rnd(w, HOSTS), metric = (int)rnd(w, METRICS), path = (int)rnd(w, PATHS);
    const struct model_series *m = &w->model[host][metric][path];
    struct ta_column_key key = key_of(metric, path);
    int64_t after = INT64_MIN;
    double cells[512];
    size_t n = 0;

    for (;; n++) {
        struct ta_buffer_info b;

        if (!ta_walk_buffers(w->store, TA_STR("c"), ta_str(hosts[host]), &key, after, &b, 1))
            break;
        after = b.start_s;
        CHECK(w, n < m->n);
        const struct model_buffer *want = m->buffers[n];

        CHECK(w, b.start_s == want->start_s && b.freq_s == m->freq_s);
        CHECK(w, b.len == want->len && b.capacity == want->capacity);
        CHECK(w, b.is_restored == want->is_restored);

        uint32_t from = (uint32_t)rnd(w, b.len);
        int got = ta_walk_slots(w->store, TA_STR("c"), ta_str(hosts[host]), &key, b.start_s, from,
                                cells, 512);
        CHECK(w, got == (int)(b.len - from));
        for (int i = 0; i < got; i++) {
            if (!same(cells[i], want->cells[from + (uint32_t)i]))
                print_error("slot %u: %g, not %g\n", from + (uint32_t)i, cells[i],
                            want->cells[from + (uint32_t)i]);
            CHECK(w, same(cells[i], want->cells[from + (uint32_t)i]));
        }
    }
    CHECK(w, n == m->n);
}

static void op_free(struct world *w)
{
    int64_t t = w->now - (int64_t)rnd(w, (uint64_t)w->retention);
    int host = (int)rnd(w, HOSTS);
    struct ta_str path[] = {TA_STR("c"), ta_str(hosts[host]), TA_STR("socket0"), TA_STR("mem0")};
    size_t n_path = rnd(w, 5), n = 0;

    for (int h = 0; h < HOSTS; h++)
        for (int m = 0; m < METRICS; m++)
            for (int p = 0; p < PATHS; p++)
                if ((n_path < 2 || h == host) && (n_path < 3 || (p >= 1 && p <= 3)) &&
                    (n_path < 4 || p == 2))
                    n += model_free_before(&w->model[h][m][p], t);
    CHECK(w, ta_store_free_before(w->store, path, n_path, t) == n);
}

/* Series that come and go at once: their columns stay behind until the shape is given up. */
static void op_noise(struct world *w)
{
    int host = (int)rnd(w, HOSTS);
    struct ta_str path[] = {TA_STR("c"), ta_str(hosts[host]), {0}};
    char type[40];
    struct ta_writer wr;

    for (int i = 0; i < 40; i++) {
        struct ta_column_key key = {(uint32_t)rnd(w, METRICS), {0}, {0}};

        (void)snprintf(type, sizeof(type), "noise%llu", (unsigned long long)rnd(w, 1000000));
        path[2] = key.type = ta_str(type);
        assert_int_equal(ta_writer_begin(&wr, w->store, path[0], path[1], w->now, NULL), 0);
        int64_t col = ta_writer_column(&wr, &key);
        assert_true(col >= 0);
        assert_int_equal(ta_writer_append(&wr, (uint32_t)col, w->now, 1), 0);
        ta_writer_end(&wr);
        CHECK(w, ta_store_free_before(w->store, path, 3, INT64_MAX / 2) == 1);
    }
}

static void op_force_free(struct world *w)
{
    size_t n = 0;

    for (int h = 0; h < HOSTS; h++)
        for (int m = 0; m < METRICS; m++)
            for (int p = 0; p < PATHS; p++)
                if (w->model[h][m][p].n) {
                    model_drop_oldest(&w->model[h][m][p]);
                    n++;
                }
    CHECK(w, ta_store_force_free(w->store) == n);
}

static void check_counts(struct world *w)
{
    struct ta_store_counts c;
    size_t series = 0, buffers = 0, n_hosts = 0;

    for (int h = 0; h < HOSTS; h++) {
        size_t before = series;

        for (int m = 0; m < METRICS; m++)
            for (int p = 0; p < PATHS; p++) {
                series += w->model[h][m][p].n > 0;
                buffers += w->model[h][m][p].n;
            }
        n_hosts += series > before;
    }
    ta_store_counts(w->store, &c);
    CHECK(w, c.series == series && c.buffers == buffers && c.hosts == n_hosts);
}

static void run_seed(unsigned long seed, int n_ops)
{
    static const struct ta_metric defs[METRICS] = {{TA_STR("m60"), 60, TA_AGG_AVG},
                                                   {TA_STR("m1"), 1, TA_AGG_SUM},
                                                   {TA_STR("m7"), 7, TA_AGG_NONE}};
    struct world w = {.rng = 0x9e3779b97f4a7c15ULL * (seed + 1), .now = 1700000000, .seed = seed};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 2};

    w.retention = 1 + (int64_t)rnd(&w, 200000);
    conf.retention_s = w.retention;
    assert_int_equal(ta_metrics_new(&w.metrics, &ta_heap, NULL, defs, METRICS, NULL), 0);
    conf.metrics = w.metrics;
    assert_int_equal(ta_store_new(&w.store, &conf, NULL), 0);
    assert_int_equal(ta_restore_new(&w.restore, w.store, NULL), 0);
    for (int h = 0; h < HOSTS; h++)
        for (int m = 0; m < METRICS; m++)
            for (int p = 0; p < PATHS; p++)
                w.model[h][m][p].freq_s = freqs[m];
    for (w.op = 0; w.op < n_ops; w.op++) {
        uint64_t what = rnd(&w, 100);

        if (what < 60)
            op_write(&w);
        else if (what < 80)
            op_read(&w);
        else if (what < 90)
            op_walk(&w);
        else if (what < 93)
            op_restore(&w);
        else if (what < 95)
            op_free(&w);
        else if (what < 96)
            op_force_free(&w);
        else if (what < 97)
            op_noise(&w);
        else if (what < 99)
            (void)ta_store_keep(w.store, w.now, 100, (uint32_t)rnd(&w, 2000));
        else
            check_counts(&w);
    }
    for (int h = 0; h < HOSTS; h++)
        for (int m = 0; m < METRICS; m++)
            for (int p = 0; p < PATHS; p++)
                model_done(&w.model[h][m][p]);
    ta_restore_free(w.restore);
    ta_store_free(w.store);
    ta_metrics_unref(w.metrics);
}

static void random_work_gives_what_the_model_gives(void **state)
{
    const char *from = getenv("STORE_SEED"), *n = getenv("STORE_SEEDS");
    unsigned long first = from ? strtoul(from, NULL, 10) : 1;
    unsigned long count = n ? strtoul(n, NULL, 10) : 60;

    (void)state;
    for (unsigned long seed = first; seed < first + count; seed++)
        run_seed(seed, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_work_gives_what_the_model_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
