/* shape.c - the set of columns that hosts of one kind share.
 *
 * Columns are only ever added, so that a column number stays true for whoever noted it beside the shape's
 * id. Two sorted lists serve readers; one hash of the whole key serves writers that miss their template.
 */
#include "store/store_int.h"

#include <assert.h>
#include <xxhash.h>

int ta_shape_new(struct ta_shape **out, struct ta_alloc *alloc, uint32_t id, bool is_private)
{
    struct ta_shape *sh = ta_alloc_zero(alloc, 1, sizeof(*sh));

    if (!sh)
        return TA_ENOMEM;
    sh->alloc = alloc;
    sh->id = id;
    sh->is_private = is_private;
    *out = sh;
    return TA_OK;
}

void ta_shape_free(struct ta_shape *sh)
{
    if (!sh)
        return;
    for (uint32_t i = 0; i < sh->n; i++)
        ta_release(sh->alloc, sh->cols[i].names,
                   (size_t)sh->cols[i].type_len + sh->cols[i].stype_len);
    ta_release(sh->alloc, sh->cols, sh->cap * sizeof(*sh->cols));
    ta_release(sh->alloc, sh->by_metric, sh->cap * sizeof(*sh->by_metric));
    ta_release(sh->alloc, sh->by_level, sh->cap * sizeof(*sh->by_level));
    ta_release(sh->alloc, sh->slots, sh->n_slots * sizeof(*sh->slots));
    ta_release(sh->alloc, sh, sizeof(*sh));
}

void ta_shape_key(const struct ta_shape *sh, uint32_t col, struct ta_column_key *out)
{
    assert(col < sh->n);
    const struct ta_column *c = &sh->cols[col];

    out->metric = c->metric;
    out->type = (struct ta_str){c->names, c->type_len};
    out->stype = (struct ta_str){c->stype_len ? c->names + c->type_len : NULL, c->stype_len};
}

static uint32_t key_hash(const struct ta_column_key *key)
{
    uint64_t h = XXH3_64bits_withSeed(key->type.at, key->type.len, key->metric);

    return (uint32_t)(key->stype.len ? XXH3_64bits_withSeed(key->stype.at, key->stype.len, h) : h);
}

static bool is_key(const struct ta_shape *sh, uint32_t col, const struct ta_column_key *key)
{
    struct ta_column_key have;

    ta_shape_key(sh, col, &have);
    return have.metric == key->metric && ta_str_eq(have.type, key->type) &&
           ta_str_eq(have.stype, key->stype);
}

int64_t ta_shape_find(const struct ta_shape *sh, const struct ta_column_key *key)
{
    if (!sh->n_slots)
        return TA_ENOTFOUND;

    uint32_t mask = sh->n_slots - 1;

    for (uint32_t i = key_hash(key) & mask; sh->slots[i]; i = (i + 1) & mask)
        if (is_key(sh, sh->slots[i] - 1, key))
            return sh->slots[i] - 1;
    return TA_ENOTFOUND;
}

static void hash_put(uint32_t *slots, uint32_t n_slots, uint32_t hash, uint32_t col)
{
    uint32_t i = hash & (n_slots - 1);

    while (slots[i])
        i = (i + 1) & (n_slots - 1);
    slots[i] = col + 1;
}

/* At most half full, also with one more column. */
static int grow_hash(struct ta_shape *sh)
{
    if (2 * (sh->n + 1) <= sh->n_slots)
        return TA_OK;

    uint32_t n_slots = sh->n_slots ? 2 * sh->n_slots : 8;
    uint32_t *slots = ta_alloc_zero(sh->alloc, n_slots, sizeof(*slots));

    if (!slots)
        return TA_ENOMEM;
    for (uint32_t col = 0; col < sh->n; col++) {
        struct ta_column_key key;

        ta_shape_key(sh, col, &key);
        hash_put(slots, n_slots, key_hash(&key), col);
    }
    ta_release(sh->alloc, sh->slots, sh->n_slots * sizeof(*slots));
    sh->slots = slots;
    sh->n_slots = n_slots;
    return TA_OK;
}

