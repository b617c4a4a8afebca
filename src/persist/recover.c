/* recover.c - the order of things at the start, the workers, and what is told about it. */
#include "persist/recover.h"

#include "persist/recover_int.h"
#include "store/walk.h"

#include <stdio.h>

enum { WORKERS_MAX = 64, STRAYS_MAX = 1000 };

const char *ta_recover_kind_name(enum ta_recover_kind kind)
{
    static const char *const names[] = {"bin", "json", "wal", "log"};

    return names[kind];
}

/* ---- life ------------------------------------------------------------------------------------------ */

int ta_recover_new(struct ta_recover **out, const struct ta_recover_conf *conf, struct ta_err *err)
{
    struct ta_recover *r = ta_alloc_zero(conf->alloc, 1, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "recovery");
    r->conf = *conf;
    r->vfs = conf->dir->vfs;
    r->now_s = ta_now_s(conf->clock);
    r->keep_from_s = conf->retention_s > 0 ? r->now_s - conf->retention_s : INT64_MIN;
    r->next_segment = r->next_sequence = 1;
    r->ref_wal_newest_s = INT64_MIN;
    pthread_mutex_init(&r->lock, NULL);
    int e = ta_recover_list_segments(r, err);
    if (e < 0) {
        ta_recover_free(r);
        return e;
    }
    *out = r;
    return TA_OK;
}

void ta_recover_free(struct ta_recover *r)
{
    if (!r)
        return;
    ta_release(r->conf.alloc, r->segments, r->cap_segments * sizeof(*r->segments));
    pthread_mutex_destroy(&r->lock);
    ta_release(r->conf.alloc, r, sizeof(*r));
}

void ta_recover_log_begin(const struct ta_recover *r, struct ta_wal_conf *conf)
{
    conf->next_segment = r->next_segment;
    conf->next_sequence = r->next_sequence;
    conf->old_segments = r->segments;
    conf->n_old_segments = r->n_segments;
}

/* ---- report ------------------------------------------------------------------------------------------ */

void ta_recover_add(struct ta_recover *r, enum ta_recover_kind kind,
                    const struct ta_recover_counts *c)
{
    if (atomic_load(&r->phase) >= TA_PHASE_SETTLE)
        return; /* samples of this life */
    pthread_mutex_lock(&r->lock);
    struct ta_recover_counts *to = &r->report.kind[kind];
    to->files += c->files;
    to->files_old += c->files_old;
    to->files_damaged += c->files_damaged;
    to->samples += c->samples;
    to->skipped += c->skipped;
    to->skipped_memory += c->skipped_memory;
    to->damaged += c->damaged;
    to->torn += c->torn;
    to->lost_records += c->lost_records;
    to->bytes += c->bytes;
    pthread_mutex_unlock(&r->lock);
}

void ta_recover_place(struct ta_recover *r, enum ta_recover_kind kind, const char *path,
                      uint64_t at, uint64_t bytes, const char *why)
{
    size_t len = strlen(path);

    pthread_mutex_lock(&r->lock);
    size_t i = r->report.n_places++;
    if (i < TA_RECOVER_PLACES_MAX) {
        struct ta_recover_place *p = &r->report.place[i];
        *p = (struct ta_recover_place){.kind = kind, .at = at, .bytes = bytes, .why = why};
        size_t skip = len < sizeof(p->file) ? 0 : len - sizeof(p->file) + 1;
        snprintf(p->file, sizeof(p->file), "%s", path + skip);
    }
    pthread_mutex_unlock(&r->lock);
    ta_logf(r->conf.report, TA_LOG_WARN, "recovery: %s at %llu: %s (%llu bytes)", path,
            (unsigned long long)at, why, (unsigned long long)bytes);
}

void ta_recover_damage(struct ta_recover *r, enum ta_recover_kind kind, const char *path,
                       const struct ta_damage *d)
{
    for (size_t i = 0; i < d->n && i < TA_DAMAGE_PLACES; i++)
        ta_recover_place(r, kind, path, d->place[i].at, d->place[i].bytes, d->place[i].why);
}

void ta_recover_aside(struct ta_recover *r, int result, const struct ta_err *err)
{
    pthread_mutex_lock(&r->lock);
    *(result < 0 ? &r->report.aside_failed : &r->report.aside) += 1;
    pthread_mutex_unlock(&r->lock);
    if (result < 0)
        ta_logf(r->conf.report, TA_LOG_ERROR, "recovery: a damaged file stays where it is: %s",
                err->text);
}

uint64_t ta_recover_size(struct ta_file *f)
{
    uint64_t size = 0;

    (void)f->ops->size(f, &size, NULL);
    return size;
}

