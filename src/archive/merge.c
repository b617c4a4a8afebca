#include "archive/merge.h"

#include <math.h>

enum { PART = 256 }; /* values read at a time from each of the pieces that overlap */

/* A piece that is read together with others. */
struct ta_arc_overlap {
    struct ta_arc_piece piece;
    uint32_t at;      /* next value of the entry */
    uint32_t part_at; /* entry's number of part[0] */
    uint32_t part_n;
    float part[PART];
};

void ta_arc_merge_init(struct ta_arc_merge *m, struct ta_arc_index *index)
{
    memset(m, 0, offsetof(struct ta_arc_merge, times));
    m->index = index;
}

static void end_overlap(struct ta_arc_merge *m)
{
    ta_release(m->index->alloc, m->overlap, m->n_overlap * sizeof(*m->overlap));
    m->overlap = NULL;
    m->n_overlap = 0;
}

void ta_arc_merge_done(struct ta_arc_merge *m)
{
    if (!m->index)
        return;
    end_overlap(m);
    ta_release(m->index->alloc, m->pieces, m->cap_pieces * sizeof(*m->pieces));
    m->index = NULL;
}

static int64_t last_time(const struct ta_arc_entry *e)
{
    return e->start_s + (int64_t)(e->n - 1) * e->freq_s;
}

static int add_piece(struct ta_arc_merge *m, struct ta_arc_piece piece)
{
    if (m->n_pieces == m->cap_pieces) {
        uint32_t cap = m->cap_pieces ? m->cap_pieces * 2 : 64;
        struct ta_arc_piece *new =
            ta_resize(m->index->alloc, m->pieces, m->cap_pieces * sizeof(*new), cap * sizeof(*new));
        if (!new)
            return TA_ENOMEM;
        m->pieces = new;
        m->cap_pieces = cap;
    }
    /* By start; almost always the pieces come in that order already. */
    int64_t start = ta_arc_entry(m->index, piece.entry)->start_s;
    uint32_t i = m->n_pieces++;
    for (; i && ta_arc_entry(m->index, m->pieces[i - 1].entry)->start_s > start; i--)
        m->pieces[i] = m->pieces[i - 1];
    m->pieces[i] = piece;
    return TA_OK;
}

int ta_arc_merge_begin(struct ta_arc_merge *m, uint32_t first, uint32_t n, int64_t from_s,
                       int64_t to_s, struct ta_err *err)
{
    end_overlap(m);
    m->n_pieces = m->next = 0;
    m->has_single = false;
    m->from_s = from_s;
    m->to_s = to_s;
    for (uint32_t i = first; i < first + n; i++) {
        uint32_t series = m->index->order[i];
        uint32_t entry = m->index->series[series].first;
        for (; entry != TA_ARC_NONE; entry = ta_arc_entry(m->index, entry)->next) {
            const struct ta_arc_entry *e = ta_arc_entry(m->index, entry);
            if (last_time(e) < from_s || e->start_s >= to_s)
                continue;
            if (add_piece(m, (struct ta_arc_piece){entry, series}) < 0)
                return ta_fail(err, TA_ENOMEM, "no memory to merge the files of a host");
        }
    }
    return TA_OK;
}

/* How many pieces from `next` on overlap each other in a chain. */
static uint32_t count_overlap(const struct ta_arc_merge *m)
{
    int64_t last = last_time(ta_arc_entry(m->index, m->pieces[m->next].entry));
    uint32_t i = m->next + 1;

    for (; i < m->n_pieces; i++) {
        const struct ta_arc_entry *e = ta_arc_entry(m->index, m->pieces[i].entry);
        if (e->start_s > last)
            break;
        last = last_time(e) > last ? last_time(e) : last;
    }
    return i - m->next;
}

/* First value at or after a time. */
static uint32_t value_at(const struct ta_arc_entry *e, int64_t time_s)
{
    if (time_s <= e->start_s)
        return 0;
    /* The difference may not fit: windows begin at INT64_MIN, entries never do by checked sums. */
    uint64_t d = (uint64_t)time_s - (uint64_t)e->start_s;
    uint64_t i = d / e->freq_s + (d % e->freq_s != 0);
    return i < e->n ? (uint32_t)i : e->n;
}

static int begin_overlap(struct ta_arc_merge *m, uint32_t n, struct ta_err *err)
{
    m->overlap = ta_alloc(m->index->alloc, n * sizeof(*m->overlap));
    if (!m->overlap)
        return ta_fail(err, TA_ENOMEM, "no memory to merge %u checkpoint files that overlap", n);
    m->n_overlap = n;
    for (uint32_t i = 0; i < n; i++) {
        struct ta_arc_overlap *o = &m->overlap[i];
        o->piece = m->pieces[m->next + i];
        o->at = value_at(ta_arc_entry(m->index, o->piece.entry), m->from_s);
        o->part_at = o->part_n = 0;
    }
    m->next += n;
    return TA_OK;
}

/* Compacts n values from *values, the first at time first_s, to rows. All there: steps. */
static void take_rows(struct ta_arc_merge *m, size_t n, int64_t first_s, uint32_t freq_s,
                      struct ta_arc_rows *out)
{
    size_t missing = 0;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        missing += m->values[i] != m->values[i];
    *out = (struct ta_arc_rows){
        .n = n - missing, .freq_s = freq_s, .times = m->times, .values = m->values};
    if (missing == 0) {
        out->is_steps = true;
        m->times[0] = first_s;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float v = m->values[i];
        m->times[k] = first_s + (int64_t)i * freq_s;
        m->values[k] = v;
        k += v == v;
    }
}

