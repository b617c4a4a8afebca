/* doc_read.c - the walk through a document, and what its captured keys may hold. */
#include "sweep/doc_int.h"

enum { HISTORY_MAX = 4096 };

static const struct {
    const char *key;
    enum { TEXT, LIST, FLAG, HISTORY } kind;
    int index;
} captured[] = {
    {"RequestName", TEXT, DOC_NAME},
    {"RequestType", TEXT, DOC_TYPE},
    {"SubRequestType", TEXT, DOC_SUB_TYPE},
    {"RequestStatus", TEXT, DOC_STATUS},
    {"RequestTransition", HISTORY, 0},
    {"OutputDatasets", LIST, DOC_OUTPUTS},
    {"InputDataset", LIST, DOC_INPUTS},
    {"ParentDataset", LIST, DOC_PARENTS},
    {"IncludeParents", FLAG, DOC_INCLUDE_PARENTS},
    {"ParentageResolved", FLAG, DOC_RESOLVED},
};

void ta_doc_bad(struct doc *d, const char *why)
{
    if (!d->bad)
        d->bad = why;
}

bool ta_doc_spend(struct doc *d, size_t n)
{
    if (n > d->left)
        ta_doc_bad(d, "its captured values are larger than maxWorkflowBytes");
    else
        d->left -= n;
    return !d->bad;
}

static int next(struct doc *d, struct ta_json_token *t)
{
    int got = ta_json_next(d->j, t, d->err);

    return got == 0 ? ta_fail(d->err, TA_EFORMAT, "the document ends early") : got;
}

static void *get(struct doc *d, size_t n)
{
    void *p = ta_arena_get(d->scratch, n);

    if (p)
        memset(p, 0, n);
    else
        ta_fail(d->err, TA_ENOMEM, "a document's fields");
    return p;
}

/* A copy that counts against the limit. Over it, or with text that was not valid (the reader puts
 * U+FFFD in its place), the document is bad and the copy empty. */
static int copy(struct doc *d, struct ta_str s, struct ta_str *out)
{
    *out = TA_STR("");
    if (memmem(s.at, s.len, "\xef\xbf\xbd", 3)) {
        ta_doc_bad(d, "a captured value is not valid UTF-8");
        return TA_OK;
    }
    if (!ta_doc_spend(d, s.len + sizeof(struct doc_find)))
        return TA_OK;
    *out = ta_arena_copy(d->scratch, s);
    return out->at ? TA_OK : ta_fail(d->err, TA_ENOMEM, "a document's fields");
}

static int skip_if_container(struct doc *d, const struct ta_json_token *t)
{
    if (t->kind == TA_JSON_OBJECT || t->kind == TA_JSON_ARRAY)
        return ta_json_skip(d->j, d->err);
    return TA_OK;
}

/* ---- texts -------------------------------------------------------------------------------------- */

static int read_text(struct doc *d, int index)
{
    struct ta_json_token t;
    int r = next(d, &t);

    if (r < 0)
        return r;
    d->texts[index] = (struct ta_str){0};
    if (t.kind == TA_JSON_STRING)
        return copy(d, t.text, &d->texts[index]);
    if (t.kind != TA_JSON_NULL)
        ta_doc_bad(d, "its name, type or status is not a string");
    return skip_if_container(d, &t);
}

/* ---- lists and flags ---------------------------------------------------------------------------- */

/* A new find of the key that was read last, in the object at that depth. */
static struct doc_find *add_find(struct doc *d, struct doc_find **head, unsigned depth)
{
    if (d->bad || !ta_doc_spend(d, 2 * sizeof(struct doc_find))) {
        d->spare = (struct doc_find){.last = &d->spare.first};
        return &d->spare;
    }
    struct doc_find *f = get(d, sizeof(*f));
    if (!f || ta_doc_note(d, depth, f) < 0)
        return NULL;
    f->next = *head;
    f->last = &f->first;
    *head = f;
    return f;
}

