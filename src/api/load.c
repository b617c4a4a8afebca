/* load.c - the metrics of a job or of nodes: the request into the words of query/fetch.h. */
#include "api/api_int.h"
#include "io/stream.h"
#include "query/fetch.h"

#include <stdio.h>
#include <tarn/load.h>

struct tarn_cluster {
    struct ta_cluster *cluster;
};

struct tarn_load {
    struct ta_arena arena;   /* the request */
    struct ta_arena strings; /* names of the open series */
    struct ta_fetch_request request;
    struct ta_fetch *fetch;
    char problem[512];
};

enum { STRINGS_MAX = 64 * 1024 };

int tarn_cluster_open(struct tarn_cluster **out, const char *json, size_t len,
                      struct tarn_error *err)
{
    struct tarn_cluster *c = ta_alloc_zero(&ta_heap, 1, sizeof(*c));
    struct ta_mem_source src;
    struct ta_err why = {0};

    if (!c)
        return api_fail(err, TA_ENOMEM, NULL);
    ta_mem_source_init(&src, json, len, 0);
    int r = ta_cluster_new(&c->cluster, &src.source, &ta_heap, &why);
    if (r < 0) {
        tarn_cluster_close(c);
        return api_fail(err, r, &why);
    }
    *out = c;
    return TARN_OK;
}

void tarn_cluster_close(struct tarn_cluster *c)
{
    if (!c)
        return;
    ta_cluster_free(c->cluster);
    ta_release(&ta_heap, c, sizeof(*c));
}

/* ---- the request ------------------------------------------------------------------------------ */

static int copy_strings(struct ta_arena *a, struct ta_str_list *out, const char *const *at,
                        size_t n)
{
    struct ta_str *copy = ta_arena_get(a, n * sizeof(*copy));

    if (!copy)
        return TA_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copy[i] = ta_arena_copy(a, ta_str(at[i]));
        if (!copy[i].at)
            return TA_ENOMEM;
    }
    *out = (struct ta_str_list){copy, n, true};
    return TA_OK;
}

static int copy_resource(struct ta_arena *a, struct ta_dec_chain *chain,
                         const struct tarn_resource *from)
{
    struct ta_resource *to = ta_arena_get(a, sizeof(*to));
    uint16_t *threads = ta_arena_get(a, from->n_threads * sizeof(*threads));

    if (!to || !threads)
        return TA_ENOMEM;
    *to = (struct ta_resource){.host = ta_arena_copy(a, ta_str(from->host))};
    if (!to->host.at)
        return TA_ENOMEM;
    if (from->n_threads) {
        memcpy(threads, from->threads, from->n_threads * sizeof(*threads));
        to->threads = (struct ta_int_list){threads, from->n_threads, true};
    }
    if (chain->last)
        chain->last->next = &to->item;
    else
        chain->first = &to->item;
    chain->last = &to->item;
    chain->n++;
    return copy_strings(a, &to->accelerators, from->accelerators, from->n_accelerators);
}

static int copy_request(struct tarn_load *l, const struct tarn_load_request *from)
{
    static const enum ta_fetch_kind kinds[] = {
        [TARN_LOAD_JOB_DATA] = TA_FETCH_DATA,
        [TARN_LOAD_JOB_STATS] = TA_FETCH_STATS,
        [TARN_LOAD_JOB_SCOPED_STATS] = TA_FETCH_SCOPED_STATS,
        [TARN_LOAD_NODE_DATA] = TA_FETCH_NODE_DATA,
        [TARN_LOAD_NODE_LIST] = TA_FETCH_NODE_LIST,
    };
    struct ta_arena *a = &l->arena;
    struct ta_fetch_request *to = &l->request;

    if ((unsigned)from->kind >= TA_COUNT(kinds))
        return TA_EINVAL;
    *to = (struct ta_fetch_request){.kind = kinds[from->kind],
                                    .n_accelerators = -1,
                                    .resolution_s = from->resolution_s,
                                    .from_s = from->from_s,
                                    .to_s = from->to_s};
    to->subcluster = ta_arena_copy(a, ta_str(from->subcluster ? from->subcluster : ""));
    int r = to->subcluster.at ? TA_OK : TA_ENOMEM;
    for (size_t i = 0; r == TA_OK && i < from->n_resources; i++)
        r = copy_resource(a, &to->resources, &from->resources[i]);
    if (r == TA_OK && from->n_nodes)
        r = copy_strings(a, &to->nodes, from->nodes, from->n_nodes);
    if (r == TA_OK)
        r = copy_strings(a, &to->metrics, from->metrics, from->n_metrics);
    if (r == TA_OK)
        r = copy_strings(a, &to->scopes, from->scopes, from->n_scopes);
    return r;
}

int tarn_load_open(struct tarn_load **out, struct tarn_store *s, const struct tarn_cluster *cluster,
                   const struct tarn_load_request *request, struct tarn_error *err)
{
    struct tarn_load *l = ta_alloc_zero(&ta_heap, 1, sizeof(*l));
    struct ta_err why = {0};

    if (!l)
        return api_fail(err, TA_ENOMEM, NULL);
    ta_arena_init(&l->arena, &ta_heap, ta_query_limits_default.arena_bytes);
    ta_arena_init(&l->strings, &ta_heap, STRINGS_MAX);
    int r = copy_request(l, request);
    if (r == TA_OK)
        r = ta_fetch_new(&l->fetch, s->store, cluster->cluster, &l->request, NULL, &ta_heap, &why);
    if (r < 0) {
        tarn_load_close(l);
        return api_fail(err, r, &why);
    }
    *out = l;
    return TARN_OK;
}

void tarn_load_close(struct tarn_load *l)
{
    if (!l)
        return;
    ta_fetch_free(l->fetch);
    ta_arena_done(&l->strings);
    ta_arena_done(&l->arena);
    ta_release(&ta_heap, l, sizeof(*l));
}

/* ---- the answer ------------------------------------------------------------------------------- */

int tarn_load_next(struct tarn_load *l, struct tarn_load_series *out, struct tarn_error *err)
{
    struct ta_fetch_series got;
    int r = ta_fetch_next(l->fetch, &got);

    if (r <= 0)
        return r < 0 ? api_fail(err, r, NULL) : 0;
    ta_arena_reset(&l->strings);
    const char *metric = ta_arena_copy(&l->strings, got.metric->name).at;
    const char *host = ta_arena_copy(&l->strings, got.host).at;
    const char *id = got.id.at ? ta_arena_copy(&l->strings, got.id).at : NULL;
    if (!metric || !host || (got.id.at && !id))
        return api_fail(err, TA_ENOMEM, NULL);
    *out = (struct tarn_load_series){.metric = metric,
                                     .scope = ta_scope_name(got.scope),
                                     .host = host,
                                     .id = id,
                                     .from_s = got.from_s,
                                     .step_s = got.timestep_s,
                                     .n = got.n_values};
    return 1;
}

size_t tarn_load_values(struct tarn_load *l, double *out, size_t max)
{
    return ta_fetch_window(l->fetch, out, max);
}

void tarn_load_statistics(struct tarn_load *l, struct tarn_stats *out)
{
    struct ta_stats got = ta_fetch_stats(l->fetch);

    *out = (struct tarn_stats){.avg = got.avg, .min = got.min, .max = got.max};
}

const char *tarn_load_problem(struct tarn_load *l, size_t i)
{
    struct ta_str text;

    if (!ta_fetch_error(l->fetch, i, &text))
        return NULL;
    snprintf(l->problem, sizeof(l->problem), "%.*s", TA_STR_FMT(text));
    return l->problem;
}
