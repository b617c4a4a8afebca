/* fetch.c - see fetch.h. A row is one (metric, scope, host); its queries are made when its turn
 * comes and forgotten with it. Jobs go metric by metric, nodes host by host. */
#include "query/fetch.h"

#include "query/entry.h"
#include "query/scope_query.h"
#include "store/walk.h"

#include <math.h>
#include <stdio.h>

enum { ERRORS_MAX = 64, ERROR_MAX = 400, HOSTS_AT_ONCE = 16, DIGITS = 3 };

enum digit { METRIC, SCOPE, HOST };

/* From the slowest to the fastest. */
static const enum digit job_order[DIGITS] = {METRIC, SCOPE, HOST};
static const enum digit node_order[DIGITS] = {HOST, METRIC, SCOPE};

struct ta_fetch {
    struct ta_alloc *alloc;
    struct ta_store *store;
    struct ta_metrics *metrics;
    const struct ta_cluster *cluster;
    const struct ta_fetch_request *request;
    struct ta_query_limits limits;
    const struct ta_subcluster *subcluster; /* of a job, or as named */
    struct ta_arena arena;                  /* hosts, errors */
    struct ta_arena row;                    /* queries of the row */
    struct ta_resource *hosts;
    int64_t n_accelerators;

    size_t at[DIGITS], count[DIGITS];
    const enum digit *order;
    bool is_over;
    const struct ta_cluster_metric *metric; /* of the row */
    struct ta_scope_queries queries;
    struct ta_query_request base; /* range and flags of all queries */
    struct ta_query_item item;
    size_t query, selection; /* in turn, within the row */
    struct ta_entry entry;
    double *window;

    struct ta_str errors[ERRORS_MAX];
    uint64_t n_errors;
};

static bool is_of_job(enum ta_fetch_kind k)
{
    return k <= TA_FETCH_SCOPED_STATS;
}

static bool has_scopes(enum ta_fetch_kind k)
{
    return k != TA_FETCH_STATS && k != TA_FETCH_NODE_DATA;
}

__attribute__((format(printf, 2, 3))) static void add_error(struct ta_fetch *l, const char *fmt,
                                                            ...)
{
    char text[ERROR_MAX];
    va_list ap;

    if (l->n_errors++ >= ERRORS_MAX)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : n < ERROR_MAX ? (size_t)n : ERROR_MAX - 1;
    l->errors[l->n_errors - 1] = ta_arena_copy(&l->arena, (struct ta_str){text, len});
    if (!l->errors[l->n_errors - 1].at)
        l->errors[l->n_errors - 1] = TA_STR("no memory for the words of an error");
}

bool ta_fetch_error(const struct ta_fetch *l, size_t i, struct ta_str *out)
{
    if (i >= l->n_errors || i >= ERRORS_MAX)
        return false;
    *out = l->errors[i];
    return true;
}

uint64_t ta_fetch_n_errors(const struct ta_fetch *l)
{
    return l->n_errors;
}

/* ---- hosts --------------------------------------------------------------------------------- */

static int take_resources(struct ta_fetch *l)
{
    const struct ta_dec_chain *from = &l->request->resources;

    l->hosts = ta_arena_get(&l->arena, from->n * sizeof(*l->hosts));
    if (!l->hosts)
        return TA_ENOMEM;
    l->n_accelerators = 0;
    for (const struct ta_dec_item *i = from->first; i; i = i->next) {
        l->hosts[l->count[HOST]++] = *(const struct ta_resource *)(const void *)i;
        l->n_accelerators += (int64_t)l->hosts[l->count[HOST] - 1].accelerators.n;
    }
    if (l->request->n_accelerators >= 0)
        l->n_accelerators = l->request->n_accelerators;
    return TA_OK;
}

static int take_nodes(struct ta_fetch *l)
{
    const struct ta_str_list *from = &l->request->nodes;

    l->hosts = ta_arena_get(&l->arena, from->n * sizeof(*l->hosts));
    if (!l->hosts)
        return TA_ENOMEM;
    for (; l->count[HOST] < from->n; l->count[HOST]++)
        l->hosts[l->count[HOST]] = (struct ta_resource){.host = from->at[l->count[HOST]]};
    return TA_OK;
}

