/* stats.c - statistics of what is stored, mostly from the headers of runs. (spec: metric-store 7) */
#include "store/read.h"
#include "store/store_int.h"

#include <math.h>

static void series_stats(const struct ta_host *h, uint32_t col, int64_t from_s, int64_t to_s,
                         struct ta_run_stats *into)
{
    int64_t freq_s = ta_host_head(h, col)->freq_s;
    int64_t n = ta_read_steps(from_s, freq_s, to_s), at = 0;
    uint32_t i = ta_read_first(h, from_s), pos;

    while (at < n) {
        i = ta_read_next(h, col, freq_s, i, from_s + at * freq_s, &pos);
        if (i == h->n_groups)
            break;

        const struct ta_group *g = h->groups[i++];
        int64_t first = ta_read_steps(from_s, freq_s, g->start_s);
        int64_t end = ta_read_steps(from_s, freq_s, ta_group_cap_end(g));

        first = first < at ? at : first;
        end = end < n ? end : n;
        if (first < end)
            ta_group_stats(g, pos, (uint32_t)((from_s + first * freq_s - g->start_s) / freq_s),
                           (uint32_t)(end - first), into);
        at = first < end ? end : first;
    }
}

int ta_read_stats(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, int64_t to_s,
                  struct ta_read_stats *out)
{
    struct ta_read_stats stats = {.min = INFINITY, .max = -INFINITY};
    struct ta_span span;
    struct ta_shard *sd;
    struct ta_match m;
    struct ta_host *h;
    uint32_t col;
    int r = ta_read_span(s, sel, from_s, to_s, &span);

    if (r < 0)
        return r;
    h = ta_store_rdlock(s, sel->cluster, sel->host, &sd);
    if (!h)
        return TA_ENOTFOUND;
    for (ta_match_init(&m, h, sel); ta_match_next(&m, &col); stats.n_series++) {
        struct ta_run_stats one = {0};

        series_stats(h, col, span.from_s, span.to_s, &one);
        stats.sum_of_means += one.count ? one.sum / one.count : NAN;
        if (!one.count)
            continue;
        stats.n_samples += one.count;
        stats.sum += one.sum;
        stats.min = one.min < stats.min ? one.min : stats.min;
        stats.max = one.max > stats.max ? one.max : stats.max;
    }
    ta_shard_unlock(sd);
    if (!stats.n_series)
        return TA_ENOTFOUND;
    stats.from_s = span.from_s;
    stats.to_s = span.to_s;
    *out = stats;
    return TA_OK;
}
