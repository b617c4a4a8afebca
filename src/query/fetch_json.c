/* fetch_json.c - see fetch_json.h.
 *
 * Series come in an order in which the keys of the answer's objects change from the outside in, so
 * a series closes the levels in which it differs from the one before and opens its own.
 *
 *   {"data":{K1:{K2:{..."series":[S,S]}}},"errors":["...",...]}
 */
#include "query/fetch_json.h"

#include "io/json_write.h"
#include "query/print.h"
#include "query/spill.h"

#include <assert.h>
#include <math.h>

enum {
    KEYS = 3,            /* levels of objects, at most */
    WINDOW = 512,        /* values at a time */
    TEXT_MIN = 8 * 1024, /* heads, tails, and the values of one step */
    GROW = 6,            /* bytes that one byte of a name may become */
    WORK_MAX = 1 << 22,  /* source samples in one fill: a few milliseconds */
    NAMES = KEYS + 4     /* in one piece: keys, unit, host, id */
};

/* ---- the request --------------------------------------------------------------------------- */

struct body {
    struct ta_str function, cluster, subcluster;
    int64_t start_s, duration_s, n_accelerators, from_s, to_s, resolution_s;
    struct ta_dec_chain resources;
    struct ta_str_list metrics, scopes, nodes;
};

#define AT(member) offsetof(struct ta_resource, member)
static const struct ta_dec_field resource_fields[] = {
    {"hostname", TA_DEC_STR, AT(host), NULL},
    {"hwthreads", TA_DEC_INTS, AT(threads), NULL},
    {"accelerators", TA_DEC_STRS, AT(accelerators), NULL},
};
#undef AT
static const struct ta_dec_type resource_type = {
    "Resource", resource_fields, TA_COUNT(resource_fields), sizeof(struct ta_resource), false};

#define AT(member) offsetof(struct body, member)
static const struct ta_dec_field body_fields[] = {
    {"function", TA_DEC_STR, AT(function), NULL},
    {"cluster", TA_DEC_STR, AT(cluster), NULL},
    {"subCluster", TA_DEC_STR, AT(subcluster), NULL},
    {"startTime", TA_DEC_I64, AT(start_s), NULL},
    {"duration", TA_DEC_I64, AT(duration_s), NULL},
    {"numAcc", TA_DEC_I64, AT(n_accelerators), NULL},
    {"resources", TA_DEC_OBJECTS, AT(resources), &resource_type},
    {"nodes", TA_DEC_STRS, AT(nodes), NULL},
    {"metrics", TA_DEC_STRS, AT(metrics), NULL},
    {"scopes", TA_DEC_STRS, AT(scopes), NULL},
    {"resolution", TA_DEC_I64, AT(resolution_s), NULL},
    {"from", TA_DEC_I64, AT(from_s), NULL},
    {"to", TA_DEC_I64, AT(to_s), NULL},
};
#undef AT
static const struct ta_dec_type body_type = {"LoadRequest", body_fields, TA_COUNT(body_fields),
                                             sizeof(struct body), false};
static const struct ta_dec_field body_root = {"", TA_DEC_OBJECT, 0, &body_type};

/* What the innermost level holds. */
enum leaf { LEAF_SERIES, LEAF_STATS, LEAF_STATS_LIST };

enum key { KEY_METRIC, KEY_SCOPE, KEY_HOST };

static const struct function {
    const char *name;
    enum ta_fetch_kind kind;
    enum leaf leaf;
    size_t n_keys;
    enum key keys[KEYS];
} functions[] = {
    {"job-data", TA_FETCH_DATA, LEAF_SERIES, 2, {KEY_METRIC, KEY_SCOPE}},
    {"job-stats", TA_FETCH_STATS, LEAF_STATS, 2, {KEY_METRIC, KEY_HOST}},
    {"job-scoped-stats", TA_FETCH_SCOPED_STATS, LEAF_STATS_LIST, 2, {KEY_METRIC, KEY_SCOPE}},
    {"node-data", TA_FETCH_NODE_DATA, LEAF_SERIES, 2, {KEY_HOST, KEY_METRIC}},
    {"node-list", TA_FETCH_NODE_LIST, LEAF_SERIES, 3, {KEY_HOST, KEY_METRIC, KEY_SCOPE}},
};

