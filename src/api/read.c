/* read.c - values and statistics out of the library's store (spec: metric-store 5-7). */
#include "api/api_int.h"
#include "query/resample.h"
#include "query/values.h"

#include <math.h>

enum { NAMES_MAX = 65536, WINDOW = 65536 /* values of one copy: bounds the time under a lock */ };

/* A selection in the words of the store; `names` is its memory. */
struct selection {
    struct ta_selection what;
    struct ta_sel path[2];
    struct ta_str *names;
    size_t n_names;
};

static void select_level(struct selection *out, struct ta_sel *level, struct ta_str *names,
                         const char *const *given, size_t n)
{
    for (size_t i = 0; i < n; i++)
        names[i] = ta_str(given[i]);
    *level = n == 1 ? (struct ta_sel){.kind = TA_SEL_EXACT, .name = names[0]}
                    : (struct ta_sel){.kind = TA_SEL_GROUP, .names = names, .n_names = n};
    out->what.n_path++;
}

static int selection_init(struct selection *out, const struct tarn_selection *what, uint32_t metric,
                          struct ta_err *err)
{
    *out = (struct selection){.n_names = what->n_types + what->n_subtypes};
    out->what = (struct ta_selection){
        .cluster = ta_str(what->cluster), .host = ta_str(what->host), .metric = metric};
    if (what->n_types > NAMES_MAX || what->n_subtypes > NAMES_MAX ||
        (what->n_subtypes && !what->n_types))
        return ta_fail(err, TA_EINVAL, "subtypes without types, or more than %d names", NAMES_MAX);
    if (out->n_names == 0)
        return TA_OK;
    out->names = ta_alloc(&ta_heap, out->n_names * sizeof(out->names[0]));
    if (!out->names)
        return ta_fail(err, TA_ENOMEM, "no memory for %zu names", out->n_names);
    select_level(out, &out->path[0], out->names, what->types, what->n_types);
    if (what->n_subtypes)
        select_level(out, &out->path[1], out->names + what->n_types, what->subtypes,
                     what->n_subtypes);
    return TA_OK;
}

static void selection_done(struct selection *s)
{
    ta_release(&ta_heap, s->names, s->n_names * sizeof(s->names[0]));
}

static int plan(struct tarn_store *s, struct selection *sel, int64_t from_s, int64_t to_s,
                enum ta_agg agg, struct ta_span *span, struct ta_err *err)
{
    sel->what.path = sel->path;
    int r = ta_read_span(s->store, &sel->what, from_s, to_s, span);

    if (r == TA_ENOTFOUND)
        return ta_fail(err, r, "metric or host not found");
    if (r < 0)
        return ta_fail(err, r, "invalid time range");
    if (span->n_series > 1 && agg == TA_AGG_NONE)
        return ta_fail(err, TA_EINVAL, "the metric has no aggregation, but there are %u series",
                       span->n_series);
    if (span->n_slots > SIZE_MAX / sizeof(double))
        return ta_fail(err, TA_ERANGE, "the range is too long");
    return TA_OK;
}

static void fetch(struct tarn_store *s, const struct selection *sel, const struct ta_span *span,
                  enum ta_agg agg, double *out)
{
    for (size_t at = 0; at < span->n_slots;) {
        size_t n = span->n_slots - at < WINDOW ? span->n_slots - at : WINDOW;
        int64_t found = ta_read_sum(s->store, &sel->what, span->from_s + (int64_t)at * span->freq_s,
                                    out + at, n);

        if (found > 1 && agg == TA_AGG_AVG)
            ta_scale(out + at, n, 1.0 / (double)found);
        at += n;
    }
}

static int read_series(struct tarn_store *s, struct selection *sel, enum ta_agg agg, int64_t from_s,
                       int64_t to_s, int64_t resolution_s, struct tarn_series *out,
                       struct ta_err *err)
{
    struct ta_resample thin;
    struct ta_span span;
    int r = plan(s, sel, from_s, to_s, agg, &span, err);

    if (r == TA_OK)
        r = ta_resample_plan(span.freq_s, resolution_s, span.n_slots, &thin, err);
    if (r < 0)
        return r;
    size_t n = span.n_slots;
    double *values = ta_alloc(&ta_heap, (n ? n : 1) * sizeof(double));
    if (!values)
        return ta_fail(err, TA_ENOMEM, "no memory for %zu values", n);
    fetch(s, sel, &span, agg, values);
    if (thin.is_changed)
        ta_resample_run(&thin, values, n, values);
    double *fitting = ta_resize(&ta_heap, values, (n ? n : 1) * sizeof(double),
                                (thin.n_out ? thin.n_out : 1) * sizeof(double));
    if (!fitting) {
        ta_release(&ta_heap, values, (n ? n : 1) * sizeof(double));
        return ta_fail(err, TA_ENOMEM, "no memory for %zu values", thin.n_out);
    }
    *out = (struct tarn_series){.values = fitting,
                                .n = thin.n_out,
                                .from_s = span.from_s,
                                .to_s = span.to_s,
                                .step_s = thin.resolution_s};
    return TA_OK;
}

int tarn_read(struct tarn_store *s, const struct tarn_selection *what, const char *metric,
              int64_t from_s, int64_t to_s, int64_t resolution_s, struct tarn_series *out,
              struct tarn_error *err)
{
    struct ta_err why = {0};
    struct selection sel;
    enum ta_agg agg;
    uint32_t id;
    int r = api_metric(s, metric, &id, NULL, &agg, err);

    if (r < 0)
        return r;
    r = selection_init(&sel, what, id, &why);
    if (r == TA_OK)
        r = read_series(s, &sel, agg, from_s, to_s, resolution_s, out, &why);
    selection_done(&sel);
    return r < 0 ? api_fail(err, r, &why) : TA_OK;
}

void tarn_series_done(struct tarn_series *series)
{
    ta_release(&ta_heap, series->values, (series->n ? series->n : 1) * sizeof(double));
    *series = (struct tarn_series){0};
}

int tarn_statistics(struct tarn_store *s, const struct tarn_selection *what, const char *metric,
                    int64_t from_s, int64_t to_s, struct tarn_stats *out, struct tarn_error *err)
{
    struct ta_read_stats got;
    struct ta_err why = {0};
    struct selection sel;
    struct ta_span span;
    enum ta_agg agg;
    uint32_t id;
    int r = api_metric(s, metric, &id, NULL, &agg, err);

    if (r < 0)
        return r;
    r = selection_init(&sel, what, id, &why);
    if (r == TA_OK)
        r = plan(s, &sel, from_s, to_s, agg, &span, &why);
    if (r == TA_OK)
        r = ta_read_stats(s->store, &sel.what, from_s, to_s, &got);
    selection_done(&sel);
    if (r < 0)
        return api_fail(err, r, &why);
    *out = (struct tarn_stats){.n_samples = got.n_samples,
                               .avg = NAN,
                               .min = NAN,
                               .max = NAN,
                               .from_s = got.from_s,
                               .to_s = got.to_s};
    if (got.n_samples > 0) {
        out->avg = agg == TA_AGG_AVG ? got.sum_of_means / got.n_series : got.sum_of_means;
        out->min = got.min;
        out->max = got.max;
    }
    return TA_OK;
}
