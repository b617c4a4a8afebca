/* bench_store - what samples cost in the store: time to append, seal, merge and read; memory.
 *
 * Method: CPU time of the process, best of 3 passes, one thread. The fleet: 64 hosts of 580 series of the kinds
 * that nodes send (tests/support/columns.h), one sample a minute, host after host, as nodes post. "append" is
 * the writing of 8 ticks into open rows (nothing is sealed); "with sealing" of a generation of 512 ticks; "with
 * merging" adds the keeper's work for them; all in the second generation. Memory is counted by the store and, beside it, as the growth of the process's
 * resident set. Reading: one node metric over a day of 64 hardware threads at 10 s, sealed; the same
 * from open rows; statistics of one series over a day against fetching it.
 */
#include "columns.h"
#include "store/read.h"
#include "store/store.h"
#include "store/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PASSES = 3, HOSTS = 64, COLUMNS = 580, TICKS = 512, T0 = 1700000000, THREADS = 64 };

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double rss_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2)
        abort();
    (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static struct ta_store *new_store(int64_t freq_s)
{
    struct ta_metric def = {TA_STR("m"), freq_s, TA_AGG_SUM};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 8};
    struct ta_metrics *metrics;
    struct ta_store *s;

    if (ta_metrics_new(&metrics, &ta_heap, NULL, &def, 1, NULL) < 0)
        abort();
    conf.metrics = metrics;
    if (ta_store_new(&s, &conf, NULL) < 0)
        abort();
    ta_metrics_unref(metrics);
    return s;
}

/* values[tick][column]: the fleet's mix; the same for every host, which no codec can notice. */
static double *fleet_values(int ticks)
{
    double *v = malloc((size_t)ticks * COLUMNS * sizeof(*v));
    unsigned kind = 0, left = 0;

    if (!v)
        abort();
    for (int col = 0; col < COLUMNS; col++) {
        struct column column;

        while (left == 0) {
            kind = (kind + 1) % n_column_kinds;
            left = column_kinds[kind].weight;
        }
        left--;
        column_init(&column, (uint64_t)col);
        for (int t = 0; t < ticks; t++)
            v[t * COLUMNS + col] = column_kinds[kind].next(&column);
    }
    return v;
}

/* One post of a host: all its columns at one time. */
static void post(struct ta_store *s, int host, int64_t ts, const double *row)
{
    char name[16], type[16];
    struct ta_writer w;

    (void)snprintf(name, sizeof(name), "node%04d", host);
    if (ta_writer_begin(&w, s, TA_STR("fleet"), ta_str(name), ts, NULL) < 0)
        abort();
    for (uint32_t col = w.n_columns; col < COLUMNS; col++) {
        struct ta_column_key key = {.metric = 0};

        (void)snprintf(type, sizeof(type), "hwthread%u", col);
        key.type = ta_str(type);
        if (ta_writer_column(&w, &key) != col)
            abort();
    }
    for (uint32_t col = 0; col < COLUMNS; col++)
        if (!isnan(row[col]) && ta_writer_append(&w, col, ts, row[col]) < 0)
            abort();
    ta_writer_end(&w);
}

static double post_ticks(struct ta_store *s, int first, int n, const double *v)
{
    double t = cpu_s();

    for (int tick = first; tick < first + n; tick++)
        for (int host = 0; host < HOSTS; host++)
            post(s, host, T0 + tick * 60 + host % 60, v + (tick % TICKS) * COLUMNS);
    return cpu_s() - t;
}

