#include "persist/tree_convert.h"

#include "persist/ref_wal.h"
#include "persist/seal.h"

#include <math.h>

enum { WAL_PIECE = 64 * 1024, WAL_RECORD_MAX = 1024 };

/* ---- first pass ----------------------------------------------------------------------------------- */

struct plan {
    struct ta_alloc *alloc;
    uint32_t *n; /* values of each series, in the file's order */
    size_t n_series, cap;
    int64_t from_s, to_s;
};

static int plan_series(struct plan *p)
{
    if (p->n_series == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        uint32_t *grown = ta_resize(p->alloc, p->n, p->cap * sizeof(*p->n), cap * sizeof(*p->n));
        if (!grown)
            return TA_ENOMEM;
        p->n = grown;
        p->cap = cap;
    }
    p->n[p->n_series++] = 0;
    return TA_OK;
}

static int make_plan(struct plan *p, struct ta_tree_reader *r, struct ta_err *err)
{
    struct ta_tree_event ev;
    bool had_child[TA_TREE_DEPTH_MAX + 1] = {false};
    int e;

    while ((e = ta_tree_next(r, &ev, err)) > 0) {
        if (ev.kind == TA_TREE_LEVEL) {
            had_child[ev.depth - 1] = true;
            had_child[ev.depth] = false;
        } else if (ev.kind == TA_TREE_METRIC) {
            e = had_child[ev.depth] ? TA_EFORMAT : plan_series(p);
        } else if (ev.kind == TA_TREE_VALUES) {
            p->n[p->n_series - 1] += (uint32_t)ev.n;
        }
        if (e < 0)
            return ta_fail(err, e, "metrics behind the children of their level");
    }
    if (e == 0 && !ta_tree_range(r, &p->from_s, &p->to_s))
        e = ta_fail(err, TA_EFORMAT, "the file does not say which range it covers");
    return e;
}

/* ---- second pass ---------------------------------------------------------------------------------- */

static int put_event(struct ta_tree_writer *w, const struct ta_tree_event *ev, const struct plan *p,
                     size_t *series, struct ta_tree_convert_counts *counts, struct ta_err *err)
{
    switch (ev->kind) {
    case TA_TREE_LEVEL:
        return ta_tree_child(w, ev->depth - 1, ev->name, err);
    case TA_TREE_METRIC:
        counts->series++;
        return ta_tree_metric(w, ev->name, ev->freq_s, ev->start_s, p->n[(*series)++], err);
    case TA_TREE_VALUES:
        return ta_tree_values(w, ev->values, ev->n, err);
    case TA_TREE_DAMAGE:
        counts->damaged++;
        return TA_OK;
    case TA_TREE_LEVEL_END:
        return TA_OK;
    }
    return TA_OK;
}

static int write_tree(struct ta_tree_reader *r, const struct plan *p, struct ta_file *to,
                      enum ta_tree_format format, void *buffer,
                      struct ta_tree_convert_counts *counts, struct ta_err *err)
{
    struct ta_tree_writer w;
    struct ta_tree_event ev;
    uint64_t bytes = 0;
    size_t series = 0;
    int e = ta_tree_begin(&w, format, to, buffer, TA_TREE_BUFFER, p->from_s, p->to_s, err);

    while (e >= 0 && (e = ta_tree_next(r, &ev, err)) > 0)
        e = put_event(&w, &ev, p, &series, counts, err);
    if (e == TA_OK)
        e = ta_tree_end(&w, &bytes, err);
    counts->samples += w.n_samples;
    return e;
}

int ta_tree_convert(struct ta_file *from, enum ta_tree_format from_format, struct ta_file *to,
                    enum ta_tree_format to_format, struct ta_alloc *alloc,
                    struct ta_tree_convert_counts *counts, struct ta_err *err)
{
    struct plan p = {.alloc = alloc};
    struct ta_tree_reader *r = NULL;
    struct ta_damage damage = {0};
    struct ta_sealed sealed = {0};
    void *buffer = ta_alloc(alloc, TA_TREE_BUFFER);
    int e = buffer ? ta_sealed_open(&sealed, from, from_format, alloc, &damage, err)
                   : ta_fail(err, TA_ENOMEM, "conversion of a checkpoint file");

