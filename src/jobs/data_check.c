/* data_check.c - see data_check.h. One function a level; each begins behind the value's first token. */
#include "jobs/data_check.h"

#include <math.h>

#include "io/json_read.h"

#include <math.h>

enum { VALUES = 512, TIMESTEP_MAX = 1000000000 /* seconds: 32 years */ };

struct checking {
    struct ta_json_reader *json;
    struct ta_data_counts *counts;
    struct ta_data_taker *taker; /* NULL: nobody wants to know */
    bool is_wanted;              /* the metric */
    struct ta_err *err;
    double values[VALUES];
    size_t n;
};

static int tell(struct checking *c, const struct ta_data_event *event)
{
    return c->is_wanted ? c->taker->take(c->taker, event, c->err) : TA_OK;
}

static int tell_of(struct checking *c, enum ta_data_kind kind)
{
    return tell(c, &(struct ta_data_event){.kind = kind});
}

static int tell_values(struct checking *c)
{
    const struct ta_data_event event = {.kind = TA_DATA_VALUES, .values = c->values, .n = c->n};
    int r = c->n ? tell(c, &event) : TA_OK;

    c->n = 0;
    return r;
}

static int next(struct checking *c, struct ta_json_token *token)
{
    int r = ta_json_next(c->json, token, c->err);

    return r == 0 ? ta_fail(c->err, TA_EFORMAT, "the data end too early") : r;
}

static int must(struct checking *c, enum ta_json_kind kind, const char *what)
{
    struct ta_json_token token;
    int r = next(c, &token);

    return r < 0 ? r : token.kind == kind ? TA_OK : ta_json_expected(&token, what, c->err);
}

static int lacks(struct checking *c, const struct ta_json_token *end, const char *what,
                 const char *member)
{
    return ta_fail(c->err, TA_EFORMAT, "line %llu:%llu: %s without \"%s\"",
                   (unsigned long long)end->line, (unsigned long long)end->column, what, member);
}

/* A text and what it is of. */
static int must_text(struct checking *c, enum ta_data_kind kind, const char *what)
{
    struct ta_json_token token;
    int r = next(c, &token);

    if (r < 0 || token.kind != TA_JSON_STRING)
        return r < 0 ? r : ta_json_expected(&token, what, c->err);
    return tell(c, &(struct ta_data_event){.kind = kind, .text = token.text});
}

/* What does not fit into a double is no value that anybody measured. */
static int take_value(struct checking *c, const struct ta_json_token *token)
{
    double v;

    if (!c->is_wanted)
        return TA_OK;
    c->values[c->n++] = token->kind == TA_JSON_NULL || ta_json_f64(token, &v) < 0 ? NAN : v;
    return c->n < VALUES ? TA_OK : tell_values(c);
}

/* Numbers and nulls up to the end of the list. */
static int check_values(struct checking *c)
{
    struct ta_json_token token;
    int r = TA_OK;

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        if (token.kind != TA_JSON_NUMBER && token.kind != TA_JSON_NULL)
            return ta_json_expected(&token, "a number or null", c->err);
        c->counts->values++;
        r = take_value(c, &token);
    }
    return r < 0 ? r : tell_values(c);
}

enum { SEEN_MIN = 1, SEEN_AVG = 2, SEEN_MAX = 4, SEEN_ALL = 7 };

static int must_number(struct checking *c, double *out)
{
    struct ta_json_token token;
    int r = next(c, &token);

    if (r < 0 || token.kind != TA_JSON_NUMBER)
        return r < 0 ? r : ta_json_expected(&token, "a number", c->err);
    if (ta_json_f64(&token, out) < 0)
        *out = NAN;
    return TA_OK;
}

static int check_statistics(struct checking *c)
{
    struct ta_data_event event = {.kind = TA_DATA_STATISTICS};
    struct ta_json_token token;
    unsigned seen = 0;
    int r = must(c, TA_JSON_OBJECT, "statistics");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "min")) {
            seen |= SEEN_MIN;
            r = must_number(c, &event.stats.min);
        } else if (ta_str_is(token.text, "avg")) {
            seen |= SEEN_AVG;
            r = must_number(c, &event.stats.avg);
        } else if (ta_str_is(token.text, "max")) {
            seen |= SEEN_MAX;
            r = must_number(c, &event.stats.max);
        } else {
            r = ta_json_skip(c->json, c->err);
        }
    }
    return r < 0              ? r
           : seen == SEEN_ALL ? tell(c, &event)
                              : lacks(c, &token, "statistics", "min, avg and max");
}