static double keep(struct ta_store *s, int64_t now_s)
{
    double t = cpu_s();

    while (ta_store_keep(s, now_s, 600, 1000000) > 0)
        ;
    return cpu_s() - t;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static void bench_append(const double *v)
{
    double hit = 1e9, seal = 1e9, merge = 1e9;
    double n = (double)HOSTS * COLUMNS;

    for (int pass = 0; pass < PASSES; pass++) {
        struct ta_store *s = new_store(60);

        /* A generation before what is measured: hosts, rows and what codecs learn are there. */
        (void)post_ticks(s, 0, TICKS, v);
        (void)post_ticks(s, TICKS, 1, v);
        (void)keep(s, T0 + TICKS * 60 + 60);

        double first = post_ticks(s, TICKS + 1, 8, v);
        double rest = post_ticks(s, TICKS + 9, TICKS - 9, v);
        (void)post_ticks(s, 2 * TICKS, 1, v);
        double work = keep(s, T0 + 2 * TICKS * 60 + 60);

        hit = least(hit, first / (n * 8));
        seal = least(seal, rest / (n * (TICKS - 9)));
        merge = least(merge, rest / (n * (TICKS - 9)) + work / (n * TICKS));
        ta_store_free(s);
    }
    printf("append in open rows           %8.2f ns a sample\n", hit * 1e9);
    printf("append with sealing           %8.2f ns a sample\n", seal * 1e9);
    printf("append with sealing, merging  %8.2f ns a sample\n", merge * 1e9);
}

static void bench_memory(const double *v)
{
    double before = rss_bytes(), n = (double)HOSTS * COLUMNS;
    struct ta_store *s = new_store(60);

    (void)post_ticks(s, 0, 1, v);
    printf("after 1 sample a series       %8.1f B a series counted, %.1f B resident; the "
           "reference takes 4240\n",
           (double)ta_store_bytes(s) / n, (rss_bytes() - before) / n);
    (void)post_ticks(s, 1, 31, v);
    printf("after 32 samples              %8.1f B a series counted, %.1f B resident\n",
           (double)ta_store_bytes(s) / n, (rss_bytes() - before) / n);
    for (int tick = 32; tick < 2880; tick += 64) {
        (void)post_ticks(s, tick, tick + 64 < 2880 ? 64 : 2880 - tick, v);
        (void)keep(s, T0 + (tick + 64) * 60);
    }
    struct ta_store_counts c;
    ta_store_counts(s, &c);
    printf("after 2880 (48 h of minutes)  %8.3f B a sample counted, %.3f B resident; rows %.3f, "
           "runs %.3f, "
           "other %.3f\n",
           (double)c.bytes / (double)c.stored, (rss_bytes() - before) / (double)c.stored,
           (double)c.bytes_open / (double)c.stored, (double)c.bytes_sealed / (double)c.stored,
           (double)(c.bytes - c.bytes_open - c.bytes_sealed) / (double)c.stored);
    ta_store_free(s);
}

static void bench_read(const char *what, int ticks, bool is_merged, const double *v)
{
    struct ta_store *s = new_store(10);
    struct ta_sel any = {.kind = TA_SEL_ANY}, one = {.name = TA_STR("hwthread7")};
    struct ta_sel group = {.kind = TA_SEL_GROUP};
    struct ta_str names[THREADS];
    char text[THREADS][16];
    struct ta_selection sel = {TA_STR("fleet"), TA_STR("node0000"), &any, 1, 0};
    double sum = 1e9, fetch = 1e9, stats = 1e9, sink = 0;
    double *out = malloc((size_t)ticks * sizeof(*out));

    if (!out)
        abort();
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "hwthread%d", i * COLUMNS / THREADS);
        names[i] = ta_str(text[i]);
    }
    group.names = names;
    group.n_names = THREADS;
    for (int tick = 0; tick < ticks; tick++)
        post(s, 0, T0 + tick * 10, v + (tick % TICKS) * COLUMNS);
    if (is_merged)
        (void)keep(s, T0 + ticks * 10);
    int rounds = 1 + 40000 / ticks;
    for (int pass = 0; pass < PASSES; pass++) {
        double t = cpu_s();

        sel.path = &group;
        for (int i = 0; i < rounds; i++)
            if (ta_read_sum(s, &sel, T0, out, (size_t)ticks) != THREADS)
                abort();
        sum = least(sum, (cpu_s() - t) / rounds);
        sel.path = &one;
        t = cpu_s();
        for (int i = 0; i < 10 * rounds; i++) {
            if (ta_read_sum(s, &sel, T0, out, (size_t)ticks) != 1)
                abort();
            for (int k = 0; k < ticks; k++)
                sink += isnan(out[k]) ? 0 : out[k];
        }
        fetch = least(fetch, (cpu_s() - t) / (10 * rounds));
        t = cpu_s();
        for (int i = 0; i < 10 * rounds; i++) {
            struct ta_read_stats st;

            if (ta_read_stats(s, &sel, T0, T0 + ticks * 10, &st) < 0)
                abort();
            sink += st.sum;
        }
        stats = least(stats, (cpu_s() - t) / (10 * rounds));
    }
    printf("%-14s %5d slots: sum of %d series %6.0f M samples/s; fetch of one %6.0f M/s; "
           "statistics %.1f times as fast as fetching%s\n",
           what, ticks, THREADS, (double)ticks * THREADS / sum * 1e-6, (double)ticks / fetch * 1e-6,
           fetch / stats, sink == 0.5 ? " " : "");
    free(out);
    ta_store_free(s);
}

int main(void)
{
    double *v = fleet_values(TICKS);

    bench_memory(v); /* first, while nothing that was freed can be resident */
    bench_append(v);
    bench_read("open rows", 30, false, v);
    bench_read("short runs", 480, false, v);
    bench_read("merged runs", 8640, true, v);
    free(v);
    return 0;
}