    if (e == TA_OK)
        e = ta_tree_reader_new(&r, from_format, &sealed.file, alloc, err);
    if (e == TA_OK)
        e = make_plan(&p, r, err);
    ta_tree_reader_free(r);
    r = NULL;
    if (e == TA_OK)
        e = ta_tree_reader_new(&r, from_format, &sealed.file, alloc, err);
    if (e == TA_OK)
        e = write_tree(r, &p, to, to_format, buffer, counts, err);
    ta_tree_reader_free(r);
    ta_sealed_done(&sealed);
    counts->damaged += damage.n;
    ta_release(alloc, p.n, p.cap * sizeof(*p.n));
    ta_release(alloc, buffer, TA_TREE_BUFFER);
    return e;
}

/* ---- the reference's log ---------------------------------------------------------------------------- */

struct wal_out {
    struct ta_file *to;
    uint64_t *at;
    struct ta_buf buf;
};

static int wal_flush(struct wal_out *o, struct ta_err *err)
{
    int e = o->buf.len ? ta_pwrite_full(o->to, o->buf.at, o->buf.len, *o->at, err) : TA_OK;

    if (e == TA_OK)
        *o->at += o->buf.len;
    ta_buf_reset(&o->buf);
    return e;
}

static int wal_put(struct wal_out *o, const struct ta_ref_wal_sample *s, struct ta_err *err)
{
    if (o->buf.len + WAL_RECORD_MAX > o->buf.max) {
        int e = wal_flush(o, err);
        if (e < 0)
            return e;
    }
    int e = ta_ref_wal_put(&o->buf, s);
    return e < 0 ? ta_fail(err, e, "record of a reference log") : TA_OK;
}

static int wal_values(struct wal_out *o, const struct ta_tree_event *ev,
                      struct ta_ref_wal_sample *s, int64_t freq_s,
                      struct ta_tree_convert_counts *counts, struct ta_err *err)
{
    for (size_t i = 0; i < ev->n; i++, s->ts_s += freq_s) {
        if (isnan(ev->values[i]))
            continue;
        s->value = (float)ev->values[i];
        int e = wal_put(o, s, err);
        if (e < 0)
            return e;
        counts->samples++;
    }
    return TA_OK;
}

static int wal_records(struct wal_out *o, struct ta_tree_reader *r,
                       struct ta_tree_convert_counts *counts, struct ta_err *err)
{
    struct ta_ref_wal_sample s = {0};
    struct ta_tree_event ev;
    char metric[TA_TREE_NAME_READ_MAX];
    int64_t freq_s = 1;
    int e = *o->at == 0 ? ta_ref_wal_put_head(&o->buf) : TA_OK;

    while (e >= 0 && (e = ta_tree_next(r, &ev, err)) > 0) {
        if (ev.kind == TA_TREE_METRIC && ev.depth > 2) {
            counts->damaged++;
            ta_tree_skip_values(r);
        } else if (ev.kind == TA_TREE_METRIC) {
            memcpy(metric, ev.name.at, ev.name.len);
            s = (struct ta_ref_wal_sample){.ts_s = ev.start_s, .metric = {metric, ev.name.len}};
            s.type = ev.depth > 0 ? ta_tree_level_name(r, 1) : s.type;
            s.stype = ev.depth > 1 ? ta_tree_level_name(r, 2) : s.stype;
            freq_s = ev.freq_s;
            counts->series++;
        } else if (ev.kind == TA_TREE_VALUES) {
            e = wal_values(o, &ev, &s, freq_s, counts, err);
        } else if (ev.kind == TA_TREE_DAMAGE) {
            counts->damaged++;
        }
    }
    return e < 0 ? e : wal_flush(o, err);
}

int ta_tree_convert_wal(struct ta_file *from, enum ta_tree_format from_format, struct ta_file *to,
                        uint64_t *at, struct ta_alloc *alloc, struct ta_tree_convert_counts *counts,
                        struct ta_err *err)
{
    struct wal_out o = {.to = to, .at = at};
    struct ta_tree_reader *r = NULL;
    struct ta_damage damage = {0};
    struct ta_sealed sealed;

    ta_buf_init(&o.buf, alloc, WAL_PIECE);
    int e = ta_sealed_open(&sealed, from, from_format, alloc, &damage, err);
    if (e == TA_OK)
        e = ta_tree_reader_new(&r, from_format, &sealed.file, alloc, err);
    if (e == TA_OK)
        e = wal_records(&o, r, counts, err);
    ta_tree_reader_free(r);
    ta_sealed_done(&sealed);
    counts->damaged += damage.n;
    ta_buf_done(&o.buf);
    return e;
}
