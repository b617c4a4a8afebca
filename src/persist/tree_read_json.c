/* tree_read_json.c - a JSON checkpoint in one pass. A stack of states says which object the next token
 * belongs to; the levels' depth is the number of JSON_LEVEL below the first. */
#include "base/floats.h"
#include "base/number.h"
#include "persist/tree_read_int.h"

#include <math.h>

enum { JSON_BUFFER = 64 * 1024, JSON_TEXT_MAX = 8 * 1024, JSON_DEPTH = 2 * TA_TREE_DEPTH_MAX + 4 };

static int64_t source_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct tree_json_source *s = TA_CONTAINER(self, struct tree_json_source, source);
    int64_t got = ta_pread_some(s->file, buf, n, s->at, err);

    if (got > 0)
        s->at += (uint64_t)got;
    return got == TA_EFORMAT ? TA_EIO : got;
}

static int open_at(struct ta_tree_reader *r, struct tree_json_source *s, uint64_t at,
                   struct ta_json_reader **out)
{
    const struct ta_json_limits limits = {
        .buffer = JSON_BUFFER, .text_max = JSON_TEXT_MAX, .depth = JSON_DEPTH};

    *s = (struct tree_json_source){{source_read}, r->file, at};
    return ta_json_reader_new(out, &s->source, &limits, r->alloc);
}

int ta_tree_json_open(struct ta_tree_reader *r)
{
    return open_at(r, &r->json.source, 0, &r->json.json);
}

void ta_tree_json_close(struct ta_tree_reader *r)
{
    ta_json_reader_free(r->json.json);
    ta_json_reader_free(r->json.again);
}

static void push(struct tree_json *j, enum tree_json_state state)
{
    j->state[j->n_states++] = state;
    j->key = KEY_OTHER;
}

static bool is_full(const struct tree_json *j)
{
    return j->n_states == TA_COUNT(j->state);
}

/* The newest value is held back until something follows it: at the end of a cut file it may be the
 * beginning of a number only. */
static int give_values(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;

    *out = (struct ta_tree_event){.kind = TA_TREE_VALUES,
                                  .depth = r->depth,
                                  .at = ta_json_offset(j->again ? j->again : j->json),
                                  .values = r->values,
                                  .n = j->n_values < TA_TREE_PIECE ? j->n_values : TA_TREE_PIECE};
    out->n_present = ta_floats_present(out->values, out->n);
    j->n_given = out->n;
    return 1;
}

/* The metric's event, or that it is damaged. */
static int give_head(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;
    const char *why = !j->has_freq || !j->has_start
                          ? "a metric without frequency or start"
                          : ta_tree_implausible(r, j->freq_s, j->start_s, 0);

    j->has_head = true;
    j->is_skipping = why;
    *out = (struct ta_tree_event){.kind = why ? TA_TREE_DAMAGE : TA_TREE_METRIC,
                                  .depth = r->depth,
                                  .at = j->metric_at,
                                  .name = {r->metric.at, r->metric.len},
                                  .freq_s = j->freq_s,
                                  .start_s = j->start_s,
                                  .count = TA_TREE_COUNT_UNKNOWN,
                                  .bytes = why ? ta_json_offset(j->json) - j->metric_at : 0,
                                  .why = why};
    return 1;
}

/* One element of a data array. 1 = a piece is full and given, 0 = go on, TA_EFORMAT. */
static int take_value(struct ta_tree_reader *r, const struct ta_json_token *t,
                      struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;
    double v = NAN;

    if (t->kind == TA_JSON_NUMBER) {
        if (ta_json_f64(t, &v) < 0)
            return TA_EFORMAT;
    } else if (t->kind != TA_JSON_NULL) {
        return TA_EFORMAT;
    }
    if (j->is_skipping)
        return 0;
    r->values[j->n_values++] = v;
    return j->n_values > TA_TREE_PIECE ? give_values(r, out) : 0;
}

/* The end of an array whose values go out. */
static int end_data(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    return r->json.n_values > 0 && !r->json.is_skipping ? give_values(r, out) : 0;
}

static int begin_metric(struct ta_tree_reader *r)
{
    struct tree_json *j = &r->json;

    if (is_full(j))
        return TA_EFORMAT;
    push(j, JSON_METRIC);
    j->has_freq = j->has_start = j->has_head = j->has_data = j->is_skipping = false;
    j->freq_s = j->start_s = 0;
    j->n_values = 0;
    j->metric_at = ta_json_offset(j->json) - 1;
    return 0;
}

