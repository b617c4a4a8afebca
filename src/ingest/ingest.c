/* ingest.c - life, blocks, the partial line between two blocks, and going back when the journal is full. */
#include "ingest/ingest_int.h"

#include <assert.h>
#include <inttypes.h>

int ta_ingest_new(struct ta_ingest **out, const struct ta_ingest_conf *conf, struct ta_err *err)
{
    struct ta_ingest *in = ta_alloc_zero(conf->alloc, 1, sizeof(*in));

    if (!in)
        return ta_fail(err, TA_ENOMEM, "no memory for reading samples");
    in->conf = *conf;
    forms_init(&in->forms, conf->alloc);
    predict_init(in);
    in->metrics = ta_store_metrics(conf->store);
    *out = in;
    return TA_OK;
}

void ta_ingest_free(struct ta_ingest *in)
{
    if (!in)
        return;
    forms_done(&in->forms);
    ta_metrics_unref(in->metrics);
    ta_release(in->conf.alloc, in, sizeof(*in));
}

int ta_feed_init(struct ta_feed *f, struct ta_alloc *alloc, struct ta_str cluster,
                 const struct ta_line_options *options, int64_t now_s)
{
    if (cluster.len > TA_NAME_MAX)
        return TA_EINVAL;
    *f = (struct ta_feed){.last_ts_s = now_s, .form = FORM_NONE};
    ta_line_init(&f->scanner, options);
    ta_buf_init(&f->carry, alloc, f->scanner.options.line_max + QUICK_BYTES);
    f->cluster_len = (uint8_t)cluster.len;
    if (cluster.len)
        memcpy(f->cluster, cluster.at, cluster.len);
    return TA_OK;
}

void ta_feed_done(struct ta_feed *f)
{
    if (f->carry.alloc)
        ta_buf_done(&f->carry);
}

int ta_feed_verdict(const struct ta_feed *f, struct ta_err *err)
{
    uint64_t refused = ta_ingest_refused(&f->counts);

    if (refused == 0)
        return TA_OK;
    return ta_fail(err, TA_EFORMAT, "%s (lines refused: %" PRIu64 ", stored: %" PRIu64 ")",
                   f->first_bad.text, refused, f->counts.stored);
}

static void mark_take(struct ta_ingest *in, const struct ta_feed *f, size_t at,
                      const struct ta_line *scanner)
{
    in->mark = (struct mark){.at = at,
                             .scanner = *scanner,
                             .counts = f->counts,
                             .last_ts_s = f->last_ts_s,
                             .form = f->form,
                             .had_bad = f->first_bad.code != 0};
}

static void mark_return(const struct ta_ingest *in, struct ta_feed *f)
{
    const struct mark *m = &in->mark;

    f->scanner = m->scanner;
    f->counts = m->counts;
    f->last_ts_s = m->last_ts_s;
    f->form = m->form;
    if (!m->had_bad)
        f->first_bad = (struct ta_err){0};
}

static int flush_to(struct ta_ingest *in, struct ta_feed *f, size_t at,
                    const struct ta_line *scanner, struct ta_err *err)
{
    int r = rows_flush(in, f, err);

    if (r == TA_OK)
        mark_take(in, f, at, scanner);
    return r;
}

static bool is_plain_name(struct ta_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == ' ' || s.at[i] == ',' || s.at[i] == '=')
            return false;
    return true;
}

int ingest_enter(struct ta_ingest *in, struct ta_feed *f, struct ta_str cluster, struct ta_str host,
                 size_t at, const struct ta_line *scanner, struct ta_err *err)
{
    if (ta_str_eq(host, (struct ta_str){in->host, in->host_len}) &&
        ta_str_eq(cluster, (struct ta_str){in->cluster, in->cluster_len}))
        return TA_OK;
    if (in->rows.n) {
        int r = flush_to(in, f, at, scanner, err);
        if (r < 0)
            return r;
    }
    memcpy(in->host, host.at, host.len);
    memcpy(in->cluster, cluster.at, cluster.len);
    in->host_len = (uint16_t)host.len;
    in->cluster_len = (uint16_t)cluster.len;
    in->cluster_id = forms_cluster(&in->forms, cluster);
    in->is_full |= in->cluster_id == 0;
    in->is_predictable = in->cluster_id && is_plain_name(host);
    return TA_OK;
}

