#include "persist/snapshot_read.h"

#include "base/bytes.h"

#include <inttypes.h>

enum {
    HEAD_BYTES = 4 + 8 + 8,
    METRIC_BYTES = 2 + 8 + 8 + 4, /* the least a metric takes */
    CHILD_BYTES = 2 + 4 + 4       /* the least a child takes */
};

static const uint32_t magic = 0xCC5B0001u;

static uint64_t here(const struct ta_snapshot_reader *r)
{
    return r->at + r->pos;
}

static int damaged(const struct ta_snapshot_reader *r, struct ta_err *err, const char *what)
{
    return ta_fail(err, TA_EFORMAT, "snapshot, byte %" PRIu64 ": %s", here(r), what);
}

/* Makes n bytes stand at window + pos. */
static int need(struct ta_snapshot_reader *r, size_t n, struct ta_err *err)
{
    if (n <= r->window.len - r->pos)
        return TA_OK;
    if (n > r->file_bytes - here(r))
        return damaged(r, err, "the file ends early");
    r->at += r->pos;
    r->window.len -= r->pos;
    memmove(r->window.at, r->window.at + r->pos, r->window.len);
    r->pos = 0;
    uint64_t rest = r->file_bytes - r->at - r->window.len;
    size_t room = r->window.cap - r->window.len;
    size_t want = rest < room ? (size_t)rest : room;
    int64_t got =
        ta_pread_full(r->file, r->window.at + r->window.len, want, r->at + r->window.len, err);
    if (got < 0)
        return (int)got;
    r->window.len += (size_t)got;
    return n <= r->window.len ? TA_OK : damaged(r, err, "the file became shorter");
}

/* Moves to a later offset, without reading what lies between. */
static void jump(struct ta_snapshot_reader *r, uint64_t to)
{
    if (to <= r->at + r->window.len) {
        r->pos = (size_t)(to - r->at);
        return;
    }
    r->at = to;
    r->pos = 0;
    ta_buf_reset(&r->window);
}

static const char *take(struct ta_snapshot_reader *r, size_t n)
{
    const char *p = r->window.at + r->pos;

    r->pos += n;
    return p;
}

/* A count of things of which each takes `least` bytes of the file. */
static int take_count(struct ta_snapshot_reader *r, size_t least, uint32_t *out, struct ta_err *err)
{
    int e = need(r, 4, err);

    if (e < 0)
        return e;
    *out = ta_get_u32(take(r, 4));
    if (*out > (r->file_bytes - here(r)) / least)
        return damaged(r, err, "a count is larger than the file");
    return TA_OK;
}

static int enter_level(struct ta_snapshot_reader *r, uint32_t path_len, struct ta_err *err)
{
    struct ta_snapshot_level *l = &r->level[r->n_levels];

    if (r->n_levels == TA_TREE_DEPTH_MAX)
        return damaged(r, err, "levels nest too deep");
    *l = (struct ta_snapshot_level){.path_len = path_len};
    r->n_levels++;
    return take_count(r, METRIC_BYTES, &l->metrics_left, err);
}

int ta_snapshot_open(struct ta_snapshot_reader *r, struct ta_file *file, struct ta_alloc *alloc,
                     struct ta_err *err)
{
    memset(r, 0, sizeof(*r));
    r->file = file;
    ta_buf_init(&r->window, alloc, TA_SNAPSHOT_WINDOW);
    ta_buf_init(&r->path, alloc, TA_TREE_DEPTH_MAX * (TA_TREE_NAME_MAX + 2));
    int e = file->ops->size(file, &r->file_bytes, err);
    if (e < 0)
        return e;
    if (ta_buf_reserve(&r->window, TA_SNAPSHOT_WINDOW) < 0)
        return ta_fail(err, TA_ENOMEM, "snapshot: no memory for a window");
    e = need(r, HEAD_BYTES, err);
    if (e < 0)
        return e;
    const char *head = take(r, HEAD_BYTES);
    if (ta_get_u32(head) != magic)
        return ta_fail(err, TA_EFORMAT, "not a snapshot: begins with %08" PRIx32, ta_get_u32(head));
    r->from_s = ta_get_i64(head + 4);
    r->to_s = ta_get_i64(head + 12);
    return enter_level(r, 0, err);
}

