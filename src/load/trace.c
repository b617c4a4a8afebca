/* trace.c - job data into arrays. */
#include "load/trace.h"

#include "io/json_read.h"

#include <math.h>

enum { FIRST_VALUES = 512 };

/* Where in the document the reader is. */
struct reading {
    struct ta_trace *trace;
    struct ta_json_reader *json;
    struct ta_err *err;
};

static int expect(struct reading *r, enum ta_json_kind kind, const char *what)
{
    struct ta_json_token t;
    int n = ta_json_next(r->json, &t, r->err);

    if (n < 0)
        return n;
    if (n == 0 || t.kind != kind)
        return ta_json_expected(&t, what, r->err);
    return TA_OK;
}

/* The next key of the object we are in: 1, or 0 at its end. */
static int next_key(struct reading *r, struct ta_json_token *t)
{
    int n = ta_json_next(r->json, t, r->err);

    if (n < 0)
        return n;
    if (n == 1 && t->kind == TA_JSON_OBJECT_END)
        return 0;
    return n == 1 && t->kind == TA_JSON_KEY ? 1 : ta_json_expected(t, "a key", r->err);
}

static int add_value(struct ta_trace *t, struct ta_trace_series *s, uint32_t *cap, double v)
{
    if (s->n == *cap) {
        uint32_t more = *cap ? *cap * 2 : FIRST_VALUES;
        if (s->n == TA_TRACE_SAMPLES_MAX)
            return TA_ERANGE;
        double *values =
            ta_resize(t->alloc, s->values, *cap * sizeof(*values), more * sizeof(*values));
        if (!values)
            return TA_ENOMEM;
        s->values = values;
        *cap = more;
    }
    s->values[s->n++] = v;
    return TA_OK;
}

/* "data":[...] into s, which then owns exactly n values. */
static int read_data(struct reading *r, struct ta_trace_series *s)
{
    struct ta_trace *trace = r->trace;
    struct ta_json_token t;
    uint32_t cap = s->n; /* a repeated key: the last one counts */

    int n = expect(r, TA_JSON_ARRAY, "an array of numbers");
    for (s->n = 0; n == TA_OK;) {
        double v = NAN;
        n = ta_json_next(r->json, &t, r->err);
        if (n != 1 || t.kind == TA_JSON_ARRAY_END)
            break;
        n = t.kind == TA_JSON_NULL     ? TA_OK
            : t.kind == TA_JSON_NUMBER ? ta_json_f64(&t, &v)
                                       : ta_json_expected(&t, "a number or null", r->err);
        if (n == TA_OK)
            n = add_value(trace, s, &cap, v);
    }
    if (n < 0 || s->n == 0) {
        ta_release(trace->alloc, s->values, cap * sizeof(*s->values));
        s->values = NULL;
        s->n = 0;
        return n < 0 ? ta_fail(r->err, n, "job data: %s", ta_strerror(n)) : TA_OK;
    }
    double *exact = ta_resize(trace->alloc, s->values, cap * sizeof(*exact), s->n * sizeof(*exact));
    if (!exact) { /* a shrink that is refused leaves the block as it was */
        ta_release(trace->alloc, s->values, cap * sizeof(*s->values));
        s->values = NULL;
        s->n = 0;
        return ta_fail(r->err, TA_ENOMEM, "no memory for job data");
    }
    s->values = exact;
    return TA_OK;
}

static int add_series(struct reading *r, uint32_t metric, uint32_t host,
                      struct ta_trace_series **out)
{
    struct ta_trace *t = r->trace;

    if (t->n_series == t->cap_series) {
        uint32_t cap = t->cap_series ? t->cap_series * 2 : 64;
        if (t->n_series == TA_TRACE_SERIES_MAX)
            return ta_fail(r->err, TA_ERANGE, "job data has more than %d series",
                           TA_TRACE_SERIES_MAX);
        struct ta_trace_series *series =
            ta_resize(t->alloc, t->series, t->cap_series * sizeof(*series), cap * sizeof(*series));
        if (!series)
            return ta_fail(r->err, TA_ENOMEM, "no memory for job data");
        t->series = series;
        t->cap_series = cap;
    }
    *out = &t->series[t->n_series++];
    **out = (struct ta_trace_series){.metric = metric, .host = host};
    return TA_OK;
}

