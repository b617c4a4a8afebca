/* bench_query - what answers cost: CPU nanoseconds a sample, and how they compare.
 *
 * Method: CPU time of the process, best of 5 passes, one thread; a store of the kinds of columns
 * that nodes send (tests/support/columns.h). "fetch" prints one series after another as JSON;
 * "aggregate" sums 64 hardware threads to the node and prints the result; "statistics" asks the
 * same series without their data; "all nodes" asks one metric of every
 * host. LTTB is measured against the method taken literally, value by
 * value.
 */
#include "ask.h"
#include "columns.h"
#include "feed.h"
#include "query/resample.h"
#include "store/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES = 5, T0 = 1700000000, THREADS = 64, HOSTS = 200, ROOM = 64 * 1024, DAY_SLOTS = 8640 };

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The i-th of the kinds that nodes of the fleet send. */
static const struct column_kind *fleet_kind(unsigned i)
{
    unsigned kind = 0;

    for (unsigned left = i + 1;; kind = (kind + 1) % n_column_kinds)
        if (column_kinds[kind].weight > 0 && --left == 0)
            return &column_kinds[kind];
}

static void fill_series(struct ta_store *s, const char *host, uint32_t metric, unsigned kind,
                        uint64_t seed, int64_t freq_s, int n)
{
    struct ta_column_key key = {metric, TA_STR(""), TA_STR("")};
    struct column column;
    struct ta_writer w;
    int64_t last = T0 + freq_s * n;

    column_init(&column, seed);
    if (ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), last, NULL) < 0)
        abort();
    int64_t col = ta_writer_column(&w, &key);
    for (int i = 0; i < n; i++) {
        double v = fleet_kind(kind)->next(&column);
        if (!isnan(v) && ta_writer_append(&w, (uint32_t)col, T0 + freq_s * i, v) < 0)
            abort();
    }
    ta_writer_end(&w);
}

/* Tick by tick, as a node sends its threads: all of one kind, or (NULL) the fleet's mix. */
static void fill_threads(struct ta_store *s, const char *host, const struct column_kind *kind,
                         int n)
{
    static struct column columns[THREADS];
    uint32_t cols[THREADS];
    struct ta_writer w;

    if (ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), T0 + 60 * n, NULL) < 0)
        abort();
    for (unsigned t = 0; t < THREADS; t++) {
        char type[16];
        snprintf(type, sizeof(type), "hwthread%u", t);
        struct ta_column_key key = {1, ta_str(type), TA_STR("")};
        cols[t] = (uint32_t)ta_writer_column(&w, &key);
        column_init(&columns[t], t + 100);
    }
    for (int i = 0; i < n; i++)
        for (unsigned t = 0; t < THREADS; t++) {
            double v = (kind ? kind : fleet_kind(t))->next(&columns[t]);
            if (!isnan(v) && ta_writer_append(&w, cols[t], T0 + 60 * i, v) < 0)
                abort();
        }
    ta_writer_end(&w);
}

static struct ta_store *fill_store(void)
{
    struct ta_store *s = feed_store(&ta_heap, "raw 10 none,sum 60 sum,avg 60 avg,node 60 none");

    if (!s)
        abort();
    for (unsigned i = 0; i < 16; i++) {
        char host[16];
        snprintf(host, sizeof(host), "r%u", i);
        fill_series(s, host, 0, i, i + 1, 10, DAY_SLOTS);
    }
    fill_threads(s, "mix", NULL, 2880);
    for (unsigned i = 0; i < n_column_kinds; i++)
        fill_threads(s, column_kinds[i].name, &column_kinds[i], 2880);
    for (unsigned h = 0; h < HOSTS; h++) {
        char host[16];
        snprintf(host, sizeof(host), "n%03u", h);
        fill_series(s, host, 3, h, h + 1000, 60, 1440);
    }
    while (ta_store_keep(s, T0 + 10 * 86400, T0 + 10 * 86400, 100000) > 0)
        continue;
    return s;
}

/* Best CPU seconds for one answer, and what it consisted of. */
static double answer_s(struct ta_store *s, const char *body, struct ta_query_counts *counts,
                       size_t *bytes)
{
    double best = 1e9;

    for (int pass = 0; pass < PASSES; pass++) {
        struct ta_buf out;
        ta_buf_init(&out, &ta_heap, 256 * MiB);
        double begin = cpu_s();
        if (ask_into(s, body, strlen(body), ROOM, NULL, &ta_heap, &out, counts, NULL) < 0)
            abort();
        double took = cpu_s() - begin;
        best = took < best ? took : best;
        *bytes = out.len;
        ta_buf_done(&out);
    }
    return best;
}

static void hosts_body(char *body, size_t size, const char *head)
{
    size_t len = (size_t)snprintf(body, size, "{\"cluster\":\"c\",%s\"queries\":[", head);

    for (int i = 0; i < 16; i++)
        len += (size_t)snprintf(body + len, size - len, "%s{\"metric\":\"raw\",\"host\":\"r%d\"}",
                                i ? "," : "", i);
    snprintf(body + len, size - len, "],\"from\":%d,\"to\":%d}", T0, T0 + DAY_SLOTS * 10);
}

static void fetch_and_statistics(struct ta_store *s)
{
    struct ta_query_counts c;
    char body[4096];
    size_t bytes;

    hosts_body(body, sizeof(body), "");
    double fetch = answer_s(s, body, &c, &bytes);
    printf("fetch to JSON        %6.1f M samples/s  %5.1f ns a sample  %5.1f bytes a sample; the "
           "reference 8-11 M\n",
           (double)c.values / fetch / 1e6, fetch / (double)c.values * 1e9,
           (double)bytes / (double)c.values);
    hosts_body(body, sizeof(body), "\"with-data\":false,");
    double stats = answer_s(s, body, &c, &bytes);
    printf("statistics, day 10 s %6.2f us a series     fetch : statistics = %.0f\n",
           stats / 16 * 1e6, fetch / stats);
}

