#include "persist/tree_write.h"

#include "base/bytes.h"
#include "base/floats.h"
#include "base/number.h"
#include "io/json_write.h"
#include "persist/seal.h"

#include <assert.h>
#include <math.h>

static const uint32_t bin_magic = 0xCC5B0001u;

static int put(struct ta_tree_writer *w, const void *p, size_t n, struct ta_err *err)
{
    return ta_sink_write(&w->out.sink, p, n, err);
}

static int put_z(struct ta_tree_writer *w, const char *z, struct ta_err *err)
{
    return put(w, z, strlen(z), err);
}

static int put_u32(struct ta_tree_writer *w, uint32_t v, struct ta_err *err)
{
    unsigned char b[4];

    ta_put_u32(b, v);
    return put(w, b, sizeof(b), err);
}

static int put_i64(struct ta_tree_writer *w, int64_t v, struct ta_err *err)
{
    unsigned char b[8];

    ta_put_i64(b, v);
    return put(w, b, sizeof(b), err);
}

static int put_name(struct ta_tree_writer *w, struct ta_str s, struct ta_err *err)
{
    unsigned char b[2];

    ta_put_u16(b, (uint16_t)s.len);
    int r = put(w, b, sizeof(b), err);
    return r < 0 ? r : put(w, s.at, s.len, err);
}

/* At most 6 bytes for each of the name's, and the quotes. */
static int put_json_name(struct ta_tree_writer *w, struct ta_str s, struct ta_err *err)
{
    char room[6 * 255 + 16];
    struct ta_buf text = {.at = room, .cap = sizeof(room), .max = sizeof(room)};

    int r = ta_json_escape(&text, s);
    if (r < 0)
        return ta_fail(err, TA_EINVAL, "name of %zu bytes is too long for a checkpoint", s.len);
    return put(w, text.at, text.len, err);
}

static uint64_t offset(const struct ta_tree_writer *w)
{
    return w->out.at + w->out.len;
}

/* Overwrites four bytes that were written before: in the buffer, or in the file already. */
static int patch_u32(struct ta_tree_writer *w, uint64_t at, uint32_t v, struct ta_err *err)
{
    unsigned char b[4];

    ta_put_u32(b, v);
    if (at < w->out.at && at + sizeof(b) > w->out.at) {
        int r = ta_file_sink_flush(&w->out, err);
        if (r < 0)
            return r;
    }
    if (at >= w->out.at) {
        memcpy(w->out.buf + (at - w->out.at), b, sizeof(b));
        return TA_OK;
    }
    return ta_pwrite_full(w->out.file, b, sizeof(b), at, err);
}

static int open_level(struct ta_tree_writer *w, struct ta_err *err)
{
    w->level[w->depth] = (struct ta_tree_level){.metrics_at = offset(w)};
    w->depth++;
    return w->format == TA_TREE_BIN ? put_u32(w, 0, err) : put_z(w, "{\"metrics\":{", err);
}

/* The content is complete: from here on nothing is summed. */
static int end_content(struct ta_tree_writer *w, struct ta_err *err)
{
    int r = ta_file_sink_flush(&w->out, err);

    w->out.file = w->seal->inner;
    return r;
}

static int put_bin_seal(struct ta_tree_writer *w, struct ta_err *err)
{
    unsigned char seal[TA_SEAL_BYTES];
    int r = end_content(w, err);

    for (uint32_t i = 0; r == TA_OK && i < ta_seal_count(w->seal); i++)
        r = put_u32(w, w->seal->sums[i], err);
    ta_seal_encode(w->seal, w->from_s, w->to_s, seal);
    return r < 0 ? r : put(w, seal, sizeof(seal), err);
}

