/* bench_app_metrics - GET /metrics of a large store: time and size of the text.
 *
 * Method: 20,000 hosts of 50 series (1 million), two minutes of samples; the keeper's visit of all hosts once,
 * timed by itself; then the text 100 times, the median. Without the HTTP server, whose share is a table of
 * constant size.
 */
#include "app/own_metrics.h"
#include "store/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { HOSTS = 20000, SERIES = 50, ROUNDS = 100, T0 = 1700000000 };

static void must(int64_t r)
{
    if (r < 0)
        abort();
}

static void fill(struct ta_store *s)
{
    for (int h = 0; h < HOSTS; h++) {
        char host[16], type[8];
        struct ta_writer w;

        (void)snprintf(host, sizeof(host), "n%05d", h);
        must(ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), T0, NULL));
        for (int i = 0; i < SERIES; i++) {
            (void)snprintf(type, sizeof(type), "core%d", i);
            struct ta_column_key key = {0, ta_str(type), TA_STR("")};
            int64_t col = ta_writer_column(&w, &key);
            must(col);
            for (int t = 0; t < 2; t++)
                must(ta_writer_append(&w, (uint32_t)col, T0 + 60 * t, i));
        }
        ta_writer_end(&w);
    }
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

int main(void)
{
    static const struct ta_metric def = {TA_STR("load"), 60, TA_AGG_NONE};
    struct ta_store_conf conf = {.alloc = &ta_heap};
    struct ta_store_counts counts;
    struct ta_store *s;
    struct ta_buf text;
    int64_t ns[ROUNDS];

    must(ta_metrics_new(&conf.metrics, &ta_heap, NULL, &def, 1, NULL));
    must(ta_store_new(&s, &conf, NULL));
    fill(s);
    int64_t from = ta_mono_ns(&ta_clock_system);
    ta_store_counts(s, &counts);
    int64_t visit_ns = ta_mono_ns(&ta_clock_system) - from;
    struct ta_own_metrics own = {.store = s};
    ta_buf_init(&text, &ta_heap, TA_OWN_METRICS_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        ta_buf_reset(&text);
        from = ta_mono_ns(&ta_clock_system);
        must(ta_own_metrics_put(&own, &text));
        ns[i] = ta_mono_ns(&ta_clock_system) - from;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), compare);
    printf("metrics: %d hosts, %llu series: text in %.3f ms (longest %.3f), %.1f KiB; "
           "the keeper's visit of all hosts %.1f ms\n",
           HOSTS, (unsigned long long)counts.series, (double)ns[ROUNDS / 2] / 1e6,
           (double)ns[ROUNDS - 1] / 1e6, (double)text.len / 1024, (double)visit_ns / 1e6);
    ta_buf_done(&text);
    ta_store_free(s);
    ta_metrics_unref(conf.metrics);
    return 0;
}
