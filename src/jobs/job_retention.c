/* job_retention.c - which jobs go, and how they leave; the ways they take are in _files.c and _copy.c. */
#include "jobs/archive_queue.h"
#include "jobs/job_retention_int.h"

#include <stdio.h>

enum { META_MAX = TA_BACKEND_META_MAX, REMOVE_JOBS = 256 };

/* It neither runs nor waits to be archived, nor does the archive wait for its change; ?6: that does not matter. */
#define AT_REST                                                                                    \
    "job_state NOT IN ('running', 'pending', 'suspended') AND monitoring_status <> 1 AND "         \
    "(?6 OR NOT EXISTS (SELECT 1 FROM tarn_edit WHERE tarn_edit.job = job.id))"
/* Keyset paging by (start_time, id), on the index of start times. */
#define NEXT_JOB                                                                                   \
    "SELECT id, job_id, start_time FROM job WHERE cluster = ?1 AND start_time >= ?2 AND "          \
    "start_time < ?3 AND (start_time, id) > (?4, ?5) AND " AT_REST " AND "
#define IN_ORDER " ORDER BY start_time, id LIMIT 1"
/* Of the list of a file. */
#define FIND_JOB "SELECT job_id, cluster FROM job WHERE id = ?1 AND start_time = ?2"

static const char *const tag_rules[TA_JOB_TAG_RULES] = {
    [TA_JOBS_ALL] = "1",
    [TA_JOBS_UNTAGGED] = "NOT EXISTS (SELECT 1 FROM jobtag WHERE jobtag.job_id = job.id)",
    [TA_JOBS_NO_USERS_TAGS] =
        ("NOT EXISTS (SELECT 1 FROM jobtag JOIN tag ON tag.id = jobtag.tag_id WHERE "
         "jobtag.job_id = job.id AND tag.tag_type NOT IN ('app', 'jobClass'))"),
};

int retention_stopped(const struct retention *r, struct ta_err *err)
{
    return r->conf->stop && atomic_load(r->conf->stop)
               ? ta_fail(err, TA_ECANCELED, "the retention of jobs was stopped")
               : TA_OK;
}

void retention_failed(struct retention *r, const struct retained_job *job, const struct ta_err *err)
{
    if (r->out->failed++ == 0)
        (void)ta_fail(&r->out->first, err->code, "job %lld of %s: %s", (long long)job->job_id,
                      r->cluster, err->text);
}

struct ta_job_address retention_address(const struct retention *r, const struct retained_job *job)
{
    return (struct ta_job_address){
        .cluster = ta_str(r->cluster), .job_id = job->job_id, .start_time = job->start_time};
}

int retention_next(struct retention *r, struct retained_job *job, struct ta_err *err)
{
    sqlite3_stmt *s = r->next_job;

    (void)sqlite3_bind_text(s, 1, r->cluster, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, r->conf->from_s);
    sqlite3_bind_int64(s, 3, r->conf->cutoff_s);
    sqlite3_bind_int64(s, 4, job->start_time);
    sqlite3_bind_int64(s, 5, job->row);
    /* A copy would lack what the archive has not yet been told of (archive_queue.h). */
    sqlite3_bind_int(s, 6, r->conf->policy == TA_JOBS_DELETE);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *job = (struct retained_job){.row = sqlite3_column_int64(s, 0),
                                     .job_id = sqlite3_column_int64(s, 1),
                                     .start_time = sqlite3_column_int64(s, 2)};
    sqlite3_reset(s);
    return step == SQLITE_ROW    ? 1
           : step == SQLITE_DONE ? 0
                                 : ta_sql_fail(r->conf->sql, step, "cannot read jobs", err);
}

/* One transaction. */
static int drop_rows(struct retention *r, const struct retained_job *jobs, size_t n,
                     struct ta_err *err)
{
    struct ta_sql *sql = r->conf->sql;
    int e = ta_sql_begin(sql, err);

    if (e < 0)
        return e;
    for (size_t i = 0; i < n && e >= 0; i++) {
        sqlite3_bind_int64(r->drop, 1, jobs[i].row);
        sqlite3_bind_int64(r->drop, 2, jobs[i].start_time);
        int step = sqlite3_step(r->drop);
        sqlite3_reset(r->drop);
        if (step != SQLITE_DONE)
            e = ta_sql_fail(sql, step, "cannot delete jobs", err);
    }
    if (e < 0) {
        ta_sql_rollback(sql);
        return e;
    }
    return ta_sql_commit(sql, err);
}

int retention_remove(struct retention *r, const struct retained_job *jobs, size_t n,
                     struct ta_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct ta_job_address address = retention_address(r, &jobs[i]);
        struct ta_err why = {0};
        int e = ta_backend_remove(r->conf->archive, &address, &why);
        if (e < 0 && e != TA_ENOTFOUND)
            return ta_fail(err, e, "%s", why.text);
    }
    int e = r->conf->keep_rows ? TA_OK : drop_rows(r, jobs, n, err);
    if (e >= 0)
        r->out->removed += n;
    return e;
}

static int delete_jobs(struct retention *r, struct ta_err *err)
{
    struct retained_job jobs[REMOVE_JOBS];
    struct retained_job last = {0};
    int e = 1;

    while (e > 0) {
        size_t n = 0;
        e = retention_stopped(r, err);
        if (e < 0)
            return e;
        while (n < REMOVE_JOBS && (e = retention_next(r, &last, err)) > 0)
            jobs[n++] = last;
        if (e < 0)
            return e;
        int gone = n ? retention_remove(r, jobs, n, err) : TA_OK;
        if (gone < 0)
            return gone;
    }
    return e;
}

