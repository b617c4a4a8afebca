/* cluster.c - see cluster.h. The file is decoded into chains of structs, which are then laid out as
 * arrays in the same arena. */
#include "query/cluster.h"

#include "query/cluster_file.h"

enum { ARENA_MAX = 16 * 1024 * 1024, ENTRIES_MAX = 65536, TEXT_MAX = 8 * 1024 };

/* ---- laid out ------------------------------------------------------------------------------ */

static int lay_groups(struct ta_arena *a, const struct ta_dec_chain *from, struct ta_groups *out)
{
    struct ta_int_list *at = ta_arena_get(a, from->n * sizeof(*at));
    size_t n = 0;

    if (!at)
        return TA_ENOMEM;
    for (const struct ta_dec_item *i = from->first; i; i = i->next)
        at[n++] = ((const struct ta_dec_ints *)(const void *)i)->list;
    *out = (struct ta_groups){at, n};
    return TA_OK;
}

static int lay_accelerators(struct ta_arena *a, const struct ta_dec_chain *from,
                            struct ta_str_list *out)
{
    struct ta_str *at = ta_arena_get(a, from->n * sizeof(*at));
    size_t n = 0;

    if (!at)
        return TA_ENOMEM;
    for (const struct ta_dec_item *i = from->first; i; i = i->next)
        at[n++] = ((const struct ta_file_accelerator *)(const void *)i)->id;
    *out = (struct ta_str_list){at, n, true};
    return TA_OK;
}

static int lay_topology(struct ta_arena *a, const struct ta_file_topology *from,
                        struct ta_topology *out)
{
    int r = lay_groups(a, &from->sockets, &out->sockets);

    out->node = from->node;
    r = r < 0 ? r : lay_groups(a, &from->domains, &out->domains);
    r = r < 0 ? r : lay_groups(a, &from->cores, &out->cores);
    return r < 0 ? r : lay_accelerators(a, &from->accelerators, &out->accelerators);
}

static int lay_metric(struct ta_arena *a, const struct ta_file_metric *from,
                      struct ta_cluster_metric *out, struct ta_err *err)
{
    struct ta_str *removed = ta_arena_get(a, from->overrides.n * sizeof(*removed));
    struct ta_cluster_override *over = ta_arena_get(a, from->overrides.n * sizeof(*over));
    size_t n = 0, n_over = 0;

    if (!removed || !over)
        return TA_ENOMEM;
    for (const struct ta_dec_item *i = from->overrides.first; i; i = i->next) {
        const struct ta_file_override *o = (const struct ta_file_override *)(const void *)i;
        if (o->is_removed)
            removed[n++] = o->name;
        over[n_over++] =
            (struct ta_cluster_override){o->name, o->figures.footprint, o->figures.energy};
    }
    *out = (struct ta_cluster_metric){.name = from->name,
                                      .unit = from->unit,
                                      .scope = from->scope.len ? ta_scope_parse(from->scope)
                                                               : TA_SCOPE_NODE,
                                      .timestep_s = from->timestep_s,
                                      .removed = {removed, n, true},
                                      .footprint = from->figures.footprint,
                                      .energy = from->figures.energy,
                                      .overrides = over,
                                      .n_overrides = n_over};
    if (from->name.len == 0)
        return ta_fail(err, TA_EFORMAT, "a metric without a name");
    if (from->timestep_s < 1)
        return ta_fail(err, TA_EFORMAT, "metric %.*s: timestep below one second",
                       TA_STR_FMT(from->name));
    if (out->scope == TA_SCOPE_INVALID)
        return ta_fail(err, TA_EFORMAT, "metric %.*s: unknown scope \"%.*s\"",
                       TA_STR_FMT(from->name), TA_STR_FMT(from->scope));
    return TA_OK;
}

