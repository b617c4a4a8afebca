#include "app/retention.h"

#include "app/archive_place.h"
#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum { PATH = 4096, UPLOAD_SOURCE = 100, UPLOAD_TARGET, COMPRESS_SPOOL };

/* What a run has opened. */
struct run {
    const struct ta_retention *c;
    bool has_own_state;
    struct ta_sql sql;
    struct ta_bucket bucket;
    struct ta_arc_place_dir dir;
    struct ta_arc_place *place; /* NULL: no Parquet files are made */
    char state[PATH];
    char date[16];
    int64_t cutoff_s;
};

/* Opening would make a database where there is none. */
static int open_database(struct ta_sql *out, const char *path, struct ta_err *err)
{
    const struct ta_sql_options options = {.path = path};
    struct ta_stat st;
    int e = ta_vfs_posix.stat(&ta_vfs_posix, path, &st, err);

    return e < 0 ? e : ta_sql_open(out, &options, err);
}

/* Only Parquet files in a directory need their state on the directory's file system; an archive's own directory
 * holds clusters and nothing else. */
static int make_state(struct run *r, const char *task, bool beside_target, struct ta_err *err)
{
    const struct ta_retention *c = r->c;
    int n = c->state        ? snprintf(r->state, PATH, "%s", c->state)
            : beside_target ? snprintf(r->state, PATH, "%s/.tarn/%s", c->target.address, task)
                            : snprintf(r->state, PATH, "%s.retention/%s", c->db, task);

    if (n < 0 || n >= PATH)
        return ta_fail(err, TA_ERANGE, "%.200s: the path of the state is too long", c->db);
    r->has_own_state = !c->state;
    return ta_mkdir_all(&ta_vfs_posix, r->state, 0750, err);
}

/* A target's directory is read by others: what a finished run has no need of does not stay there. */
static void drop_state(struct run *r)
{
    char path[PATH];

    if (!r->has_own_state || !r->state[0] || snprintf(path, PATH, "%s/lock", r->state) >= PATH)
        return;
    /* Each fails if something else is in the way, which then stays. */
    (void)ta_vfs_posix.unlink(&ta_vfs_posix, path, NULL);
    (void)ta_vfs_posix.rmdir(&ta_vfs_posix, r->state, NULL);
    *strrchr(r->state, '/') = 0;
    (void)ta_vfs_posix.rmdir(&ta_vfs_posix, r->state, NULL);
}

static int open_place(struct run *r, struct ta_err *err)
{
    struct ta_bucket_conf conf = r->c->target;

    if (!ta_bucket_is_address(conf.address)) {
        ta_arc_place_dir_init(&r->dir, &ta_vfs_posix, conf.address, 0750);
        r->place = &r->dir.place;
        return TA_OK;
    }
    conf.checkpoints = r->state;
    conf.stop = r->c->stop;
    int e = ta_bucket_open(&r->bucket, &conf, err);
    r->place = &r->bucket.place.place;
    return e;
}

/* `to_files`: Parquet files go into the target. */
static int open_run(struct run *r, const char *task, bool to_files, struct ta_err *err)
{
    const struct ta_retention *c = r->c;
    int64_t now_s = ta_now_s(c->clock);
    time_t now = (time_t)now_s;
    struct tm tm;
    int e = open_database(&r->sql, c->db, err);

    if (e < 0)
        return e;
    r->cutoff_s = now_s - c->age_s;
    localtime_r(&now, &tm);
    strftime(r->date, sizeof(r->date), "%Y-%m-%d", &tm);
    if (!c->target.address)
        return TA_OK;
    e = make_state(r, task, to_files && !ta_bucket_is_address(c->target.address), err);
    return e >= 0 && to_files ? open_place(r, err) : e;
}

static void close_run(struct run *r, int result)
{
    if (result >= 0)
        drop_state(r);
    ta_bucket_close(&r->bucket);
    if (r->sql.db)
        (void)ta_sql_shrink(&r->sql, NULL); /* what stays free is used again */
    ta_sql_done(&r->sql);
}

int ta_retention_nodes(const struct ta_retention *c, struct ta_node_retained *out,
                       struct ta_err *err)
{
    struct run r = {.c = c};

    *out = (struct ta_node_retained){0};
    int e = open_run(&r, "nodes", true, err);
    const struct ta_node_retention conf = {.sql = &r.sql,
                                           .cutoff_s = r.cutoff_s,
                                           .stop = c->stop,
                                           .vfs = &ta_vfs_posix,
                                           .alloc = &ta_heap,
                                           .place = r.place,
                                           .state = r.state,
                                           .date = r.date,
                                           .file_bytes = c->file_bytes};
    if (e >= 0)
        e = c->target.address ? ta_node_states_move(&conf, out, err)
                              : ta_node_states_delete(&conf, out, err);
    close_run(&r, e);
    return e;
}

enum ta_job_tag_rule ta_retention_tag_rule(const char *word)
{
    return strcmp(word, "all") == 0    ? TA_JOBS_UNTAGGED
           : strcmp(word, "user") == 0 ? TA_JOBS_NO_USERS_TAGS
                                       : TA_JOBS_ALL;
}

