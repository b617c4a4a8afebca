#include "persist/tree_index.h"

#include <assert.h>

static void *room_for_one(struct ta_tree_index *x, void *at, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return at;
    size_t more = *cap ? 2 * *cap : 64;
    void *grown = ta_resize(x->alloc, at, *cap * size, more * size);
    if (grown)
        *cap = more;
    return grown;
}

static int add_level(struct ta_tree_index *x, struct ta_str name, uint32_t parent, unsigned depth)
{
    struct ta_str copy = {0};
    struct ta_tree_index_level *grown =
        room_for_one(x, x->levels, x->n_levels, &x->cap_levels, sizeof(*x->levels));

    if (!grown)
        return TA_ENOMEM;
    x->levels = grown;
    if (name.len > 0) {
        copy = ta_arena_copy(&x->names, name);
        if (!copy.at)
            return TA_ENOMEM;
    }
    x->levels[x->n_levels++] = (struct ta_tree_index_level){copy, parent, depth};
    return TA_OK;
}

/* Levels repeat their metrics: the name of the same place in the sibling before is probably it. */
static struct ta_str name_of_metric(struct ta_tree_index *x, struct ta_str name, size_t hint)
{
    if (hint < x->n_series && ta_str_eq(x->series[hint].metric, name))
        return x->series[hint].metric;
    return ta_arena_copy(&x->names, name);
}

static int add_series(struct ta_tree_index *x, const struct ta_tree_event *ev, uint32_t level,
                      size_t hint)
{
    struct ta_tree_index_series *grown =
        room_for_one(x, x->series, x->n_series, &x->cap_series, sizeof(*x->series));

    if (!grown)
        return TA_ENOMEM;
    x->series = grown;
    struct ta_str name = name_of_metric(x, ev->name, hint);
    if (!name.at)
        return TA_ENOMEM;
    bool is_known = ev->count != TA_TREE_COUNT_UNKNOWN;
    x->series[x->n_series++] =
        (struct ta_tree_index_series){.metric = name,
                                      .level = level,
                                      .count = is_known ? (uint32_t)ev->count : 0,
                                      .freq_s = ev->freq_s,
                                      .start_s = ev->start_s,
                                      .values_at = ev->values_at};
    return TA_OK;
}

static void note_damage(struct ta_tree_index *x, const struct ta_tree_event *ev)
{
    if (x->n_damaged++ == 0) {
        x->damage_at = ev->at;
        x->damage_why = ev->why;
    }
}

/* The last array of a file that was cut has the values that are there. */
static void shorten_last(struct ta_tree_index *x, const struct ta_tree_event *ev)
{
    struct ta_tree_index_series *s = x->n_series > 0 ? &x->series[x->n_series - 1] : NULL;

    if (s && s->values_at > 0 && ev->at >= s->values_at &&
        (ev->at + ev->bytes - s->values_at) / 4 < s->count)
        s->count = (uint32_t)((ev->at + ev->bytes - s->values_at) / 4);
}

static int read_all(struct ta_tree_index *x, struct ta_tree_reader *r, enum ta_tree_format format,
                    struct ta_err *err)
{
    struct ta_tree_event ev;
    uint32_t open[TA_TREE_DEPTH_MAX] = {0};
    size_t begun[TA_TREE_DEPTH_MAX] = {0}, before[TA_TREE_DEPTH_MAX] = {0};
    int e = add_level(x, (struct ta_str){0}, 0, 0);

    while (e >= 0 && (e = ta_tree_next(r, &ev, err)) > 0) {
        unsigned d = ev.depth;
        switch (ev.kind) {
        case TA_TREE_LEVEL:
            e = add_level(x, ev.name, open[d - 1], d);
            open[d] = (uint32_t)(x->n_levels - 1);
            before[d] = begun[d];
            begun[d] = x->n_series;
            break;
        case TA_TREE_METRIC:
            e = add_series(x, &ev, open[d], before[d] + (x->n_series - begun[d]));
            if (format == TA_TREE_BIN)
                ta_tree_skip_values(r);
            break;
        case TA_TREE_VALUES: /* of JSON: counted */
            x->series[x->n_series - 1].count += (uint32_t)ev.n;
            break;
        case TA_TREE_DAMAGE:
            note_damage(x, &ev);
            shorten_last(x, &ev);
            break;
        case TA_TREE_LEVEL_END:
            break;
        }
    }
    return e;
}

int ta_tree_index_read(struct ta_tree_index *out, enum ta_tree_format format, struct ta_file *file,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_tree_reader *r = NULL;

    *out = (struct ta_tree_index){.alloc = alloc};
    ta_arena_init(&out->names, alloc, TA_TREE_INDEX_NAMES_MAX);
    int e = ta_tree_reader_new(&r, format, file, alloc, err);
    if (e == TA_OK)
        e = read_all(out, r, format, err);
    ta_tree_reader_free(r);
    if (e < 0) {
        ta_tree_index_done(out);
        return ta_fail(err, e, "list of a checkpoint file's series");
    }
    return TA_OK;
}

void ta_tree_index_done(struct ta_tree_index *x)
{
    if (!x->alloc)
        return;
    ta_release(x->alloc, x->levels, x->cap_levels * sizeof(*x->levels));
    ta_release(x->alloc, x->series, x->cap_series * sizeof(*x->series));
    ta_arena_done(&x->names);
    *x = (struct ta_tree_index){0};
}

int ta_tree_index_values(struct ta_file *file, const struct ta_tree_index_series *s, uint32_t first,
                         float *out, size_t n, struct ta_err *err)
{
    assert(s->values_at > 0 && first <= s->count && n <= s->count - first);
    int64_t got = ta_pread_full(file, out, 4 * n, s->values_at + 4 * (uint64_t)first, err);
    if (got < 0)
        return (int)got;
    return got == (int64_t)(4 * n)
               ? TA_OK
               : ta_fail(err, TA_EFORMAT, "the file got shorter while it was read");
}
