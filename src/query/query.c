/* query.c - see query.h.
 *
 * The answer is made in small steps, one for each opening, echoed query, head, tail, ...: a step
 * puts its text into the spill, from where it drains into the room as it fits. Values, the bulk, are
 * printed right into the room.
 *
 *   {"queries":[Q,Q,...],"results":[[E,E,...],[...],...]}
 *   HEAD       ECHO                 QUERY ENTRY (DATA) TAIL      END
 */
#include "query/query.h"

#include "io/json_write.h"
#include "query/entry.h"
#include "query/print.h"
#include "query/spill.h"
#include "store/walk.h"

#include <assert.h>

enum {
    TEXT_MIN = 1024,     /* room for every piece of text but its names */
    WORK_MAX = 1 << 22,  /* source samples in one fill: a few milliseconds */
    HOSTS_AT_ONCE = 16,  /* names fetched in one lock hold */
    ESCAPED_MAX = 6,     /* bytes that a byte of a string may become */
    NAMES_IN_A_PIECE = 3 /* at most: metric and host, or metric, type-id and subtype-id */
};

/* A node of a request for all nodes. */
struct node {
    struct node *next;
    struct ta_str name;
};

enum phase { HEAD, ECHO, RESULTS, QUERY, ENTRY, DATA, TAIL, END, OVER };

struct ta_query {
    struct ta_alloc *alloc;
    struct ta_store *store;
    struct ta_metrics *metrics;
    struct ta_query_limits limits;
    struct ta_arena arena;
    struct ta_decoder *decoder;
    struct ta_query_request request;
    struct node *nodes;
    bool is_planned;

    enum phase phase;
    const struct ta_query_item
        *item; /* the query in turn; NULL: those for all nodes begin or go on */
    struct ta_query_item generated;
    const struct node *node; /* of the generated query */
    size_t metric;
    bool has_query; /* a query has been answered: a comma before the next */
    bool has_entry; /* likewise within the query */
    size_t selection, n_selections;
    struct ta_entry entry;
    int64_t n_pad; /* padding left to print */
    bool has_value;
    double *window; /* TA_ENTRY_SLOTS values; as many behind them are the entry's */
    size_t window_len, window_at;

    struct ta_spill spill; /* the piece on its way to the room */
    struct ta_query_counts counts;
};

enum { WINDOW_BYTES = 2 * TA_ENTRY_SLOTS * sizeof(double) };

int ta_query_new(struct ta_query **out, struct ta_store *store,
                 const struct ta_query_limits *limits, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_query *q = ta_alloc_zero(alloc, 1, sizeof(*q));

    if (!q)
        return ta_fail(err, TA_ENOMEM, "no memory for a query");
    q->alloc = alloc;
    q->store = store;
    q->limits = limits ? *limits : ta_query_limits_default;
    q->request = TA_QUERY_REQUEST_DEFAULTS;
    q->metrics = ta_store_metrics(store);
    ta_arena_init(&q->arena, alloc, q->limits.arena_bytes);
    *out = q;
    return TA_OK;
}

void ta_query_free(struct ta_query *q)
{
    if (!q)
        return;
    ta_entry_done(&q->entry);
    ta_decoder_free(q->decoder);
    ta_release(q->alloc, q->window, WINDOW_BYTES);
    ta_spill_done(&q->spill);
    ta_arena_done(&q->arena);
    ta_metrics_unref(q->metrics);
    ta_release(q->alloc, q, sizeof(*q));
}

void ta_query_counts(const struct ta_query *q, struct ta_query_counts *out)
{
    *out = q->counts;
}

/* ---- planning ------------------------------------------------------------------------------ */

static int add_node(struct ta_query *q, struct node ***end, struct ta_str name)
{
    struct node *n = ta_arena_get(&q->arena, sizeof(*n) + name.len);

    if (!n)
        return TA_ENOMEM;
    memcpy(n + 1, name.at, name.len);
    n->name = (struct ta_str){(char *)(n + 1), name.len};
    n->next = NULL;
    **end = n;
    *end = &n->next;
    return TA_OK;
}

