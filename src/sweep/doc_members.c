/* doc_members.c - equal keys in one object: the last one counts, as JSON libraries have it.
 *
 * A reader that keeps no document learns of the second member only after it has taken values from
 * the first. Finds are numbered as they come, so those inside one member are a range; the range is
 * kept under the hash of the member's path, for members with finds only. When a key comes whose path
 * has a range, its finds are dropped.
 */
#include "base/hash.h"
#include "sweep/doc_int.h"

enum {
    CAP_FIRST = 64,
    MEMBER_COST = 96 /* bytes of a member in a table that is a quarter full at worst */
};

static uint64_t mix(const void *p, size_t n, uint64_t path)
{
    uint64_t h = ta_hash_seeded(p, n, path);

    return h ? h : 1;
}

void ta_doc_open(struct doc *d, unsigned depth, bool is_array)
{
    struct doc_level *around = &d->level[depth];

    if (depth >= d->top && around->is_array) { /* no two elements are equal */
        d->n_elements++;
        around->member = mix(&d->n_elements, sizeof(d->n_elements), around->path);
    }
    d->level[depth + 1] =
        (struct doc_level){.path = depth >= d->top ? around->member : 1, .is_array = is_array};
}

static struct doc_member *find(struct doc_member *at, size_t cap, uint64_t path)
{
    size_t i = (size_t)path & (cap - 1);

    while (at[i].path && at[i].path != path)
        i = (i + 1) & (cap - 1);
    return &at[i];
}

static void forget(struct doc_find **head, const struct doc_member *m)
{
    while (*head) {
        if ((*head)->number >= m->first && (*head)->number <= m->last)
            *head = (*head)->next;
        else
            head = &(*head)->next;
    }
}

void ta_doc_key(struct doc *d, unsigned depth, struct ta_str key)
{
    struct doc_level *l = &d->level[depth];

    l->member = mix(key.at, key.len, l->path);
    if (d->n_members == 0)
        return;
    struct doc_member *m = find(d->members, d->cap_members, l->member);
    if (!m->path || !m->first)
        return;
    for (size_t i = 0; i < DOC_LISTS; i++)
        forget(&d->lists[i], m);
    for (size_t i = 0; i < DOC_FLAGS; i++)
        forget(&d->flags[i], m);
    m->first = 0;
}

static int grow(struct doc *d)
{
    size_t cap = d->cap_members ? 2 * d->cap_members : CAP_FIRST;
    struct doc_member *at = ta_arena_get(d->scratch, cap * sizeof(*at));

    if (!at)
        return TA_ENOMEM;
    memset(at, 0, cap * sizeof(*at));
    for (size_t i = 0; i < d->cap_members; i++)
        if (d->members[i].path)
            *find(at, cap, d->members[i].path) = d->members[i];
    d->members = at;
    d->cap_members = cap;
    return TA_OK;
}

int ta_doc_note(struct doc *d, unsigned depth, struct doc_find *f)
{
    f->number = ++d->n_finds;
    for (unsigned k = d->top; k <= depth; k++) {
        if (2 * (d->n_members + 1) > d->cap_members && grow(d) < 0)
            return ta_fail(d->err, TA_ENOMEM, "a document's fields");
        struct doc_member *m = find(d->members, d->cap_members, d->level[k].member);
        if (m->path == 0 && !ta_doc_spend(d, MEMBER_COST))
            return TA_OK;
        d->n_members += m->path == 0;
        m->path = d->level[k].member;
        if (m->first == 0)
            m->first = f->number;
        m->last = f->number;
    }
    return TA_OK;
}
