#include "persist/checkpoint_json_read.h"

#include "base/bytes.h"

#include <math.h>

/* What the containers on the stack are. */
enum { IN_LEVEL, IN_METRICS, IN_METRIC, IN_DATA, IN_CHILDREN };

int ta_checkpoint_json_open(struct ta_checkpoint_json *r, struct ta_source *source,
                            struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_json_limits limits = {.depth = 2 * TA_TREE_DEPTH_MAX + 4};
    struct ta_json_token t;

    memset(r, 0, offsetof(struct ta_checkpoint_json, values));
    r->n_batch = 0;
    r->alloc = alloc;
    ta_buf_init(&r->path, alloc, TA_TREE_DEPTH_MAX * (TA_TREE_NAME_MAX + 2));
    ta_buf_init(&r->metric, alloc, TA_TREE_NAME_MAX);
    int e = ta_json_reader_new(&r->json, source, &limits, alloc);
    if (e < 0)
        return ta_fail(err, e, "checkpoint: no memory for a reader");
    e = ta_json_next(r->json, &t, err);
    if (e < 0)
        return e;
    if (t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    r->stack[r->n_stack++] = IN_LEVEL;
    return TA_OK;
}

void ta_checkpoint_json_done(struct ta_checkpoint_json *r)
{
    if (!r->alloc)
        return;
    ta_json_reader_free(r->json);
    ta_buf_done(&r->path);
    ta_buf_done(&r->metric);
    r->alloc = NULL;
}

static int next(struct ta_checkpoint_json *r, struct ta_json_token *t, struct ta_err *err)
{
    int e = ta_json_next(r->json, t, err);

    return e == 0 ? ta_fail(err, TA_EFORMAT, "checkpoint: unexpected end") : e;
}

static int take_i64(struct ta_checkpoint_json *r, int64_t *out, struct ta_err *err)
{
    struct ta_json_token t;
    int e = next(r, &t, err);

    if (e < 0)
        return e;
    if (t.kind != TA_JSON_NUMBER || ta_json_i64(&t, out) < 0)
        return ta_json_expected(&t, "an integer", err);
    return TA_OK;
}

/* The container behind a key: 1 = open and on the stack, 0 = null. */
static int enter(struct ta_checkpoint_json *r, uint8_t what, struct ta_err *err)
{
    struct ta_json_token t;
    enum ta_json_kind kind = what == IN_DATA ? TA_JSON_ARRAY : TA_JSON_OBJECT;
    int e = next(r, &t, err);

    if (e < 0)
        return e;
    if (t.kind == TA_JSON_NULL)
        return 0;
    if (t.kind != kind)
        return ta_json_expected(&t, what == IN_DATA ? "a list of values" : "an object", err);
    if (r->n_stack == sizeof(r->stack))
        return ta_fail(err, TA_EFORMAT, "checkpoint: levels nest too deep");
    r->stack[r->n_stack++] = what;
    return 1;
}

static int level_key(struct ta_checkpoint_json *r, struct ta_str key, struct ta_err *err)
{
    int e;

    if (ta_str_is(key, "metrics"))
        e = enter(r, IN_METRICS, err);
    else if (ta_str_is(key, "children"))
        e = enter(r, IN_CHILDREN, err);
    else if (r->n_levels == 0 && ta_str_is(key, "from"))
        e = take_i64(r, &r->from_s, err);
    else if (r->n_levels == 0 && ta_str_is(key, "to"))
        e = take_i64(r, &r->to_s, err);
    else
        e = ta_json_skip(r->json, err);
    return e;
}

static int metric_key(struct ta_checkpoint_json *r, struct ta_str key, struct ta_err *err)
{
    if (ta_str_is(key, "frequency"))
        return take_i64(r, &r->freq_s, err);
    if (ta_str_is(key, "start"))
        return take_i64(r, &r->start_s, err);
    if (!ta_str_is(key, "data"))
        return ta_json_skip(r->json, err);
    if (r->has_data)
        return ta_fail(err, TA_EFORMAT, "checkpoint: a metric has \"data\" twice");
    r->has_data = true;
    return enter(r, IN_DATA, err);
}

static int begin_metric(struct ta_checkpoint_json *r, struct ta_str name, struct ta_err *err)
{
    ta_buf_reset(&r->metric);
    if (ta_buf_str(&r->metric, name) < 0)
        return ta_fail(err, TA_ENOMEM, "checkpoint: no memory for a name");
    r->freq_s = r->start_s = 0;
    r->n_values = 0;
    r->has_data = false;
    return enter(r, IN_METRIC, err);
}

static int begin_child(struct ta_checkpoint_json *r, struct ta_str name, struct ta_err *err)
{
    unsigned char len[2];

    if (r->n_levels + 1 >= TA_TREE_DEPTH_MAX)
        return ta_fail(err, TA_EFORMAT, "checkpoint: levels nest too deep");
    uint32_t path_len = (uint32_t)r->path.len;
    ta_put_u16(len, (uint16_t)name.len);
    if (name.len > TA_TREE_NAME_MAX || ta_buf_add(&r->path, len, 2) < 0 ||
        ta_buf_str(&r->path, name) < 0)
        return ta_fail(err, TA_ENOMEM, "checkpoint: no memory for names");
    int e = enter(r, IN_LEVEL, err);
    if (e == 1)
        r->path_len[r->n_levels++] = path_len;
    else
        r->path.len = path_len;
    return e;
}

static void give_values(struct ta_checkpoint_json *r, struct ta_checkpoint_json_event *out)
{
    out->kind = TA_CHECKPOINT_JSON_VALUES;
    out->values = r->values;
    out->n = r->n_batch;
    r->n_values += r->n_batch;
    r->n_batch = 0;
}

static int give_series(struct ta_checkpoint_json *r, struct ta_checkpoint_json_event *out,
                       struct ta_err *err)
{
    const char *p = r->path.at;
    int64_t span;
    int64_t last;

    if (r->n_values > UINT32_MAX || r->freq_s <= 0 ||
        __builtin_mul_overflow(r->freq_s, (int64_t)r->n_values, &span) ||
        __builtin_add_overflow(r->start_s, span, &last))
        return ta_fail(err, TA_EFORMAT, "checkpoint: metric %.*s: impossible frequency or start",
                       TA_STR_FMT(ta_buf_view(&r->metric)));
    for (unsigned i = 0; i < r->n_levels; i++) {
        r->names[i] = (struct ta_str){p + 2, ta_get_u16(p)};
        p += 2 + r->names[i].len;
    }
    out->kind = TA_CHECKPOINT_JSON_SERIES;
    out->series = (struct ta_tree_series){.level = r->names,
                                          .depth = r->n_levels,
                                          .metric = ta_buf_view(&r->metric),
                                          .freq_s = r->freq_s,
                                          .start_s = r->start_s,
                                          .n = (uint32_t)r->n_values};
    return 1;
}

/* One value of a list; 1 = a batch is full. */
static int data_token(struct ta_checkpoint_json *r, const struct ta_json_token *t,
                      struct ta_err *err)
{
    double v = NAN;

    if (t->kind == TA_JSON_NUMBER) {
        if (ta_json_f64(t, &v) < 0)
            return ta_json_expected(t, "a number in range", err);
    } else if (t->kind != TA_JSON_NULL) {
        return ta_json_expected(t, "a number or null", err);
    }
    r->values[r->n_batch++] = v;
    return r->n_batch == TA_CHECKPOINT_JSON_BATCH;
}

/* The container on top ends. 1 = *out filled. */
static int leave(struct ta_checkpoint_json *r, struct ta_checkpoint_json_event *out,
                 struct ta_err *err)
{
    switch (r->stack[--r->n_stack]) {
    case IN_DATA:
        if (r->n_batch == 0)
            return 0;
        give_values(r, out);
        return 1;
    case IN_METRIC:
        return give_series(r, out, err);
    case IN_LEVEL:
        if (r->n_stack)
            r->path.len = r->path_len[--r->n_levels];
        return 0;
    default:
        return 0;
    }
}

int ta_checkpoint_json_next(struct ta_checkpoint_json *r, struct ta_checkpoint_json_event *out,
                            struct ta_err *err)
{
    struct ta_json_token t;
    int e = 0;

    while (r->n_stack) {
        e = next(r, &t, err);
        if (e < 0)
            return e;
        uint8_t in = r->stack[r->n_stack - 1];
        if (t.kind == TA_JSON_OBJECT_END || t.kind == TA_JSON_ARRAY_END)
            e = leave(r, out, err);
        else if (in == IN_DATA)
            e = data_token(r, &t, err);
        else if (in == IN_LEVEL)
            e = level_key(r, t.text, err);
        else if (in == IN_METRIC)
            e = metric_key(r, t.text, err);
        else
            e = in == IN_METRICS ? begin_metric(r, t.text, err) : begin_child(r, t.text, err);
        if (e < 0)
            return e;
        if (t.kind == TA_JSON_OBJECT_END || t.kind == TA_JSON_ARRAY_END) {
            if (e > 0)
                return 1;
        } else if (in == IN_DATA && e > 0) {
            give_values(r, out);
            return 1;
        }
    }
    return 0;
}
