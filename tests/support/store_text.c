#include "store_text.h"

#include "store/walk.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
    char *at;
    size_t len, cap;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(t->at + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    t->len = t->len + (size_t)n < t->cap ? t->len + (size_t)n : t->cap - 1;
}

static void add_series(struct text *t, struct ta_store *s, const struct ta_host_name *h,
                       const struct ta_walk_series *at)
{
    struct ta_str cluster = ta_name_str(&h->cluster), host = ta_name_str(&h->host);
    struct ta_column_key key = {at->metric, ta_name_str(&at->type), ta_name_str(&at->stype)};
    struct ta_metrics *m = ta_store_metrics(s);
    struct ta_buffer_info b[8];
    double v[TA_BUFFER_SLOTS];
    int64_t after = INT64_MIN;
    size_t n;

    add(t, "%.*s/%.*s/%.*s/%.*s %.*s", TA_STR_FMT(cluster), TA_STR_FMT(host), TA_STR_FMT(key.type),
        TA_STR_FMT(key.stype), TA_STR_FMT(ta_metrics_at(m, at->metric)->name));
    ta_metrics_unref(m);
    while ((n = ta_walk_buffers(s, cluster, host, &key, after, b, 8)) > 0) {
        for (size_t i = 0; i < n; i++) {
            int len = ta_walk_slots(s, cluster, host, &key, b[i].start_s, 0, v, TA_BUFFER_SLOTS);
            add(t, " [%lld %u:", (long long)b[i].start_s, b[i].len);
            for (int k = 0; k < len; k++)
                if (isnan(v[k]))
                    add(t, " -");
                else
                    add(t, " %.17g", v[k]);
            add(t, "]");
        }
        after = b[n - 1].start_s;
    }
    add(t, "\n");
}

char *store_text(struct ta_store *s, char *out, size_t cap)
{
    struct text t = {out, 0, cap};
    struct ta_host_name h, last;
    struct ta_str all = {0};

    out[0] = 0;
    for (bool first = true; ta_walk_hosts(s, all, first ? NULL : &last, &h, 1) == 1;
         first = false) {
        struct ta_str cluster = ta_name_str(&h.cluster), host = ta_name_str(&h.host);
        struct ta_walk_series at;
        for (bool begin = true; ta_walk_series_next(s, cluster, host, begin, &at) == 1;
             begin = false)
            add_series(&t, s, &h, &at);
        last = h;
    }
    return out;
}

struct ta_store *store_text_new(struct ta_alloc *alloc, int64_t retention_s)
{
    static const struct ta_metric defs[] = {
        {{"cpu_load", 8}, 60, TA_AGG_NONE},    {{"cpu_user", 8}, 60, TA_AGG_AVG},
        {{"flops_any", 9}, 60, TA_AGG_SUM},    {{"mem_bw", 6}, 60, TA_AGG_SUM},
        {{"acc_power", 9}, 60, TA_AGG_AVG},    {{"net_bytes", 9}, 60, TA_AGG_NONE},
        {{"mem_used", 8}, 60, TA_AGG_SUM},     {{"ib_recv", 7}, 10, TA_AGG_SUM},
        {{"file_quota", 10}, 300, TA_AGG_AVG}, {{"m", 1}, 60, TA_AGG_NONE},
        {{"net_rx", 6}, 60, TA_AGG_SUM},
    };
    struct ta_store_conf conf = {
        .alloc = alloc, .retention_s = retention_s, .n_shards = 2, .hash_seed = 1};
    struct ta_store *s = NULL;

    if (ta_metrics_new(&conf.metrics, alloc, NULL, defs, TA_COUNT(defs), NULL) < 0)
        return NULL;
    (void)ta_store_new(&s, &conf, NULL); /* s stays NULL */
    ta_metrics_unref(conf.metrics);
    return s;
}