/* 1 = r->cluster is the next one by name, 0 = end. */
static int next_cluster(struct retention *r, struct ta_err *err)
{
    sqlite3_stmt *s = r->next_cluster;

    (void)sqlite3_bind_text(s, 1, r->cluster, -1, SQLITE_TRANSIENT);
    int step = sqlite3_step(s);
    if (step != SQLITE_ROW) {
        sqlite3_reset(s);
        return ta_sql_fail(r->conf->sql, step, "cannot read the clusters of jobs", err);
    }
    const char *name = (const char *)sqlite3_column_text(s, 0);
    int e = name ? 1 : 0;
    if (!name && sqlite3_column_type(s, 0) != SQLITE_NULL)
        e = ta_fail(err, TA_ENOMEM, "job database: no memory for a text");
    else if (name && !ta_backend_is_name(ta_str(name)))
        e = ta_fail(err, TA_EFORMAT, "job database: \"%.64s\" is no name of a cluster", name);
    else if (name)
        snprintf(r->cluster, sizeof(r->cluster), "%s", name);
    sqlite3_reset(s);
    return e;
}

static int prepare(struct retention *r, const char *text, sqlite3_stmt **out, struct ta_err *err)
{
    int found = sqlite3_prepare_v2(r->conf->sql->db, text, -1, out, NULL);

    return found == SQLITE_OK ? TA_OK
                              : ta_sql_fail(r->conf->sql, found, "cannot ask for jobs", err);
}

int retention_note_copied(struct retention *r, const struct retained_job *jobs, size_t n,
                          struct ta_err *err)
{
    struct ta_sql *sql = r->conf->sql;
    /* Not immediate: the job database itself stays free for others. */
    int e = ta_sql_run(sql, "BEGIN", err);

    if (e < 0)
        return e;
    for (size_t i = 0; i < n && e >= 0; i++) {
        const struct ta_job_address address = retention_address(r, &jobs[i]);
        e = ta_copied_jobs_add(&r->copied, &address, err);
    }
    if (e < 0) {
        ta_sql_rollback(sql);
        return e;
    }
    return ta_sql_commit(sql, err);
}

static int prepare_next_job(struct retention *r, struct ta_err *err)
{
    char text[1024];

    snprintf(text, sizeof(text), NEXT_JOB "%s AND %s" IN_ORDER, tag_rules[r->conf->tags],
             r->copied.sql ? TA_COPIED_NOT_YET : "1");
    return prepare(r, text, &r->next_job, err);
}

/* What has been tagged, changed or put back on the archiver's list since it was written into a file is newer than
 * the file, and does not leave. A copy is a copy all the same. */
static int prepare_find(struct retention *r, struct ta_err *err)
{
    char text[1024];

    snprintf(text, sizeof(text), FIND_JOB " AND " AT_REST " AND %s", tag_rules[r->conf->tags]);
    return prepare(r, r->copied.sql ? FIND_JOB : text, &r->find, err);
}

static int work(struct retention *r, struct ta_err *err)
{
    const struct ta_job_retention *conf = r->conf;
    bool to_files = conf->policy != TA_JOBS_DELETE && !conf->to;

    int e = ta_archive_queue_tables(conf->sql, err);
    if (e >= 0 && conf->policy == TA_JOBS_COPY && conf->copied)
        e = ta_copied_jobs_open(&r->copied, conf->sql, conf->copied, err);
    if (e >= 0)
        e = prepare(r, "SELECT min(cluster) FROM job WHERE cluster > ?1", &r->next_cluster, err);
    if (e >= 0)
        e = prepare_next_job(r, err);
    if (e >= 0)
        e = prepare_find(r, err);
    if (e >= 0)
        e = prepare(r, "DELETE FROM job WHERE id = ?1 AND start_time = ?2", &r->drop, err);
    if (e >= 0 && to_files)
        e = retention_resume(r, err);
    r->cluster[0] = 0;
    while (e >= 0 && (e = next_cluster(r, err)) > 0)
        e = conf->policy == TA_JOBS_DELETE ? delete_jobs(r, err)
            : to_files                     ? retention_to_files(r, err)
                                           : retention_to_archive(r, err);
    return e;
}

int ta_jobs_retain(const struct ta_job_retention *conf, struct ta_jobs_retained *out,
                   struct ta_err *err)
{
    struct retention r = {.conf = conf, .out = out};
    struct ta_file *held = NULL;
    char path[TA_EXPORT_PATH];
    int e = TA_OK;

    *out = (struct ta_jobs_retained){0};
    ta_buf_init(&r.meta, conf->alloc, META_MAX);
    ta_buf_init(&r.again, conf->alloc, META_MAX);
    ta_arena_init(&r.arena, conf->alloc, META_MAX);
    if (conf->parquet.state) {
        int n = snprintf(path, sizeof(path), "%s/lock", conf->parquet.state);
        if (n < 0 || n >= TA_EXPORT_PATH)
            e = ta_fail(err, TA_ERANGE, "%s: path too long", conf->parquet.state);
        if (e >= 0)
            e = ta_open(conf->parquet.vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE,
                        0600, &held, err);
        if (e >= 0)
            e = held->ops->lock(held, err);
    }
    if (e >= 0)
        e = work(&r, err);
    /* They repeat a step's failure. */
    (void)sqlite3_finalize(r.next_cluster);
    (void)sqlite3_finalize(r.next_job);
    (void)sqlite3_finalize(r.find);
    (void)sqlite3_finalize(r.drop);
    ta_copied_jobs_done(&r.copied);
    (void)ta_close(&held, NULL); /* only a lock */
    ta_buf_done(&r.meta);
    ta_buf_done(&r.again);
    ta_arena_done(&r.arena);
    return e;
}