const struct ta_recover_report *ta_recover_report(const struct ta_recover *r)
{
    return &r->report;
}

void ta_recover_state(const struct ta_recover *r, struct ta_recover_state *out)
{
    *out = (struct ta_recover_state){
        .phase = (enum ta_recover_phase)atomic_load(&r->phase),
        .hosts = atomic_load(&r->hosts),
        .hosts_done = atomic_load(&r->hosts_done),
        .segments = atomic_load(&r->segments_all),
        .segments_done = atomic_load(&r->segments_done),
    };
}

/* ---- all host directories ------------------------------------------------------------------------------- */

/* ROOT/<cluster>/<host>, one after the other, in the order of the directory. */
struct hosts {
    struct ta_recover *r;
    struct ta_dir *root, *cluster;
    char cluster_name[256], cluster_path[TA_PATH_MAX];
};

static int hosts_open(struct hosts *h, struct ta_recover *r, struct ta_err *err)
{
    *h = (struct hosts){.r = r};
    return r->vfs->open_dir(r->vfs, r->conf.dir->root, &h->root, err);
}

static void hosts_close(struct hosts *h)
{
    if (h->cluster)
        h->cluster->ops->close(h->cluster);
    if (h->root)
        h->root->ops->close(h->root);
    h->cluster = h->root = NULL;
}

/* Enters the next cluster. 1, 0 at the end, or an error of the root. */
static int next_cluster(struct hosts *h, struct ta_err *err)
{
    struct ta_dirent e;
    int r;

    while ((r = h->root->ops->next(h->root, &e, err)) > 0) {
        int n = snprintf(h->cluster_path, sizeof(h->cluster_path), "%s/%s", h->r->conf.dir->root,
                         e.name);
        if (e.kind != TA_KIND_DIR || e.name[0] == '.' || n >= TA_PATH_MAX ||
            strlen(e.name) >= sizeof(h->cluster_name))
            continue;
        strcpy(h->cluster_name, e.name);
        for (int i = 0; i < TA_RECOVER_TRIES; i++)
            if (h->r->vfs->open_dir(h->r->vfs, h->cluster_path, &h->cluster, NULL) == TA_OK)
                return 1;
        ta_recover_place(h->r, TA_RECOVER_BIN, h->cluster_path, 0, 0,
                         "the directory could not be read");
    }
    return r;
}

/* 1 = `host` filled (256 bytes), 0 = end. */
static int hosts_next(struct hosts *h, char *host, struct ta_err *err)
{
    struct ta_dirent e;

    for (;;) {
        if (!h->cluster) {
            int r = next_cluster(h, err);
            if (r <= 0)
                return r;
        }
        int r;
        while ((r = h->cluster->ops->next(h->cluster, &e, err)) > 0) {
            if (e.kind != TA_KIND_DIR || strlen(e.name) > 255)
                continue;
            strcpy(host, e.name);
            return 1;
        }
        if (r < 0)
            return r;
        h->cluster->ops->close(h->cluster);
        h->cluster = NULL;
    }
}

static int count_hosts(struct ta_recover *r, struct ta_err *err)
{
    struct hosts h;
    char host[256];
    uint64_t n = 0;
    int e = hosts_open(&h, r, err);

    while (e >= 0 && (e = hosts_next(&h, host, err)) > 0)
        n++;
    hosts_close(&h);
    atomic_store(&r->hosts, n);
    r->report.hosts = n;
    return e;
}

/* ---- files where only directories may be --------------------------------------------------------------- */

/* Moves the first plain file of `dir` to lost+found. 1 = one was moved, 0 = there is none, or it stays. */
static int move_stray(struct ta_recover *r, const char *dir)
{
    struct ta_dir *d = NULL;
    struct ta_dirent e;
    char path[TA_PATH_MAX] = "";
    char name[256] = "";

    if (r->vfs->open_dir(r->vfs, dir, &d, NULL) < 0)
        return 0;
    while (!name[0] && d->ops->next(d, &e, NULL) > 0)
        if (e.kind == TA_KIND_FILE && strlen(e.name) < sizeof(name) &&
            snprintf(path, sizeof(path), "%s/%s", dir, e.name) < TA_PATH_MAX)
            strcpy(name, e.name);
    d->ops->close(d);
    if (!name[0])
        return 0;
    struct ta_err why = {0};
    int moved = ta_set_aside_stray(r->conf.dir, path, name, &why);
    ta_logf(r->conf.report, TA_LOG_WARN, "recovery: %s belongs nowhere%s%s", path,
            moved < 0 ? " and stays: " : ", moved to lost+found", moved < 0 ? why.text : "");
    r->report.strays += moved < 0 ? 0 : 1;
    return moved < 0 ? 0 : 1;
}

