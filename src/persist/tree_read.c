#include "persist/tree_read.h"

#include "base/bytes.h"
#include "base/floats.h"
#include "persist/tree_read_int.h"

#include <assert.h>

static const uint32_t bin_magic = 0xCC5B0001u;
enum { HEAD = 20, LEVEL_THINGS_MAX = 1 << 20 };

/* ---- both formats ----------------------------------------------------------------------------- */

int ta_tree_reader_new(struct ta_tree_reader **out, enum ta_tree_format format,
                       struct ta_file *file, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_tree_reader *r = ta_alloc_zero(alloc, 1, sizeof(*r));
    int e;

    if (!r)
        return ta_fail(err, TA_ENOMEM, "reader of a checkpoint file");
    r->alloc = alloc;
    r->file = file;
    r->format = format;
    if (format == TA_TREE_JSON) {
        e = ta_tree_json_open(r);
    } else {
        r->bin.window = ta_alloc(alloc, TREE_WINDOW);
        e = r->bin.window ? file->ops->size(file, &r->bin.size, err) : TA_ENOMEM;
    }
    if (e < 0) {
        ta_tree_reader_free(r);
        return ta_fail(err, e, "reader of a checkpoint file");
    }
    *out = r;
    return TA_OK;
}

void ta_tree_reader_free(struct ta_tree_reader *r)
{
    if (!r)
        return;
    ta_tree_json_close(r);
    ta_release(r->alloc, r->bin.window, TREE_WINDOW);
    ta_release(r->alloc, r, sizeof(*r));
}

bool ta_tree_range(const struct ta_tree_reader *r, int64_t *from_s, int64_t *to_s)
{
    if (!r->has_from || !r->has_to)
        return false;
    *from_s = r->from_s;
    *to_s = r->to_s;
    return true;
}

struct ta_str ta_tree_level_name(const struct ta_tree_reader *r, unsigned depth)
{
    assert(depth >= 1 && depth < TA_TREE_DEPTH_MAX);
    return (struct ta_str){r->level[depth].at, r->level[depth].len};
}

void ta_tree_name_set(struct tree_name *n, struct ta_str s)
{
    assert(s.len <= sizeof(n->at));
    memcpy(n->at, s.at, s.len);
    n->len = s.len;
}

const char *ta_tree_implausible(const struct ta_tree_reader *r, int64_t freq_s, int64_t start_s,
                                uint64_t count)
{
    if (freq_s < 1 || freq_s > TREE_FREQ_MAX)
        return "frequency out of range";
    if (start_s < -TREE_TIME_MAX || start_s > TREE_TIME_MAX ||
        count > (uint64_t)(TREE_TIME_MAX - start_s) / (uint64_t)freq_s)
        return "start out of range";
    if (r->has_from && r->has_to && r->to_s > r->from_s && r->from_s > -TREE_TIME_MAX &&
        r->to_s < TREE_TIME_MAX) {
        /* Writers put value 0 at most a slot before the range, and at most one value behind it. */
        if (start_s < r->from_s - 2 * freq_s || start_s > r->to_s + 2 * freq_s)
            return "start outside the file's range";
        if (count > (uint64_t)((r->to_s - r->from_s) / freq_s + 3))
            return "more values than the file's range has slots";
    }
    return NULL;
}

int ta_tree_stop(struct ta_tree_reader *r, struct ta_tree_event *out, uint64_t at, uint64_t end,
                 const char *why)
{
    r->is_ended = true;
    *out = (struct ta_tree_event){.kind = TA_TREE_DAMAGE,
                                  .depth = r->depth,
                                  .at = at,
                                  .bytes = end > at ? end - at : 0,
                                  .why = why};
    return 1;
}

/* ---- binary files ------------------------------------------------------------------------------ */

static uint64_t bytes_left(const struct tree_bin *b)
{
    return b->size - b->at;
}

/* The window from the next byte on, with n bytes at least. What it has already is not read again. */
static int fill_window(struct ta_tree_reader *r, size_t n, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;
    uint64_t skip = b->at - b->window_at; /* huge when the window is behind */
    size_t have = skip < b->window_len ? b->window_len - (size_t)skip : 0;

    memmove(b->window, b->window + (b->window_len - have), have);
    b->window_at = b->at;
    b->window_len = have;
    while (b->window_len < n) {
        int64_t got = ta_pread_some(r->file, b->window + b->window_len, TREE_WINDOW - b->window_len,
                                    b->at + b->window_len, err);
        if (got < 0)
            return got == TA_EFORMAT ? TA_EIO : (int)got;
        if (got ==
            0) { /* got shorter while it was read, or is not what was written from there on */
            b->size = b->at + b->window_len;
            return TA_EFORMAT;
        }
        b->window_len += (size_t)got;
    }
    return TA_OK;
}