static int add_value(struct doc *d, struct doc_find *f, const struct ta_json_token *t)
{
    struct ta_str text = {0};

    if (d->bad)
        return TA_OK;
    if (t->kind == TA_JSON_STRING) {
        int r = copy(d, t->text, &text);
        if (r < 0 || d->bad)
            return r;
    }
    if (!ta_doc_spend(d, sizeof(struct doc_find)))
        return TA_OK;
    struct doc_value *v = get(d, sizeof(*v));
    if (!v)
        return TA_ENOMEM;
    v->text = text;
    *f->last = v;
    f->last = &v->next;
    return TA_OK;
}

static int read_list(struct doc *d, int index, unsigned depth)
{
    struct doc_find *f = add_find(d, &d->lists[index], depth);
    struct ta_json_token t;
    unsigned open = 0;

    if (!f)
        return TA_ENOMEM;
    do {
        int r = next(d, &t);
        if (r < 0)
            return r;
        if (t.kind == TA_JSON_ARRAY) {
            f->is_array = true;
            open++;
        } else if (t.kind == TA_JSON_ARRAY_END) {
            open--;
        } else if (t.kind == TA_JSON_STRING || t.kind == TA_JSON_NULL) {
            r = add_value(d, f, &t);
        } else {
            ta_doc_bad(d, "a dataset is neither a string nor null nor a list of those");
            r = skip_if_container(d, &t);
        }
        if (r < 0)
            return r;
    } while (open);
    return TA_OK;
}

static bool is_zero(const struct ta_json_token *t)
{
    double v;

    return ta_json_f64(t, &v) == TA_OK && v == 0;
}

/* True in the sense of Python. Containers are not skipped: other fields can stand inside. *t is
 * then the token behind the opening one, still to be looked at, and *held says so. */
static int read_flag(struct doc *d, int index, unsigned depth, struct ta_json_token *t, bool *held)
{
    struct doc_find *f = add_find(d, &d->flags[index], depth);

    if (!f)
        return TA_ENOMEM;
    int r = next(d, t);
    if (r < 0)
        return r;
    switch (t->kind) {
    case TA_JSON_TRUE:
        f->is_true = true;
        break;
    case TA_JSON_STRING:
        f->is_true = t->text.len > 0;
        break;
    case TA_JSON_NUMBER:
        f->is_true = !is_zero(t);
        break;
    case TA_JSON_OBJECT:
    case TA_JSON_ARRAY:
        ta_doc_open(d, t->depth, t->kind == TA_JSON_ARRAY);
        r = ta_json_walk(d->j, t, d->err);
        f->is_true = t->kind != TA_JSON_OBJECT_END && t->kind != TA_JSON_ARRAY_END;
        *held = true;
        return r == 0 ? ta_fail(d->err, TA_EFORMAT, "the document ends early") : r;
    default:
        break;
    }
    return TA_OK;
}

/* ---- history ------------------------------------------------------------------------------------ */

static int read_time(struct doc *d, struct doc_step *s)
{
    struct ta_json_token t;
    double v;
    int r = next(d, &t);

    if (r < 0)
        return r;
    s->has_time = ta_json_i64(&t, &s->time_s) == TA_OK;
    if (!s->has_time && ta_json_f64(&t, &v) == TA_OK && v > -9e15 && v < 9e15) {
        s->time_s = (int64_t)v;
        s->has_time = true;
    }
    return skip_if_container(d, &t);
}

static int read_status(struct doc *d, struct doc_step *s)
{
    struct ta_json_token t;
    int r = next(d, &t);

    if (r < 0)
        return r;
    s->has_status = true; /* one that is no string equals no status */
    s->status = (struct ta_str){0};
    if (t.kind == TA_JSON_STRING)
        return copy(d, t.text, &s->status);
    return skip_if_container(d, &t);
}

