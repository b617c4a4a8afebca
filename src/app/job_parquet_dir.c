#include "app/job_parquet_dir.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/gzip.h"
#include "jobs/job_parquet.h"
#include "jobs/job_parquet_read.h"

enum { PATH = 4096, ARENA_MAX = 1 << 20 };

int ta_job_convert_told(struct ta_job_convert *c, const struct ta_job_address *job, int result,
                        struct ta_err *why, struct ta_err *err)
{
    if (result == TA_ENOMEM || result == TA_ECANCELED)
        return ta_fail(err, result, "%s", why->text);
    if (result == TA_EEXIST && !c->may_replace)
        c->passed++;
    else if (result < 0)
        c->failed++;
    else
        c->done++;
    if (c->told)
        c->told(c->data, job, result, why);
    return TA_OK;
}

static int stopped(const struct ta_job_convert *c, struct ta_err *err)
{
    return c->stop && *c->stop ? ta_fail(err, TA_ECANCELED, "stopped") : TA_OK;
}

static int path_of(char *out, const char *dir, struct ta_str cluster, const char *name,
                   struct ta_err *err)
{
    int n = snprintf(out, PATH, "%s/%.*s%s%s", dir, TA_STR_FMT(cluster), name[0] ? "/" : "", name);

    return n < 0 || n >= PATH ? ta_fail(err, TA_ERANGE, "%.200s: a path becomes too long", dir)
                              : TA_OK;
}

/* ---- to Parquet --------------------------------------------------------------------------------- */

struct exporting {
    struct ta_job_convert *c;
    struct ta_backend *from;
    struct ta_job_parquet_conf conf;
    struct ta_job_parquet_writer *writer;
    unsigned number;
    uint64_t pending; /* jobs in the open file */
};

static int write_cluster(const char *dir, struct ta_str cluster, struct ta_str text,
                         struct ta_err *err)
{
    char temp[PATH];
    char path[PATH];
    struct ta_file *file;
    int r = path_of(path, dir, cluster, "", err);

    if (r >= 0)
        r = ta_mkdir_all(&ta_vfs_posix, path, 0750, err);
    if (r >= 0)
        r = path_of(path, dir, cluster, "cluster.json", err);
    if (r >= 0)
        r = path_of(temp, dir, cluster, ".cluster.json.new", err);
    if (r >= 0)
        r = ta_open(&ta_vfs_posix, temp, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0640,
                    &file, err);
    if (r < 0)
        return r;
    r = ta_pwrite_full(file, text.at, text.len, 0, err);
    if (r >= 0)
        r = ta_sync(file, err);
    int closed = ta_close(&file, r < 0 ? NULL : err);
    r = r < 0 ? r : closed;
    return r < 0 ? r : ta_vfs_posix.rename(&ta_vfs_posix, temp, path, err);
}

/* The open file is verified and gets its name: only now are its jobs done. */
static int finish_file(struct exporting *e, struct ta_err *err)
{
    char name[TA_EXPORT_NAME];
    int r = e->writer ? ta_job_parquet_finish(e->writer, &e->number, name, err) : TA_OK;

    ta_job_parquet_free(e->writer);
    if (r >= 0 && e->writer) {
        e->c->files += name[0] != 0;
        e->c->done += e->pending;
    }
    e->writer = NULL;
    e->pending = 0;
    return r;
}

static int put_job(struct exporting *e, const struct ta_job_address *address, struct ta_err *err)
{
    struct ta_archive_work *w = e->c->work;
    struct ta_backend_data data;
    struct ta_gzip gzip = {0};
    struct ta_job job;
    int r = ta_backend_read_meta(e->from, address, &w->meta, err);

    ta_arena_reset(&w->arena);
    if (r >= 0)
        r = ta_job_read_text(&job, ta_buf_view(&w->meta), false, &w->arena, &ta_heap, err);
    if (r >= 0)
        r = ta_backend_open_data(e->from, address, &data, err);
    if (r < 0)
        return r;
    if (!data.is_gzip)
        r = ta_gzip_pack(&gzip, data.source, &ta_heap, err);
    if (r >= 0)
        r = ta_job_parquet_put(e->writer, &job, data.is_gzip ? data.source : &gzip.source, err);
    ta_gzip_done(&gzip);
    ta_backend_close_data(e->from);
    return r;
}