/* The path of the list of what this target has in this format; its directory is made. */
static int find_list(const struct ta_retention_jobs *c, char out[static PATH], struct ta_err *err)
{
    const struct ta_retention *common = &c->common;
    const char *target = common->target.address;
    char dir[PATH];
    int n = common->state ? snprintf(dir, PATH, "%s", common->state)
                          : snprintf(dir, PATH, "%s.retention", common->db);

    target = strncmp(target, "file:", 5) == 0 ? target + 5 : target; /* the same in either way */
    uint64_t hash = XXH64(target, strlen(target), c->to_parquet);
    if (n >= 0 && n < PATH)
        n = snprintf(out, PATH, "%s/copied-%016" PRIx64 ".db", dir, hash);
    if (n < 0 || n >= PATH)
        return ta_fail(err, TA_ERANGE, "%.200s: the path of the state is too long", common->db);
    return ta_mkdir_all(&ta_vfs_posix, dir, 0750, err);
}

/* Unix time up to which cc-backend has copied into this directory; 0: it has not. */
static int read_marker(const char *target, int64_t *out, struct ta_err *err)
{
    char path[PATH], text[32];
    struct ta_file *file = NULL;
    struct ta_err why = {0};

    if (ta_bucket_is_address(target))
        return TA_OK;
    if (strncmp(target, "file:", 5) == 0)
        target += 5;
    if (snprintf(path, PATH, "%s/.copy-marker", target) >= PATH)
        return ta_fail(err, TA_ERANGE, "%.200s: the path is too long", target);
    int e = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, &why);
    if (e == TA_ENOTFOUND)
        return TA_OK;
    int64_t n = e < 0 ? e : ta_pread_full(file, text, sizeof(text), 0, &why);
    (void)ta_close(&file, NULL); /* it was only read */
    if (n < 0)
        return ta_fail(err, (int)n, "%s", why.text);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    return ta_parse_i64((struct ta_str){text, (size_t)n}, out) < 0
               ? ta_fail(err, TA_EFORMAT, "%s: is no time", path)
               : TA_OK;
}

int ta_retention_jobs(const struct ta_retention_jobs *c, struct ta_jobs_retained *out,
                      struct ta_err *err)
{
    const struct ta_retention *common = &c->common;
    struct run r = {.c = common};
    struct ta_job_archive archive = {0};
    struct ta_job_archive to = {0};
    bool to_archive = common->target.address && !c->to_parquet;
    bool lists = c->policy == TA_JOBS_COPY && !c->again;
    int64_t from_s = c->from_s;
    char copied[PATH];

    *out = (struct ta_jobs_retained){0};
    int e = ta_archive_place_open(&c->archive, UPLOAD_SOURCE, false, common->stop, &archive, err);
    if (e >= 0 && to_archive)
        e = ta_archive_place_open(&common->target, UPLOAD_TARGET, true, common->stop, &to, err);
    if (e >= 0)
        e = open_run(&r, "jobs", c->to_parquet, err);
    if (e >= 0 && lists)
        e = find_list(c, copied, err);
    if (e >= 0 && lists && from_s == 0)
        e = read_marker(common->target.address, &from_s, err);
    const struct ta_job_retention conf = {.sql = &r.sql,
                                          .archive = archive.backend,
                                          .policy = c->policy,
                                          .tags = c->tags,
                                          .from_s = from_s,
                                          .cutoff_s = r.cutoff_s,
                                          .keep_rows = c->keep_rows,
                                          .stop = common->stop,
                                          .alloc = &ta_heap,
                                          .to = to.backend,
                                          .copied = lists ? copied : NULL,
                                          .parquet = {.vfs = &ta_vfs_posix,
                                                      .alloc = &ta_heap,
                                                      .place = r.place,
                                                      .state = r.state[0] ? r.state : NULL,
                                                      .date = r.date,
                                                      .file_bytes = common->file_bytes}};
    if (e >= 0)
        e = ta_jobs_retain(&conf, out, err);
    ta_job_archive_close(&archive);
    ta_job_archive_close(&to);
    close_run(&r, e);
    return e;
}

int ta_retention_compress(const struct ta_retention *common, const struct ta_bucket_conf *archive,
                          struct ta_compressed *out, struct ta_err *err)
{
    struct ta_job_archive a = {0};
    struct ta_data_spool spool = {0};
    struct ta_archive_work work;
    struct ta_sql sql = {0};
    char path[128];

    *out = (struct ta_compressed){0};
    int e = ta_archive_place_open(archive, UPLOAD_SOURCE, false, common->stop, &a, err);
    if (e >= 0 && common->db)
        e = open_database(&sql, common->db, err);
    if (e >= 0)
        e = ta_job_archive_temporary(path, sizeof(path), "data", COMPRESS_SPOOL, err);
    if (e >= 0)
        e = ta_data_spool_init(&spool, &ta_vfs_posix, path, &ta_heap, err);
    ta_archive_work_init(&work, &spool, &ta_heap);
    const struct ta_compression conf = {.work = &work,
                                        .archive = a.backend,
                                        .sql = common->db ? &sql : NULL,
                                        .before_s = ta_now_s(common->clock) - common->age_s,
                                        .stop = common->stop};
    if (e >= 0)
        e = ta_compression_run(&conf, out, err);
    ta_archive_work_done(&work);
    ta_data_spool_done(&spool);
    ta_job_archive_close(&a);
    ta_sql_done(&sql);
    return e;
}
