/* bench_memory - what real samples cost: the resident set of the process per stored sample.
 *
 * Method: a recorded job (32 hosts, 9 metrics, 24 h of minutes, exact doubles) is played twice over, on
 * as many copies of its hosts as make over 100 million samples, each copy with another start. The
 * keeper works as in a server. Growth of the resident set and what the store counts, both divided by
 * the samples stored. The job is one of the shared recordings (TARN_SHARED or ../shared): without them
 * there is no figure.
 */
#include "load/trace.h"
#include "store/store.h"
#include "store/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { COPIES = 150, TICKS = 2880, T0 = 1700000000, TEXT_MAX = 32 << 20 };

static double rss_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2)
        abort();
    (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static bool read_trace(struct ta_trace *t)
{
    const char *shared = getenv("TARN_SHARED");
    struct ta_mem_source src;
    char path[512];

    (void)snprintf(path, sizeof(path),
                   "%s/golden/job-archive/archive-v3/emmy/1403/244/1608923076/data.json.gz",
                   shared ? shared : "../shared");
    gzFile file = gzopen(path, "rb");
    if (!file)
        return false;
    char *text = malloc(TEXT_MAX);
    if (!text)
        abort();
    int n = gzread(file, text, TEXT_MAX);
    (void)gzclose(file);
    ta_mem_source_init(&src, text, n > 0 ? (size_t)n : 0, 65536);
    if (ta_trace_read(t, &src.source, &ta_heap, NULL) < 0)
        abort();
    free(text);
    return true;
}

static struct ta_store *new_store(const struct ta_trace *t)
{
    struct ta_metric defs[TA_TRACE_METRICS_MAX];
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 8};
    struct ta_store *s;

    for (uint32_t i = 0; i < t->n_metrics; i++)
        defs[i] = (struct ta_metric){ta_str(t->metrics[i].name), 60, TA_AGG_NONE};
    if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, t->n_metrics, NULL) < 0 ||
        ta_store_new(&s, &conf, NULL) < 0)
        abort();
    ta_metrics_unref(conf.metrics);
    return s;
}

/* All metrics of one host of the recording at one tick. */
static void post(struct ta_store *s, const struct ta_trace *t, uint32_t host, uint32_t copy,
                 int tick)
{
    uint32_t n_hosts = t->n_series / t->n_metrics;
    int64_t ts = T0 + tick * 60;
    struct ta_writer w;
    char name[32];

    (void)snprintf(name, sizeof(name), "e%04u-%03u", host, copy);
    if (ta_writer_begin(&w, s, TA_STR("emmy"), ta_str(name), ts, NULL) < 0)
        abort();
    /* Metric by metric, the hosts of each in the same order: one column a metric. */
    for (uint32_t m = 0; m < t->n_metrics; m++) {
        struct ta_column_key key = {m, {0}, {0}};
        double v = ta_trace_value(&t->series[m * n_hosts + host], (uint64_t)tick, copy);
        if (w.n_columns <= m && ta_writer_column(&w, &key) != m)
            abort();
        if (!isnan(v) && ta_writer_append(&w, m, ts, v) < 0)
            abort();
    }
    ta_writer_end(&w);
}

int main(void)
{
    struct ta_trace t = {0};
    struct ta_store_counts c;

    if (!read_trace(&t)) {
        printf("memory of real samples: no recordings here (TARN_SHARED), no figure\n");
        return 0;
    }
    uint32_t n_hosts = t.n_series / t.n_metrics;
    double idle = rss_bytes();
    struct ta_store *s = new_store(&t);
    for (int tick = 0; tick < TICKS; tick++) {
        for (uint32_t copy = 0; copy < COPIES; copy++)
            for (uint32_t host = 0; host < n_hosts; host++)
                post(s, &t, host, copy, tick);
        if (tick % 16 == 15)
            while (ta_store_keep(s, T0 + tick * 60, 600, 1000000) > 0)
                continue;
    }
    ta_store_counts(s, &c);
    printf("real samples (recorded job, 24 h twice, %u hosts)  %.3f B a sample resident, %.3f "
           "counted; "
           "%.0f M samples, %.0f series; the reference takes 11.2\n",
           n_hosts * COPIES, (rss_bytes() - idle) / (double)c.stored,
           (double)c.bytes / (double)c.stored, (double)c.stored * 1e-6,
           (double)t.n_series * COPIES);
    ta_store_free(s);
    ta_trace_done(&t);
    return 0;
}
