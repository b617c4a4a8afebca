#include "persist/recover_names.h"

enum { NAMES_MAX = 512 * 1024 * 1024 }; /* of one segment */

void ta_log_names_init(struct log_names *n, struct ta_metrics *metrics, struct ta_alloc *alloc)
{
    *n = (struct log_names){.alloc = alloc, .metrics = metrics};
    ta_arena_init(&n->arena, alloc, NAMES_MAX);
}

void ta_log_names_done(struct log_names *n)
{
    for (size_t i = 0; i < n->cap_shapes; i++) {
        struct log_shape *s = &n->shapes[i];
        ta_release(n->alloc, s->columns, s->n_columns * sizeof(*s->columns));
        ta_release(n->alloc, s->store_columns, s->n_store_columns * sizeof(*s->store_columns));
    }
    ta_release(n->alloc, n->shapes, n->cap_shapes * sizeof(*n->shapes));
    ta_release(n->alloc, n->hosts, n->cap_hosts * sizeof(*n->hosts));
    ta_arena_done(&n->arena);
}

static size_t slot_of(uint64_t id, size_t cap)
{
    return (size_t)(id * 0x9E3779B97F4A7C15u >> 20) & (cap - 1);
}

static struct log_host *find_host(const struct log_names *n, uint64_t id)
{
    if (n->cap_hosts == 0)
        return NULL;
    size_t at = slot_of(id, n->cap_hosts);
    while (n->hosts[at].name.at && n->hosts[at].id != id)
        at = (at + 1) & (n->cap_hosts - 1);
    return &n->hosts[at];
}

static int grow_hosts(struct log_names *n)
{
    struct log_host *old = n->hosts;
    size_t n_old = n->cap_hosts;
    size_t cap = n_old ? 2 * n_old : 64;
    struct log_host *grown = ta_alloc_zero(n->alloc, cap, sizeof(*grown));

    if (!grown)
        return TA_ENOMEM;
    n->hosts = grown;
    n->cap_hosts = cap;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].name.at)
            *find_host(n, old[i].id) = old[i];
    ta_release(n->alloc, old, n_old * sizeof(*old));
    return TA_OK;
}

int ta_log_names_host(struct log_names *n, const struct ta_log_item *item)
{
    if (2 * (n->n_hosts + 1) > n->cap_hosts && grow_hosts(n) < 0)
        return TA_ENOMEM;
    struct log_host *h = find_host(n, item->host);
    if (h->name.at && ta_str_eq(h->name, item->name) && ta_str_eq(h->cluster, item->cluster)) {
        h->shape = item->shape; /* named again, or moved to another shape */
        return TA_OK;
    }
    struct log_host named = {.id = item->host,
                             .cluster = ta_arena_copy(&n->arena, item->cluster),
                             .name = ta_arena_copy(&n->arena, item->name),
                             .shape = item->shape};
    if (!named.cluster.at || !named.name.at)
        return TA_ENOMEM;
    n->n_hosts += h->name.at ? 0 : 1;
    *h = named;
    return TA_OK;
}

static struct log_shape *find_shape(const struct log_names *n, uint32_t id)
{
    if (n->cap_shapes == 0)
        return NULL;
    size_t at = slot_of(id, n->cap_shapes);
    while (n->shapes[at].is_used && n->shapes[at].id != id)
        at = (at + 1) & (n->cap_shapes - 1);
    return &n->shapes[at];
}

static int grow_shapes(struct log_names *n)
{
    struct log_shape *old = n->shapes;
    size_t n_old = n->cap_shapes;
    size_t cap = n_old ? 2 * n_old : 16;
    struct log_shape *grown = ta_alloc_zero(n->alloc, cap, sizeof(*grown));

    if (!grown)
        return TA_ENOMEM;
    n->shapes = grown;
    n->cap_shapes = cap;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].is_used)
            *find_shape(n, old[i].id) = old[i];
    ta_release(n->alloc, old, n_old * sizeof(*old));
    return TA_OK;
}

static int grow_columns(struct log_names *n, struct log_shape *s, uint32_t column)
{
    uint32_t want = column < 64 ? 128 : 2 * column;
    struct log_column *grown =
        ta_resize(n->alloc, s->columns, s->n_columns * sizeof(*grown), want * sizeof(*grown));

    if (!grown)
        return TA_ENOMEM;
    memset(grown + s->n_columns, 0, (want - s->n_columns) * sizeof(*grown));
    s->columns = grown;
    s->n_columns = want;
    return TA_OK;
}

static struct ta_str copy_name(struct log_names *n, struct ta_str s, bool *is_refused)
{
    struct ta_str out = {0};

    if (s.len > 0)
        out = ta_arena_copy(&n->arena, s);
    *is_refused = *is_refused || (s.len > 0 && !out.at);
    return out;
}

int ta_log_names_column(struct log_names *n, const struct ta_log_item *item)
{
    bool is_refused = false;

    if (item->column >= LOG_COLUMNS_MAX)
        return TA_OK; /* no writer of ours has so many; its samples are nameless */
    if (2 * (n->n_shapes + 1) > n->cap_shapes && grow_shapes(n) < 0)
        return TA_ENOMEM;
    struct log_shape *s = find_shape(n, item->shape);
    if (!s->is_used) {
        *s = (struct log_shape){.id = item->shape, .is_used = true, .store_shape = UINT32_MAX};
        n->n_shapes++;
    }
    if (item->column >= s->n_columns && grow_columns(n, s, item->column) < 0)
        return TA_ENOMEM;
    struct log_column *c = &s->columns[item->column];
    if (c->is_named) /* the second time: the first was whole */
        return TA_OK;
    int metric = ta_metrics_find(n->metrics, item->metric);
    c->key = (struct ta_column_key){.metric = (uint32_t)(metric < 0 ? 0 : metric),
                                    .type = copy_name(n, item->type, &is_refused),
                                    .stype = copy_name(n, item->stype, &is_refused)};
    c->is_known = metric >= 0;
    c->is_named = !is_refused;
    return is_refused ? TA_ENOMEM : TA_OK;
}

const struct log_host *ta_log_names_find_host(const struct log_names *n, uint64_t id)
{
    const struct log_host *h = find_host(n, id);

    return h && h->name.at ? h : NULL;
}

struct log_shape *ta_log_names_find_shape(const struct log_names *n, uint32_t id)
{
    struct log_shape *s = find_shape(n, id);

    return s && s->is_used ? s : NULL;
}