/* 1 = rows, 0 = the piece is at its end. */
static int next_single(struct ta_arc_merge *m, struct ta_arc_rows *out, struct ta_err *err)
{
    const struct ta_arc_entry *e = ta_arc_entry(m->index, m->pieces[m->next - 1].entry);
    uint32_t end = value_at(e, m->to_s);

    while (m->single_from < end) {
        uint32_t left = end - m->single_from;
        size_t n = left < TA_ARC_BLOCK ? left : TA_ARC_BLOCK;
        int r = ta_arc_values(m->index, e, m->single_from, n, m->values, err);
        if (r < 0)
            return r;
        take_rows(m, n, e->start_s + (int64_t)m->single_from * e->freq_s, e->freq_s, out);
        m->single_from += (uint32_t)n;
        if (out->n)
            return 1;
    }
    m->has_single = false;
    return 0;
}

/* Moves to the piece's next value that is there. 1 = it is at *time, 0 = end. */
static int look(struct ta_arc_merge *m, struct ta_arc_overlap *o, int64_t *time, struct ta_err *err)
{
    const struct ta_arc_entry *e = ta_arc_entry(m->index, o->piece.entry);

    for (; o->at < e->n; o->at++) {
        if (o->at >= o->part_at + o->part_n) {
            uint32_t n = e->n - o->at < PART ? e->n - o->at : PART;
            int r = ta_arc_values(m->index, e, o->at, n, o->part, err);
            if (r < 0)
                return r;
            o->part_at = o->at;
            o->part_n = n;
        }
        *time = e->start_s + (int64_t)o->at * e->freq_s;
        if (*time >= m->to_s)
            return 0;
        if (!isnan(o->part[o->at - o->part_at]))
            return 1;
    }
    return 0;
}

/* Of two pieces at the same time: the one whose row comes first, or, within a series, the one that
 * counts. Later files count; in one file the later entry. */
static bool wins(const struct ta_arc_merge *m, const struct ta_arc_overlap *a,
                 const struct ta_arc_overlap *b)
{
    if (a->piece.series != b->piece.series)
        return a->piece.series < b->piece.series;
    uint32_t fa = ta_arc_entry(m->index, a->piece.entry)->file;
    uint32_t fb = ta_arc_entry(m->index, b->piece.entry)->file;
    return fa != fb ? fa > fb : a->piece.entry > b->piece.entry;
}

/* The next row of those that overlap; the values it replaces are passed over. 0 = end. */
static int next_row(struct ta_arc_merge *m, int64_t *time, struct ta_arc_overlap **from,
                    struct ta_err *err)
{
    struct ta_arc_overlap *best = NULL;
    int64_t t = 0;

    for (uint32_t i = 0; i < m->n_overlap; i++) {
        struct ta_arc_overlap *o = &m->overlap[i];
        int r = look(m, o, &t, err);
        if (r < 0)
            return r;
        if (r > 0 && (!best || t < *time || (t == *time && wins(m, o, best)))) {
            best = o;
            *time = t;
        }
    }
    if (!best)
        return 0;
    for (uint32_t i = 0; i < m->n_overlap; i++) {
        struct ta_arc_overlap *o = &m->overlap[i];
        if (o == best || o->piece.series != best->piece.series)
            continue;
        int r = look(m, o, &t, err);
        if (r < 0)
            return r;
        if (r > 0 && t == *time)
            o->at++;
    }
    *from = best;
    return 1;
}

static int next_overlap(struct ta_arc_merge *m, struct ta_arc_rows *out, struct ta_err *err)
{
    struct ta_arc_overlap *from = NULL;
    int64_t time = 0;
    size_t n = 0;
    uint32_t freq_s = 0;
    int r = 0;

    while (n < TA_ARC_BLOCK && (r = next_row(m, &time, &from, err)) > 0) {
        uint32_t freq = ta_arc_entry(m->index, from->piece.entry)->freq_s;
        if (n && freq != freq_s)
            break; /* this row is looked up again by the next call */
        freq_s = freq;
        m->times[n] = time;
        m->values[n++] = from->part[from->at - from->part_at];
        from->at++;
    }
    if (r < 0)
        return r;
    if (n == 0) {
        end_overlap(m);
        return 0;
    }
    *out = (struct ta_arc_rows){.n = n, .freq_s = freq_s, .times = m->times, .values = m->values};
    return 1;
}

int ta_arc_merge_next(struct ta_arc_merge *m, struct ta_arc_rows *out, struct ta_err *err)
{
    for (;;) {
        int r = m->has_single ? next_single(m, out, err)
                : m->overlap  ? next_overlap(m, out, err)
                              : 0;
        if (r != 0)
            return r;
        if (m->next == m->n_pieces)
            return 0;
        uint32_t n = count_overlap(m);
        if (n == 1) {
            const struct ta_arc_entry *e = ta_arc_entry(m->index, m->pieces[m->next++].entry);
            m->has_single = true;
            m->single_from = value_at(e, m->from_s);
        } else {
            r = begin_overlap(m, n, err);
            if (r < 0)
                return r;
        }
    }
}
