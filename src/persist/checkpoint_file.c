/* checkpoint_file.c - one range of one host into one checkpoint file. */
#include "persist/checkpoint_int.h"
#include "store/walk.h"

#include <math.h>

enum {
    BUFFER_BATCH = 64,
    /* An array has a value for each slot, so the next file is cheaper than a long gap: a clock that stepped back by a
     * year would make arrays of a year. At 60 s these are three days: more than a host is away as a rule. */
    GAP_SLOTS = 4096,
    FILE_MODE = 0640,
    DIR_MODE = 0750
};

/* The buffers of one series, oldest first, fetched a batch at a time. */
struct buffers {
    struct ta_checkpoint_job *job;
    struct ta_column_key key;
    struct ta_buffer_info info[BUFFER_BATCH];
    size_t n, next;
    int64_t after_s;
    bool is_end;   /* nothing lies behind this batch */
    bool is_first; /* this batch is the first one */
};

struct ta_column_key ta_checkpoint_key(const struct ta_walk_series *series)
{
    return (struct ta_column_key){.metric = series->metric,
                                  .type = ta_name_str(&series->type),
                                  .stype = ta_name_str(&series->stype)};
}

static void buffers_begin(struct buffers *b, struct ta_checkpoint_job *job,
                          const struct ta_walk_series *series)
{
    b->job = job;
    b->key = ta_checkpoint_key(series);
    b->n = b->next = 0;
    b->after_s = INT64_MIN;
    b->is_end = b->is_first = false;
}

/* From the oldest again; what was fetched already is not asked for twice. */
static void buffers_rewind(struct buffers *b)
{
    b->next = 0;
    if (b->is_first)
        return;
    b->n = 0;
    b->after_s = INT64_MIN;
    b->is_end = false;
}

static const struct ta_buffer_info *buffers_next(struct buffers *b)
{
    if (b->next == b->n) {
        if (b->is_end)
            return NULL;
        b->is_first = b->after_s == INT64_MIN;
        b->n = ta_walk_buffers(b->job->source, b->job->cluster, b->job->host, &b->key, b->after_s,
                               b->info, BUFFER_BATCH);
        b->next = 0;
        b->is_end = b->n < BUFFER_BATCH;
        if (b->n == 0)
            return NULL;
        b->after_s = b->info[b->n - 1].start_s;
    }
    return &b->info[b->next++];
}

static uint32_t slots_before(int64_t centre_s, int64_t freq_s, uint32_t len, int64_t t)
{
    if (t <= centre_s)
        return 0;
    /* Differences of Unix times; a boundary of INT64_MAX against a time before 1970 must not wrap. */
    uint64_t span = (uint64_t)t - (uint64_t)centre_s;
    uint64_t n = span / (uint64_t)freq_s + (span % (uint64_t)freq_s != 0);
    return n < len ? (uint32_t)n : len;
}

bool ta_checkpoint_part_of(const struct ta_buffer_info *b, int64_t from_s, int64_t to_s,
                           struct ta_checkpoint_part *out)
{
    out->centre_s = b->start_s + b->freq_s / 2;
    out->first = slots_before(out->centre_s, b->freq_s, b->len, from_s);
    out->end = slots_before(out->centre_s, b->freq_s, b->len, to_s);
    return out->end > out->first;
}

static int64_t centre_of(const struct ta_checkpoint_part *p, const struct ta_buffer_info *b,
                         uint32_t slot)
{
    return p->centre_s + (int64_t)slot * b->freq_s;
}

/* ---- planning -------------------------------------------------------------------------------- */

/* First and last centre of a series in the range, up to where its phase first changes or it goes on after a long
 * gap. */
struct extent {
    int64_t first_s, last_s, change_s; /* INT64_MAX, INT64_MIN, INT64_MAX when there is none */
};

static void series_extent(struct buffers *all, int64_t from_s, int64_t to_s, struct extent *e)
{
    const struct ta_buffer_info *b;
    int64_t before_s = INT64_MIN;

    buffers_rewind(all);
    while ((b = buffers_next(all))) {
        struct ta_checkpoint_part p;
        if (!ta_checkpoint_part_of(b, from_s, to_s, &p))
            continue;
        int64_t first = centre_of(&p, b, p.first);
        int64_t last = centre_of(&p, b, p.end - 1);
        e->first_s = first < e->first_s ? first : e->first_s;
        if (before_s != INT64_MIN &&
            ((first - before_s) % b->freq_s != 0 || (first - before_s) / b->freq_s > GAP_SLOTS)) {
            e->change_s = first < e->change_s ? first : e->change_s;
            return; /* what lies behind the change belongs to another file */
        }
        e->last_s = last > e->last_s ? last : e->last_s;
        before_s = last;
    }
}