static int check_one_series(struct checking *c)
{
    struct ta_json_token token;
    bool has_host = false;
    bool has_data = false;
    int r = tell_of(c, TA_DATA_SERIES);

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "hostname")) {
            has_host = true;
            r = must_text(c, TA_DATA_HOST, "a name");
        } else if (ta_str_is(token.text, "id")) {
            r = must_text(c, TA_DATA_ID, "an id");
        } else if (ta_str_is(token.text, "statistics")) {
            r = check_statistics(c);
        } else if (ta_str_is(token.text, "data")) {
            has_data = true;
            r = must(c, TA_JSON_ARRAY, "a list of values");
            if (r >= 0)
                r = check_values(c);
        } else {
            r = ta_json_skip(c->json, c->err);
        }
    }
    if (r < 0)
        return r;
    return !has_host   ? lacks(c, &token, "a series", "hostname")
           : !has_data ? lacks(c, &token, "a series", "data")
                       : tell_of(c, TA_DATA_SERIES_END);
}

static int check_series(struct checking *c)
{
    struct ta_json_token token;
    int r = must(c, TA_JSON_ARRAY, "a list of series");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        if (token.kind != TA_JSON_OBJECT)
            return ta_json_expected(&token, "a series", c->err);
        c->counts->series++;
        r = check_one_series(c);
    }
    return r < 0 ? r : TA_OK;
}

/* A longer one is cut: no unit and no statistic has such a name. */
static void keep_text(struct ta_str *out, struct ta_str text, char *room, size_t size)
{
    size_t n = text.len < size ? text.len : size;

    memcpy(room, text.at, n);
    *out = (struct ta_str){room, n};
}

static int check_statistic(struct checking *c, struct ta_str key, bool is_percentile)
{
    struct ta_data_event event = {.kind = TA_DATA_STATISTIC, .is_percentile = is_percentile};
    struct ta_json_token token;
    char name[64];

    keep_text(&event.text, key, name, sizeof(name));
    int r = next(c, &token);
    if (r < 0)
        return r;
    event.is_null = token.kind == TA_JSON_NULL;
    if (!event.is_null && token.kind != TA_JSON_ARRAY)
        return ta_json_expected(&token, "a list of values or null", c->err);
    r = tell(c, &event);
    if (r < 0 || event.is_null)
        return r;
    r = check_values(c);
    return r < 0 ? r : tell_of(c, TA_DATA_STATISTIC_END);
}

/* Arrays of values by name, each may be null; percentiles hold arrays in turn. */
static int check_statistics_series(struct checking *c, bool is_percentiles)
{
    struct ta_json_token token;
    int r = next(c, &token);

    if (r < 0 || token.kind == TA_JSON_NULL)
        return r < 0 ? r : TA_OK;
    if (token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "statistics series", c->err);
    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY)
        r = !is_percentiles && ta_str_is(token.text, "percentiles")
                ? check_statistics_series(c, true)
                : check_statistic(c, token.text, is_percentiles);
    return r < 0 ? r : TA_OK;
}

