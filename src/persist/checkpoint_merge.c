/* checkpoint_merge.c - what a file that is written again must hold: its old content under the store's.
 *
 * Memory may have let go of part of a file's range (retention, a request to free, the memory cap), so the
 * file's own samples are loaded into a store of their own, those in memory are put over them, and the
 * file is written from that. One file of one host at a time: a few MiB for a day of 600 series.
 */
#include "persist/checkpoint_int.h"
#include "persist/seal.h"
#include "persist/tree_load.h"
#include "store/walk.h"

#include <math.h>
#include <string.h>

static int load_old(struct ta_checkpoint_job *job, struct ta_store *into,
                    const struct ta_metrics *metrics, const struct ta_host_file *f,
                    struct ta_err *err)
{
    const struct ta_checkpoint_conf *conf = job->conf;
    struct ta_tree_load counts = {0};
    struct ta_tree_reader *t = NULL;
    struct ta_restore *to = NULL;
    struct ta_file *file = NULL;
    struct ta_damage damage = {0};
    struct ta_sealed sealed;
    char path[TA_PATH_MAX];

    int r = ta_host_file_path(path, job->dir, f->from_s, f->format, "", err);
    if (r == TA_OK)
        r = ta_open(conf->vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, err);
    if (r < 0)
        return r;
    r = ta_sealed_open(&sealed, file, f->format, conf->alloc, &damage, err);
    if (r == TA_OK)
        r = ta_tree_reader_new(&t, f->format, &sealed.file, conf->alloc, err);
    if (r == TA_OK)
        r = ta_restore_new(&to, into, err);
    if (r == TA_OK)
        r = ta_restore_begin(to, job->cluster, job->host, err);
    if (r == TA_OK) {
        r = ta_tree_load(t, to, metrics, NULL, NULL, &counts, err);
        int e = ta_restore_end(to, err);
        r = r < 0 ? r : e;
    }
    ta_restore_free(to);
    ta_tree_reader_free(t);
    ta_sealed_done(&sealed);
    (void)ta_close(&file, NULL); /* only read */
    return r;
}

/* What `b` holds at the n times from centre_s on, into out; other cells stay. */
static void read_part(struct ta_checkpoint_job *job, struct ta_store *from,
                      const struct ta_column_key *key, const struct ta_buffer_info *b,
                      int64_t centre_s, size_t n, double *out)
{
    int64_t before_s = b->start_s - centre_s;
    int64_t first = before_s > 0 ? (before_s + b->freq_s - 1) / b->freq_s : 0;
    int64_t slot = (centre_s + first * b->freq_s - b->start_s) / b->freq_s;

    if (first < (int64_t)n && slot < (int64_t)b->len)
        (void)ta_walk_slots(from, job->cluster, job->host, key, b->start_s, (uint32_t)slot,
                            out + first, n - (size_t)first);
}

/* The same of the whole series; NaN where there is nothing, or a grid of another width. */
static void read_window(struct ta_checkpoint_job *job, struct ta_store *from,
                        const struct ta_column_key *key, int64_t centre_s, int64_t freq_s, size_t n,
                        double *out)
{
    struct ta_buffer_info info[16];
    int64_t after_s = INT64_MIN;
    size_t found;

    for (size_t i = 0; i < n; i++)
        out[i] = NAN;
    while ((found = ta_walk_buffers(from, job->cluster, job->host, key, after_s, info,
                                    TA_COUNT(info))) > 0) {
        for (size_t i = 0; i < found; i++)
            if (info[i].freq_s == freq_s)
                read_part(job, from, key, &info[i], centre_s, n, out);
        after_s = info[found - 1].start_s;
    }
}

/* Would the file hold the same bytes for both? */
static bool is_same(const struct ta_checkpoint_job *job, double a, double b)
{
    float x = (float)a, y = (float)b;

    return memcmp(&a, &b, sizeof(a)) == 0 ||
           (job->conf->format == TA_TREE_BIN && memcmp(&x, &y, sizeof(x)) == 0);
}

