/* job_read.c - a job from JSON, token by token into an arena.
 *
 * One function per kind of value; each begins with the value's first token and ends with its last.
 * Lists grow by doubling in the arena, so a document costs at most twice its lists there.
 */
#include "jobs/job_int.h"

struct reading {
    struct ta_json_reader *json;
    struct ta_arena *arena;
    bool is_strict;
    struct ta_err *err;
};

static int next(struct reading *r, struct ta_json_token *token)
{
    int n = ta_json_next(r->json, token, r->err);

    if (n == 0)
        return ta_fail(r->err, TA_EFORMAT, "a job ends too early");
    return n;
}

static int unknown_key(struct reading *r, const struct ta_json_token *token)
{
    if (r->is_strict)
        return ta_fail(r->err, TA_EFORMAT, "%llu:%llu: unknown key \"%.*s\"",
                       (unsigned long long)token->line, (unsigned long long)token->column,
                       TA_STR_FMT(token->text));
    return ta_json_skip(r->json, r->err);
}

/* Makes room for item n of a list; *at is never NULL afterwards. */
static int grow(struct reading *r, void **at, size_t n, size_t item_bytes)
{
    if (n >= TA_JOB_ITEMS_MAX)
        return ta_fail(r->err, TA_ERANGE, "a job has more than %d items in a list",
                       TA_JOB_ITEMS_MAX);
    if (*at && (n & (n - 1) || n < 4))
        return TA_OK;

    size_t old_items = *at ? n : 0;
    void *p = ta_resize(&r->arena->alloc, *at, old_items * item_bytes,
                        (old_items ? 2 * n : 4) * item_bytes);

    if (!p)
        return ta_fail(r->err, TA_ENOMEM, "a job needs more memory than it may have");
    *at = p;
    return TA_OK;
}

static int copy(struct reading *r, struct ta_str text, struct ta_str *out)
{
    struct ta_str s = ta_arena_copy(r->arena, text);

    if (!s.at)
        return ta_fail(r->err, TA_ENOMEM, "a job needs more memory than it may have");
    *out = s;
    return TA_OK;
}

static int read_str(struct reading *r, const struct ta_json_token *token, struct ta_str *out)
{
    if (token->kind == TA_JSON_NULL)
        return TA_OK;
    if (token->kind != TA_JSON_STRING)
        return ta_json_expected(token, "a string", r->err);
    return copy(r, token->text, out);
}

/* Archives may say 1.0 or 1e3 for a whole number. */
static int whole_number(const struct ta_json_token *token, int64_t *out)
{
    double v;

    if (ta_json_f64(token, &v) < 0 || v < -0x1p53 || v > 0x1p53 || v != (double)(int64_t)v)
        return TA_EFORMAT;
    *out = (int64_t)v;
    return TA_OK;
}

static int read_int(struct reading *r, const struct ta_json_token *token, bool is_32_bit,
                    int64_t *out)
{
    int64_t v;

    if (token->kind == TA_JSON_NULL)
        return TA_OK;
    if (token->kind != TA_JSON_NUMBER)
        return ta_json_expected(token, "a whole number", r->err);

    int e = ta_json_i64(token, &v);

    if (e == TA_EFORMAT && !r->is_strict)
        e = whole_number(token, &v);
    if (e == TA_EFORMAT)
        return ta_json_expected(token, "a whole number", r->err);
    if (e < 0 || (is_32_bit && (v < INT32_MIN || v > INT32_MAX)))
        return ta_fail(r->err, TA_ERANGE, "%llu:%llu: number out of range",
                       (unsigned long long)token->line, (unsigned long long)token->column);
    *out = v;
    return TA_OK;
}

static int read_double(struct reading *r, const struct ta_json_token *token, double *out)
{
    if (token->kind == TA_JSON_NULL)
        return TA_OK;
    if (token->kind != TA_JSON_NUMBER)
        return ta_json_expected(token, "a number", r->err);
    if (ta_json_f64(token, out) < 0)
        return ta_fail(r->err, TA_ERANGE, "%llu:%llu: number out of range",
                       (unsigned long long)token->line, (unsigned long long)token->column);
    return TA_OK;
}

