/* write.c - the writer's session on one host. */
#include "store/write.h"
#include "base/bytes.h"
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

#define TIME_MAX ((int64_t)1 << 53) /* room for every sum of times and periods */

/* What may have moved: the tables of a host grow. */
static void refresh(struct ta_writer *w)
{
    const struct ta_host *h = w->host;

    w->shape_id = h->shape->id;
    w->n_columns = h->shape->n;
    w->n_states = h->n_states;
    w->states = h->states;
    w->open = h->open;
}

static bool is_name(struct ta_str s)
{
    return s.len > 0 && s.len <= TA_NAME_MAX;
}

int ta_writer_begin(struct ta_writer *w, struct ta_store *s, struct ta_str cluster,
                    struct ta_str host, int64_t now_s, struct ta_err *err)
{
    uint64_t hash;
    struct ta_shard *sd;
    struct ta_host *h;

    if (!is_name(cluster) || !is_name(host))
        return ta_fail(err, TA_EINVAL, "cluster and host names need 1 to %d bytes", TA_NAME_MAX);
    hash = ta_shard_hash(s, cluster, host);
    sd = ta_shard_of(s, hash);
    ta_store_make_room(s);
    pthread_rwlock_wrlock(&sd->lock);
    h = ta_shard_find(sd, hash, cluster, host);
    if (!h && ta_shard_add(sd, hash, cluster, host, &h) < 0) {
        sd->counts.refused_memory++;
        ta_shard_unlock(sd);
        return ta_fail(err, TA_ENOMEM, "no memory for host %.*s", TA_STR_FMT(host));
    }
    memset(w, 0, sizeof(*w));
    w->host_id = h->id;
    w->shard = (uint32_t)(sd - s->shards);
    w->now_s = now_s;
    w->store = s;
    w->locked = sd;
    w->host = h;
    refresh(w);
    return TA_OK;
}

void ta_writer_end(struct ta_writer *w)
{
    struct ta_shard *sd = w->locked;

    sd->counts.stored += w->n_stored;
    if (!w->host->n_groups)
        ta_shard_remove(sd, w->host);
    w->host = NULL;
    ta_shard_unlock(sd);
}

const struct ta_metrics *ta_writer_metrics(const struct ta_writer *w)
{
    return w->locked->metrics;
}

int64_t ta_writer_column(struct ta_writer *w, const struct ta_column_key *key)
{
    int64_t col;

    if (key->metric >= ta_metrics_count(w->locked->metrics) || key->type.len > TA_NAME_MAX ||
        key->stype.len > TA_NAME_MAX || (key->stype.len && !key->type.len))
        return TA_EINVAL;
    col = ta_shard_column(w->locked, w->host, key);
    if (col == TA_ERANGE)
        w->locked->counts.refused_columns++;
    if (col == TA_ENOMEM)
        w->locked->counts.refused_memory++;
    refresh(w);
    return col;
}

void ta_writer_key(const struct ta_writer *w, uint32_t col, struct ta_column_key *out)
{
    ta_shape_key(w->host->shape, col, out);
}

uint32_t ta_writer_append_row(struct ta_writer *w, const uint32_t *columns, uint32_t n,
                              int64_t ts_s, const void *values)
{
    const struct ta_col_state *states = w->states;
    struct ta_row_cache *const *open = w->open;
    const unsigned char *at = values;
    uint32_t i = 0;

    for (; i < n; i++, at += sizeof(double)) {
        double v = ta_get_f64(at);

        if (columns[i] - 1 >= w->n_states) /* 0 too */
            break;
        struct ta_col_state st = states[columns[i] - 1];
        const struct ta_row_cache *row = open[st.open];
        if (row->ts_s != ts_s || v != v)
            break;
        row->cells[st.pos] = v;
    }
    w->n_stored += i;
    return i;
}

int ta_writer_append_slow(struct ta_writer *w, uint32_t col, int64_t ts_s, double v)
{
    struct ta_alloc *a = ta_store_alloc(w->store);
    struct ta_store_counts *counts = &w->locked->counts;
    struct ta_host *h = w->host;
    int64_t retention_s = atomic_load_explicit(&w->store->retention_s, memory_order_relaxed);
    int64_t oldest_s = retention_s > 0 ? w->now_s - retention_s : INT64_MIN;
    const struct ta_metric *m;
    int r;

    if (isnan(v) || col >= h->shape->n || ts_s > TIME_MAX || ts_s < -TIME_MAX)
        return TA_EINVAL;
    m = ta_metrics_at(w->locked->metrics, h->shape->cols[col].metric);
    r = ta_host_grow(a, h, col);
    if (r == TA_OK)
        r = ta_host_put(a, h, col, m->freq_s, ts_s, v, oldest_s, &w->locked->scratch);
    refresh(w);
    if (r == TA_ERANGE)
        counts->refused_old++;
    if (r == TA_ENOMEM)
        counts->refused_memory++;
    if (r < 0)
        return r;
    w->n_stored++;
    counts->stored_late += r == TA_PUT_LATE;
    return TA_OK;
}
