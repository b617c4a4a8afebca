/* walk.c - cursors by name over hosts, series and buffers. */
#include "store/walk.h"
#include "store/store_int.h"

#include <assert.h>

static void set_name(struct ta_name *into, struct ta_str name)
{
    assert(name.len <= TA_NAME_MAX);
    into->len = (uint8_t)name.len;
    if (name.len)
        memcpy(into->at, name.at, name.len);
}

/* ---- hosts ------------------------------------------------------------------------------------ */

static int compare_names(const struct ta_host_name *a, const struct ta_host_name *b)
{
    int c = ta_str_cmp(ta_name_str(&a->cluster), ta_name_str(&b->cluster));

    return c ? c : ta_str_cmp(ta_name_str(&a->host), ta_name_str(&b->host));
}

/* Merges one host into the sorted out[0..n), of which only the first `max` are kept. */
static size_t merge_host(struct ta_host_name *out, size_t n, size_t max,
                         const struct ta_host_name *name)
{
    size_t at = n;

    while (at > 0 && compare_names(&out[at - 1], name) > 0)
        at--;
    if (at == max)
        return n;
    if (n < max)
        n++;
    memmove(out + at + 1, out + at, (n - at - 1) * sizeof(*out));
    out[at] = *name;
    return n;
}

size_t ta_walk_hosts(struct ta_store *s, struct ta_str cluster, const struct ta_host_name *after,
                     struct ta_host_name *out, size_t max)
{
    struct ta_str after_cluster = after ? ta_name_str(&after->cluster) : (struct ta_str){0};
    struct ta_str after_host = after ? ta_name_str(&after->host) : (struct ta_str){0};
    size_t n = 0;

    if (cluster.len > TA_NAME_MAX)
        return 0;
    if (ta_str_cmp(after_cluster, cluster) < 0) {
        after_cluster = cluster;
        after_host.len = 0;
    }
    for (uint32_t k = 0; k < s->n_shards && max; k++) {
        struct ta_shard *sd = &s->shards[k];

        pthread_rwlock_rdlock(&sd->lock);
        uint32_t i = ta_shard_after(sd, after_cluster, after_host);

        for (size_t taken = 0; i < sd->n_hosts && taken < max; i++, taken++) {
            const struct ta_host *h = sd->sorted[i];
            struct ta_host_name name = {.host_id = h->id};

            if (cluster.len && !ta_str_eq(ta_cluster_name(h->cluster), cluster))
                break;
            set_name(&name.cluster, ta_cluster_name(h->cluster));
            set_name(&name.host, ta_host_name(h));
            if (n == max && compare_names(&out[n - 1], &name) < 0)
                break; /* the shard's further hosts come later still */
            n = merge_host(out, n, max, &name);
        }
        ta_shard_unlock(sd);
    }
    return n;
}

size_t ta_walk_clusters(struct ta_store *s, const struct ta_name *after, struct ta_name *out,
                        size_t max)
{
    struct ta_name last = {0};
    size_t n = 0;

    if (after)
        last = *after;
    while (n < max) {
        bool found = false;

        for (uint32_t k = 0; k < s->n_shards; k++) {
            struct ta_shard *sd = &s->shards[k];

            pthread_rwlock_rdlock(&sd->lock);
            for (const struct ta_cluster *c = sd->clusters; c; c = c->next) {
                struct ta_str name = ta_cluster_name(c);

                if (ta_str_cmp(name, ta_name_str(&last)) > 0 &&
                    (!found || ta_str_cmp(name, ta_name_str(&out[n])) < 0)) {
                    set_name(&out[n], name);
                    found = true;
                }
            }
            ta_shard_unlock(sd);
        }
        if (!found)
            break;
        last = out[n++];
    }
    return n;
}

int ta_walk_find_host(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                      uint64_t *out_id)
{
    struct ta_shard *sd;
    const struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);

    if (!h)
        return 0;
    if (out_id)
        *out_id = h->id;
    ta_shard_unlock(sd);
    return 1;
}

/* ---- marks of change ---------------------------------------------------------------------------- */

int ta_walk_cut(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                struct ta_host_cut *out)
{
    struct ta_sweep sw;
    struct ta_host *h;

    ta_sweep_init(&sw, s, cluster, host, true);
    h = cluster.len && host.len ? ta_sweep_next(&sw) : NULL;
    if (!h)
        return TA_ENOTFOUND;
    out->host_id = h->id;
    out->is_changed = h->touched_from_s != INT64_MAX;
    out->touched_from_s = h->touched_from_s;
    h->touched_from_s = INT64_MAX;
    /* The inline append leaves no marks: its next sample must take the whole way. */
    for (uint32_t i = 0; i < h->n_groups; i++)
        h->groups[i]->row.ts_s = TA_ROW_NONE;
    ta_sweep_stop(&sw);
    return TA_OK;
}

