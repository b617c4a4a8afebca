/* checkpoint.c - which ranges of a host have to be written, and all hosts in turn. How one range
 * becomes a file is in checkpoint_file.c. */
#include "persist/checkpoint.h"

#include "persist/checkpoint_int.h"
#include "store/walk.h"

#include <errno.h>
#include <pthread.h>

enum { HOST_BATCH = 32, WORKERS_MAX = 64 };

/* ---- one host -------------------------------------------------------------------------------- */

/* Half a slot of the slowest metric: a sample changes a slot whose centre may lie that far before it. */
static int64_t slot_reach(struct ta_store *s)
{
    struct ta_metrics *m = ta_store_metrics(s);
    int64_t slowest_s = ta_metrics_slowest_s(m);

    ta_metrics_unref(m);
    return slowest_s / 2 + 1;
}

/* Writes [from, to), which no file covers, as one file for each stretch of unchanged phases. */
static int write_gap(struct ta_checkpoint_job *job, int64_t from_s, int64_t to_s, bool is_again,
                     struct ta_err *err)
{
    int r = TA_OK;

    for (int64_t at = from_s; r >= 0 && at < to_s;) {
        struct ta_checkpoint_range range;
        if (!ta_checkpoint_plan(job, at, to_s, &range))
            break;
        /* A range that is written again keeps its name; what is new is named by its first slot. */
        if (is_again && at == from_s)
            range.from_s = from_s;
        if (is_again && range.is_last)
            range.to_s = to_s;
        r = ta_checkpoint_file(job, &range, is_again, err);
        at = range.to_s;
        if (range.is_last)
            break;
    }
    return r;
}

/* The file and what memory has of its range, in its place. */
static int write_again(struct ta_checkpoint_job *job, struct ta_host_file *f, int64_t from_s,
                       struct ta_err *err)
{
    struct ta_store *merged = NULL;
    uint64_t before = job->n_again;
    int r = ta_checkpoint_merge(job, f, &merged, err);

    if (r < 0)
        return r;
    job->source = merged;
    r = write_gap(job, from_s, f->to_s, true, err);
    job->source = job->conf->store;
    ta_store_free(merged);
    f->is_replaced = r == TA_OK && job->n_again > before && from_s == f->from_s &&
                     f->format != job->conf->format;
    return r;
}

/* From the oldest touched slot on: files that cover changed time are written again, what lies between and
 * behind them is written anew. */
static int write_ranges(struct ta_checkpoint_job *job, int64_t touched_s, int64_t boundary_s,
                        struct ta_err *err)
{
    int64_t at = INT64_MIN;
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < job->files.n; i++) {
        struct ta_host_file *f = &job->files.at[i];
        if (f->is_damaged || f->to_s <= at)
            continue;
        if (touched_s < f->from_s && at < f->from_s) {
            r = write_gap(job, at > touched_s ? at : touched_s, f->from_s, false, err);
            at = f->from_s;
        }
        if (r == TA_OK && touched_s < f->to_s)
            r = write_again(job, f, f->from_s > at ? f->from_s : at, err);
        at = f->to_s;
    }
    return r < 0 ? r : write_gap(job, at, boundary_s, false, err);
}

/* Files whose samples now stand in a file of the other format. */
static int remove_replaced(struct ta_checkpoint_job *job, struct ta_err *err)
{
    struct ta_vfs *vfs = job->conf->vfs;
    char path[TA_PATH_MAX];
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < job->files.n; i++) {
        const struct ta_host_file *f = &job->files.at[i];
        if (!f->is_replaced)
            continue;
        r = ta_host_file_path(path, job->dir, f->from_s, f->format, "", err);
        if (r == TA_OK)
            r = vfs->unlink(vfs, path, err);
    }
    return r;
}

int ta_checkpoint_host(const struct ta_checkpoint_conf *conf, struct ta_str cluster,
                       struct ta_str host, int64_t boundary_s, struct ta_checkpoint_counts *counts,
                       struct ta_err *err)
{
    struct ta_checkpoint_job *job = ta_alloc_zero(conf->alloc, 1, sizeof(*job));
    struct ta_host_cut cut = {0};
    bool is_cut = false;

