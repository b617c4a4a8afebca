/* checkpoint_file.c - one range of one host into one checkpoint file. */
#include "persist/checkpoint_int.h"
#include "store/walk.h"

enum {
    /* An array has a value for each slot, so the next file is cheaper than a long gap: a clock that stepped back by a
     * year would make arrays of a year. At 60 s these are three days: more than a host is away as a rule. */
    GAP_SLOTS = 4096,
    FILE_MODE = 0640,
    DIR_MODE = 0750
};

struct ta_column_key ta_checkpoint_key(const struct ta_walk_series *series)
{
    return (struct ta_column_key){.metric = series->metric,
                                  .type = ta_name_str(&series->type),
                                  .stype = ta_name_str(&series->stype)};
}

bool ta_checkpoint_plan(struct ta_checkpoint_job *job, int64_t from_s, int64_t to_s,
                        struct ta_checkpoint_range *out)
{
    struct ta_walk_extent all;

    ta_walk_extents(job->source, job->cluster, job->host, from_s, to_s, GAP_SLOTS, &all);
    if (all.first_s == INT64_MAX)
        return false;
    out->from_s = all.first_s;
    out->is_last = all.change_s == INT64_MAX;
    out->to_s = !out->is_last ? all.change_s : to_s == TA_CHECKPOINT_ALL ? all.last_s + 1 : to_s;
    return true;
}

/* The slots of the series that lie in the range, as one array. A writer may change the series meanwhile:
 * the array keeps the length it was announced with, and what came later is touched for the next run. */
static int put_array(struct ta_checkpoint_job *job, struct ta_tree_writer *w,
                     const struct ta_walk_series *series, const struct ta_checkpoint_range *range,
                     int64_t first_s, uint64_t n_slots, struct ta_err *err)
{
    int r = TA_OK;

    for (uint64_t at = 0; r == TA_OK && at < n_slots; at += TA_CHECKPOINT_WINDOW) {
        size_t n =
            n_slots - at < TA_CHECKPOINT_WINDOW ? (size_t)(n_slots - at) : TA_CHECKPOINT_WINDOW;
        ta_walk_grid(job->source, job->cluster, job->host, series, range->from_s, range->to_s,
                     first_s, at, job->window, n);
        r = ta_tree_values(w, job->window, n, err);
    }
    return r;
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
                      struct ta_walk_extent e, const struct ta_checkpoint_range *range,
                      struct ta_err *err)
{
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
    return r < 0 ? r : put_array(job, w, series, range, e.first_s, n, err);
}

static int put_host(struct ta_checkpoint_job *job, struct ta_tree_writer *w,
                    const struct ta_checkpoint_range *range, struct ta_err *err)
{
    struct ta_metrics *metrics = ta_store_metrics(job->source);
    struct ta_walk_series series;
    struct ta_walk_extent extent;
    struct place at = {0};
    int r = TA_OK;

    for (bool is_first = true;
         r == TA_OK && ta_walk_extent_next(job->source, job->cluster, job->host, is_first,
                                           range->from_s, range->to_s, GAP_SLOTS, &series, &extent);
         is_first = false)
        r = put_series(job, w, &at, metrics, &series, extent, range, err);
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
