/* stat_series.c - see stat_series.h. */
#include "jobs/stat_series.h"

#include <math.h>

enum { MATRIX_BYTES = 16 << 20, WINDOW_STEPS_MAX = 4096, FEWEST = 3 };

int ta_survey(struct ta_job_source *source, struct ta_str metric, enum ta_scope scope,
              struct ta_survey *out, struct ta_err *err)
{
    struct ta_survey found = {.shortest = SIZE_MAX};
    struct ta_job_series one;
    int r = source->begin(source, metric, scope, err);

    while (r >= 0 && (r = source->next(source, &one, err)) > 0) {
        if (found.n_series++ == 0)
            found.timestep_s = one.timestep_s;
        found.shortest = one.n < found.shortest ? one.n : found.shortest;
        found.longest = one.n > found.longest ? one.n : found.longest;
    }
    *out = found;
    return r;
}

/* ---- life -------------------------------------------------------------------------------------- */

static size_t matrix_bytes(const struct ta_stat_series *s)
{
    return s->steps * s->survey.n_series * sizeof(*s->matrix);
}

int ta_stat_series_init(struct ta_stat_series *s, struct ta_job_source *source,
                        struct ta_str metric, enum ta_scope scope, const struct ta_survey *survey,
                        bool is_compat, struct ta_alloc *alloc, struct ta_err *err)
{
    size_t n = survey->longest < TA_STAT_BLOCK ? survey->longest : TA_STAT_BLOCK;
    size_t steps = MATRIX_BYTES / sizeof(double) / (survey->n_series ? survey->n_series : 1);
    bool has_memory = true;

    steps = steps < 1 ? 1 : steps > WINDOW_STEPS_MAX ? WINDOW_STEPS_MAX : steps;
    *s = (struct ta_stat_series){.source = source,
                                 .metric = metric,
                                 .scope = scope,
                                 .survey = *survey,
                                 .is_compat = is_compat,
                                 .alloc = alloc,
                                 .block_cap = n ? n : 1,
                                 .steps = steps < n ? steps
                                          : n       ? n
                                                    : 1};
    for (int i = 0; i < TA_STATS; i++) {
        s->block[i] = ta_alloc(alloc, s->block_cap * sizeof(double));
        has_memory = has_memory && s->block[i];
    }
    s->matrix = ta_alloc(alloc, matrix_bytes(s));
    s->count = ta_alloc(alloc, s->steps * sizeof(*s->count));
    s->column = ta_alloc(alloc, s->steps * sizeof(*s->column));
    if (has_memory && s->matrix && s->count && s->column)
        return TA_OK;
    ta_stat_series_done(s);
    return ta_fail(err, TA_ENOMEM, "no memory for the statistics of %zu series", survey->n_series);
}

void ta_stat_series_done(struct ta_stat_series *s)
{
    if (!s->alloc)
        return;
    for (int i = 0; i < TA_STATS; i++)
        ta_release(s->alloc, s->block[i], s->block_cap * sizeof(double));
    ta_release(s->alloc, s->matrix, matrix_bytes(s));
    ta_release(s->alloc, s->count, s->steps * sizeof(*s->count));
    ta_release(s->alloc, s->column, s->steps * sizeof(*s->column));
    *s = (struct ta_stat_series){0};
}

/* ---- one step ----------------------------------------------------------------------------------- */

static void swap(double *a, double *b)
{
    double t = *a;

    *a = *b;
    *b = t;
}

/* Moves the k-th smallest to its place, none larger before it and none smaller behind it. The pivot
 * is drawn, so that no order of the values is a bad one. */
static double select_kth(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n - 1;
    uint32_t draw = 0x9E3779B9U;

    while (lo < hi) {
        draw = draw * 1664525U + 1013904223U;
        double pivot = v[lo + (size_t)(draw >> 8) % (hi - lo + 1)];
        size_t i = lo, j = hi;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i > j)
                break;
            swap(&v[i++], &v[j]);
            if (j == 0)
                break;
            j--;
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            break;
    }
    return v[k];
}

static double median(double *v, size_t n)
{
    double upper = select_kth(v, n, n / 2), lower;

    if (n % 2)
        return upper;
    lower = v[0];
    for (size_t i = 1; i < n / 2; i++)
        lower = v[i] > lower ? v[i] : lower;
    return (lower + upper) / 2;
}

static void one_step(const struct ta_stat_series *s, double *v, size_t n, double out[TA_STATS])
{
    if (n < FEWEST) {
        out[TA_STAT_MIN] = out[TA_STAT_MEDIAN] = out[TA_STAT_MAX] = NAN;
        return;
    }
    out[TA_STAT_MIN] = out[TA_STAT_MAX] = v[0];
    for (size_t i = 1; i < n; i++) {
        out[TA_STAT_MIN] = v[i] < out[TA_STAT_MIN] ? v[i] : out[TA_STAT_MIN];
        out[TA_STAT_MAX] = v[i] > out[TA_STAT_MAX] ? v[i] : out[TA_STAT_MAX];
    }
    for (; s->is_compat && n < s->survey.n_series; n++)
        v[n] = 0;
    out[TA_STAT_MEDIAN] = median(v, n);
}

/* ---- windows ------------------------------------------------------------------------------------ */

/* Steps [first, first + n) of all series into the matrix, those without sample left out. */
static int read_window(struct ta_stat_series *s, size_t first, size_t n, struct ta_err *err)
{
    struct ta_job_source *src = s->source;
    const size_t n_series = s->survey.n_series;
    struct ta_job_series one;
    int r = src->begin(src, s->metric, s->scope, err);

    memset(s->count, 0, n * sizeof(*s->count));
    /* Series that have come since the survey have no room. */
    for (size_t i = 0; r >= 0 && i < n_series && (r = src->next(src, &one, err)) > 0; i++) {
        r = src->read(src, first, s->column, n, err);
        for (size_t t = 0; r >= 0 && t < n; t++)
            if (isfinite(s->column[t]))
                s->matrix[t * n_series + s->count[t]++] = s->column[t];
    }
    return r < 0 ? r : TA_OK;
}

static int load_block(struct ta_stat_series *s, size_t first, struct ta_err *err)
{
    size_t left = s->survey.longest - first, n_all = s->survey.shortest;
    double out[TA_STATS];

    s->block_first = first;
    s->block_n = 0;
    left = left < s->block_cap ? left : s->block_cap;
    while (s->block_n < left) {
        size_t at = first + s->block_n;
        size_t n = left - s->block_n < s->steps ? left - s->block_n : s->steps;
        int r = at < n_all ? read_window(s, at, n, err) : TA_OK;

        if (r < 0) {
            s->block_n = 0;
            return r;
        }
        for (size_t t = 0; t < n; t++) {
            one_step(s, s->matrix + t * s->survey.n_series, at + t < n_all ? s->count[t] : 0, out);
            for (int i = 0; i < TA_STATS; i++)
                s->block[i][s->block_n + t] = out[i];
        }
        s->block_n += n;
    }
    return TA_OK;
}

int64_t ta_stat_series_read(struct ta_stat_series *s, enum ta_step_stat which, size_t first,
                            size_t max, const double **out, struct ta_err *err)
{
    size_t n;

    if (first >= s->survey.longest)
        return 0;
    if (first < s->block_first || first >= s->block_first + s->block_n) {
        int r = load_block(s, first / s->block_cap * s->block_cap, err);
        if (r < 0)
            return r;
    }
    n = s->block_first + s->block_n - first;
    *out = s->block[which] + (first - s->block_first);
    return (int64_t)(n < max ? n : max);
}
