/* document_write.h - the bytes of a job's data document, from calls in document order.
 *
 *     {"<metric>":{"<scope>":{
 *        "statisticsSeries":{"mean":null,"median":[..],"min":[..],"max":[..]},      when there are
 *        "unit":{"base":"..","prefix":".."},
 *        "series":[{"hostname":"..","id":"..","statistics":{"min":..,"avg":..,"max":..},
 *                   "data":[..]}, ...],
 *        "timestep":60}}}
 *
 * (spec: job-archive 4) Numbers have two decimals as in the reference: statistics and statistics
 * series those of the double, data those of the nearest binary32. What is no finite number is null.
 *
 * The same metrics may stand in a list instead, as answers have them: TA_DOCUMENT_NAMED and _LABELLED.
 * (spec: archiver 3.1)
 *
 * Knows no order: metrics and scopes come as the caller gives them. Memory: one buffer of 64 KiB.
 */
#ifndef TARN_JOBS_DOCUMENT_WRITE_H
#define TARN_JOBS_DOCUMENT_WRITE_H

#include "io/json_write.h"
#include "io/stream.h"
#include "query/values.h"

enum ta_document_form {
    TA_DOCUMENT_TREE,    /* as above */
    TA_DOCUMENT_NAMED,   /* [{"metric":{...},"name":"<metric>","scope":"<scope>"}, ...] */
    TA_DOCUMENT_LABELLED /* [{"name":"<metric>","scope":"<scope>","metric":{...}}, ...] */
};

struct ta_document_writer {
    struct ta_sink *sink;
    enum ta_document_form form;
    bool is_part;         /* something of the caller's goes on behind it: no line feed at the end */
    struct ta_str metric; /* open; the caller's */
    struct ta_str scope;
    struct ta_buf buf;
    struct ta_json_writer json;
    bool is_series;   /* values are of a series: as binary32 */
    uint64_t n_bytes; /* given to the sink */
};

/* Borrows the sink. Takes no memory yet. */
void ta_document_init(struct ta_document_writer *w, struct ta_sink *sink, struct ta_alloc *alloc);
/* A document of that form in the middle of a larger one. */
void ta_document_init_part(struct ta_document_writer *w, struct ta_sink *sink,
                           enum ta_document_form form, struct ta_alloc *alloc);
void ta_document_done(struct ta_document_writer *w); /* fine on a zeroed struct */

/* Each returns the first error of memory or sink, which sticks; its words are given once. The name of a
 * metric is borrowed to the end of the metric. */
int ta_document_metric(struct ta_document_writer *w, struct ta_str name, struct ta_err *err);
int ta_document_metric_end(struct ta_document_writer *w, struct ta_err *err);
int ta_document_scope(struct ta_document_writer *w, struct ta_str name, struct ta_err *err);
int ta_document_scope_end(struct ta_document_writer *w, int64_t timestep_s, struct ta_err *err);
/* Before the unit: statistics, one array after the other, each with its values. The reference's order is
 * percentiles (if there are any), mean, median, min, max; one that is not known is none. */
int ta_document_statistics(struct ta_document_writer *w, struct ta_err *err);
int ta_document_percentiles(struct ta_document_writer *w, struct ta_err *err);
int ta_document_percentiles_end(struct ta_document_writer *w, struct ta_err *err);
int ta_document_statistic(struct ta_document_writer *w, struct ta_str name, struct ta_err *err);
int ta_document_statistic_null(struct ta_document_writer *w, struct ta_str name,
                               struct ta_err *err);
int ta_document_statistic_end(struct ta_document_writer *w, struct ta_err *err);
int ta_document_statistics_end(struct ta_document_writer *w, struct ta_err *err);
/* Begins the list of series, too. */
int ta_document_unit(struct ta_document_writer *w, struct ta_str base, struct ta_str prefix,
                     struct ta_err *err);
/* id.len 0: none. Statistics that are no finite numbers are zero. */
int ta_document_series(struct ta_document_writer *w, struct ta_str host, struct ta_str id,
                       const struct ta_stats *stats, struct ta_err *err);
int ta_document_series_end(struct ta_document_writer *w, struct ta_err *err);
/* Of the open series or statistic: any number, in any pieces. */
int ta_document_values(struct ta_document_writer *w, const double *v, size_t n, struct ta_err *err);
/* All is with the sink. */
int ta_document_finish(struct ta_document_writer *w, struct ta_err *err);

#endif