/* Source samples a second for the sum of the threads of that host, printed or as statistics of it. */
static double aggregate_rate(struct ta_store *s, const char *host, bool is_printed)
{
    struct ta_query_counts c;
    char body[4096];
    size_t bytes,
        len =
            (size_t)snprintf(body, sizeof(body),
                             "{\"cluster\":\"c\",\"with-data\":%s,\"queries\":[{\"metric\":\"sum\","
                             "\"host\":\"%s\",\"aggreg\":true,\"type\":\"hwthread\","
                             "\"type-ids\":[",
                             is_printed ? "true" : "false", host);

    for (int t = 0; t < THREADS; t++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s\"%d\"", t ? "," : "", t);
    snprintf(body + len, sizeof(body) - len, "]}],\"from\":%d,\"to\":%d}", T0, T0 + 2880 * 60);
    return 2880.0 * THREADS / answer_s(s, body, &c, &bytes);
}

static void aggregate(struct ta_store *s)
{
    unsigned worst = 0;
    double least = 1e18;

    printf("aggregate 64 threads %6.0f M source samples/s on the fleet's mix; the reference 120\n",
           aggregate_rate(s, "mix", true) / 1e6);
    for (unsigned i = 0; i < n_column_kinds; i++) {
        double rate = aggregate_rate(s, column_kinds[i].name, false);
        worst = rate < least ? i : worst;
        least = rate < least ? rate : least;
    }
    printf("                     %6.0f M source samples/s in the worst class (%s), not printed\n",
           least / 1e6, column_kinds[worst].name);
}

static void all_nodes(struct ta_store *s)
{
    struct ta_query_counts c;
    char body[256];
    size_t bytes;

    snprintf(body, sizeof(body),
             "{\"cluster\":\"c\",\"for-all-nodes\":[\"node\"],\"from\":%d,\"to\":%d}", T0,
             T0 + 86400);
    double took = answer_s(s, body, &c, &bytes);
    printf("all nodes            %6.1f us a node of 1,440 samples\n", took / HOSTS * 1e6);
    snprintf(body, sizeof(body),
             "{\"cluster\":\"c\",\"with-data\":false,\"for-all-nodes\":[\"node\"],\"from\":%d,"
             "\"to\":%d}",
             T0, T0 + 86400);
    double stats = answer_s(s, body, &c, &bytes);
    printf("statistics, day 60 s %6.2f us a series     fetch : statistics = %.0f\n",
           stats / HOSTS * 1e6, took / stats);
}

/* The method as written down, value by value. */
static void lttb_literally(const double *d, size_t n, size_t m, double *out)
{
    double size = (double)(n - 2) / (double)(m - 2);
    size_t low = 1, mid = (size_t)floor(size) + 1, prev = 0;

    *out++ = d[0];
    for (size_t i = 0; i < m - 2; i++) {
        size_t high = (size_t)floor((double)(i + 2) * size) + 1, pick = 0;
        double sx = 0, sy = 0, best = -1;
        high = high >= n - 1 ? n - 2 : high;
        for (size_t k = mid; k <= high; k++) {
            sx += (double)k;
            sy += d[k];
        }
        double ax = sx / (double)(high - mid + 1), ay = sy / (double)(high - mid + 1);
        for (size_t k = low; k < mid; k++) {
            double area = fabs((((double)prev - (double)k) * (ay - d[prev]) -
                                ((double)prev - ax) * (d[k] - d[prev])) *
                               0.5);
            if (area > best || isnan(area)) {
                best = area;
                pick = k;
            }
        }
        *out++ = d[pick];
        prev = pick;
        low = mid;
        mid = high;
    }
    *out = d[n - 1];
}

static void lttb(size_t n, int64_t step)
{
    double *d = malloc(n * sizeof(*d)), *out = malloc(n * sizeof(*out));
    struct ta_resample plan;
    struct column column;
    double best = 1e9, literal = 1e9;
    enum { ROUNDS = 500 };

    if (!d || !out)
        abort();
    column_init(&column, 7);
    for (size_t i = 0; i < n; i++)
        d[i] = sin((double)i / 7) * 100 + column_normal(&column) * 20;
    (void)ta_resample_plan(60, 60 * step, n, &plan, NULL);
    for (int pass = 0; pass < PASSES; pass++) {
        double t0 = cpu_s();
        for (int k = 0; k < ROUNDS; k++)
            ta_resample_run(&plan, d, n, out);
        double t1 = cpu_s();
        for (int k = 0; k < ROUNDS; k++)
            lttb_literally(d, n, n / (size_t)step, out);
        double t2 = cpu_s();
        best = t1 - t0 < best ? t1 - t0 : best;
        literal = t2 - t1 < literal ? t2 - t1 : literal;
    }
    printf("LTTB %5zu -> %4zu   %6.0f M samples/s, literally %.0f: %.1f times\n", n, plan.n_out,
           (double)n * ROUNDS / best / 1e6, (double)n * ROUNDS / literal / 1e6, literal / best);
    free(d);
    free(out);
}

int main(void)
{
    struct ta_store *s = fill_store();

    fetch_and_statistics(s);
    aggregate(s);
    all_nodes(s);
    lttb(2880, 10);
    lttb(2880, 60);
    lttb(17280, 30);
    ta_store_free(s);
    return 0;
}