void ta_snapshot_done(struct ta_snapshot_reader *r)
{
    if (!r->file)
        return;
    ta_buf_done(&r->window);
    ta_buf_done(&r->path);
    r->file = NULL;
}

static int take_name(struct ta_snapshot_reader *r, struct ta_str *out, struct ta_err *err)
{
    int e = need(r, 2, err);

    if (e < 0)
        return e;
    size_t len = ta_get_u16(r->window.at + r->pos);
    e = need(r, 2 + len, err);
    if (e < 0)
        return e;
    *out = (struct ta_str){take(r, 2 + len) + 2, len};
    return TA_OK;
}

static int enter_child(struct ta_snapshot_reader *r, struct ta_err *err)
{
    unsigned char len[2];
    struct ta_str name;

    int e = take_name(r, &name, err);
    if (e < 0)
        return e;
    uint32_t path_len = (uint32_t)r->path.len;
    ta_put_u16(len, (uint16_t)name.len);
    if (ta_buf_add(&r->path, len, 2) < 0 || ta_buf_str(&r->path, name) < 0)
        return ta_fail(err, TA_ENOMEM, "snapshot: no memory for names");
    return enter_level(r, path_len, err);
}

static int take_metric(struct ta_snapshot_reader *r, struct ta_tree_series *out, struct ta_err *err)
{
    int64_t span;
    int64_t last;
    int e = need(r, 2, err);

    if (e < 0)
        return e;
    size_t len = ta_get_u16(r->window.at + r->pos);
    e = need(r, METRIC_BYTES + len, err); /* all at once: the name must not move away */
    if (e < 0)
        return e;
    const char *p = take(r, METRIC_BYTES + len);
    out->metric = (struct ta_str){p + 2, len};
    p += 2 + len;
    out->freq_s = ta_get_i64(p);
    out->start_s = ta_get_i64(p + 8);
    out->n = ta_get_u32(p + 16);
    out->at = here(r);
    if (out->n > (r->file_bytes - out->at) / 4)
        return damaged(r, err, "a metric has more values than the file");
    if (out->freq_s <= 0 || __builtin_mul_overflow(out->freq_s, (int64_t)out->n, &span) ||
        __builtin_add_overflow(out->start_s, span, &last))
        return damaged(r, err, "a metric's frequency or start is impossible");
    r->skip_to = out->at + (uint64_t)out->n * 4;
    return TA_OK;
}

static void name_levels(struct ta_snapshot_reader *r, struct ta_tree_series *out)
{
    const char *p = r->path.at;

    for (unsigned i = 0; i + 1 < r->n_levels; i++) {
        r->names[i] = (struct ta_str){p + 2, ta_get_u16(p)};
        p += 2 + r->names[i].len;
    }
    out->level = r->names;
    out->depth = r->n_levels - 1;
}

int ta_snapshot_next(struct ta_snapshot_reader *r, struct ta_tree_series *out, struct ta_err *err)
{
    if (r->skip_to) {
        jump(r, r->skip_to);
        r->skip_to = 0;
    }
    while (r->n_levels) {
        struct ta_snapshot_level *l = &r->level[r->n_levels - 1];
        int e = TA_OK;
        if (l->metrics_left) {
            l->metrics_left--;
            name_levels(r, out);
            e = take_metric(r, out, err);
            return e < 0 ? e : 1;
        }
        if (!l->has_children_count) {
            l->has_children_count = true;
            e = take_count(r, CHILD_BYTES, &l->children_left, err);
        } else if (l->children_left) {
            l->children_left--;
            e = enter_child(r, err);
        } else {
            r->path.len = l->path_len;
            r->n_levels--;
        }
        if (e < 0)
            return e;
    }
    return 0;
}

int ta_snapshot_values(struct ta_file *file, uint64_t at, uint32_t from, size_t n, float *out,
                       struct ta_err *err)
{
    int64_t got = ta_pread_full(file, out, n * sizeof(*out), at + (uint64_t)from * 4, err);

    if (got < 0)
        return (int)got;
    if ((uint64_t)got < n * sizeof(*out))
        return ta_fail(err, TA_EFORMAT, "snapshot: the file became shorter");
    return TA_OK;
}
