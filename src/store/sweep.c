/* sweep.c - visits all hosts without holding any lock for long. */
#include "store/store_int.h"

enum { HOSTS_PER_HOLD = 32 };

void ta_sweep_init(struct ta_sweep *sw, struct ta_store *s, struct ta_str cluster,
                   struct ta_str host, bool is_writing)
{
    memset(sw, 0, sizeof(*sw));
    sw->store = s;
    sw->cluster = cluster;
    sw->host = host;
    sw->is_writing = is_writing;
    if (host.len)
        sw->shard = (uint32_t)(ta_shard_of(s, ta_shard_hash(s, cluster, host)) - s->shards);
}

void ta_sweep_stop(struct ta_sweep *sw)
{
    if (sw->locked)
        ta_shard_unlock(sw->locked);
    sw->locked = NULL;
    sw->held = 0;
}

static void keep_name(struct ta_name *into, struct ta_str name)
{
    into->len = (uint8_t)name.len;
    memcpy(into->at, name.at, name.len);
}

/* The next host of the shard in work, which is locked. */
static struct ta_host *next_in_shard(struct ta_sweep *sw)
{
    const struct ta_shard *sd = sw->locked;
    struct ta_host *h;
    uint32_t i;

    if (sw->host.len) {
        /* One host alone: once. */
        if (sw->last_host.len)
            return NULL;
        h = ta_shard_find(sd, ta_shard_hash(sw->store, sw->cluster, sw->host), sw->cluster,
                          sw->host);
    } else {
        struct ta_str cluster = ta_name_str(&sw->last_cluster);

        if (!cluster.len)
            cluster = sw->cluster; /* an empty host name sorts before all of the cluster's */
        i = ta_shard_after(sd, cluster, ta_name_str(&sw->last_host));
        h = i < sd->n_hosts ? sd->sorted[i] : NULL;
        if (h && sw->cluster.len && !ta_str_eq(ta_cluster_name(h->cluster), sw->cluster))
            return NULL;
    }
    if (h) {
        keep_name(&sw->last_cluster, ta_cluster_name(h->cluster));
        keep_name(&sw->last_host, ta_host_name(h));
    }
    return h;
}

struct ta_host *ta_sweep_next(struct ta_sweep *sw)
{
    if (sw->held == HOSTS_PER_HOLD)
        ta_sweep_stop(sw);
    while (sw->shard < sw->store->n_shards) {
        struct ta_host *h;

        if (!sw->locked) {
            sw->locked = &sw->store->shards[sw->shard];
            if (sw->is_writing)
                pthread_rwlock_wrlock(&sw->locked->lock);
            else
                pthread_rwlock_rdlock(&sw->locked->lock);
        }
        h = next_in_shard(sw);
        if (h) {
            sw->held++;
            return h;
        }
        ta_sweep_stop(sw);
        sw->last_cluster.len = sw->last_host.len = 0;
        sw->shard = sw->host.len ? sw->store->n_shards : sw->shard + 1;
    }
    return NULL;
}