/* The next n bytes (n <= TREE_WINDOW), or TA_EFORMAT when the file has fewer. */
static int look(struct ta_tree_reader *r, size_t n, const unsigned char **p, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;

    assert(n <= TREE_WINDOW);
    if (n > bytes_left(b))
        return TA_EFORMAT;
    if (b->at < b->window_at || b->at + n > b->window_at + b->window_len) {
        int e = fill_window(r, n, err);
        if (e < 0)
            return e;
    }
    *p = b->window + (b->at - b->window_at);
    return TA_OK;
}

static int stop(struct ta_tree_reader *r, struct ta_tree_event *out, const char *why)
{
    return ta_tree_stop(r, out, r->bin.at, r->bin.size, why);
}

/* How many metrics or children follow. Not held against the bytes left: of a file that was cut, what is
 * there counts. */
static int take_count(struct ta_tree_reader *r, uint32_t *out, struct ta_err *err)
{
    const unsigned char *p;
    int e = look(r, 4, &p, err);

    if (e < 0)
        return e;
    if (ta_get_u32(p) > LEVEL_THINGS_MAX)
        return TA_EFORMAT;
    *out = ta_get_u32(p);
    r->bin.at += 4;
    return TA_OK;
}

static int open_bin_level(struct ta_tree_reader *r, struct ta_err *err)
{
    struct tree_bin_level *l = &r->bin.level[r->depth];

    *l = (struct tree_bin_level){0};
    return take_count(r, &l->metrics_left, err);
}

static int begin(struct ta_tree_reader *r, struct ta_err *err)
{
    const unsigned char *p;
    int e = look(r, HEAD, &p, err);

    r->bin.has_begun = true;
    if (e < 0)
        return e;
    if (ta_get_u32(p) != bin_magic)
        return TA_EFORMAT;
    r->from_s = ta_get_i64(p + 4);
    r->to_s = ta_get_i64(p + 12);
    r->has_from = r->has_to = true;
    r->bin.at = HEAD;
    return open_bin_level(r, err);
}

static bool is_muted(const struct ta_tree_reader *r)
{
    return r->bin.mute > 0 && r->depth >= r->bin.mute;
}

static int damage(struct ta_tree_reader *r, struct ta_tree_event *out, uint64_t at, uint64_t bytes,
                  const char *why)
{
    *out = (struct ta_tree_event){
        .kind = TA_TREE_DAMAGE, .depth = r->depth, .at = at, .bytes = bytes, .why = why};
    return 1;
}

/* 1 = *out filled, 0 = nothing to tell, TA_EFORMAT = the file ends within the head. */
static int take_metric(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;
    const unsigned char *p;
    uint64_t at = b->at;
    int e = look(r, 2, &p, err);

    if (e < 0)
        return e;
    size_t len = ta_get_u16(p);
    size_t head = 2 + len + 20;
    e = look(r, head, &p, err);
    if (e < 0)
        return e;
    int64_t freq_s = ta_get_i64(p + 2 + len);
    int64_t start_s = ta_get_i64(p + 2 + len + 8);
    uint32_t count = ta_get_u32(p + 2 + len + 16);
    const char *why = ta_tree_implausible(r, freq_s, start_s, count);
    bool is_cut = count > (b->size - at - head) / 4;
    /* Only a sound head makes it likely that a missing end is a cut, not a wrong count. */
    if (is_cut && why)
        return stop(r, out, why);
    if (len <= TA_TREE_NAME_READ_MAX)
        ta_tree_name_set(&r->metric, (struct ta_str){(const char *)p + 2, len});
    else if (!why)
        why = "name too long";
    b->level[r->depth].metrics_left--;
    b->at += head;
    b->values_left = count;
    b->is_skipping = is_muted(r) || why;
    if (why && !is_muted(r))
        return damage(r, out, at, head + 4 * (uint64_t)count, why);
    if (is_muted(r))
        return 0;
    *out = (struct ta_tree_event){.kind = TA_TREE_METRIC,
                                  .depth = r->depth,
                                  .at = at,
                                  .name = {r->metric.at, r->metric.len},
                                  .freq_s = freq_s,
                                  .start_s = start_s,
                                  .count = count,
                                  .values_at = b->at};
    return 1;
}