/* All three arrays or none, so that `cap` is true for each. */
static int grow_columns(struct ta_shape *sh)
{
    if (sh->n < sh->cap)
        return TA_OK;

    uint32_t cap = sh->cap ? sh->cap + sh->cap / 2 : 4;
    struct ta_column *cols = ta_alloc(sh->alloc, cap * sizeof(*cols));
    uint32_t *by_metric = ta_alloc(sh->alloc, cap * sizeof(*by_metric));
    uint32_t *by_level = ta_alloc(sh->alloc, cap * sizeof(*by_level));

    if (!cols || !by_metric || !by_level) {
        ta_release(sh->alloc, cols, cap * sizeof(*cols));
        ta_release(sh->alloc, by_metric, cap * sizeof(*by_metric));
        ta_release(sh->alloc, by_level, cap * sizeof(*by_level));
        return TA_ENOMEM;
    }
    if (sh->n) {
        memcpy(cols, sh->cols, sh->n * sizeof(*cols));
        memcpy(by_metric, sh->by_metric, sh->n * sizeof(*by_metric));
        memcpy(by_level, sh->by_level, sh->n * sizeof(*by_level));
    }
    ta_release(sh->alloc, sh->cols, sh->cap * sizeof(*cols));
    ta_release(sh->alloc, sh->by_metric, sh->cap * sizeof(*by_metric));
    ta_release(sh->alloc, sh->by_level, sh->cap * sizeof(*by_level));
    sh->cols = cols;
    sh->by_metric = by_metric;
    sh->by_level = by_level;
    sh->cap = cap;
    return TA_OK;
}

static int compare_levels(const struct ta_column_key *a, const struct ta_column_key *b)
{
    int c = ta_str_cmp(a->type, b->type);

    return c ? c : ta_str_cmp(a->stype, b->stype);
}

int ta_shape_compare_level(const struct ta_metrics *metrics, const struct ta_column_key *a,
                           const struct ta_column_key *b)
{
    int c = compare_levels(a, b);

    return c ? c
             : ta_str_cmp(ta_metrics_at(metrics, a->metric)->name,
                          ta_metrics_at(metrics, b->metric)->name);
}

static int compare_metric(const struct ta_column_key *a, const struct ta_column_key *b)
{
    if (a->metric != b->metric)
        return a->metric < b->metric ? -1 : 1;
    return compare_levels(a, b);
}

uint32_t ta_shape_lower(const struct ta_shape *sh, const struct ta_column_key *key)
{
    uint32_t lo = 0, hi = sh->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct ta_column_key have;

        ta_shape_key(sh, sh->by_metric[mid], &have);
        if (compare_metric(&have, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t ta_shape_level_upper(const struct ta_shape *sh, const struct ta_metrics *metrics,
                              const struct ta_column_key *key)
{
    uint32_t lo = 0, hi = sh->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct ta_column_key have;

        ta_shape_key(sh, sh->by_level[mid], &have);
        if (ta_shape_compare_level(metrics, &have, key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void insert_at(uint32_t *list, uint32_t n, uint32_t at, uint32_t col)
{
    memmove(list + at + 1, list + at, (n - at) * sizeof(*list));
    list[at] = col;
}

int64_t ta_shape_add(struct ta_shape *sh, const struct ta_metrics *metrics,
                     const struct ta_column_key *key)
{
    size_t name_bytes = key->type.len + key->stype.len;
    char *names = NULL;

    if (grow_hash(sh) < 0 || grow_columns(sh) < 0)
        return TA_ENOMEM;
    if (name_bytes) {
        names = ta_alloc(sh->alloc, name_bytes);
        if (!names)
            return TA_ENOMEM;
        memcpy(names, key->type.at, key->type.len);
        if (key->stype.len)
            memcpy(names + key->type.len, key->stype.at, key->stype.len);
    }

    uint32_t col = sh->n;
    uint32_t in_metric = ta_shape_lower(sh, key);
    uint32_t in_level = ta_shape_level_upper(sh, metrics, key);

    insert_at(sh->by_metric, sh->n, in_metric, col);
    insert_at(sh->by_level, sh->n, in_level, col);
    sh->cols[col] = (struct ta_column){
        .metric = key->metric,
        .type_len = (uint16_t)key->type.len,
        .stype_len = (uint16_t)key->stype.len,
        .names = names,
    };
    hash_put(sh->slots, sh->n_slots, key_hash(key), col);
    sh->n++;
    return col;
}
