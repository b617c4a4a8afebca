/* job_parquet_read.c - one cursor a column, stepped together row by row. */
#include "jobs/job_parquet_read.h"

#include "jobs/job_parquet.h"
#include "parquet/reader.h"

#include <string.h>

enum { LISTS_MAX = 64 << 20 };

#define PAGE_MAX_DEFAULT ((size_t)1 << 30)

struct column {
    struct ta_pq_cursor *cursor; /* NULL: the file has no such column */
    unsigned number;             /* in the file */
    bool is_wide;                /* integers of 64 bits, whatever we write */
    struct ta_pq_batch batch;
    uint64_t at; /* rows of the batch that were given out */
};

struct ta_job_parquet_reader {
    struct ta_pq_reader *parquet;
    struct ta_alloc *alloc;
    struct ta_arena arena; /* the lists of the job given out last */
    uint32_t group;        /* the next row group to open */
    uint64_t rows_left;    /* in the open one */
    struct column columns[TA_JOB_COLUMNS];
};

/* One row's value of a column. */
struct value {
    bool is_there;
    int64_t number;
    double real;
    struct ta_str text;
};

static bool fits(enum ta_pq_type wanted, enum ta_pq_type found)
{
    bool is_int = found == TA_PQ_INT32 || found == TA_PQ_INT64;

    return wanted == found || (is_int && (wanted == TA_PQ_INT32 || wanted == TA_PQ_INT64));
}

static bool is_needed(unsigned column)
{
    return column == TA_JOB_COL_JOB_ID || column == TA_JOB_COL_CLUSTER ||
           column == TA_JOB_COL_START_TIME || column == TA_JOB_COL_RESOURCES;
}

static int open_column(struct ta_job_parquet_reader *r, unsigned i, struct ta_err *err)
{
    const struct ta_pq_column *spec = &ta_job_parquet_schema.columns[i];
    int found = ta_pq_reader_find(r->parquet, spec->name);

    if (i == TA_JOB_COL_EXCLUSIVE)
        return TA_OK;
    if (found < 0)
        return is_needed(i)
                   ? ta_fail(err, TA_EFORMAT, "not a file of jobs: no column %s", spec->name)
                   : TA_OK;
    enum ta_pq_type type = ta_pq_reader_field(r->parquet, (unsigned)found)->type;
    if (!fits(spec->type, type))
        return ta_fail(err, TA_EFORMAT, "column %s has type %s instead of %s", spec->name,
                       ta_pq_type_name(type), ta_pq_type_name(spec->type));
    r->columns[i].number = (unsigned)found;
    r->columns[i].is_wide = type == TA_PQ_INT64;
    return ta_pq_cursor_new(&r->columns[i].cursor, r->parquet, err);
}

int ta_job_parquet_open(struct ta_job_parquet_reader **out, struct ta_file *file, size_t page_max,
                        struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_pq_limits limits = {.page_max = page_max ? page_max : PAGE_MAX_DEFAULT};
    struct ta_job_parquet_reader *r = ta_alloc_zero(alloc, 1, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "no memory to read jobs");
    r->alloc = alloc;
    ta_arena_init(&r->arena, alloc, LISTS_MAX);
    int e = ta_pq_reader_open(&r->parquet, file, &limits, alloc, err);
    for (unsigned i = 0; i < TA_JOB_COLUMNS && e >= 0; i++)
        e = open_column(r, i, err);
    if (e < 0) {
        ta_job_parquet_close(r);
        return e;
    }
    *out = r;
    return TA_OK;
}

void ta_job_parquet_close(struct ta_job_parquet_reader *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < TA_JOB_COLUMNS; i++)
        ta_pq_cursor_free(r->columns[i].cursor);
    ta_pq_reader_close(r->parquet);
    ta_arena_done(&r->arena);
    ta_release(r->alloc, r, sizeof(*r));
}

uint64_t ta_job_parquet_jobs(const struct ta_job_parquet_reader *r)
{
    return ta_pq_reader_rows(r->parquet);
}

/* Opens the next row group that has rows; 0 = there is none. */
static int next_group(struct ta_job_parquet_reader *r, struct ta_err *err)
{
    while (r->rows_left == 0) {
        const struct ta_pq_group *group;
        if (r->group == ta_pq_reader_groups(r->parquet))
            return 0;
        int e = ta_pq_reader_group(r->parquet, r->group, &group, err);
        if (e < 0)
            return e;
        r->rows_left = group->rows;
        for (unsigned i = 0; i < TA_JOB_COLUMNS; i++) {
            struct column *c = &r->columns[i];
            c->batch.n = c->at = 0;
            e = c->cursor ? ta_pq_cursor_open(c->cursor, r->group, c->number, err) : TA_OK;
            if (e < 0)
                return e;
        }
        r->group++;
    }
    return 1;
}

static int64_t integer(const struct column *c, size_t at)
{
    int32_t narrow;
    int64_t wide;

    if (c->is_wide) {
        memcpy(&wide, (const char *)c->batch.numbers + at * sizeof(wide), sizeof(wide));
        return wide;
    }
    memcpy(&narrow, (const char *)c->batch.numbers + at * sizeof(narrow), sizeof(narrow));
    return narrow;
}

