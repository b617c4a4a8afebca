/* data_reencode.c - see data_reencode.h. */
#include "jobs/data_reencode.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "io/json_read.h"
#include "jobs/job_int.h"

enum { NAMES_MAX = 32 * MiB, WINDOW = 1024, VALUES_MIN = 4096 };

/* One scope of one metric: its small parts, and where the large ones begin in the file (0 = nowhere). */
struct part {
    struct ta_str metric, scope, base, prefix; /* scope.at NULL: the metric has none */
    uint64_t series_at, statistics_at;
    int64_t timestep_s;
    size_t metric_no, order; /* of the file */
};

struct work {
    struct ta_file *file;
    uint64_t bytes;
    struct ta_alloc *alloc;
    struct ta_err *err;
    struct ta_arena arena;
    struct part *parts;
    size_t n_parts, n_metrics;
    struct ta_json_reader *json;
    struct ta_document_writer out;
    struct ta_buf host, id;
    float *values; /* of one series */
    size_t values_cap;
    double window[WINDOW];
};

/* ---- reading the file --------------------------------------------------------------------------- */

/* The file from some offset on, to the end of the document. */
struct span {
    struct ta_source source;
    struct ta_file_source file;
    uint64_t end;
};

static int64_t read_span(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct span *s = TA_CONTAINER(self, struct span, source);
    uint64_t left = s->end - s->file.at;

    return left == 0 ? 0
                     : s->file.source.read(&s->file.source, buf, n < left ? n : (size_t)left, err);
}

static int open_at(struct work *k, struct span *s, uint64_t at)
{
    *s = (struct span){.source = {read_span}, .end = k->bytes};
    ta_file_source_init(&s->file, k->file);
    s->file.at = at;
    if (ta_json_reader_new(&k->json, &s->source, &(struct ta_json_limits){0}, k->alloc) < 0)
        return ta_fail(k->err, TA_ENOMEM, "no memory to read a job's data");
    return TA_OK;
}

static int shut(struct work *k, int r)
{
    ta_json_reader_free(k->json);
    k->json = NULL;
    return r;
}

static int next(struct work *k, struct ta_json_token *token)
{
    int r = ta_json_next(k->json, token, k->err);

    return r == 0 ? ta_fail(k->err, TA_EFORMAT, "the data end too early") : r;
}

static int must(struct work *k, struct ta_json_token *token, enum ta_json_kind kind,
                const char *what)
{
    int r = next(k, token);

    return r < 0 ? r : token->kind == kind ? 1 : ta_json_expected(token, what, k->err);
}

/* ---- the first pass ----------------------------------------------------------------------------- */

static int keep(struct work *k, struct ta_str text, struct ta_str *out)
{
    *out = ta_arena_copy(&k->arena, text);
    return out->at ? TA_OK
                   : ta_fail(k->err, TA_ERANGE, "the names of a job's metrics are too long");
}

static int add_part(struct work *k, struct ta_str metric, struct part **out)
{
    size_t n = k->n_parts;

    if (n >= TA_REENCODE_SCOPES_MAX)
        return ta_fail(k->err, TA_ERANGE, "a job has data of more than %d scopes",
                       TA_REENCODE_SCOPES_MAX);
    if ((n & (n - 1)) == 0) {
        size_t cap = n ? 2 * n : 1;
        void *p = ta_resize(k->alloc, k->parts, n * sizeof(*k->parts), cap * sizeof(*k->parts));

        if (!p)
            return ta_fail(k->err, TA_ENOMEM, "no memory for the metrics of a job");
        k->parts = p;
    }
    *out = &k->parts[k->n_parts++];
    **out = (struct part){.metric = metric, .metric_no = k->n_metrics, .order = n};
    return TA_OK;
}