static int lay_out(struct ta_cluster *c, const struct ta_cluster_file *from, struct ta_err *err)
{
    struct ta_cluster_metric *metrics = ta_arena_get(&c->arena, from->metrics.n * sizeof(*metrics));
    struct ta_subcluster *subs = ta_arena_get(&c->arena, from->subclusters.n * sizeof(*subs));
    int r = TA_OK;

    if (!metrics || !subs)
        return TA_ENOMEM;
    if (from->name.len == 0 || from->metrics.n == 0 || from->subclusters.n == 0)
        return ta_fail(err, TA_EFORMAT, "a cluster needs a name, a metric and a subcluster");
    c->name = from->name;
    c->metrics = metrics;
    c->subclusters = subs;
    for (const struct ta_dec_item *i = from->metrics.first; i && r >= 0; i = i->next)
        r = lay_metric(&c->arena, (const struct ta_file_metric *)(const void *)i,
                       &metrics[c->n_metrics++], err);
    for (const struct ta_dec_item *i = from->subclusters.first; i && r >= 0; i = i->next) {
        const struct ta_file_subcluster *f = (const struct ta_file_subcluster *)(const void *)i;
        struct ta_subcluster *s = &subs[c->n_subclusters++];

        s->name = f->name;
        s->nodes = f->nodes;
        r = lay_topology(&c->arena, &f->topology, &s->topology);
    }
    return r;
}

int ta_cluster_new(struct ta_cluster **out, struct ta_source *src, struct ta_alloc *alloc,
                   struct ta_err *err)
{
    const struct ta_dec_limits limits = {ENTRIES_MAX, ENTRIES_MAX, TEXT_MAX};
    struct ta_cluster *c = ta_alloc_zero(alloc, 1, sizeof(*c));
    struct ta_decoder *d = NULL;
    struct ta_cluster_file *file;
    int r;

    if (!c)
        return ta_fail(err, TA_ENOMEM, "no memory for a cluster");
    c->alloc = alloc;
    ta_arena_init(&c->arena, alloc, ARENA_MAX);
    file = ta_arena_get(&c->arena, sizeof(*file));
    r = file ? TA_OK : TA_ENOMEM;
    if (r >= 0) {
        *file = (struct ta_cluster_file){0};
        c->file = file;
        r = ta_decoder_new(&d, src, &ta_cluster_file_root, file, &limits, &c->arena, alloc);
    }
    if (r >= 0)
        r = ta_decoder_run(d, err);
    ta_decoder_free(d);
    if (r >= 0)
        r = lay_out(c, file, err);
    if (r < 0) {
        ta_cluster_free(c);
        return ta_fail(err, r, "%s", ta_strerror(r));
    }
    *out = c;
    return TA_OK;
}

void ta_cluster_free(struct ta_cluster *c)
{
    if (!c)
        return;
    ta_arena_done(&c->arena);
    ta_release(c->alloc, c, sizeof(*c));
}

/* ---- looking up ---------------------------------------------------------------------------- */

const struct ta_cluster_metric *ta_cluster_metric(const struct ta_cluster *c, struct ta_str name)
{
    for (size_t i = 0; i < c->n_metrics; i++)
        if (ta_str_eq(c->metrics[i].name, name))
            return &c->metrics[i];
    return NULL;
}

const struct ta_subcluster *ta_cluster_subcluster(const struct ta_cluster *c, struct ta_str name)
{
    for (size_t i = 0; i < c->n_subclusters; i++)
        if (ta_str_eq(c->subclusters[i].name, name))
            return &c->subclusters[i];
    return NULL;
}

const struct ta_subcluster *ta_cluster_of_host(const struct ta_cluster *c, struct ta_str host)
{
    const struct ta_str any = c->subclusters[0].nodes;

    for (size_t i = 0; i < c->n_subclusters; i++)
        if (ta_node_list_has(c->subclusters[i].nodes, host))
            return &c->subclusters[i];
    return any.len == 0 || ta_str_is(any, "*") ? &c->subclusters[0] : NULL;
}

bool ta_cluster_has(const struct ta_cluster_metric *m, struct ta_str subcluster)
{
    for (size_t i = 0; i < m->removed.n; i++)
        if (ta_str_eq(m->removed.at[i], subcluster))
            return false;
    return true;
}

static const struct ta_cluster_override *override_of(const struct ta_cluster_metric *m,
                                                     struct ta_str subcluster)
{
    for (size_t i = 0; i < m->n_overrides; i++)
        if (ta_str_eq(m->overrides[i].subcluster, subcluster))
            return &m->overrides[i];
    return NULL;
}

struct ta_str ta_cluster_footprint(const struct ta_cluster_metric *m, struct ta_str subcluster)
{
    const struct ta_cluster_override *o = override_of(m, subcluster);

    return o ? o->footprint : m->footprint;
}

struct ta_str ta_cluster_energy(const struct ta_cluster_metric *m, struct ta_str subcluster)
{
    const struct ta_cluster_override *o = override_of(m, subcluster);

    return o ? o->energy : m->energy;
}
