/* conf_items.c - the parts of a configuration that are lists: metrics and NATS subscriptions. */
#include "app/conf_int.h"
#include "io/json_read.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 255, /* as for names in line protocol */
    SUBSCRIPTIONS_MAX = 1024
};

/* Room for one more item of `size` bytes in an array of the arena. */
static void *grow(struct ta_arena *a, void *array, size_t n, size_t size)
{
    size_t cap = n ? 16 : 0;

    while (cap && cap < n)
        cap *= 2;
    if (n < cap || (n == 0 && array))
        return array;
    return ta_resize(&a->alloc, array, cap * size, (cap ? cap * 2 : 16) * size);
}

/* Subscriptions */

static int read_subscription(struct ta_conf_reader *r, const struct ta_json_token *open,
                             const char *where, struct ta_conf_subscription *out,
                             struct ta_err *err)
{
    struct ta_json_token t;
    int got;

    *out = (struct ta_conf_subscription){.cluster = ""};
    if (open->kind != TA_JSON_OBJECT)
        return ta_conf_bad(r, open, where, err, "expected an object, found %s",
                           ta_conf_kind_name(open));
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind == TA_JSON_KEY) {
        const char **field = NULL;

        if (ta_str_is(t.text, "subscribe-to"))
            field = &out->subject;
        else if (ta_str_is(t.text, "cluster-tag"))
            field = &out->cluster;
        else
            return ta_conf_bad(r, &t, where, err, "unknown key \"%.*s\"",
                               (int)(t.text.len < 60 ? t.text.len : 60), t.text.at);
        got = ta_conf_next(r, &t, err);
        if (got == TA_OK && t.kind != TA_JSON_STRING)
            return ta_conf_bad(r, &t, where, err, "expected a string, found %s",
                               ta_conf_kind_name(&t));
        if (got == TA_OK)
            got = ta_conf_copy(r, &t, where, field, err);
        if (got < 0)
            return got;
    }
    if (got == TA_OK && !out->subject)
        return ta_conf_bad(r, open, where, err, "missing key 'subscribe-to'");
    return got;
}

int ta_conf_read_subscriptions(struct ta_conf_reader *r, const char *where, void *section,
                               struct ta_err *err)
{
    struct ta_conf_store *store = section;
    struct ta_json_token t;
    int got;

    store->subscriptions = NULL;
    store->n_subscriptions = 0;
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind != TA_JSON_ARRAY_END) {
        if (store->n_subscriptions == SUBSCRIPTIONS_MAX)
            return ta_conf_bad(r, &t, where, err, "more than %d subscriptions", SUBSCRIPTIONS_MAX);
        struct ta_conf_subscription *array =
            grow(r->arena, store->subscriptions, store->n_subscriptions, sizeof(*array));
        if (!array)
            return ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
        store->subscriptions = array;
        got = read_subscription(r, &t, where, &array[store->n_subscriptions], err);
        if (got < 0)
            return got;
        store->n_subscriptions++;
    }
    return got;
}

/* Metrics */

static int read_aggregation(struct ta_conf_reader *r, const char *where,
                            struct ta_conf_metric *metric, struct ta_err *err)
{
    struct ta_json_token t;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    metric->aggregation = "";
    if (t.kind == TA_JSON_NULL)
        return TA_OK;
    if (t.kind != TA_JSON_STRING)
        return ta_conf_bad(r, &t, where, err, "expected \"sum\", \"avg\" or null, found %s",
                           ta_conf_kind_name(&t));
    if (ta_str_is(t.text, "sum"))
        metric->aggregation = "sum";
    else if (ta_str_is(t.text, "avg"))
        metric->aggregation = "avg";
    else if (t.text.len > 0)
        ta_conf_warn(r, &t, where,
                     "Could not parse aggregation strategy: it is neither sum nor avg; using none");
    return TA_OK;
}

static int read_frequency(struct ta_conf_reader *r, const char *where,
                          struct ta_conf_metric *metric, struct ta_err *err)
{
    struct ta_json_token t;
    int got = ta_conf_next(r, &t, err);