static int read_unit(struct work *k, struct part *part)
{
    struct ta_json_token token;
    int r = next(k, &token);

    if (r > 0 && token.kind == TA_JSON_STRING) {
        size_t prefix = ta_job_unit_prefix(token.text);

        r = keep(k, (struct ta_str){token.text.at + prefix, token.text.len - prefix}, &part->base);
        return r < 0 ? r : keep(k, (struct ta_str){token.text.at, prefix}, &part->prefix);
    }
    if (r > 0 && token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "a unit", k->err);
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        struct ta_str *to = ta_str_is(token.text, "base")     ? &part->base
                            : ta_str_is(token.text, "prefix") ? &part->prefix
                                                              : NULL;

        if (!to)
            r = ta_json_skip(k->json, k->err);
        else if ((r = next(k, &token)) > 0 && token.kind != TA_JSON_NULL)
            r = token.kind == TA_JSON_STRING ? keep(k, token.text, to)
                                             : ta_json_expected(&token, "a string", k->err);
    }
    return r < 0 ? r : TA_OK;
}

static int read_timestep(struct work *k, struct part *part)
{
    struct ta_json_token token;
    double step;
    int r = must(k, &token, TA_JSON_NUMBER, "a time step in seconds");

    if (r < 0)
        return r;
    if (ta_json_f64(&token, &step) < 0 || !(step >= 1 && step < 0x1p53) || step != trunc(step))
        return ta_json_expected(&token, "a time step in seconds", k->err);
    part->timestep_s = (int64_t)step;
    return TA_OK;
}

/* Where a value begins that the second pass reads; null is nowhere. */
static int note(struct work *k, enum ta_json_kind kind, bool may_be_null, const char *what,
                uint64_t *out)
{
    struct ta_json_token token;
    int r = next(k, &token);

    if (r < 0)
        return r;
    *out = 0;
    if (token.kind == TA_JSON_NULL && may_be_null)
        return TA_OK;
    if (token.kind != kind)
        return ta_json_expected(&token, what, k->err);
    *out = ta_json_offset(k->json) - 1;
    return ta_json_skip(k->json, k->err);
}

static int lacks(struct work *k, const struct ta_json_token *end, const char *member)
{
    return ta_fail(k->err, TA_EFORMAT, "line %llu:%llu: a metric without \"%s\"",
                   (unsigned long long)end->line, (unsigned long long)end->column, member);
}

static int index_scope(struct work *k, struct part *part)
{
    struct ta_json_token token;
    int r = must(k, &token, TA_JSON_OBJECT, "the data of a scope");

    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "unit"))
            r = read_unit(k, part);
        else if (ta_str_is(token.text, "timestep"))
            r = read_timestep(k, part);
        else if (ta_str_is(token.text, "series"))
            r = note(k, TA_JSON_ARRAY, false, "a list of series", &part->series_at);
        else if (ta_str_is(token.text, "statisticsSeries"))
            r = note(k, TA_JSON_OBJECT, true, "statistics series", &part->statistics_at);
        else
            r = ta_json_skip(k->json, k->err);
    }
    if (r < 0)
        return r;
    return !part->series_at    ? lacks(k, &token, "series")
           : !part->timestep_s ? lacks(k, &token, "timestep")
                               : TA_OK;
}

static int index_metric(struct work *k, struct ta_str metric)
{
    struct ta_json_token token;
    struct part *part;
    size_t before = k->n_parts;
    int r = must(k, &token, TA_JSON_OBJECT, "the scopes of a metric");

    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        r = add_part(k, metric, &part);
        if (r >= 0)
            r = keep(k, token.text, &part->scope);
        if (r >= 0)
            r = index_scope(k, part);
    }
    if (r >= 0 && k->n_parts == before)
        r = add_part(k, metric, &part);
    k->n_metrics++;
    return r < 0 ? r : TA_OK;
}

