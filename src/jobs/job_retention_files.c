/* job_retention_files.c - the jobs of a cluster into Parquet files, and after each out of the archive or into the list of
 * copies. */
#include "jobs/gzip_source.h"
#include "jobs/job_retention_int.h"

#include <stdio.h>
#include <string.h>

enum { GZIP_LEVEL = 9, REMOVE_JOBS = 256 };

/* The jobs of a file are listed, as something becomes of them when it is published. */
static bool lists(const struct retention *r)
{
    return r->conf->policy == TA_JOBS_MOVE || r->copied.sql;
}

/* One job into the open file. TA_ENOTFOUND: the archive has none such. */
static int put_job(struct retention *r, struct ta_job_parquet_writer *w,
                   const struct retained_job *old, struct ta_err *err)
{
    const struct ta_job_address address = retention_address(r, old);
    struct ta_backend *from = r->conf->archive;
    struct ta_backend_data data;
    struct ta_gzip_source gzip = {0};
    struct ta_err why = {0};
    struct ta_job job;

    int e = ta_backend_read_meta(from, &address, &r->meta, err);
    if (e < 0)
        return e;
    ta_arena_reset(&r->arena);
    e = ta_job_read_text(&job, ta_buf_view(&r->meta), false, &r->arena, r->conf->alloc, err);
    if (e < 0)
        return e;
    e = ta_backend_open_data(from, &address, &data, &why);
    if (e == TA_ENOTFOUND)
        return ta_job_parquet_put(w, &job, NULL, err);
    if (e < 0)
        return ta_fail(err, e, "%s", why.text);
    struct ta_source *source = data.source;
    if (!data.is_gzip) {
        e = ta_gzip_source_init(&gzip, data.source, GZIP_LEVEL, r->conf->alloc, err);
        source = &gzip.source;
    }
    if (e >= 0)
        e = ta_job_parquet_put(w, &job, source, err);
    ta_gzip_source_done(&gzip);
    ta_backend_close_data(from);
    return e;
}

/* The job and cluster of a listed row; 0 = the row is gone, or newer than the file. */
static int find(struct retention *r, const struct ta_moved_row *row, struct retained_job *out,
                struct ta_err *err)
{
    sqlite3_stmt *s = r->find;

    sqlite3_bind_int64(s, 1, row->id);
    sqlite3_bind_int64(s, 2, row->time_s);
    (void)sqlite3_bind_int64(s, 6, false); /* of copies it is not there */
    int step = sqlite3_step(s);
    int e = step == SQLITE_ROW    ? 1
            : step == SQLITE_DONE ? 0
                                  : ta_sql_fail(r->conf->sql, step, "cannot read jobs", err);
    if (e > 0) {
        const char *cluster = (const char *)sqlite3_column_text(s, 1);
        *out = (struct retained_job){
            .row = row->id, .job_id = sqlite3_column_int64(s, 0), .start_time = row->time_s};
        if (!cluster)
            e = ta_fail(err, TA_ENOMEM, "job database: no memory for a text");
        else
            snprintf(r->cluster, sizeof(r->cluster), "%s", cluster);
    }
    sqlite3_reset(s);
    return e;
}

/* The listed jobs, which are of one cluster, leave or are noted as copied; then the record goes with its list. */
static int settle_listed(struct retention *r, struct ta_moved_rows *moved, struct ta_err *err)
{
    struct retained_job jobs[REMOVE_JOBS];
    struct ta_moved_row row;
    int e = 1;

    ta_moved_rows_rewind(moved);
    while (e > 0) {
        size_t n = 0;
        e = retention_stopped(r, err);
        if (e < 0)
            return e;
        while (n < REMOVE_JOBS && (e = ta_moved_rows_next(moved, &row, err)) > 0) {
            int found = find(r, &row, &jobs[n], err);
            if (found < 0)
                return found;
            n += (size_t)found;
        }
        if (e < 0)
            return e;
        int done = n == 0          ? TA_OK
                   : r->copied.sql ? retention_note_copied(r, jobs, n, err)
                                   : retention_remove(r, jobs, n, err);
        if (done < 0)
            return done;
    }
    return ta_moved_rows_forget(moved, err);
}

