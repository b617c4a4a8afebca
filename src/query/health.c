/* health.c - see health.h. HealthMetrics is a string that holds JSON, so its names are escaped
 * twice. */
#include "query/health.h"

#include "io/json_write.h"
#include "query/spill.h"
#include "store/read.h"

#include <assert.h>
#include <stdlib.h>

enum {
    TEXT_MIN = 512,
    NAME_GROWS = 7,    /* bytes that one byte of a name may become, escaped twice */
    NODES_AT_ONCE = 64 /* nodes looked at in one fill: it pauses once something is written */
};

enum phase { HEAD, NODE, DEGRADED, MISSING, TAIL, OVER };

struct ta_health_query {
    struct ta_alloc *alloc;
    struct ta_store *store;
    struct ta_metrics *metrics;
    struct ta_query_limits limits;
    struct ta_arena arena;
    struct ta_decoder *decoder;
    struct ta_health_request request;
    bool is_planned;

    struct ta_str *nodes; /* sorted, each once */
    size_t n_nodes;
    uint32_t *ids; /* of the metrics asked for, in their order */
    enum ta_health *states;

    enum phase phase;
    size_t node, metric;
    bool has_name; /* a name stands in the list being written */
    size_t n_looked_at;
    struct ta_spill spill;
    struct ta_buf inner; /* a name escaped once */
};

int ta_health_new(struct ta_health_query **out, struct ta_store *store,
                  const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_health_query *h = ta_alloc_zero(alloc, 1, sizeof(*h));

    if (!h)
        return ta_fail(err, TA_ENOMEM, "no memory for a health check");
    h->alloc = alloc;
    h->store = store;
    h->limits = limits ? *limits : ta_query_limits_default;
    h->metrics = ta_store_metrics(store);
    ta_arena_init(&h->arena, alloc, h->limits.arena_bytes);
    *out = h;
    return TA_OK;
}

void ta_health_free(struct ta_health_query *h)
{
    if (!h)
        return;
    ta_decoder_free(h->decoder);
    ta_spill_done(&h->spill);
    ta_buf_done(&h->inner);
    ta_arena_done(&h->arena);
    ta_metrics_unref(h->metrics);
    ta_release(h->alloc, h, sizeof(*h));
}

static int by_bytes(const void *a, const void *b)
{
    return ta_str_cmp(*(const struct ta_str *)a, *(const struct ta_str *)b);
}

static int plan(struct ta_health_query *h)
{
    const struct ta_str_list *nodes = &h->request.nodes, *metrics = &h->request.metrics;
    size_t name_max = NAME_GROWS * h->limits.name_max;

    h->nodes = ta_arena_get(&h->arena, nodes->n * sizeof(*h->nodes));
    h->ids = ta_arena_get(&h->arena, metrics->n * sizeof(*h->ids));
    h->states = ta_arena_get(&h->arena, metrics->n * sizeof(*h->states));
    if (!h->nodes || !h->ids || !h->states)
        return TA_ENOMEM;
    for (size_t i = 0; i < metrics->n; i++) {
        int id = ta_metrics_find(h->metrics, metrics->at[i]);
        h->ids[i] = id < 0 ? TA_METRIC_UNKNOWN : (uint32_t)id;
    }
    if (nodes->n > 0) {
        memcpy(h->nodes, nodes->at, nodes->n * sizeof(*h->nodes));
        qsort(h->nodes, nodes->n, sizeof(*h->nodes), by_bytes);
    }
    for (size_t i = 0; i < nodes->n; i++)
        if (h->n_nodes == 0 || !ta_str_eq(h->nodes[h->n_nodes - 1], h->nodes[i]))
            h->nodes[h->n_nodes++] = h->nodes[i];
    h->is_planned = true;
    ta_buf_init(&h->inner, h->alloc, TEXT_MIN + name_max);
    if (ta_buf_reserve(&h->inner, TEXT_MIN + name_max) < 0)
        return TA_ENOMEM;
    return ta_spill_init(&h->spill, h->alloc, TEXT_MIN + name_max);
}

