/* Scan and store in process, one thread: the fleet corpus as HTTP bodies, one per host and interval.
 *
 * Method: the bodies of one interval (64 hosts at a time) are made first, then fed; only feeding is timed,
 * in CPU time of the process. A round is one interval of all hosts; the first one, which makes the series, is
 * left out. "best" is the best round, "mean" all of them, rounds that seal rows into compressed runs included.
 * The ratio between few and many series is one of medians.
 */
#include "ingest/ingest.h"
#include "load/fleet.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BLOCK = 64 * 1024, ROUNDS_MAX = 256 };

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_ingest: %s\n", what);
    exit(1);
}

static struct ta_metrics *metrics_of(const struct ta_load_layout *l)
{
    struct ta_metric defs[128];
    struct ta_metrics *m;

    for (uint32_t i = 0; i < l->n_metrics; i++)
        defs[i] = (struct ta_metric){ta_str(l->metrics[i].name), 60,
                                     l->metrics[i].aggregation == 'a' ? TA_AGG_AVG : TA_AGG_SUM};
    if (ta_metrics_new(&m, &ta_heap, NULL, defs, l->n_metrics, NULL) < 0)
        die("metrics");
    return m;
}

/* Fisher-Yates over the lines of a body. */
static void shuffle(struct ta_buf *b, struct ta_buf *scratch, uint64_t seed)
{
    static const char *lines[65536];
    size_t n = 0;

    for (char *p = b->at; p < b->at + b->len; p = (char *)memchr(p, '\n', BLOCK) + 1)
        lines[n++] = p;
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)(ta_load_noise(seed, 1, i) * (double)i);
        const char *t = lines[i - 1];
        lines[i - 1] = lines[k];
        lines[k] = t;
    }
    ta_buf_reset(scratch);
    for (size_t i = 0; i < n; i++)
        if (ta_buf_add(scratch, lines[i],
                       (size_t)((const char *)memchr(lines[i], '\n', BLOCK) + 1 - lines[i])) < 0)
            die("memory");
    memcpy(b->at, scratch->at, b->len);
}

