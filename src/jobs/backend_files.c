/* backend_files.c - a job archive as a tree of files.
 *
 *     <root>/version.txt                                          "3\n"
 *     <root>/compress.txt                                         seconds of the last compression
 *     <root>/<cluster>/cluster.json
 *     <root>/<cluster>/<jobId / 1000>/<jobId % 1000>/<startTime>/meta.json
 *                                                                /data.json.gz or data.json
 *
 * (spec: job-archive 2) A file is written beside its place under ".<name>.new", synced and renamed, and
 * its directory synced. When both forms of the data are there, the compressed one counts: a change of
 * form writes the new one first and then removes the other. Files that are none of these are left alone.
 */
#include "jobs/backend_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { PIECE = 64 * 1024, NUMBER_FILE_MAX = 64, PATH = TA_BACKEND_PATH_MAX };

static const char *const data_names[] = {"data.json", "data.json.gz"}; /* by is_gzip */

struct files {
    struct ta_backend backend;
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    char root[PATH / 2];
    char dir[PATH], path[PATH + 64], temp[PATH + 64]; /* of the call under way */
    unsigned char piece[PIECE];
    struct ta_file *data; /* open */
    struct ta_file_source source;
};

static struct files *of(struct ta_backend *b)
{
    return TA_CONTAINER(b, struct files, backend);
}

static int too_long(const struct files *f, struct ta_err *err)
{
    return ta_fail(err, TA_ERANGE, "%s: a path becomes too long", f->root);
}

/* f->dir of the job. */
static int job_dir(struct files *f, const struct ta_job_address *job, struct ta_err *err)
{
    int n = snprintf(f->dir, sizeof(f->dir), "%s/", f->root);

    return n < 0 || ta_backend_job_path(job, f->dir + n, sizeof(f->dir) - (size_t)n) < 0
               ? too_long(f, err)
               : TA_OK;
}

static int cluster_dir(struct files *f, struct ta_str cluster, struct ta_err *err)
{
    int n = snprintf(f->dir, sizeof(f->dir), "%s/%.*s", f->root, TA_STR_FMT(cluster));

    return n < 0 || (size_t)n >= sizeof(f->dir) ? too_long(f, err) : TA_OK;
}

/* f->path = f->dir/name */
static const char *in_dir(struct files *f, const char *name)
{
    snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
    return f->path;
}

/* 1 = a file of that name is in f->dir, 0 = there is none. */
static int has(struct files *f, const char *name, struct ta_err *err)
{
    struct ta_stat stat;
    struct ta_err why = {0};
    int r = f->vfs->stat(f->vfs, in_dir(f, name), &stat, &why);

    if (r >= 0)
        return 1;
    return r == TA_ENOTFOUND ? 0 : ta_fail(err, r, "%s", why.text);
}

/* Removes f->dir/name; *done tells whether there was one. */
static int drop(struct files *f, const char *name, bool *done, struct ta_err *err)
{
    struct ta_err why = {0};
    int r = f->vfs->unlink(f->vfs, in_dir(f, name), &why);

    if (done)
        *done = r >= 0;
    return r < 0 && r != TA_ENOTFOUND ? ta_fail(err, r, "%s", why.text) : TA_OK;
}

static int copy_out(struct files *f, struct ta_file *file, const struct ta_backend_data *data,
                    struct ta_err *err)
{
    uint64_t done = 0;

    for (;;) {
        uint64_t at = done;
        int64_t n = ta_backend_piece(data, &done, f->piece, PIECE, err);

        if (n <= 0)
            return (int)n;
        int r = ta_pwrite_full(file, f->piece, (size_t)n, at, err);
        if (r < 0)
            return r;
    }
}

