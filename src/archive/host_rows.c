#include "archive/host_rows.h"

#include "archive/merge.h"

#include <stdatomic.h>

#define STRING(column, ends_pages)                                                                 \
    {                                                                                              \
        .name = column, .type = TA_PQ_BYTES, .logical = TA_PQ_STRING,                              \
        .encoding = TA_PQ_RLE_DICTIONARY, .cuts = ends_pages                                       \
    }
#define INTEGER(column, how, ends_pages)                                                           \
    {                                                                                              \
        .name = column, .type = TA_PQ_INT64, .logical = TA_PQ_INT_SIGNED, .encoding = how,         \
        .cuts = ends_pages                                                                         \
    }

/* Pages end at a new metric where that lets a reader skip: metric, time, value. The other columns are a few
 * bytes per row group in a single page. */
static const struct ta_pq_column columns[] = {
    STRING("cluster", false),
    STRING("hostname", false),
    STRING("metric", true),
    STRING("scope", false),
    STRING("scope_id", false),
    INTEGER("timestamp", TA_PQ_DELTA_BINARY_PACKED, true),
    INTEGER("frequency", TA_PQ_RLE_DICTIONARY, false),
    {.name = "value", .type = TA_PQ_FLOAT, .encoding = TA_PQ_BYTE_STREAM_SPLIT, .cuts = true},
};

static const struct ta_pq_column plain_columns[] = {
    STRING("cluster", false),
    STRING("hostname", false),
    STRING("metric", true),
    STRING("scope", false),
    STRING("scope_id", false),
    INTEGER("timestamp", TA_PQ_DELTA_BINARY_PACKED, true),
    INTEGER("frequency", TA_PQ_RLE_DICTIONARY, false),
    {.name = "value",
     .type = TA_PQ_FLOAT,
     .encoding = TA_PQ_PLAIN,
     .cuts = true,
     .dict_pages = true},
};

static const uint16_t sorting[] = {TA_ARC_CLUSTER, TA_ARC_HOSTNAME, TA_ARC_METRIC,
                                   TA_ARC_SCOPE,   TA_ARC_SCOPE_ID, TA_ARC_TIMESTAMP};

static const struct ta_pq_schema schema = {"ParquetMetricRow", columns, TA_ARC_COLUMNS, sorting,
                                           TA_COUNT(sorting)};
static const struct ta_pq_schema plain_schema = {"ParquetMetricRow", plain_columns, TA_ARC_COLUMNS,
                                                 sorting, TA_COUNT(sorting)};

const struct ta_pq_schema *ta_arc_schema(bool plain)
{
    return plain ? &plain_schema : &schema;
}

static int put_rows(struct ta_arc_host *h, const struct ta_arc_series *s,
                    const struct ta_arc_rows *rows, struct ta_err *err)
{
    const int64_t freq_s = rows->freq_s;
    const struct {
        unsigned column;
        struct ta_str value;
    } runs[] = {
        {TA_ARC_CLUSTER, h->cluster},   {TA_ARC_HOSTNAME, h->host},
        {TA_ARC_METRIC, s->metric},     {TA_ARC_SCOPE, s->scope},
        {TA_ARC_SCOPE_ID, s->scope_id}, {TA_ARC_FREQUENCY, {(const char *)&freq_s, sizeof(freq_s)}},
    };
    int r = TA_OK;

    for (size_t i = 0; i < TA_COUNT(runs) && r >= 0; i++)
        r = ta_pq_put_run(h->writer, runs[i].column, runs[i].value, rows->n, err);
    if (r >= 0 && rows->is_steps)
        r = ta_pq_put_steps(h->writer, TA_ARC_TIMESTAMP, rows->times[0], freq_s, rows->n, err);
    else if (r >= 0)
        r = ta_pq_put_array(h->writer, TA_ARC_TIMESTAMP, rows->times, rows->n, err);
    if (r >= 0)
        r = ta_pq_put_array(h->writer, TA_ARC_VALUE, rows->values, rows->n, err);
    if (r >= 0)
        r = ta_pq_writer_step(h->writer, err);
    h->rows += rows->n;
    return r;
}

static int put_series(struct ta_arc_host *h, struct ta_arc_merge *merge, uint32_t first, uint32_t n,
                      struct ta_err *err)
{
    const struct ta_arc_index *x = merge->index;
    const struct ta_arc_series *s = &x->series[x->order[first]];
    struct ta_arc_rows rows;
    int r = ta_arc_merge_begin(merge, first, n, h->from_s, h->to_s, err);

    while (r >= 0 && (r = ta_arc_merge_next(merge, &rows, err)) > 0)
        r = put_rows(h, s, &rows, err);
    return r;
}

static int put_all(struct ta_arc_host *h, struct ta_arc_merge *merge, struct ta_err *err)
{
    const struct ta_arc_index *x = merge->index;
    int r = TA_OK;

    for (uint32_t i = 0; i < x->n_series && r >= 0;) {
        const struct ta_arc_series *s = &x->series[x->order[i]];
        uint32_t n = 1;
        while (i + n < x->n_series && ta_arc_same_columns(s, &x->series[x->order[i + n]]))
            n++;
        if (h->stop && atomic_load_explicit(h->stop, memory_order_relaxed))
            return ta_fail(err, TA_ECANCELED, "stopped");
        if (i && !ta_str_eq(s->metric, x->series[x->order[i - 1]].metric))
            r = ta_pq_writer_cut(h->writer, err);
        if (r >= 0)
            r = put_series(h, merge, i, n, err);
        i += n;
    }
    return r;
}

int ta_arc_host_write(struct ta_arc_host *h, struct ta_arc_index *index, struct ta_err *err)
{
    /* 100 KiB of blocks: too much for the stack of a thread. */
    struct ta_arc_merge *merge = ta_alloc(index->alloc, sizeof(*merge));

    if (!merge)
        return ta_fail(err, TA_ENOMEM, "no memory to merge the files of a host");
    ta_arc_merge_init(merge, index);
    int r = put_all(h, merge, err);
    ta_arc_merge_done(merge);
    ta_release(index->alloc, merge, sizeof(*merge));
    return r < 0 ? r : TA_OK;
}
