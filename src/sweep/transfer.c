/* transfer.c - what MSOutput knows of a workflow's output (spec: rule-cleaner 4.2 E, 5.2). */
#include "sweep/services_int.h"
#include "sweep/url.h"

enum { TAPE_RULES_MAX = 4096 };

struct search {
    struct ta_alloc *alloc;
    struct ta_arena *arena;
    struct ta_transfer out;
    size_t cap;
    bool has_status, has_map;
};

static int copy(struct search *s, const struct ta_json_token *t, struct ta_str *out,
                struct ta_err *err)
{
    *out = ta_arena_copy(s->arena, t->text);
    return out->at ? TA_OK : ta_fail(err, TA_ENOMEM, "transfer state");
}

static int add_rule(struct search *s, const struct ta_tape_rule *rule, struct ta_err *err)
{
    if (s->out.n == TAPE_RULES_MAX)
        return ta_fail(err, TA_ERANGE, "more than %d tape rules", TAPE_RULES_MAX);
    if (s->out.n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        struct ta_tape_rule *grown = ta_arena_get(s->arena, cap * sizeof(*grown));
        if (!grown)
            return ta_fail(err, TA_ENOMEM, "transfer state");
        if (s->out.n)
            memcpy(grown, s->out.at, s->out.n * sizeof(*grown));
        s->out.at = grown;
        s->cap = cap;
    }
    s->out.at[s->out.n++] = *rule;
    return TA_OK;
}

static int read_output(struct ta_json_reader *j, struct search *s, struct ta_err *err)
{
    struct ta_tape_rule rule = {.dataset = TA_STR("")};
    struct ta_json_token t;
    bool has_id = false;
    int r;

    while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        struct ta_str *to = ta_str_is(t.text, "TapeRuleID") ? &rule.id
                            : ta_str_is(t.text, "Dataset")  ? &rule.dataset
                                                            : NULL;
        if (!to) {
            r = ta_json_skip(j, err);
        } else {
            has_id = has_id || to == &rule.id;
            r = ta_json_next(j, &t, err);
            if (r > 0 && t.kind == TA_JSON_STRING)
                r = copy(s, &t, to, err);
            else if (r > 0 && t.kind != TA_JSON_NULL)
                r = ta_json_expected(&t, "a text in the output map", err);
        }
        if (r < 0)
            return r;
    }
    if (r >= 0 && !has_id)
        return ta_fail(err, TA_EFORMAT, "an output without TapeRuleID");
    return r < 0 ? r : rule.id.len ? add_rule(s, &rule, err) : TA_OK;
}

static int read_map(struct ta_json_reader *j, struct search *s, struct ta_err *err)
{
    struct ta_json_token t;
    int r = ta_json_next(j, &t, err);

    if (r >= 0 && t.kind != TA_JSON_ARRAY)
        return ta_json_expected(&t, "an output map", err);
    s->has_map = true;
    s->out.n = 0;
    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END)
        r = t.kind == TA_JSON_OBJECT ? read_output(j, s, err)
                                     : ta_json_expected(&t, "an output", err);
    return r < 0 ? r : TA_OK;
}

static int read_record(struct ta_json_reader *j, struct search *s, struct ta_err *err)
{
    struct ta_json_token t;
    int r = ta_json_next(j, &t, err);

    if (r < 0)
        return r;
    if (t.kind == TA_JSON_NULL)
        return ta_fail(err, TA_ENOTFOUND, "there is no transfer record");
    if (t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "a transfer record", err);
    while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        if (ta_str_is(t.text, "TransferStatus")) {
            r = ta_json_next(j, &t, err);
            if (r > 0 && t.kind != TA_JSON_STRING)
                r = ta_json_expected(&t, "a transfer status", err);
            s->has_status = true;
            s->out.is_done = r > 0 && ta_str_is(t.text, "done");
        } else if (ta_str_is(t.text, "OutputMap")) {
            r = read_map(j, s, err);
        } else {
            r = ta_json_skip(j, err);
        }
        if (r < 0)
            return r;
    }
    if (r >= 0 && (!s->has_status || (s->out.is_done && !s->has_map)))
        return ta_fail(err, TA_EFORMAT, "the transfer record is not whole");
    return r < 0 ? r : TA_OK;
}

/* {"result": [{"transferDoc": {...}, ...}]}; the first element counts. */
static int read_result(struct ta_json_reader *j, struct search *s, struct ta_err *err)
{
    struct ta_json_token t = {0};
    bool is_found = false;
    int r = ta_result_open(j, err);

    if (r == TA_OK)
        r = ta_json_next(j, &t, err);
    if (r >= 0 && t.kind != TA_JSON_OBJECT)
        return ta_fail(err, TA_ENOTFOUND, "there is no transfer record");
    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        bool is_record = ta_str_is(t.text, "transferDoc");
        is_found = is_found || is_record;
        r = is_record ? read_record(j, s, err) : ta_json_skip(j, err);
    }
    if (r >= 0 && !is_found)
        return ta_fail(err, TA_ENOTFOUND, "there is no transfer record");
    return r < 0 ? r : ta_result_close(j, err);
}

static int read_answer(void *self, struct ta_source *body, struct ta_err *err)
{
    struct search *s = self;
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, s->alloc, err);

    if (r < 0)
        return r;
    r = read_result(j, s, err);
    ta_json_reader_free(j);
    return r;
}

int ta_service_transfer(struct ta_port *port, struct ta_str workflow, struct ta_arena *arena,
                        struct ta_transfer *out, struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct search search = {.alloc = s->conf.alloc, .arena = arena};
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_MSOUTPUT, "GET");
    int r = ta_url_add(&c.url, s->conf.msoutput_url, "/data/info?request=", "%", workflow.at, NULL);
    c.is_idempotent = true;
    c.read = read_answer;
    c.self = &search;
    r = ta_service_call(s, &c, r, NULL, err);
    if (r == TA_OK)
        *out = search.out;
    return r;
}