static void feed(struct ta_ingest *in, const struct ta_buf *body, int64_t now_s, uint64_t *stored,
                 uint64_t *predicted)
{
    struct ta_feed f;
    size_t used;

    if (ta_feed_init(&f, &ta_heap, (struct ta_str){0}, NULL, now_s) < 0)
        die("feed");
    for (size_t at = 0; at < body->len; at += BLOCK) {
        size_t n = body->len - at < BLOCK ? body->len - at : BLOCK;
        if (ta_ingest_feed(in, &f, (struct ta_str){body->at + at, n}, now_s, &used, NULL) < 0)
            die("store");
    }
    if (ta_ingest_end(in, &f, true, now_s, NULL) < 0 || ta_feed_verdict(&f, NULL) < 0)
        die("end");
    *stored += f.counts.stored;
    *predicted += f.counts.predicted;
    ta_feed_done(&f);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum way { BEST, BASELINE, PLAIN };

/* Million lines a second, the median round. */
static double measure(const char *name, uint32_t hosts, int rounds, bool is_shuffled, enum way way)
{
    struct ta_fleet fleet;
    struct ta_store_conf conf = {.alloc = &ta_heap, .hash_seed = 7};
    struct ta_store *store;
    struct ta_ingest *in;
    struct ta_buf scratch, *bodies = calloc(hosts, sizeof(*bodies));
    double times[ROUNDS_MAX], best, sum = 0, *values;
    uint64_t predicted = 0, lines = 0, bytes = 0;

    if (ta_fleet_init(&fleet, &ta_heap, NULL, NULL) < 0 || !bodies)
        die("memory");
    values = calloc(fleet.layout.n_columns, sizeof(*values));
    conf.metrics = metrics_of(&fleet.layout);
    if (ta_store_new(&store, &conf, NULL) < 0)
        die("store");
    struct ta_ingest_conf iconf = {.store = store,
                                   .alloc = &ta_heap,
                                   .max_future_s = -1,
                                   .is_plain = way == PLAIN,
                                   .is_baseline = way == BASELINE};
    if (ta_ingest_new(&in, &iconf, NULL) < 0)
        die("ingest");
    ta_buf_init(&scratch, &ta_heap, MiB);
    for (int round = 0; round < rounds; round++) {
        double total = 0;
        lines = predicted = bytes = 0;
        for (uint32_t h = 0; h < hosts;) { /* 64 at a time: the same text in the cache for all */
            uint32_t n = hosts - h < 64 ? hosts - h : 64;
            for (uint32_t i = 0; i < n; i++) {
                if (!bodies[i].alloc)
                    ta_buf_init(&bodies[i], &ta_heap, MiB);
                ta_buf_reset(&bodies[i]);
                if (ta_fleet_post(&fleet, h + i, (uint64_t)round, values, &bodies[i]) < 0)
                    die("memory");
                if (is_shuffled)
                    shuffle(&bodies[i], &scratch, (uint64_t)round * hosts + h + i);
                bytes += bodies[i].len;
            }
            double begin = cpu_s();
            for (uint32_t i = 0; i < n; i++)
                feed(in, &bodies[i], ta_fleet_time(&fleet, (uint64_t)round), &lines, &predicted);
            total += cpu_s() - begin;
            h += n;
        }
        if (round == 0)
            continue;
        times[round - 1] = total;
        sum += total;
    }
    qsort(times, (size_t)rounds - 1, sizeof(*times), by_size);
    best = times[0];
    printf("%-26s best %6.2f M lines/s (%5.1f ns/line, %4.0f MB/s), mean %6.2f, %u series, %.0f %% "
           "predicted\n",
           name, 1e-6 * (double)lines / best, 1e9 * best / (double)lines,
           1e-6 * (double)bytes / best, 1e-6 * (double)lines * (rounds - 1) / sum,
           hosts * fleet.layout.n_columns, 100.0 * (double)predicted / (double)lines);
    for (uint32_t i = 0; i < hosts; i++)
        if (bodies[i].alloc)
            ta_buf_done(&bodies[i]);
    ta_buf_done(&scratch);
    ta_ingest_free(in);
    ta_store_free(store);
    ta_metrics_unref(conf.metrics);
    ta_fleet_done(&fleet);
    free(bodies);
    free(values);
    return 1e-6 * (double)lines / times[(rounds - 1) / 2];
}

/* The scanner alone, nothing remembered, nothing stored. */
static void measure_scan(void)
{
    static struct ta_line_sample out[TA_LINE_BATCH_MAX];
    static struct ta_line_side side;
    struct ta_fleet fleet;
    struct ta_buf body;
    double values[600], best = 1e9;
    size_t n = 0;

    if (ta_fleet_init(&fleet, &ta_heap, NULL, NULL) < 0)
        die("memory");
    ta_buf_init(&body, &ta_heap, 64 * MiB);
    for (uint32_t h = 0; h < 64; h++)
        if (ta_fleet_post(&fleet, h, 1, values, &body) < 0)
            die("memory");
    for (int round = 0; round < 10; round++) {
        struct ta_line s;
        struct ta_line_result res = {.stop = TA_LINE_FULL};
        ta_line_init(&s, NULL);
        n = 0;
        double begin = cpu_s();
        for (size_t at = 0; res.stop == TA_LINE_FULL; at += res.used) {
            ta_line_scan(&s, &side, (struct ta_str){body.at + at, body.len - at}, true, out,
                         TA_LINE_BATCH_MAX, &res);
            n += res.n;
        }
        double t = cpu_s() - begin;
        best = t < best ? t : best;
    }
    printf("%-26s best %6.2f M lines/s (%5.1f ns/line, %4.0f MB/s)\n", "scanner alone",
           1e-6 * (double)n / best, 1e9 * best / (double)n, 1e-6 * (double)body.len / best);
    ta_buf_done(&body);
    ta_fleet_done(&fleet);
}

int main(void)
{
    puts("scan + store, fleet corpus, CPU time of one thread, best round; the reference stores 1.1 "
         "M lines/s per "
         "core");
    measure_scan();
    double small = measure("batch order, 64 hosts", 64, 130, false, BEST);
    measure("without AVX2", 64, 60, false, BASELINE);
    measure("shuffled within a host", 64, 60, true, BEST);
    measure("no prediction", 64, 20, false, PLAIN);
    double large = measure("batch order, 7,000 hosts", 7000, 10, false, BEST);
    printf("%-26s %.2f of the rate with 64 hosts\n", "4 million series", large / small);
    return 0;
}
