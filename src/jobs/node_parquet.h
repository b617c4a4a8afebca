/* node_parquet.h - states of nodes as rows of a Parquet file.
 *
 * (spec: job-archive 9, job-repository 4, 5) One read transaction, node by node in the order of cluster,
 * subcluster, hostname, each node's states by time: the order that the file declares. States without a node come first,
 * with empty names. What is current (the newest time of each node) and what is not older than the cutoff stays.
 *
 * Memory: the Parquet writer's (11 columns of 64 KiB pages, row groups of 4 MiB), the connection's page cache, and
 * SQLite's sorter of the nodes.
 */
#ifndef TARN_JOBS_NODE_PARQUET_H
#define TARN_JOBS_NODE_PARQUET_H

#include "jobs/moved_rows.h"
#include "jobs/sql.h"

#include <stdatomic.h>

enum ta_node_column {
    TA_NODE_COL_TIME_STAMP,
    TA_NODE_COL_NODE_STATE,
    TA_NODE_COL_HEALTH_STATE,
    TA_NODE_COL_HEALTH_METRICS,
    TA_NODE_COL_CPUS,
    TA_NODE_COL_MEMORY,
    TA_NODE_COL_GPUS,
    TA_NODE_COL_JOBS_RUNNING,
    TA_NODE_COL_HOSTNAME,
    TA_NODE_COL_CLUSTER,
    TA_NODE_COL_SUBCLUSTER,
    TA_NODE_COLUMNS
};

extern const struct ta_pq_schema ta_node_parquet_schema;
extern const struct ta_pq_options ta_node_parquet_options;

struct ta_node_export {
    struct ta_sql *sql;
    struct ta_pq_writer *writer;
    struct ta_moved_rows *moved; /* every row that was put is added; NULL = not wanted */
    int64_t cutoff_s;            /* only what is older */
    uint64_t bytes_max;          /* of rows, as the reference counts them; then it ends */
    const atomic_bool *stop;     /* ends with TA_ECANCELED; may be NULL */
    uint64_t rows, bytes;        /* put */
    uint64_t odd;                /* rows left alone: a number of theirs does not fit its column */
};

/* Puts rows until all are put (0) or bytes_max is reached (1). */
int ta_node_export(struct ta_node_export *e, struct ta_err *err);

#endif
