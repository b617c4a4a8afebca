#include "rest/result_read.h"

enum { BUFFER = 16 * 1024 };

int ta_result_reader_new(struct ta_json_reader **out, struct ta_source *body,
                         struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_json_limits limits = {
        .buffer = BUFFER, .depth = TA_JSON_DEPTH_MAX, .accepts_nonfinite = true};
    int r = ta_json_reader_new(out, body, &limits, alloc);

    return r < 0 ? ta_fail(err, r, "reading an answer: %s", ta_strerror(r)) : TA_OK;
}

static int next(struct ta_json_reader *j, struct ta_json_token *t, struct ta_err *err)
{
    int got = ta_json_next(j, t, err);

    return got == 0 ? ta_fail(err, TA_EFORMAT, "the answer ends early") : got;
}

int ta_result_open(struct ta_json_reader *j, struct ta_err *err)
{
    struct ta_json_token t;
    int r = next(j, &t, err);

    if (r < 0)
        return r;
    if (t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while ((r = next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        if (ta_str_is(t.text, "result")) {
            r = next(j, &t, err);
            if (r > 0 && t.kind != TA_JSON_ARRAY)
                r = ta_json_expected(&t, "the result's array", err);
            return r < 0 ? r : TA_OK;
        }
        r = ta_json_skip(j, err);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : ta_fail(err, TA_EFORMAT, "the answer has no result");
}

int ta_result_close(struct ta_json_reader *j, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    while ((r = ta_json_walk(j, &t, err)) > 0)
        continue;
    return r < 0 ? r : ta_json_finish(j, err);
}

int ta_result_strings(struct ta_json_reader *j, ta_name_taker take, void *self, struct ta_err *err)
{
    struct ta_json_token t;
    unsigned open = 1;
    int r = TA_OK;

    while (r >= 0 && open) {
        r = next(j, &t, err);
        if (r < 0)
            break;
        if (t.kind == TA_JSON_ARRAY)
            open++;
        else if (t.kind == TA_JSON_ARRAY_END)
            open--;
        else if (t.kind == TA_JSON_STRING)
            r = t.text.len ? take(self, t.text, err) : TA_OK;
        else if (t.kind != TA_JSON_NULL)
            r = ta_json_expected(&t, "a string", err);
    }
    return r < 0 ? r : TA_OK;
}

int ta_result_names(struct ta_source *body, ta_name_taker take, void *self, struct ta_alloc *alloc,
                    struct ta_err *err)
{
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, alloc, err);

    if (r < 0)
        return r;
    r = ta_result_open(j, err);
    if (r == TA_OK)
        r = ta_result_strings(j, take, self, err);
    if (r == TA_OK)
        r = ta_result_close(j, err);
    ta_json_reader_free(j);
    return r;
}