/* A sample read plainly, of the line that begins at `at` with the scanner as it was then. */
static int take_sample(struct ta_ingest *in, struct ta_feed *f, const struct ta_line_sample *s,
                       size_t at, const struct ta_line *before, struct ta_err *err)
{
    struct judged j = {.metric = METRIC_UNKNOWN};
    struct rows *rows = &in->rows;

    enum ta_ingest_reason reason = rules_judge(in, f, s, &j);
    if (reason == TA_SKIPPED_METRIC)
        predict_follow(in, f, predict_learn(in, s, &j));
    if (reason != TA_INGEST_N_REASONS)
        return TA_OK;
    int r = ingest_enter(in, f, j.cluster, j.host, at, before, err);
    if (r < 0)
        return r;
    uint32_t form = predict_learn(in, s, &j);
    if ((form == FORM_NONE && rows->n) || rows->n == ROWS_MAX) {
        r = flush_to(in, f, at, before, err);
        if (r < 0)
            return r;
    }
    predict_follow(in, f, form);
    f->last_ts_s = j.ts_s;
    rows->form[rows->n] = form;
    rows->ts_s[rows->n] = j.ts_s;
    rows->value[rows->n] = s->value;
    rows->line[rows->n] = s->line;
    rows->n++;
    if (form != FORM_NONE)
        return TA_OK;
    in->loose = (struct ta_column_key){j.metric, j.type, j.stype};
    return rows_flush(in, f, err);
}

/* The line at *at, or several in Influx mode. 1 = go on, 0 = only a partial line is left. */
static int take_plainly(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t *at,
                        bool is_end, struct ta_err *err)
{
    bool is_native = f->scanner.options.mode == TA_LINE_NATIVE;
    struct ta_line before = f->scanner;
    struct ta_line_result res;

    ta_line_scan(&f->scanner, &in->side, (struct ta_str){block.at + *at, block.len - *at}, is_end,
                 in->samples, is_native ? 1 : TA_LINE_BATCH_MAX, &res);
    for (size_t i = 0; i < res.n; i++) {
        int r = take_sample(in, f, &in->samples[i], *at, &before, err);
        if (r < 0)
            return r;
    }
    f->counts.left_out += res.left_out;
    if (res.stop == TA_LINE_BAD)
        rules_bad_line(in, f, &res.error);
    *at += res.used;
    return res.stop != TA_LINE_DRAINED;
}

static int take_lines(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t pad,
                      bool is_end, size_t *at, struct ta_err *err)
{
    bool is_influx = f->scanner.options.mode == TA_LINE_INFLUX;
    int r = 1;

    mark_take(in, f, 0, &f->scanner);
    while (r > 0) {
        if (in->rows.n == ROWS_MAX || (in->rows.n && is_influx)) {
            r = flush_to(in, f, *at, &f->scanner, err);
            if (r < 0)
                return r;
        } else if (in->rows.n == 0) {
            mark_take(in, f, *at, &f->scanner);
        }
        r = in->is_predicting ? predict_lines(in, f, block, pad, at, err) : 1;
        if (r > 0 && in->rows.n < ROWS_MAX)
            r = take_plainly(in, f, block, at, is_end, err);
    }
    return r < 0 ? r : rows_flush(in, f, err);
}

/* Whole lines of the block into the store; *used ends behind the last one taken. `pad` bytes behind the
 * block are readable, whatever they are. */
static int take_block(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t pad,
                      bool is_end, size_t *used, struct ta_err *err)
{
    size_t at = 0;

    int r = block.len ? take_lines(in, f, block, pad, is_end, &at, err) : TA_OK;
    in->rows.n = 0;
    if (r == TA_EAGAIN) {
        mark_return(in, f);
        at = in->mark.at;
    } else if (r < 0) {
        f->failed = r;
    }
    *used = at;
    return r;
}

static void forget(struct ta_ingest *in)
{
    forms_forget(&in->forms);
    in->host_len = 0;
    in->is_predictable = false;
    in->is_full = false;
}

static void begin_call(struct ta_ingest *in, struct ta_feed *f, int64_t now_s)
{
    const struct ta_line_options *o = &f->scanner.options;
    struct ta_str cluster = {f->cluster, f->cluster_len};
    struct ta_metrics *metrics = ta_store_metrics(in->conf.store);

    /* Forms know metrics by number, and which ones are unknown. */
    if (metrics != in->metrics || in->is_full)
        forget(in);
    ta_metrics_unref(in->metrics);
    in->metrics = metrics;
    in->default_cluster = forms_cluster(&in->forms, cluster);
    if (in->default_cluster == 0 && cluster.len) {
        forget(in);
        in->default_cluster = forms_cluster(&in->forms, cluster);
    }
    if (f->form_epoch != in->forms.epoch)
        f->form = in->forms.last;
    f->form_epoch = in->forms.epoch;
    /* Refused tables cost speed alone. */
    in->is_predicting = !in->conf.is_plain && o->mode == TA_LINE_NATIVE &&
                        (o->precision == TA_LINE_AUTO || o->precision == TA_LINE_S) &&
                        forms_ready(&in->forms);
    in->now_s = now_s;
    if (in->conf.max_future_s < 0 ||
        __builtin_add_overflow(now_s, in->conf.max_future_s, &in->latest_s))
        in->latest_s = INT64_MAX;
}

