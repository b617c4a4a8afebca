/* scope_query.c - see scope_query.h. The rows of (spec: scope-queries 2) come down to three shapes:
 *
 *   direct   one query with the ids of the native scope that the threads belong to
 *   summed   the same, aggregated to the node
 *   grouped  one aggregated query for each core, domain or socket of the threads, with all ids
 *            of the native scope inside it
 */
#include "query/scope_query.h"

#include <stdio.h>

struct builder {
    const struct ta_topology *topology;
    const struct ta_int_list *threads;
    const struct ta_str_list *accelerators;
    struct ta_arena *arena;
};

static int decimals(const struct builder *b, const struct ta_int_list *ids, struct ta_str_list *out)
{
    struct ta_str *at = ta_arena_get(b->arena, ids->n * sizeof(*at));

    if (!at)
        return TA_ENOMEM;
    for (size_t i = 0; i < ids->n; i++) {
        char text[8];
        int len = snprintf(text, sizeof(text), "%u", ids->at[i]);
        at[i] = ta_arena_copy(b->arena, (struct ta_str){text, (size_t)len});
        if (!at[i].at)
            return TA_ENOMEM;
    }
    *out = (struct ta_str_list){at, ids->n, true};
    return TA_OK;
}

static const struct ta_groups *groups_at(const struct ta_topology *t, enum ta_scope s)
{
    return s == TA_SCOPE_CORE ? &t->cores : s == TA_SCOPE_SOCKET ? &t->sockets : &t->domains;
}

/* Ids of scope `native` that hold one of these threads: the threads themselves, or cores, ... */
static int ids_of(const struct builder *b, enum ta_scope native, const struct ta_int_list *threads,
                  struct ta_str_list *out)
{
    struct ta_int_list ids = *threads;
    int r = TA_OK;

    if (native != TA_SCOPE_HWTHREAD)
        r = ta_topology_groups_of(groups_at(b->topology, native), threads, b->arena, &ids);
    return r < 0 ? r : decimals(b, &ids, out);
}

static struct ta_scope_query *make(const struct builder *b, size_t n, struct ta_scope_queries *out)
{
    struct ta_scope_query *q = ta_arena_get(b->arena, n * sizeof(*q));

    if (!q)
        return NULL;
    memset(q, 0, n * sizeof(*q));
    out->at = q;
    out->n = n;
    return q;
}

static int direct(const struct builder *b, enum ta_scope native, struct ta_scope_queries *out)
{
    struct ta_scope_query *q = make(b, 1, out);

    if (!q)
        return TA_ENOMEM;
    if (native == TA_SCOPE_NODE)
        return TA_OK;
    q->type = ta_scope_name(native);
    q->is_aggregated = out->scope != native;
    if (native != TA_SCOPE_ACCELERATOR)
        return ids_of(b, native, b->threads, &q->ids);
    q->ids = *b->accelerators;
    return TA_OK;
}

/* A memory domain belongs to the socket of its first thread; so does a core here. */
static bool is_inside(const struct ta_int_list *inner, const struct ta_int_list *outer)
{
    for (size_t i = 0; inner->n > 0 && i < outer->n; i++)
        if (outer->at[i] == inner->at[0])
            return true;
    return false;
}

/* The ids of `native` inside one group. Of memory domains only those of the threads. */
static int ids_inside(const struct builder *b, enum ta_scope native,
                      const struct ta_int_list *group, struct ta_str_list *out)
{
    const struct ta_groups *groups = groups_at(b->topology, native);
    struct ta_int_list all, some;
    uint16_t *ids;
    size_t n = 0;
    int r;

    if (native == TA_SCOPE_HWTHREAD)
        return decimals(b, group, out);
    r = ta_topology_groups_of(groups, native == TA_SCOPE_MEMORY_DOMAIN ? b->threads : group,
                              b->arena, &all);
    if (r < 0)
        return r;
    ids = ta_arena_get(b->arena, all.n * sizeof(*ids));
    if (!ids)
        return TA_ENOMEM;
    for (size_t i = 0; i < all.n; i++)
        if (is_inside(&groups->at[all.at[i]], group))
            ids[n++] = all.at[i];
    some = (struct ta_int_list){ids, n, true};
    return decimals(b, &some, out);
}

static int grouped(const struct builder *b, enum ta_scope native, struct ta_scope_queries *out)
{
    const struct ta_groups *groups = groups_at(b->topology, out->scope);
    struct ta_scope_query *q;
    struct ta_int_list ids;
    size_t n = 0;
    int r = ta_topology_groups_of(groups, b->threads, b->arena, &ids);

    if (r < 0)
        return r;
    q = make(b, ids.n, out);
    if (!q)
        return TA_ENOMEM;
    for (size_t i = 0; i < ids.n; i++) {
        q[n].type = ta_scope_name(native);
        q[n].is_aggregated = true;
        r = ids_inside(b, native, &groups->at[ids.at[i]], &q[n].ids);
        if (r < 0)
            return r;
        n += q[n].ids.n > 0;
    }
    out->n = n;
    return TA_OK;
}

int ta_scope_queries(enum ta_scope native, enum ta_scope wanted, const struct ta_topology *topology,
                     const struct ta_int_list *threads, const struct ta_str_list *accelerators,
                     struct ta_arena *arena, struct ta_scope_queries *out)
{
    const struct builder b = {topology, threads, accelerators, arena};

    *out = (struct ta_scope_queries){.scope = ta_scope_max(native, wanted)};
    if (native == TA_SCOPE_INVALID || wanted == TA_SCOPE_INVALID)
        return TA_EINVAL;
    if (native == TA_SCOPE_ACCELERATOR && out->scope != TA_SCOPE_ACCELERATOR &&
        (out->scope != TA_SCOPE_NODE || accelerators->n == 0))
        return TA_OK;
    if (out->scope == native || out->scope == TA_SCOPE_NODE)
        return direct(&b, native, out);
    return grouped(&b, native, out);
}