/* f->dir/name becomes the data, in one step; durable. */
static int write_file(struct files *f, const char *name, const struct ta_backend_data *data,
                      unsigned mode, struct ta_err *err)
{
    struct ta_file *file;

    in_dir(f, name);
    snprintf(f->temp, sizeof(f->temp), "%s/.%s.new", f->dir, name);
    int r = ta_open(f->vfs, f->temp,
                    TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE | TA_OPEN_NOFOLLOW, mode,
                    &file, err);
    if (r < 0)
        return r;
    r = copy_out(f, file, data, err);
    if (r >= 0)
        r = ta_sync(file, err);
    int closed = ta_close(&file, r < 0 ? NULL : err);
    r = r < 0 ? r : closed;
    if (r >= 0)
        r = f->vfs->rename(f->vfs, f->temp, f->path, err);
    if (r < 0)
        (void)f->vfs->unlink(f->vfs, f->temp, NULL); /* the next try overwrites it */
    return r < 0 ? r : f->vfs->sync_dir(f->vfs, f->dir, err);
}

static int write_text(struct files *f, const char *name, struct ta_str text, unsigned mode,
                      struct ta_err *err)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, text.at, text.len, 0);
    return write_file(f, name, &(struct ta_backend_data){&src.source, text.len, false}, mode, err);
}

/* The whole of f->dir/name. */
static int read_file(struct files *f, const char *name, struct ta_buf *out, struct ta_err *err)
{
    struct ta_file *file;
    uint64_t bytes = 0;
    int r = ta_open(f->vfs, in_dir(f, name), TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    r = file->ops->size(file, &bytes, err);
    if (r >= 0 && (bytes > out->max || ta_buf_reserve(out, (size_t)bytes) < 0))
        r = ta_fail(err, bytes > out->max ? TA_ERANGE : TA_ENOMEM,
                    "%s: %" PRIu64 " bytes are too many", f->path, bytes);
    if (r >= 0 && bytes) {
        int64_t n = ta_pread_full(file, out->at, (size_t)bytes, 0, err);

        r = n < 0 ? (int)n : TA_OK;
        out->len = n < 0 ? 0 : (size_t)n;
    }
    (void)ta_close(&file, NULL); /* only read from */
    return r;
}

/* ---- jobs --------------------------------------------------------------------------------------- */

static int exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    int r = job_dir(of(b), job, err);

    return r < 0 ? r : has(of(b), "meta.json", err);
}

static int read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                     struct ta_err *err)
{
    int r = job_dir(of(b), job, err);

    return r < 0 ? r : read_file(of(b), "meta.json", out, err);
}

static int open_data(struct ta_backend *b, const struct ta_job_address *job,
                     struct ta_backend_data *out, struct ta_err *err)
{
    struct files *f = of(b);
    struct ta_err why = {0};
    int r = job_dir(f, job, err);

    if (r < 0)
        return r;
    out->is_gzip = true;
    r = ta_open(f->vfs, in_dir(f, data_names[1]), TA_OPEN_READ, 0, &f->data, &why);
    if (r == TA_ENOTFOUND) {
        out->is_gzip = false;
        why = (struct ta_err){0};
        r = ta_open(f->vfs, in_dir(f, data_names[0]), TA_OPEN_READ, 0, &f->data, &why);
    }
    if (r < 0) {
        f->data = NULL;
        return ta_fail(err, r, "%s", why.text);
    }
    r = f->data->ops->size(f->data, &out->bytes, err);
    if (r < 0)
        (void)ta_close(&f->data, NULL); /* the size is the error */
    ta_file_source_init(&f->source, f->data);
    out->source = &f->source.source;
    return r;
}

static void close_data(struct ta_backend *b)
{
    (void)ta_close(&of(b)->data, NULL); /* only read from */
}

static int put_data_here(struct files *f, const struct ta_backend_data *data, struct ta_err *err)
{
    bool dropped = false;
    int r = write_file(f, data_names[data->is_gzip], data, 0666, err);

    if (r >= 0)
        r = drop(f, data_names[!data->is_gzip], &dropped, err);
    return r < 0 || !dropped ? r : f->vfs->sync_dir(f->vfs, f->dir, err);
}