static int put_json_seal(struct ta_tree_writer *w, struct ta_err *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char seal[TA_SEAL_BYTES];
    char hex[2 * TA_SEAL_BYTES];
    int r = end_content(w, err);

    for (uint32_t i = 0; r == TA_OK && i < ta_seal_count(w->seal); i++) {
        char number[16];
        struct ta_buf text = {.at = number, .cap = sizeof(number), .max = sizeof(number)};
        r = put_z(w, i == 0 ? ",\"sums\":[" : ",", err);
        (void)ta_buf_i64(&text, w->seal->sums[i]); /* 10 digits fit */
        if (r == TA_OK)
            r = put(w, text.at, text.len, err);
    }
    ta_seal_encode(w->seal, w->from_s, w->to_s, seal);
    for (size_t i = 0; i < sizeof(seal); i++) {
        hex[2 * i] = digits[seal[i] >> 4];
        hex[2 * i + 1] = digits[seal[i] & 15];
    }
    if (r == TA_OK)
        r = put_z(w, "],\"seal\":\"", err);
    if (r == TA_OK)
        r = put(w, hex, sizeof(hex), err);
    return r < 0 ? r : put_z(w, "\"", err);
}

/* From metrics to children within the open level. */
static int begin_children(struct ta_tree_writer *w, struct ta_err *err)
{
    struct ta_tree_level *l = &w->level[w->depth - 1];

    if (l->children_at)
        return TA_OK;
    l->children_at = offset(w);
    return w->format == TA_TREE_BIN ? put_u32(w, 0, err) : put_z(w, "},\"children\":{", err);
}

static int close_level(struct ta_tree_writer *w, struct ta_err *err)
{
    int r = begin_children(w, err);
    struct ta_tree_level *l = &w->level[--w->depth];
    char range[64];

    if (r < 0)
        return r;
    if (w->format == TA_TREE_BIN) {
        r = l->n_metrics ? patch_u32(w, l->metrics_at, l->n_metrics, err) : TA_OK;
        if (r == TA_OK && l->n_children)
            r = patch_u32(w, l->children_at, l->n_children, err);
        return r;
    }
    r = put_z(w, "}", err);
    if (r == TA_OK && w->depth == 0 && w->seal)
        r = put_json_seal(w, err);
    if (r < 0)
        return r;
    struct ta_buf text = {.at = range, .cap = sizeof(range), .max = sizeof(range)};
    (void)ta_buf_z(&text, ",\"from\":");
    (void)ta_buf_i64(&text, w->from_s);
    (void)ta_buf_z(&text, ",\"to\":");
    (void)ta_buf_i64(&text, w->to_s);
    (void)ta_buf_byte(&text, '}'); /* 8 + 6 + 1 and two numbers of at most 20 fit */
    return put(w, text.at, text.len, err);
}

int ta_tree_begin(struct ta_tree_writer *w, enum ta_tree_format format, struct ta_file *file,
                  void *buf, size_t buf_bytes, int64_t from_s, int64_t to_s, struct ta_err *err)
{
    int r = TA_OK;

    *w = (struct ta_tree_writer){.format = format, .from_s = from_s, .to_s = to_s};
    ta_file_sink_init(&w->out, file, 0, buf, buf_bytes);
    if (format == TA_TREE_BIN) {
        r = put_u32(w, bin_magic, err);
        if (r == TA_OK)
            r = put_i64(w, from_s, err);
        if (r == TA_OK)
            r = put_i64(w, to_s, err);
    }
    return r < 0 ? r : open_level(w, err);
}

void ta_tree_seal(struct ta_tree_writer *w, struct ta_seal *seal)
{
    assert(w->out.at == 0 && !w->seal);
    ta_seal_begin(seal, w->out.file);
    w->out.file = &seal->file;
    w->seal = seal;
}

int ta_tree_child(struct ta_tree_writer *w, unsigned depth, struct ta_str name, struct ta_err *err)
{
    int r = TA_OK;

    assert(w->values_left == 0 && depth < w->depth);
    if (depth + 1 >= TA_TREE_DEPTH_MAX || name.len > TA_TREE_NAME_MAX)
        return ta_fail(err, TA_EINVAL, "level too deep or name too long for a checkpoint");
    while (r == TA_OK && w->depth > depth + 1)
        r = close_level(w, err);
    if (r == TA_OK)
        r = begin_children(w, err);
    if (r < 0)
        return r;
    struct ta_tree_level *l = &w->level[w->depth - 1];
    if (w->format == TA_TREE_BIN) {
        r = put_name(w, name, err);
    } else {
        r = l->n_children ? put_z(w, ",", err) : TA_OK;
        if (r == TA_OK)
            r = put_json_name(w, name, err);
        if (r == TA_OK)
            r = put_z(w, ":", err);
    }
    l->n_children++;
    return r < 0 ? r : open_level(w, err);
}

