/* health.c - is every expected metric of a host still arriving? (spec: metric-store 9) */
#include "store/read.h"
#include "store/store_int.h"

enum { SLOTS_MISSING_MAX = 5 };

/* One series behind makes a metric degraded for good; one that is not makes it healthy otherwise. */
static enum ta_health health_of(const struct ta_host *h, uint32_t metric, int64_t now_s)
{
    struct ta_column_key first = {.metric = metric};
    enum ta_health health = TA_HEALTH_MISSING;

    for (uint32_t i = ta_shape_lower(h->shape, &first); i < h->shape->n; i++) {
        uint32_t col = h->shape->by_metric[i];

        if (h->shape->cols[col].metric != metric)
            break;
        if (!ta_host_has(h, col))
            continue;

        const struct ta_group *g = ta_host_head(h, col);
        int64_t end_s = g->start_s + g->freq_s * (int64_t)ta_group_len(g, h->states[col].pos);

        if (now_s - end_s > SLOTS_MISSING_MAX * g->freq_s)
            return TA_HEALTH_DEGRADED;
        health = TA_HEALTH_OK;
    }
    return health;
}

int ta_read_health(struct ta_store *s, struct ta_str cluster, struct ta_str host, int64_t now_s,
                   const uint32_t *ids, size_t n, enum ta_health *out)
{
    struct ta_shard *sd;
    struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);

    if (!h)
        return TA_ENOTFOUND;
    for (size_t i = 0; i < n; i++)
        out[i] = ids[i] < ta_metrics_count(sd->metrics) ? health_of(h, ids[i], now_s)
                                                        : TA_HEALTH_MISSING;
    ta_shard_unlock(sd);
    return TA_OK;
}
