/* decode_keep.c - see decode_int.h. */
#include "query/decode_int.h"

void ta_dec_kept_init(struct ta_dec_kept *k, const struct ta_dec_limits *limits,
                      struct ta_arena *arena, struct ta_alloc *alloc)
{
    *k = (struct ta_dec_kept){.arena = arena, .limits = *limits};
    ta_buf_init(&k->text, alloc, arena->max);
    ta_buf_init(&k->ends, alloc, limits->list_max * sizeof(uint32_t));
}

void ta_dec_kept_done(struct ta_dec_kept *k)
{
    ta_buf_done(&k->text);
    ta_buf_done(&k->ends);
}

void ta_dec_list_begin(struct ta_dec_kept *k)
{
    ta_buf_reset(&k->text);
    ta_buf_reset(&k->ends);
}

/* The request is too large for its own memory, or all requests together are for theirs. */
static int no_memory(const struct ta_dec_kept *k, bool is_all, struct ta_err *err)
{
    if (is_all)
        return ta_fail(err, TA_ENOMEM, "no memory is left for the request");
    return ta_fail(err, TA_ENOMEM, "the request needs more than its %zu bytes of memory",
                   k->arena->max);
}

static int arena_full(const struct ta_dec_kept *k, struct ta_err *err)
{
    return no_memory(k, k->arena->is_parent_short, err);
}

static void to_front(struct ta_str *recent, unsigned i, struct ta_str s)
{
    memmove(recent + 1, recent, i * sizeof(*recent));
    recent[0] = s;
}

int ta_dec_keep_str(struct ta_dec_kept *k, struct ta_str s, struct ta_str *out, struct ta_err *err)
{
    unsigned i = 0;

    while (i < TA_DEC_RECENT && !ta_str_eq(k->recent[i], s))
        i++;
    if (i < TA_DEC_RECENT && k->recent[i].at) {
        to_front(k->recent, i, k->recent[i]);
    } else {
        struct ta_str copy = ta_arena_copy(k->arena, s);
        if (!copy.at)
            return arena_full(k, err);
        to_front(k->recent, TA_DEC_RECENT - 1, copy);
    }
    *out = k->recent[0];
    return TA_OK;
}

static int list_full(const struct ta_dec_kept *k, struct ta_err *err)
{
    return ta_fail(err, TA_ERANGE, "more than %zu entries in one list of the request",
                   k->limits.list_max);
}

int ta_dec_list_add(struct ta_dec_kept *k, struct ta_str s, struct ta_err *err)
{
    if (k->ends.len / sizeof(uint32_t) >= k->limits.list_max)
        return list_full(k, err);

    int r = ta_buf_str(&k->text, s);
    if (r >= 0) {
        uint32_t end = (uint32_t)k->text.len;
        r = ta_buf_add(&k->ends, &end, sizeof(end));
    }
    return r < 0 ? no_memory(k, r == TA_ENOMEM, err) : TA_OK;
}

static struct ta_str list_at(const struct ta_dec_kept *k, size_t i)
{
    uint32_t begin = 0, end;

    if (i > 0)
        memcpy(&begin, k->ends.at + (i - 1) * sizeof(begin), sizeof(begin));
    memcpy(&end, k->ends.at + i * sizeof(end), sizeof(end));
    return (struct ta_str){k->text.at ? k->text.at + begin : "", end - begin};
}

static bool list_equals(const struct ta_dec_kept *k, const struct ta_str_list *l, size_t n)
{
    if (l->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!ta_str_eq(l->at[i], list_at(k, i)))
            return false;
    return true;
}

/* The list just read, into the arena in one piece: the slices, then their bytes. */
static int list_copy(struct ta_dec_kept *k, size_t n, struct ta_str_list *out, struct ta_err *err)
{
    struct ta_str *at = ta_arena_get(k->arena, n * sizeof(*at) + k->text.len);
    char *bytes;

    if (!at)
        return arena_full(k, err);
    bytes = (char *)(at + n);
    if (k->text.len)
        memcpy(bytes, k->text.at, k->text.len);
    for (size_t i = 0; i < n; i++) {
        at[i] = (struct ta_str){bytes, list_at(k, i).len};
        bytes += at[i].len;
    }
    *out = (struct ta_str_list){at, n, true};
    return TA_OK;
}

int ta_dec_list_end(struct ta_dec_kept *k, struct ta_str_list *out, struct ta_err *err)
{
    size_t n = k->ends.len / sizeof(uint32_t);
    unsigned i = 0;

    while (i < TA_DEC_RECENT &&
           !(k->recent_lists[i].is_set && list_equals(k, &k->recent_lists[i], n)))
        i++;
    if (i < TA_DEC_RECENT) {
        *out = k->recent_lists[i];
    } else {
        int r = list_copy(k, n, out, err);
        if (r < 0)
            return r;
        i = TA_DEC_RECENT - 1;
    }
    memmove(k->recent_lists + 1, k->recent_lists, i * sizeof(*out));
    k->recent_lists[0] = *out;
    return TA_OK;
}

int ta_dec_int_add(struct ta_dec_kept *k, uint16_t id, struct ta_err *err)
{
    if (k->text.len / sizeof(id) >= k->limits.list_max)
        return list_full(k, err);

    int r = ta_buf_add(&k->text, &id, sizeof(id));
    return r < 0 ? no_memory(k, r == TA_ENOMEM, err) : TA_OK;
}

int ta_dec_ints_end(struct ta_dec_kept *k, struct ta_int_list *out, struct ta_err *err)
{
    uint16_t *at = ta_arena_get(k->arena, k->text.len);

    if (!at)
        return arena_full(k, err);
    if (k->text.len)
        memcpy(at, k->text.at, k->text.len);
    *out = (struct ta_int_list){at, k->text.len / sizeof(*at), true};
    return TA_OK;
}

int ta_dec_chain_add(struct ta_dec_kept *k, struct ta_dec_chain *c, size_t bytes, void **out,
                     struct ta_err *err)
{
    if (c->n >= k->limits.items_max)
        return ta_fail(err, TA_ERANGE, "more than %zu entries in one list of the request",
                       k->limits.items_max);

    struct ta_dec_item *item = ta_arena_get(k->arena, bytes);
    if (!item)
        return arena_full(k, err);
    memset(item, 0, bytes);
    if (c->last)
        c->last->next = item;
    else
        c->first = item;
    c->last = item;
    c->n++;
    *out = item;
    return TA_OK;
}
