/* retain.c - forgetting: by age, on request, and when memory runs out.
 *
 * A series loses buffers from its oldest on. Memory comes back when the last member of a group goes, which
 * is nearly always at once, because the members of a group end together.
 */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- by age ----------------------------------------------------------------------------------- */

struct path {
    struct ta_str type, stype;
    bool has_type, has_stype;
};

static bool is_under(const struct ta_host *h, uint32_t col, const struct path *path)
{
    struct ta_column_key key;

    if (!path->has_type)
        return true;
    ta_shape_key(h->shape, col, &key);
    return ta_str_eq(key.type, path->type) &&
           (!path->has_stype || ta_str_eq(key.stype, path->stype));
}

static uint64_t free_group_before(struct ta_host *h, struct ta_group *g, const struct path *path,
                                  int64_t t)
{
    int64_t first_s = g->start_s + g->freq_s / 2;
    bool is_all = first_s + (int64_t)g->capacity * g->freq_s < t;
    uint64_t n = 0;

    if (first_s + g->freq_s >= t)
        return 0; /* every member has a slot at least */
    for (uint32_t pos = 0; pos < g->n_pos; pos++) {
        if ((g->members[pos] & MEMBER_GONE) || !is_under(h, g->members[pos], path))
            continue;
        if (!is_all && first_s + (int64_t)ta_group_len(g, pos) * g->freq_s >= t)
            continue;
        ta_host_drop_member(h, g, pos);
        n++;
    }
    return n;
}

static uint64_t free_host_before(struct ta_shard *sd, struct ta_host *h, const struct path *path,
                                 int64_t t)
{
    struct ta_alloc *a = ta_store_alloc(sd->store);
    uint64_t n = 0;

    for (uint32_t i = 0; i < h->n_groups && h->groups[i]->start_s < t;) {
        n += free_group_before(h, h->groups[i], path, t);
        if (!ta_host_tidy(a, h, h->groups[i]))
            i++;
    }
    sd->counts.freed_buffers += n;
    if (!h->n_groups)
        ta_shard_remove(sd, h);
    return n;
}

uint64_t ta_store_free_before(struct ta_store *s, const struct ta_str *path, size_t n_path,
                              int64_t t)
{
    struct ta_str cluster = n_path > 0 ? path[0] : (struct ta_str){0};
    struct ta_str host = n_path > 1 ? path[1] : (struct ta_str){0};
    struct path below = {.has_type = n_path > 2, .has_stype = n_path > 3};
    struct ta_sweep sw;
    struct ta_host *h;
    uint64_t n = 0;

    for (size_t i = 0; i < n_path; i++)
        if (i > 3 || !path[i].len || path[i].len > TA_NAME_MAX)
            return 0;
    if (below.has_type)
        below.type = path[2];
    if (below.has_stype)
        below.stype = path[3];
    for (ta_sweep_init(&sw, s, cluster, host, true); (h = ta_sweep_next(&sw));)
        n += free_host_before(sw.locked, h, &below, t);
    return n;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct ta_node *x = a, *y = b;
    int c = ta_str_cmp(x->cluster, y->cluster);

    return c ? c : ta_str_cmp(x->host, y->host);
}

int64_t ta_store_retain(struct ta_store *s, int64_t t, const struct ta_node *used, size_t n,
                        struct ta_err *err)
{
    static const struct path all;
    struct ta_node *sorted = ta_alloc_zero(s->owner, n + 1, sizeof(*sorted));
    struct ta_sweep sw;
    struct ta_host *h;
    int64_t n_freed = 0;

    if (!sorted)
        return ta_fail(err, TA_ENOMEM, "no memory for a list of %zu used nodes", n);
    if (n)
        memcpy(sorted, used, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_nodes);
    ta_sweep_init(&sw, s, (struct ta_str){0}, (struct ta_str){0}, true);
    while ((h = ta_sweep_next(&sw))) {
        struct ta_node key = {ta_cluster_name(h->cluster), ta_host_name(h)};

        h->is_protected = n && bsearch(&key, sorted, n, sizeof(*sorted), compare_nodes);
        if (!h->is_protected)
            n_freed += (int64_t)free_host_before(sw.locked, h, &all, t);
    }
    ta_release(s->owner, sorted, (n + 1) * sizeof(*sorted));
    return n_freed;
}

