/* open.c - the life of a store in the library, and what is asked of it as a whole. */
#include "api/api_int.h"
#include "base/clock.h"

#include <stdio.h>
#include <sys/random.h>

enum { QUIET_S = 900, FUTURE_S = 3600 };

int api_fail(struct tarn_error *out, int code, const struct ta_err *err)
{
    if (out) {
        out->code = code;
        snprintf(out->text, sizeof(out->text), "%s",
                 err && err->text[0] ? err->text : ta_strerror(code));
    }
    return code;
}

size_t api_path(const struct tarn_path *path, struct ta_str out[4])
{
    const char *const names[4] = {path->cluster, path->host, path->type, path->subtype};
    size_t n = 0;

    while (n < 4 && names[n]) {
        out[n] = ta_str(names[n]);
        n++;
    }
    return n;
}

int api_metric(struct tarn_store *s, const char *name, uint32_t *id, int64_t *freq_s,
               enum ta_agg *agg, struct tarn_error *err)
{
    struct ta_metrics *table = ta_store_metrics(s->store);
    struct ta_err why = {0};
    int r = ta_metrics_find(table, ta_str(name));

    if (r >= 0) {
        const struct ta_metric *m = ta_metrics_at(table, (uint32_t)r);

        if (id)
            *id = (uint32_t)r;
        if (freq_s)
            *freq_s = m->freq_s;
        if (agg)
            *agg = m->agg;
    }
    ta_metrics_unref(table);
    if (r >= 0)
        return TA_OK;
    ta_fail(&why, TA_ENOTFOUND, "unknown metric \"%.255s\"", name);
    return api_fail(err, TA_ENOTFOUND, &why);
}

static int make_metrics(struct ta_metrics **out, const struct tarn_config *config,
                        struct ta_err *err)
{
    static const enum ta_agg aggs[] = {
        [TARN_AGG_NONE] = TA_AGG_NONE, [TARN_AGG_SUM] = TA_AGG_SUM, [TARN_AGG_AVG] = TA_AGG_AVG};
    struct ta_metric *defs = ta_alloc_zero(&ta_heap, config->n_metrics + 1, sizeof(*defs));
    int r = TA_OK;

    if (!defs)
        return ta_fail(err, TA_ENOMEM, "no memory for the metric table");
    for (size_t i = 0; i < config->n_metrics; i++) {
        const struct tarn_metric *m = &config->metrics[i];

        if ((unsigned)m->aggregation >= TA_COUNT(aggs)) {
            r = ta_fail(err, TA_EINVAL, "unknown aggregation of metric \"%.255s\"", m->name);
            break;
        }
        defs[i] = (struct ta_metric){
            .name = ta_str(m->name), .freq_s = m->frequency_s, .agg = aggs[m->aggregation]};
    }
    if (r == TA_OK)
        r = ta_metrics_new(out, &ta_heap, NULL, defs, config->n_metrics, err);
    ta_release(&ta_heap, defs, (config->n_metrics + 1) * sizeof(*defs));
    return r;
}

static int make_store(struct tarn_store *s, const struct tarn_config *config, struct ta_err *err)
{
    struct ta_store_conf conf = {.alloc = &ta_heap,
                                 .cap_bytes = config->memory_cap_bytes,
                                 .retention_s = config->retention_s};
    struct ta_ingest_conf lines = {.alloc = &ta_heap,
                                   .max_future_s =
                                       config->max_future_s > 0 ? config->max_future_s : FUTURE_S};
    int r = make_metrics(&conf.metrics, config, err);

    if (r < 0)
        return r;
    if (getrandom(&conf.hash_seed, sizeof(conf.hash_seed), 0) != sizeof(conf.hash_seed))
        r = ta_fail_sys(err, "reading random bytes");
    if (r == TA_OK)
        r = ta_store_new(&s->store, &conf, err);
    ta_metrics_unref(conf.metrics);
    lines.store = s->store;
    return r == TA_OK ? ta_ingest_new(&s->ingest, &lines, err) : r;
}

const char *tarn_version(void)
{
    return TARN_VERSION;
}

int tarn_open(struct tarn_store **out, const struct tarn_config *config, struct tarn_error *err)
{
    struct ta_err why = {0};
    struct tarn_store *s = ta_alloc_zero(&ta_heap, 1, sizeof(*s));

    if (!s)
        return api_fail(err, TA_ENOMEM, NULL);
    pthread_mutex_init(&s->lines_lock, NULL);
    s->retention_s = config->retention_s;
    int r = make_store(s, config, &why);
    if (r < 0) {
        tarn_close(s);
        /* A name given twice is a wrong argument to the caller. */
        return api_fail(err, r == TA_EEXIST ? TA_EINVAL : r, &why);
    }
    *out = s;
    return TA_OK;
}

void tarn_close(struct tarn_store *s)
{
    if (!s)
        return;
    ta_ingest_free(s->ingest);
    ta_store_free(s->store);
    pthread_mutex_destroy(&s->lines_lock);
    ta_release(&ta_heap, s, sizeof(*s));
}

int tarn_keep(struct tarn_store *s, uint32_t budget_us)
{
    return ta_store_keep(s->store, ta_now_s(&ta_clock_system), QUIET_S, budget_us);
}

uint64_t tarn_size(const struct tarn_store *s)
{
    return ta_store_bytes(s->store);
}

int64_t tarn_frequency(struct tarn_store *s, const char *metric)
{
    int64_t freq_s = 0;
    int r = api_metric(s, metric, NULL, &freq_s, NULL, NULL);

    return r < 0 ? r : freq_s;
}
