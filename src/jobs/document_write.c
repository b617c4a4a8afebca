/* document_write.c - see document_write.h. */
#include "jobs/document_write.h"

#include <math.h>

#include "base/number.h"
#include "query/cluster_file.h"

enum {
    BUFFER = 64 * 1024,
    DRAIN = BUFFER / 2, /* bytes at which the buffer is emptied */
    VALUES_AT_ONCE = 64 /* of at most TA_FIXED_MAX bytes and a comma: they fit in the other half */
};

_Static_assert(VALUES_AT_ONCE *(TA_FIXED_MAX + 1) < DRAIN, "values fit behind a full half");

static void begin(struct ta_document_writer *w, struct ta_alloc *alloc)
{
    ta_buf_init(&w->buf, alloc, BUFFER);
    ta_json_writer_init(&w->json, &w->buf);
    if (w->form == TA_DOCUMENT_TREE)
        ta_json_put_object(&w->json);
    else
        ta_json_put_array(&w->json);
}

void ta_document_init(struct ta_document_writer *w, struct ta_sink *sink, struct ta_alloc *alloc)
{
    *w = (struct ta_document_writer){.sink = sink};
    begin(w, alloc);
}

void ta_document_init_part(struct ta_document_writer *w, struct ta_sink *sink,
                           enum ta_document_form form, struct ta_alloc *alloc)
{
    *w = (struct ta_document_writer){.sink = sink, .form = form, .is_part = true};
    begin(w, alloc);
}

void ta_document_done(struct ta_document_writer *w)
{
    if (w->sink)
        ta_buf_done(&w->buf);
}

static int drain(struct ta_document_writer *w, struct ta_err *err)
{
    int r = w->buf.len ? ta_sink_write(w->sink, w->buf.at, w->buf.len, err) : TA_OK;

    w->n_bytes += w->buf.len;
    ta_buf_reset(&w->buf);
    if (r < 0)
        w->json.error = r;
    return r;
}

static int step(struct ta_document_writer *w, struct ta_err *err)
{
    if (w->json.error)
        return ta_fail(err, w->json.error, "writing a job's data: %s", ta_strerror(w->json.error));
    return w->buf.len < DRAIN ? TA_OK : drain(w, err);
}

int ta_document_metric(struct ta_document_writer *w, struct ta_str name, struct ta_err *err)
{
    w->metric = name;
    if (w->form == TA_DOCUMENT_TREE) {
        ta_json_put_key_str(&w->json, name);
        ta_json_put_object(&w->json);
    }
    return step(w, err);
}

int ta_document_metric_end(struct ta_document_writer *w, struct ta_err *err)
{
    if (w->form == TA_DOCUMENT_TREE)
        ta_json_put_object_end(&w->json);
    return step(w, err);
}

static void put_names(struct ta_document_writer *w)
{
    ta_json_member_str(&w->json, "name", w->metric);
    ta_json_member_str(&w->json, "scope", w->scope);
}

int ta_document_scope(struct ta_document_writer *w, struct ta_str name, struct ta_err *err)
{
    w->scope = name;
    if (w->form != TA_DOCUMENT_TREE)
        ta_json_put_object(&w->json);
    if (w->form == TA_DOCUMENT_LABELLED)
        put_names(w);
    ta_json_put_key_str(&w->json, w->form == TA_DOCUMENT_TREE ? name : TA_STR("metric"));
    ta_json_put_object(&w->json);
    return step(w, err);
}

int ta_document_scope_end(struct ta_document_writer *w, int64_t timestep_s, struct ta_err *err)
{
    ta_json_put_array_end(&w->json);
    ta_json_member_i64(&w->json, "timestep", timestep_s);
    ta_json_put_object_end(&w->json);
    if (w->form == TA_DOCUMENT_NAMED)
        put_names(w);
    if (w->form != TA_DOCUMENT_TREE)
        ta_json_put_object_end(&w->json);
    return step(w, err);
}

