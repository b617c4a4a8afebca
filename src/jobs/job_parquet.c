/* job_parquet.c - the columns, and jobs into them.
 *
 * Everything of a job that can fail by itself (its data document, its lists as JSON) is done before the first
 * value goes into a column: then only the file's own failures can leave columns of different length.
 */
#include "jobs/job_parquet.h"

#include <stdio.h>
#include <zlib.h>

enum {
    JSON_MAX = 64 << 20,
    PIECE = 64 * 1024,
    PAGE_BYTES = 32 * 1024, /* 29 columns: 1 MiB */
    GROUP_BYTES = 4 << 20,  /* and 32 MiB of data documents */
    GROUP_ROWS = 8192,
    ROW_BYTES = 200, /* what the reference counts for a row's numbers */
    FILE_ROWS_DEFAULT = 65536
};

#define FILE_BYTES_DEFAULT (UINT64_C(512) << 20)
#define DATA_BYTES_MAX     (UINT32_C(1) << 30)

#define STRING(column, may_miss)                                                                   \
    {                                                                                              \
        .name = column, .type = TA_PQ_BYTES, .logical = TA_PQ_STRING,                              \
        .encoding = TA_PQ_RLE_DICTIONARY, .optional = may_miss                                     \
    }
#define JSON(column, may_miss)                                                                     \
    {                                                                                              \
        .name = column, .type = TA_PQ_BYTES, .encoding = TA_PQ_PLAIN, .optional = may_miss,        \
        .no_stats = true                                                                           \
    }
#define INT32(column, may_miss)                                                                    \
    {                                                                                              \
        .name = column, .type = TA_PQ_INT32, .logical = TA_PQ_INT_SIGNED, .encoding = TA_PQ_PLAIN, \
        .optional = may_miss                                                                       \
    }
#define INT64(column, may_miss)                                                                    \
    {                                                                                              \
        .name = column, .type = TA_PQ_INT64, .logical = TA_PQ_INT_SIGNED, .encoding = TA_PQ_PLAIN, \
        .optional = may_miss                                                                       \
    }

static const struct ta_pq_column columns[TA_JOB_COLUMNS] = {
    [TA_JOB_COL_JOB_ID] = INT64("job_id", false),
    [TA_JOB_COL_CLUSTER] = STRING("cluster", false),
    [TA_JOB_COL_SUB_CLUSTER] = STRING("sub_cluster", false),
    [TA_JOB_COL_PARTITION] = STRING("partition", true),
    [TA_JOB_COL_PROJECT] = STRING("project", false),
    [TA_JOB_COL_USER] = STRING("user", false),
    [TA_JOB_COL_JOB_STATE] = STRING("job_state", false),
    [TA_JOB_COL_START_TIME] = INT64("start_time", false),
    [TA_JOB_COL_DURATION] = INT32("duration", false),
    [TA_JOB_COL_WALLTIME] = INT64("walltime", false),
    [TA_JOB_COL_NUM_NODES] = INT32("num_nodes", false),
    [TA_JOB_COL_NUM_HWTHREADS] = INT32("num_hwthreads", false),
    [TA_JOB_COL_NUM_ACC] = INT32("num_acc", false),
    [TA_JOB_COL_EXCLUSIVE] = INT32("exclusive", false),
    [TA_JOB_COL_ENERGY] = {.name = "energy", .type = TA_PQ_DOUBLE, .encoding = TA_PQ_PLAIN},
    [TA_JOB_COL_SMT] = INT32("smt", false),
    [TA_JOB_COL_RESOURCES] = JSON("resources_json", false),
    [TA_JOB_COL_STATISTICS] = JSON("statistics_json", true),
    [TA_JOB_COL_TAGS] = JSON("tags_json", true),
    [TA_JOB_COL_META_DATA] = JSON("meta_data_json", true),
    [TA_JOB_COL_FOOTPRINT] = JSON("footprint_json", true),
    [TA_JOB_COL_ENERGY_FOOTPRINT] = JSON("energy_footprint_json", true),
    [TA_JOB_COL_DATA] = {.name = "metric_data_gz",
                         .type = TA_PQ_BYTES,
                         .encoding = TA_PQ_PLAIN,
                         .no_stats = true,
                         .streamed = true},
    [TA_JOB_COL_SHARED] = STRING("shared", true),
    [TA_JOB_COL_ARRAY_JOB_ID] = INT64("array_job_id", true),
    [TA_JOB_COL_SUBMIT_TIME] = INT64("submit_time", true),
    [TA_JOB_COL_REQUESTED_MEMORY] = INT64("requested_memory", true),
    [TA_JOB_COL_MONITORING_STATUS] = INT32("monitoring_status", true),
    [TA_JOB_COL_ID] = INT64("id", true),
};