/* Slots [first, first + n) of one buffer over what is there already, at their centres. Only what
 * differs is put: nearly all of it stands in the file, and a late sample costs a thousand times what
 * a comparison does, because it opens a compressed run. */
static int put_window(struct ta_checkpoint_job *job, struct ta_store *into,
                      const struct ta_column_key *key, int64_t centre_s, int64_t freq_s, size_t n,
                      struct ta_err *err)
{
    double old[TA_CHECKPOINT_WINDOW];
    struct ta_writer w;

    read_window(job, into, key, centre_s, freq_s, n, old);
    int r = ta_writer_begin(&w, into, job->cluster, job->host, centre_s, err);

    if (r < 0)
        return r;
    int64_t column = ta_writer_column(&w, key);
    r = column < 0 ? (int)column : TA_OK;
    for (size_t i = 0; r == TA_OK && i < n; i++)
        if (!isnan(job->window[i]) && !is_same(job, old[i], job->window[i]))
            r = ta_writer_append(&w, (uint32_t)column, centre_s + (int64_t)i * freq_s,
                                 job->window[i]);
    ta_writer_end(&w);
    return r < 0 ? ta_fail(err, r, "merging late samples: %s", ta_strerror(r)) : TA_OK;
}

static int put_buffer(struct ta_checkpoint_job *job, struct ta_store *into,
                      const struct ta_column_key *key, const struct ta_buffer_info *b,
                      int64_t from_s, int64_t to_s, struct ta_err *err)
{
    struct ta_buffer_part p;
    int r = TA_OK;

    if (!ta_buffer_part_of(b, from_s, to_s, &p))
        return TA_OK;
    for (uint32_t at = p.first; r == TA_OK && at < p.end;) {
        size_t n = p.end - at < TA_CHECKPOINT_WINDOW ? p.end - at : TA_CHECKPOINT_WINDOW;
        int64_t got = ta_walk_slots(job->conf->store, job->cluster, job->host, key, b->start_s, at,
                                    job->window, n);
        if (got > 0)
            r = put_window(job, into, key, p.centre_s + (int64_t)at * b->freq_s, b->freq_s,
                           (size_t)got, err);
        at += (uint32_t)n;
    }
    return r;
}

static int put_series(struct ta_checkpoint_job *job, struct ta_store *into,
                      const struct ta_walk_series *series, int64_t from_s, int64_t to_s,
                      struct ta_err *err)
{
    struct ta_column_key key = ta_checkpoint_key(series);
    struct ta_buffer_info info[16];
    int64_t after_s = INT64_MIN;
    int r = TA_OK;
    size_t n;

    while (r == TA_OK && (n = ta_walk_buffers(job->conf->store, job->cluster, job->host, &key,
                                              after_s, info, TA_COUNT(info))) > 0) {
        for (size_t i = 0; r == TA_OK && i < n; i++)
            r = put_buffer(job, into, &key, &info[i], from_s, to_s, err);
        after_s = info[n - 1].start_s;
    }
    return r;
}

int ta_checkpoint_merge(struct ta_checkpoint_job *job, const struct ta_host_file *f,
                        struct ta_store **out, struct ta_err *err)
{
    struct ta_store_conf conf = {
        .alloc = job->conf->alloc, .metrics = ta_store_metrics(job->conf->store), .n_shards = 1};
    struct ta_walk_series series;
    struct ta_store *merged = NULL;

    int r = ta_store_new(&merged, &conf, err);
    if (r == TA_OK)
        r = load_old(job, merged, conf.metrics, f, err);
    for (bool is_first = true; r == TA_OK && ta_walk_series_next(job->conf->store, job->cluster,
                                                                 job->host, is_first, &series);
         is_first = false)
        r = put_series(job, merged, &series, f->from_s, f->to_s, err);
    ta_metrics_unref(conf.metrics);
    if (r < 0) {
        ta_store_free(merged);
        return r;
    }
    *out = merged;
    return TA_OK;
}
