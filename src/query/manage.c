/* manage.c - see manage.h. */
#include "query/manage.h"

#include "base/number.h"
#include "query/spill.h"
#include "store/read.h"

#include <assert.h>

/* ---- free ---------------------------------------------------------------------------------- */

int ta_free_time(struct ta_str to, int64_t *out, struct ta_err *err)
{
    struct ta_str digits = to;
    char text[200];
    struct ta_buf quoted = {text, 0, sizeof(text), sizeof(text), NULL};

    if (to.len == 0)
        return ta_fail(err, TA_EINVAL, "'to' is a required query parameter");
    if (to.at[0] == '+' && to.len > 1 && to.at[1] >= '0' && to.at[1] <= '9')
        digits = (struct ta_str){to.at + 1, to.len - 1};

    int r = ta_parse_i64(digits, out);
    if (r >= 0)
        return TA_OK;
    if (ta_go_quote(&quoted, to) < 0)
        quoted.len = 0;
    return ta_fail(err, r, "strconv.ParseInt: parsing %.*s: %s", TA_STR_FMT(ta_buf_view(&quoted)),
                   r == TA_ERANGE ? "value out of range" : "invalid syntax");
}

struct ta_free_query {
    struct ta_alloc *alloc;
    struct ta_query_limits limits;
    struct ta_arena arena;
    struct ta_decoder *decoder;
    struct ta_dec_chain selectors;
};

int ta_free_new(struct ta_free_query **out, const struct ta_query_limits *limits,
                struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_free_query *f = ta_alloc_zero(alloc, 1, sizeof(*f));

    if (!f)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    f->alloc = alloc;
    f->limits = limits ? *limits : ta_query_limits_default;
    ta_arena_init(&f->arena, alloc, f->limits.arena_bytes);
    *out = f;
    return TA_OK;
}

void ta_free_free(struct ta_free_query *f)
{
    if (!f)
        return;
    ta_decoder_free(f->decoder);
    ta_arena_done(&f->arena);
    ta_release(f->alloc, f, sizeof(*f));
}

int ta_free_parse(struct ta_free_query *f, struct ta_source *body, struct ta_err *err)
{
    struct ta_dec_limits limits = ta_query_decode_limits(&f->limits);
    int r = TA_OK;

    if (!f->decoder)
        r = ta_decoder_new(&f->decoder, body, &ta_free_root, &f->selectors, &limits, &f->arena,
                           f->alloc);
    if (r >= 0)
        r = ta_decoder_run(f->decoder, err);
    if (r == TA_EAGAIN)
        return r;
    if (r < 0)
        f->selectors = (struct ta_dec_chain){0};
    return r < 0 ? ta_fail(err, r, "no memory left for this request") : TA_OK;
}

uint64_t ta_free_run(struct ta_free_query *f, struct ta_store *store, int64_t before_s)
{
    uint64_t n = 0;

    for (const struct ta_dec_item *i = f->selectors.first; i; i = i->next) {
        const struct ta_str_list *path = &((const struct ta_dec_list *)(const void *)i)->list;
        n += ta_store_free_before(store, path->at, path->n, before_s);
    }
    return n;
}

/* ---- debug --------------------------------------------------------------------------------- */

enum {
    SELECTOR_MAX = 4096,
    PATH_MAX_LEVELS = 4, /* cluster, host, type, subtype */
    DUMP_STEP = 8 * 1024,
    DUMP_TEXT = 24 * 1024 /* a step and the few KiB that it may add */
};

struct ta_debug {
    struct ta_alloc *alloc;
    struct ta_dump *dump;
    bool is_over;
    struct ta_spill spill;
};

/* Splits at every ':'; counts them all, keeps the first few. */
static size_t split(struct ta_str s, struct ta_str *out, size_t max)
{
    size_t n = 0;

    for (const char *at = s.at, *end = s.at + s.len; at && at <= end;) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *stop = colon ? colon : end;
        if (n < max)
            out[n] = (struct ta_str){at, (size_t)(stop - at)};
        n++;
        at = stop + 1;
    }
    return n;
}

