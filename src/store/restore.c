/* restore.c - arrays from checkpoint files back into a host.
 *
 * An array is encoded before any lock is taken. The series joins its group at once; its run is collected with
 * those of other series of the same group and stored with them in one segment, so that a restarted
 * store holds as few blocks as one that ran on. Until then the slots read as missing.
 */
#include "base/floats.h"
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

enum {
    BATCHES = 64,                 /* groups collected for at the same time */
    FLUSH_BYTES = 1024 * 1024,    /* of runs collected in all */
    KEPT_BYTES = 2 * 1024 * 1024, /* of memory for them, kept for the next ones */
    SEARCH_EVERY = 16,            /* runs of one nature between two searches for their codec */
    SAMPLES = 16                  /* looked at to tell the nature of a run */
};

/* Runs of positions [pos0, pos0 + n_pos) of one group; serial 0: none. */
struct batch {
    struct ta_seg_builder runs;
    uint64_t serial;
    uint64_t n_samples;
    uint32_t pos0, capacity;
};

/* What runs of a metric were like: its series are alike on one host, but for those that stand idle. A host has
 * too few runs of each series to search a codec for every one. */
struct nature {
    struct ta_run_hint hint;
    uint32_t n_runs;
};

struct ta_restore {
    struct ta_store *store;
    struct ta_name cluster, host;
    uint64_t host_id;
    size_t collected; /* bytes of runs, about */
    size_t kept;      /* bytes of memory for them, also where nothing is collected */
    uint32_t victim;  /* the batch that makes room for the next new group */
    size_t n_metrics;
    struct nature (*natures)[2]; /* by metric; [1]: mostly one value */
    struct batch batches[BATCHES];
};

static int fail_memory(const struct ta_restore *r, struct ta_err *err)
{
    return ta_fail(err, TA_ENOMEM, "no memory for restored samples of host %.*s",
                   TA_STR_FMT(ta_name_str(&r->host)));
}

int ta_restore_new(struct ta_restore **out, struct ta_store *s, struct ta_err *err)
{
    struct ta_restore *r = ta_alloc_zero(s->owner, 1, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "no memory to restore hosts");
    r->store = s;
    struct ta_metrics *m = ta_store_metrics(s);
    r->n_metrics = ta_metrics_count(m) + 1; /* the last one for metrics that come later */
    ta_metrics_unref(m);
    r->natures = ta_alloc_zero(s->owner, r->n_metrics, sizeof(*r->natures));
    if (!r->natures) {
        ta_release(s->owner, r, sizeof(*r));
        return ta_fail(err, TA_ENOMEM, "no memory to restore hosts");
    }
    for (uint32_t i = 0; i < BATCHES; i++) {
        r->batches[i].runs.alloc = ta_store_alloc(s);
        r->batches[i].runs.keep_bytes = SIZE_MAX; /* flush decides */
    }
    *out = r;
    return TA_OK;
}

int ta_restore_begin(struct ta_restore *r, struct ta_str cluster, struct ta_str host,
                     struct ta_err *err)
{
    if (!cluster.len || !host.len || cluster.len > TA_NAME_MAX || host.len > TA_NAME_MAX)
        return ta_fail(err, TA_EINVAL, "cluster and host names need 1 to %d bytes", TA_NAME_MAX);
    r->cluster.len = (uint8_t)cluster.len;
    memcpy(r->cluster.at, cluster.at, cluster.len);
    r->host.len = (uint8_t)host.len;
    memcpy(r->host.at, host.at, host.len);
    r->victim = 0; /* whose memory the host before has left */
    return TA_OK;
}

static struct ta_group *find_group(const struct ta_host *h, uint64_t serial)
{
    for (uint32_t i = h->n_groups; i-- > 0;)
        if (h->groups[i]->serial == serial)
            return h->groups[i];
    return NULL;
}

/* Under the host's write lock: the group of that number; NULL: gone. The caller stops the sweep. */
static struct ta_group *lock_group(const struct ta_restore *r, uint64_t serial, struct ta_sweep *sw)
{
    struct ta_host *h;

    ta_sweep_init(sw, r->store, ta_name_str(&r->cluster), ta_name_str(&r->host), true);
    h = ta_sweep_next(sw);
    return h && h->id == r->host_id ? find_group(h, serial) : NULL;
}

/* Stores what a batch has collected. When the group has gone meanwhile, its samples were freed with it;
 * when memory is refused, its buffers stay without values. */