/* "series":[{...},...] */
static int read_all_series(struct reading *r, uint32_t metric)
{
    struct ta_trace_series *s = NULL;
    struct ta_json_token t;

    int n = expect(r, TA_JSON_ARRAY, "an array of series");
    for (uint32_t host = 0; n == TA_OK; host++) {
        n = ta_json_next(r->json, &t, r->err);
        if (n < 0 || t.kind == TA_JSON_ARRAY_END)
            return n < 0 ? n : TA_OK;
        if (t.kind != TA_JSON_OBJECT)
            return ta_json_expected(&t, "a series", r->err);
        n = add_series(r, metric, host, &s);
        while (n == TA_OK && (n = next_key(r, &t)) == 1)
            n = ta_str_is(t.text, "data") ? read_data(r, s) : ta_json_skip(r->json, r->err);
    }
    return n;
}

/* The value of "node". */
static int read_node(struct reading *r, uint32_t metric)
{
    struct ta_json_token t;

    int n = expect(r, TA_JSON_OBJECT, "an object");
    while (n == TA_OK && (n = next_key(r, &t)) == 1) {
        if (ta_str_is(t.text, "series")) {
            n = read_all_series(r, metric);
        } else if (ta_str_is(t.text, "timestep")) {
            n = ta_json_next(r->json, &t, r->err);
            if (n == 1)
                n = ta_json_i64(&t, &r->trace->metrics[metric].timestep_s);
        } else {
            n = ta_json_skip(r->json, r->err);
        }
    }
    return n;
}

static int read_metric(struct reading *r, struct ta_str name)
{
    struct ta_trace *trace = r->trace;
    struct ta_json_token t;
    uint32_t metric = trace->n_metrics;

    if (metric == TA_TRACE_METRICS_MAX || name.len >= sizeof(trace->metrics[0].name))
        return ta_fail(r->err, TA_ERANGE, "job data: too many metrics, or too long a name");
    trace->n_metrics++;
    memcpy(trace->metrics[metric].name, name.at, name.len);
    trace->metrics[metric].name[name.len] = 0;
    trace->metrics[metric].timestep_s = 60;
    int n = expect(r, TA_JSON_OBJECT, "an object of scopes");
    while (n == TA_OK && (n = next_key(r, &t)) == 1)
        n = ta_str_is(t.text, "node") ? read_node(r, metric) : ta_json_skip(r->json, r->err);
    return n;
}

int ta_trace_read(struct ta_trace *t, struct ta_source *src, struct ta_alloc *alloc,
                  struct ta_err *err)
{
    struct reading r = {.trace = t, .err = err};
    struct ta_json_token token;

    *t = (struct ta_trace){.alloc = alloc};
    int n = ta_json_reader_new(&r.json, src, NULL, alloc);
    if (n < 0)
        return ta_fail(err, n, "job data: %s", ta_strerror(n));
    n = expect(&r, TA_JSON_OBJECT, "an object of metrics");
    while (n == TA_OK && (n = next_key(&r, &token)) == 1)
        n = read_metric(&r, token.text);
    ta_json_reader_free(r.json);
    if (n < 0)
        ta_trace_done(t);
    return n;
}

void ta_trace_done(struct ta_trace *t)
{
    for (uint32_t i = 0; i < t->n_series; i++)
        ta_release(t->alloc, t->series[i].values, t->series[i].n * sizeof(*t->series[i].values));
    if (t->alloc)
        ta_release(t->alloc, t->series, t->cap_series * sizeof(*t->series));
    *t = (struct ta_trace){0};
}

double ta_trace_value(const struct ta_trace_series *s, uint64_t tick, uint32_t copy)
{
    return s->n ? s->values[(tick + (uint64_t)copy * 97) % s->n] : NAN;
}