static int begin_level(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;

    if (is_full(j) || r->depth + 1 >= TA_TREE_DEPTH_MAX)
        return TA_EFORMAT;
    push(j, JSON_LEVEL);
    r->depth++;
    ta_tree_name_set(&r->level[r->depth], (struct ta_str){r->metric.at, r->metric.len});
    *out = (struct ta_tree_event){.kind = TA_TREE_LEVEL,
                                  .depth = r->depth,
                                  .at = ta_json_offset(j->json) - 1,
                                  .name = ta_tree_level_name(r, r->depth)};
    return 1;
}

/* The data array: its values go out as they come if the head is known, else it is passed over now. */
static int begin_data(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_json *j = &r->json;

    if (j->has_data || is_full(j)) /* named twice */
        return TA_EFORMAT;
    j->has_data = true;
    j->data_at = ta_json_offset(j->json) - 1;
    if (!j->has_freq || !j->has_start)
        return ta_json_skip(j->json, err);
    push(j, JSON_DATA);
    return give_head(r, out);
}

static int end_object(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;
    enum tree_json_state ended = j->state[--j->n_states];

    j->key = KEY_OTHER;
    if (ended == JSON_METRIC) {
        if (j->has_head)
            return 0;
        if (j->has_data && j->has_freq && j->has_start) {
            int e = open_at(r, &j->again_source, j->data_at, &j->again);
            j->has_again_begun = false;
            if (e < 0)
                return e;
        }
        return give_head(r, out);
    }
    if (ended != JSON_LEVEL)
        return 0;
    if (r->depth == 0) {
        r->is_ended = true; /* bytes behind the value are not looked at */
        return 0;
    }
    *out = (struct ta_tree_event){
        .kind = TA_TREE_LEVEL_END, .depth = r->depth, .at = ta_json_offset(j->json)};
    r->depth--;
    return 1;
}

/* ---- keys and what follows them ------------------------------------------------------------------ */

struct key_row {
    const char *name;
    enum tree_json_key key;
};

static enum tree_json_key key_of(const struct key_row *rows, size_t n, struct ta_str text)
{
    for (size_t i = 0; i < n; i++)
        if (ta_str_is(text, rows[i].name))
            return rows[i].key;
    return KEY_OTHER;
}

static int take_key(struct ta_tree_reader *r, struct ta_str text, struct ta_tree_event *out,
                    struct ta_err *err)
{
    static const struct key_row of_level[] = {
        {"metrics", KEY_NAME}, {"children", KEY_DATA}, {"from", KEY_FROM}, {"to", KEY_TO}};
    static const struct key_row of_metric[] = {
        {"frequency", KEY_FREQ}, {"start", KEY_START}, {"data", KEY_DATA}};
    struct tree_json *j = &r->json;
    enum tree_json_state state = j->state[j->n_states - 1];

    if (state == JSON_LEVEL)
        j->key = key_of(of_level, TA_COUNT(of_level), text);
    else if (state == JSON_METRIC)
        j->key = key_of(of_metric, TA_COUNT(of_metric), text);
    else
        j->key = KEY_NAME;
    if (j->key == KEY_OTHER)
        return ta_json_skip(j->json, err);
    if (state != JSON_METRICS && state != JSON_CHILDREN)
        return 0;
    if (text.len <= TA_TREE_NAME_READ_MAX) {
        ta_tree_name_set(&r->metric, text);
        return 0;
    }
    uint64_t at = ta_json_offset(j->json);
    int e = ta_json_skip(j->json, err);
    if (e < 0)
        return e;
    *out = (struct ta_tree_event){.kind = TA_TREE_DAMAGE,
                                  .depth = r->depth,
                                  .at = at,
                                  .bytes = ta_json_offset(j->json) - at,
                                  .why = "name too long"};
    return 1;
}

static int take_object(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    struct tree_json *j = &r->json;
    enum tree_json_state state = j->state[j->n_states - 1];

    if (is_full(j))
        return TA_EFORMAT;
    if (state == JSON_METRICS)
        return begin_metric(r);
    if (state == JSON_CHILDREN)
        return begin_level(r, out);
    if (state != JSON_LEVEL || (j->key != KEY_NAME && j->key != KEY_DATA))
        return TA_EFORMAT;
    push(j, j->key == KEY_NAME ? JSON_METRICS : JSON_CHILDREN);
    return 0;
}