int ta_health_parse(struct ta_health_query *h, struct ta_source *body, struct ta_err *err)
{
    struct ta_dec_limits limits = ta_query_decode_limits(&h->limits);
    int r = TA_OK;

    assert(!h->is_planned);
    if (!h->decoder)
        r = ta_decoder_new(&h->decoder, body, &ta_health_root, &h->request, &limits, &h->arena,
                           h->alloc);
    if (r >= 0)
        r = ta_decoder_run(h->decoder, err);
    if (r == TA_EAGAIN)
        return r;
    ta_decoder_free(h->decoder);
    h->decoder = NULL;
    if (r >= 0)
        r = plan(h);
    return r < 0 ? ta_fail(err, r, "no memory left for this request") : TA_OK;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static int step_node(struct ta_health_query *h, int64_t now_s)
{
    struct ta_buf *b = &h->spill.text;
    const struct ta_str node = h->nodes[h->node];
    size_t n = h->request.metrics.n, n_ok = 0;
    int r;

    if (h->node > 0)
        (void)ta_buf_byte(b, ',');
    r = ta_json_escape(b, node);
    if (r < 0)
        return r;
    h->n_looked_at++;
    h->phase = TAIL;
    if (ta_read_health(h->store, h->request.cluster, node, now_s, h->ids, n, h->states) < 0)
        return ta_buf_z(b, ":{\"State\":\"failed\",\"HealthMetrics\":\"");
    for (size_t i = 0; i < n; i++)
        n_ok += h->states[i] == TA_HEALTH_OK;
    r = ta_buf_z(b, ":{\"State\":\"");
    r = r < 0 ? r : ta_buf_z(b, n_ok == n ? "full" : n_ok == 0 ? "failed" : "partial");
    h->phase = DEGRADED;
    h->metric = 0;
    h->has_name = false;
    return r < 0 ? r : ta_buf_z(b, "\",\"HealthMetrics\":\"{\\\"degraded\\\":[");
}

static int put_name(struct ta_health_query *h, struct ta_str name)
{
    struct ta_buf *b = &h->spill.text;
    size_t begin;
    int r = h->has_name ? ta_buf_byte(b, ',') : TA_OK;

    h->has_name = true;
    ta_buf_reset(&h->inner);
    r = r < 0 ? r : ta_json_escape(&h->inner, name);
    begin = b->len;
    r = r < 0 ? r : ta_json_escape(b, ta_buf_view(&h->inner));
    if (r < 0)
        return r;
    b->len -= 2; /* without the quotes of the outer string */
    memmove(b->at + begin, b->at + begin + 1, b->len - begin);
    return TA_OK;
}

/* One name of the given state; when there is none left, what stands behind the list. */
static int step_names(struct ta_health_query *h, enum ta_health state, const char *after,
                      enum phase next)
{
    while (h->metric < h->request.metrics.n)
        if (h->states[h->metric++] == state)
            return put_name(h, h->request.metrics.at[h->metric - 1]);
    h->metric = 0;
    h->has_name = false;
    h->phase = next;
    return ta_buf_z(&h->spill.text, after);
}

static int step(struct ta_health_query *h, int64_t now_s)
{
    struct ta_buf *b = &h->spill.text;

    switch (h->phase) {
    case HEAD:
        h->phase = NODE;
        return ta_buf_byte(b, '{');
    case NODE:
        if (h->node < h->n_nodes)
            return step_node(h, now_s);
        h->phase = OVER;
        return ta_buf_z(b, "}\n");
    case DEGRADED:
        return step_names(h, TA_HEALTH_DEGRADED, "],\\\"missing\\\":[", MISSING);
    case MISSING:
        return step_names(h, TA_HEALTH_MISSING, "]}", TAIL);
    default:
        h->node++;
        h->phase = NODE;
        return ta_buf_z(b, "\"}");
    }
}

int ta_health_fill(struct ta_health_query *h, int64_t now_s, struct ta_buf *room,
                   struct ta_err *err)
{
    int r;

    assert(h->is_planned);
    r = ta_buf_reserve(room, room->max - room->len);
    if (r < 0)
        return ta_fail(err, r, "no memory for the answer's buffer");
    h->n_looked_at = 0;
    while (ta_spill_drain(&h->spill, room)) {
        if (h->phase == OVER)
            return 0;
        if (room->len == room->cap || h->n_looked_at >= NODES_AT_ONCE)
            return 1;
        r = step(h, now_s);
        if (r < 0)
            return ta_fail(err, r, "the answer's text does not fit");
    }
    return 1;
}
