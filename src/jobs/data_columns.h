/* data_columns.h - a job's data document taken apart, so that its series can be read in any order.
 *
 * A document is a stream, and what stands behind the values of a metric says how to read them: the time step,
 * and whether there are other scopes. So the values go into one file, as they come, and what is said of each
 * series into another one; the series are then read from there like those of the store (job_source.h).
 * Series of a metric that is asked for coarser than it is stored are thinned out, all of one scope alike:
 * when the longest one is long enough for it. (spec: archiver 2.10)
 *
 *     file of values    doubles of this machine, series after series
 *     file of series    struct ta_data_record, host, id; one after the other
 *
 * Memory: 128 KiB; for each metric and scope 200 bytes; and for a series that is thinned out its values, at most
 * 2 million.
 */
#ifndef TARN_JOBS_DATA_COLUMNS_H
#define TARN_JOBS_DATA_COLUMNS_H

#include "base/arena.h"
#include "io/vfs.h"
#include "jobs/data_check.h"
#include "jobs/job_source.h"
#include "query/cluster.h"
#include "query/resample.h"

enum { TA_DATA_NAME_MAX = 1024 }; /* bytes of a host's name, or of an id */

/* What the document has of a metric at one scope. */
struct ta_data_part {
    struct ta_data_part *next;
    struct ta_str metric;
    enum ta_scope scope;
    struct ta_unit unit;
    int64_t timestep_s;
    size_t n_series, n_statistics, longest; /* of all series: values */
    uint64_t series_at, series_end;         /* in the file of series */
    uint64_t statistics_at, statistics_end; /* there, too: the statistics series */
};

/* Written one after the other. */
struct ta_data_column {
    struct ta_file *file;
    struct ta_buf buf;
    uint64_t at; /* of the end, with what is in buf */
};

struct ta_data_record {
    uint64_t values_at; /* in the file of values */
    uint64_t n;
    struct ta_stats stats;
    uint32_t host_len, id_len;
    bool has_stats, is_percentile, is_null;
};

struct ta_data_columns {
    struct ta_job_source source;
    struct ta_data_part *parts; /* in the order of the document */
    size_t n_parts;
    int64_t resolution_s; /* for reading; 0: as stored. Where it does not fit: as stored, too */
    /* private */
    struct ta_data_taker taker;
    bool (*is_wanted)(const void *self, struct ta_str metric);
    const void *self;
    struct ta_arena *arena;
    struct ta_alloc *alloc;
    struct ta_data_part **last, *part;
    struct ta_str metric;
    uint64_t bytes_max;
    struct ta_data_column values, series;
    struct ta_data_record record; /* being written, or open */
    char host[TA_DATA_NAME_MAX], id[TA_DATA_NAME_MAX];
    struct ta_summary summary;
    /* of reading */
    uint64_t next_at;
    size_t n_left;
    struct ta_resample plan;
    double *thin; /* the open series, once it has been read */
    size_t thin_cap;
    bool is_thin;
};

/* Takes a document apart: what `is_wanted` says of its metrics. The files are empty and the caller's to close;
 * at most bytes_max in each (TA_ERANGE). TA_EFORMAT as of data_check.h. Done is due in any case. */
int ta_data_columns_read(struct ta_data_columns *c, struct ta_source *json,
                         bool (*is_wanted)(const void *self, struct ta_str metric),
                         const void *self, struct ta_file *values, struct ta_file *series,
                         uint64_t bytes_max, struct ta_arena *arena, struct ta_alloc *alloc,
                         struct ta_err *err);
void ta_data_columns_done(struct ta_data_columns *c); /* fine on a zeroed struct */

/* NULL: there is none. */
const struct ta_data_part *ta_data_columns_part(const struct ta_data_columns *c,
                                                struct ta_str metric, enum ta_scope scope);

/* The statistics series of a part. open -> next ... -> next: 1 = the next one is open and its values are read
 * with source.read, 0 = no more. The name is borrowed until the next call and ends with a NUL. */
struct ta_data_statistic {
    const char *name;
    size_t n;
    bool is_percentile, is_null;
};
void ta_data_columns_open_statistics(struct ta_data_columns *c, const struct ta_data_part *part);
int ta_data_columns_next_statistic(struct ta_data_columns *c, struct ta_data_statistic *out,
                                   struct ta_err *err);

#endif
