/* forms.c - the table of line forms: text, hash, and the cache of their columns. */
#include "ingest/ingest_int.h"

#include <xxhash.h>

void forms_init(struct forms *t, struct ta_alloc *alloc)
{
    *t = (struct forms){.alloc = alloc, .epoch = 1, .last = FORM_NONE};
    ta_buf_init(&t->text, alloc, FORMS_TEXT_MAX);
}

bool forms_ready(struct forms *t)
{
    if (!t->slots)
        t->slots = ta_alloc_zero(t->alloc, FORM_SLOTS, sizeof(*t->slots));
    if (!t->columns)
        t->columns = ta_alloc_zero(t->alloc, COLUMN_SLOTS, sizeof(*t->columns));
    return t->slots && t->columns;
}

void forms_done(struct forms *t)
{
    ta_release(t->alloc, t->at, t->cap * sizeof(*t->at));
    ta_release(t->alloc, t->slots, FORM_SLOTS * sizeof(*t->slots));
    ta_release(t->alloc, t->columns, COLUMN_SLOTS * sizeof(*t->columns));
    ta_buf_done(&t->text);
}

void forms_forget(struct forms *t)
{
    t->n = 0;
    t->n_clusters = 0;
    t->last = FORM_NONE;
    t->epoch++;
    ta_buf_reset(&t->text);
    if (t->slots)
        memset(t->slots, 0, FORM_SLOTS * sizeof(*t->slots));
    if (t->columns)
        memset(t->columns, 0, COLUMN_SLOTS * sizeof(*t->columns));
}

uint16_t forms_cluster(struct forms *t, struct ta_str name)
{
    if (name.len == 0)
        return 0;
    for (uint16_t i = 0; i < t->n_clusters; i++)
        if (ta_str_eq(name, (struct ta_str){t->clusters[i].at, t->clusters[i].len}))
            return (uint16_t)(i + 1);
    if (t->n_clusters == CLUSTERS_MAX)
        return 0;
    struct cluster *c = &t->clusters[t->n_clusters++];
    c->len = (uint8_t)name.len;
    memcpy(c->at, name.at, name.len);
    return t->n_clusters;
}

uint32_t forms_hash(struct ta_str before, struct ta_str after)
{
    return (uint32_t)XXH3_64bits_withSeed(after.at, after.len, XXH3_64bits(before.at, before.len));
}

uint32_t forms_find(const struct forms *t, uint32_t hash, struct ta_str before, struct ta_str after)
{
    for (uint32_t i = hash;; i++) {
        uint32_t slot = t->slots[i & (FORM_SLOTS - 1)];
        if (slot == 0)
            return FORM_NONE;
        const struct form *f = &t->at[slot - 1];
        if (f->hash != hash || f->before != before.len || f->after != after.len)
            continue;
        const char *text = form_text(t, f);
        if (memcmp(text, before.at, before.len) == 0 &&
            memcmp(text + before.len, after.at, after.len) == 0)
            return slot - 1;
    }
}

static bool forms_grow(struct forms *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : 1024;

    if (t->n < t->cap)
        return true;
    if (t->n == FORMS_MAX)
        return false;
    struct form *at = ta_resize(t->alloc, t->at, t->cap * sizeof(*at), cap * sizeof(*at));
    if (!at)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

uint32_t forms_add(struct forms *t, uint32_t hash, const struct form_parts *parts)
{
    struct ta_str texts[] = {parts->before, parts->after, parts->type, parts->stype};
    size_t total = 0, text = t->text.len;

    for (size_t i = 0; i < TA_COUNT(texts); i++)
        total += texts[i].len;
    if (parts->before.len > UINT16_MAX || parts->after.len > UINT16_MAX || !forms_grow(t) ||
        ta_buf_reserve(&t->text, total + FORMS_PAD) < 0)
        return FORM_NONE;
    for (size_t i = 0; i < TA_COUNT(texts); i++)
        (void)ta_buf_str(&t->text, texts[i]); /* there is room */
    t->at[t->n] = (struct form){.text = (uint32_t)text,
                                .before = (uint16_t)parts->before.len,
                                .after = (uint16_t)parts->after.len,
                                .type = (uint8_t)parts->type.len,
                                .stype = (uint8_t)parts->stype.len,
                                .cluster = parts->cluster,
                                .metric = parts->metric,
                                .next = FORM_NONE,
                                .hash = hash};
    uint32_t i = hash;
    while (t->slots[i & (FORM_SLOTS - 1)])
        i++;
    t->slots[i & (FORM_SLOTS - 1)] = ++t->n;
    return t->n - 1;
}