int retention_resume(struct retention *r, struct ta_err *err)
{
    const struct ta_job_parquet_conf *to = &r->conf->parquet;
    struct ta_moved_rows moved;
    char under[TA_EXPORT_NAME];
    unsigned number = 0;

    int e = ta_moved_rows_open(&moved, to->vfs, to->state, to->alloc, err);
    if (e > 0) {
        const char *slash = strchr(moved.name, '/');
        snprintf(under, sizeof(under), "%.*s", slash ? (int)(slash - moved.name) + 1 : 0,
                 moved.name);
        const struct ta_export_conf conf = {.vfs = to->vfs,
                                            .alloc = to->alloc,
                                            .place = to->place,
                                            .state = to->state,
                                            .under = under,
                                            .prefix = TA_JOB_PARQUET_PREFIX,
                                            .date = to->date};
        e = ta_moved_rows_settle(&moved, &conf, &number, err);
        if (e >= 0)
            e = e > 0 && lists(r) ? settle_listed(r, &moved, err)
                                  : ta_moved_rows_forget(&moved, err);
    }
    ta_moved_rows_done(&moved);
    return e < 0 ? e : TA_OK;
}

/* Fills the file; 1 = it is full, 0 = there are no more jobs. */
static int fill(struct retention *r, struct ta_job_parquet_writer *w, struct ta_moved_rows *moved,
                struct retained_job *last, struct ta_err *err)
{
    int e = TA_OK;

    while (!ta_job_parquet_is_full(w)) {
        struct ta_err why = {0};
        e = retention_stopped(r, err);
        if (e >= 0)
            e = retention_next(r, last, err);
        if (e <= 0)
            return e;
        int put = put_job(r, w, last, &why);
        if (ta_job_parquet_is_broken(w))
            return ta_fail(err, put, "%s", why.text);
        if (put == TA_ENOTFOUND)
            r->out->absent++;
        else if (put < 0)
            retention_failed(r, last, &why);
        else if (moved->file)
            e = ta_moved_rows_add(moved, (struct ta_moved_row){last->row, last->start_time}, err);
        if (e < 0)
            return e;
    }
    return 1;
}

static int one_file(struct retention *r, struct retained_job *last, unsigned *number,
                    struct ta_err *err)
{
    const struct ta_job_parquet_conf *to = &r->conf->parquet;
    struct ta_job_parquet_writer *w = NULL;
    struct ta_moved_rows moved = {0};
    char name[TA_EXPORT_NAME];
    int more = 0;

    int e = ta_job_parquet_begin(&w, to, ta_str(r->cluster), err);
    if (e >= 0 && lists(r))
        e = ta_moved_rows_begin(&moved, to->vfs, to->state, to->alloc, err);
    if (e >= 0)
        e = more = fill(r, w, &moved, last, err);
    if (e < 0)
        goto out;
    uint64_t jobs = ta_job_parquet_rows(w);
    if (jobs == 0)
        goto out;
    if (lists(r))
        e = ta_moved_rows_seal(&moved, err);
    if (e >= 0)
        e = lists(r) ? ta_job_parquet_finish_moved(w, number, &moved, err)
                     : ta_job_parquet_finish(w, number, name, err);
    if (e < 0)
        goto out;
    r->out->copied += jobs;
    r->out->files++;
    if (lists(r))
        e = settle_listed(r, &moved, err);
out:
    ta_job_parquet_free(w);
    ta_moved_rows_done(&moved);
    return e < 0 ? e : more;
}

/* The cluster's configuration beside its first file: whoever reads the jobs needs it. */
static int put_cluster(struct retention *r, struct ta_err *err)
{
    const struct ta_job_parquet_conf *to = &r->conf->parquet;
    char name[TA_BACKEND_NAME_MAX + 16], path[TA_EXPORT_PATH];
    struct ta_file *file = NULL;
    struct ta_err why = {0};

    snprintf(name, sizeof(name), "%s/cluster.json", r->cluster);
    int n = snprintf(path, sizeof(path), "%s/export.cluster.tmp", to->state);
    if (n < 0 || n >= TA_EXPORT_PATH)
        return ta_fail(err, TA_ERANGE, "%s: path too long", to->state);
    int e = to->place->exists(to->place, name, err);
    if (e != 0)
        return e;
    e = ta_backend_read_cluster(r->conf->archive, ta_str(r->cluster), &r->meta, &why);
    if (e < 0)
        return e == TA_ENOTFOUND ? TA_OK : ta_fail(err, e, "%s", why.text);
    e = ta_open(to->vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE,
                to->file_mode ? to->file_mode : 0640, &file, err);
    if (e >= 0)
        e = ta_pwrite_full(file, r->meta.at, r->meta.len, 0, err);
    if (e >= 0)
        e = ta_sync(file, err);
    int closed = ta_close(&file, err);
    e = e < 0 ? e : closed;
    return e < 0 ? e : to->place->publish(to->place, path, name, err);
}

int retention_to_files(struct retention *r, struct ta_err *err)
{
    struct retained_job last = {0};
    uint64_t files = r->out->files;
    unsigned number = 0;
    int e = 1;

    while (e > 0)
        e = one_file(r, &last, &number, err);
    return e < 0 || r->out->files == files ? e : put_cluster(r, err);
}