/* No order is declared: jobs come as their source has them. */
const struct ta_pq_schema ta_job_parquet_schema = {
    .root = "ParquetJobRow", .columns = columns, .n_columns = TA_JOB_COLUMNS};

const enum ta_job_key ta_job_column_key[TA_JOB_COLUMNS] = {
    [TA_JOB_COL_JOB_ID] = TA_JOB_JOB_ID,
    [TA_JOB_COL_CLUSTER] = TA_JOB_CLUSTER,
    [TA_JOB_COL_SUB_CLUSTER] = TA_JOB_SUBCLUSTER,
    [TA_JOB_COL_PARTITION] = TA_JOB_PARTITION,
    [TA_JOB_COL_PROJECT] = TA_JOB_PROJECT,
    [TA_JOB_COL_USER] = TA_JOB_USER,
    [TA_JOB_COL_JOB_STATE] = TA_JOB_STATE,
    [TA_JOB_COL_START_TIME] = TA_JOB_START_TIME,
    [TA_JOB_COL_DURATION] = TA_JOB_DURATION,
    [TA_JOB_COL_WALLTIME] = TA_JOB_WALLTIME,
    [TA_JOB_COL_NUM_NODES] = TA_JOB_NUM_NODES,
    [TA_JOB_COL_NUM_HWTHREADS] = TA_JOB_NUM_HWTHREADS,
    [TA_JOB_COL_NUM_ACC] = TA_JOB_NUM_ACC,
    [TA_JOB_COL_EXCLUSIVE] = TA_JOB_KEYS,
    [TA_JOB_COL_ENERGY] = TA_JOB_ENERGY,
    [TA_JOB_COL_SMT] = TA_JOB_SMT,
    [TA_JOB_COL_RESOURCES] = TA_JOB_RESOURCES,
    [TA_JOB_COL_STATISTICS] = TA_JOB_STATISTICS,
    [TA_JOB_COL_TAGS] = TA_JOB_TAGS,
    [TA_JOB_COL_META_DATA] = TA_JOB_META_DATA,
    [TA_JOB_COL_FOOTPRINT] = TA_JOB_FOOTPRINT,
    [TA_JOB_COL_ENERGY_FOOTPRINT] = TA_JOB_ENERGY_FOOTPRINT,
    [TA_JOB_COL_DATA] = TA_JOB_KEYS,
    [TA_JOB_COL_SHARED] = TA_JOB_SHARED,
    [TA_JOB_COL_ARRAY_JOB_ID] = TA_JOB_ARRAY_JOB_ID,
    [TA_JOB_COL_SUBMIT_TIME] = TA_JOB_SUBMIT_TIME,
    [TA_JOB_COL_REQUESTED_MEMORY] = TA_JOB_REQUESTED_MEMORY,
    [TA_JOB_COL_MONITORING_STATUS] = TA_JOB_MONITORING_STATUS,
    [TA_JOB_COL_ID] = TA_JOB_ID,
};

struct ta_job_parquet_writer {
    struct ta_export_conf conf;
    struct ta_export_file file;
    uint64_t file_bytes, bytes; /* limit and sum of the rows */
    uint64_t file_rows, rows;
    bool is_broken;
    struct ta_buf json;
    size_t
        json_end[TA_JOB_COLUMNS]; /* where a column's JSON ends in `json`, after the one before */
    struct ta_file *spool;        /* the data document being put */
    char spool_path[TA_EXPORT_PATH];
    unsigned char *piece; /* PIECE bytes */
    char under[256];      /* "CLUSTER/" */
};

