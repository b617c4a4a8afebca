/* data_columns.c - see data_columns.h. */
#include "jobs/data_columns.h"

#include <math.h>

#include "jobs/load_plan.h"

enum {
    BUFFER = 64 * 1024,
    PARTS_MAX = 4096,  /* metrics and scopes: no site has a thousand */
    THIN_MAX = 2 << 20 /* values of a series that is thinned out, as of the store */
};

/* ---- writing ------------------------------------------------------------------------------------ */

static int flush(struct ta_data_column *f, struct ta_err *err)
{
    int r = f->buf.len ? ta_pwrite_full(f->file, f->buf.at, f->buf.len, f->at - f->buf.len, err)
                       : TA_OK;

    ta_buf_reset(&f->buf);
    return r;
}

static int append(struct ta_data_columns *c, struct ta_data_column *f, const void *at, size_t n,
                  struct ta_err *err)
{
    int r = f->buf.len + n > BUFFER ? flush(f, err) : TA_OK;

    if (r < 0)
        return r;
    if (f->at + n > c->bytes_max)
        return ta_fail(err, TA_ERANGE, "the data are more than %llu bytes when they are read",
                       (unsigned long long)c->bytes_max);
    if (ta_buf_add(&f->buf, at, n) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to read a job's data");
    f->at += n;
    return TA_OK;
}

static void begin_record(struct ta_data_columns *c)
{
    c->record = (struct ta_data_record){.values_at = c->values.at};
    c->summary = (struct ta_summary){0};
}

static int end_record(struct ta_data_columns *c, uint64_t *begin, uint64_t *end, size_t *n,
                      struct ta_err *err)
{
    /* A member that is given twice: the series of the first one would not be found again. */
    if (*n > 0 && *end != c->series.at)
        return ta_fail(err, TA_EFORMAT, "metric %.*s has two lists of series at one scope",
                       TA_STR_FMT(c->part->metric));
    if (*n == 0)
        *begin = c->series.at;
    int r = append(c, &c->series, &c->record, sizeof(c->record), err);
    if (r >= 0)
        r = append(c, &c->series, c->host, c->record.host_len, err);
    if (r >= 0)
        r = append(c, &c->series, c->id, c->record.id_len, err);
    *end = c->series.at;
    ++*n;
    return r;
}

static int keep_name(char *room, uint32_t *len, struct ta_str text, struct ta_err *err)
{
    if (text.len >= TA_DATA_NAME_MAX)
        return ta_fail(err, TA_ERANGE, "a name of a job's data has more than %d bytes",
                       TA_DATA_NAME_MAX - 1);
    memcpy(room, text.at, text.len);
    *len = (uint32_t)text.len;
    return TA_OK;
}

/* Old jobs have none. */
static int end_series(struct ta_data_columns *c, struct ta_err *err)
{
    struct ta_data_part *p = c->part;

    if (!c->record.has_stats)
        c->record.stats = ta_summary_stats(&c->summary);
    p->longest = c->record.n > p->longest ? (size_t)c->record.n : p->longest;
    return end_record(c, &p->series_at, &p->series_end, &p->n_series, err);
}

static int end_statistic(struct ta_data_columns *c, struct ta_err *err)
{
    struct ta_data_part *p = c->part;

    return end_record(c, &p->statistics_at, &p->statistics_end, &p->n_statistics, err);
}

static int add_values(struct ta_data_columns *c, const double *v, size_t n, struct ta_err *err)
{
    c->record.n += n;
    ta_summary_add(&c->summary, v, n);
    return append(c, &c->values, v, n * sizeof(*v), err);
}

static int copy(struct ta_data_columns *c, struct ta_str *out, struct ta_str text,
                struct ta_err *err)
{
    *out = ta_arena_copy(c->arena, text);
    return out->at ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory for the metrics of a job");
}

static int begin_part(struct ta_data_columns *c, enum ta_scope scope, struct ta_err *err)
{
    struct ta_data_part *p = ta_arena_get(c->arena, sizeof(*p));

    if (!p)
        return ta_fail(err, TA_ENOMEM, "no memory for the metrics of a job");
    if (c->n_parts == PARTS_MAX)
        return ta_fail(err, TA_ERANGE, "a job has more than %d metrics", PARTS_MAX);
    *p = (struct ta_data_part){.metric = c->metric, .scope = scope};
    *c->last = p;
    c->last = &p->next;
    c->part = p;
    c->n_parts++;
    return TA_OK;
}

static int begin_statistic(struct ta_data_columns *c, const struct ta_data_event *e,
                           struct ta_err *err)
{
    begin_record(c);
    c->record.is_percentile = e->is_percentile;
    c->record.is_null = e->is_null;
    int r = keep_name(c->host, &c->record.host_len, e->text, err);
    return r >= 0 && e->is_null ? end_statistic(c, err) : r;
}

static int take(struct ta_data_taker *self, const struct ta_data_event *e, struct ta_err *err)
{
    struct ta_data_columns *c = TA_CONTAINER(self, struct ta_data_columns, taker);
    int r;

    switch (e->kind) {
    case TA_DATA_METRIC:
        if (!c->is_wanted(c->self, e->text))
            return 0;
        r = copy(c, &c->metric, e->text, err);
        return r < 0 ? r : 1;
    case TA_DATA_SCOPE:
        return begin_part(c, e->scope, err);
    case TA_DATA_UNIT:
        r = copy(c, &c->part->unit.base, e->text, err);
        return r < 0 || !e->prefix.len ? r : copy(c, &c->part->unit.prefix, e->prefix, err);
    case TA_DATA_TIMESTEP:
        c->part->timestep_s = e->number;
        return TA_OK;
    case TA_DATA_SERIES:
        begin_record(c);
        return TA_OK;
    case TA_DATA_HOST:
        return keep_name(c->host, &c->record.host_len, e->text, err);
    case TA_DATA_ID:
        return keep_name(c->id, &c->record.id_len, e->text, err);
    case TA_DATA_STATISTICS:
        c->record.stats = e->stats;
        c->record.has_stats = true;
        return TA_OK;
    case TA_DATA_VALUES:
        return add_values(c, e->values, e->n, err);
    case TA_DATA_SERIES_END:
        return end_series(c, err);
    case TA_DATA_STATISTIC:
        return begin_statistic(c, e, err);
    case TA_DATA_STATISTIC_END:
        return end_statistic(c, err);
    }
    return TA_OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static void open_records(struct ta_data_columns *c, const struct ta_data_part *p, uint64_t at,
                         size_t n)
{
    c->part = (struct ta_data_part *)(uintptr_t)p; /* only read from here on */
    c->next_at = at;
    c->n_left = n;
}

static int read_all(struct ta_file *file, void *out, size_t n, uint64_t at, struct ta_err *err)
{
    int64_t got = ta_pread_full(file, out, n, at, err);

    if (got >= 0 && (size_t)got < n)
        return ta_fail(err, TA_EIO, "a file with a job's data has become shorter");
    return got < 0 ? (int)got : TA_OK;
}

/* All series of a scope become equally long, or they would have different time steps. */
static int plan(struct ta_data_columns *c, struct ta_err *err)
{
    const struct ta_data_part *p = c->part;
    int64_t want_s = ta_load_resolution(c->resolution_s, p->timestep_s);
    int r = ta_resample_plan(p->timestep_s, want_s, p->longest, &c->plan, err);

    c->is_thin = false;
    if (r >= 0 && c->plan.is_changed && p->longest > THIN_MAX)
        return ta_fail(err, TA_ERANGE,
                       "%zu values are too many to thin out: ask for them as stored", p->longest);
    return r;
}

/* 1: the next record is open. */
static int next_record(struct ta_data_columns *c, struct ta_err *err)
{
    if (c->n_left == 0)
        return 0;
    int r = read_all(c->series.file, &c->record, sizeof(c->record), c->next_at, err);
    if (r < 0)
        return r;
    c->next_at += sizeof(c->record);
    if (c->record.host_len >= TA_DATA_NAME_MAX || c->record.id_len >= TA_DATA_NAME_MAX)
        return ta_fail(err, TA_EIO, "a file with a job's data was changed");
    r = read_all(c->series.file, c->host, c->record.host_len, c->next_at, err);
    c->next_at += c->record.host_len;
    if (r >= 0)
        r = read_all(c->series.file, c->id, c->record.id_len, c->next_at, err);
    c->next_at += c->record.id_len;
    c->n_left--;
    if (r >= 0)
        r = plan(c, err);
    return r < 0 ? r : 1;
}

static size_t n_open(const struct ta_data_columns *c)
{
    return c->plan.is_changed ? c->plan.n_out : (size_t)c->record.n;
}

static int source_begin(struct ta_job_source *self, struct ta_str metric, enum ta_scope scope,
                        struct ta_err *err)
{
    struct ta_data_columns *c = TA_CONTAINER(self, struct ta_data_columns, source);
    const struct ta_data_part *p = ta_data_columns_part(c, metric, scope);

    (void)err;
    open_records(c, p, p ? p->series_at : 0, p ? p->n_series : 0);
    return TA_OK;
}

static int source_next(struct ta_job_source *self, struct ta_job_series *out, struct ta_err *err)
{
    struct ta_data_columns *c = TA_CONTAINER(self, struct ta_data_columns, source);
    int r = next_record(c, err);

    if (r <= 0)
        return r;
    *out = (struct ta_job_series){.host = {c->host, c->record.host_len},
                                  .id = {c->record.id_len ? c->id : NULL, c->record.id_len},
                                  .timestep_s = c->plan.is_changed ? c->plan.resolution_s
                                                                   : c->part->timestep_s,
                                  .n = n_open(c)};
    return 1;
}

static int source_stats(struct ta_job_source *self, struct ta_stats *out, struct ta_err *err)
{
    struct ta_data_columns *c = TA_CONTAINER(self, struct ta_data_columns, source);

    (void)err;
    *out = c->record.stats;
    return TA_OK;
}

/* The open series, up to the end of the longest one. */
static int thin_out(struct ta_data_columns *c, struct ta_err *err)
{
    size_t n = c->part->longest, have = c->record.n < n ? (size_t)c->record.n : n;

    if (c->thin_cap < n) {
        ta_release(c->alloc, c->thin, c->thin_cap * sizeof(double));
        c->thin = ta_alloc(c->alloc, n * sizeof(double));
        c->thin_cap = c->thin ? n : 0;
        if (!c->thin)
            return ta_fail(err, TA_ENOMEM, "no memory to thin out a series");
    }
    int r = read_all(c->values.file, c->thin, have * sizeof(double), c->record.values_at, err);
    for (size_t i = have; i < n; i++)
        c->thin[i] = NAN;
    if (r >= 0)
        ta_resample_run(&c->plan, c->thin, n, c->thin);
    c->is_thin = r >= 0;
    return r;
}

static int source_read(struct ta_job_source *self, size_t first, double *out, size_t n,
                       struct ta_err *err)
{
    struct ta_data_columns *c = TA_CONTAINER(self, struct ta_data_columns, source);
    size_t all = n_open(c), have = first >= all ? 0 : all - first < n ? all - first : n;
    int r = c->plan.is_changed && !c->is_thin ? thin_out(c, err) : TA_OK;

    if (r >= 0 && c->plan.is_changed && have > 0)
        memcpy(out, c->thin + first, have * sizeof(*out));
    else if (r >= 0)
        r = read_all(c->values.file, out, have * sizeof(*out),
                     c->record.values_at + first * sizeof(*out), err);
    for (size_t i = have; i < n; i++)
        out[i] = NAN;
    return r;
}

void ta_data_columns_open_statistics(struct ta_data_columns *c, const struct ta_data_part *part)
{
    open_records(c, part, part->statistics_at, part->n_statistics);
}

int ta_data_columns_next_statistic(struct ta_data_columns *c, struct ta_data_statistic *out,
                                   struct ta_err *err)
{
    int r = next_record(c, err);

    if (r <= 0)
        return r;
    c->host[c->record.host_len] = '\0';
    *out = (struct ta_data_statistic){.name = c->host,
                                      .n = n_open(c),
                                      .is_percentile = c->record.is_percentile,
                                      .is_null = c->record.is_null};
    return 1;
}

/* ---- life --------------------------------------------------------------------------------------- */

const struct ta_data_part *ta_data_columns_part(const struct ta_data_columns *c,
                                                struct ta_str metric, enum ta_scope scope)
{
    for (const struct ta_data_part *p = c->parts; p; p = p->next)
        if (p->scope == scope && ta_str_eq(p->metric, metric))
            return p;
    return NULL;
}

int ta_data_columns_read(struct ta_data_columns *c, struct ta_source *json,
                         bool (*is_wanted)(const void *self, struct ta_str metric),
                         const void *self, struct ta_file *values, struct ta_file *series,
                         uint64_t bytes_max, struct ta_arena *arena, struct ta_alloc *alloc,
                         struct ta_err *err)
{
    struct ta_data_counts counts;

    *c = (struct ta_data_columns){.source = {source_begin, source_next, source_stats, source_read},
                                  .taker = {take},
                                  .is_wanted = is_wanted,
                                  .self = self,
                                  .arena = arena,
                                  .alloc = alloc,
                                  .last = &c->parts,
                                  .bytes_max = bytes_max,
                                  .values.file = values,
                                  .series.file = series};
    ta_buf_init(&c->values.buf, alloc, BUFFER);
    ta_buf_init(&c->series.buf, alloc, BUFFER);
    int r = ta_data_read(json, &c->taker, &counts, alloc, err);
    if (r >= 0)
        r = flush(&c->values, err);
    if (r >= 0)
        r = flush(&c->series, err);
    return r;
}

void ta_data_columns_done(struct ta_data_columns *c)
{
    if (!c->alloc)
        return;
    ta_release(c->alloc, c->thin, c->thin_cap * sizeof(double));
    ta_buf_done(&c->values.buf);
    ta_buf_done(&c->series.buf);
    c->alloc = NULL;
}