static int put_data(struct ta_backend *b, const struct ta_job_address *job,
                    const struct ta_backend_data *data, struct ta_err *err)
{
    int r = job_dir(of(b), job, err);

    return r < 0 ? r : put_data_here(of(b), data, err);
}

static int put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                    struct ta_err *err)
{
    int r = job_dir(of(b), job, err);

    return r < 0 ? r : write_text(of(b), "meta.json", meta, 0666, err);
}

/* Removes the directory f->dir, and the one that holds it when it is empty then. */
static int drop_dirs(struct files *f, struct ta_err *err)
{
    int r = f->vfs->rmdir(f->vfs, f->dir, err);

    if (r < 0)
        return r;
    *strrchr(f->dir, '/') = 0;
    if (f->vfs->rmdir(f->vfs, f->dir, NULL) < 0) /* it has other jobs */
        return f->vfs->sync_dir(f->vfs, f->dir, err);
    *strrchr(f->dir, '/') = 0;
    return f->vfs->sync_dir(f->vfs, f->dir, err);
}

static int put(struct ta_backend *b, const struct ta_job_address *job,
               const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    struct files *f = of(b);
    int r = job_dir(f, job, err);
    int was_there = r < 0 ? r : has(f, "meta.json", err);

    if (was_there < 0)
        return was_there;
    r = ta_mkdir_all(f->vfs, f->dir, 0777, err);
    if (r >= 0)
        r = put_data_here(f, data, err);
    if (r >= 0)
        r = write_text(f, "meta.json", meta, 0666, err);
    if (r < 0 && !was_there && has(f, "meta.json", NULL) == 0) {
        /* Other programs take the directory for the job. What cannot be removed does no harm here. */
        (void)drop(f, data_names[0], NULL, NULL);
        (void)drop(f, data_names[1], NULL, NULL);
        (void)drop_dirs(f, NULL);
    }
    return r;
}

static bool is_ours(const char *name)
{
    return strcmp(name, data_names[0]) == 0 || strcmp(name, data_names[1]) == 0 ||
           (name[0] == '.' && strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".new") == 0);
}

/* The first file in f->dir that is ours, into f->temp: 1, or 0. */
static int find_ours(struct files *f, struct ta_err *err)
{
    struct ta_dir *dir;
    struct ta_dirent entry;
    int r = f->vfs->open_dir(f->vfs, f->dir, &dir, err);

    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &entry, err)) > 0 && !is_ours(entry.name))
        ;
    if (r > 0)
        snprintf(f->temp, sizeof(f->temp), "%s/%s", f->dir, entry.name);
    dir->ops->close(dir);
    return r;
}

static int remove_job(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    struct files *f = of(b);
    int r = job_dir(f, job, err);

    if (r >= 0)
        r = drop(f, "meta.json", NULL, err);
    if (r >= 0)
        r = f->vfs->sync_dir(f->vfs, f->dir, err);
    while (r >= 0 && (r = find_ours(f, err)) > 0)
        r = f->vfs->unlink(f->vfs, f->temp, err);
    return r < 0 ? r : drop_dirs(f, err);
}

/* ---- listing ------------------------------------------------------------------------------------ */

enum { LEVELS = 3 }; /* thousands, rest, start */

struct walk {
    struct ta_backend_cursor cursor;
    struct files *f;
    struct ta_str cluster;
    char name[TA_BACKEND_NAME_MAX];
    struct ta_dir *dir[LEVELS];
    char word[LEVELS][24];
    unsigned depth; /* of the open directories */
};

static int open_level(struct walk *w, struct ta_err *err)
{
    struct files *f = w->f;
    struct ta_err why = {0};
    int n = snprintf(f->dir, sizeof(f->dir), "%s/%.*s", f->root, TA_STR_FMT(w->cluster));

    for (unsigned i = 0; i < w->depth && n > 0 && (size_t)n < sizeof(f->dir); i++)
        n += snprintf(f->dir + n, sizeof(f->dir) - (size_t)n, "/%s", w->word[i]);
    if (n < 0 || (size_t)n >= sizeof(f->dir))
        return too_long(f, err);
    int r = f->vfs->open_dir(f->vfs, f->dir, &w->dir[w->depth], &why);
    if (r == TA_ENOTFOUND) /* removed meanwhile, or no job yet */
        return 0;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    w->depth++;
    return 1;
}

