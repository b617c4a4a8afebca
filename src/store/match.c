/* match.c - which columns of a host a selection means, without making a list of them.
 *
 * The columns of one metric stand together in by_metric, ordered by type and subtype, empty first: so the
 * column of a level comes before those below it, which it hides when it has samples.
 */
#include "store/store_int.h"

static struct ta_column_key key_at(const struct ta_match *m, uint32_t i)
{
    struct ta_column_key key;

    ta_shape_key(m->host->shape, m->host->shape->by_metric[i], &key);
    return key;
}

static bool has_samples(const struct ta_match *m, uint32_t i)
{
    return ta_host_has(m->host, m->host->shape->by_metric[i]);
}

/* First index in [lo, hi) whose type is not before `type`, or, with `past`, after it. */
static uint32_t bound_type(const struct ta_match *m, struct ta_str type, bool past)
{
    uint32_t lo = m->lo, hi = m->hi;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = ta_str_cmp(key_at(m, mid).type, type);

        if (c < 0 || (past && c == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void ta_match_init(struct ta_match *m, const struct ta_host *h, const struct ta_selection *sel)
{
    struct ta_column_key first = {.metric = sel->metric};
    struct ta_column_key past = {.metric = sel->metric + 1};

    memset(m, 0, sizeof(*m));
    m->host = h;
    m->sel = sel;
    m->lo = ta_shape_lower(h->shape, &first);
    m->hi = ta_shape_lower(h->shape, &past);
    if (sel->n_path > 2)
        m->hi = m->lo; /* no level is deeper */
    m->type_at = m->lo;
    if (sel->n_path && sel->path[0].kind != TA_SEL_ANY)
        m->type_at = 0;
}

/* The names an element stands for, when it is not ANY. */
static struct ta_str name_at(const struct ta_sel *sel, uint32_t i, bool *out_end)
{
    *out_end = i >= (sel->kind == TA_SEL_EXACT ? 1 : sel->n_names);
    if (*out_end)
        return (struct ta_str){0};
    return sel->kind == TA_SEL_EXACT ? sel->name : sel->names[i];
}

/* The column of a whole level by hash, when it has samples and so hides what is below. */
static bool find_level(const struct ta_match *m, struct ta_str type, uint32_t *out_col)
{
    struct ta_column_key key = {.metric = m->sel->metric, .type = type};
    int64_t col = m->sel->n_path == 1 ? ta_shape_find(m->host->shape, &key) : TA_ENOTFOUND;

    if (col < 0 || !ta_host_has(m->host, (uint32_t)col))
        return false;
    *out_col = (uint32_t)col;
    return true;
}

/* Moves on to the next type that has columns, to [a, b); or finds its only column at once. */
enum type_found { TYPE_NONE, TYPE_RANGE, TYPE_COLUMN };

static enum type_found next_type(struct ta_match *m, uint32_t *out_col)
{
    const struct ta_sel *sel = m->sel->n_path ? &m->sel->path[0] : NULL;
    bool is_end = false;

    m->stype_at = 0;
    if (!sel || sel->kind == TA_SEL_ANY) {
        m->a = m->type_at;
        while (m->a < m->hi && key_at(m, m->a).type.len == 0)
            m->a++;
        if (m->a >= m->hi)
            return TYPE_NONE;
        m->b = m->type_at = bound_type(m, key_at(m, m->a).type, true);
        return TYPE_RANGE;
    }
    for (;;) {
        struct ta_str name = name_at(sel, m->type_at, &is_end);

        if (is_end)
            return TYPE_NONE;
        m->type_at++;
        if (!name.len)
            continue;
        if (find_level(m, name, out_col))
            return TYPE_COLUMN;
        m->a = bound_type(m, name, false);
        m->b = bound_type(m, name, true);
        if (m->a < m->b)
            return TYPE_RANGE;
    }
}

/* The column of subtype `name` among [a, b); hi when there is none. */
static uint32_t find_stype(const struct ta_match *m, struct ta_str name)
{
    struct ta_column_key key = key_at(m, m->a);
    uint32_t i;

    key.stype = name;
    i = ta_shape_lower(m->host->shape, &key);
    return i < m->b && ta_str_eq(key_at(m, i).stype, name) ? i : m->hi;
}

/* The next column of the present type. */
static bool next_in_type(struct ta_match *m, uint32_t *out_i)
{
    const struct ta_sel *sel = m->sel->n_path == 2 ? &m->sel->path[1] : NULL;
    bool is_end = false;

    if (sel && sel->kind != TA_SEL_ANY) {
        for (;;) {
            struct ta_str name = name_at(sel, m->stype_at, &is_end);

            if (is_end)
                return false;
            m->stype_at++;
            *out_i = name.len ? find_stype(m, name) : m->hi;
            if (*out_i < m->b && has_samples(m, *out_i))
                return true;
        }
    }
    while (m->a + m->stype_at < m->b) {
        *out_i = m->a + m->stype_at++;
        bool is_level = key_at(m, *out_i).stype.len == 0;

        if ((sel && is_level) || !has_samples(m, *out_i))
            continue;
        if (is_level)
            m->stype_at = m->b - m->a; /* hides what is below */
        return true;
    }
    return false;
}

bool ta_match_next(struct ta_match *m, uint32_t *out_col)
{
    uint32_t i = m->lo;

    if (m->lo >= m->hi)
        return false;
    if (!m->sel->n_path && m->type_at == m->lo && key_at(m, i).type.len == 0 && has_samples(m, i)) {
        m->lo = m->hi; /* the host's own series hides all others */
        *out_col = m->host->shape->by_metric[i];
        return true;
    }
    for (;;) {
        if (m->a < m->b && next_in_type(m, &i)) {
            *out_col = m->host->shape->by_metric[i];
            return true;
        }
        m->a = m->b = 0;
        switch (next_type(m, out_col)) {
        case TYPE_NONE:
            return false;
        case TYPE_COLUMN:
            return true;
        case TYPE_RANGE:
            break;
        }
    }
}

void ta_found_init(struct ta_found *f, const struct ta_host *h, const struct ta_selection *sel)
{
    uint32_t col;

    f->n = 0;
    for (ta_match_init(&f->match, h, sel); ta_match_next(&f->match, &col); f->n++)
        if (f->n < TA_COUNT(f->cols))
            f->cols[f->n] = col;
    ta_found_rewind(f);
}

void ta_found_rewind(struct ta_found *f)
{
    const struct ta_host *h = f->match.host;
    const struct ta_selection *sel = f->match.sel;

    f->at = 0;
    if (f->n > TA_COUNT(f->cols))
        ta_match_init(&f->match, h, sel);
}

bool ta_found_next(struct ta_found *f, uint32_t *out_col)
{
    if (f->n > TA_COUNT(f->cols))
        return ta_match_next(&f->match, out_col);
    if (f->at == f->n)
        return false;
    *out_col = f->cols[f->at++];
    return true;
}
