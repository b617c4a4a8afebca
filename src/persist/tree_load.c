#include "persist/tree_load.h"

/* The array that values belong to. */
struct array {
    struct ta_column_key key;
    int64_t freq_s, next_s; /* left edge of the next value's slot */
    bool is_wanted;
};

/* `start` of a file is the centre of value 0; the store wants the left edge of its slot. */
static void begin_array(const struct ta_tree_reader *t, const struct ta_tree_event *ev,
                        const struct ta_metrics *metrics, struct array *a)
{
    int metric = ta_metrics_find(metrics, ev->name);

    *a = (struct array){.freq_s = ev->freq_s, .next_s = ev->start_s - ev->freq_s / 2};
    a->key.metric = (uint32_t)(metric < 0 ? 0 : metric);
    if (ev->depth > 0)
        a->key.type = ta_tree_level_name(t, 1);
    if (ev->depth > 1)
        a->key.stype = ta_tree_level_name(t, 2);
    a->is_wanted = metric >= 0 && ev->depth <= 2 && (ev->depth < 1 || a->key.type.len > 0) &&
                   (ev->depth < 2 || a->key.stype.len > 0);
}

static int add_values(struct ta_restore *to, const struct ta_tree_event *ev, struct array *a,
                      struct ta_tree_load *counts, struct ta_err *err)
{
    int r = TA_EINVAL;

    if (a->is_wanted)
        r = ta_restore_add(to, &a->key, a->next_s, a->freq_s, ev->values, ev->n, err);
    if (r == TA_ENOMEM)
        return r;
    *(r < 0 ? &counts->skipped : &counts->samples) += ev->n_present;
    a->next_s += (int64_t)ev->n * a->freq_s;
    return TA_OK;
}

int ta_tree_load(struct ta_tree_reader *t, struct ta_restore *to, const struct ta_metrics *metrics,
                 void (*damage)(void *self, const struct ta_tree_event *ev), void *self,
                 struct ta_tree_load *counts, struct ta_err *err)
{
    struct ta_tree_event ev;
    struct array a = {0};
    int r;

    while ((r = ta_tree_next(t, &ev, err)) > 0) {
        if (ev.kind == TA_TREE_METRIC)
            begin_array(t, &ev, metrics, &a);
        else if (ev.kind == TA_TREE_VALUES)
            r = add_values(to, &ev, &a, counts, err);
        else if (ev.kind == TA_TREE_DAMAGE) {
            counts->damaged++;
            if (damage)
                damage(self, &ev);
        }
        if (r < 0)
            break;
    }
    return r;
}
