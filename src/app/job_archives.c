#include "app/job_archives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 1 << 20 };

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text);

    return n > strlen(with) && strcmp(text + n - strlen(with), with) == 0;
}

int ta_job_archive_temporary(char *out, size_t room, const char *what, unsigned number,
                             struct ta_err *err)
{
    const char *dir = getenv("TMPDIR");
    int n = snprintf(out, room, "%s/tarn-job-archive.%ld.%u.%s", dir && dir[0] ? dir : "/tmp",
                     (long)getpid(), number, what);

    return n < 0 || (size_t)n >= room ? ta_fail(err, TA_EINVAL, "TMPDIR: the path is too long")
                                      : TA_OK;
}

int ta_job_archive_spool(struct ta_data_spool *spool, struct ta_err *err)
{
    char path[128];
    int r = ta_job_archive_temporary(path, sizeof(path), "data", 0, err);

    return r < 0 ? r : ta_data_spool_init(spool, &ta_vfs_posix, path, &ta_heap, err);
}

int ta_job_archive_open_bucket(struct ta_job_archive *a, const struct ta_bucket_conf *conf,
                               const char *spool, const struct ta_backend_options *options,
                               struct ta_err *err)
{
    memset(a, 0, sizeof(*a));
    int r = ta_bucket_open(&a->bucket, conf, err);

    if (r >= 0 && a->bucket.prefix[0])
        r = ta_fail(err, TA_EINVAL, "%.200s: a job archive has the whole bucket: s3://BUCKET",
                    conf->address);
    return r < 0 ? r
                 : ta_backend_open_s3(&a->backend, a->bucket.s3, a->bucket.name, &ta_vfs_posix,
                                      spool, options, &ta_heap, err);
}

int ta_job_archive_open(struct ta_job_archive *a, const char *address, unsigned number,
                        const struct ta_backend_options *options, struct ta_err *err)
{
    char spool[128];

    memset(a, 0, sizeof(*a));
    if (ta_bucket_is_address(address)) {
        const struct ta_bucket_conf conf = {.address = address, .checkpoints = ""};
        int r = ta_job_archive_temporary(spool, sizeof(spool), "upload", number, err);

        return r < 0 ? r : ta_job_archive_open_bucket(a, &conf, spool, options, err);
    }
    if (begins(address, "sqlite:") || ends(address, ".db")) {
        const char *path = begins(address, "sqlite:") ? address + strlen("sqlite:") : address;

        return ta_backend_open_sqlite(&a->backend, &(struct ta_sql_options){.path = path},
                                      &ta_clock_system, options, &ta_heap, err);
    }
    return ta_backend_open_files(&a->backend, &ta_vfs_posix,
                                 begins(address, "file:") ? address + strlen("file:") : address,
                                 options, &ta_heap, err);
}

void ta_job_archive_close(struct ta_job_archive *a)
{
    ta_backend_close(a->backend);
    ta_bucket_close(&a->bucket);
    a->backend = NULL;
}

static int walk_cluster(struct ta_backend *b, struct ta_str cluster, const struct ta_job_walk *walk,
                        struct ta_err *err)
{
    struct ta_backend_cursor *cursor;
    struct ta_job_address job;
    int r = walk->enter ? walk->enter(walk->data, cluster, err) : TA_OK;

    if (r >= 0)
        r = ta_backend_list(b, cluster, &cursor, err);
    if (r < 0)
        return r;
    while ((r = cursor->next(cursor, &job, err)) > 0) {
        if (walk->stop && *walk->stop)
            r = ta_fail(err, TA_ECANCELED, "stopped");
        else
            r = walk->visit(walk->data, &job, err);
        if (r < 0)
            break;
    }
    cursor->close(cursor);
    return r;
}

int ta_job_archive_walk(struct ta_backend *b, const struct ta_job_walk *walk, struct ta_err *err)
{
    struct ta_str_list names = {0};
    struct ta_arena arena;
    int r = TA_OK;

    if (walk->cluster)
        return walk_cluster(b, ta_str(walk->cluster), walk, err);
    ta_arena_init(&arena, &ta_heap, NAMES_MAX);
    r = ta_backend_clusters(b, &arena, &names, err);
    for (size_t i = 0; r >= 0 && i < names.n; i++)
        r = walk_cluster(b, names.at[i], walk, err);
    ta_arena_done(&arena);
    return r < 0 ? r : TA_OK;
}