/* Where a value must open: 1 = it does, 0 = it is null. */
static int opens(struct reading *r, const struct ta_json_token *token, enum ta_json_kind kind)
{
    if (token->kind == TA_JSON_NULL)
        return 0;
    if (token->kind != kind)
        return ta_json_expected(token, kind == TA_JSON_OBJECT ? "an object" : "a list", r->err);
    return 1;
}

static int read_tag(struct reading *r, const struct ta_json_token *first, struct ta_job_tag *tag)
{
    struct ta_json_token token;
    int n = opens(r, first, TA_JSON_OBJECT);

    while (n > 0 && (n = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        struct ta_str *text = ta_str_is(token.text, "type")    ? &tag->type
                              : ta_str_is(token.text, "name")  ? &tag->name
                              : ta_str_is(token.text, "scope") ? &tag->scope
                                                               : NULL;
        if (text) {
            if ((n = next(r, &token)) > 0 && (n = read_str(r, &token, text)) == TA_OK)
                n = 1;
        } else if (ta_str_is(token.text, "id")) {
            if ((n = next(r, &token)) > 0 && (n = read_int(r, &token, false, &tag->id)) == TA_OK)
                n = 1;
        } else if ((n = unknown_key(r, &token)) == TA_OK) {
            n = 1;
        }
    }
    return n < 0 ? n : TA_OK;
}

static int read_hwthreads(struct reading *r, const struct ta_json_token *first,
                          struct ta_job_node *node)
{
    struct ta_json_token token;
    int64_t *at = NULL;
    size_t n = 0;
    int e = opens(r, first, TA_JSON_ARRAY);

    while (e > 0 && (e = next(r, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        if ((e = grow(r, (void **)&at, n, sizeof *at)) < 0)
            break;
        at[n] = 0;
        if ((e = read_int(r, &token, false, &at[n])) < 0)
            break;
        n++;
        e = 1;
    }
    node->hwthreads = at;
    node->n_hwthreads = n;
    return e < 0 ? e : TA_OK;
}

static int read_accelerators(struct reading *r, const struct ta_json_token *first,
                             struct ta_job_node *node)
{
    struct ta_json_token token;
    struct ta_str *at = NULL;
    size_t n = 0;
    int e = opens(r, first, TA_JSON_ARRAY);

    while (e > 0 && (e = next(r, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        if ((e = grow(r, (void **)&at, n, sizeof *at)) < 0)
            break;
        at[n] = (struct ta_str){"", 0};
        if ((e = read_str(r, &token, &at[n])) < 0)
            break;
        n++;
        e = 1;
    }
    node->accelerators = at;
    node->n_accelerators = n;
    return e < 0 ? e : TA_OK;
}

static int read_node_member(struct reading *r, const struct ta_json_token *key,
                            struct ta_job_node *node)
{
    struct ta_json_token token;
    bool is_host = ta_str_is(key->text, "hostname");
    bool is_configuration = ta_str_is(key->text, "configuration");
    bool is_hwthreads = ta_str_is(key->text, "hwthreads");

    if (!is_host && !is_configuration && !is_hwthreads && !ta_str_is(key->text, "accelerators"))
        return unknown_key(r, key);

    int n = next(r, &token);

    if (n < 0)
        return n;
    if (is_host)
        return read_str(r, &token, &node->hostname);
    if (is_configuration)
        return read_str(r, &token, &node->configuration);
    return is_hwthreads ? read_hwthreads(r, &token, node) : read_accelerators(r, &token, node);
}

static int read_node(struct reading *r, const struct ta_json_token *first, struct ta_job_node *node)
{
    struct ta_json_token token;
    int n = opens(r, first, TA_JSON_OBJECT);

    while (n > 0 && (n = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if ((n = read_node_member(r, &token, node)) == TA_OK)
            n = 1;
    }
    return n < 0 ? n : TA_OK;
}

/* The first letter, if the rest is a base. */
size_t ta_job_unit_prefix(struct ta_str word)
{
    static const char *const bases[] = {"B", "F", "B/s", "F/s", "Flops/s", "Hz", "W", "J"};

    if (word.len < 2 || !memchr("KMGTPE", word.at[0], 6))
        return 0;
    const struct ta_str rest = {word.at + 1, word.len - 1};
    for (size_t i = 0; i < TA_COUNT(bases); i++)
        if (ta_str_is(rest, bases[i]))
            return 1;
    return 0;
}

static int split_unit(struct reading *r, struct ta_str word, struct ta_job_statistic *s)
{
    size_t prefix = ta_job_unit_prefix(word);
    int e = copy(r, (struct ta_str){word.at + prefix, word.len - prefix}, &s->base);

    return e < 0 || !prefix ? e : copy(r, (struct ta_str){word.at, 1}, &s->prefix);
}

static int read_unit(struct reading *r, struct ta_job_statistic *s)
{
    struct ta_json_token token;
    int n = next(r, &token);

    if (n > 0 && token.kind == TA_JSON_STRING && !r->is_strict)
        return split_unit(r, token.text, s);
    if (n > 0)
        n = opens(r, &token, TA_JSON_OBJECT);
    while (n > 0 && (n = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        struct ta_str *text = ta_str_is(token.text, "base")     ? &s->base
                              : ta_str_is(token.text, "prefix") ? &s->prefix
                                                                : NULL;
        if (!text)
            n = unknown_key(r, &token);
        else if ((n = next(r, &token)) > 0)
            n = read_str(r, &token, text);
        if (n == TA_OK)
            n = 1;
    }
    return n < 0 ? n : TA_OK;
}

static int read_statistic(struct reading *r, const struct ta_json_token *first,
                          struct ta_job_statistic *s)
{
    struct ta_json_token token;
    int n = opens(r, first, TA_JSON_OBJECT);

    while (n > 0 && (n = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        double *number = ta_str_is(token.text, "avg")   ? &s->avg
                         : ta_str_is(token.text, "min") ? &s->min
                         : ta_str_is(token.text, "max") ? &s->max
                                                        : NULL;
        if (ta_str_is(token.text, "unit"))
            n = read_unit(r, s);
        else if (!number)
            n = unknown_key(r, &token);
        else if ((n = next(r, &token)) > 0)
            n = read_double(r, &token, number);
        if (n == TA_OK)
            n = 1;
    }
    return n < 0 ? n : TA_OK;
}

/* "concurrentJobs" is what its writer's database knew; only its shape is looked at. */
static int read_concurrent(struct reading *r, const struct ta_json_token *first, bool *is_null)
{
    struct ta_json_token token;
    int n = opens(r, first, TA_JSON_OBJECT);

    *is_null = true;
    while (n > 0 && (n = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        bool is_items = ta_str_is(token.text, "items");

        if (!is_items && !ta_str_is(token.text, "count")) {
            n = unknown_key(r, &token);
        } else if ((n = next(r, &token)) > 0) {
            if (is_items && token.kind == TA_JSON_ARRAY)
                *is_null = false;
            n = ta_json_skip(r->json, r->err);
        }
        if (n == TA_OK)
            n = 1;
    }
    return n < 0 ? n : TA_OK;
}

/* Where `key` stands in a sorted map, or would: every item begins with its key. */
static size_t map_place(const char *at, size_t n, size_t item_bytes, struct ta_str key)
{
    size_t low = 0;

    while (low < n) {
        size_t middle = low + (n - low) / 2;

        if (ta_str_cmp(*(const struct ta_str *)(const void *)(at + middle * item_bytes), key) < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* The zeroed item of `key`, made or found: of two equal keys the last one counts. Inserting moves
 * what follows, which costs nothing for the sorted maps that every known writer makes and is
 * bounded by TA_JOB_MAP_MAX for the others. */
static int map_item(struct reading *r, void **at, size_t *n, size_t item_bytes, struct ta_str key,
                    void **out)
{
    size_t place = map_place(*at, *n, item_bytes, key);
    char *item = *at ? (char *)*at + place * item_bytes : NULL;
    struct ta_str name;

    if (place < *n && ta_str_eq(*(struct ta_str *)(void *)item, key)) {
        name = *(struct ta_str *)(void *)item;
    } else {
        int e = copy(r, key, &name);

        if (e == TA_OK && *n >= TA_JOB_MAP_MAX)
            e = ta_fail(r->err, TA_ERANGE, "a map of a job has more than %d members",
                        TA_JOB_MAP_MAX);
        if (e == TA_OK)
            e = grow(r, at, *n, item_bytes);
        if (e < 0)
            return e;
        item = (char *)*at + place * item_bytes;
        memmove(item + item_bytes, item, (*n - place) * item_bytes);
        ++*n;
    }
    memset(item, 0, item_bytes);
    *(struct ta_str *)(void *)item = name;
    *out = item;
    return TA_OK;
}

static int read_item(struct reading *r, const struct ta_json_token *token, enum job_kind kind,
                     void *item)
{
    switch (kind) {
    case JOB_NUMBER_MAP:
        return read_double(r, token, &((struct ta_job_number *)item)->value);
    case JOB_TEXT_MAP:
        return read_str(r, token, &((struct ta_job_text *)item)->value);
    case JOB_STATISTIC_MAP:
        return read_statistic(r, token, item);
    case JOB_TAG_LIST:
        return read_tag(r, token, item);
    default:
        return read_node(r, token, item);
    }
}

static size_t item_size(enum job_kind kind)
{
    switch (kind) {
    case JOB_NUMBER_MAP:
        return sizeof(struct ta_job_number);
    case JOB_TEXT_MAP:
        return sizeof(struct ta_job_text);
    case JOB_STATISTIC_MAP:
        return sizeof(struct ta_job_statistic);
    case JOB_TAG_LIST:
        return sizeof(struct ta_job_tag);
    default:
        return sizeof(struct ta_job_node);
    }
}

/* The schema has a list of file systems among the statistics, which no program reads: it is passed over. */
static int read_map(struct reading *r, enum job_kind kind, void **at, size_t *n)
{
    struct ta_json_token token;
    void *item;
    int e;

    while ((e = next(r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        bool is_passed =
            !r->is_strict && kind == JOB_STATISTIC_MAP && ta_str_is(token.text, "filesystems");

        if (is_passed) {
            e = ta_json_skip(r->json, r->err);
        } else {
            e = map_item(r, at, n, item_size(kind), token.text, &item);
            if (e == TA_OK)
                e = next(r, &token);
            if (e > 0)
                e = read_item(r, &token, kind, item);
        }
        if (e < 0)
            return e;
    }
    return e < 0 ? e : TA_OK;
}

static int read_list(struct reading *r, enum job_kind kind, void **at, size_t *n)
{
    struct ta_json_token token;
    size_t item_bytes = item_size(kind);
    int e;

    while ((e = next(r, &token)) > 0 && token.kind != TA_JSON_ARRAY_END) {
        e = grow(r, at, *n, item_bytes);
        if (e < 0)
            return e;

        void *item = (char *)*at + *n * item_bytes;

        memset(item, 0, item_bytes);
        e = read_item(r, &token, kind, item);
        if (e < 0)
            return e;
        ++*n;
    }
    return e < 0 ? e : TA_OK;
}

/* The list members of struct ta_job are all {pointer, count}. */
struct any_list {
    void *at;
    size_t n;
};

static int read_items(struct reading *r, const struct ta_json_token *token, enum job_kind kind,
                      void *member)
{
    struct any_list list = {0};
    bool is_list = kind == JOB_TAG_LIST || kind == JOB_NODE_LIST;
    int e = opens(r, token, is_list ? TA_JSON_ARRAY : TA_JSON_OBJECT);

    if (e > 0)
        e = grow(r, &list.at, 0, item_size(kind)); /* empty is not null */
    if (e == TA_OK && list.at)
        e = is_list ? read_list(r, kind, &list.at, &list.n) : read_map(r, kind, &list.at, &list.n);
    if (e < 0)
        return e;
    memcpy(member, &list, sizeof list);
    return TA_OK;
}

static int read_value(struct reading *r, const struct ta_json_token *token, struct ta_job *job,
                      enum ta_job_key key)
{
    const struct job_key *k = &ta_job_keys[key];
    void *member = (char *)job + k->offset;

    switch (k->kind) {
    case JOB_STRING:
        return read_str(r, token, member);
    case JOB_INT32:
        return read_int(r, token, true, member);
    case JOB_INT64:
        return read_int(r, token, false, member);
    case JOB_DOUBLE:
        return read_double(r, token, member);
    case JOB_CONCURRENT_LIST:
        return read_concurrent(r, token, member);
    default:
        return read_items(r, token, k->kind, member);
    }
}

static int read_key(struct reading *r, const struct ta_json_token *name, struct ta_job *job)
{
    struct ta_json_token token;

    for (unsigned i = 0; i < TA_JOB_KEYS; i++) {
        if (!ta_str_is(name->text, ta_job_keys[i].name))
            continue;
        job->given |= UINT32_C(1) << i;

        int n = next(r, &token);

        return n < 0 ? n : read_value(r, &token, job, (enum ta_job_key)i);
    }
    return unknown_key(r, name);
}

int ta_job_read(struct ta_job *out, struct ta_json_reader *json, bool strict,
                struct ta_arena *arena, struct ta_err *err)
{
    struct reading r = {json, arena, strict, err};
    struct ta_json_token token;

    *out = (struct ta_job){0};

    int n = ta_json_next(json, &token, err);

    if (n > 0 && token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "an object", err);
    while (n > 0 && (n = next(&r, &token)) > 0 && token.kind == TA_JSON_KEY) {
        if ((n = read_key(&r, &token, out)) == TA_OK)
            n = 1;
    }
    return n < 0 ? n : TA_OK;
}

/* The reader keeps one string whole, so its buffer follows from the length of the text. */
static int open_text(struct ta_json_reader **out, struct ta_mem_source *source, struct ta_str json,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_json_limits limits = {.buffer = 2 * json.len + 4 * KiB};

    ta_mem_source_init(source, json.at, json.len, 0);

    int e = ta_json_reader_new(out, &source->source, &limits, alloc);

    return e < 0 ? ta_fail(err, e, "no memory to read %zu bytes of JSON", json.len) : TA_OK;
}

int ta_job_read_text(struct ta_job *out, struct ta_str json, bool strict, struct ta_arena *arena,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_mem_source source;
    struct ta_json_reader *reader;
    int e = open_text(&reader, &source, json, alloc, err);

    if (e < 0)
        return e;
    e = ta_job_read(out, reader, strict, arena, err);
    if (e == TA_OK)
        e = ta_json_finish(reader, err);
    ta_json_reader_free(reader);
    return e;
}

int ta_job_read_member(struct ta_job *job, enum ta_job_key key, struct ta_str json,
                       struct ta_arena *arena, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_mem_source source;
    struct ta_json_reader *reader;
    struct ta_json_token token;

    if (json.len == 0)
        return TA_OK;

    int e = open_text(&reader, &source, json, alloc, err);

    if (e < 0)
        return e;

    struct reading r = {reader, arena, false, err};

    e = next(&r, &token);
    if (e > 0)
        e = read_value(&r, &token, job, key);
    if (e == TA_OK)
        e = ta_json_finish(reader, err);
    ta_json_reader_free(reader);
    return e;
}