static int index_all(struct work *k)
{
    struct ta_json_token token;
    struct ta_str metric;
    struct span span;
    int r = open_at(k, &span, 0);

    if (r >= 0)
        r = must(k, &token, TA_JSON_OBJECT, "an object of metrics");
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        r = keep(k, token.text, &metric);
        if (r >= 0)
            r = index_metric(k, metric);
    }
    return shut(k, r < 0 ? r : ta_json_finish(k->json, k->err));
}

/* ---- the second pass ---------------------------------------------------------------------------- */

static int value_of(struct work *k, const struct ta_json_token *token, double *out)
{
    *out = NAN;
    if (token->kind == TA_JSON_NULL)
        return TA_OK;
    if (token->kind != TA_JSON_NUMBER)
        return ta_json_expected(token, "a number or null", k->err);
    return ta_json_f64(token, out) < 0 ? ta_fail(k->err, TA_ERANGE, "number out of range") : TA_OK;
}

/* The rest of a list straight to the writer. */
static int copy_values(struct work *k)
{
    struct ta_json_token token;
    size_t n = 0;
    int r;

    while ((r = next(k, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        r = value_of(k, &token, &k->window[n]);
        if (r >= 0 && ++n == WINDOW) {
            r = ta_document_values(&k->out, k->window, n, k->err);
            n = 0;
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : ta_document_values(&k->out, k->window, n, k->err);
}

static int write_statistic(struct work *k, struct ta_str name)
{
    int r = ta_document_statistic(&k->out, name, k->err);

    if (r >= 0)
        r = copy_values(k);
    return r < 0 ? r : ta_document_statistic_end(&k->out, k->err);
}

static int write_percentiles(struct work *k)
{
    struct ta_json_token token;
    struct ta_str name;
    int r = ta_document_percentiles(&k->out, k->err);

    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        ta_buf_reset(&k->id);
        r = ta_buf_str(&k->id, token.text);
        name = ta_buf_view(&k->id);
        if (r >= 0)
            r = must(k, &token, TA_JSON_ARRAY, "a list of values");
        if (r >= 0)
            r = write_statistic(k, name);
    }
    return r < 0 ? r : ta_document_percentiles_end(&k->out, k->err);
}

static const char *const statistic_names[] = {"percentiles", "mean", "median", "min", "max"};
enum { STATISTICS = TA_COUNT(statistic_names) };

/* Where each of them begins; 0: it is missing or null. */
static int find_statistics(struct work *k, uint64_t at, uint64_t out[STATISTICS])
{
    struct ta_json_token token;
    struct span span;
    int r = open_at(k, &span, at);

    if (r >= 0)
        r = next(k, &token); /* '{': the first pass saw it */
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        size_t i = 0;

        while (i < STATISTICS && !ta_str_is(token.text, statistic_names[i]))
            i++;
        if (i == STATISTICS) {
            r = ta_json_skip(k->json, k->err);
            continue;
        }
        r = note(k, i == 0 ? TA_JSON_OBJECT : TA_JSON_ARRAY, true, "a list of values", &out[i]);
        out[i] += out[i] ? at : 0;
    }
    return shut(k, r < 0 ? r : TA_OK);
}

static int write_statistics(struct work *k, uint64_t at)
{
    uint64_t from[STATISTICS] = {0};
    int r = find_statistics(k, at, from);

    if (r >= 0)
        r = ta_document_statistics(&k->out, k->err);
    for (size_t i = 0; r >= 0 && i < STATISTICS; i++) {
        struct ta_json_token token;
        struct span span;

        if (!from[i]) {
            r = i == 0 ? TA_OK
                       : ta_document_statistic_null(&k->out, ta_str(statistic_names[i]), k->err);
            continue;
        }
        r = open_at(k, &span, from[i]);
        if (r >= 0)
            r = next(k, &token);
        if (r >= 0)
            r = i == 0 ? write_percentiles(k) : write_statistic(k, ta_str(statistic_names[i]));
        r = shut(k, r);
    }
    return r < 0 ? r : ta_document_statistics_end(&k->out, k->err);
}

static int keep_value(struct work *k, size_t n, double v)
{
    if (n == k->values_cap) {
        size_t cap = n ? 2 * n : VALUES_MIN;

        if (n >= TA_REENCODE_VALUES_MAX)
            return ta_fail(k->err, TA_ERANGE, "a series has more than %d values",
                           TA_REENCODE_VALUES_MAX);
        void *p = ta_resize(k->alloc, k->values, n * sizeof(float), cap * sizeof(float));
        if (!p)
            return ta_fail(k->err, TA_ENOMEM, "no memory for a series");
        k->values = p;
        k->values_cap = cap;
    }
    k->values[n] = (float)v;
    return TA_OK;
}

static int read_values(struct work *k, size_t *out_n)
{
    struct ta_json_token token;
    double v;
    int r = must(k, &token, TA_JSON_ARRAY, "a list of values");

    *out_n = 0;
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        r = value_of(k, &token, &v);
        if (r >= 0)
            r = keep_value(k, (*out_n)++, v);
    }
    return r < 0 ? r : TA_OK;
}

static int read_stats(struct work *k, struct ta_stats *out)
{
    struct ta_json_token token;
    int r = next(k, &token);

    if (r < 0 || token.kind == TA_JSON_NULL)
        return r;
    if (token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "statistics", k->err);
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        double *to = ta_str_is(token.text, "min")   ? &out->min
                     : ta_str_is(token.text, "avg") ? &out->avg
                     : ta_str_is(token.text, "max") ? &out->max
                                                    : NULL;

        if (!to)
            r = ta_json_skip(k->json, k->err);
        else if ((r = next(k, &token)) > 0)
            r = value_of(k, &token, to);
    }
    return r < 0 ? r : TA_OK;
}

