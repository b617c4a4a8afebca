/* job_call_nodes.c - what the scheduler says of nodes, and whether their metrics come (spec: archiver 5). */
#include "app/job_call_int.h"

#include "io/json_write.h"
#include "store/read.h"

#include <strings.h>

enum { NODES_MAX = 1 << 16, DETAIL_MAX = 64 << 10, METRICS_MAX = 4096, NAMES_MAX = 300 };

/* What a list of states comes to: the first word that is in it. "down" counts before "idle". */
enum { SAYS_ALLOCATED = 1, SAYS_RESERVED = 2, SAYS_IDLE = 4, SAYS_DOWN = 8, SAYS_MIXED = 16 };

struct node {
    struct ta_str host;
    unsigned says;
    int64_t cpus, memory, gpus, jobs;
};

struct node_request {
    struct ta_str cluster;
    struct node *nodes;
    size_t n, cap;
};

static const char *state_of(unsigned says)
{
    return says & SAYS_ALLOCATED  ? "allocated"
           : says & SAYS_RESERVED ? "reserved"
           : says & SAYS_DOWN     ? "down"
           : says & SAYS_IDLE     ? "idle"
           : says & SAYS_MIXED    ? "mixed"
                                  : "unknown";
}

static unsigned word_of(struct ta_str word)
{
    static const struct {
        const char *word;
        unsigned says;
    } words[] = {{"allocated", SAYS_ALLOCATED},
                 {"reserved", SAYS_RESERVED},
                 {"idle", SAYS_IDLE},
                 {"down", SAYS_DOWN},
                 {"mixed", SAYS_MIXED}};

    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (strlen(words[i].word) == word.len && strncasecmp(words[i].word, word.at, word.len) == 0)
            return words[i].says;
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int read_states(struct ta_json_reader *r, unsigned *out, struct ta_err *err)
{
    struct ta_json_token t;
    int e = ta_json_next(r, &t, err);

    if (e <= 0 || t.kind == TA_JSON_NULL)
        return e;
    if (t.kind != TA_JSON_ARRAY)
        return ta_json_expected(&t, "a list of states", err);
    while ((e = ta_json_next(r, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_STRING)
            return ta_json_expected(&t, "a state", err);
        *out |= word_of(t.text);
    }
    return e;
}

static int read_node_member(struct node *node, struct ta_str key, struct ta_json_reader *r,
                            struct ta_arena *arena, struct ta_err *err)
{
    if (ta_str_is(key, "hostname"))
        return job_read_str(r, &node->host, arena, err);
    if (ta_str_is(key, "states"))
        return read_states(r, &node->says, err);
    if (ta_str_is(key, "cpusAllocated"))
        return job_read_i64(r, &node->cpus, err);
    if (ta_str_is(key, "memoryAllocated"))
        return job_read_i64(r, &node->memory, err);
    if (ta_str_is(key, "gpusAllocated"))
        return job_read_i64(r, &node->gpus, err);
    if (ta_str_is(key, "jobsRunning"))
        return job_read_i64(r, &node->jobs, err);
    return ta_fail(err, TA_EFORMAT, "json: unknown field \"%.*s\"", TA_STR_FMT(key));
}

static int read_node(struct ta_json_reader *r, struct node *out, struct ta_arena *arena,
                     struct ta_err *err)
{
    struct ta_json_token t;
    int e;

    *out = (struct node){0};
    while ((e = ta_json_next(r, &t, err)) > 0 && t.kind == TA_JSON_KEY)
        if ((e = read_node_member(out, t.text, r, arena, err)) < 0)
            return e;
    return e;
}

static int grow(struct node_request *q, struct ta_arena *arena, struct ta_err *err)
{
    size_t cap = q->cap ? q->cap * 2 : 64;
    struct node *at;

    if (q->n < q->cap)
        return TA_OK;
    if (q->n == NODES_MAX)
        return ta_fail(err, TA_ERANGE, "more than %d nodes", NODES_MAX);
    at = ta_resize(&arena->alloc, q->nodes, q->cap * sizeof(*at), cap * sizeof(*at));
    if (!at)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    q->nodes = at;
    q->cap = cap;
    return TA_OK;
}

static int node_member(void *self, struct ta_str key, struct ta_json_reader *r,
                       struct ta_arena *arena, struct ta_err *err)
{
    struct node_request *q = self;
    struct ta_json_token t;
    int e;

    if (ta_str_is(key, "cluster"))
        return job_read_str(r, &q->cluster, arena, err);
    if (!ta_str_is(key, "nodes"))
        return 0;
    e = ta_json_next(r, &t, err);
    if (e <= 0 || t.kind == TA_JSON_NULL)
        return e;
    if (t.kind != TA_JSON_ARRAY)
        return ta_json_expected(&t, "a list of nodes", err);
    while ((e = ta_json_next(r, &t, err)) > 0 && t.kind == TA_JSON_OBJECT) {
        e = grow(q, arena, err);
        if (e >= 0)
            e = read_node(r, &q->nodes[q->n++], arena, err);
        if (e < 0)
            return e;
    }
    if (e > 0 && t.kind != TA_JSON_ARRAY_END)
        return ta_json_expected(&t, "a node", err);
    return e;
}

/* ---- health ------------------------------------------------------------------------------------- */

/* The metrics of one subcluster, and room for what the store says of them. */
struct expected {
    const struct ta_subcluster *of;
    struct ta_str *names;
    uint32_t *ids;
    enum ta_health *health;
    size_t n;
};

static int expect(struct ta_job_call *c, const struct ta_cluster *cluster,
                  const struct ta_subcluster *of, struct ta_metrics *metrics, struct expected *x)
{
    if (x->of == of)
        return TA_OK;
    if (!x->names) {
        size_t n = cluster->n_metrics;

        x->names = ta_arena_get(&c->arena, n * sizeof(*x->names));
        x->ids = ta_arena_get(&c->arena, n * sizeof(*x->ids));
        x->health = ta_arena_get(&c->arena, n * sizeof(*x->health));
        if (!x->names || !x->ids || !x->health)
            return TA_ENOMEM;
    }
    x->of = of;
    x->n = 0;
    for (size_t i = 0; i < cluster->n_metrics; i++) {
        const struct ta_cluster_metric *m = &cluster->metrics[i];
        int id;

        if (!ta_cluster_has(m, of->name))
            continue;
        id = ta_metrics_find(metrics, m->name);
        x->names[x->n] = m->name;
        x->ids[x->n++] = id < 0 ? UINT32_MAX : (uint32_t)id;
    }
    return TA_OK;
}

static void put_names(struct ta_json_writer *w, const struct expected *x, enum ta_health which,
                      const char *key)
{
    ta_json_put_key(w, key);
    ta_json_put_array(w);
    for (size_t i = 0; i < x->n; i++)
        if (x->health[i] == which)
            ta_json_put_str(w, x->names[i]);
    ta_json_put_array_end(w);
}

/* The node's health and, where metrics are checked, which ones are not well. */
static int look_at(struct ta_job_call *c, struct ta_str cluster, struct expected *x,
                   struct ta_node_report *out)
{
    struct ta_json_writer w;
    struct ta_buf text;
    size_t n_ok = 0;
    int e;

    out->health = "failed";
    if (ta_read_health(c->place->store, cluster, out->host, ta_now_s(c->place->clock), x->ids, x->n,
                       x->health) < 0)
        for (size_t i = 0; i < x->n; i++)
            x->health[i] = TA_HEALTH_MISSING;
    for (size_t i = 0; i < x->n; i++)
        n_ok += x->health[i] == TA_HEALTH_OK;
    if (n_ok)
        out->health = n_ok == x->n ? "full" : "partial";
    ta_buf_init(&text, &c->arena.alloc, DETAIL_MAX);
    ta_json_writer_init(&w, &text);
    ta_json_put_object(&w);
    put_names(&w, x, TA_HEALTH_DEGRADED, "degraded");
    put_names(&w, x, TA_HEALTH_MISSING, "missing");
    e = ta_json_put_object_end(&w);
    out->health_metrics = ta_buf_view(&text); /* lives as long as the arena */
    return e;
}

/* As many as there is room for: the log has all. */
static void add_name(struct ta_buf *names, struct ta_str name)
{
    if (names->len + name.len + 2 <= names->max && (!names->len || ta_buf_z(names, ", ") >= 0))
        (void)ta_buf_str(names, name); /* without memory: a name less */
}

/* The nodes that are in a subcluster; returns how many, or < 0. `others`: names of those that are in none. */
static int64_t make_reports(struct ta_job_call *c, const struct node_request *q,
                            const struct ta_cluster *cluster, struct ta_metrics *metrics,
                            struct ta_node_report *out, struct ta_buf *others)
{
    struct expected x = {0};
    int64_t n = 0;

    for (size_t i = 0; i < q->n; i++) {
        const struct node *node = &q->nodes[i];
        const struct ta_subcluster *sub = ta_cluster_of_host(cluster, node->host);
        struct ta_node_report *report = &out[n];
        int e = TA_OK;

        if (!sub || !node->host.len) {
            ta_logf(c->place->log, TA_LOG_WARN, "nodestate: %.*s is in no subcluster of %.*s",
                    TA_STR_FMT(node->host), TA_STR_FMT(cluster->name));
            add_name(others, node->host);
            continue;
        }
        *report = (struct ta_node_report){.host = node->host,
                                          .subcluster = sub->name,
                                          .state = state_of(node->says),
                                          .health = "full",
                                          .cpus = node->cpus,
                                          .memory_mb = node->memory,
                                          .gpus = node->gpus,
                                          .jobs = node->jobs};
        if (!ta_str_is(ta_str(report->state), "down")) {
            e = expect(c, cluster, sub, metrics, &x);
            if (e >= 0)
                e = look_at(c, cluster->name, &x, report);
        }
        if (e < 0)
            return e;
        n++;
    }
    return n;
}

/* All of them, or how many and which not: a sender would not learn of it otherwise. */
static void answer(struct ta_job_call *c, const struct node_request *q, size_t n,
                   const struct ta_buf *others)
{
    if (n == q->n)
        c->status = 200;
    else
        job_refuse(c, n ? 207 : 422, "%zu of %zu nodes stored; in no subcluster of %.*s: %.*s", n,
                   q->n, TA_STR_FMT(q->cluster), TA_STR_FMT(ta_buf_view(others)));
}

void job_call_node_states(struct ta_job_call *c, struct ta_repository *r)
{
    struct node_request q = {0};
    const struct ta_cluster *cluster;
    struct ta_node_report *reports;
    struct ta_buf others;
    struct ta_err why = {0};

    if (!job_read_object(c, node_member, &q))
        return;
    cluster = job_cluster(c, q.cluster);
    if (!cluster) {
        job_refuse(c, 400, "no such cluster: %.*s", TA_STR_FMT(q.cluster));
        return;
    }
    reports = ta_arena_get(&c->arena, q.n * sizeof(*reports));
    ta_buf_init(&others, &c->arena.alloc, NAMES_MAX);

    struct ta_metrics *metrics = ta_store_metrics(c->place->store);
    int64_t n = reports ? make_reports(c, &q, cluster, metrics, reports, &others) : TA_ENOMEM;

    ta_metrics_unref(metrics);
    if (n >= 0) {
        int e = ta_repository_report_nodes(r, cluster->name, ta_now_s(c->place->clock), reports,
                                           (size_t)n, &why);

        n = e < 0 ? e : n;
    }
    if (n < 0)
        job_fail(c, (int)n, "storing the states of nodes failed", &why);
    else
        answer(c, &q, (size_t)n, &others);
}