static int move_strays(struct ta_recover *r, struct ta_err *err)
{
    struct hosts h;
    int e;

    for (int i = 0; i < STRAYS_MAX && move_stray(r, r->conf.dir->root) > 0;)
        i++;
    e = hosts_open(&h, r, err);
    while (e >= 0 && (e = next_cluster(&h, err)) > 0) {
        h.cluster->ops->close(h.cluster);
        h.cluster = NULL;
        for (int i = 0; i < STRAYS_MAX && move_stray(r, h.cluster_path) > 0;)
            i++;
    }
    hosts_close(&h);
    return e;
}

/* ---- hosts in parallel ------------------------------------------------------------------------------------ */

struct crew {
    struct ta_recover *r;
    const _Atomic bool *stop;
    pthread_mutex_t lock;
    struct hosts hosts; /* guarded by lock */
    int result;         /* guarded by lock; the first error */
    struct ta_err err;  /* guarded by lock */
};

static bool take_host(struct crew *c, char *cluster, char *host)
{
    pthread_mutex_lock(&c->lock);
    if (c->result >= 0 && c->stop && atomic_load(c->stop))
        c->result = ta_fail(&c->err, TA_ECANCELED, "recovery ended early");
    int r = c->result < 0 ? c->result : hosts_next(&c->hosts, host, &c->err);
    if (r > 0)
        strcpy(cluster, c->hosts.cluster_name);
    else if (r < 0)
        c->result = r;
    pthread_mutex_unlock(&c->lock);
    return r > 0;
}

static void note_failure(struct crew *c, int r, const struct ta_err *err)
{
    pthread_mutex_lock(&c->lock);
    if (c->result >= 0)
        c->result = ta_fail(&c->err, r, "%s", err->text[0] ? err->text : ta_strerror(r));
    pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
    struct crew *c = arg;
    struct ta_restore *restore = NULL;
    struct ta_err err = {0};
    char cluster[256];
    char host[256];
    int r = ta_restore_new(&restore, c->r->conf.store, &err);

    if (r < 0)
        note_failure(c, r, &err);
    while (take_host(c, cluster, host)) {
        err = (struct ta_err){0};
        r = ta_recover_host(c->r, restore, ta_str(cluster), ta_str(host), &err);
        atomic_fetch_add(&c->r->hosts_done, 1);
        if (r < 0)
            note_failure(c, r, &err);
    }
    ta_restore_free(restore);
    return NULL;
}