static int flush(struct ta_restore *r, struct batch *b)
{
    struct ta_alloc *a = ta_store_alloc(r->store);
    struct ta_segment *sg = NULL;
    struct ta_sweep sw;
    struct ta_group *g;
    int ret = TA_OK;

    if (!b->serial)
        return TA_OK;
    ta_store_make_room(r->store);
    if (b->runs.n_pos)
        ret = ta_seg_make(&b->runs, a, 0, b->capacity, b->pos0, &sg);
    g = lock_group(r, b->serial, &sw);
    if (g)
        g->n_pending -= b->runs.n_pos;
    if (g && sg)
        ret = ta_group_add_segment(a, g, sg);
    if (g && sg && ret == TA_OK)
        sw.locked->counts.restored += b->n_samples;
    if (!g || ret < 0)
        ta_segment_free(a, sg);
    ta_sweep_stop(&sw);
    r->collected -= b->runs.len;
    if (r->kept > KEPT_BYTES) {
        r->kept -= b->runs.cap;
        ta_seg_done(&b->runs);
    }
    b->serial = 0;
    return ret;
}

static int flush_all(struct ta_restore *r)
{
    int ret = TA_OK;

    for (uint32_t i = 0; i < BATCHES; i++) {
        int one = flush(r, &r->batches[i]);

        ret = ret < 0 ? ret : one;
    }
    return ret;
}

/* The batch that position `pos` of a group can be added to, made free when there is none. */
static int find_batch(struct ta_restore *r, uint64_t serial, uint32_t pos, struct batch **out)
{
    struct batch *b = NULL;
    int ret = TA_OK;

    for (uint32_t i = 0; i < BATCHES && !b; i++)
        if (r->batches[i].serial == serial)
            b = &r->batches[i];
    if (!b || b->pos0 + b->runs.n_pos != pos) {
        if (!b)
            b = &r->batches[r->victim++ % BATCHES];
        ret = flush(r, b);
    }
    *out = b;
    return ret;
}

/* What the first lock hold of an array's part finds out. */
struct place {
    uint64_t serial; /* 0: the series has buffers there; written sample by sample */
    uint32_t pos;
};

static bool is_free(const struct ta_host *h, uint32_t col, int64_t freq_s, int64_t start_s,
                    int64_t end_s)
{
    uint32_t pos;
    uint32_t i = ta_read_next(h, col, freq_s, ta_read_first(h, start_s), start_s, &pos);

    return i == h->n_groups || h->groups[i]->start_s >= end_s;
}

static int64_t put_values(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t freq_s,
                          int64_t first_s, int64_t step_s, const double *v, size_t n,
                          struct ta_seg_builder *scratch)
{
    int64_t touched_s = h->touched_from_s; /* restoring is no change */
    int ret = TA_OK;

    for (size_t i = 0; i < n && ret >= 0; i++)
        if (!isnan(v[i]))
            ret = ta_host_put(a, h, col, freq_s, first_s + (int64_t)i * step_s, v[i], INT64_MIN,
                              scratch);
    h->touched_from_s = touched_s;
    return ret;
}

/* Makes the buffer of v[0..n), still without its values. */
static int join(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t start_s,
                int64_t freq_s, uint32_t n, struct place *out)
{
    struct ta_group *g;
    int64_t pos;

    if (ta_host_reserve_open(a, h) < 0 || ta_host_group(a, h, start_s, freq_s, n, true, &g) < 0)
        return TA_ENOMEM;
    pos = ta_group_join(a, g, col);
    if (pos < 0) {
        (void)ta_host_tidy(a, h, g);
        return TA_ENOMEM;
    }
    ta_host_begins(h, col, start_s);
    if (!ta_host_has(h, col) || ta_host_head(h, col)->start_s < start_s)
        ta_host_point(h, col, g, (uint32_t)pos);
    g->n_pending++;
    h->due_s = INT64_MIN;
    *out = (struct place){g->serial, (uint32_t)pos};
    return TA_OK;
}

/* One lock hold: a place for v[0..n), n <= 512; or, where the series has buffers, the values themselves. */
static int place_part(struct ta_restore *r, const struct ta_column_key *key, int64_t start_s,
                      int64_t freq_s, const double *v, uint32_t n, struct place *out)
{
    struct ta_alloc *a = ta_store_alloc(r->store);
    struct ta_writer w;
    int64_t col;
    int ret =
        ta_writer_begin(&w, r->store, ta_name_str(&r->cluster), ta_name_str(&r->host), 0, NULL);

    *out = (struct place){0};
    if (ret < 0)
        return ret;
    col = ta_writer_column(&w, key);
    ret = col < 0 ? (int)col : ta_host_grow(a, w.host, (uint32_t)col);
    if (ret == TA_OK) {
        int64_t own_s = ta_metrics_at(w.locked->metrics, key->metric)->freq_s;
        struct ta_host *h = w.host;

        r->host_id = h->id;
        if (own_s == freq_s &&
            is_free(h, (uint32_t)col, freq_s, start_s, start_s + (int64_t)n * freq_s))
            ret = join(a, h, (uint32_t)col, start_s, freq_s, n, out);
        else
            ret = (int)put_values(a, h, (uint32_t)col, own_s, start_s + freq_s / 2, freq_s, v, n,
                                  &w.locked->scratch);
        if (ret >= 0 && !out->serial)
            w.locked->counts.restored += ta_floats_present(v, n);
    }
    ta_writer_end(&w);
    return ret < 0 ? ret : TA_OK;
}