static int list_nodes(struct ta_query *q)
{
    struct ta_host_name names[HOSTS_AT_ONCE], last, *after = NULL;
    struct node **end = &q->nodes;
    size_t n;

    /* An empty name would mean the hosts of all clusters. */
    if (q->request.for_all_nodes.n == 0 || q->request.cluster.len == 0)
        return TA_OK;
    while ((n = ta_walk_hosts(q->store, q->request.cluster, after, names, HOSTS_AT_ONCE)) > 0) {
        for (size_t i = 0; i < n; i++) {
            int r = add_node(q, &end, ta_name_str(&names[i].host));
            if (r < 0)
                return r;
        }
        last = names[n - 1]; /* a copy: the next batch is written over it */
        after = &last;
    }
    return TA_OK;
}

/* The difference may not fit an int64_t. */
static bool is_range_too_long(const struct ta_query *q)
{
    int64_t from = q->request.from_s, to = q->request.to_s, range;

    if (q->limits.range_s_max <= 0 || from >= to)
        return false;
    return __builtin_sub_overflow(to, from, &range) || range > q->limits.range_s_max;
}

/* Everything that filling will need is taken now, so that filling cannot fail. */
static int plan(struct ta_query *q)
{
    size_t text_max = TEXT_MIN + NAMES_IN_A_PIECE * ESCAPED_MAX * q->limits.name_max;

    int r = list_nodes(q);
    if (r < 0)
        return r;
    q->window = ta_alloc(q->alloc, WINDOW_BYTES);
    if (!q->window || ta_spill_init(&q->spill, q->alloc, text_max) < 0)
        return TA_ENOMEM;
    ta_entry_init(&q->entry, q->store, q->metrics, &q->request, &q->limits, q->alloc,
                  q->window + TA_ENTRY_SLOTS);
    q->item = (const struct ta_query_item *)(const void *)q->request.queries.first;
    q->node = q->nodes;
    q->is_planned = true;
    return TA_OK;
}

int ta_query_parse(struct ta_query *q, struct ta_source *body, struct ta_err *err)
{
    struct ta_dec_limits limits = ta_query_decode_limits(&q->limits);
    int r = TA_OK;

    assert(!q->is_planned);
    if (!q->decoder)
        r = ta_decoder_new(&q->decoder, body, &ta_query_root, &q->request, &limits, &q->arena,
                           q->alloc);
    if (r >= 0)
        r = ta_decoder_run(q->decoder, err);
    if (r == TA_EAGAIN)
        return r;
    ta_decoder_free(q->decoder);
    q->decoder = NULL;
    if (r >= 0 && is_range_too_long(q))
        return ta_fail(err, TA_EINVAL, "the time range is longer than %lld s",
                       (long long)q->limits.range_s_max);
    if (r >= 0)
        r = plan(q);
    return r < 0 ? ta_fail(err, r, "no memory left for this request") : TA_OK;
}

/* ---- texts --------------------------------------------------------------------------------- */

static int put_member(struct ta_buf *b, const char *before, struct ta_str s)
{
    int r = ta_buf_z(b, before);

    return r < 0 ? r : ta_json_escape(b, s);
}

static int put_number(struct ta_buf *b, const char *before, int64_t v)
{
    int r = ta_buf_z(b, before);

    return r < 0 ? r : ta_buf_i64(b, v);
}

static int put_stats(struct ta_buf *b, const struct ta_stats *s)
{
    int r = ta_buf_z(b, ",\"avg\":");

    r = r < 0 ? r : ta_print_stat(b, s->avg);
    r = r < 0 ? r : ta_buf_z(b, ",\"min\":");
    r = r < 0 ? r : ta_print_stat(b, s->min);
    r = r < 0 ? r : ta_buf_z(b, ",\"max\":");
    return r < 0 ? r : ta_print_stat(b, s->max);
}

