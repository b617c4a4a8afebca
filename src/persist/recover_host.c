/* recover_host.c - one host's checkpoint files and its current.wal into the store. */
#include "persist/recover_int.h"
#include "persist/seal.h"
#include "persist/tree_load.h"
#include "store/walk.h"

#include <inttypes.h>
#include <stdio.h>

static enum ta_recover_kind kind_of(enum ta_tree_format format)
{
    return format == TA_TREE_BIN ? TA_RECOVER_BIN : TA_RECOVER_JSON;
}

/* ---- one checkpoint file ------------------------------------------------------------------------- */

static void add_damage(void *self, const struct ta_tree_event *ev)
{
    ta_damage_add(self, ev->at, ev->bytes, ev->why);
}

/* Reads the whole file. TA_ENOMEM, or an error of the disk; damage is in *d. */
static int load_tree(struct ta_recover_job *job, struct ta_tree_reader *t,
                     struct ta_recover_counts *c, struct ta_damage *d, struct ta_err *err)
{
    struct ta_tree_load counts = {0};
    int r = ta_tree_load(t, job->restore, job->metrics, add_damage, d, &counts, err);

    c->samples += counts.samples;
    c->skipped += counts.skipped;
    return r;
}

/* The whole of a file's good part, as if it had just been written: so the next checkpoint writes it anew. */
static void mark_changed(struct ta_recover_job *job, int64_t from_s)
{
    struct ta_host_cut cut = {.is_changed = true, .touched_from_s = from_s};

    ta_walk_uncut(job->r->conf.store, job->cluster, job->host, &cut);
}

/* A file of which something was loaded stays until a checkpoint has replaced it. */
static void put_aside(struct ta_recover_job *job, const char *path, const struct ta_damage *d,
                      bool is_useful)
{
    struct ta_err why = {0};
    int r = is_useful ? ta_set_aside_copy(job->r->vfs, path, d, job->r->now_s, &why)
                      : ta_set_aside(job->r->vfs, path, d, job->r->now_s, &why);

    ta_recover_aside(job->r, r, &why);
    pthread_mutex_lock(&job->r->lock);
    job->r->has_damaged = job->r->has_damaged || is_useful;
    pthread_mutex_unlock(&job->r->lock);
}

static int load_open_file(struct ta_recover_job *job, const struct ta_host_file *f,
                          struct ta_file *file, struct ta_recover_counts *c, struct ta_damage *d,
                          bool *is_unread, struct ta_err *err)
{
    struct ta_err why = {0};
    struct ta_tree_reader *t = NULL;
    struct ta_sealed sealed;
    int e = TA_OK;
    int r = ta_sealed_open(&sealed, file, f->format, job->r->conf.alloc, d, err);

    if (r == TA_OK)
        r = ta_tree_reader_new(&t, f->format, &sealed.file, job->r->conf.alloc, err);
    if (r == TA_OK)
        r = ta_restore_begin(job->restore, job->cluster, job->host, err);
    if (r == TA_OK) {
        r = load_tree(job, t, c, d, &why);
        e = ta_restore_end(job->restore, err);
    }
    ta_tree_reader_free(t);
    ta_sealed_done(&sealed);
    if (r == TA_ENOMEM || e == TA_ENOMEM)
        return ta_fail(err, TA_ENOMEM, "no memory to load host %.*s", TA_STR_FMT(job->host));
    if (r < 0 || e < 0) { /* the disk: what came before it counts */
        ta_damage_add(d, 0, c->bytes, "the file could not be read");
        *is_unread = true;
    }
    return TA_OK;
}

/* One try. *is_unread: the disk was in the way, not the file. */
static int try_file(struct ta_recover_job *job, const struct ta_host_file *f, const char *path,
                    struct ta_recover_counts *c, struct ta_damage *d, bool *is_unread,
                    struct ta_err *err)
{
    struct ta_file *file = NULL;
    int r = ta_open(job->r->vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, NULL);

    *c = (struct ta_recover_counts){.files = 1};
    *d = (struct ta_damage){0};
    *is_unread = r < 0;
    if (r == TA_ENOMEM)
        return ta_fail(err, r, "no memory to open %.200s", path);
    if (r < 0) {
        ta_damage_add(d, 0, 0, "the file could not be opened");
        return TA_OK;
    }
    c->bytes = ta_recover_size(file);
    r = load_open_file(job, f, file, c, d, is_unread, err);
    (void)ta_close(&file, NULL); /* only read */
    if (f->is_damaged && d->n == 0)
        ta_damage_add(d, 0, c->bytes, "its range cannot be read");
    return r;
}

static int load_file(struct ta_recover_job *job, const struct ta_host_file *f, struct ta_err *err)
{
    enum ta_recover_kind kind = kind_of(f->format);
    struct ta_recover_counts c = {0};
    struct ta_damage d = {0};
    bool is_unread = true;
    char path[TA_PATH_MAX];

    if (ta_host_file_path(path, job->dir, f->from_s, f->format, "", err) < 0)
        return TA_OK; /* the list came from a path of the same length */
    for (int i = 0; i < TA_RECOVER_TRIES && is_unread; i++) {
        int r = try_file(job, f, path, &c, &d, &is_unread, err);
        if (r < 0)
            return r;
    }
    if (d.n > 0) {
        c.files_damaged = 1;
        c.damaged = d.n;
        ta_recover_damage(job->r, kind, path, &d);
        put_aside(job, path, &d, c.samples > 0);
        if (c.samples > 0)
            mark_changed(job, f->from_s);
    }
    ta_recover_add(job->r, kind, &c);
    return TA_OK;
}

