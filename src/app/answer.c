#include "app/answer.h"

#include "base/str.h"
#include "io/json_read.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

struct ta_answer {
    struct ta_json_reader *json;
    struct ta_alloc *alloc;
    double *values;
    size_t n_values, cap, max;
    size_t query; /* index of the array we are in */
    enum { AT_START, IN_RESULTS, IN_QUERY, AT_END } at;
};

int ta_answer_new(struct ta_answer **out, struct ta_source *src, size_t max_values,
                  struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_answer *a = ta_alloc_zero(alloc, 1, sizeof(*a));

    if (!a)
        return ta_fail(err, TA_ENOMEM, "no memory for an answer");
    a->alloc = alloc;
    a->max = max_values;
    int r = ta_json_reader_new(&a->json, src, NULL, alloc);
    if (r < 0) {
        ta_release(alloc, a, sizeof(*a));
        return ta_fail(err, r, "no memory for an answer");
    }
    *out = a;
    return TA_OK;
}

void ta_answer_free(struct ta_answer *a)
{
    if (!a)
        return;
    ta_json_reader_free(a->json);
    ta_release(a->alloc, a->values, a->cap * sizeof(a->values[0]));
    ta_release(a->alloc, a, sizeof(*a));
}

static int next(struct ta_answer *a, struct ta_json_token *t, struct ta_err *err)
{
    int r = ta_json_next(a->json, t, err);

    if (r == 0)
        return ta_fail(err, TA_EFORMAT, "the answer ends in the middle");
    return r < 0 ? r : TA_OK;
}

static int add_value(struct ta_answer *a, double v, struct ta_err *err)
{
    if (a->n_values == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 1024;

        if (a->n_values >= a->max)
            return ta_fail(err, TA_ERANGE, "a series has more than %zu values: ask for less time",
                           a->max);
        double *more =
            ta_resize(a->alloc, a->values, a->cap * sizeof(double), cap * sizeof(double));
        if (!more)
            return ta_fail(err, TA_ENOMEM, "no memory for %zu values", cap);
        a->values = more;
        a->cap = cap;
    }
    a->values[a->n_values++] = v;
    return TA_OK;
}

/* null is a gap. */
static int as_number(const struct ta_json_token *t, double *out, struct ta_err *err)
{
    *out = NAN;
    if (t->kind == TA_JSON_NULL)
        return TA_OK;
    if (t->kind != TA_JSON_NUMBER || ta_json_f64(t, out) < 0)
        return ta_json_expected(t, "a number", err);
    return TA_OK;
}

static int read_data(struct ta_answer *a, struct ta_err *err)
{
    struct ta_json_token t;
    double v;
    int r = next(a, &t, err);

    if (r == TA_OK && t.kind == TA_JSON_NULL)
        return TA_OK;
    if (r == TA_OK && t.kind != TA_JSON_ARRAY)
        return ta_json_expected(&t, "an array", err);
    while (r == TA_OK && (r = next(a, &t, err)) == TA_OK && t.kind != TA_JSON_ARRAY_END) {
        r = as_number(&t, &v, err);
        if (r == TA_OK)
            r = add_value(a, v, err);
    }
    return r;
}

static int read_member(struct ta_answer *a, struct ta_str key, struct ta_answer_series *out,
                       struct ta_err *err)
{
    const struct {
        const char *name;
        int64_t *integer;
        double *number;
    } members[] = {{"from", &out->from_s, NULL},       {"to", &out->to_s, NULL},
                   {"resolution", &out->step_s, NULL}, {"avg", NULL, &out->avg},
                   {"min", NULL, &out->min},           {"max", NULL, &out->max}};
    struct ta_json_token t;

    if (ta_str_is(key, "data"))
        return read_data(a, err);
    for (size_t i = 0; i < TA_COUNT(members); i++) {
        if (!ta_str_is(key, members[i].name))
            continue;
        int r = next(a, &t, err);
        if (r == TA_OK && members[i].number)
            return as_number(&t, members[i].number, err);
        if (r == TA_OK && (t.kind != TA_JSON_NUMBER || ta_json_i64(&t, members[i].integer) < 0))
            return ta_json_expected(&t, "an integer", err);
        return r;
    }
    if (!ta_str_is(key, "error"))
        return ta_json_skip(a->json, err);
    int r = next(a, &t, err);
    if (r == TA_OK && t.kind == TA_JSON_STRING)
        snprintf(out->error, sizeof(out->error), "%.*s", (int)(t.text.len < 190 ? t.text.len : 190),
                 t.text.at);
    return r;
}

static int read_series(struct ta_answer *a, struct ta_answer_series *out, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    *out = (struct ta_answer_series){.query = a->query, .avg = NAN, .min = NAN, .max = NAN};
    a->n_values = 0;
    while ((r = next(a, &t, err)) == TA_OK && t.kind == TA_JSON_KEY)
        if ((r = read_member(a, t.text, out, err)) < 0)
            break;
    out->values = a->values;
    out->n = a->n_values;
    return r < 0 ? r : 1;
}

/* Up to the opening bracket of "results". */
static int find_results(struct ta_answer *a, struct ta_err *err)
{
    struct ta_json_token t;
    int r = next(a, &t, err);

    if (r == TA_OK && t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while (r == TA_OK && (r = next(a, &t, err)) == TA_OK) {
        if (t.kind != TA_JSON_KEY)
            return ta_fail(err, TA_EFORMAT, "the answer has no \"results\"");
        if (!ta_str_is(t.text, "results")) {
            r = ta_json_skip(a->json, err);
            continue;
        }
        r = next(a, &t, err);
        if (r == TA_OK && t.kind != TA_JSON_ARRAY)
            return ta_json_expected(&t, "an array", err);
        return r;
    }
    return r;
}

/* The rest of the document, so that a cut answer does not pass for a whole one. */
static int finish(struct ta_answer *a, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    while ((r = ta_json_next(a->json, &t, err)) > 0) {
        if (t.kind != TA_JSON_KEY)
            continue;
        r = ta_json_skip(a->json, err);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : ta_json_finish(a->json, err);
}

int ta_answer_next(struct ta_answer *a, struct ta_answer_series *out, struct ta_err *err)
{
    struct ta_json_token t;
    int r = TA_OK;

    if (a->at == AT_START) {
        r = find_results(a, err);
        a->at = IN_RESULTS;
    }
    while (r == TA_OK && a->at != AT_END) {
        r = next(a, &t, err);
        if (r < 0)
            break;
        if (t.kind == TA_JSON_OBJECT && a->at == IN_QUERY)
            return read_series(a, out, err);
        if (t.kind == TA_JSON_ARRAY && a->at == IN_RESULTS) {
            a->at = IN_QUERY;
        } else if (t.kind == TA_JSON_ARRAY_END && a->at == IN_QUERY) {
            a->at = IN_RESULTS;
            a->query++;
        } else if (t.kind == TA_JSON_ARRAY_END) {
            a->at = AT_END;
            r = finish(a, err);
        } else {
            r = ta_json_expected(&t, "a series", err);
        }
    }
    return r;
}