uint64_t ta_store_force_free(struct ta_store *s)
{
    struct ta_alloc *a = ta_store_alloc(s);
    struct ta_sweep sw;
    struct ta_host *h;
    uint64_t n = 0;

    ta_sweep_init(&sw, s, (struct ta_str){0}, (struct ta_str){0}, true);
    while ((h = ta_sweep_next(&sw))) {
        uint64_t n_host = 0;

        for (uint32_t col = 0; col < h->n_states; col++) {
            uint32_t pos, i;

            if (!ta_host_has(h, col))
                continue;
            i = ta_host_chain(h, col, ta_host_head(h, col)->freq_s, 0, &pos);
            ta_host_drop_member(h, h->groups[i], pos);
            (void)ta_host_tidy(a, h, h->groups[i]);
            n_host++;
        }
        sw.locked->counts.freed_buffers += n_host;
        n += n_host;
        if (!h->n_groups)
            ta_shard_remove(sw.locked, h);
    }
    return n;
}

/* ---- when memory runs out ----------------------------------------------------------------------- */

enum { AGES = 256 };

/* Bytes of the groups by the time of their newest sample: enough to say up to which time must go. A group of one
 * slot counts as a slot older: a flood of new series goes before those that have been written to for some time,
 * which would be the oldest by the time they began. */
struct ages {
    int64_t from_s, to_s; /* ends found */
    uint64_t bytes[AGES];
};

static bool is_row_empty(const struct ta_frame *f, uint32_t slot)
{
    const double *row = ta_frame_row(f, slot);

    for (uint32_t i = 0; row && i < f->stride; i++)
        if (!isnan(row[i]))
            return false;
    return true;
}

static int64_t newest_of(const struct ta_group *g)
{
    uint32_t len = ta_group_len_max(g);
    const struct ta_frame *f = g->n_frames ? g->frames[g->n_frames - 1] : NULL;

    /* Rows of narrow groups are made some at a time; the last ones may not be written yet. */
    while (f && !g->is_restored && len > 1 && (len - 1) / WINDOW_SLOTS == f->window &&
           is_row_empty(f, len - 1))
        len--;
    return g->start_s + (int64_t)(len > 1 ? len : 0) * g->freq_s;
}

static uint32_t age_of(const struct ages *ages, int64_t end_s)
{
    double share = (double)(end_s - ages->from_s) / ((double)(ages->to_s - ages->from_s) + 1.0);

    return (uint32_t)(share * AGES);
}

/* false: no group is left among hosts of that kind. */
static bool find_ages(struct ta_store *s, bool is_protected, struct ages *out)
{
    struct ta_sweep sw;
    struct ta_host *h;

    memset(out, 0, sizeof(*out));
    out->from_s = INT64_MAX;
    out->to_s = INT64_MIN;
    for (int pass = 0; pass < 2; pass++) {
        ta_sweep_init(&sw, s, (struct ta_str){0}, (struct ta_str){0}, false);
        while ((h = ta_sweep_next(&sw))) {
            for (uint32_t i = 0; i < h->n_groups && h->is_protected == is_protected; i++) {
                int64_t end_s = newest_of(h->groups[i]);

                if (pass == 0) {
                    out->from_s = end_s < out->from_s ? end_s : out->from_s;
                    out->to_s = end_s > out->to_s ? end_s : out->to_s;
                } else if (end_s >= out->from_s && end_s <= out->to_s) {
                    out->bytes[age_of(out, end_s)] += ta_group_bytes(h->groups[i]);
                }
            }
        }
    }
    return out->from_s <= out->to_s;
}

