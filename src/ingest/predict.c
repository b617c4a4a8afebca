/* predict.c - lines whose form is known.
 *
 * Two steps. The form that followed the last one the time before is compared with the line: before the
 * host, the host of the line before, behind the host up to the value. If it differs, the line is taken
 * apart at its host tag and its first space, and the table of forms is asked. What neither knows is read
 * plainly, and remembered.
 *
 * Why this is exact: a form is made of a line that was read plainly and was good up to its value. Equal
 * bytes before and behind a host that itself needs no reading (no control, escape or high byte, no
 * delimiter) read the same; value and timestamp are taken by the quick ways, which equal the plain ones
 * where they say anything.
 */
#include "ingest/ingest_int.h"
#include "line/value.h"

typedef unsigned char block16 __attribute__((vector_size(16)));

/* memcmp(a, b, n) == 0 for the 10 to 60 bytes we compare, without a call. Reads [a, a + n) alone. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t low = 0, high = 0;

    if (n >= 16) {
        block16 any = {0}, x, y;
        for (size_t i = 0;;) {
            memcpy(&x, a + i, 16);
            memcpy(&y, b + i, 16);
            any |= x ^ y;
            if (i + 16 == n)
                break;
            i = i + 32 <= n ? i + 16 : n - 16; /* the last one overlaps */
        }
        memcpy(&low, &any, 8);
        memcpy(&high, (const char *)&any + 8, 8);
        return (low | high) == 0;
    }
    if (n >= 8)
        return ((ta_get_u64(a) ^ ta_get_u64(b)) |
                (ta_get_u64(a + n - 8) ^ ta_get_u64(b + n - 8))) == 0;
    for (size_t i = 0; i < n; i++)
        low |= (unsigned char)(a[i] ^ b[i]);
    return low == 0;
}

/* Behind the value at p: [SP digits] LF. The end or NULL. */
static inline const char *quick_time(const char *p, bool *has, int64_t *out_s)
{
    uint64_t t = 0;
    unsigned n = 0;

    *has = *p == ' ';
    if (!*has)
        return p + 1;
    p = ta_line_run(p + 1, &t, &n);
    if (n == 0 || n > 18 || *p != '\n')
        return NULL;
    *out_s = (int64_t)t;
    return p + 1;
}

enum { QUICK_BYTES = TA_LINE_QUICK_BYTES + 32 };

/* The value at p, of the form: a row, and the end of the line; NULL: not that simple. QUICK_BYTES
 * are readable at p. */
static inline const char *take_value(struct ta_ingest *in, struct ta_feed *f, uint32_t form,
                                     const char *p)
{
    struct rows *rows = &in->rows;
    size_t n = rows->n;
    int64_t ts_s = f->last_ts_s;
    bool has_ts;

    p = ta_line_quick_number(p, &rows->value[n]);
    if (!p || !(p = quick_time(p, &has_ts, &ts_s)))
        return NULL;
    if (has_ts && f->scanner.options.precision == TA_LINE_AUTO)
        ts_s = ta_line_seconds(ts_s);
    if (in->forms.at[form].metric == METRIC_UNKNOWN) {
        f->counts.bad[TA_SKIPPED_METRIC]++;
    } else {
        if (ts_s > in->latest_s)
            return NULL;
        rows->form[n] = form;
        rows->ts_s[n] = ts_s;
        rows->line[n] = f->scanner.line;
        rows->n++;
        f->last_ts_s = ts_s;
    }
    f->scanner.line++;
    return p;
}

/* The line at p against the form that should come. */
static inline const char *take_expected(struct ta_ingest *in, struct ta_feed *f, const char *p,
                                        const char *end)
{
    const struct form *form = &in->forms.at[f->form];
    uint32_t next = form->next;

    if (next == FORM_NONE)
        return NULL;
    form = &in->forms.at[next];
    size_t before = form->before, after = form->after, host = in->host_len;
    if ((size_t)(end - p) < before + host + after + QUICK_BYTES)
        return NULL;
    const char *text = form_text(&in->forms, form);
    if ((form->cluster ? form->cluster : in->default_cluster) != in->cluster_id ||
        !same_bytes(p, text, before) || !same_bytes(p + before, in->host, host) ||
        !same_bytes(p + before + host, text + before, after))
        return NULL;
    p = take_value(in, f, next, p + before + host + after);
    if (p) {
        f->counts.predicted++;
        f->form = next;
    }
    return p;
}

/* A line in the parts that a form has. */
struct parts {
    struct ta_str before, host, after;
};

enum { PART_END = 1, PART_COMMA = 2, PART_OTHER = 4 };

static const unsigned char part_class[256] = {[0 ... 31] = PART_OTHER,    [127] = PART_OTHER,
                                              [128 ... 255] = PART_OTHER, ['\\'] = PART_OTHER,
                                              [' '] = PART_END,           [','] = PART_COMMA};