bool ta_checkpoint_plan(struct ta_checkpoint_job *job, int64_t from_s, int64_t to_s,
                        struct ta_checkpoint_range *out)
{
    struct extent all = {INT64_MAX, INT64_MIN, INT64_MAX};
    struct ta_walk_series series;

    for (bool is_first = true;
         ta_walk_series_next(job->source, job->cluster, job->host, is_first, &series);
         is_first = false) {
        struct buffers buffers;
        buffers_begin(&buffers, job, &series);
        series_extent(&buffers, from_s, to_s, &all);
    }
    if (all.first_s == INT64_MAX)
        return false;
    out->from_s = all.first_s;
    out->is_last = all.change_s == INT64_MAX;
    out->to_s = !out->is_last ? all.change_s : to_s == TA_CHECKPOINT_ALL ? all.last_s + 1 : to_s;
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int put_missing(struct ta_checkpoint_job *job, struct ta_tree_writer *w, uint64_t n,
                       struct ta_err *err)
{
    size_t room = n < TA_CHECKPOINT_WINDOW ? (size_t)n : TA_CHECKPOINT_WINDOW;

    for (size_t i = 0; i < room; i++)
        job->window[i] = NAN;
    while (n > 0) {
        size_t m = n < TA_CHECKPOINT_WINDOW ? (size_t)n : TA_CHECKPOINT_WINDOW;
        int r = ta_tree_values(w, job->window, m, err);
        if (r < 0)
            return r;
        n -= m;
    }
    return TA_OK;
}

static int put_part(struct ta_checkpoint_job *job, struct ta_tree_writer *w,
                    const struct buffers *all, const struct ta_buffer_info *b, uint32_t first,
                    uint32_t end, struct ta_err *err)
{
    for (uint32_t at = first; at < end;) {
        size_t n = end - at < TA_CHECKPOINT_WINDOW ? end - at : TA_CHECKPOINT_WINDOW;
        int64_t got = ta_walk_slots(job->source, job->cluster, job->host, &all->key, b->start_s, at,
                                    job->window, n);
        /* Freed in this moment: the slots are missing, as they would be a moment later. */
        for (size_t i = got > 0 ? (size_t)got : 0; i < n; i++)
            job->window[i] = NAN;
        int r = ta_tree_values(w, job->window, n, err);
        if (r < 0)
            return r;
        at += (uint32_t)n;
    }
    return TA_OK;
}

/* The slots of the series that lie in the range, as one array. A writer may change the chain meanwhile:
 * the array keeps the length it was announced with, and what came later is touched for the next run. */
static int put_array(struct ta_checkpoint_job *job, struct ta_tree_writer *w, struct buffers *all,
                     const struct ta_checkpoint_range *range, int64_t first_s, uint64_t n_slots,
                     struct ta_err *err)
{
    const struct ta_buffer_info *b;
    uint64_t done = 0;
    int r = TA_OK;

