/* shard.c - the hosts behind one lock: found by hash, listed in order, grouped into clusters. */
#include "store/store_int.h"

#include <assert.h>
#include <xxhash.h>

uint64_t ta_shard_hash(const struct ta_store *s, struct ta_str cluster, struct ta_str host)
{
    return XXH3_64bits_withSeed(host.at, host.len,
                                XXH3_64bits_withSeed(cluster.at, cluster.len, s->hash_seed));
}

struct ta_shard *ta_shard_of(struct ta_store *s, uint64_t hash)
{
    return &s->shards[(hash >> 32) % s->n_shards];
}

/* ---- finding ---------------------------------------------------------------------------------- */

struct ta_host *ta_shard_find(const struct ta_shard *sd, uint64_t hash, struct ta_str cluster,
                              struct ta_str host)
{
    if (!sd->n_buckets)
        return NULL;
    for (struct ta_host *h = sd->buckets[hash & (sd->n_buckets - 1)]; h; h = h->next)
        if (h->hash == hash && ta_str_eq(ta_host_name(h), host) &&
            ta_str_eq(ta_cluster_name(h->cluster), cluster))
            return h;
    return NULL;
}

struct ta_host *ta_store_rdlock(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                                struct ta_shard **out)
{
    uint64_t hash = ta_shard_hash(s, cluster, host);
    struct ta_shard *sd = ta_shard_of(s, hash);
    struct ta_host *h;

    pthread_rwlock_rdlock(&sd->lock);
    h = ta_shard_find(sd, hash, cluster, host);
    if (!h) {
        ta_shard_unlock(sd);
        return NULL;
    }
    *out = sd;
    return h;
}

uint32_t ta_shard_after(const struct ta_shard *sd, struct ta_str cluster, struct ta_str host)
{
    uint32_t lo = 0, hi = sd->n_hosts;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct ta_host *h = sd->sorted[mid];
        int c = ta_str_cmp(ta_cluster_name(h->cluster), cluster);

        if ((c ? c : ta_str_cmp(ta_host_name(h), host)) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- adding ----------------------------------------------------------------------------------- */

/* A shard without hosts holds nothing. */
static void drop_empty_tables(struct ta_shard *sd)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);

    if (sd->n_hosts)
        return;
    ta_release(a, sd->sorted, sd->cap_hosts * sizeof(struct ta_host *));
    ta_release(a, sd->buckets, sd->n_buckets * sizeof(struct ta_host *));
    sd->sorted = NULL;
    sd->buckets = NULL;
    sd->cap_hosts = sd->n_buckets = 0;
    ta_seg_done(&sd->scratch);
}

static int grow_tables(struct ta_shard *sd)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);

    if (sd->n_hosts == sd->cap_hosts) {
        uint32_t cap = sd->cap_hosts ? sd->cap_hosts + sd->cap_hosts / 2 : 2;
        struct ta_host **sorted = ta_resize(a, sd->sorted, sd->cap_hosts * sizeof(struct ta_host *),
                                            cap * sizeof(struct ta_host *));

        if (!sorted)
            return TA_ENOMEM;
        sd->sorted = sorted;
        sd->cap_hosts = cap;
    }
    if (sd->n_hosts < sd->n_buckets)
        return TA_OK;

    uint32_t n = sd->n_buckets ? 2 * sd->n_buckets : 2;
    struct ta_host **buckets = ta_alloc_zero(a, n, sizeof(struct ta_host *));

    if (!buckets)
        return TA_ENOMEM;
    for (uint32_t i = 0; i < sd->n_hosts; i++) {
        struct ta_host *h = sd->sorted[i];

        h->next = buckets[h->hash & (n - 1)];
        buckets[h->hash & (n - 1)] = h;
    }
    ta_release(a, sd->buckets, sd->n_buckets * sizeof(struct ta_host *));
    sd->buckets = buckets;
    sd->n_buckets = n;
    return TA_OK;
}

static struct ta_cluster *cluster_get(struct ta_shard *sd, struct ta_str name)
{
    struct ta_cluster *c = sd->clusters;

    while (c && !ta_str_eq(ta_cluster_name(c), name))
        c = c->next;
    if (c)
        return c;
    c = ta_alloc_zero(ta_store_alloc(sd->store), 1, sizeof(*c) + name.len);
    if (!c)
        return NULL;
    c->name_len = (uint8_t)name.len;
    memcpy(c->name, name.at, name.len);
    c->next = sd->clusters;
    sd->clusters = c;
    return c;
}

