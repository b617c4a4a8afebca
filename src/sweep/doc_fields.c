/* doc_fields.c - the values of one field, found in several places, become one value. */
#include "base/hash.h"
#include "sweep/doc_int.h"

/* Finds in the order of the document. */
static struct doc_find *reversed(struct doc_find *f)
{
    struct doc_find *out = NULL;

    while (f) {
        struct doc_find *next = f->next;
        f->next = out;
        out = f;
        f = next;
    }
    return out;
}

/* The values of a field: one place as it is, several places as a set in order of first sight. */
struct list {
    struct ta_str *at; /* null and "" left out */
    size_t n;
    size_t n_values; /* them included */
    bool is_set;     /* true in the sense of Python */
    bool is_many;
};

static bool same(struct ta_str a, struct ta_str b)
{
    return (a.at == NULL) == (b.at == NULL) && ta_str_eq(a, b);
}

/* Index table over `all` by hash; false when the value is there already. */
static bool enter(size_t *table, size_t cap, const struct ta_str *all, size_t n, struct ta_str v)
{
    size_t i = (size_t)ta_hash_str(v) & (cap - 1);

    for (; table[i]; i = (i + 1) & (cap - 1))
        if (same(all[table[i] - 1], v))
            return false;
    table[i] = n + 1;
    return true;
}

static int combine(struct doc *d, struct doc_find *finds, struct list *out)
{
    size_t n = 0, n_finds = 0, cap = 8;
    struct ta_str first = {0};

    *out = (struct list){0};
    for (struct doc_find *f = finds; f; f = f->next, n_finds++)
        for (struct doc_value *v = f->first; v; v = v->next)
            n++;
    while (cap < 2 * n)
        cap *= 2;
    struct ta_str *all = ta_arena_get(d->scratch, n * sizeof(*all));
    size_t *table = ta_arena_get(d->scratch, cap * sizeof(*table));
    out->at = ta_arena_get(d->scratch, n * sizeof(*out->at));
    if (!all || !table || !out->at)
        return TA_ENOMEM;
    memset(table, 0, cap * sizeof(*table));
    for (struct doc_find *f = finds; f; f = f->next)
        for (struct doc_value *v = f->first; v; v = v->next) {
            if (n_finds > 1 && !enter(table, cap, all, out->n_values, v->text))
                continue;
            if (out->n_values == 0)
                first = v->text;
            all[out->n_values++] = v->text;
            if (v->text.len)
                out->at[out->n++] = v->text;
        }
    bool is_array = finds && n_finds == 1 && finds->is_array;
    out->is_many = out->n_values > 1 || (is_array && out->n_values > 0);
    out->is_set = out->is_many || (out->n_values == 1 && first.len > 0);
    return TA_OK;
}

static bool any_true(const struct doc_find *f, bool when_absent)
{
    if (!f)
        return when_absent;
    for (; f; f = f->next)
        if (f->is_true)
            return true;
    return false;
}

/* When the present status began: the newest entry with it, if every one met on the way can be
 * read. */
static void find_transition(const struct doc *d, struct ta_record *r)
{
    for (const struct doc_step *s = d->history; s; s = s->before) {
        bool is_match = s->has_status && s->status.at && ta_str_eq(s->status, r->status);
        if (!s->has_status || (is_match && !s->has_time)) {
            r->broken_history = true;
            return;
        }
        if (is_match) {
            r->has_transition = true;
            r->transition_s = s->time_s;
            return;
        }
    }
}

static struct ta_str put(char **at, struct ta_str s)
{
    struct ta_str out = {*at, s.len};

    if (!s.at)
        return s;
    memcpy(*at, s.at, s.len);
    (*at)[s.len] = 0; /* texts of a record can be printed and passed on as they are */
    *at += s.len + 1;
    return out;
}

int ta_doc_finish(struct doc *d, struct ta_alloc *alloc, struct ta_record **out)
{
    struct list lists[DOC_LISTS];
    size_t n_names = 0, text = 0;

    for (size_t i = 0; i < DOC_LISTS; i++) {
        if (combine(d, reversed(d->lists[i]), &lists[i]) < 0)
            return TA_ENOMEM;
        n_names += lists[i].n;
        for (size_t k = 0; k < lists[i].n; k++)
            text += lists[i].at[k].len + 1;
    }
    for (size_t i = 0; i < DOC_TEXTS; i++)
        text += d->texts[i].len + 1;
    size_t bytes = sizeof(struct ta_record) + n_names * sizeof(struct ta_str) + text;
    struct ta_record *r = ta_alloc_zero(alloc, 1, bytes);
    if (!r)
        return TA_ENOMEM;
    r->alloc = alloc;
    r->bytes = bytes;
    struct ta_str *name = (struct ta_str *)(r + 1);
    char *at = (char *)(name + n_names);
    struct ta_names *fields[DOC_LISTS] = {&r->outputs, &r->inputs, &r->parents};
    for (size_t i = 0; i < DOC_LISTS; i++) {
        *fields[i] = (struct ta_names){name, lists[i].n};
        for (size_t k = 0; k < lists[i].n; k++)
            *name++ = put(&at, lists[i].at[k]);
    }
    r->name = put(&at, d->texts[DOC_NAME]);
    r->type = put(&at, d->texts[DOC_TYPE]);
    r->sub_type = put(&at, d->texts[DOC_SUB_TYPE]);
    r->status = put(&at, d->texts[DOC_STATUS]);
    r->has_input = lists[DOC_INPUTS].is_set;
    r->has_many_inputs = lists[DOC_INPUTS].is_many;
    r->include_parents = any_true(d->flags[DOC_INCLUDE_PARENTS], false);
    r->parentage_resolved = any_true(d->flags[DOC_RESOLVED], true);
    find_transition(d, r);
    *out = r;
    return TA_OK;
}
