/* node_retention.h - old states of nodes out of the job database: into Parquet files, or away.
 *
 * (spec: job-archive 11.3, job-repository 5) A state goes when it is older than the cutoff and not of its node's
 * newest time. Moving makes one file after the other: rows under a temporary name, synced, read back, compared;
 * the list of them recorded (moved_rows.h); the file published; then exactly the listed rows deleted, in
 * transactions of at most batch_rows. Whatever fails or dies, the next run goes on where this one was: no row is
 * lost, and none stands in two files.
 *
 * Memory: see node_parquet.h; it depends on nothing but the number of nodes. The read transaction of a
 * file lasts as long as writing its rows, never over a deletion.
 */
#ifndef TARN_JOBS_NODE_RETENTION_H
#define TARN_JOBS_NODE_RETENTION_H

#include "archive/place.h"
#include "jobs/sql.h"

#include <stdatomic.h>

enum { TA_NODE_BATCH_ROWS = 10000 };

struct ta_node_retention {
    struct ta_sql *sql;
    int64_t cutoff_s;
    uint32_t batch_rows;     /* of a deleting transaction; 0 = TA_NODE_BATCH_ROWS */
    const atomic_bool *stop; /* TA_ECANCELED between two steps; may be NULL */

    /* Moving only. */
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_arc_place *place;
    const char *
        state; /* directory of this task alone; exists. On the file system of a directory's place */
    const char *date;    /* for the names of the files, "2026-11-28" */
    uint64_t file_bytes; /* of rows in a file, as the reference counts them; 0 = 128 MiB */
    unsigned file_mode;  /* 0 = 0640 */
};

/* What was done, also when the run failed. */
struct ta_node_retained {
    uint64_t exported, deleted; /* rows */
    uint64_t files, bytes;      /* published */
    uint64_t odd;               /* rows that no file can hold; they stay (node_parquet.h) */
};

/* TA_ESTATE: another run works in the same state directory. */
int ta_node_states_move(const struct ta_node_retention *conf, struct ta_node_retained *out,
                        struct ta_err *err);
int ta_node_states_delete(const struct ta_node_retention *conf, struct ta_node_retained *out,
                          struct ta_err *err);

#endif