/* A name that is one component of a path and nothing special. */
static bool is_component(struct ta_str s)
{
    return s.len > 0 && s.len < 250 && s.at[0] != '.' && !memchr(s.at, '/', s.len) &&
           !memchr(s.at, 0, s.len);
}

static int begin(struct ta_job_parquet_writer *w, const struct ta_job_parquet_conf *conf,
                 struct ta_err *err)
{
    int n = snprintf(w->spool_path, sizeof(w->spool_path), "%s/export.data.tmp", conf->state);

    if (n < 0 || (size_t)n >= sizeof(w->spool_path))
        return ta_fail(err, TA_ERANGE, "%s: path too long", conf->state);
    w->piece = ta_alloc(conf->alloc, PIECE);
    if (!w->piece)
        return ta_fail(err, TA_ENOMEM, "no memory for a Parquet file of jobs");
    int r = ta_open(conf->vfs, w->spool_path,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600,
                    &w->spool, err);
    return r < 0 ? r : ta_export_begin(&w->file, &w->conf, err);
}

int ta_job_parquet_begin(struct ta_job_parquet_writer **out, const struct ta_job_parquet_conf *conf,
                         struct ta_str cluster, struct ta_err *err)
{
    if (!is_component(cluster))
        return ta_fail(err, TA_EINVAL, "\"%.*s\" cannot be the name of a cluster's directory",
                       TA_STR_FMT(cluster));
    struct ta_job_parquet_writer *w = ta_alloc_zero(conf->alloc, 1, sizeof(*w));
    if (!w)
        return ta_fail(err, TA_ENOMEM, "no memory for a Parquet file of jobs");
    snprintf(w->under, sizeof(w->under), "%.*s/", (int)cluster.len, cluster.at);
    w->conf = (struct ta_export_conf){
        .vfs = conf->vfs,
        .alloc = conf->alloc,
        .place = conf->place,
        .state = conf->state,
        .under = w->under,
        .prefix = TA_JOB_PARQUET_PREFIX,
        .date = conf->date,
        .file_mode = conf->file_mode,
        .schema = &ta_job_parquet_schema,
        .parquet = {.page_bytes = PAGE_BYTES, .group_bytes = GROUP_BYTES, .group_rows = GROUP_ROWS},
        .page_max = (size_t)DATA_BYTES_MAX + PIECE,
    };
    w->file_bytes = conf->file_bytes ? conf->file_bytes : FILE_BYTES_DEFAULT;
    w->file_rows = conf->file_rows ? conf->file_rows : FILE_ROWS_DEFAULT;
    ta_buf_init(&w->json, conf->alloc, JSON_MAX);
    int r = begin(w, conf, err);
    if (r < 0) {
        ta_job_parquet_free(w);
        return r;
    }
    *out = w;
    return TA_OK;
}

void ta_job_parquet_free(struct ta_job_parquet_writer *w)
{
    if (!w)
        return;
    ta_export_end(&w->file);
    if (w->spool) {
        (void)ta_close(&w->spool, NULL);                             /* scratch */
        (void)w->conf.vfs->unlink(w->conf.vfs, w->spool_path, NULL); /* the next run truncates it */
    }
    ta_buf_done(&w->json);
    ta_release(w->conf.alloc, w->piece, PIECE);
    ta_release(w->conf.alloc, w, sizeof(*w));
}

bool ta_job_parquet_is_broken(const struct ta_job_parquet_writer *w)
{
    return w->is_broken;
}

bool ta_job_parquet_is_full(const struct ta_job_parquet_writer *w)
{
    return w->bytes >= w->file_bytes || w->rows >= w->file_rows;
}

uint64_t ta_job_parquet_rows(const struct ta_job_parquet_writer *w)
{
    return w->rows;
}