static int export_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct exporting *e = data;
    struct ta_err why = {0};
    int r = TA_OK;

    if (e->writer && ta_job_parquet_is_full(e->writer))
        r = finish_file(e, err);
    if (r >= 0 && !e->writer)
        r = ta_job_parquet_begin(&e->writer, &e->conf, job->cluster, err);
    if (r < 0)
        return r;
    r = put_job(e, job, &why);
    if (r >= 0) {
        e->pending++;
        return TA_OK;
    }
    if (ta_job_parquet_is_broken(e->writer))
        return ta_fail(err, r, "%s", why.text);
    return ta_job_convert_told(e->c, job, r, &why, err);
}

static int export_cluster(struct exporting *e, struct ta_str cluster, const char *dir,
                          struct ta_err *err)
{
    char name[TA_BACKEND_NAME_MAX + 1];
    struct ta_err why = {0};

    snprintf(name, sizeof(name), "%.*s", TA_STR_FMT(cluster));
    int r = ta_backend_read_cluster(e->from, cluster, &e->c->work->other, &why);
    if (r >= 0)
        r = write_cluster(dir, cluster, ta_buf_view(&e->c->work->other), err);
    else
        r = r == TA_ENOTFOUND ? TA_OK : ta_fail(err, r, "%s", why.text);
    e->number = 0;
    if (r >= 0)
        r = ta_job_archive_walk(
            e->from,
            &(struct ta_job_walk){
                .cluster = name, .stop = e->c->stop, .visit = export_job, .data = e},
            err);
    if (r >= 0)
        return finish_file(e, err);
    ta_job_parquet_free(e->writer);
    e->writer = NULL;
    return r;
}

int ta_job_archive_to_parquet(struct ta_job_convert *c, struct ta_backend *from, const char *dir,
                              struct ta_err *err)
{
    struct ta_arc_place_dir place;
    struct ta_str_list names = {0};
    struct ta_arena arena;
    struct tm day;
    char state[PATH];
    char date[16];
    time_t now = (time_t)ta_now_s(&ta_clock_system);
    int r = path_of(state, dir, TA_STR(".tarn"), "", err);

    if (r >= 0)
        r = ta_mkdir_all(&ta_vfs_posix, state, 0750, err);
    if (r < 0)
        return r;
    (void)localtime_r(&now, &day); /* cannot fail for a time of this age */
    (void)strftime(date, sizeof(date), "%Y-%m-%d", &day);
    ta_arc_place_dir_init(&place, &ta_vfs_posix, dir, 0750);
    struct exporting e = {.c = c,
                          .from = from,
                          .conf = {.vfs = &ta_vfs_posix,
                                   .alloc = &ta_heap,
                                   .place = &place.place,
                                   .state = state,
                                   .date = date,
                                   .file_bytes = c->file_bytes}};
    ta_arena_init(&arena, &ta_heap, ARENA_MAX);
    r = ta_backend_clusters(from, &arena, &names, err);
    for (size_t i = 0; r >= 0 && i < names.n; i++)
        if (!c->cluster || ta_str_is(names.at[i], c->cluster))
            r = export_cluster(&e, names.at[i], dir, err);
    ta_arena_done(&arena);
    (void)ta_vfs_posix.rmdir(&ta_vfs_posix, state, NULL); /* stays when something is in it */
    return r < 0 ? r : TA_OK;
}

/* ---- from Parquet ------------------------------------------------------------------------------- */

static int import_rows(struct ta_job_convert *c, struct ta_file *file, struct ta_backend *to,
                       struct ta_err *err)
{
    struct ta_job_parquet_reader *reader;
    struct ta_str data_gz;
    struct ta_job job;
    int r = ta_job_parquet_open(&reader, file, 0, &ta_heap, err);

