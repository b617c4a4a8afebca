/* predict_loop.h - lines of expected forms: the source that each instruction set is compiled from.
 *
 * Two loops in turn, BATCH lines each: one compares heads and finds where values and times end, the other
 * reads the values. From its first byte to its double a value is one chain of dependent instructions; a
 * processor looks ahead only so many, and without heads between them reads two values at once.
 *
 * The including file sets TARGET to the attribute of its instruction set and has what follows; without, it is
 * that of predict_plain.h.
 *     same_head(in, p, form)        at p stand the form's text before the host, the host, the text behind;
 *                                   FORMS_PAD bytes are readable behind each
 *     same_text(p, q, n)            memcmp(p, q, n) == 0, n < TIME_BYTES, which are readable
 *     find_end(p)                   the first space or LF within the 32 bytes at p, or NULL
 *     read_number(p, end, &v)       ta_line_quick_number(p, &v) == end; reads HEAD_BYTES in front of p
 */
#ifndef TARN_INGEST_PREDICT_LOOP_H
#define TARN_INGEST_PREDICT_LOOP_H

#include "ingest/predict_int.h"

#ifndef TARGET
#define TARGET
#include "ingest/predict_plain.h"
#endif

enum { BATCH = 32 };

/* A line that equals its form up to the value, and whose time is read. */
struct candidate {
    const char *value, *value_end, *line_end;
    int64_t ts_s;
    uint32_t form;
};

/* The times of a batch are mostly one: equal text needs no reading. */
struct last_time {
    const char *text; /* with its space and line end, in the block; NULL: none yet */
    size_t len;
    int64_t ts_s;
};

TARGET static inline const char *take_time(struct last_time *last, bool finds_unit, const char *p,
                                           int64_t *out_s)
{
    if (last->text && same_text(p, last->text, last->len)) {
        *out_s = last->ts_s;
        return p + last->len;
    }
    const char *end = read_time(finds_unit, p, out_s);
    if (end && *p == ' ')
        *last = (struct last_time){p, (size_t)(end - p), *out_s};
    return end;
}

/* The lines from p on that are what should come, as far as the value; how many, at most max. */
TARGET static inline size_t find_lines(const struct ta_ingest *in, const struct ta_feed *f,
                                       const struct run *run, struct last_time *last, const char *p,
                                       const char *end, size_t pad, size_t max,
                                       struct candidate *out)
{
    bool finds_unit = f->scanner.options.precision == TA_LINE_AUTO;
    uint32_t form = run->form;
    int64_t ts_s = run->last_ts_s;
    size_t n = 0;

    for (; n < max; n++) {
        form = in->forms.at[form].next;
        if (form == FORM_NONE)
            break;
        const struct form *next = &in->forms.at[form];
        size_t head = (size_t)next->before + in->host_len + next->after;
        if ((size_t)(end - p) + pad < head + QUICK_BYTES || head < HEAD_BYTES ||
            (next->cluster ? next->cluster : in->default_cluster) != in->cluster_id ||
            !same_head(in, p, next))
            break;
        int64_t of_line_s = ts_s;
        const char *value_end = find_end(p + head), *line_end;
        if (!value_end || !(line_end = take_time(last, finds_unit, value_end, &of_line_s)) ||
            line_end > end || (of_line_s > in->latest_s && next->metric != METRIC_UNKNOWN))
            break;
        if (next->metric != METRIC_UNKNOWN)
            ts_s = of_line_s;
        out[n] = (struct candidate){p + head, value_end, line_end, of_line_s, form};
        p = line_end;
    }
    return n;
}

/* How many of the candidates were taken: all up to the first whose value is not that simple. */
TARGET static inline size_t take_values(struct ta_ingest *in, struct ta_feed *f, struct run *run,
                                        const struct candidate *lines, size_t n)
{
    size_t i = 0;

    for (; i < n; i++) {
        const struct candidate *c = &lines[i];
        if (!read_number(c->value, c->value_end, &in->rows.value[run->n]))
            break;
        take_row(in, f, run, c->form, c->ts_s);
    }
    run->predicted += i;
    return i;
}

TARGET static inline const char *take_expected(struct ta_ingest *in, struct ta_feed *f,
                                               struct run *shared, const char *p, const char *end,
                                               size_t pad)
{
    struct candidate lines[BATCH];
    struct last_time last = {0};
    struct run run = *shared; /* of its own, so that it can live in registers */
    size_t n, taken;

    do {
        size_t max = ROWS_MAX - run.n < BATCH ? ROWS_MAX - run.n : BATCH;
        n = find_lines(in, f, &run, &last, p, end, pad, max, lines);
        taken = take_values(in, f, &run, lines, n);
        p = taken ? lines[taken - 1].line_end : p;
    } while (taken == BATCH && run.n < ROWS_MAX);
    *shared = run;
    return p;
}

#endif