/* Copies the data document to the spool; its length and checksum are known then. */
static int spool_data(struct ta_job_parquet_writer *w, struct ta_source *data, uint32_t *bytes,
                      uint32_t *crc, struct ta_err *err)
{
    uLong sum = crc32_z(0, NULL, 0);
    uint32_t at = 0;
    int64_t n;

    while (data && (n = ta_read_full(data, w->piece, PIECE, err)) != 0) {
        if (n < 0)
            return (int)n;
        if ((uint64_t)n > DATA_BYTES_MAX - at)
            return ta_fail(err, TA_ERANGE, "a data document of more than %u bytes", DATA_BYTES_MAX);
        int r = ta_pwrite_full(w->spool, w->piece, (size_t)n, at, err);
        if (r < 0)
            return r;
        sum = crc32_z(sum, w->piece, (size_t)n);
        at += (uint32_t)n;
    }
    *bytes = at;
    *crc = (uint32_t)sum;
    return TA_OK;
}

static bool is_json(unsigned column)
{
    return column >= TA_JOB_COL_RESOURCES && column <= TA_JOB_COL_ENERGY_FOOTPRINT;
}

static bool is_null(const struct ta_job *job, unsigned column)
{
    switch (column) {
    case TA_JOB_COL_STATISTICS:
        return !job->statistics.at;
    case TA_JOB_COL_TAGS:
        return job->tags.n == 0;
    case TA_JOB_COL_META_DATA:
        return !job->meta_data.at;
    case TA_JOB_COL_FOOTPRINT:
        return !job->footprint.at;
    case TA_JOB_COL_ENERGY_FOOTPRINT:
        return !job->energy_footprint.at;
    default:
        return false;
    }
}

static int render(struct ta_job_parquet_writer *w, const struct ta_job *job, struct ta_err *err)
{
    ta_buf_reset(&w->json);
    for (unsigned c = 0; c < TA_JOB_COLUMNS; c++) {
        if (is_json(c) && !is_null(job, c)) {
            struct ta_json_writer json;
            ta_json_writer_init(&json, &w->json);
            int r = ta_job_write_member(&json, job, ta_job_column_key[c]);
            if (r < 0)
                return ta_fail(err, r, "job %lld: its lists do not fit %d bytes",
                               (long long)job->job_id, JSON_MAX);
        }
        w->json_end[c] = w->json.len;
    }
    return TA_OK;
}

static struct ta_str json_of(const struct ta_job_parquet_writer *w, unsigned column)
{
    size_t from = w->json_end[column - 1];

    return (struct ta_str){w->json.at + from, w->json_end[column] - from};
}

/* The number of a column, which a job has or has not. */
static int64_t number_of(const struct ta_job *job, unsigned column)
{
    switch (column) {
    case TA_JOB_COL_JOB_ID:
        return job->job_id;
    case TA_JOB_COL_START_TIME:
        return job->start_time;
    case TA_JOB_COL_DURATION:
        return job->duration;
    case TA_JOB_COL_WALLTIME:
        return job->walltime;
    case TA_JOB_COL_NUM_NODES:
        return job->num_nodes;
    case TA_JOB_COL_NUM_HWTHREADS:
        return job->num_hwthreads;
    case TA_JOB_COL_NUM_ACC:
        return job->num_acc;
    case TA_JOB_COL_SMT:
        return job->smt;
    case TA_JOB_COL_ARRAY_JOB_ID:
        return job->array_job_id;
    case TA_JOB_COL_SUBMIT_TIME:
        return job->submit_time;
    case TA_JOB_COL_REQUESTED_MEMORY:
        return job->requested_memory;
    case TA_JOB_COL_MONITORING_STATUS:
        return job->monitoring_status;
    case TA_JOB_COL_ID:
        return job->id;
    default:
        return 0; /* exclusive */
    }
}

static struct ta_str text_of(const struct ta_job *job, unsigned column)
{
    switch (column) {
    case TA_JOB_COL_CLUSTER:
        return job->cluster;
    case TA_JOB_COL_SUB_CLUSTER:
        return job->subcluster;
    case TA_JOB_COL_PARTITION:
        return job->partition;
    case TA_JOB_COL_PROJECT:
        return job->project;
    case TA_JOB_COL_USER:
        return job->user;
    case TA_JOB_COL_JOB_STATE:
        return job->state;
    default:
        return job->shared;
    }
}