/* How many values of the metric in hand the file has. */
static uint64_t values_there(const struct tree_bin *b)
{
    uint64_t there = bytes_left(b) / 4;

    return b->values_left < there ? b->values_left : there;
}

static int take_values(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;
    const unsigned char *p;
    uint64_t n = values_there(b);
    int e;

    if (b->is_skipping) {
        if (n < b->values_left)
            return stop(r, out, "the file ends within a metric");
        b->at += 4 * n;
        b->values_left = 0;
        b->is_skipping = false;
        return 0;
    }
    do { /* once more, for what is there, when the end turns out to be nearer */
        n = values_there(b);
        if (n == 0)
            return stop(r, out, "the file ends within a metric");
        n = n < TA_TREE_PIECE ? n : TA_TREE_PIECE;
        e = look(r, 4 * (size_t)n, &p, err);
    } while (e == TA_EFORMAT);
    if (e < 0)
        return e;
    size_t n_present = ta_floats_widen(p, (size_t)n, r->values);
    *out = (struct ta_tree_event){.kind = TA_TREE_VALUES,
                                  .depth = r->depth,
                                  .at = b->at,
                                  .values = r->values,
                                  .n = (size_t)n,
                                  .n_present = n_present};
    b->at += 4 * n;
    b->values_left -= (uint32_t)n;
    return 1;
}

static int take_child(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;
    const unsigned char *p;
    uint64_t at = b->at;
    int e = look(r, 2, &p, err);

    if (e < 0)
        return e;
    size_t len = ta_get_u16(p);
    e = look(r, 2 + len, &p, err);
    if (e < 0)
        return e;
    if (r->depth + 1 >= TA_TREE_DEPTH_MAX)
        return stop(r, out, "levels too deep");
    b->level[r->depth].children_left--;
    b->at += 2 + len;
    r->depth++;
    bool was_muted = b->mute > 0;
    if (!was_muted && len > TA_TREE_NAME_READ_MAX)
        b->mute = r->depth;
    if (len <= TA_TREE_NAME_READ_MAX)
        ta_tree_name_set(&r->level[r->depth], (struct ta_str){(const char *)p + 2, len});
    e = open_bin_level(r, err);
    if (e < 0)
        return e;
    if (was_muted)
        return 0;
    if (b->mute > 0)
        return damage(r, out, at, 2 + len, "name too long");
    *out = (struct ta_tree_event){.kind = TA_TREE_LEVEL,
                                  .depth = r->depth,
                                  .at = at,
                                  .name = ta_tree_level_name(r, r->depth)};
    return 1;
}

static int end_level(struct ta_tree_reader *r, struct ta_tree_event *out)
{
    bool was_muted = is_muted(r);

    *out = (struct ta_tree_event){.kind = TA_TREE_LEVEL_END, .depth = r->depth, .at = r->bin.at};
    if (r->bin.mute == r->depth)
        r->bin.mute = 0;
    r->depth--;
    return was_muted ? 0 : 1;
}

static int bin_step(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    struct tree_bin *b = &r->bin;
    struct tree_bin_level *l = &b->level[r->depth];

    if (!b->has_begun)
        return begin(r, err);
    if (b->values_left > 0)
        return take_values(r, out, err);
    if (l->metrics_left > 0)
        return take_metric(r, out, err);
    if (!l->has_children) {
        l->has_children = true;
        return take_count(r, &l->children_left, err);
    }
    if (l->children_left > 0)
        return take_child(r, out, err);
    if (r->depth > 0)
        return end_level(r, out);
    r->is_ended = true; /* bytes behind the host's level are not looked at */
    return 0;
}

static int bin_next(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    int e = TA_OK;

    while (e == TA_OK && !r->is_ended)
        e = bin_step(r, out, err);
    if (e == TA_EFORMAT)
        return stop(r, out, r->has_to ? "cut, or an impossible count" : "no snapshot head");
    return e;
}

/* ---- both formats ------------------------------------------------------------------------------ */

int ta_tree_next(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err)
{
    if (r->is_ended)
        return 0;
    return r->format == TA_TREE_BIN ? bin_next(r, out, err) : ta_tree_json_next(r, out, err);
}

void ta_tree_skip_values(struct ta_tree_reader *r)
{
    if (r->format == TA_TREE_BIN)
        r->bin.is_skipping = r->bin.values_left > 0;
    else
        r->json.is_skipping = true;
}