static int read_unit(struct checking *c)
{
    struct ta_data_event event = {.kind = TA_DATA_UNIT};
    struct ta_json_token token;
    char base[256], prefix[64];
    int r;

    while ((r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        bool is_base = ta_str_is(token.text, "base"), is_prefix = ta_str_is(token.text, "prefix");

        r = is_base || is_prefix ? next(c, &token) : ta_json_skip(c->json, c->err);
        if (r < 0)
            return r;
        if ((is_base || is_prefix) && token.kind != TA_JSON_STRING)
            return ta_json_expected(&token, "a part of a unit", c->err);
        if (is_base)
            keep_text(&event.text, token.text, base, sizeof(base));
        if (is_prefix)
            keep_text(&event.prefix, token.text, prefix, sizeof(prefix));
    }
    return r < 0 ? r : tell(c, &event);
}

/* An object, or in archives of version 1 a plain word. */
static int check_unit(struct checking *c)
{
    struct ta_json_token token;
    int r = next(c, &token);

    if (r < 0)
        return r;
    if (token.kind == TA_JSON_STRING)
        return tell(c, &(struct ta_data_event){.kind = TA_DATA_UNIT, .text = token.text});
    return token.kind == TA_JSON_OBJECT ? read_unit(c) : ta_json_expected(&token, "a unit", c->err);
}

static int check_timestep(struct checking *c)
{
    struct ta_json_token token;
    double step = 0; /* 60.0 is one, too */
    int r = next(c, &token);

    if (r < 0)
        return r;
    if (token.kind != TA_JSON_NUMBER || ta_json_f64(&token, &step) < 0 || step < 1 ||
        step > TIMESTEP_MAX || step != trunc(step))
        return ta_json_expected(&token, "a time step in seconds", c->err);
    return tell(c, &(struct ta_data_event){.kind = TA_DATA_TIMESTEP, .number = (int64_t)step});
}

static int check_scope(struct checking *c)
{
    struct ta_json_token token;
    bool has_unit = false;
    bool has_series = false;
    bool has_timestep = false;
    int r = must(c, TA_JSON_OBJECT, "the data of a scope");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "unit")) {
            has_unit = true;
            r = check_unit(c);
        } else if (ta_str_is(token.text, "series")) {
            has_series = true;
            r = check_series(c);
        } else if (ta_str_is(token.text, "timestep")) {
            has_timestep = true;
            r = check_timestep(c);
        } else if (ta_str_is(token.text, "statisticsSeries")) {
            r = check_statistics_series(c, false);
        } else {
            r = ta_json_skip(c->json, c->err);
        }
    }
    if (r < 0)
        return r;
    return !has_unit       ? lacks(c, &token, "a metric", "unit")
           : !has_series   ? lacks(c, &token, "a metric", "series")
           : !has_timestep ? lacks(c, &token, "a metric", "timestep")
                           : TA_OK;
}

static int check_metric(struct checking *c)
{
    struct ta_json_token token;
    int r = must(c, TA_JSON_OBJECT, "the scopes of a metric");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        const struct ta_data_event event = {.kind = TA_DATA_SCOPE,
                                            .scope = ta_scope_parse(token.text)};

        if (event.scope == TA_SCOPE_INVALID)
            return ta_fail(c->err, TA_EFORMAT, "line %llu:%llu: \"%.*s\" is no scope",
                           (unsigned long long)token.line, (unsigned long long)token.column,
                           TA_STR_FMT(token.text));
        r = tell(c, &event);
        if (r >= 0)
            r = check_scope(c);
    }
    return r < 0 ? r : TA_OK;
}

static int ask_for_metric(struct checking *c, struct ta_str name)
{
    const struct ta_data_event event = {.kind = TA_DATA_METRIC, .text = name};
    int r = c->taker ? c->taker->take(c->taker, &event, c->err) : 0;

    c->is_wanted = r > 0;
    return r;
}

static int check_document(struct checking *c)
{
    struct ta_json_token token;
    int r = must(c, TA_JSON_OBJECT, "an object of metrics");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "filesystems")) {
            r = ta_json_skip(c->json, c->err);
            continue;
        }
        c->counts->metrics++;
        r = ask_for_metric(c, token.text);
        if (r >= 0)
            r = check_metric(c);
    }
    return r < 0 ? r : ta_json_finish(c->json, c->err);
}

int ta_data_read(struct ta_source *json, struct ta_data_taker *taker, struct ta_data_counts *out,
                 struct ta_alloc *alloc, struct ta_err *err)
{
    struct checking c = {.counts = out, .taker = taker, .err = err};

    *out = (struct ta_data_counts){0};
    if (ta_json_reader_new(&c.json, json, &(struct ta_json_limits){.buffer = 64 * KiB}, alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to read a job's data");
    int r = check_document(&c);
    ta_json_reader_free(c.json);
    return r;
}

int ta_data_check(struct ta_source *json, struct ta_data_counts *out, struct ta_alloc *alloc,
                  struct ta_err *err)
{
    return ta_data_read(json, NULL, out, alloc, err);
}