/* The carried lines into the store, as far as they are whole. */
static int take_carried(struct ta_ingest *in, struct ta_feed *f, bool is_end, size_t *used,
                        struct ta_err *err)
{
    struct ta_buf *b = &f->carry;

    int r = take_block(in, f, ta_buf_view(b), b->cap - b->len, is_end, used, err);
    if (*used) {
        memmove(b->at, b->at + *used, b->len - *used);
        b->len -= *used;
    }
    return r;
}

static int carry(struct ta_feed *f, const char *from, size_t n, struct ta_err *err)
{
    if (n == 0)
        return TA_OK;
    int r = ta_buf_reserve(&f->carry, n + QUICK_BYTES);

    if (r < 0) {
        f->failed = r;
        return ta_fail(err, r, "no memory for a partial line");
    }
    (void)ta_buf_add(&f->carry, from, n);
    memset(f->carry.at + f->carry.len, 0, QUICK_BYTES);
    return TA_OK;
}

/* The carried bytes, made whole from the front of `bytes`: up to the next line end first, then by
 * doubling, so that a line with many line ends in a string is not read over and over. */
static int take_carry(struct ta_ingest *in, struct ta_feed *f, struct ta_str bytes, size_t *at,
                      struct ta_err *err)
{
    size_t used = 1;

    while (f->carry.len) {
        const char *from = bytes.at + *at;
        size_t left = bytes.len - *at, room = f->carry.max - QUICK_BYTES - f->carry.len;
        const char *lf = used && left ? memchr(from, '\n', left) : NULL;
        size_t n = lf ? (size_t)(lf + 1 - from) : used ? left : f->carry.len;
        n = n < left ? n : left;
        n = n < room ? n : room;
        int r = carry(f, from, n, err);
        if (r < 0)
            return r;
        *at += n;
        r = take_carried(in, f, false, &used, err);
        if (r < 0 || n == left)
            return r;
    }
    return TA_OK;
}

/* The last bytes of a block: the quick ways read a little further than they take, and are given the lines
 * where they may. */
static int take_tail(struct ta_ingest *in, struct ta_feed *f, struct ta_str rest, size_t *used,
                     struct ta_err *err)
{
    if (rest.len > TAIL_MAX) /* a long line */
        return take_block(in, f, rest, 0, false, used, err);
    memcpy(in->tail, rest.at, rest.len);
    memset(in->tail + rest.len, 0, QUICK_BYTES);
    return take_block(in, f, (struct ta_str){in->tail, rest.len}, QUICK_BYTES, false, used, err);
}

static void go_on(struct ta_str *bytes, size_t n, size_t *used)
{
    *used += n;
    *bytes = (struct ta_str){bytes->at + n, bytes->len - n};
}

int ta_ingest_feed(struct ta_ingest *in, struct ta_feed *f, struct ta_str bytes, int64_t now_s,
                   size_t *used, struct ta_err *err)
{
    size_t n = 0;

    *used = 0;
    if (f->failed)
        return ta_fail(err, f->failed, "an earlier part of the input failed");
    begin_call(in, f, now_s);
    int r = take_carry(in, f, bytes, used, err);
    if (r < 0 || *used == bytes.len)
        return r;
    bytes = (struct ta_str){bytes.at + *used, bytes.len - *used};
    size_t pad = !in->is_predicting ? 0 : bytes.len < QUICK_BYTES ? bytes.len : QUICK_BYTES;
    r = take_block(in, f, (struct ta_str){bytes.at, bytes.len - pad}, pad, false, &n, err);
    go_on(&bytes, n, used);
    if (r == TA_OK && pad) {
        r = take_tail(in, f, bytes, &n, err);
        go_on(&bytes, n, used);
    }
    if (r == TA_OK)
        r = carry(f, bytes.at, bytes.len, err);
    if (r == TA_OK)
        *used += bytes.len;
    return r;
}

int ta_ingest_end(struct ta_ingest *in, struct ta_feed *f, bool is_complete, int64_t now_s,
                  struct ta_err *err)
{
    size_t used;

    if (f->failed)
        return ta_fail(err, f->failed, "an earlier part of the input failed");
    begin_call(in, f, now_s);
    int r = take_carried(in, f, is_complete, &used, err);
    if (r < 0)
        return r;
    if (!is_complete) {
        ta_buf_reset(&f->carry);
        rules_refuse(f, TA_REFUSED_TRUNCATED, f->scanner.line, "the body ended before its end");
    }
    in->forms.last = f->form;
    return TA_OK;
}
