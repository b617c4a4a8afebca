/* reshape.c - which shape a host uses, and when it changes.
 *
 * The hosts of a cluster share a shape. Columns come and never go, so tags that are used once (a job's id, a
 * random name) would fill it for all: a host that needs more than a shared shape takes gets one of its own,
 * and a shape of which most columns are unused is given up. Its hosts move to a new one when the keeper
 * comes by, with the columns that they have samples of.
 */
#include "store/store_int.h"

#include <assert.h>

enum {
    SHARED_COLUMNS_MAX = 16384, /* of a shape that hosts share: 256 threads with 60 metrics each */
    COLUMNS_FEW = 64            /* not worth a move */
};

static int move_host(struct ta_shard *sd, struct ta_host *h, struct ta_shape *to)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);
    struct ta_shape *from = h->shape;
    uint32_t n_map = h->n_states, n = 1;
    uint32_t *map = ta_alloc(a, n_map * sizeof(*map));
    struct ta_col_state *states = NULL;
    bool ok = map || !n_map;

    to->n_hosts++;
    for (uint32_t col = 0; col < n_map && ok; col++) {
        struct ta_column_key key;
        int64_t now;

        if (!ta_host_has(h, col))
            continue;
        ta_shape_key(from, col, &key);
        now = ta_shape_find(to, &key);
        if (now < 0)
            now = ta_shape_add(to, sd->metrics, &key);
        ok = now >= 0;
        map[col] = ok ? (uint32_t)now : 0;
        n = ok && (uint32_t)now >= n ? (uint32_t)now + 1 : n;
    }
    if (ok)
        states = ta_alloc_zero(a, n, sizeof(*states));
    if (states) {
        ta_host_renumber(a, h, map, states, n);
        h->shape = to;
    }
    ta_release(a, map, n_map * sizeof(*map));
    ta_shard_leave_shape(sd, h->cluster, states ? from : to);
    return states ? TA_OK : TA_ENOMEM;
}

static int move_to_private(struct ta_shard *sd, struct ta_host *h)
{
    struct ta_shape *to;
    int r = ta_shard_new_shape(sd, true, &to);

    return r < 0 ? r : move_host(sd, h, to);
}

int64_t ta_shard_column(struct ta_shard *sd, struct ta_host *h, const struct ta_column_key *key)
{
    int64_t col = ta_shape_find(h->shape, key);

    if (col >= 0)
        return col;
    if (h->n_series >= TA_HOST_COLUMNS_MAX)
        return TA_ERANGE;
    if (h->shape->n >= (h->shape->is_private ? TA_HOST_COLUMNS_MAX : SHARED_COLUMNS_MAX)) {
        if (h->shape->is_private && h->n_series > TA_HOST_COLUMNS_MAX / 2)
            return TA_ERANGE; /* too few columns are unused to gain by moving */
        if (move_to_private(sd, h) < 0)
            return TA_ENOMEM;
    }
    return ta_shape_add(h->shape, sd->metrics, key);
}

int ta_shard_reshape(struct ta_shard *sd, struct ta_host *h)
{
    struct ta_cluster *c = h->cluster;
    bool is_lean = h->shape->n <= 2 * h->n_series + COLUMNS_FEW;
    int r = TA_OK;

    if (!h->shape->is_outgrown && (!h->shape->is_private || is_lean))
        return TA_OK;
    if (!c->shape)
        r = ta_shard_new_shape(sd, false, &c->shape);
    if (r < 0)
        return r;
    if (c->shape->n + h->n_series <= SHARED_COLUMNS_MAX / 2)
        r = move_host(sd, h, c->shape);
    else
        r = is_lean ? TA_OK : move_to_private(sd, h);
    if (c->shape && !c->shape->n_hosts)
        ta_shard_drop_shape(sd, c); /* it was made in vain */
    return r;
}

/* How many columns of a shape any host of the shard has samples of; or UINT32_MAX without memory to count. */
static uint32_t count_used(const struct ta_shard *sd, const struct ta_shape *sh)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);
    bool *is_used = ta_alloc_zero(a, sh->n, sizeof(*is_used));
    uint32_t n = 0;

    if (!is_used)
        return UINT32_MAX;
    for (uint32_t i = 0; i < sd->n_hosts; i++) {
        const struct ta_host *h = sd->sorted[i];

        for (uint32_t col = 0; h->shape == sh && col < h->n_states; col++)
            is_used[col] |= h->states[col].open != 0;
    }
    for (uint32_t col = 0; col < sh->n; col++)
        n += is_used[col];
    ta_release(a, is_used, sh->n * sizeof(*is_used));
    return n;
}

void ta_shard_judge(struct ta_shard *sd)
{
    for (struct ta_cluster *c = sd->clusters; c; c = c->next) {
        struct ta_shape *sh = c->shape;

        /* Only when it has doubled since it was found good: the count visits every series. */
        if (!sh || sh->n < COLUMNS_FEW || sh->n / 2 < sh->n_judged)
            continue;
        sh->n_judged = sh->n;
        if (count_used(sd, sh) >= sh->n / 2)
            continue;
        sh->is_outgrown = true;
        c->shape = NULL;
    }
}