int ta_document_statistics(struct ta_document_writer *w, struct ta_err *err)
{
    w->is_series = false;
    ta_json_put_key(&w->json, "statisticsSeries");
    ta_json_put_object(&w->json);
    return step(w, err);
}

int ta_document_percentiles(struct ta_document_writer *w, struct ta_err *err)
{
    ta_json_put_key(&w->json, "percentiles");
    ta_json_put_object(&w->json);
    return step(w, err);
}

int ta_document_percentiles_end(struct ta_document_writer *w, struct ta_err *err)
{
    ta_json_put_object_end(&w->json);
    return step(w, err);
}

int ta_document_statistic_null(struct ta_document_writer *w, struct ta_str name, struct ta_err *err)
{
    ta_json_put_key_str(&w->json, name);
    ta_json_put_null(&w->json);
    return step(w, err);
}

int ta_document_statistic(struct ta_document_writer *w, struct ta_str name, struct ta_err *err)
{
    ta_json_put_key_str(&w->json, name);
    ta_json_put_array(&w->json);
    return step(w, err);
}

int ta_document_statistic_end(struct ta_document_writer *w, struct ta_err *err)
{
    ta_json_put_array_end(&w->json);
    return step(w, err);
}

int ta_document_statistics_end(struct ta_document_writer *w, struct ta_err *err)
{
    ta_json_put_object_end(&w->json);
    return step(w, err);
}

int ta_document_unit(struct ta_document_writer *w, struct ta_str base, struct ta_str prefix,
                     struct ta_err *err)
{
    ta_unit_write(&w->json, &(struct ta_unit){base, prefix});
    ta_json_put_key(&w->json, "series");
    ta_json_put_array(&w->json);
    return step(w, err);
}

static void put_statistic(struct ta_document_writer *w, const char *key, double v)
{
    ta_json_put_key(&w->json, key);
    ta_json_put_fixed(&w->json, isfinite(v) ? v : 0, 2);
}

int ta_document_series(struct ta_document_writer *w, struct ta_str host, struct ta_str id,
                       const struct ta_stats *stats, struct ta_err *err)
{
    w->is_series = true;
    ta_json_put_object(&w->json);
    ta_json_member_str(&w->json, "hostname", host);
    if (id.len)
        ta_json_member_str(&w->json, "id", id);
    ta_json_put_key(&w->json, "statistics");
    ta_json_put_object(&w->json);
    put_statistic(w, "min", stats->min);
    put_statistic(w, "avg", stats->avg);
    put_statistic(w, "max", stats->max);
    ta_json_put_object_end(&w->json);
    ta_json_put_key(&w->json, "data");
    ta_json_put_array(&w->json);
    return step(w, err);
}

int ta_document_series_end(struct ta_document_writer *w, struct ta_err *err)
{
    ta_json_put_array_end(&w->json);
    ta_json_put_object_end(&w->json);
    return step(w, err);
}

int ta_document_values(struct ta_document_writer *w, const double *v, size_t n, struct ta_err *err)
{
    int r = TA_OK;

    for (size_t at = 0; r >= 0 && at < n; at += VALUES_AT_ONCE) {
        size_t end = n - at < VALUES_AT_ONCE ? n : at + VALUES_AT_ONCE;

        for (size_t i = at; i < end; i++)
            ta_json_put_fixed(&w->json, w->is_series ? (double)(float)v[i] : v[i], 2);
        r = step(w, err);
    }
    return r;
}

int ta_document_finish(struct ta_document_writer *w, struct ta_err *err)
{
    if (w->form == TA_DOCUMENT_TREE)
        ta_json_put_object_end(&w->json);
    else
        ta_json_put_array_end(&w->json);
    if (w->json.error == TA_OK && !w->is_part)
        w->json.error = ta_buf_byte(&w->buf, '\n');
    int r = step(w, err);
    return r < 0 ? r : drain(w, err);
}