static int json_metric_head(struct ta_tree_writer *w, struct ta_str name, int64_t freq_s,
                            int64_t start_s, bool is_first, struct ta_err *err)
{
    char head[96];
    struct ta_buf text = {.at = head, .cap = sizeof(head), .max = sizeof(head)};
    int r = is_first ? TA_OK : put_z(w, ",", err);

    if (r == TA_OK)
        r = put_json_name(w, name, err);
    (void)ta_buf_z(&text, ":{\"frequency\":");
    (void)ta_buf_i64(&text, freq_s);
    (void)ta_buf_z(&text, ",\"start\":");
    (void)ta_buf_i64(&text, start_s);
    (void)ta_buf_z(&text, ",\"data\":["); /* 14 + 9 + 9 and two numbers of at most 20 fit */
    return r < 0 ? r : put(w, text.at, text.len, err);
}

int ta_tree_metric(struct ta_tree_writer *w, struct ta_str name, int64_t freq_s, int64_t start_s,
                   uint32_t n, struct ta_err *err)
{
    struct ta_tree_level *l = &w->level[w->depth - 1];

    assert(w->values_left == 0 && w->depth > 0 && l->children_at == 0);
    if (name.len > TA_TREE_NAME_MAX)
        return ta_fail(err, TA_EINVAL, "metric name too long for a checkpoint");
    w->values_left = n;
    w->has_value = false;
    l->n_metrics++;
    if (w->format == TA_TREE_JSON) {
        int r = json_metric_head(w, name, freq_s, start_s, l->n_metrics == 1, err);
        return r < 0 || n > 0 ? r : put_z(w, "]}", err);
    }
    int r = put_name(w, name, err);
    if (r == TA_OK)
        r = put_i64(w, freq_s, err);
    if (r == TA_OK)
        r = put_i64(w, start_s, err);
    return r < 0 ? r : put_u32(w, n, err);
}

/* Straight into the buffer: this is most of a checkpoint's work. */
static int bin_values(struct ta_tree_writer *w, const double *v, size_t n, struct ta_err *err)
{
    for (size_t i = 0; i < n;) {
        size_t room = (w->out.cap - w->out.len) / sizeof(float);
        size_t m = n - i < room ? n - i : room;
        if (m == 0) {
            int r = ta_file_sink_flush(&w->out, err);
            if (r < 0)
                return r;
        }
        w->n_samples += ta_floats_narrow(v + i, m, w->out.buf + w->out.len);
        w->out.len += m * sizeof(float);
        i += m;
    }
    return TA_OK;
}

static int json_values(struct ta_tree_writer *w, const double *v, size_t n, struct ta_err *err)
{
    char text[TA_SHORTEST_MAX + 1];

    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        if (w->has_value)
            text[len++] = ',';
        w->has_value = true;
        w->n_samples += isnan(v[i]) ? 0u : 1u;
        if (isfinite(v[i])) {
            len += ta_print_shortest(text + len, v[i]);
        } else {
            /* JSON has no infinity; the reference's encoder fails on one and leaves a cut file. */
            memcpy(text + len, "null", 4);
            len += 4;
        }
        int r = put(w, text, len, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

int ta_tree_values(struct ta_tree_writer *w, const double *v, size_t n, struct ta_err *err)
{
    assert(n <= w->values_left);
    w->values_left -= n;
    if (w->format == TA_TREE_BIN)
        return bin_values(w, v, n, err);
    int r = json_values(w, v, n, err);
    return r < 0 || w->values_left > 0 || n == 0 ? r : put_z(w, "]}", err);
}

int ta_tree_end(struct ta_tree_writer *w, uint64_t *out_bytes, struct ta_err *err)
{
    int r = TA_OK;

    assert(w->values_left == 0);
    while (r == TA_OK && w->depth > 0)
        r = close_level(w, err);
    if (r == TA_OK && w->format == TA_TREE_JSON)
        r = put_z(w, "\n", err);
    if (r == TA_OK && w->format == TA_TREE_BIN && w->seal)
        r = put_bin_seal(w, err);
    if (r == TA_OK)
        r = ta_file_sink_flush(&w->out, err);
    if (r == TA_OK)
        *out_bytes = offset(w);
    return r;
}
