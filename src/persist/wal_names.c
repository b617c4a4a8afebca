#include "persist/wal_names.h"

enum { TABLE_FIRST = 64 };
static const size_t dictionary_max = (size_t)1 << 32; /* the allocator's budget comes long before */

void ta_wal_names_init(struct ta_wal_names *t, struct ta_alloc *alloc)
{
    *t = (struct ta_wal_names){.alloc = alloc};
    ta_buf_init(&t->dictionary, alloc, dictionary_max);
}

static void free_shapes(struct ta_wal_names *t)
{
    for (size_t i = 0; i < t->shapes_cap; i++)
        ta_release(t->alloc, t->shapes[i].named, t->shapes[i].n_columns * sizeof(ta_wal_named));
}

void ta_wal_names_done(struct ta_wal_names *t)
{
    if (!t->alloc)
        return;
    free_shapes(t);
    ta_release(t->alloc, t->shapes, t->shapes_cap * sizeof(*t->shapes));
    ta_release(t->alloc, t->hosts, t->hosts_cap * sizeof(*t->hosts));
    ta_buf_done(&t->dictionary);
    *t = (struct ta_wal_names){0};
}

void ta_wal_names_reset(struct ta_wal_names *t)
{
    free_shapes(t);
    if (t->shapes)
        memset(t->shapes, 0, t->shapes_cap * sizeof(*t->shapes));
    if (t->hosts)
        memset(t->hosts, 0, t->hosts_cap * sizeof(*t->hosts));
    t->n_hosts = t->n_shapes = 0;
    ta_buf_reset(&t->dictionary);
}

/* Finalizer of splitmix64: ids are dense, and this spreads them over the table. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static struct ta_wal_named_host *host_slot(struct ta_wal_named_host *table, size_t cap, uint64_t id)
{
    size_t i = (size_t)mix(id) & (cap - 1);

    while (table[i].is_used && table[i].host_id != id)
        i = (i + 1) & (cap - 1);
    return &table[i];
}

static int grow_hosts(struct ta_wal_names *t)
{
    size_t cap = t->hosts_cap ? t->hosts_cap * 2 : TABLE_FIRST;
    struct ta_wal_named_host *table = ta_alloc_zero(t->alloc, cap, sizeof(*table));

    if (!table)
        return TA_ENOMEM;
    for (size_t i = 0; i < t->hosts_cap; i++)
        if (t->hosts[i].is_used)
            *host_slot(table, cap, t->hosts[i].host_id) = t->hosts[i];
    ta_release(t->alloc, t->hosts, t->hosts_cap * sizeof(*t->hosts));
    t->hosts = table;
    t->hosts_cap = cap;
    return TA_OK;
}

struct ta_wal_named_host *ta_wal_names_host(struct ta_wal_names *t, uint64_t host_id,
                                            uint32_t shape_id)
{
    if (t->n_hosts * 4 >= t->hosts_cap * 3 && grow_hosts(t) < 0)
        return NULL;
    struct ta_wal_named_host *h = host_slot(t->hosts, t->hosts_cap, host_id);
    if (!h->is_used)
        t->n_hosts++;
    if (!h->is_used || h->shape_id != shape_id)
        *h = (struct ta_wal_named_host){.host_id = host_id, .shape_id = shape_id, .is_used = true};
    return h;
}

static struct ta_wal_named_shape *shape_slot(struct ta_wal_named_shape *table, size_t cap,
                                             uint32_t id)
{
    size_t i = (size_t)mix(id) & (cap - 1);

    while (table[i].is_used && table[i].shape_id != id)
        i = (i + 1) & (cap - 1);
    return &table[i];
}

static int grow_shapes(struct ta_wal_names *t)
{
    size_t cap = t->shapes_cap ? t->shapes_cap * 2 : TABLE_FIRST;
    struct ta_wal_named_shape *table = ta_alloc_zero(t->alloc, cap, sizeof(*table));

    if (!table)
        return TA_ENOMEM;
    for (size_t i = 0; i < t->shapes_cap; i++)
        if (t->shapes[i].is_used)
            *shape_slot(table, cap, t->shapes[i].shape_id) = t->shapes[i];
    ta_release(t->alloc, t->shapes, t->shapes_cap * sizeof(*t->shapes));
    t->shapes = table;
    t->shapes_cap = cap;
    return TA_OK;
}

struct ta_wal_named_shape *ta_wal_names_shape(struct ta_wal_names *t, uint32_t shape_id,
                                              uint32_t n_columns)
{
    if (t->n_shapes * 4 >= t->shapes_cap * 3 && grow_shapes(t) < 0)
        return NULL;
    struct ta_wal_named_shape *s = shape_slot(t->shapes, t->shapes_cap, shape_id);
    if (!s->is_used) {
        *s = (struct ta_wal_named_shape){.shape_id = shape_id, .is_used = true};
        t->n_shapes++;
    }
    if (n_columns > s->n_columns) {
        ta_wal_named *grown = ta_resize(t->alloc, s->named, s->n_columns * sizeof(*grown),
                                        n_columns * sizeof(*grown));
        if (!grown)
            return NULL;
        for (uint32_t i = s->n_columns; i < n_columns; i++)
            grown[i] = TA_NAMED_NOT;
        s->named = grown;
        s->n_columns = n_columns;
    }
    return s;
}