static void close_level(struct walk *w)
{
    struct ta_dir *dir = w->dir[--w->depth];

    dir->ops->close(dir);
}

static int next_job(struct ta_backend_cursor *self, struct ta_job_address *out, struct ta_err *err)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);
    struct ta_dirent entry;

    while (w->depth) {
        unsigned i = w->depth - 1;
        int r = w->dir[i]->ops->next(w->dir[i], &entry, err);

        if (r < 0)
            return r;
        if (r == 0) {
            close_level(w);
            continue;
        }
        if (entry.kind != TA_KIND_DIR || strlen(entry.name) >= sizeof(w->word[i]))
            continue;
        snprintf(w->word[i], sizeof(w->word[i]), "%s", entry.name);
        if (w->depth < LEVELS) {
            if ((r = open_level(w, err)) < 0)
                return r;
            continue;
        }
        out->cluster = w->cluster;
        if (ta_backend_job_of_path(ta_str(w->word[0]), ta_str(w->word[1]), ta_str(w->word[2]),
                                   out) < 0)
            continue;
        if ((r = exists(&w->f->backend, out, err)) != 0)
            return r;
    }
    return 0;
}

static void close_walk(struct ta_backend_cursor *self)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);

    while (w->depth)
        close_level(w);
    ta_release(w->f->alloc, w, sizeof(*w));
}

static int list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                struct ta_err *err)
{
    struct files *f = of(b);
    struct walk *w = ta_alloc_zero(f->alloc, 1, sizeof(*w));

    if (!w)
        return ta_fail(err, TA_ENOMEM, "no memory to list jobs");
    w->cursor = (struct ta_backend_cursor){next_job, close_walk};
    w->f = f;
    memcpy(w->name, cluster.at, cluster.len); /* is_name: it fits */
    w->cluster = (struct ta_str){w->name, cluster.len};
    int r = open_level(w, err);
    if (r < 0) {
        close_walk(&w->cursor);
        return r;
    }
    *out = &w->cursor;
    return TA_OK;
}

/* ---- clusters, marks ---------------------------------------------------------------------------- */

static int clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                    struct ta_err *err)
{
    struct files *f = of(b);
    struct ta_backend_names names;
    struct ta_dirent entry;
    struct ta_dir *dir;
    int r = ta_backend_names_init(&names, arena, err);

    if (r >= 0)
        r = f->vfs->open_dir(f->vfs, f->root, &dir, err);
    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &entry, err)) > 0) {
        if (entry.kind == TA_KIND_DIR && ta_backend_is_name(ta_str(entry.name)))
            r = ta_backend_names_add(&names, ta_str(entry.name), err);
        if (r < 0)
            break;
    }
    dir->ops->close(dir);
    *out = (struct ta_str_list){names.at, names.n, true};
    return r < 0 ? r : TA_OK;
}

static int read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                        struct ta_err *err)
{
    int r = cluster_dir(of(b), cluster, err);

    return r < 0 ? r : read_file(of(b), "cluster.json", out, err);
}

static int put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                       struct ta_err *err)
{
    struct files *f = of(b);
    int r = cluster_dir(f, cluster, err);

    if (r >= 0)
        r = ta_mkdir_all(f->vfs, f->dir, 0777, err);
    return r < 0 ? r : write_text(f, "cluster.json", text, 0666, err);
}

static void go_root(struct files *f)
{
    snprintf(f->dir, sizeof(f->dir), "%s", f->root);
}

static int read_number(struct files *f, const char *name, struct ta_buf *out, struct ta_err *err)
{
    go_root(f);
    ta_buf_init(out, f->alloc, NUMBER_FILE_MAX);
    return read_file(f, name, out, err);
}