    if (got < 0)
        return got;
    if (t.kind != TA_JSON_NUMBER || ta_json_i64(&t, &metric->frequency_s) < 0)
        return ta_conf_bad(r, &t, where, err, "expected an integer, found %s",
                           ta_conf_kind_name(&t));
    /* A day is far above any collector's interval, and keeps all sums of slots in range. */
    if (metric->frequency_s <= 0 || metric->frequency_s > 86400)
        return ta_conf_bad(r, &t, where, err, "must be 1 to 86400 seconds");
    return TA_OK;
}

static int read_metric(struct ta_conf_reader *r, const char *name, struct ta_conf_metric *out,
                       struct ta_err *err)
{
    struct ta_json_token open, t;
    char where[NAME_MAX_BYTES + 32];
    bool has_frequency = false;
    int got = ta_conf_next(r, &open, err);

    if (got < 0)
        return got;
    snprintf(where, sizeof(where), "metrics.%.100s", name);
    if (open.kind != TA_JSON_OBJECT)
        return ta_conf_bad(r, &open, where, err, "expected an object, found %s",
                           ta_conf_kind_name(&open));
    *out = (struct ta_conf_metric){.name = name};
    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind == TA_JSON_KEY) {
        char inner[NAME_MAX_BYTES + 64];

        snprintf(inner, sizeof(inner), "%s.%.*s", where, (int)(t.text.len < 24 ? t.text.len : 24),
                 t.text.at);
        if (ta_str_is(t.text, "frequency")) {
            has_frequency = true;
            got = read_frequency(r, inner, out, err);
        } else if (ta_str_is(t.text, "aggregation")) {
            got = read_aggregation(r, inner, out, err);
        } else {
            got = ta_conf_bad(r, &t, inner, err, "unknown key");
        }
        if (got < 0)
            return got;
    }
    if (got == TA_OK && (!has_frequency || !out->aggregation))
        return ta_conf_bad(r, &open, where, err, "missing key '%s'",
                           has_frequency ? "aggregation" : "frequency");
    return got;
}

/* Keeps the array sorted; the last of equal names counts, as in the reference. */
static int put_metric(struct ta_config *c, const struct ta_conf_metric *metric, struct ta_arena *a)
{
    size_t low = 0, high = c->n_metrics;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(c->metrics[middle].name, metric->name);

        if (order == 0) {
            c->metrics[middle] = *metric;
            return TA_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct ta_conf_metric *array = grow(a, c->metrics, c->n_metrics, sizeof(*array));
    if (!array)
        return TA_ENOMEM;
    c->metrics = array;
    memmove(&array[low + 1], &array[low], (c->n_metrics - low) * sizeof(*array));
    array[low] = *metric;
    c->n_metrics++;
    return TA_OK;
}

int ta_conf_read_metrics(struct ta_conf_reader *r, struct ta_config *c, struct ta_err *err)
{
    struct ta_json_token t;
    int got;

    while ((got = ta_conf_next(r, &t, err)) == TA_OK && t.kind == TA_JSON_KEY) {
        struct ta_conf_metric metric;
        const char *name = NULL;

        if (t.text.len == 0 || t.text.len > NAME_MAX_BYTES)
            return ta_conf_bad(r, &t, "metrics", err, "a metric's name has 1 to %d bytes",
                               NAME_MAX_BYTES);
        if (c->n_metrics == TA_CONF_METRICS_MAX)
            return ta_conf_bad(r, &t, "metrics", err, "more than %d metrics", TA_CONF_METRICS_MAX);
        got = ta_conf_copy(r, &t, "metrics", &name, err);
        if (got == TA_OK)
            got = read_metric(r, name, &metric, err);
        if (got == TA_OK && put_metric(c, &metric, r->arena) < 0)
            got = ta_fail(err, TA_ENOMEM, "%.160s: configuration is too large", r->file);
        if (got < 0)
            return got;
    }
    return got;
}
