/* entry.c - see entry.h. */
#include "query/entry.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* Planning an entry, and finding one series of a group, in samples read: about a nanosecond
 * each. */
enum { OPEN_COST = 500, FIND_COST = 50 };

void ta_entry_init(struct ta_entry *e, struct ta_store *store, struct ta_metrics *metrics,
                   const struct ta_query_request *request, const struct ta_query_limits *limits,
                   struct ta_alloc *alloc, double *window)
{
    *e = (struct ta_entry){.store = store,
                           .metrics = metrics,
                           .request = request,
                           .limits = limits,
                           .alloc = alloc,
                           .window = window};
    ta_arena_init(&e->names, alloc, limits->arena_bytes);
}

void ta_entry_done(struct ta_entry *e)
{
    if (!e->alloc)
        return;
    ta_entry_close(e);
    ta_arena_done(&e->names);
}

void ta_entry_close(struct ta_entry *e)
{
    ta_release(e->alloc, e->series, e->n_series_bytes);
    e->series = NULL;
    e->n_series_bytes = 0;
}

/* ---- selections ------------------------------------------------------------------------------ */

static bool is_one_selection(const struct ta_query_item *item)
{
    return !item->type.is_set || item->is_aggregated;
}

size_t ta_entry_count(const struct ta_query_item *item)
{
    if (is_one_selection(item))
        return 1;
    return item->type_ids.n * (item->subtype.is_set ? item->subtype_ids.n : 1);
}

/* Type and id are one name in the store, with nothing between them. */
static struct ta_str joined(struct ta_arena *a, struct ta_str type, struct ta_str id)
{
    char *at = ta_arena_get(a, type.len + id.len);

    if (!at)
        return (struct ta_str){0};
    if (type.len)
        memcpy(at, type.at, type.len);
    if (id.len)
        memcpy(at + type.len, id.at, id.len);
    return (struct ta_str){at, type.len + id.len};
}

static bool select_one(struct ta_entry *e, struct ta_sel *out, struct ta_str type, struct ta_str id)
{
    *out = (struct ta_sel){.kind = TA_SEL_EXACT, .name = joined(&e->names, type, id)};
    return out->name.at != NULL;
}

/* One id is an exact element, any other number a group. */
static bool select_all(struct ta_entry *e, struct ta_sel *out, struct ta_str type,
                       const struct ta_str_list *ids)
{
    if (ids->n == 1)
        return select_one(e, out, type, ids->at[0]);

    struct ta_str *names = ta_arena_get(&e->names, ids->n * sizeof(*names));
    if (!names)
        return false;
    for (size_t i = 0; i < ids->n; i++) {
        names[i] = joined(&e->names, type, ids->at[i]);
        if (!names[i].at)
            return false;
    }
    *out = (struct ta_sel){.kind = TA_SEL_GROUP, .names = names, .n_names = ids->n};
    return true;
}

static bool select_path(struct ta_entry *e, size_t i)
{
    const struct ta_query_item *q = e->item;
    bool is_there;

    e->selection.n_path = 0;
    if (!q->type.is_set)
        return true;
    e->selection.n_path = q->subtype.is_set ? 2 : 1;
    if (q->is_aggregated) {
        is_there = select_all(e, &e->path[0], q->type.str, &q->type_ids);
        if (is_there && q->subtype.is_set)
            is_there = select_all(e, &e->path[1], q->subtype.str, &q->subtype_ids);
        return is_there;
    }

    size_t n_sub = q->subtype.is_set ? q->subtype_ids.n : 1;
    e->type_id = q->type_ids.at[i / n_sub];
    is_there = select_one(e, &e->path[0], q->type.str, e->type_id);
    if (is_there && q->subtype.is_set) {
        e->subtype_id = q->subtype_ids.at[i % n_sub];
        is_there = select_one(e, &e->path[1], q->subtype.str, e->subtype_id);
    }
    return is_there;
}

/* ---- planning ------------------------------------------------------------------------------ */

static int refuse(struct ta_entry *e, const char *words)
{
    return ta_fail(&e->error, TA_EINVAL, "[METRICSTORE]> %s", words);
}

static int plan_range(struct ta_entry *e)
{
    const struct ta_query_request *rq = e->request;

    if (rq->from_s > rq->to_s)
        return refuse(e, "invalid time range");

    int id = ta_metrics_find(e->metrics, e->item->metric);
    if (id < 0) {
        struct ta_str text = joined(&e->names, TA_STR("[METRICSTORE]> unknown metric: "),
                                    e->item->metric); /* longer than an error holds, maybe */
        if (text.at)
            e->error_text = text;
        return refuse(e, "unknown metric");
    }
    e->metric = ta_metrics_at(e->metrics, (uint32_t)id);
    e->selection.metric = (uint32_t)id;

    int r = ta_read_span(e->store, &e->selection, rq->from_s, rq->to_s, &e->span);
    if (r < 0)
        return r == TA_ENOTFOUND ? r : ta_fail(&e->error, r, "%s", ta_strerror(r));
    if (e->span.n_series > 1 && e->metric->agg == TA_AGG_NONE)
        return refuse(e, "invalid aggregation");
    return TA_OK;
}

static int plan_resampling(struct ta_entry *e)
{
    const uint64_t n = e->span.n_slots;
    size_t bytes;

    int r = ta_resample_plan(e->span.freq_s, e->item->resolution_s, n, &e->plan, &e->error);
    if (r < 0 || !e->plan.is_changed)
        return r;
    bytes = n * sizeof(double);
    if (bytes > e->limits->window_bytes)
        return ta_fail(&e->error, TA_ERANGE,
                       "resampling %" PRIu64 " values takes more memory than one request may hold",
                       n);
    if (!e->request->with_stats && !e->request->with_data)
        return TA_OK;
    e->series = ta_alloc(e->alloc, bytes);
    if (!e->series)
        return ta_fail(&e->error, TA_ENOMEM, "%s", ta_strerror(TA_ENOMEM));
    e->n_series_bytes = bytes;
    return TA_OK;
}