static int next_value(struct column *c, unsigned i, struct value *out, struct ta_err *err)
{
    *out = (struct value){0};
    if (!c->cursor)
        return TA_OK;
    if (c->at == c->batch.n) {
        int e = ta_pq_cursor_next(c->cursor, 0, &c->batch, err);
        if (e <= 0)
            return e < 0 ? e
                         : ta_fail(err, TA_EFORMAT, "column %s ends before its row group",
                                   ta_job_parquet_schema.columns[i].name);
        c->at = 0;
    }
    uint64_t at = c->at++;
    if (c->batch.is_null)
        return TA_OK;
    size_t place = c->batch.is_run ? 0 : (size_t)at;
    out->is_there = true;
    switch (ta_job_parquet_schema.columns[i].type) {
    case TA_PQ_BYTES:
        out->text = c->batch.strings[place];
        break;
    case TA_PQ_DOUBLE:
        memcpy(&out->real, (const char *)c->batch.numbers + place * sizeof(double), sizeof(double));
        break;
    default:
        out->number = integer(c, place);
        break;
    }
    return TA_OK;
}

static void set_text(struct ta_job *job, unsigned column, struct ta_str v)
{
    switch (column) {
    case TA_JOB_COL_CLUSTER:
        job->cluster = v;
        break;
    case TA_JOB_COL_SUB_CLUSTER:
        job->subcluster = v;
        break;
    case TA_JOB_COL_PARTITION:
        job->partition = v;
        break;
    case TA_JOB_COL_PROJECT:
        job->project = v;
        break;
    case TA_JOB_COL_USER:
        job->user = v;
        break;
    case TA_JOB_COL_JOB_STATE:
        job->state = v;
        break;
    default:
        job->shared = v;
        break;
    }
}

static void set_number(struct ta_job *job, unsigned column, int64_t v)
{
    switch (column) {
    case TA_JOB_COL_JOB_ID:
        job->job_id = v;
        break;
    case TA_JOB_COL_START_TIME:
        job->start_time = v;
        break;
    case TA_JOB_COL_DURATION:
        job->duration = v;
        break;
    case TA_JOB_COL_WALLTIME:
        job->walltime = v;
        break;
    case TA_JOB_COL_NUM_NODES:
        job->num_nodes = v;
        break;
    case TA_JOB_COL_NUM_HWTHREADS:
        job->num_hwthreads = v;
        break;
    case TA_JOB_COL_NUM_ACC:
        job->num_acc = v;
        break;
    case TA_JOB_COL_SMT:
        job->smt = v;
        break;
    case TA_JOB_COL_ARRAY_JOB_ID:
        job->array_job_id = v;
        break;
    case TA_JOB_COL_SUBMIT_TIME:
        job->submit_time = v;
        break;
    case TA_JOB_COL_REQUESTED_MEMORY:
        job->requested_memory = v;
        break;
    case TA_JOB_COL_MONITORING_STATUS:
        job->monitoring_status = v;
        break;
    default:
        job->id = v;
        break;
    }
}

static bool is_list(unsigned column)
{
    return column >= TA_JOB_COL_RESOURCES && column <= TA_JOB_COL_ENERGY_FOOTPRINT;
}

static int take_value(struct ta_job_parquet_reader *r, struct ta_job *job, unsigned i,
                      const struct value *v, struct ta_err *err)
{
    enum ta_job_key key = ta_job_column_key[i];

    if (!v->is_there || key == TA_JOB_KEYS)
        return TA_OK;
    job->given |= UINT32_C(1) << key;
    if (is_list(i)) {
        int e = ta_job_read_member(job, key, v->text, &r->arena, r->alloc, err);
        return e < 0 ? ta_fail_context(err, e, "job %lld: column %s: ", (long long)job->job_id,
                                       ta_job_parquet_schema.columns[i].name)
                     : TA_OK;
    }
    if (i == TA_JOB_COL_ENERGY)
        job->energy = v->real;
    else if (ta_job_parquet_schema.columns[i].type == TA_PQ_BYTES)
        set_text(job, i, v->text);
    else
        set_number(job, i, v->number);
    return TA_OK;
}

int ta_job_parquet_next(struct ta_job_parquet_reader *r, struct ta_job *out, struct ta_str *data_gz,
                        struct ta_err *err)
{
    int e = next_group(r, err);

    if (e <= 0)
        return e;
    ta_arena_reset(&r->arena);
    memset(out, 0, sizeof(*out));
    *data_gz = (struct ta_str){NULL, 0};
    for (unsigned i = 0; i < TA_JOB_COLUMNS; i++) {
        struct value v;
        e = next_value(&r->columns[i], i, &v, err);
        if (e >= 0)
            e = take_value(r, out, i, &v, err);
        if (e < 0)
            return e;
        if (i == TA_JOB_COL_DATA)
            *data_gz = v.text;
    }
    if (out->shared.len == 0) {
        out->shared = TA_STR("none");
        out->given |= UINT32_C(1) << TA_JOB_SHARED;
    }
    r->rows_left--;
    return 1;
}