static int read_name(struct work *k, const char *what, struct ta_buf *out)
{
    struct ta_json_token token;
    int r = next(k, &token);

    ta_buf_reset(out);
    if (r < 0 || token.kind == TA_JSON_NULL)
        return r;
    if (token.kind != TA_JSON_STRING)
        return ta_json_expected(&token, what, k->err);
    r = ta_buf_str(out, token.text);
    return r < 0 ? ta_fail(k->err, r, "%s: %s", what, ta_strerror(r)) : TA_OK;
}

static int write_series(struct work *k, const struct ta_stats *stats, size_t n)
{
    int r = ta_document_series(&k->out, ta_buf_view(&k->host), ta_buf_view(&k->id), stats, k->err);

    for (size_t at = 0; r >= 0 && at < n; at += WINDOW) {
        size_t piece = n - at < WINDOW ? n - at : WINDOW;

        for (size_t i = 0; i < piece; i++)
            k->window[i] = (double)k->values[at + i];
        r = ta_document_values(&k->out, k->window, piece, k->err);
    }
    return r < 0 ? r : ta_document_series_end(&k->out, k->err);
}

static int copy_series(struct work *k)
{
    struct ta_json_token token;
    struct ta_stats stats = {0};
    size_t n = 0;
    bool has_host = false;
    int r = TA_OK;

    ta_buf_reset(&k->id);
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "hostname")) {
            has_host = true;
            r = read_name(k, "a name", &k->host);
        } else if (ta_str_is(token.text, "id")) {
            r = read_name(k, "an id", &k->id);
        } else if (ta_str_is(token.text, "statistics")) {
            r = read_stats(k, &stats);
        } else if (ta_str_is(token.text, "data")) {
            r = read_values(k, &n);
        } else {
            r = ta_json_skip(k->json, k->err);
        }
    }
    if (r >= 0 && !has_host)
        r = ta_fail(k->err, TA_EFORMAT, "a series without \"hostname\"");
    return r < 0 ? r : write_series(k, &stats, n);
}