static void plan_padding(struct ta_entry *e)
{
    const struct ta_query_request *rq = e->request;

    e->n_pad = 0;
    if (rq->with_padding && rq->with_data)
        e->n_pad = ta_padding(e->span.from_s, rq->from_s, e->metric->freq_s);
    if (e->n_pad > TA_ENTRY_PAD_MAX)
        e->n_pad = 0;
}

enum ta_entry_kind ta_entry_open(struct ta_entry *e, const struct ta_query_item *item, size_t i)
{
    assert(!e->series && i < ta_entry_count(item));
    ta_arena_reset(&e->names);
    e->item = item;
    e->type_id = e->subtype_id = (struct ta_str){0};
    e->selection = (struct ta_selection){e->request->cluster, item->host, e->path, 0, 0};
    e->n_read = 0;
    e->n_given = 0;
    e->summary = (struct ta_summary){0};
    e->error = (struct ta_err){0};
    e->error_text = (struct ta_str){0};
    e->n_cost += OPEN_COST + (is_one_selection(item) ? item->type_ids.n * FIND_COST : 0);

    int r = select_path(e, i) ? TA_OK : ta_fail(&e->error, TA_ENOMEM, "%s", ta_strerror(TA_ENOMEM));
    if (r >= 0)
        r = plan_range(e);
    if (r == TA_ENOTFOUND)
        return TA_ENTRY_NONE;
    if (r >= 0)
        r = plan_resampling(e);
    if (r < 0) {
        if (e->error_text.len == 0)
            e->error_text = ta_str(e->error.text);
        return TA_ENTRY_ERROR;
    }
    plan_padding(e);
    return TA_ENTRY_DATA;
}

size_t ta_entry_len(const struct ta_entry *e)
{
    return e->plan.n_out;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Slots [n_read, n_read + n) of the aggregate. */
static void read_slots(struct ta_entry *e, double *out, size_t n)
{
    int64_t from = e->span.from_s + (int64_t)e->n_read * e->span.freq_s;
    int64_t found = ta_read_sum(e->store, &e->selection, from, out, n);

    if (found > 1 && e->metric->agg == TA_AGG_AVG)
        ta_scale(out, n, 1.0 / (double)found); /* times the reciprocal, as the reference */
    e->n_read += n;
    e->n_cost += n * (uint64_t)(found > 0 ? found : 1);
    e->n_samples += n * (uint64_t)(found > 0 ? found : 0);
}

static size_t next_slots(struct ta_entry *e, double *out, size_t max)
{
    uint64_t left = e->span.n_slots - e->n_read;
    size_t n = max < TA_ENTRY_SLOTS ? max : TA_ENTRY_SLOTS;

    n = left < n ? (size_t)left : n;
    if (n > 0)
        read_slots(e, out, n);
    return n;
}

/* The whole series, then in place its resampled self. */
static void read_series(struct ta_entry *e)
{
    size_t n = (size_t)e->span.n_slots;

    while (next_slots(e, e->series + e->n_read, TA_ENTRY_SLOTS) > 0)
        continue;
    ta_resample_run(&e->plan, e->series, n, e->series);
    if (e->request->with_stats)
        ta_summary_add(&e->summary, e->series, e->plan.n_out);
    ta_scale(e->series, e->plan.n_out, e->item->scale_by);
}

size_t ta_entry_window(struct ta_entry *e, double *out, size_t max)
{
    size_t n;

    if (!e->plan.is_changed) {
        n = next_slots(e, out, max);
        if (e->request->with_stats)
            ta_summary_add(&e->summary, out, n);
        ta_scale(out, n, e->item->scale_by);
        return n;
    }
    if (e->n_read == 0)
        read_series(e);
    n = e->plan.n_out - e->n_given;
    n = n < max ? n : max;
    memcpy(out, e->series + e->n_given, n * sizeof(*out));
    e->n_given += n;
    return n;
}

void ta_entry_seek(struct ta_entry *e, size_t first)
{
    if (e->plan.is_changed) {
        if (e->n_read == 0)
            read_series(e);
        e->n_given = first < e->plan.n_out ? first : e->plan.n_out;
        return;
    }
    e->n_read = first < e->span.n_slots ? first : e->span.n_slots;
    e->summary = (struct ta_summary){0};
}

/* The headers of the compressed runs say it all when one series is taken as it is. */
static bool stats_from_store(struct ta_entry *e)
{
    struct ta_read_stats s;

    if (e->plan.is_changed || e->span.n_series != 1 || e->n_read > 0)
        return false;
    if (ta_read_stats(e->store, &e->selection, e->span.from_s, e->span.to_s, &s) < 0 ||
        s.n_series != 1)
        return false;
    e->summary = (struct ta_summary){s.n_samples, s.sum, s.min, s.max};
    e->n_cost += e->span.n_slots / 64;
    return true;
}

struct ta_stats ta_entry_stats(struct ta_entry *e)
{
    struct ta_stats stats = {0};

    if (e->request->with_stats) {
        if (!stats_from_store(e))
            while (ta_entry_window(e, e->window, TA_ENTRY_SLOTS) > 0)
                continue;
        stats = ta_summary_stats(&e->summary);
    }
    ta_stats_scale(&stats, e->item->scale_by);
    return stats;
}
