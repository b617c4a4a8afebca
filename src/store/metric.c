/* metric.c - the immutable metric table: an array by id, a hash of names. */
#include "store/metric.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

struct ta_metrics {
    struct ta_alloc *alloc;
    _Atomic uint32_t refs;
    uint32_t n;
    size_t bytes;          /* of this block, in which everything below lies */
    uint32_t mask;         /* hash slots - 1 */
    uint32_t *slots;       /* id + 1; 0 = free. At most half full */
    struct ta_metric *all; /* by id */
    char *names;
};

/* Metric names come from the config file, so the hash needs no secret. */
static uint32_t metric_hash(struct ta_str name)
{
    return (uint32_t)XXH3_64bits(name.at, name.len);
}

int ta_metrics_find(const struct ta_metrics *t, struct ta_str name)
{
    for (uint32_t i = metric_hash(name) & t->mask; t->slots[i]; i = (i + 1) & t->mask)
        if (ta_str_eq(t->all[t->slots[i] - 1].name, name))
            return (int)(t->slots[i] - 1);
    return TA_ENOTFOUND;
}

static void table_put(struct ta_metrics *t, const struct ta_metric *def, char **names)
{
    uint32_t id = t->n++;
    uint32_t i = metric_hash(def->name) & t->mask;

    memcpy(*names, def->name.at, def->name.len);
    t->all[id] = *def;
    t->all[id].name.at = *names;
    *names += def->name.len;
    while (t->slots[i])
        i = (i + 1) & t->mask;
    t->slots[i] = id + 1;
}

static int check_defs(const struct ta_metric *defs, size_t n, struct ta_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (defs[i].name.len == 0 || defs[i].name.len > TA_METRIC_NAME_MAX)
            return ta_fail(err, TA_EINVAL, "a metric name needs 1 to %d bytes, one has %zu",
                           TA_METRIC_NAME_MAX, defs[i].name.len);
        if (defs[i].freq_s < 1 || defs[i].freq_s > TA_METRIC_FREQ_MAX)
            return ta_fail(err, TA_EINVAL, "metric %.*s: frequency %" PRId64 " is not usable",
                           TA_STR_FMT(defs[i].name), defs[i].freq_s);
    }
    return TA_OK;
}

int ta_metrics_new(struct ta_metrics **out, struct ta_alloc *alloc, const struct ta_metrics *base,
                   const struct ta_metric *defs, size_t n, struct ta_err *err)
{
    size_t n_base = base ? base->n : 0, name_bytes = 0;
    size_t n_max = n_base + n, n_slots = 16;
    int r = check_defs(defs, n, err);

    if (r < 0)
        return r;
    if (n > TA_METRICS_MAX || n_max > TA_METRICS_MAX)
        return ta_fail(err, TA_ERANGE, "more than %d metrics", TA_METRICS_MAX);
    while (n_slots < 2 * n_max)
        n_slots *= 2;
    for (size_t i = 0; i < n_base; i++)
        name_bytes += base->all[i].name.len;
    for (size_t i = 0; i < n; i++)
        name_bytes += defs[i].name.len;

    size_t bytes = sizeof(struct ta_metrics) + n_max * sizeof(struct ta_metric) +
                   n_slots * sizeof(uint32_t) + name_bytes;
    struct ta_metrics *t = ta_alloc_zero(alloc, 1, bytes);

    if (!t)
        return ta_fail(err, TA_ENOMEM, "no memory for the metric table");
    t->alloc = alloc;
    t->bytes = bytes;
    atomic_init(&t->refs, 1);
    t->mask = (uint32_t)n_slots - 1;
    t->all = (struct ta_metric *)(void *)(t + 1);
    t->slots = (uint32_t *)(void *)(t->all + n_max);
    t->names = (char *)(t->slots + n_slots);

    char *names = t->names;
    for (size_t i = 0; i < n_base; i++)
        table_put(t, &base->all[i], &names);
    for (size_t i = 0; i < n; i++) {
        int id = ta_metrics_find(t, defs[i].name);

        if (id >= (int)n_base) {
            r = ta_fail(err, TA_EEXIST, "metric %.*s is defined twice", TA_STR_FMT(defs[i].name));
            ta_metrics_unref(t);
            return r;
        }
        if (id < 0)
            table_put(t, &defs[i], &names);
    }
    *out = t;
    return TA_OK;
}

struct ta_metrics *ta_metrics_ref(struct ta_metrics *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void ta_metrics_unref(struct ta_metrics *t)
{
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        ta_release(t->alloc, t, t->bytes);
}

size_t ta_metrics_count(const struct ta_metrics *t)
{
    return t->n;
}

const struct ta_metric *ta_metrics_at(const struct ta_metrics *t, uint32_t id)
{
    assert(id < t->n);
    return &t->all[id];
}

int64_t ta_metrics_slowest_s(const struct ta_metrics *t)
{
    int64_t slowest_s = 0;

    for (uint32_t i = 0; i < ta_metrics_count(t); i++)
        if (ta_metrics_at(t, i)->freq_s > slowest_s)
            slowest_s = ta_metrics_at(t, i)->freq_s;
    return slowest_s;
}