static int load_hosts(struct ta_recover *r, const _Atomic bool *stop, struct ta_err *err)
{
    struct crew c = {.r = r, .stop = stop};
    pthread_t threads[WORKERS_MAX];
    unsigned n = 0;
    int e = hosts_open(&c.hosts, r, err);

    if (e < 0)
        return e;
    pthread_mutex_init(&c.lock, NULL);
    while (n + 1 < r->conf.n_workers && n < WORKERS_MAX &&
           pthread_create(&threads[n], NULL, work, &c) == 0)
        n++;
    work(&c); /* the caller works too, alone when no thread could be had */
    while (n > 0)
        pthread_join(threads[--n], NULL);
    pthread_mutex_destroy(&c.lock);
    hosts_close(&c.hosts);
    return c.result < 0 ? ta_fail(err, c.result, "%s", c.err.text) : TA_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

int ta_recover_run(struct ta_recover *r, const _Atomic bool *stop, struct ta_err *err)
{
    int64_t begun_ns = ta_mono_ns(r->conf.clock);
    int e = move_strays(r, err);

    if (e >= 0)
        e = count_hosts(r, err);
    if (e >= 0)
        e = load_hosts(r, stop, err);
    if (e == TA_OK) {
        atomic_store(&r->phase, TA_PHASE_LOG);
        e = ta_recover_segments(r, 0, r->next_segment, stop, err);
    }
    if (e == TA_OK)
        atomic_store(&r->phase, TA_PHASE_SETTLE);
    r->report.elapsed_ns = ta_mono_ns(r->conf.clock) - begun_ns;
    return e;
}

/* The log of this life from segment `first` on, once more; *out_next: what comes after it. */
static int replay_again(struct ta_recover *r, struct ta_wal *wal, uint64_t first,
                        uint64_t *out_next, struct ta_err *err)
{
    uint64_t cut = 0;
    int e = ta_wal_cut(wal, &cut, err);

    for (uint64_t number = first; e == TA_OK && number < cut; number++)
        e = ta_recover_one_segment(r, number, err);
    if (e == TA_OK)
        *out_next = cut;
    return e;
}

int ta_recover_settle(struct ta_recover *r, struct ta_wal *wal, struct ta_gate *gate,
                      struct ta_err *err)
{
    uint64_t next = r->next_segment;
    int e = TA_OK;

    for (size_t i = 0; wal && i < r->n_segments; i++)
        ta_wal_set_newest(wal, r->segments[i].number, r->segments[i].newest_s);
    if (wal && gate) {
        e = replay_again(r, wal, next, &next, err); /* most of it, while writes go on */
        if (e == TA_OK) {
            ta_gate_shut(gate);
            e = replay_again(r, wal, next, &next, err);
            ta_gate_open(gate);
        }
    }
    if (e == TA_OK)
        atomic_store(&r->phase, TA_PHASE_DONE);
    return e;
}

/* ---- handing over --------------------------------------------------------------------------------------------- */

/* Half a slot of the slowest metric: a sample's slot may begin that far before its time stamp. */
static int64_t slot_reach(struct ta_store *s)
{
    struct ta_metrics *m = ta_store_metrics(s);
    int64_t reach = 0;

    for (uint32_t i = 0; i < ta_metrics_count(m); i++)
        reach = ta_metrics_at(m, i)->freq_s > reach ? ta_metrics_at(m, i)->freq_s : reach;
    ta_metrics_unref(m);
    return reach;
}

static int hand_over_log(struct ta_recover *r, const char *dir, struct ta_err *err)
{
    char path[TA_PATH_MAX];
    struct ta_stat st;

    if (snprintf(path, sizeof(path), "%s/current.wal", dir) >= TA_PATH_MAX ||
        r->vfs->stat(r->vfs, path, &st, NULL) == TA_ENOTFOUND)
        return TA_OK;
    int e = ta_retire(r->vfs, path, err);
    return e < 0 ? e : r->vfs->sync_dir(r->vfs, dir, err);
}

/* Damaged files whose range cannot be read: no new file took their name, but all that was good in them stands in
 * others now, and their bytes in the copy. */
static int hand_over_damaged(struct ta_recover *r, const char *dir, struct ta_err *err)
{
    struct ta_host_files files;
    int e = ta_host_files_read(&files, r->vfs, dir, r->conf.alloc, err);

    for (size_t i = 0; e == TA_OK && i < files.n; i++) {
        char path[TA_PATH_MAX];
        struct ta_damage d = {0};
        const struct ta_host_file *f = &files.at[i];
        if (!f->is_damaged)
            continue;
        ta_damage_add(&d, 0, 0, "its range cannot be read");
        e = ta_host_file_path(path, dir, f->from_s, f->format, "", err);
        if (e == TA_OK)
            e = ta_set_aside_copy(r->vfs, path, &d, r->now_s, err);
        if (e == TA_OK)
            e = r->vfs->unlink(r->vfs, path, err);
        if (e == TA_OK)
            e = r->vfs->sync_dir(r->vfs, dir, err);
    }
    ta_host_files_done(&files);
    return e;
}

static int hand_over_host(struct ta_recover *r, const char *cluster_path, const char *host,
                          struct ta_err *err)
{
    char dir[TA_PATH_MAX];
    struct ta_err why = {0};
    int e = TA_OK;

    if (snprintf(dir, sizeof(dir), "%s/%s", cluster_path, host) >= TA_PATH_MAX)
        return TA_OK;
    if (r->has_ref_wal)
        e = hand_over_log(r, dir, &why);
    if (e == TA_OK && r->has_damaged)
        e = hand_over_damaged(r, dir, &why);
    return e < 0 ? ta_fail(err, e, "%s", why.text) : TA_OK;
}

/* The newest of what was loaded outside of whole files: of the logs by their samples, of damaged files by the
 * start of this process. */
static int64_t newest_to_cover(const struct ta_recover *r)
{
    if (r->has_damaged && r->now_s > r->ref_wal_newest_s)
        return r->now_s;
    return r->ref_wal_newest_s;
}

int ta_recover_hand_over(struct ta_recover *r, int64_t boundary_s, struct ta_err *err)
{
    struct hosts h;
    char host[256];
    int result = TA_OK;

    if (!r->has_ref_wal && !r->has_damaged)
        return 0;
    if (boundary_s != INT64_MAX && newest_to_cover(r) >= boundary_s - slot_reach(r->conf.store))
        return 1;
    int e = hosts_open(&h, r, err);
    while (e >= 0 && (e = hosts_next(&h, host, err)) > 0) {
        int one = hand_over_host(r, h.cluster_path, host, err);
        result = result < 0 ? result : one;
    }
    hosts_close(&h);
    if (e < 0 || result < 0)
        return e < 0 ? e : result;
    r->has_ref_wal = r->has_damaged = false;
    return 0;
}