/* The members behind the data, up to the end of the entry. */
static int put_tail(struct ta_query *q, int64_t from_s, int64_t to_s, int64_t resolution_s,
                    const struct ta_stats *stats)
{
    struct ta_buf *b = &q->spill.text;
    int r = put_number(b, "\"from\":", from_s);

    r = r < 0 ? r : put_number(b, ",\"to\":", to_s);
    r = r < 0 ? r : put_number(b, ",\"resolution\":", resolution_s);
    r = r < 0 ? r : put_stats(b, stats);
    if (q->request.with_ids && q->entry.type_id.at) {
        r = r < 0 ? r : put_member(b, ",\"type-id\":", q->entry.type_id);
        if (q->entry.subtype_id.at)
            r = r < 0 ? r : put_member(b, ",\"subtype-id\":", q->entry.subtype_id);
    }
    return r < 0 ? r : ta_buf_byte(b, '}');
}

static int put_error(struct ta_query *q)
{
    const struct ta_stats none = {0};
    int r = put_member(&q->spill.text, "\"error\":", q->entry.error_text);

    r = r < 0 ? r : ta_buf_byte(&q->spill.text, ',');
    return r < 0 ? r : put_tail(q, 0, 0, 0, &none);
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The query in turn: the request's own, then for each node each metric. NULL at the end. */
static const struct ta_query_item *query_in_turn(struct ta_query *q)
{
    if (q->item)
        return q->item;
    if (!q->node)
        return NULL;
    q->generated = (struct ta_query_item){.metric = q->request.for_all_nodes.at[q->metric],
                                          .host = q->node->name};
    return &q->generated;
}

static void next_generated(struct ta_query *q)
{
    if (++q->metric == q->request.for_all_nodes.n) {
        q->metric = 0;
        q->node = q->node->next;
    }
}

static void next_query(struct ta_query *q)
{
    if (q->item)
        q->item = (const struct ta_query_item *)(const void *)q->item->item.next;
    else
        next_generated(q);
}

static int step_head(struct ta_query *q)
{
    q->phase = q->node ? ECHO : RESULTS;
    return ta_buf_z(&q->spill.text, q->node ? "{\"queries\":[" : "{");
}

static int step_echo(struct ta_query *q)
{
    struct ta_buf *b = &q->spill.text;
    int r = TA_OK;

    if (!q->node) { /* all told: back to the first for the results */
        q->node = q->nodes;
        q->phase = RESULTS;
        return ta_buf_z(b, "],");
    }
    if (q->node != q->nodes || q->metric > 0)
        r = ta_buf_byte(b, ',');
    r = r < 0 ? r : put_member(b, "{\"metric\":", q->request.for_all_nodes.at[q->metric]);
    r = r < 0 ? r : put_member(b, ",\"host\":", q->node->name);
    next_generated(q);
    return r < 0 ? r : ta_buf_z(b, ",\"resolution\":0,\"aggreg\":false}");
}

static int step_results(struct ta_query *q)
{
    q->phase = QUERY;
    return ta_buf_z(&q->spill.text, "\"results\":[");
}

static int step_query(struct ta_query *q)
{
    const struct ta_query_item *item = query_in_turn(q);
    bool is_first = !q->has_query;

    if (!item) {
        q->phase = END;
        return TA_OK;
    }
    q->has_query = true;
    q->has_entry = false;
    q->selection = 0;
    q->n_selections = ta_entry_count(item);
    q->phase = ENTRY;
    return ta_buf_z(&q->spill.text, is_first ? "[" : ",[");
}

static int step_entry(struct ta_query *q)
{
    struct ta_buf *b = &q->spill.text;
    enum ta_entry_kind kind;
    int r;

    if (q->selection == q->n_selections) {
        next_query(q);
        q->phase = QUERY;
        return ta_buf_byte(b, ']');
    }
    kind = ta_entry_open(&q->entry, query_in_turn(q), q->selection++);
    if (kind == TA_ENTRY_NONE) {
        q->counts.missing++;
        return TA_OK;
    }
    r = ta_buf_z(b, q->has_entry ? ",{" : "{");
    q->has_entry = true;
    q->counts.entries++;
    if (kind == TA_ENTRY_ERROR) {
        q->counts.errors++;
        return r < 0 ? r : put_error(q);
    }
    q->n_pad = q->entry.n_pad;
    q->has_value = false;
    q->window_len = q->window_at = 0;
    q->phase = TAIL;
    if (!q->request.with_data || (q->n_pad == 0 && ta_entry_len(&q->entry) == 0))
        return r;
    q->phase = DATA;
    return r < 0 ? r : ta_buf_z(b, "\"data\":[");
}

static int step_tail(struct ta_query *q)
{
    const struct ta_entry *e = &q->entry;
    struct ta_stats stats = ta_entry_stats(&q->entry);

    ta_entry_close(&q->entry);
    q->phase = ENTRY;
    return put_tail(q, e->span.from_s, e->span.to_s, e->plan.resolution_s, &stats);
}

static int step_end(struct ta_query *q)
{
    q->phase = OVER;
    return ta_buf_z(&q->spill.text, "]}\n");
}

/* ---- data ---------------------------------------------------------------------------------- */

static size_t put_padding(struct ta_query *q, char *at, size_t room)
{
    size_t used = 0;

    for (; q->n_pad > 0 && room - used >= 5; q->n_pad--) {
        memcpy(at + used, ",null", 5);
        used += 5;
        q->counts.values++;
    }
    return used;
}

/* Values into at most `room` bytes behind b's end. The first one has no comma: it is printed with
 * one, which is cut off. */
static void put_values(struct ta_query *q, struct ta_buf *b, size_t room)
{
    char *at = b->at + b->len;
    size_t used = put_padding(q, at, room);

    while (q->n_pad == 0) {
        size_t bytes, n;

        if (q->window_at == q->window_len) {
            q->window_len = ta_entry_window(&q->entry, q->window, TA_ENTRY_SLOTS);
            q->window_at = 0;
            if (q->window_len == 0)
                break;
        }
        n = ta_print_values(at + used, room - used, q->window + q->window_at,
                            q->window_len - q->window_at, &bytes);
        if (n == 0)
            break;
        q->window_at += n;
        q->counts.values += n;
        used += bytes;
    }
    if (!q->has_value && used > 0) {
        memmove(at, at + 1, --used);
        q->has_value = true;
    }
    b->len += used;
}

/* Values straight into the room where they fit, else one at a time by way of the spill. */
static int step_data(struct ta_query *q, struct ta_buf *room)
{
    size_t left = room->cap - room->len;

    if (left >= TA_PRINT_VALUE_MAX)
        put_values(q, room, left);
    else
        put_values(q, &q->spill.text, TA_PRINT_VALUE_MAX);
    if (q->n_pad > 0 || q->window_len > 0)
        return TA_OK;
    q->phase = TAIL;
    return ta_buf_z(&q->spill.text, "],");
}

static int step(struct ta_query *q, struct ta_buf *room)
{
    switch (q->phase) {
    case HEAD:
        return step_head(q);
    case ECHO:
        return step_echo(q);
    case RESULTS:
        return step_results(q);
    case QUERY:
        return step_query(q);
    case ENTRY:
        return step_entry(q);
    case DATA:
        return step_data(q, room);
    case TAIL:
        return step_tail(q);
    default:
        return step_end(q);
    }
}

int ta_query_fill(struct ta_query *q, struct ta_buf *room, struct ta_err *err)
{
    const size_t begin = room->len;
    int r;

    assert(q->is_planned);
    r = ta_buf_reserve(room, room->max - room->len);
    if (r < 0)
        return ta_fail(err, r, "no memory for the answer's buffer");
    q->entry.n_cost = 0;
    for (;;) {
        if (!ta_spill_drain(&q->spill, room))
            break;
        if (q->phase == OVER) {
            r = 0;
            goto out;
        }
        if (room->len == room->cap || (q->entry.n_cost > WORK_MAX && room->len > begin))
            break;
        r = step(q, room);
        if (r < 0)
            goto out;
    }
    r = 1;
out:
    q->counts.samples = q->entry.n_samples;
    return r < 0 ? ta_fail(err, r, "the answer's text does not fit") : r;
}