static int take_number(struct ta_tree_reader *r, const struct ta_json_token *t)
{
    struct tree_json *j = &r->json;
    bool is_root = r->depth == 0;
    int64_t v;

    if (ta_json_i64(t, &v) < 0)
        return TA_EFORMAT;
    if (j->key == KEY_FREQ) {
        j->freq_s = v;
        j->has_freq = true;
    } else if (j->key == KEY_START) {
        j->start_s = v;
        j->has_start = true;
    } else if (j->key == KEY_FROM) {
        r->from_s = is_root ? v : r->from_s;
        r->has_from = r->has_from || is_root;
    } else if (j->key == KEY_TO) {
        r->to_s = is_root ? v : r->to_s;
        r->has_to = r->has_to || is_root;
    } else {
        return TA_EFORMAT;
    }
    return 0;
}

static int take(struct ta_tree_reader *r, const struct ta_json_token *t, struct ta_tree_event *out,
                struct ta_err *err)
{
    struct tree_json *j = &r->json;

    if (!j->has_begun) {
        j->has_begun = true;
        if (t->kind != TA_JSON_OBJECT)
            return TA_EFORMAT;
        push(j, JSON_LEVEL);
        return 0;
    }
    if (j->state[j->n_states - 1] == JSON_DATA) {
        if (t->kind != TA_JSON_ARRAY_END)
            return take_value(r, t, out);
        j->n_states--;
        return end_data(r, out);
    }
    switch (t->kind) {
    case TA_JSON_KEY:
        return take_key(r, t->text, out, err);
    case TA_JSON_OBJECT:
        return take_object(r, out);
    case TA_JSON_OBJECT_END:
        return end_object(r, out);
    case TA_JSON_ARRAY:
        return j->key == KEY_DATA && j->state[j->n_states - 1] == JSON_METRIC
                   ? begin_data(r, out, err)
                   : TA_EFORMAT;
    case TA_JSON_NUMBER:
        return take_number(r, t);
    case TA_JSON_NULL: /* as if the key were not there */
        return 0;
    default:
        return TA_EFORMAT;
    }
}

/* The values that stood before their metric's head. */
static int step_again(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_json *j = &r->json;
    struct ta_json_token t;
    int e = ta_json_next(j->again, &t, err);

    if (e <= 0) {
        ta_json_reader_free(j->again);
        j->again = NULL;
        return e;
    }
    if (t.kind == TA_JSON_ARRAY_END)
        return end_data(r, out);
    bool is_begin = t.kind == TA_JSON_ARRAY && !j->has_again_begun;
    j->has_again_begun = true;
    return is_begin ? 0 : take_value(r, &t, out);
}

/* 1 = *out filled, 0 = go on. */
static int step(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct ta_json_token t;

    if (r->json.again)
        return step_again(r, out, err);
    int e = ta_json_next(r->json.json, &t, err);
    if (e > 0)
        return take(r, &t, out, err);
    r->is_ended = r->is_ended || e == 0;
    return e;
}

int ta_tree_json_next(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_json *j = &r->json;
    struct ta_err why = {0}; /* of a wrong byte: the event says enough */
    int e = 0;

    if (j->n_given > 0) {
        j->n_values -= j->n_given;
        memmove(r->values, r->values + j->n_given, j->n_values * sizeof(*r->values));
        j->n_given = 0;
    }
    while (e == 0 && !r->is_ended && !j->is_broken)
        e = step(r, out, &why);
    if (e < 0 && e != TA_EFORMAT && e != TA_ERANGE)
        return ta_fail(err, e, "%s", why.text[0] ? why.text : ta_strerror(e));
    if (e > 0 || (r->is_ended && !j->is_broken))
        return e;
    uint64_t at = ta_json_offset(j->json);
    uint64_t size = at;
    (void)r->file->ops->size(r->file, &size, NULL); /* only for the report */
    if (!j->is_broken && at >= size && j->n_values > 0)
        j->n_values--;
    j->is_broken = true;
    if (j->n_values > 0 && !j->is_skipping)
        return give_values(r, out); /* what was good goes out first */
    return ta_tree_stop(r, out, at, size, "not the JSON of a checkpoint, or cut");
}