    if (r < 0)
        return r;
    while ((r = ta_job_parquet_next(reader, &job, &data_gz, err)) > 0) {
        const struct ta_job_address address = {job.cluster, job.job_id, job.start_time};
        struct ta_err why = {0};

        r = stopped(c, err);
        if (r < 0)
            break;
        r = data_gz.len ? ta_archive_store(c->work, to, &job, data_gz, c->may_replace, &why)
                        : ta_fail(&why, TA_EFORMAT, "it has no data");
        r = ta_job_convert_told(c, &address, r, &why, err);
        if (r < 0)
            break;
    }
    ta_job_parquet_close(reader);
    return r;
}

static int import_file(struct ta_job_convert *c, const char *path, struct ta_backend *to,
                       struct ta_err *err)
{
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    r = import_rows(c, file, to, err);
    (void)ta_close(&file, NULL); /* only read from */
    c->files++;
    return r < 0 ? ta_fail_context(err, r, "%.200s: ", path) : r;
}

static bool is_parquet(const char *name)
{
    size_t n = strlen(name);

    return n > 8 && name[0] != '.' && strcmp(name + n - 8, ".parquet") == 0;
}

static int import_configuration(struct ta_job_convert *c, const char *dir, struct ta_str cluster,
                                struct ta_backend *to, struct ta_err *err)
{
    struct ta_buf *text = &c->work->other;
    struct ta_file *file;
    uint64_t bytes = 0;
    char path[PATH];
    int r = path_of(path, dir, cluster, "cluster.json", err);

    if (r >= 0 && ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL) < 0)
        return TA_OK; /* it has none */
    if (r < 0)
        return r;
    ta_buf_reset(text);
    r = file->ops->size(file, &bytes, err);
    if (r >= 0 && (bytes > TA_BACKEND_CLUSTER_MAX || ta_buf_reserve(text, (size_t)bytes) < 0))
        r = ta_fail(err, TA_ERANGE, "%.200s: too large", path);
    int64_t n = r < 0 ? r : ta_pread_full(file, text->at, (size_t)bytes, 0, err);
    (void)ta_close(&file, NULL); /* only read from */
    return n < 0 ? (int)n
                 : ta_backend_put_cluster(to, cluster, (struct ta_str){text->at, (size_t)n}, err);
}

static int import_cluster(struct ta_job_convert *c, const char *dir, struct ta_str cluster,
                          struct ta_backend *to, struct ta_err *err)
{
    struct ta_dirent entry;
    struct ta_dir *files;
    char path[PATH];
    int r = import_configuration(c, dir, cluster, to, err);

    if (r >= 0)
        r = path_of(path, dir, cluster, "", err);
    if (r >= 0)
        r = ta_vfs_posix.open_dir(&ta_vfs_posix, path, &files, err);
    if (r < 0)
        return r;
    while ((r = files->ops->next(files, &entry, err)) > 0) {
        if (!is_parquet(entry.name))
            continue;
        r = path_of(path, dir, cluster, entry.name, err);
        if (r >= 0)
            r = import_file(c, path, to, err);
        if (r < 0)
            break;
    }
    files->ops->close(files);
    return r;
}

int ta_job_archive_from_parquet(struct ta_job_convert *c, const char *dir,
                                struct ta_job_archive *to, struct ta_err *err)
{
    struct ta_dirent entry;
    struct ta_dir *clusters;
    int r = ta_vfs_posix.open_dir(&ta_vfs_posix, dir, &clusters, err);

    if (r < 0)
        return r;
    while ((r = clusters->ops->next(clusters, &entry, err)) > 0) {
        if (entry.kind != TA_KIND_DIR || !ta_backend_is_name(ta_str(entry.name)) ||
            (c->cluster && strcmp(entry.name, c->cluster) != 0))
            continue;
        r = import_cluster(c, dir, ta_str(entry.name), to->backend, err);
        if (r < 0)
            break;
    }
    clusters->ops->close(clusters);
    return r;
}
