/* store.c - life of the store, where its memory comes from, and its counters. */
#include "store/store_int.h"

#include <assert.h>

enum {
    SHARDS_DEFAULT = 16,
    SCRATCH_BYTES = 256 * 1024,     /* kept per shard: a sealed frame of 2000 series */
    KEEPER_BYTES = 4 * 1024 * 1024, /* kept while the keeper works: a merge of as many */
    QUICK_HOSTS = 500,              /* so many are visited in well under a millisecond */
    LARGE_BYTES = 32 * 1024         /* from here on whole pages: given back at once, no fragments */
};

/* ---- memory ----------------------------------------------------------------------------------- */

static bool is_large(size_t n)
{
    return n >= LARGE_BYTES;
}

static void *mem_resize(struct ta_alloc *self, void *p, size_t old_size, size_t new_size)
{
    struct ta_store_mem *m = TA_CONTAINER(self, struct ta_store_mem, alloc);
    struct ta_alloc *from = is_large(old_size) ? m->large : m->small;
    struct ta_alloc *to = is_large(new_size) ? m->large : m->small;
    void *q;

    if (from == to || !p || !new_size)
        return (p ? from : to)->resize(p ? from : to, p, old_size, new_size);
    q = ta_alloc(to, new_size);
    if (!q)
        return NULL;
    memcpy(q, p, old_size < new_size ? old_size : new_size);
    ta_release(from, p, old_size);
    return q;
}

static size_t mem_cost(size_t n)
{
    return is_large(n) ? ta_pages_cost(n) : ta_heap_cost(n);
}

size_t ta_store_bytes(const struct ta_store *s)
{
    return ta_budget_used(&s->budget);
}

void ta_store_set_cap(struct ta_store *s, size_t cap_bytes)
{
    atomic_store_explicit(&s->budget.cap, cap_bytes ? cap_bytes : SIZE_MAX, memory_order_relaxed);
}

void ta_store_set_retention(struct ta_store *s, int64_t retention_s)
{
    atomic_store_explicit(&s->retention_s, retention_s, memory_order_relaxed);
}

/* ---- life ------------------------------------------------------------------------------------- */

static int lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    int r = pthread_rwlockattr_init(&attr);

    if (r)
        return r;
    /* Readers come in streams; a writer must not wait for the last of them. */
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    r = pthread_rwlock_init(lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    return r;
}

static size_t store_bytes(uint32_t n_shards)
{
    return sizeof(struct ta_store) + n_shards * sizeof(struct ta_shard);
}

int ta_store_new(struct ta_store **out, const struct ta_store_conf *conf, struct ta_err *err)
{
    uint32_t n = conf->n_shards ? conf->n_shards : SHARDS_DEFAULT;
    struct ta_store *s;

    if (n > TA_STORE_SHARDS_MAX)
        return ta_fail(err, TA_EINVAL, "%u shards, at most %d are possible", n,
                       TA_STORE_SHARDS_MAX);
    s = ta_alloc_zero(conf->alloc, 1, store_bytes(n));
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for the store");
    s->owner = conf->alloc;
    s->mem.alloc.resize = mem_resize;
    s->mem.small = conf->alloc;
    /* A caller's own allocator (a test, an outer budget) must see every byte. */
    s->mem.large = conf->alloc == &ta_heap ? &ta_pages : conf->alloc;
    ta_budget_init(&s->budget, "store", conf->cap_bytes, &s->mem.alloc);
    s->budget.cost = mem_cost;
    atomic_init(&s->retention_s, conf->retention_s);
    atomic_init(&s->next_host_id, 1);
    atomic_init(&s->next_shape_id, 1);
    s->hash_seed = conf->hash_seed;
    s->keeper.scratch.alloc = ta_store_alloc(s);
    s->keeper.scratch.keep_bytes = KEEPER_BYTES;
    if (pthread_mutex_init(&s->swap, NULL) || pthread_mutex_init(&s->shrink, NULL) ||
        pthread_mutex_init(&s->visited_lock, NULL)) {
        ta_release(conf->alloc, s, store_bytes(n));
        return ta_fail(err, TA_ENOMEM, "no lock for the store");
    }
    for (uint32_t i = 0; i < n; i++) {
        struct ta_shard *sd = &s->shards[i];

        if (lock_init(&sd->lock)) {
            ta_store_free(s);
            return ta_fail(err, TA_ENOMEM, "no lock for the store");
        }
        sd->store = s;
        sd->scratch.alloc = ta_store_alloc(s);
        sd->scratch.keep_bytes = SCRATCH_BYTES;
        sd->metrics = ta_metrics_ref(conf->metrics);
        s->n_shards++;
    }
    *out = s;
    return TA_OK;
}

void ta_store_free(struct ta_store *s)
{
    if (!s)
        return;

    uint32_t n = s->n_shards;

    ta_keeper_done(s);
    for (uint32_t i = 0; i < n; i++)
        ta_shard_done(&s->shards[i]);
    assert(ta_budget_used(&s->budget) == 0);
    (void)pthread_mutex_destroy(&s->swap);
    (void)pthread_mutex_destroy(&s->shrink);
    (void)pthread_mutex_destroy(&s->visited_lock);
    ta_release(s->owner, s, store_bytes(n));
}