/* All hosts of the cluster: counted first, so that one array holds them. */
static int take_all_nodes(struct ta_fetch *l)
{
    struct ta_host_name names[HOSTS_AT_ONCE], last, *after = NULL;
    struct ta_dec_chain chain = {0};
    size_t n;

    while ((n = ta_walk_hosts(l->store, l->cluster->name, after, names, HOSTS_AT_ONCE)) > 0) {
        for (size_t i = 0; i < n; i++) {
            struct ta_resource *r = ta_arena_get(&l->arena, sizeof(*r));
            if (!r)
                return TA_ENOMEM;
            *r =
                (struct ta_resource){.host = ta_arena_copy(&l->arena, ta_name_str(&names[i].host))};
            if (!r->host.at)
                return TA_ENOMEM;
            if (chain.last)
                chain.last->next = &r->item;
            else
                chain.first = &r->item;
            chain.last = &r->item;
            chain.n++;
        }
        last = names[n - 1]; /* a copy: the next batch is written over it */
        after = &last;
    }
    l->hosts = ta_arena_get(&l->arena, chain.n * sizeof(*l->hosts));
    if (!l->hosts)
        return TA_ENOMEM;
    for (const struct ta_dec_item *i = chain.first; i; i = i->next)
        l->hosts[l->count[HOST]++] = *(const struct ta_resource *)(const void *)i;
    return TA_OK;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int check(struct ta_fetch *l, struct ta_err *err)
{
    const struct ta_fetch_request *rq = l->request;

    if (rq->from_s > rq->to_s)
        return ta_fail(err, TA_EINVAL,
                       "[METRICSTORE]> invalid time range: 'from' must be before 'to'");
    if (is_of_job(rq->kind) && rq->resources.n == 0)
        return ta_fail(err, TA_EINVAL, "the job has no resources");
    if (!is_of_job(rq->kind) && rq->subcluster.len == 0)
        return TA_OK;
    l->subcluster = ta_cluster_subcluster(l->cluster, rq->subcluster);
    if (!l->subcluster)
        return ta_fail(err, TA_EINVAL,
                       "subcluster '%.*s' not found for cluster '%.*s', or cluster '%.*s' not "
                       "configured",
                       TA_STR_FMT(rq->subcluster), TA_STR_FMT(l->cluster->name),
                       TA_STR_FMT(l->cluster->name));
    return TA_OK;
}

static int prepare(struct ta_fetch *l)
{
    const struct ta_fetch_request *rq = l->request;
    int r = is_of_job(rq->kind)                                   ? take_resources(l)
            : rq->kind == TA_FETCH_NODE_DATA && !rq->nodes.is_set ? take_all_nodes(l)
                                                                  : take_nodes(l);

    if (r < 0)
        return r;
    l->window = ta_alloc(l->alloc, TA_ENTRY_SLOTS * sizeof(*l->window));
    if (!l->window)
        return TA_ENOMEM;
    l->order = is_of_job(rq->kind) ? job_order : node_order;
    l->count[METRIC] = rq->metrics.n;
    l->count[SCOPE] = has_scopes(rq->kind) ? rq->scopes.n : 1;
    l->is_over = l->count[METRIC] == 0 || l->count[SCOPE] == 0 || l->count[HOST] == 0;
    l->base = (struct ta_query_request){.cluster = l->cluster->name,
                                        .from_s = rq->from_s,
                                        .to_s = rq->to_s,
                                        .with_stats = true,
                                        .with_data = rq->kind != TA_FETCH_STATS &&
                                                     rq->kind != TA_FETCH_SCOPED_STATS};
    ta_entry_init(&l->entry, l->store, l->metrics, &l->base, &l->limits, l->alloc, l->window);
    return TA_OK;
}

int ta_fetch_new(struct ta_fetch **out, struct ta_store *store, const struct ta_cluster *cluster,
                 const struct ta_fetch_request *request, const struct ta_query_limits *limits,
                 struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_fetch *l = ta_alloc_zero(alloc, 1, sizeof(*l));

    if (!l)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    l->alloc = alloc;
    l->store = store;
    l->metrics = ta_store_metrics(store);
    l->cluster = cluster;
    l->request = request;
    l->limits = limits ? *limits : ta_query_limits_default;
    ta_arena_init(&l->arena, alloc, l->limits.arena_bytes);
    ta_arena_init(&l->row, alloc, l->limits.arena_bytes);

    int r = check(l, err);
    if (r >= 0)
        r = prepare(l);
    if (r < 0) {
        ta_fetch_free(l);
        return ta_fail(err, r, "no memory left for this request");
    }
    *out = l;
    return TA_OK;
}

void ta_fetch_free(struct ta_fetch *l)
{
    if (!l)
        return;
    ta_entry_done(&l->entry);
    ta_release(l->alloc, l->window, TA_ENTRY_SLOTS * sizeof(*l->window));
    ta_arena_done(&l->row);
    ta_arena_done(&l->arena);
    ta_metrics_unref(l->metrics);
    ta_release(l->alloc, l, sizeof(*l));
}

/* ---- rows ---------------------------------------------------------------------------------- */

static enum ta_scope wanted_scope(const struct ta_fetch *l, size_t i)
{
    return has_scopes(l->request->kind) ? ta_scope_parse(l->request->scopes.at[i]) : TA_SCOPE_NODE;
}

/* True when an earlier scope of the request has led to the same one for this metric. */
static bool is_repeated(const struct ta_fetch *l, enum ta_scope native)
{
    enum ta_scope s = ta_scope_max(native, wanted_scope(l, l->at[SCOPE]));

    for (size_t i = 0; i < l->at[SCOPE]; i++) {
        enum ta_scope earlier = wanted_scope(l, i);
        if (earlier != TA_SCOPE_INVALID && ta_scope_max(native, earlier) == s)
            return true;
    }
    return false;
}

static const struct ta_subcluster *subcluster_of(struct ta_fetch *l, struct ta_str host)
{
    const struct ta_subcluster *s = l->subcluster;

    if (!s)
        s = ta_cluster_of_host(l->cluster, host);
    if (!s && l->at[METRIC] == 0 && l->at[SCOPE] == 0)
        add_error(l, "no subcluster of '%.*s' has the host '%.*s'", TA_STR_FMT(l->cluster->name),
                  TA_STR_FMT(host));
    return s;
}

static int plan_scoped(struct ta_fetch *l, const struct ta_resource *host)
{
    const struct ta_subcluster *sub = subcluster_of(l, host->host);
    enum ta_scope wanted = wanted_scope(l, l->at[SCOPE]);
    const struct ta_topology *t;
    bool is_job = is_of_job(l->request->kind);

    if (!sub || !ta_cluster_has(l->metric, sub->name) || is_repeated(l, l->metric->scope))
        return TA_OK;
    t = &sub->topology;
    if (l->metric->scope == TA_SCOPE_ACCELERATOR &&
        (is_job ? l->n_accelerators == 0 : t->accelerators.n == 0))
        return TA_OK;

    int r = ta_scope_queries(l->metric->scope, wanted, t,
                             host->threads.is_set ? &host->threads : &t->node,
                             is_job ? &host->accelerators : &t->accelerators, &l->row, &l->queries);
    if (r == TA_EINVAL && l->at[HOST] == 0)
        add_error(l,
                  "METRICDATA/INTERNAL-CCMS > unsupported scope transformation: native-scope=%s, "
                  "requested-scope=%.*s",
                  ta_scope_name(l->metric->scope), TA_STR_FMT(l->request->scopes.at[l->at[SCOPE]]));
    return r;
}

/* The queries of the row in turn; none when it is to be skipped. */
static void plan_row(struct ta_fetch *l)
{
    static const struct ta_scope_query whole_node = {NULL, {NULL, 0, false}, false};
    const struct ta_str name = l->request->metrics.at[l->at[METRIC]];
    const struct ta_resource *host = &l->hosts[l->at[HOST]];

    ta_arena_reset(&l->row);
    l->queries = (struct ta_scope_queries){0};
    for (size_t i = 0; i < l->at[METRIC]; i++)
        if (ta_str_eq(l->request->metrics.at[i], name))
            return; /* asked for before */
    l->metric = ta_cluster_metric(l->cluster, name);
    if (!l->metric) {
        if (l->at[SCOPE] == 0 && l->at[HOST] == 0)
            add_error(l, "metric '%.*s' is not configured for cluster '%.*s'", TA_STR_FMT(name),
                      TA_STR_FMT(l->cluster->name));
        return;
    }
    if (l->request->kind == TA_FETCH_NODE_DATA)
        l->queries = (struct ta_scope_queries){&whole_node, 1, TA_SCOPE_NODE};
    else if (plan_scoped(l, host) == TA_ENOMEM)
        add_error(l, "failed to fetch '%.*s' from host '%.*s': %s", TA_STR_FMT(name),
                  TA_STR_FMT(host->host), ta_strerror(TA_ENOMEM));
}

static void next_row(struct ta_fetch *l)
{
    for (int i = DIGITS - 1; i >= 0; i--) {
        enum digit d = l->order[i];

        if (++l->at[d] < l->count[d])
            return;
        l->at[d] = 0;
    }
    l->is_over = true;
}

/* ---- series -------------------------------------------------------------------------------- */

static void describe(const struct ta_fetch *l, struct ta_fetch_series *out)
{
    const struct ta_scope_query *q = &l->queries.at[l->query];
    bool is_configured = l->request->kind == TA_FETCH_NODE_DATA;

    *out = (struct ta_fetch_series){.metric = l->metric,
                                    .scope = l->queries.scope,
                                    .host = l->item.host,
                                    .id = l->entry.type_id,
                                    .from_s = l->entry.span.from_s,
                                    .timestep_s = is_configured ? l->metric->timestep_s
                                                                : l->entry.plan.resolution_s,
                                    .n_values = ta_entry_len(&l->entry)};
    if (q->is_aggregated && q->ids.n > 0)
        out->id = q->ids.at[0];
}

static void make_item(struct ta_fetch *l)
{
    const struct ta_scope_query *q = &l->queries.at[l->query];

    l->item = (struct ta_query_item){
        .type = {q->type ? ta_str(q->type) : TA_STR(""), q->type != NULL},
        .type_ids = q->ids,
        .metric = l->metric->name,
        .host = l->hosts[l->at[HOST]].host,
        .resolution_s =
            has_scopes(l->request->kind) && l->base.with_data ? l->request->resolution_s : 0,
        .is_aggregated = q->is_aggregated};
}

int ta_fetch_next(struct ta_fetch *l, struct ta_fetch_series *out)
{
    ta_entry_close(&l->entry);
    while (!l->is_over) {
        if (l->query == 0 && l->selection == 0)
            plan_row(l);
        for (; l->query < l->queries.n; l->query++, l->selection = 0) {
            make_item(l);
            while (l->selection < ta_entry_count(&l->item)) {
                enum ta_entry_kind kind = ta_entry_open(&l->entry, &l->item, l->selection++);

                if (kind == TA_ENTRY_DATA) {
                    describe(l, out);
                    return 1;
                }
                if (kind == TA_ENTRY_ERROR)
                    add_error(l, "failed to fetch '%.*s' from host '%.*s': %.*s",
                              TA_STR_FMT(l->item.metric), TA_STR_FMT(l->item.host),
                              TA_STR_FMT(l->entry.error_text));
            }
        }
        l->query = l->selection = 0;
        next_row(l);
    }
    return 0;
}

size_t ta_fetch_window(struct ta_fetch *l, double *out, size_t max)
{
    return ta_entry_window(&l->entry, out, max);
}

void ta_fetch_seek(struct ta_fetch *l, size_t first)
{
    ta_entry_seek(&l->entry, first);
}

struct ta_stats ta_fetch_stats(struct ta_fetch *l)
{
    return ta_entry_stats(&l->entry);
}

uint64_t ta_fetch_cost(struct ta_fetch *l)
{
    uint64_t cost = l->entry.n_cost;

    l->entry.n_cost = 0;
    return cost;
}