    buffers_rewind(all);
    while (r == TA_OK && (b = buffers_next(all))) {
        struct ta_checkpoint_part p;
        if (!ta_checkpoint_part_of(b, range->from_s, range->to_s, &p))
            continue;
        int64_t ahead = centre_of(&p, b, p.first) - first_s;
        if (ahead < 0 || ahead % b->freq_s != 0 || (uint64_t)(ahead / b->freq_s) < done)
            continue;
        uint64_t at = (uint64_t)(ahead / b->freq_s);
        if (at >= n_slots)
            break;
        uint32_t end = n_slots - at < p.end - p.first ? p.first + (uint32_t)(n_slots - at) : p.end;
        r = put_missing(job, w, at - done, err);
        if (r == TA_OK)
            r = put_part(job, w, all, b, p.first, end, err);
        done = at + (end - p.first);
    }
    return r < 0 ? r : put_missing(job, w, n_slots - done, err);
}

/* Where the walk stands in the tree being written. */
struct place {
    struct ta_walk_series last;
    bool has_type, has_stype;
};

/* Opens the level of `series` if it is not open. The walk gives a level before its children. */
static int go_to_level(struct ta_tree_writer *w, struct place *at,
                       const struct ta_walk_series *series, struct ta_err *err)
{
    struct ta_str type = ta_name_str(&series->type);
    struct ta_str stype = ta_name_str(&series->stype);
    bool is_same_type = at->has_type && ta_str_eq(type, ta_name_str(&at->last.type));
    int r = TA_OK;

    if (type.len > 0 && !is_same_type) {
        r = ta_tree_child(w, 0, type, err);
        at->has_type = true;
        at->has_stype = false;
    }
    bool is_same_stype =
        is_same_type && at->has_stype && ta_str_eq(stype, ta_name_str(&at->last.stype));
    if (r == TA_OK && stype.len > 0 && !is_same_stype) {
        r = ta_tree_child(w, 1, stype, err);
        at->has_stype = true;
    }
    at->last = *series;
    return r;
}

static int put_series(struct ta_checkpoint_job *job, struct ta_tree_writer *w, struct place *at,
                      const struct ta_metrics *metrics, const struct ta_walk_series *series,
                      const struct ta_checkpoint_range *range, struct ta_err *err)
{
    struct extent e = {INT64_MAX, INT64_MIN, INT64_MAX};
    struct buffers all;

    buffers_begin(&all, job, series);
    series_extent(&all, range->from_s, range->to_s, &e);
    if (e.first_s == INT64_MAX)
        return TA_OK;
    /* A change that came since the plan was made ends the array: it is touched, the next run has it. */
    uint64_t n = (uint64_t)(e.last_s - e.first_s) / (uint64_t)series->freq_s + 1;
    if (n > UINT32_MAX)
        return ta_fail(err, TA_ERANGE, "a series of %llu slots does not fit a checkpoint file",
                       (unsigned long long)n);
    int r = go_to_level(w, at, series, err);
    if (r == TA_OK)
        r = ta_tree_metric(w, ta_metrics_at(metrics, series->metric)->name, series->freq_s,
                           e.first_s, (uint32_t)n, err);
    return r < 0 ? r : put_array(job, w, &all, range, e.first_s, n, err);
}

static int put_host(struct ta_checkpoint_job *job, struct ta_tree_writer *w,
                    const struct ta_checkpoint_range *range, struct ta_err *err)
{
    struct ta_metrics *metrics = ta_store_metrics(job->source);
    struct ta_walk_series series;
    struct place at = {0};
    int r = TA_OK;

    for (bool is_first = true;
         r == TA_OK && ta_walk_series_next(job->source, job->cluster, job->host, is_first, &series);
         is_first = false)
        r = put_series(job, w, &at, metrics, &series, range, err);
    ta_metrics_unref(metrics);
    return r;
}

static int write_tree(struct ta_checkpoint_job *job, struct ta_file *file,
                      const struct ta_checkpoint_range *range, struct ta_tree_writer *w,
                      uint64_t *out_bytes, struct ta_err *err)
{
    int r = ta_tree_begin(w, job->conf->format, file, job->buffer, sizeof(job->buffer),
                          range->from_s, range->to_s, err);

    if (r == TA_OK) {
        ta_tree_seal(w, &job->seal);
        r = put_host(job, w, range, err);
    }
    if (r == TA_OK)
        r = ta_tree_end(w, out_bytes, err);
    return r < 0 ? r : ta_sync(file, err);
}

static int make_dir(struct ta_checkpoint_job *job, struct ta_err *err)
{
    unsigned mode = job->conf->dir_mode ? job->conf->dir_mode : DIR_MODE;

    if (job->has_dir)
        return TA_OK;
    int r = ta_mkdir_all(job->conf->vfs, job->dir, mode, err);
    job->has_dir = r == TA_OK;
    return r;
}

int ta_checkpoint_file(struct ta_checkpoint_job *job, const struct ta_checkpoint_range *range,
                       bool is_again, struct ta_err *err)
{
    struct ta_vfs *vfs = job->conf->vfs;
    char path[TA_PATH_MAX];
    char temp[TA_PATH_MAX];
    struct ta_tree_writer w = {0};
    struct ta_file *file = NULL;
    uint64_t bytes = 0;

    int r = make_dir(job, err);
    if (r == TA_OK)
        r = ta_host_file_path(path, job->dir, range->from_s, job->conf->format, "", err);
    if (r == TA_OK)
        r = ta_host_file_path(temp, job->dir, range->from_s, job->conf->format, ".tmp", err);
    if (r == TA_OK)
        r = ta_open(vfs, temp, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE,
                    job->conf->file_mode ? job->conf->file_mode : FILE_MODE, &file, err);
    if (r < 0)
        return r;
    r = write_tree(job, file, range, &w, &bytes, err);
    int c = ta_close(&file, r < 0 ? NULL : err);
    r = r < 0 ? r : c;
    if (r == TA_OK)
        r = vfs->rename(vfs, temp, path, err);
    if (r < 0) {
        (void)vfs->unlink(vfs, temp, NULL); /* only a temporary; the next run replaces it anyway */
        return r;
    }
    job->n_written++;
    job->n_again += is_again;
    job->n_samples += w.n_samples;
    job->n_bytes += bytes;
    return TA_OK;
}