enum phase { HEAD, SERIES, DATA, TAIL, ERRORS, OVER };

struct ta_fetch_query {
    struct ta_alloc *alloc;
    struct ta_store *store;
    const struct ta_cluster *const *clusters;
    size_t n_clusters;
    struct ta_query_limits limits;
    struct ta_arena arena;
    struct ta_decoder *decoder;
    struct body body;
    struct ta_fetch_request request;
    const struct function *function;
    struct ta_fetch *fetch; /* NULL until planned */

    enum phase phase;
    struct ta_fetch_series series;
    struct ta_str open[KEYS]; /* keys of the open levels; at is NULL: none is open */
    bool is_first;            /* nothing stands in the innermost list yet */
    bool has_value;
    double window[WINDOW];
    size_t window_len, window_at;
    size_t error;
    struct ta_spill spill;
};

int ta_fetch_query_new(struct ta_fetch_query **out, struct ta_store *store,
                       const struct ta_cluster *const *clusters, size_t n_clusters,
                       const struct ta_query_limits *limits, struct ta_alloc *alloc,
                       struct ta_err *err)
{
    struct ta_fetch_query *q = ta_alloc_zero(alloc, 1, sizeof(*q));

    if (!q)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    q->alloc = alloc;
    q->store = store;
    q->clusters = clusters;
    q->n_clusters = n_clusters;
    q->limits = limits ? *limits : ta_query_limits_default;
    q->body.n_accelerators = -1;
    ta_arena_init(&q->arena, alloc, q->limits.arena_bytes);
    *out = q;
    return TA_OK;
}

void ta_fetch_query_free(struct ta_fetch_query *q)
{
    if (!q)
        return;
    ta_fetch_free(q->fetch);
    ta_decoder_free(q->decoder);
    ta_spill_done(&q->spill);
    ta_arena_done(&q->arena);
    ta_release(q->alloc, q, sizeof(*q));
}

static const struct ta_cluster *find_cluster(const struct ta_fetch_query *q)
{
    for (size_t i = 0; i < q->n_clusters; i++)
        if (ta_str_eq(q->clusters[i]->name, q->body.cluster))
            return q->clusters[i];
    return NULL;
}

static int plan(struct ta_fetch_query *q, struct ta_err *err)
{
    const struct body *b = &q->body;
    const struct ta_cluster *cluster = find_cluster(q);
    size_t text_max = TEXT_MIN + NAMES * GROW * q->limits.name_max;
    bool is_job;

    for (size_t i = 0; i < TA_COUNT(functions) && !q->function; i++)
        if (ta_str_is(b->function, functions[i].name))
            q->function = &functions[i];
    if (!q->function)
        return ta_fail(err, TA_EINVAL, "unknown function '%.*s'", TA_STR_FMT(b->function));
    if (b->cluster.len == 0)
        return ta_fail(err, TA_EINVAL, "[METRICSTORE]> cluster name cannot be empty");
    if (!cluster)
        return ta_fail(err, TA_EINVAL, "cluster '%.*s' is not configured", TA_STR_FMT(b->cluster));
    is_job = q->function->kind <= TA_FETCH_SCOPED_STATS;
    q->request = (struct ta_fetch_request){.kind = q->function->kind,
                                           .subcluster = b->subcluster,
                                           .resources = b->resources,
                                           .n_accelerators = b->n_accelerators,
                                           .nodes = b->nodes,
                                           .metrics = b->metrics,
                                           .scopes = b->scopes,
                                           .resolution_s = b->resolution_s,
                                           .from_s = is_job ? b->start_s : b->from_s,
                                           .to_s = b->to_s};
    if (is_job && __builtin_add_overflow(b->start_s, b->duration_s, &q->request.to_s))
        return ta_fail(err, TA_EINVAL, "duration out of range");

    int r = ta_spill_init(&q->spill, q->alloc, text_max);
    return r < 0
               ? r
               : ta_fetch_new(&q->fetch, q->store, cluster, &q->request, &q->limits, q->alloc, err);
}