/* The values of a place could not be kept: its buffer stays without any. */
static void give_up(struct ta_restore *r, const struct place *place)
{
    struct ta_sweep sw;
    struct ta_group *g = lock_group(r, place->serial, &sw);

    if (g)
        g->n_pending--;
    ta_sweep_stop(&sw);
}

/* Do some values here and there agree in most? */
static bool is_mostly_one(const double *v, uint32_t n)
{
    uint64_t bits[SAMPLES];
    uint32_t votes = 0, same = 0;
    uint64_t common = 0;

    for (uint32_t i = 0; i < SAMPLES; i++) {
        memcpy(&bits[i], &v[(uint64_t)i * n / SAMPLES], sizeof(bits[i]));
        if (votes == 0)
            common = bits[i];
        votes = common == bits[i] ? votes + 1 : votes - 1;
    }
    for (uint32_t i = 0; i < SAMPLES; i++)
        same += bits[i] == common;
    return same > SAMPLES / 2;
}

static struct ta_run_hint *hint_for(struct ta_restore *r, uint32_t metric, const double *v,
                                    uint32_t n)
{
    size_t i = metric < r->n_metrics ? metric : r->n_metrics - 1;
    struct nature *nature = &r->natures[i][is_mostly_one(v, n)];

    if (nature->n_runs++ % SEARCH_EVERY)
        ta_run_hint_trust(&nature->hint);
    return &nature->hint;
}

static int add_part(struct ta_restore *r, const struct ta_column_key *key, int64_t start_s,
                    int64_t freq_s, const double *v, uint32_t n)
{
    struct place place;
    struct batch *b;
    int ret = place_part(r, key, start_s, freq_s, v, n, &place);

    if (ret < 0 || !place.serial)
        return ret;
    ret = find_batch(r, place.serial, place.pos, &b);
    if (ret < 0) {
        give_up(r, &place);
        return ret;
    }
    if (!b->serial) {
        ta_seg_reset(&b->runs);
        b->serial = place.serial;
        b->n_samples = 0;
        b->pos0 = place.pos;
        b->capacity = n;
    }
    size_t len = b->runs.len;
    r->kept -= b->runs.cap;
    ret = ta_seg_encode(&b->runs, v, n, false, hint_for(r, key->metric, v, n));
    r->kept += b->runs.cap;
    r->collected += b->runs.len - len;
    if (ret < 0)
        give_up(r, &place);
    else
        b->n_samples += ta_run_count(b->runs.at + len);
    return ret;
}

int ta_restore_add(struct ta_restore *r, const struct ta_column_key *key, int64_t start_s,
                   int64_t freq_s, const double *v, size_t n, struct ta_err *err)
{
    const int64_t t_max = (int64_t)1 << 53;
    int ret = TA_OK;

    if (freq_s < 1 || freq_s > TA_METRIC_FREQ_MAX || start_s > t_max || start_s < -t_max ||
        n > (size_t)((t_max - start_s) / freq_s))
        return ta_fail(err, TA_EINVAL, "an array of host %.*s has no usable frequency or start",
                       TA_STR_FMT(ta_name_str(&r->host)));
    while (n && ret >= 0) {
        uint32_t part = n < TA_BUFFER_SLOTS ? (uint32_t)n : TA_BUFFER_SLOTS;

        ret = add_part(r, key, start_s, freq_s, v, part);
        if (r->collected > FLUSH_BYTES && ret >= 0)
            ret = flush_all(r);
        start_s += part * freq_s;
        v += part;
        n -= part;
    }
    if (ret == TA_ENOMEM)
        return fail_memory(r, err);
    return ret < 0 ? ta_fail(err, ret, "a series of host %.*s cannot be restored",
                             TA_STR_FMT(ta_name_str(&r->host)))
                   : TA_OK;
}

int ta_restore_end(struct ta_restore *r, struct ta_err *err)
{
    int ret = flush_all(r);

    return ret < 0 ? fail_memory(r, err) : TA_OK;
}

void ta_restore_free(struct ta_restore *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < BATCHES; i++) {
        assert(!r->batches[i].serial);
        ta_seg_done(&r->batches[i].runs);
    }
    ta_release(r->store->owner, r->natures, r->n_metrics * sizeof(*r->natures));
    ta_release(r->store->owner, r, sizeof(*r));
}