void ta_walk_uncut(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                   const struct ta_host_cut *cut)
{
    struct ta_sweep sw;
    struct ta_host *h;

    ta_sweep_init(&sw, s, cluster, host, true);
    h = cluster.len && host.len ? ta_sweep_next(&sw) : NULL;
    if (h && h->touched_from_s > cut->touched_from_s)
        h->touched_from_s = cut->touched_from_s;
    ta_sweep_stop(&sw);
}

/* ---- series and buffers --------------------------------------------------------------------------- */

/* Columns come and never go: where one was found it still stands, unless others have pushed it on. */
static bool is_in_place(const struct ta_host *h, const struct ta_walk_series *at)
{
    return at->shape_id == h->shape->id && at->index < h->shape->n &&
           h->shape->by_level[at->index] == at->col;
}

bool ta_walk_step(const struct ta_shard *sd, const struct ta_host *h, bool is_first,
                  struct ta_walk_series *at)
{
    struct ta_column_key key;
    uint32_t i = 0;

    if (!is_first && is_in_place(h, at)) {
        i = at->index + 1;
    } else if (!is_first) {
        key = (struct ta_column_key){at->metric, ta_name_str(&at->type), ta_name_str(&at->stype)};
        i = ta_shape_level_upper(h->shape, sd->metrics, &key);
    }
    while (i < h->shape->n && !ta_host_has(h, h->shape->by_level[i]))
        i++;
    if (i == h->shape->n)
        return false;
    at->shape_id = h->shape->id;
    at->index = i;
    at->col = h->shape->by_level[i];
    ta_shape_key(h->shape, at->col, &key);
    set_name(&at->type, key.type);
    set_name(&at->stype, key.stype);
    at->metric = key.metric;
    at->freq_s = ta_host_head(h, at->col)->freq_s;
    return true;
}

int64_t ta_walk_column(const struct ta_host *h, const struct ta_walk_series *at)
{
    struct ta_column_key key = {at->metric, ta_name_str(&at->type), ta_name_str(&at->stype)};
    int64_t col = is_in_place(h, at) ? (int64_t)at->col : ta_shape_find(h->shape, &key);

    return col >= 0 && ta_host_has(h, (uint32_t)col) ? col : TA_ENOTFOUND;
}

int ta_walk_series_next(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                        bool is_first, struct ta_walk_series *at)
{
    struct ta_shard *sd;
    const struct ta_host *h = ta_store_rdlock(s, cluster, host, &sd);
    bool found;

    if (!h)
        return 0;
    found = ta_walk_step(sd, h, is_first, at);
    ta_shard_unlock(sd);
    return found;
}

/* Under the read lock: the column of a key that has samples, or TA_ENOTFOUND with nothing locked. */
static int64_t lock_series(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                           const struct ta_column_key *key, struct ta_shard **out_sd,
                           const struct ta_host **out_h)
{
    int64_t col;

    *out_h = ta_store_rdlock(s, cluster, host, out_sd);
    if (!*out_h)
        return TA_ENOTFOUND;
    col = ta_shape_find((*out_h)->shape, key);
    if (col >= 0 && ta_host_has(*out_h, (uint32_t)col))
        return col;
    ta_shard_unlock(*out_sd);
    return TA_ENOTFOUND;
}

size_t ta_walk_buffers(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                       const struct ta_column_key *key, int64_t after_s, struct ta_buffer_info *out,
                       size_t max)
{
    struct ta_shard *sd;
    const struct ta_host *h;
    int64_t col = lock_series(s, cluster, host, key, &sd, &h);
    uint32_t i, pos;
    int64_t freq_s;
    size_t n = 0;

    if (col < 0)
        return 0;
    freq_s = ta_host_head(h, (uint32_t)col)->freq_s;
    i = ta_host_after(h, after_s);
    while (n < max && (i = ta_host_chain(h, (uint32_t)col, freq_s, i, &pos)) < h->n_groups) {
        const struct ta_group *g = h->groups[i++];

        out[n++] = (struct ta_buffer_info){
            .start_s = g->start_s,
            .freq_s = freq_s,
            .len = ta_group_len(g, pos),
            .capacity = g->capacity,
            .is_restored = g->is_restored,
        };
    }
    ta_shard_unlock(sd);
    return n;
}

int ta_walk_slots(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                  const struct ta_column_key *key, int64_t start_s, uint32_t slot0, double *out,
                  size_t n)
{
    struct ta_shard *sd;
    const struct ta_host *h;
    int64_t col = lock_series(s, cluster, host, key, &sd, &h);
    int r = TA_ENOTFOUND;
    uint32_t i, pos;

    if (col < 0)
        return TA_ENOTFOUND;
    i = ta_host_chain(h, (uint32_t)col, ta_host_head(h, (uint32_t)col)->freq_s,
                      ta_host_after(h, start_s - 1), &pos);
    if (i < h->n_groups && h->groups[i]->start_s == start_s) {
        uint32_t len = ta_group_len(h->groups[i], pos);
        size_t have = slot0 < len ? len - slot0 : 0;

        r = (int)(have < n ? have : n);
        ta_group_copy(h->groups[i], pos, slot0 < len ? slot0 : 0, (uint32_t)r, out);
    }
    ta_shard_unlock(sd);
    return r;
}