static int not_found(struct ta_str selector, struct ta_err *err)
{
    char text[300];
    struct ta_buf b = {text, 0, sizeof(text), sizeof(text), NULL};
    struct ta_str part;
    int r = TA_OK;

    for (struct ta_str rest = selector; r >= 0;) {
        const char *colon = memchr(rest.at, ':', rest.len);
        part = (struct ta_str){rest.at, colon ? (size_t)(colon - rest.at) : rest.len};
        if (b.len > 0)
            r = ta_buf_z(&b, ", ");
        r = r < 0 ? r : ta_go_quote(&b, part);
        if (!colon)
            break;
        rest = (struct ta_str){colon + 1, rest.len - part.len - 1};
    }
    return ta_fail(err, TA_ENOTFOUND, "[METRICSTORE]> not found: []string{%.*s%s}",
                   TA_STR_FMT(ta_buf_view(&b)), r < 0 ? "..." : "");
}

/* The readings in which ':' belongs to a name below the host: all of it the type, or split in two
 * once. */
static int find_below_host(struct ta_debug *d, struct ta_store *store, struct ta_str path[4])
{
    struct ta_str below = path[2];
    int r = ta_dump_new(&d->dump, store, d->alloc, path, 3, NULL);

    for (size_t i = 0; i < below.len && r == TA_ENOTFOUND; i++) {
        if (below.at[i] != ':')
            continue;
        path[2] = (struct ta_str){below.at, i};
        path[3] = (struct ta_str){below.at + i + 1, below.len - i - 1};
        r = ta_dump_new(&d->dump, store, d->alloc, path, 4, NULL);
    }
    return r;
}

static int find(struct ta_debug *d, struct ta_store *store, struct ta_str selector)
{
    struct ta_str path[PATH_MAX_LEVELS];
    size_t n = selector.len ? split(selector, path, PATH_MAX_LEVELS) : 0;
    int r = TA_ENOTFOUND;

    if (n <= PATH_MAX_LEVELS)
        r = ta_dump_new(&d->dump, store, d->alloc, path, n, NULL);
    if (r == TA_ENOTFOUND && n > 3) {
        path[2].len = (size_t)(selector.at + selector.len - path[2].at);
        r = find_below_host(d, store, path);
    }
    return r;
}

int ta_debug_new(struct ta_debug **out, struct ta_store *store, struct ta_str selector,
                 struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_debug *d;
    int r;

    if (selector.len > SELECTOR_MAX)
        return ta_fail(err, TA_ERANGE, "selector over %d bytes", SELECTOR_MAX);
    d = ta_alloc_zero(alloc, 1, sizeof(*d));
    if (!d)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    d->alloc = alloc;
    r = ta_spill_init(&d->spill, alloc, DUMP_TEXT);
    if (r >= 0)
        r = find(d, store, selector);
    if (r < 0) {
        ta_debug_free(d);
        return r == TA_ENOTFOUND ? not_found(selector, err) : ta_fail(err, r, "%s", ta_strerror(r));
    }
    *out = d;
    return TA_OK;
}

void ta_debug_free(struct ta_debug *d)
{
    if (!d)
        return;
    ta_dump_free(d->dump);
    ta_spill_done(&d->spill);
    ta_release(d->alloc, d, sizeof(*d));
}

int ta_debug_fill(struct ta_debug *d, struct ta_buf *room, struct ta_err *err)
{
    int r = ta_buf_reserve(room, room->max - room->len);

    if (r < 0)
        return ta_fail(err, r, "no memory for the answer's buffer");
    while (ta_spill_drain(&d->spill, room)) {
        if (d->is_over)
            return 0;
        if (room->len == room->cap)
            return 1;
        r = ta_dump_fill(d->dump, &d->spill.text, DUMP_STEP);
        if (r < 0)
            return ta_fail(err, r, "%s", ta_strerror(r));
        d->is_over = r == 0;
    }
    return 1;
}