/* Splits at the last host tag and behind " value=". False for lines that this does not fit; their host
 * may be any name that the plain way would give as it stands. */
static bool split(const char *p, const char *end, struct parts *out)
{
    const char *start = p, *host = NULL, *host_end = NULL;

    for (;; p++) {
        if (p == end)
            return false;
        unsigned class = part_class[(unsigned char)*p];
        if (!class)
            continue;
        if (class == PART_OTHER)
            return false;
        if (host && !host_end)
            host_end = p;
        if (class == PART_END)
            break;
        if (end - p > 10 && p[1] == 'h') {
            size_t key = memcmp(p + 1, "hostname=", 9) == 0 ? 9
                         : memcmp(p + 1, "host=", 5) == 0   ? 5
                                                            : 0;
            if (key) {
                host = p + 1 + key;
                host_end = NULL;
            }
        }
    }
    if (!host || host_end == host || host_end - host > TA_NAME_MAX ||
        memchr(host, '=', (size_t)(host_end - host)) || end - p < 7 + QUICK_BYTES ||
        memcmp(p, " value=", 7) != 0)
        return false;
    *out = (struct parts){{start, (size_t)(host - start)},
                          {host, (size_t)(host_end - host)},
                          {host_end, (size_t)(p + 7 - host_end)}};
    return true;
}

static struct ta_str cluster_of(const struct ta_ingest *in, uint16_t id)
{
    const struct cluster *c = &in->forms.clusters[id - 1];

    return (struct ta_str){c->at, c->len};
}

/* The line at *at by a look into the table. 1 = taken, 0 = read it plainly, < 0 = a flush failed. */
static int take_known(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t *at,
                      struct ta_err *err)
{
    struct parts parts;

    if (!split(block.at + *at, block.at + block.len, &parts))
        return 0;
    uint32_t hash = forms_hash(parts.before, parts.after);
    uint32_t found = forms_find(&in->forms, hash, parts.before, parts.after);
    if (found == FORM_NONE)
        return 0;
    uint16_t cluster = in->forms.at[found].cluster;
    cluster = cluster ? cluster : in->default_cluster;
    if (cluster == 0)
        return 0;
    struct ta_str cluster_name = cluster_of(in, cluster);
    if (cluster != in->cluster_id ||
        !ta_str_eq(parts.host, (struct ta_str){in->host, in->host_len})) {
        if (!rules_is_path_name(cluster_name, true) || !rules_is_path_name(parts.host, false))
            return 0;
        int r = ingest_enter(in, f, cluster_name, parts.host, *at, &f->scanner, err);
        if (r < 0)
            return r;
    }
    const char *p = take_value(in, f, found, parts.after.at + parts.after.len);
    if (!p)
        return 0;
    predict_follow(in, f, found);
    *at = (size_t)(p - block.at);
    return 1;
}

int predict_lines(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t *at,
                  struct ta_err *err)
{
    const char *end = block.at + block.len;

    for (;;) {
        if (in->rows.n == ROWS_MAX || f->scanner.is_skipping)
            return 1;
        if (f->form != FORM_NONE && in->is_predictable) {
            const char *p = take_expected(in, f, block.at + *at, end);
            if (p) {
                *at = (size_t)(p - block.at);
                continue;
            }
        }
        int r = take_known(in, f, block, at, err);
        if (r < 0)
            return r;
        if (r == 0)
            return 1;
    }
}

void predict_follow(struct ta_ingest *in, struct ta_feed *f, uint32_t form)
{
    if (form == FORM_NONE)
        return;
    if (f->form != FORM_NONE)
        in->forms.at[f->form].next = form;
    f->form = form;
}

uint32_t predict_learn(struct ta_ingest *in, const struct ta_line_sample *s, const struct judged *j)
{
    const char *head_end = s->head.at + s->head.len;
    uint16_t cluster = forms_cluster(&in->forms, s->cluster);

    if (!in->is_predicting || s->head.len == 0 || s->host.at < s->head.at ||
        s->host.at >= head_end || (s->cluster.len && cluster == 0))
        return FORM_NONE;
    const char *host_end = s->host.at + s->host.len;
    struct form_parts parts = {.before = {s->head.at, (size_t)(s->host.at - s->head.at)},
                               .after = {host_end, (size_t)(head_end - host_end)},
                               .type = j->type,
                               .stype = j->stype,
                               .cluster = cluster,
                               .metric = j->metric};
    uint32_t hash = forms_hash(parts.before, parts.after);
    uint32_t form = forms_find(&in->forms, hash, parts.before, parts.after);
    if (form == FORM_NONE)
        form = forms_add(&in->forms, hash, &parts);
    in->is_full |= form == FORM_NONE;
    return form;
}