static int put_column(struct ta_job_parquet_writer *w, const struct ta_job *job, unsigned c,
                      struct ta_err *err)
{
    struct ta_pq_writer *to = w->file.writer;
    bool optional = columns[c].optional;

    switch (columns[c].type) {
    case TA_PQ_DOUBLE:
        return ta_pq_put_f64(to, c, job->energy, err);
    case TA_PQ_INT32:
    case TA_PQ_INT64: {
        int64_t v = number_of(job, c);
        if (optional && v == 0)
            return ta_pq_put_null(to, c, 1, err);
        return columns[c].type == TA_PQ_INT64 ? ta_pq_put_i64(to, c, v, err)
                                              : ta_pq_put_i32(to, c, (int32_t)v, err);
    }
    default:
        break;
    }
    struct ta_str text = is_json(c) ? json_of(w, c) : text_of(job, c);
    return optional && text.len == 0 ? ta_pq_put_null(to, c, 1, err)
                                     : ta_pq_put_run(to, c, text, 1, err);
}

static int put_row(struct ta_job_parquet_writer *w, const struct ta_job *job, uint32_t data_bytes,
                   uint32_t data_crc, struct ta_err *err)
{
    struct ta_file_source spooled;

    ta_file_source_init(&spooled, w->spool);
    int r = ta_pq_put_stream(w->file.writer, TA_JOB_COL_DATA, &spooled.source, data_bytes, data_crc,
                             err);
    for (unsigned c = 0; c < TA_JOB_COLUMNS && r >= 0; c++)
        r = columns[c].streamed ? TA_OK : put_column(w, job, c, err);
    return r < 0 ? r : ta_pq_writer_step(w->file.writer, err);
}

int ta_job_parquet_put(struct ta_job_parquet_writer *w, const struct ta_job *job,
                       struct ta_source *data_gz, struct ta_err *err)
{
    uint32_t data_bytes = 0;
    uint32_t data_crc = 0;

    if (w->is_broken)
        return ta_fail(err, TA_ESTATE, "%s: an earlier write failed", w->file.path);
    for (unsigned c = 0; c < TA_JOB_COLUMNS; c++)
        if (columns[c].type == TA_PQ_INT32 && number_of(job, c) != (int32_t)number_of(job, c))
            return ta_fail(err, TA_ERANGE, "job %lld: %s does not fit 32 bits",
                           (long long)job->job_id, columns[c].name);
    int r = render(w, job, err);
    if (r >= 0)
        r = spool_data(w, data_gz, &data_bytes, &data_crc, err);
    if (r < 0)
        return r;
    r = put_row(w, job, data_bytes, data_crc, err);
    if (r < 0) {
        w->is_broken = true;
        return r;
    }
    w->rows++;
    w->bytes += ROW_BYTES + w->json.len + data_bytes + job->cluster.len + job->subcluster.len +
                job->partition.len + job->project.len + job->user.len + job->state.len;
    return TA_OK;
}

int ta_job_parquet_finish_moved(struct ta_job_parquet_writer *w, unsigned *number,
                                struct ta_moved_rows *moved, struct ta_err *err)
{
    char name[TA_EXPORT_NAME];

    if (w->is_broken)
        return ta_fail(err, TA_ESTATE, "%s: an earlier write failed", w->file.path);
    int r = ta_export_finish(&w->file, err);
    if (r >= 0)
        r = ta_export_name(&w->conf, number, name, err);
    if (r >= 0)
        r = ta_moved_rows_commit(moved, name, err);
    if (r < 0)
        return r;
    w->file.is_there = false; /* it belongs to the record now */
    return ta_moved_rows_publish(moved, &w->conf, number, err);
}

int ta_job_parquet_finish(struct ta_job_parquet_writer *w, unsigned *number,
                          char out_name[static TA_EXPORT_NAME], struct ta_err *err)
{
    out_name[0] = 0;
    if (w->is_broken)
        return ta_fail(err, TA_ESTATE, "%s: an earlier write failed", w->file.path);
    if (w->rows == 0)
        return TA_OK;
    int r = ta_export_finish(&w->file, err);
    return r < 0 ? r : ta_export_publish(&w->file, number, out_name, err);
}
