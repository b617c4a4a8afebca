/* predict_int.h - what the files of prediction share. */
#ifndef TARN_INGEST_PREDICT_INT_H
#define TARN_INGEST_PREDICT_INT_H

#include "ingest/ingest_int.h"

enum { HEAD_BYTES = 32 }; /* in front of a number that is read the quick way */

/* Where the feed stands, kept out of memory from line to line. */
struct run {
    size_t n; /* rows */
    uint32_t form;
    uint64_t line, predicted;
    int64_t last_ts_s;
    bool is_following; /* the last line was the expected one */
};

/* Behind a value that ends at p: [SP digits] LF. The end or NULL; *out_s is left where no time stands.
 * TIME_BYTES are readable. */
static inline const char *read_time(bool finds_unit, const char *p, int64_t *out_s)
{
    uint64_t t = 0;
    unsigned n = 0;

    if (*p != ' ')
        return p + 1;
    p = ta_line_run(p + 1, &t, &n);
    if (n == 0 || n > 18 || *p != '\n')
        return NULL;
    *out_s = finds_unit ? ta_line_seconds((int64_t)t) : (int64_t)t;
    return p + 1;
}

static inline bool is_unknown(const struct ta_ingest *in, uint32_t form)
{
    return in->forms.at[form].metric == METRIC_UNKNOWN;
}

/* The sample of a line of this form, whose value stands in the next row already: it is a row now, or counted
 * as unknown. */
static inline void take_row(struct ta_ingest *in, struct ta_feed *f, struct run *run, uint32_t form,
                            int64_t ts_s)
{
    struct rows *rows = &in->rows;

    if (is_unknown(in, form)) {
        f->counts.bad[TA_SKIPPED_METRIC]++;
    } else {
        rows->form[run->n] = form;
        rows->ts_s[run->n] = ts_s;
        rows->line[run->n] = run->line;
        run->n++;
        run->last_ts_s = ts_s;
    }
    run->line++;
    run->form = form;
}

/* Takes the lines of [p, end) as long as each is the expected one and there is room; returns where it
 * stopped. `pad` bytes behind `end` are readable. `run` is loaded. */
typedef const char *predict_expected_fn(struct ta_ingest *in, struct ta_feed *f, struct run *run,
                                        const char *p, const char *end, size_t pad);

/* As ta_line_quick_number, with HEAD_BYTES readable in front of p. */
typedef const char *predict_number_fn(const char *p, double *out);

struct predict_ways {
    predict_expected_fn *expected;
    predict_number_fn *number;
};

/* NULL where the processor has no AVX2. */
const struct predict_ways *predict_ways_avx2(void);

#endif