static int read_step(struct doc *d)
{
    struct doc_step *s = get(d, sizeof(*s));
    struct ta_json_token t;
    int r;

    if (!s)
        return TA_ENOMEM;
    s->before = d->history;
    d->history = s;
    while ((r = next(d, &t)) > 0 && t.kind == TA_JSON_KEY) {
        if (ta_str_is(t.text, "Status"))
            r = read_status(d, s);
        else if (ta_str_is(t.text, "UpdateTime"))
            r = read_time(d, s);
        else
            r = ta_json_skip(d->j, d->err);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : TA_OK;
}

/* A history that is no list counts as empty, an entry that is no object as one without status. */
static int read_history(struct doc *d)
{
    struct ta_json_token t;
    int r = next(d, &t);

    d->history = NULL;
    d->n_history = 0;
    if (r < 0 || t.kind != TA_JSON_ARRAY)
        return r < 0 ? r : skip_if_container(d, &t);
    while ((r = next(d, &t)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (++d->n_history > HISTORY_MAX) {
            r = skip_if_container(d, &t);
        } else if (t.kind == TA_JSON_OBJECT) {
            r = read_step(d);
        } else {
            struct doc_step *s = get(d, sizeof(*s));
            if (!s)
                return TA_ENOMEM;
            s->before = d->history;
            d->history = s;
            r = skip_if_container(d, &t);
        }
        if (r < 0)
            return r;
    }
    if (d->n_history > HISTORY_MAX)
        d->history = get(d, sizeof(*d->history)); /* an unreadable last entry: not expired */
    return r < 0 ? r : d->n_history > HISTORY_MAX && !d->history ? TA_ENOMEM : TA_OK;
}

/* ---- the walk ----------------------------------------------------------------------------------- */

static int read_key(struct doc *d, struct ta_json_token *t, bool *held)
{
    unsigned depth = t->depth;

    ta_doc_key(d, depth, t->text);
    for (size_t i = 0; i < TA_COUNT(captured); i++) {
        if (!ta_str_is(t->text, captured[i].key))
            continue;
        switch (captured[i].kind) {
        case TEXT:
            return depth == d->top ? read_text(d, captured[i].index) : TA_OK;
        case HISTORY:
            return depth == d->top ? read_history(d) : TA_OK;
        case LIST:
            return read_list(d, captured[i].index, depth);
        case FLAG:
            return read_flag(d, captured[i].index, depth, t, held);
        }
    }
    return TA_OK;
}

static int walk(struct doc *d, unsigned base)
{
    struct ta_json_token t;
    bool held = false;

    d->top = base + 1;
    ta_doc_open(d, base, false);
    for (;;) {
        int r = held ? 1 : ta_json_walk(d->j, &t, d->err);
        held = false;
        if (r == 0)
            return ta_fail(d->err, TA_EFORMAT, "the document ends early");
        if (r < 0)
            return r;
        if (t.kind == TA_JSON_OBJECT || t.kind == TA_JSON_ARRAY)
            ta_doc_open(d, t.depth, t.kind == TA_JSON_ARRAY);
        else if (t.kind == TA_JSON_OBJECT_END && t.depth == base)
            return TA_OK;
        else if (t.kind == TA_JSON_KEY && (r = read_key(d, &t, &held)) < 0)
            return r;
    }
}

int ta_doc_read(struct ta_json_reader *j, struct ta_arena *scratch, size_t max_bytes,
                struct ta_alloc *alloc, struct ta_record **out, struct ta_err *why)
{
    struct ta_json_token t;

    ta_arena_reset(scratch);
    int r = ta_json_next(j, &t, why);
    if (r <= 0)
        return r < 0 ? r : ta_fail(why, TA_EFORMAT, "a document is missing");
    struct doc *d = ta_arena_get(scratch, sizeof(*d));
    if (!d)
        return ta_fail(why, TA_ENOMEM, "reading a document");
    *d = (struct doc){.j = j, .scratch = scratch, .err = why, .left = max_bytes};
    if (t.kind != TA_JSON_OBJECT) {
        ta_doc_bad(d, "it is not an object");
        r = skip_if_container(d, &t);
    } else {
        r = walk(d, t.depth);
    }
    if (r >= 0 && d->bad)
        r = ta_fail(why, TA_EINVAL, "%s", d->bad);
    if (r >= 0) {
        r = ta_doc_finish(d, alloc, out);
        if (r < 0)
            ta_fail(why, r, "a document's fields");
    }
    ta_arena_reset(scratch);
    return r < 0 ? r : TA_OK;
}