    if (!job)
        return ta_fail(err, TA_ENOMEM, "checkpoint of a host");
    job->conf = conf;
    job->source = conf->store;
    job->cluster = cluster;
    job->host = host;
    int r = ta_host_dir(job->dir, conf->root, cluster, host, err);
    if (r == TA_OK)
        r = ta_host_files_read(&job->files, conf->vfs, job->dir, conf->alloc, err);
    if (r == TA_OK)
        is_cut = ta_walk_cut(conf->store, cluster, host, &cut) == TA_OK;
    if (is_cut) {
        int64_t reach = slot_reach(conf->store);
        int64_t touched = cut.is_changed && cut.touched_from_s > INT64_MIN + reach
                              ? cut.touched_from_s - reach
                              : INT64_MAX;
        r = write_ranges(job, touched, boundary_s, err);
        if (job->n_written > 0 && r == TA_OK)
            r = conf->vfs->sync_dir(conf->vfs, job->dir, err);
        if (r == TA_OK)
            r = remove_replaced(job, err);
        if (r < 0)
            ta_walk_uncut(conf->store, cluster, host, &cut);
    }
    counts->hosts++;
    counts->hosts_failed += r < 0;
    counts->hosts_written += job->n_written > 0 && r == TA_OK;
    counts->files += job->n_written;
    counts->files_again += job->n_again;
    counts->samples += job->n_samples;
    counts->bytes += job->n_bytes;
    ta_host_files_done(&job->files);
    ta_release(conf->alloc, job, sizeof(*job));
    return r;
}

/* ---- all hosts --------------------------------------------------------------------------------- */

struct run {
    const struct ta_checkpoint_conf *conf;
    int64_t boundary_s;
    const _Atomic bool *stop;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct ta_host_name batch[HOST_BATCH];
    size_t n_batch, next;
    bool is_started, is_end;
    struct ta_checkpoint_counts counts;
    struct ta_err first;
};

static bool next_host(struct run *run, struct ta_host_name *out)
{
    pthread_mutex_lock(&run->lock);
    if (!run->is_end && run->next == run->n_batch) {
        struct ta_host_name after;
        if (run->is_started)
            after = run->batch[run->n_batch - 1];
        run->n_batch = ta_walk_hosts(run->conf->store, TA_STR(""), run->is_started ? &after : NULL,
                                     run->batch, HOST_BATCH);
        run->next = 0;
        run->is_started = true;
        run->is_end = run->n_batch == 0;
    }
    bool is_more = !run->is_end && !(run->stop && atomic_load(run->stop));
    if (is_more)
        *out = run->batch[run->next++];
    pthread_mutex_unlock(&run->lock);
    return is_more;
}

static void add_counts(struct ta_checkpoint_counts *to, const struct ta_checkpoint_counts *c)
{
    to->hosts += c->hosts;
    to->hosts_written += c->hosts_written;
    to->hosts_failed += c->hosts_failed;
    to->files += c->files;
    to->files_again += c->files_again;
    to->samples += c->samples;
    to->bytes += c->bytes;
}

static void *work(void *arg)
{
    struct run *run = arg;
    struct ta_host_name name;

    while (next_host(run, &name)) {
        struct ta_checkpoint_counts counts = {0};
        struct ta_err err = {0};
        int r = ta_checkpoint_host(run->conf, ta_name_str(&name.cluster), ta_name_str(&name.host),
                                   run->boundary_s, &counts, &err);
        pthread_mutex_lock(&run->lock);
        add_counts(&run->counts, &counts);
        if (r < 0 && !run->first.code)
            ta_fail(&run->first, r, "%s", err.text[0] ? err.text : ta_strerror(r));
        pthread_mutex_unlock(&run->lock);
    }
    return NULL;
}

int ta_checkpoint_run(const struct ta_checkpoint_conf *conf, int64_t boundary_s, unsigned n_workers,
                      const _Atomic bool *stop, struct ta_checkpoint_counts *counts,
                      struct ta_err *err)
{
    struct run run = {.conf = conf, .boundary_s = boundary_s, .stop = stop};
    pthread_t threads[WORKERS_MAX];
    unsigned n = 0;

    pthread_mutex_init(&run.lock, NULL);
    while (n + 1 < n_workers && n < WORKERS_MAX &&
           pthread_create(&threads[n], NULL, work, &run) == 0)
        n++;
    work(&run); /* the caller works too, alone when no thread could be had */
    while (n > 0)
        pthread_join(threads[--n], NULL);
    pthread_mutex_destroy(&run.lock);
    add_counts(counts, &run.counts);
    if (run.first.code)
        return ta_fail(err, run.first.code, "%llu of %llu hosts could not be written: %s",
                       (unsigned long long)run.counts.hosts_failed,
                       (unsigned long long)run.counts.hosts, run.first.text);
    if (!run.is_end)
        return ta_fail(err, TA_ECANCELED, "checkpoint ended early");
    return TA_OK;
}
