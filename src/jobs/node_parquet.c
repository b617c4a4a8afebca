#include "jobs/node_parquet.h"

#include <sqlite3.h>

enum {
    ROW_BYTES = 100,      /* what the reference counts for a row's numbers */
    RUN_ROWS = 16 * 1024, /* a node's names are put so many rows at a time */
    STOP_ROWS = 1024      /* how often the stop flag is looked at */
};

#define STRING(column, may_miss)                                                                   \
    {                                                                                              \
        .name = column, .type = TA_PQ_BYTES, .logical = TA_PQ_STRING,                              \
        .encoding = TA_PQ_RLE_DICTIONARY, .optional = may_miss                                     \
    }
#define INTEGER(column, width, how)                                                                \
    {                                                                                              \
        .name = column, .type = width, .logical = TA_PQ_INT_SIGNED, .encoding = how                \
    }

static const struct ta_pq_column columns[TA_NODE_COLUMNS] = {
    [TA_NODE_COL_TIME_STAMP] = INTEGER("time_stamp", TA_PQ_INT64, TA_PQ_DELTA_BINARY_PACKED),
    [TA_NODE_COL_NODE_STATE] = STRING("node_state", false),
    [TA_NODE_COL_HEALTH_STATE] = STRING("health_state", false),
    [TA_NODE_COL_HEALTH_METRICS] = STRING("health_metrics", true),
    [TA_NODE_COL_CPUS] = INTEGER("cpus_allocated", TA_PQ_INT32, TA_PQ_AUTO),
    [TA_NODE_COL_MEMORY] = INTEGER("memory_allocated", TA_PQ_INT64, TA_PQ_AUTO),
    [TA_NODE_COL_GPUS] = INTEGER("gpus_allocated", TA_PQ_INT32, TA_PQ_AUTO),
    [TA_NODE_COL_JOBS_RUNNING] = INTEGER("jobs_running", TA_PQ_INT32, TA_PQ_AUTO),
    [TA_NODE_COL_HOSTNAME] = STRING("hostname", false),
    [TA_NODE_COL_CLUSTER] = STRING("cluster", false),
    [TA_NODE_COL_SUBCLUSTER] = STRING("subcluster", false),
};

static const uint16_t sorting[] = {TA_NODE_COL_CLUSTER, TA_NODE_COL_SUBCLUSTER,
                                   TA_NODE_COL_HOSTNAME, TA_NODE_COL_TIME_STAMP};

const struct ta_pq_schema ta_node_parquet_schema = {"ParquetNodeStateRow", columns, TA_NODE_COLUMNS,
                                                    sorting, TA_COUNT(sorting)};

const struct ta_pq_options ta_node_parquet_options = {
    .page_bytes = 64 * 1024, .group_bytes = 4 << 20, .group_rows = 1 << 20};

/* Columns of both statements. */
enum { ID, TIME_STAMP, NODE_STATE, HEALTH_STATE, HEALTH_METRICS, CPUS, MEMORY, GPUS, JOBS };

#define COLUMNS                                                                                    \
    "SELECT id, time_stamp, node_state, health_state, health_metrics, cpus_allocated, "            \
    "memory_allocated, gpus_allocated, jobs_running FROM node_state WHERE "

static const char nodes_text[] =
    "SELECT id, hostname, cluster, subcluster FROM node ORDER BY cluster, subcluster, hostname";
static const char states_text[] =
    COLUMNS "node_id = ?1 AND time_stamp < min(?2, (SELECT max(time_stamp) FROM node_state WHERE "
            "node_id = ?1)) ORDER BY time_stamp";
static const char strays_text[] = COLUMNS "node_id IS NULL AND time_stamp < ?2 ORDER BY time_stamp";

/* SQLite may need memory to hand a text out: a missing one must not pass for an empty one. */
static int text_at(sqlite3_stmt *row, int column, struct ta_str *out, struct ta_err *err)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    if (!text && sqlite3_column_type(row, column) != SQLITE_NULL)
        return ta_fail(err, TA_ENOMEM, "job database: no memory for a text");
    *out = (struct ta_str){text ? (const char *)text : "",
                           text ? (size_t)sqlite3_column_bytes(row, column) : 0};
    return TA_OK;
}

/* The names of a node, and the rows that do not have them yet. */
struct names {
    struct ta_str hostname, cluster, subcluster;
    uint64_t rows;
};

static int put_names(struct ta_node_export *e, struct names *n, struct ta_err *err)
{
    uint64_t rows = n->rows;

    n->rows = 0;
    int r = ta_pq_put_run(e->writer, TA_NODE_COL_HOSTNAME, n->hostname, rows, err);
    if (r >= 0)
        r = ta_pq_put_run(e->writer, TA_NODE_COL_CLUSTER, n->cluster, rows, err);
    if (r >= 0)
        r = ta_pq_put_run(e->writer, TA_NODE_COL_SUBCLUSTER, n->subcluster, rows, err);
    return r < 0 ? r : ta_pq_writer_step(e->writer, err);
}

static int put_small(struct ta_node_export *e, sqlite3_stmt *row, int from, unsigned to,
                     struct ta_err *err)
{
    return ta_pq_put_i32(e->writer, to, (int32_t)sqlite3_column_int64(row, from), err);
}

static bool fits(sqlite3_stmt *row, int column)
{
    int64_t v = sqlite3_column_int64(row, column);

    return v == (int32_t)v;
}

