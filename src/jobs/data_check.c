/* data_check.c - see data_check.h. One function a level; each begins behind the value's first token. */
#include "jobs/data_check.h"

#include <math.h>

#include "io/json_read.h"

struct checking {
    struct ta_json_reader *json;
    struct ta_data_counts *counts;
    struct ta_err *err;
};

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

/* Numbers and nulls up to the end of the list. */
static int check_values(struct checking *c)
{
    struct ta_json_token token;
    int r = must(c, TA_JSON_ARRAY, "a list of values");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        if (token.kind != TA_JSON_NUMBER && token.kind != TA_JSON_NULL)
            return ta_json_expected(&token, "a number or null", c->err);
        c->counts->values++;
    }
    return r < 0 ? r : TA_OK;
}

enum { SEEN_MIN = 1, SEEN_AVG = 2, SEEN_MAX = 4, SEEN_ALL = 7 };

static int check_statistics(struct checking *c)
{
    struct ta_json_token token;
    unsigned seen = 0;
    int r = must(c, TA_JSON_OBJECT, "statistics");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        unsigned is = ta_str_is(token.text, "min")   ? SEEN_MIN
                      : ta_str_is(token.text, "avg") ? SEEN_AVG
                      : ta_str_is(token.text, "max") ? SEEN_MAX
                                                     : 0;
        seen |= is;
        r = is ? must(c, TA_JSON_NUMBER, "a number") : ta_json_skip(c->json, c->err);
    }
    return r < 0              ? r
           : seen == SEEN_ALL ? TA_OK
                              : lacks(c, &token, "statistics", "min, avg and max");
}

static int check_one_series(struct checking *c)
{
    struct ta_json_token token;
    bool has_host = false;
    bool has_data = false;
    int r = TA_OK;

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (ta_str_is(token.text, "hostname")) {
            has_host = true;
            r = must(c, TA_JSON_STRING, "a name");
        } else if (ta_str_is(token.text, "id")) {
            r = must(c, TA_JSON_STRING, "an id");
        } else if (ta_str_is(token.text, "statistics")) {
            r = check_statistics(c);
        } else if (ta_str_is(token.text, "data")) {
            has_data = true;
            r = check_values(c);
        } else {
            r = ta_json_skip(c->json, c->err);
        }
    }
    if (r < 0)
        return r;
    return !has_host   ? lacks(c, &token, "a series", "hostname")
           : !has_data ? lacks(c, &token, "a series", "data")
                       : TA_OK;
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

/* Arrays of values by name, each may be null; percentiles hold arrays in turn. */
static int check_statistics_series(struct checking *c)
{
    struct ta_json_token token;
    unsigned depth = 0;
    int r = next(c, &token);

    if (r > 0 && token.kind == TA_JSON_NULL)
        return TA_OK;
    if (r > 0 && token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "statistics series", c->err);
    for (depth = 1; r > 0 && depth;) {
        r = next(c, &token);
        if (r <= 0)
            break;
        if (token.kind == TA_JSON_OBJECT || token.kind == TA_JSON_ARRAY)
            depth++;
        else if (token.kind == TA_JSON_OBJECT_END || token.kind == TA_JSON_ARRAY_END)
            depth--;
        else if (token.kind != TA_JSON_KEY && token.kind != TA_JSON_NUMBER &&
                 token.kind != TA_JSON_NULL)
            return ta_json_expected(&token, "a number or null", c->err);
    }
    return r < 0 ? r : TA_OK;
}

/* An object, or in archives of version 1 a plain word. */
static int check_unit(struct checking *c)
{
    struct ta_json_token token;
    int r = next(c, &token);

    if (r > 0 && token.kind != TA_JSON_OBJECT && token.kind != TA_JSON_STRING)
        return ta_json_expected(&token, "a unit", c->err);
    return r < 0 ? r : ta_json_skip(c->json, c->err);
}

static int check_timestep(struct checking *c)
{
    struct ta_json_token token;
    double step = 0; /* 60.0 is one, too */
    int r = next(c, &token);

    if (r < 0)
        return r;
    if (token.kind != TA_JSON_NUMBER || ta_json_f64(&token, &step) < 0 || step < 1 ||
        step != trunc(step))
        return ta_json_expected(&token, "a time step in seconds", c->err);
    return TA_OK;
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
            r = check_statistics_series(c);
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

static bool is_scope(struct ta_str word)
{
    static const char *const words[] = {"node", "socket",   "memoryDomain",
                                        "core", "hwthread", "accelerator"};

    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (ta_str_is(word, words[i]))
            return true;
    return false;
}

static int check_metric(struct checking *c)
{
    struct ta_json_token token;
    int r = must(c, TA_JSON_OBJECT, "the scopes of a metric");

    while (r >= 0 && (r = next(c, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if (!is_scope(token.text))
            return ta_fail(c->err, TA_EFORMAT, "line %llu:%llu: \"%.*s\" is no scope",
                           (unsigned long long)token.line, (unsigned long long)token.column,
                           TA_STR_FMT(token.text));
        r = check_scope(c);
    }
    return r < 0 ? r : TA_OK;
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
        r = check_metric(c);
    }
    return r < 0 ? r : ta_json_finish(c->json, c->err);
}

int ta_data_check(struct ta_source *json, struct ta_data_counts *out, struct ta_alloc *alloc,
                  struct ta_err *err)
{
    struct checking c = {.counts = out, .err = err};

    *out = (struct ta_data_counts){0};
    if (ta_json_reader_new(&c.json, json, &(struct ta_json_limits){.buffer = 64 * KiB}, alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to read a job's data");
    int r = check_document(&c);
    ta_json_reader_free(c.json);
    return r;
}