static int read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err)
{
    struct ta_buf text;
    int r = read_number(of(b), "compress.txt", &text, err);

    if (r >= 0)
        r = ta_backend_mark_of(b->name, ta_buf_view(&text), out, err);
    ta_buf_done(&text);
    return r;
}

static int put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, at_s);

    go_root(of(b));
    return write_text(of(b), "compress.txt", (struct ta_str){text, (size_t)n}, 0644, err);
}

static int put_version(struct ta_backend *b, struct ta_err *err)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%d\n", TA_BACKEND_VERSION);

    go_root(of(b));
    return write_text(of(b), "version.txt", (struct ta_str){text, (size_t)n}, 0644, err);
}

/* ---- opening ------------------------------------------------------------------------------------ */

static void close_files(struct ta_backend *b)
{
    struct files *f = of(b);

    close_data(b);
    ta_release(f->alloc, f, sizeof(*f));
}

static const struct ta_backend_ops file_ops = {
    .exists = exists,
    .read_meta = read_meta,
    .open_data = open_data,
    .close_data = close_data,
    .put = put,
    .put_data = put_data,
    .put_meta = put_meta,
    .remove = remove_job,
    .clusters = clusters,
    .read_cluster = read_cluster,
    .put_cluster = put_cluster,
    .list = list,
    .read_mark = read_mark,
    .put_mark = put_mark,
    .put_version = put_version,
    .close = close_files,
};

/* 1 = the root holds something that is not hidden. */
static int root_has_entries(struct files *f, struct ta_err *err)
{
    struct ta_dirent entry;
    struct ta_dir *dir;
    int r = f->vfs->open_dir(f->vfs, f->root, &dir, err);

    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &entry, err)) > 0 && entry.name[0] == '.')
        ;
    dir->ops->close(dir);
    return r;
}

static int find_version(struct files *f, const struct ta_backend_options *options,
                        struct ta_err *err)
{
    struct ta_err why = {0};
    struct ta_buf text;
    int r = TA_OK;

    if (options->may_create)
        r = ta_mkdir_all(f->vfs, f->root, 0777, err);
    if (r < 0)
        return r;
    r = read_number(f, "version.txt", &text, &why);
    if (r >= 0)
        r = ta_backend_version_of(f->root, ta_buf_view(&text), options, &f->backend.version, err);
    else if (r != TA_ENOTFOUND)
        r = ta_fail(err, r, "%s", why.text);
    else if ((r = root_has_entries(f, err)) > 0)
        r = ta_fail(err, TA_EFORMAT, "%s: no job archive: it has files but no version.txt",
                    f->root);
    else if (r == 0 && options->may_create)
        r = ta_backend_put_version(&f->backend, err);
    else if (r == 0)
        r = ta_fail(err, TA_ENOTFOUND, "%s: an empty directory and no job archive", f->root);
    ta_buf_done(&text);
    return r;
}

int ta_backend_open_files(struct ta_backend **out, struct ta_vfs *vfs, const char *root,
                          const struct ta_backend_options *options, struct ta_alloc *alloc,
                          struct ta_err *err)
{
    struct files *f = ta_alloc_zero(alloc, 1, sizeof(*f));

    if (!f)
        return ta_fail(err, TA_ENOMEM, "no memory for a job archive");
    f->backend = (struct ta_backend){&file_ops, f->root, TA_BACKEND_VERSION};
    f->vfs = vfs;
    f->alloc = alloc;
    int n = snprintf(f->root, sizeof(f->root), "%s", root);
    int r =
        n <= 0 || (size_t)n >= sizeof(f->root)
            ? ta_fail(err, TA_EINVAL, "the path of a job archive is %s", n ? "too long" : "empty")
            : find_version(f, options, err);
    if (r < 0) {
        close_files(&f->backend);
        return r;
    }
    *out = &f->backend;
    return TA_OK;
}