int ta_fetch_query_parse(struct ta_fetch_query *q, struct ta_source *body, struct ta_err *err)
{
    struct ta_dec_limits limits = ta_query_decode_limits(&q->limits);
    int r = TA_OK;

    assert(!q->fetch);
    if (!q->decoder)
        r = ta_decoder_new(&q->decoder, body, &body_root, &q->body, &limits, &q->arena, q->alloc);
    if (r >= 0)
        r = ta_decoder_run(q->decoder, err);
    if (r == TA_EAGAIN)
        return r;
    ta_decoder_free(q->decoder);
    q->decoder = NULL;
    if (r >= 0)
        r = plan(q, err);
    return r < 0 ? ta_fail(err, r, "no memory left for this request") : TA_OK;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static int put(struct ta_fetch_query *q, const char *text)
{
    return ta_buf_z(&q->spill.text, text);
}

static int put_str(struct ta_fetch_query *q, const char *before, struct ta_str s)
{
    int r = put(q, before);

    return r < 0 ? r : ta_json_escape(&q->spill.text, s);
}

/* {"avg":A,"min":M,"max":X}; all 0 when one is not a number, as the reference has it. */
static int put_stats(struct ta_fetch_query *q, const struct ta_stats *s)
{
    const char *const names[] = {"{\"avg\":", ",\"min\":", ",\"max\":"};
    const double values[] = {s->avg, s->min, s->max};
    bool is_good = isfinite(s->avg) && isfinite(s->min) && isfinite(s->max);
    char text[TA_SHORTEST_MAX];
    int r = TA_OK;

    for (size_t i = 0; i < TA_COUNT(names) && r >= 0; i++) {
        r = put(q, names[i]);
        if (r >= 0)
            r = ta_buf_add(&q->spill.text, text, ta_print_shortest(text, is_good ? values[i] : 0));
    }
    return r < 0 ? r : put(q, "}");
}

static struct ta_str key_of(const struct ta_fetch_query *q, size_t level)
{
    switch (q->function->keys[level]) {
    case KEY_METRIC:
        return q->series.metric->name;
    case KEY_SCOPE:
        return ta_str(ta_scope_name(q->series.scope));
    default:
        return q->series.host;
    }
}

/* Closes the open levels from the innermost out to `level`. */
static int close_levels(struct ta_fetch_query *q, size_t level)
{
    int r = TA_OK;

    for (size_t i = q->function->n_keys; i-- > level && r >= 0;) {
        if (!q->open[i].at)
            continue;
        q->open[i].at = NULL;
        if (i + 1 < q->function->n_keys)
            r = put(q, "}");
        else if (q->function->leaf != LEAF_STATS)
            r = put(q, q->function->leaf == LEAF_SERIES ? "]}" : "]");
    }
    return r;
}

static int open_leaf(struct ta_fetch_query *q)
{
    const struct ta_unit *unit = &q->series.metric->unit;
    int r;

    q->is_first = true;
    if (q->function->leaf == LEAF_STATS)
        return TA_OK;
    if (q->function->leaf == LEAF_STATS_LIST)
        return put(q, "[");
    r = put_str(q, "{\"unit\":{\"base\":", unit->base);
    if (r >= 0 && unit->prefix.len)
        r = put_str(q, ",\"prefix\":", unit->prefix);
    r = r < 0 ? r : put(q, "},\"timestep\":");
    r = r < 0 ? r : ta_buf_i64(&q->spill.text, q->series.timestep_s);
    return r < 0 ? r : put(q, ",\"series\":[");
}

static int open_levels(struct ta_fetch_query *q)
{
    size_t n = q->function->n_keys, level = 0;
    bool is_new = !q->open[0].at;
    int r;

    while (level < n && q->open[level].at && ta_str_eq(q->open[level], key_of(q, level)))
        level++;
    if (level == n)
        return TA_OK;
    r = close_levels(q, level);
    for (size_t i = level; i < n && r >= 0; i++) {
        if (i == level && !is_new)
            r = put(q, ",");
        r = r < 0 ? r : put_str(q, "", key_of(q, i));
        r = r < 0 ? r : put(q, i + 1 < n ? ":{" : ":");
        q->open[i] = key_of(q, i);
    }
    return r < 0 ? r : open_leaf(q);
}

/* What stands before the data of a series, or all of it when only statistics are wanted. */
static int put_series(struct ta_fetch_query *q)
{
    struct ta_stats stats;
    int r;

    if (q->function->leaf == LEAF_STATS) {
        stats = ta_fetch_stats(q->fetch);
        if (isnan(stats.avg))
            return TA_OK; /* a host without samples has no statistics */
        r = open_levels(q);
        return r < 0 ? r : put_stats(q, &stats);
    }
    r = open_levels(q);
    r = r < 0 ? r : put_str(q, q->is_first ? "{\"hostname\":" : ",{\"hostname\":", q->series.host);
    if (r >= 0 && q->series.id.at)
        r = put_str(q, ",\"id\":", q->series.id);
    q->is_first = false;
    if (r < 0)
        return r;
    if (q->function->leaf == LEAF_STATS_LIST) {
        stats = ta_fetch_stats(q->fetch);
        r = put(q, ",\"statistics\":");
        r = r < 0 ? r : put_stats(q, &stats);
        return r < 0 ? r : put(q, "}");
    }
    q->phase = DATA;
    q->has_value = false;
    q->window_len = q->window_at = 0;
    return put(q, ",\"data\":[");
}

static int step_series(struct ta_fetch_query *q)
{
    if (ta_fetch_next(q->fetch, &q->series) > 0)
        return put_series(q);
    q->phase = ERRORS;
    int r = close_levels(q, 0);
    return r < 0 ? r : put(q, "},\"errors\":[");
}

static int step_data(struct ta_fetch_query *q)
{
    struct ta_buf *b = &q->spill.text;
    size_t begin = b->len, used;

    if (q->window_at == q->window_len) {
        q->window_len = ta_fetch_window(q->fetch, q->window, WINDOW);
        q->window_at = 0;
    }
    if (q->window_len == 0) {
        q->phase = TAIL;
        return TA_OK;
    }
    q->window_at += ta_print_values(b->at + begin, b->cap - begin, q->window + q->window_at,
                                    q->window_len - q->window_at, &used);
    if (!q->has_value)
        memmove(b->at + begin, b->at + begin + 1, --used); /* the first has no comma */
    q->has_value = true;
    b->len += used;
    return TA_OK;
}

static int step_tail(struct ta_fetch_query *q)
{
    struct ta_stats stats = ta_fetch_stats(q->fetch);
    int r = put(q, "],\"statistics\":");

    q->phase = SERIES;
    r = r < 0 ? r : put_stats(q, &stats);
    return r < 0 ? r : put(q, "}");
}

static int step_errors(struct ta_fetch_query *q)
{
    struct ta_str text;

    if (ta_fetch_error(q->fetch, q->error, &text))
        return put_str(q, q->error++ ? "," : "", text);
    q->phase = OVER;
    if (ta_fetch_n_errors(q->fetch) > q->error) {
        int r = ta_buf_printf(&q->spill.text, ",\"and %llu more\"",
                              (unsigned long long)(ta_fetch_n_errors(q->fetch) - q->error));
        if (r < 0)
            return r;
    }
    return put(q, "]}\n");
}

static int step(struct ta_fetch_query *q)
{
    switch (q->phase) {
    case HEAD:
        q->phase = SERIES;
        return put(q, "{\"data\":{");
    case SERIES:
        return step_series(q);
    case DATA:
        return step_data(q);
    case TAIL:
        return step_tail(q);
    default:
        return step_errors(q);
    }
}

int ta_fetch_query_fill(struct ta_fetch_query *q, struct ta_buf *room, struct ta_err *err)
{
    const size_t begin = room->len;
    uint64_t cost = 0;
    int r;

    assert(q->fetch);
    r = ta_buf_reserve(room, room->max - room->len);
    if (r < 0)
        return ta_fail(err, r, "no memory for the answer's buffer");
    while (ta_spill_drain(&q->spill, room)) {
        if (q->phase == OVER)
            return 0;
        if (room->len == room->cap || (cost > WORK_MAX && room->len > begin))
            return 1;
        r = step(q);
        cost += ta_fetch_cost(q->fetch);
        if (r < 0)
            return ta_fail(err, r, "the answer's text does not fit");
    }
    return 1;
}