static int put_state(struct ta_node_export *e, sqlite3_stmt *row, struct names *n,
                     struct ta_err *err)
{
    struct ta_pq_writer *w = e->writer;
    struct ta_moved_row moved = {sqlite3_column_int64(row, ID),
                                 sqlite3_column_int64(row, TIME_STAMP)};
    struct ta_str state, health, metrics;

    int r = text_at(row, NODE_STATE, &state, err);
    if (r >= 0)
        r = text_at(row, HEALTH_STATE, &health, err);
    if (r >= 0)
        r = text_at(row, HEALTH_METRICS, &metrics, err);
    if (r < 0)
        return r;
    r = ta_pq_put_i64(w, TA_NODE_COL_TIME_STAMP, moved.time_s, err);
    if (r >= 0)
        r = ta_pq_put_run(w, TA_NODE_COL_NODE_STATE, state, 1, err);
    if (r >= 0)
        r = ta_pq_put_run(w, TA_NODE_COL_HEALTH_STATE, health, 1, err);
    if (r >= 0)
        r = metrics.len ? ta_pq_put_run(w, TA_NODE_COL_HEALTH_METRICS, metrics, 1, err)
                        : ta_pq_put_null(w, TA_NODE_COL_HEALTH_METRICS, 1, err);
    if (r >= 0)
        r = put_small(e, row, CPUS, TA_NODE_COL_CPUS, err);
    if (r >= 0)
        r = ta_pq_put_i64(w, TA_NODE_COL_MEMORY, sqlite3_column_int64(row, MEMORY), err);
    if (r >= 0)
        r = put_small(e, row, GPUS, TA_NODE_COL_GPUS, err);
    if (r >= 0)
        r = put_small(e, row, JOBS, TA_NODE_COL_JOBS_RUNNING, err);
    if (r >= 0 && e->moved)
        r = ta_moved_rows_add(e->moved, moved, err);
    if (r < 0)
        return r;
    e->rows++;
    e->bytes += ROW_BYTES + state.len + health.len + metrics.len + n->hostname.len +
                n->cluster.len + n->subcluster.len;
    return ++n->rows == RUN_ROWS ? put_names(e, n, err) : TA_OK;
}

/* The states of one node (0 = NULL). 1 = bytes_max was reached. */
static int put_states(struct ta_node_export *e, sqlite3_stmt *states, int64_t node, struct names *n,
                      struct ta_err *err)
{
    int step = SQLITE_DONE;
    int r = TA_OK;

    sqlite3_reset(states);
    sqlite3_bind_int64(states, 1, node);
    sqlite3_bind_int64(states, 2, e->cutoff_s);
    while (r >= 0 && e->bytes < e->bytes_max && (step = sqlite3_step(states)) == SQLITE_ROW) {
        if (!fits(states, CPUS) || !fits(states, GPUS) || !fits(states, JOBS)) {
            e->odd++;
            continue;
        }
        r = put_state(e, states, n, err);
        if (r >= 0 && e->rows % STOP_ROWS == 0 && e->stop && atomic_load(e->stop))
            r = ta_fail(err, TA_ECANCELED, "the export of node states was stopped");
    }
    if (r >= 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        r = ta_sql_fail(e->sql, step, "cannot read states of nodes", err);
    sqlite3_reset(states);
    if (r >= 0 && n->rows)
        r = put_names(e, n, err);
    return r < 0 ? r : e->bytes >= e->bytes_max;
}

static int put_nodes(struct ta_node_export *e, sqlite3_stmt *nodes, sqlite3_stmt *states,
                     struct ta_err *err)
{
    int step;
    int r;

    while ((step = sqlite3_step(nodes)) == SQLITE_ROW) {
        struct names n = {.rows = 0};
        r = text_at(nodes, 1, &n.hostname, err);
        if (r >= 0)
            r = text_at(nodes, 2, &n.cluster, err);
        if (r >= 0)
            r = text_at(nodes, 3, &n.subcluster, err);
        if (r >= 0)
            r = put_states(e, states, sqlite3_column_int64(nodes, 0), &n, err);
        if (r != 0)
            return r;
    }
    return step == SQLITE_DONE ? 0 : ta_sql_fail(e->sql, step, "cannot read nodes", err);
}

int ta_node_export(struct ta_node_export *e, struct ta_err *err)
{
    static const char *const texts[] = {strays_text, states_text, nodes_text};
    sqlite3_stmt *statements[TA_COUNT(texts)] = {NULL};
    struct names none = {.hostname = TA_STR(""), .cluster = TA_STR(""), .subcluster = TA_STR("")};
    int r = ta_sql_run(e->sql, "BEGIN", err);

    for (size_t i = 0; i < TA_COUNT(texts) && r >= 0; i++) {
        int found = sqlite3_prepare_v2(e->sql->db, texts[i], -1, &statements[i], NULL);
        if (found != SQLITE_OK)
            r = ta_sql_fail(e->sql, found, "cannot read states of nodes", err);
    }
    if (r >= 0)
        r = put_states(e, statements[0], 0, &none, err);
    if (r == 0)
        r = put_nodes(e, statements[2], statements[1], err);
    for (size_t i = 0; i < TA_COUNT(texts); i++)
        (void)sqlite3_finalize(statements[i]); /* repeats a step's failure */
    ta_sql_rollback(e->sql);                   /* nothing was written */
    return r;
}
