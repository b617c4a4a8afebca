/* host_rows.h - one host's checkpoints as rows of the archive's schema.
 *
 * (spec: formats 9.) Eight required columns: cluster, hostname, metric, scope, scope_id, timestamp (s),
 * frequency (s), value (binary32). Rows of a host ascend by metric, scope, scope id and time.
 */
#ifndef TARN_ARCHIVE_HOST_ROWS_H
#define TARN_ARCHIVE_HOST_ROWS_H

#include "archive/host_index.h"
#include "parquet/writer.h"

enum ta_arc_column {
    TA_ARC_CLUSTER,
    TA_ARC_HOSTNAME,
    TA_ARC_METRIC,
    TA_ARC_SCOPE,
    TA_ARC_SCOPE_ID,
    TA_ARC_TIMESTAMP,
    TA_ARC_FREQUENCY,
    TA_ARC_VALUE,
    TA_ARC_COLUMNS
};

/* The schema; `plain` for readers that do not know byte-stream-split pages. */
const struct ta_pq_schema *ta_arc_schema(bool plain);

/* What a host's rows go into, and how many there were. */
struct ta_arc_host {
    struct ta_str cluster, host; /* valid UTF-8 */
    struct ta_pq_writer *writer;
    int64_t from_s, to_s;     /* rows with from_s <= time < to_s */
    uint64_t rows;            /* counted up */
    const _Atomic bool *stop; /* NULL: never; TA_ECANCELED when it becomes true */
};

/* Appends the rows of a sorted index. Row groups end where their budget says; the last one stays open. */
int ta_arc_host_write(struct ta_arc_host *h, struct ta_arc_index *index, struct ta_err *err);

#endif