/* Frees the column's buffers up to the one in group i: a series loses its oldest first. */
static uint64_t free_chain(struct ta_host *h, uint32_t col, uint32_t i)
{
    int64_t freq_s = h->groups[i]->freq_s;
    uint64_t n = 0;
    uint32_t pos;

    for (uint32_t k = 0; (k = ta_host_chain(h, col, freq_s, k, &pos)) <= i; k++, n++)
        ta_host_drop_member(h, h->groups[k], pos);
    return n;
}

static uint64_t free_host_ages(struct ta_shard *sd, struct ta_host *h, const struct ages *ages,
                               uint32_t last)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < h->n_groups; i++) {
        const struct ta_group *g = h->groups[i];
        int64_t end_s = newest_of(g);

        if (end_s > ages->to_s || (end_s >= ages->from_s && age_of(ages, end_s) > last))
            continue;
        for (uint32_t pos = 0; pos < g->n_pos; pos++)
            if (!(g->members[pos] & MEMBER_GONE))
                n += free_chain(h, g->members[pos], i);
    }
    for (uint32_t i = h->n_groups; i-- > 0;)
        (void)ta_host_tidy(ta_store_alloc(sd->store), h, h->groups[i]);
    return n;
}

/* Frees groups of age classes [0, last] until the store holds at most `bytes`. */
static uint64_t free_ages(struct ta_store *s, const struct ages *ages, uint32_t last,
                          bool is_protected, size_t bytes)
{
    struct ta_sweep sw;
    struct ta_host *h;
    uint64_t n = 0;

    ta_sweep_init(&sw, s, (struct ta_str){0}, (struct ta_str){0}, true);
    while (ta_store_bytes(s) > bytes && (h = ta_sweep_next(&sw))) {
        uint64_t n_host =
            h->is_protected == is_protected ? free_host_ages(sw.locked, h, ages, last) : 0;

        n += n_host;
        sw.locked->counts.freed_early_buffers += n_host;
        if (!h->n_groups)
            ta_shard_remove(sw.locked, h);
    }
    ta_sweep_stop(&sw);
    return n;
}

uint64_t ta_store_shrink(struct ta_store *s, size_t bytes)
{
    struct ages ages;
    uint64_t n = 0;

    for (int is_protected = 0; is_protected < 2; is_protected++)
        while (ta_store_bytes(s) > bytes && find_ages(s, is_protected, &ages)) {
            uint64_t want = ta_store_bytes(s) > bytes ? ta_store_bytes(s) - bytes : 0;
            uint32_t last = 0;

            for (uint64_t sum = ages.bytes[0]; sum < want && last + 1 < AGES;)
                sum += ages.bytes[++last];
            n += free_ages(s, &ages, last, is_protected, bytes);
        }
    return n;
}

/* What a writer may take between begin and end is left free below the cap: a batch makes some rows and
 * seals some; 1/32 of the cap, at least 64 KiB, at most 16 MiB. The first writer who finds less than twice
 * that makes room, while others go on for as long as there is what one may take. To find what must go every
 * host is looked at: a share of the cap goes at once, so that the search is paid for by as many new samples. */
void ta_store_make_room(struct ta_store *s)
{
    size_t cap = atomic_load_explicit(&s->budget.cap, memory_order_relaxed);
    size_t reserve = cap / 32, room;

    if (cap == SIZE_MAX)
        return;
    reserve = reserve < 64 * KiB ? 64 * KiB : reserve > 16 * MiB ? 16 * MiB : reserve;
    reserve = reserve > cap / 4 ? cap / 4 : reserve;
    room = cap / 24 > 3 * reserve ? cap / 24 : 3 * reserve;
    room = room > cap / 2 ? cap / 2 : room;
    if (ta_store_bytes(s) + 2 * reserve <= cap)
        return;
    if (pthread_mutex_trylock(&s->shrink)) {
        if (ta_store_bytes(s) + reserve <= cap)
            return;
        pthread_mutex_lock(&s->shrink); /* who waits finds the room made */
    }
    if (ta_store_bytes(s) + 2 * reserve > cap)
        (void)ta_store_shrink(s, cap - room);
    pthread_mutex_unlock(&s->shrink);
}