/* Two files of one range and different formats, as after a change of the format: the newer one last. */
static void order_twins(struct ta_recover_job *job, struct ta_host_files *files)
{
    for (size_t i = 0; i + 1 < files->n; i++) {
        struct ta_host_file *a = &files->at[i];
        struct ta_stat sa = {0};
        struct ta_stat sb = {0};
        char path[TA_PATH_MAX];
        if (a[0].from_s != a[1].from_s)
            continue;
        if (ta_host_file_path(path, job->dir, a[0].from_s, a[0].format, "", NULL) == TA_OK)
            (void)job->r->vfs->stat(job->r->vfs, path, &sa, NULL); /* 0: the older one */
        if (ta_host_file_path(path, job->dir, a[1].from_s, a[1].format, "", NULL) == TA_OK)
            (void)job->r->vfs->stat(job->r->vfs, path, &sb, NULL);
        if (sa.mtime_ns > sb.mtime_ns) {
            struct ta_host_file swap = a[0];
            a[0] = a[1];
            a[1] = swap;
        }
    }
}

static int load_files(struct ta_recover_job *job, struct ta_host_files *files, struct ta_err *err)
{
    int r = TA_OK;

    order_twins(job, files);
    for (size_t i = 0; r == TA_OK && i < files->n; i++) {
        const struct ta_host_file *f = &files->at[i];
        if (!f->is_damaged && f->to_s != 0 && f->to_s < job->keep_from_s) {
            struct ta_recover_counts old = {.files_old = 1};
            ta_recover_add(job->r, kind_of(f->format), &old);
        } else {
            r = load_file(job, f, err);
        }
    }
    return r;
}

/* ---- a host ------------------------------------------------------------------------------------------- */

/* *.json and *.bin whose name is no number: they can be of no range. */
static void put_odd_names_aside(struct ta_recover_job *job)
{
    for (int round = 0; round < 100; round++) {
        struct ta_dir *dir = NULL;
        struct ta_dirent entry;
        char path[TA_PATH_MAX] = "";
        if (job->r->vfs->open_dir(job->r->vfs, job->dir, &dir, NULL) < 0)
            return;
        while (!path[0] && dir->ops->next(dir, &entry, NULL) > 0) {
            const char *dot = strrchr(entry.name, '.');
            enum ta_tree_format format;
            int64_t from_s;
            if (entry.kind == TA_KIND_FILE && dot &&
                (strcmp(dot, ".bin") == 0 || strcmp(dot, ".json") == 0) &&
                !ta_host_file_name(entry.name, &from_s, &format) &&
                snprintf(path, sizeof(path), "%s/%s", job->dir, entry.name) >= TA_PATH_MAX)
                path[0] = 0;
        }
        dir->ops->close(dir);
        if (!path[0])
            return;
        struct ta_damage d = {0};
        struct ta_err why = {0};
        ta_damage_add(&d, 0, 0, "its name is no time");
        ta_recover_place(job->r, strstr(path, ".json") ? TA_RECOVER_JSON : TA_RECOVER_BIN, path, 0,
                         0, "its name is no time");
        int r = ta_set_aside(job->r->vfs, path, &d, job->r->now_s, &why);
        ta_recover_aside(job->r, r, &why);
        if (r < 0)
            return;
    }
}

/* Jobs run for days; files of a host without clean-up go back years. */
enum { PROTECTED_RETENTIONS = 8 };

static int64_t keep_from(const struct ta_recover *r, struct ta_str cluster, struct ta_str host)
{
    const struct ta_recover_conf *c = &r->conf;

    if (r->keep_from_s == INT64_MIN || !c->is_protected ||
        !c->is_protected(c->protector, cluster, host))
        return r->keep_from_s;
    return c->retention_s < r->now_s / PROTECTED_RETENTIONS
               ? r->now_s - c->retention_s * PROTECTED_RETENTIONS
               : INT64_MIN;
}

int ta_recover_host(struct ta_recover *r, struct ta_restore *restore, struct ta_str cluster,
                    struct ta_str host, struct ta_err *err)
{
    struct ta_recover_job job = {.r = r,
                                 .restore = restore,
                                 .cluster = cluster,
                                 .host = host,
                                 .keep_from_s = keep_from(r, cluster, host)};
    struct ta_host_files files = {0};
    struct ta_err why = {0};

    if (ta_host_dir(job.dir, r->conf.dir->root, cluster, host, NULL) < 0)
        return TA_OK; /* such a name no server of ours or the reference's could have written */
    put_odd_names_aside(&job);
    int e = TA_EIO;
    for (int i = 0; i < TA_RECOVER_TRIES && e < 0 && e != TA_ENOMEM; i++)
        e = ta_host_files_read(&files, r->vfs, job.dir, r->conf.alloc, &why);
    if (e == TA_ENOMEM)
        return ta_fail(err, e, "%s", why.text);
    if (e < 0) {
        ta_recover_place(r, TA_RECOVER_BIN, job.dir, 0, 0, "the directory could not be read");
        return TA_OK;
    }
    job.metrics = ta_store_metrics(r->conf.store);
    bool has_wal = files.has_wal;
    e = load_files(&job, &files, err);
    ta_host_files_done(&files);
    if (e == TA_OK && has_wal)
        e = ta_recover_ref_wal(&job, err);
    ta_metrics_unref(job.metrics);
    return e;
}