static void cluster_put(struct ta_shard *sd, struct ta_cluster *c)
{
    struct ta_cluster **at = &sd->clusters;

    if (c->n_hosts)
        return;
    assert(!c->shape);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    ta_release(ta_store_alloc(sd->store), c, sizeof(*c) + c->name_len);
}

int ta_shard_new_shape(struct ta_shard *sd, bool is_private, struct ta_shape **out)
{
    uint32_t id = atomic_fetch_add_explicit(&sd->store->next_shape_id, 1, memory_order_relaxed);
    int r = ta_shape_new(out, ta_store_alloc(sd->store), id, is_private);

    if (r == TA_OK)
        sd->n_shapes++;
    return r;
}

static void free_shape(struct ta_shard *sd, struct ta_shape *sh)
{
    ta_shape_free(sh);
    sd->n_shapes--;
}

void ta_shard_leave_shape(struct ta_shard *sd, struct ta_cluster *c, struct ta_shape *sh)
{
    if (--sh->n_hosts)
        return;
    if (c->shape == sh)
        c->shape = NULL;
    free_shape(sd, sh);
}

void ta_shard_drop_shape(struct ta_shard *sd, struct ta_cluster *c)
{
    free_shape(sd, c->shape);
    c->shape = NULL;
}

static int host_join(struct ta_shard *sd, struct ta_host *h, struct ta_str cluster)
{
    struct ta_cluster *c = cluster_get(sd, cluster);

    if (!c)
        return TA_ENOMEM;
    if (!c->shape && ta_shard_new_shape(sd, false, &c->shape) < 0) {
        cluster_put(sd, c);
        return TA_ENOMEM;
    }
    h->cluster = c;
    h->shape = c->shape;
    c->n_hosts++;
    h->shape->n_hosts++;
    return TA_OK;
}

int ta_shard_add(struct ta_shard *sd, uint64_t hash, struct ta_str cluster, struct ta_str host,
                 struct ta_host **out)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);
    struct ta_host *h;
    uint32_t at;

    if (grow_tables(sd) < 0 || ta_host_new(&h, a, host) < 0) {
        drop_empty_tables(sd);
        return TA_ENOMEM;
    }
    if (host_join(sd, h, cluster) < 0) {
        ta_host_free(a, h);
        drop_empty_tables(sd);
        return TA_ENOMEM;
    }
    h->id = atomic_fetch_add_explicit(&sd->store->next_host_id, 1, memory_order_relaxed);
    h->hash = hash;
    h->next = sd->buckets[hash & (sd->n_buckets - 1)];
    sd->buckets[hash & (sd->n_buckets - 1)] = h;
    at = ta_shard_after(sd, cluster, host);
    memmove(sd->sorted + at + 1, sd->sorted + at, (sd->n_hosts - at) * sizeof(struct ta_host *));
    sd->sorted[at] = h;
    sd->n_hosts++;
    *out = h;
    return TA_OK;
}

static void leave_tables(struct ta_shard *sd, struct ta_host *h)
{
    struct ta_host **link = &sd->buckets[h->hash & (sd->n_buckets - 1)];
    uint32_t at = ta_shard_after(sd, ta_cluster_name(h->cluster), ta_host_name(h)) - 1;

    while (*link != h)
        link = &(*link)->next;
    *link = h->next;
    assert(sd->sorted[at] == h);
    memmove(sd->sorted + at, sd->sorted + at + 1,
            (sd->n_hosts - at - 1) * sizeof(struct ta_host *));
    sd->n_hosts--;
}

void ta_shard_remove(struct ta_shard *sd, struct ta_host *h)
{
    struct ta_cluster *c = h->cluster;

    leave_tables(sd, h);
    ta_shard_leave_shape(sd, c, h->shape);
    c->n_hosts--;
    cluster_put(sd, c);
    ta_host_free(ta_store_alloc(sd->store), h);
    drop_empty_tables(sd);
}

void ta_shard_done(struct ta_shard *sd)
{
    while (sd->n_hosts)
        ta_shard_remove(sd, sd->sorted[sd->n_hosts - 1]);
    assert(!sd->clusters && !sd->n_shapes);
    ta_metrics_unref(sd->metrics);
    (void)pthread_rwlock_destroy(&sd->lock);
}