static int write_part(struct work *k, const struct part *part)
{
    struct ta_json_token token;
    struct span span;
    int r = part->statistics_at ? write_statistics(k, part->statistics_at) : TA_OK;

    if (r >= 0)
        r = ta_document_unit(&k->out, part->base, part->prefix, k->err);
    if (r >= 0)
        r = open_at(k, &span, part->series_at);
    if (r >= 0)
        r = next(k, &token); /* '[': the first pass saw it */
    while (r >= 0 && (r = next(k, &token)) > 0 && token.kind != TA_JSON_ARRAY_END)
        r = token.kind == TA_JSON_OBJECT ? copy_series(k)
                                         : ta_json_expected(&token, "a series", k->err);
    r = shut(k, r);
    return r < 0 ? r : ta_document_scope_end(&k->out, part->timestep_s, k->err);
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left;
    const struct part *b = right;
    int r = ta_str_cmp(a->metric, b->metric);

    if (r == 0)
        r = (a->metric_no > b->metric_no) - (a->metric_no < b->metric_no);
    if (r == 0)
        r = ta_str_cmp(a->scope, b->scope);
    return r ? r : (a->order > b->order) - (a->order < b->order);
}

/* Behind the last part of the metric of part i. */
static size_t metric_end(const struct work *k, size_t i)
{
    size_t end = i + 1;

    while (end < k->n_parts && ta_str_eq(k->parts[end].metric, k->parts[i].metric))
        end++;
    return end;
}

/* Parts [i, end) are of one metric. Of two metrics with one name, and of two scopes, the last one counts. */
static int write_metric(struct work *k, size_t i, size_t end)
{
    const size_t metric_no = k->parts[end - 1].metric_no;
    int r = ta_document_metric(&k->out, k->parts[i].metric, k->err);

    for (; r >= 0 && i < end; i++) {
        const struct part *part = &k->parts[i];

        if (part->metric_no != metric_no || !part->scope.at ||
            (i + 1 < end && ta_str_eq(part[1].scope, part->scope)))
            continue;
        r = ta_document_scope(&k->out, part->scope, k->err);
        if (r >= 0)
            r = write_part(k, part);
        if (r < 0)
            return ta_fail_context(k->err, r, "%.*s, %.*s: ", TA_STR_FMT(part->metric),
                                   TA_STR_FMT(part->scope));
    }
    return r < 0 ? r : ta_document_metric_end(&k->out, k->err);
}

static int write_all(struct work *k)
{
    int r = TA_OK;

    if (k->n_parts)
        qsort(k->parts, k->n_parts, sizeof(*k->parts), compare_parts);
    for (size_t i = 0; r >= 0 && i < k->n_parts;) {
        size_t end = metric_end(k, i);

        r = write_metric(k, i, end);
        i = end;
    }
    return r < 0 ? r : ta_document_finish(&k->out, k->err);
}

int ta_data_reencode(struct ta_file *file, uint64_t bytes, struct ta_sink *sink,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    struct work *k = ta_alloc_zero(alloc, 1, sizeof(*k));

    if (!k)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's data");
    k->file = file;
    k->bytes = bytes;
    k->alloc = alloc;
    k->err = err;
    ta_arena_init(&k->arena, alloc, NAMES_MAX);
    ta_buf_init(&k->host, alloc, 64 * KiB);
    ta_buf_init(&k->id, alloc, 64 * KiB);
    int r = index_all(k);
    if (r >= 0) {
        ta_document_init(&k->out, sink, alloc);
        r = write_all(k);
        ta_document_done(&k->out);
    }
    size_t cap = 1;
    while (cap < k->n_parts)
        cap *= 2;
    ta_release(alloc, k->parts, k->parts ? cap * sizeof(*k->parts) : 0);
    ta_release(alloc, k->values, k->values_cap * sizeof(float));
    ta_buf_done(&k->host);
    ta_buf_done(&k->id);
    ta_arena_done(&k->arena);
    ta_release(alloc, k, sizeof(*k));
    return r;
}