/* ---- the metric table --------------------------------------------------------------------------- */

struct ta_metrics *ta_store_metrics(struct ta_store *s)
{
    struct ta_shard *sd = &s->shards[0];
    struct ta_metrics *t;

    pthread_rwlock_rdlock(&sd->lock);
    t = ta_metrics_ref(sd->metrics);
    ta_shard_unlock(sd);
    return t;
}

static bool is_superset(const struct ta_metrics *of, const struct ta_metrics *t)
{
    if (ta_metrics_count(t) < ta_metrics_count(of))
        return false;
    for (uint32_t id = 0; id < ta_metrics_count(of); id++)
        if (!ta_str_eq(ta_metrics_at(of, id)->name, ta_metrics_at(t, id)->name) ||
            ta_metrics_at(of, id)->freq_s != ta_metrics_at(t, id)->freq_s)
            return false;
    return true;
}

int ta_store_set_metrics(struct ta_store *s, struct ta_metrics *t, struct ta_err *err)
{
    struct ta_metrics *old;
    bool ok;

    pthread_mutex_lock(&s->swap);
    old = ta_store_metrics(s);
    ok = is_superset(old, t);
    ta_metrics_unref(old);
    for (uint32_t i = s->n_shards; ok && i-- > 0;) {
        struct ta_shard *sd = &s->shards[i];

        /* The first shard last: who takes the table from it may use new ids in every other. */
        pthread_rwlock_wrlock(&sd->lock);
        old = sd->metrics;
        sd->metrics = ta_metrics_ref(t);
        ta_shard_unlock(sd);
        ta_metrics_unref(old);
    }
    pthread_mutex_unlock(&s->swap);
    return ok ? TA_OK
              : ta_fail(err, TA_EINVAL, "the new metric table does not contain the one in force");
}

/* ---- counters ----------------------------------------------------------------------------------- */

static void count_host(const struct ta_host *h, struct ta_store_counts *out)
{
    out->groups += h->n_groups;
    for (uint32_t i = 0; i < h->n_groups; i++) {
        const struct ta_group *g = h->groups[i];

        out->buffers += g->n_live;
        out->slots += (uint64_t)g->n_live * ta_group_len_max(g);
        for (uint32_t f = 0; f < g->n_frames; f++)
            out->bytes_open += ta_frame_bytes(g->frames[f]);
        for (uint32_t k = 0; k < g->n_segs; k++)
            out->bytes_sealed += g->segs[k]->bytes;
    }
}

static void count_shard(struct ta_shard *sd, bool is_quick, struct ta_store_counts *out)
{
    const struct ta_store_counts *c = &sd->counts;

    pthread_rwlock_rdlock(&sd->lock);
    out->hosts += sd->n_hosts;
    out->shapes += sd->n_shapes;
    out->stored += c->stored;
    out->stored_late += c->stored_late;
    out->restored += c->restored;
    out->refused_old += c->refused_old;
    out->refused_memory += c->refused_memory;
    out->refused_columns += c->refused_columns;
    out->freed_buffers += c->freed_buffers;
    out->freed_early_buffers += c->freed_early_buffers;
    out->merged_runs += c->merged_runs;
    for (const struct ta_cluster *k = sd->clusters; k; k = k->next)
        out->series += k->n_series;
    for (uint32_t i = 0; i < sd->n_hosts && !is_quick; i++)
        count_host(sd->sorted[i], out);
    ta_shard_unlock(sd);
}

/* The numbers that a visit of all buffers gives. */
static void copy_visited(struct ta_store_counts *out, const struct ta_store_counts *from)
{
    out->buffers = from->buffers;
    out->groups = from->groups;
    out->slots = from->slots;
    out->bytes_open = from->bytes_open;
    out->bytes_sealed = from->bytes_sealed;
}

/* `is_quick`: without the visit; those numbers stay 0. */
static void count_all(struct ta_store *s, bool is_quick, struct ta_store_counts *out)
{
    size_t cap = atomic_load_explicit(&s->budget.cap, memory_order_relaxed);

    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < s->n_shards; i++)
        count_shard(&s->shards[i], is_quick, out);
    out->bytes = ta_store_bytes(s);
    out->bytes_peak = atomic_load_explicit(&s->budget.peak, memory_order_relaxed);
    out->bytes_cap = cap == SIZE_MAX ? 0 : cap;
}

void ta_store_counts(struct ta_store *s, struct ta_store_counts *out)
{
    count_all(s, false, out);
    pthread_mutex_lock(&s->visited_lock);
    s->visited = *out;
    pthread_mutex_unlock(&s->visited_lock);
}

void ta_store_counts_quick(struct ta_store *s, struct ta_store_counts *out)
{
    count_all(s, true, out);
    if (out->hosts <= QUICK_HOSTS) {
        ta_store_counts(s, out);
        return;
    }
    pthread_mutex_lock(&s->visited_lock);
    copy_visited(out, &s->visited);
    pthread_mutex_unlock(&s->visited_lock);
}
