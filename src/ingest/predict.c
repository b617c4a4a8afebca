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
#include "ingest/predict_loop.h"

static const char *expected_plain(struct ta_ingest *in, struct ta_feed *f, struct run *run,
                                  const char *p, const char *end, size_t pad)
{
    return take_expected(in, f, run, p, end, pad);
}

void predict_init(struct ta_ingest *in)
{
    static const struct predict_ways plain = {expected_plain, ta_line_quick_number};
    const struct predict_ways *wide = in->conf.is_baseline ? NULL : predict_ways_avx2();

    in->ways = wide ? wide : &plain;
}

static void run_load(struct run *run, const struct ta_ingest *in, const struct ta_feed *f)
{
    run->n = in->rows.n;
    run->form = f->form;
    run->line = f->scanner.line;
    run->predicted = f->counts.predicted;
    run->last_ts_s = f->last_ts_s;
}

static void run_save(const struct run *run, struct ta_ingest *in, struct ta_feed *f)
{
    in->rows.n = run->n;
    f->form = run->form;
    f->scanner.line = run->line;
    f->counts.predicted = run->predicted;
    f->last_ts_s = run->last_ts_s;
}

/* A line in the parts that a form has. */
struct parts {
    struct ta_str before, host, after;
};

/* Walks over the stops of a text; `pad` bytes behind its end are readable. */
struct stops {
    struct ta_str text;
    size_t pad, next; /* where the next block begins */
    unsigned left;    /* of the block before it */
};

/* NULL: none is near enough to the readable end. */
static inline const char *next_stop(struct stops *s)
{
    while (!s->left) {
        if (s->next >= s->text.len || s->text.len - s->next + s->pad < 16)
            return NULL;
        s->left = name_stops16(s->text.at + s->next);
        s->next += 16;
    }
    size_t at = s->next - 16 + (unsigned)__builtin_ctz(s->left);
    s->left &= s->left - 1;
    return at < s->text.len ? s->text.at + at : NULL;
}

/* Splits at the last host tag and behind " value=". False for lines that this does not fit; their host
 * may be any name without a = that the plain way would give as it stands. */
static bool split(struct ta_str text, size_t pad, struct parts *out)
{
    struct stops stops = {.text = text, .pad = pad};
    const char *end = text.at + text.len, *host = NULL, *host_end = NULL, *p;

    while ((p = next_stop(&stops)) != NULL) {
        if (host && !host_end)
            host_end = p;
        if (*p != ',')
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
    if (!p || *p != ' ' || !host || host_end == host || host_end - host > TA_NAME_MAX ||
        (size_t)(end - p) + pad < 7 + QUICK_BYTES || memcmp(p, " value=", 7) != 0)
        return false;
    *out = (struct parts){{text.at, (size_t)(host - text.at)},
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
static int take_known(struct ta_ingest *in, struct ta_feed *f, struct run *run, struct ta_str block,
                      size_t pad, size_t *at, struct ta_err *err)
{
    struct parts parts;

    if (!split((struct ta_str){block.at + *at, block.len - *at}, pad, &parts))
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
    if (cluster != in->cluster_id || !in->is_predictable ||
        !ta_str_eq(parts.host, (struct ta_str){in->host, in->host_len})) {
        if (memchr(parts.host.at, '=', parts.host.len) || !rules_is_path_name(cluster_name, true) ||
            !rules_is_path_name(parts.host, false))
            return 0;
        run_save(run, in, f);
        int r = ingest_enter(in, f, cluster_name, parts.host, *at, &f->scanner, err);
        run_load(run, in, f);
        if (r < 0)
            return r;
    }
    int64_t ts_s = run->last_ts_s;
    const char *p = parts.after.at + parts.after.len;
    if (p - block.at < HEAD_BYTES || !(p = in->ways->number(p, &in->rows.value[run->n])) ||
        !(p = read_time(f->scanner.options.precision == TA_LINE_AUTO, p, &ts_s)) ||
        p > block.at + block.len || (ts_s > in->latest_s && !is_unknown(in, found)))
        return 0;
    run->is_following = run->form != FORM_NONE && in->forms.at[run->form].next == found;
    if (run->form != FORM_NONE)
        in->forms.at[run->form].next = found;
    take_row(in, f, run, found, ts_s);
    *at = (size_t)(p - block.at);
    return 1;
}

int predict_lines(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t pad,
                  size_t *at, struct ta_err *err)
{
    const char *end = block.at + block.len;
    struct run run = {.is_following = true};
    int r = f->scanner.is_skipping ? 0 : 1;

    run_load(&run, in, f);
    while (r == 1 && run.n < ROWS_MAX) {
        /* Among shuffled lines nothing is expected. */
        if (run.is_following && run.form != FORM_NONE && in->is_predictable)
            *at = (size_t)(in->ways->expected(in, f, &run, block.at + *at, end, pad) - block.at);
        if (run.n < ROWS_MAX)
            r = take_known(in, f, &run, block, pad, at, err);
    }
    run_save(&run, in, f);
    return r < 0 ? r : 1;
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
