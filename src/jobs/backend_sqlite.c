/* backend_sqlite.c - a job archive as one SQLite database.
 *
 *     jobs(id, job_id, cluster, start_time, meta_json, data_json, data_compressed, created_at, updated_at)
 *     clusters(name, config_json, updated_at)      metadata(key, value): version, compress_last
 *
 * (spec: job-archive 7) A job is one row, so what is written is one transaction. Data are read piece by
 * piece; they are written as a whole, because a row whose large value is not its last column is always
 * put together in memory: twice the stored size of the data.
 */
#include "jobs/backend_int.h"
#include "jobs/sql.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

/* SQLite's own limit of one value. */
enum { VALUE_MAX = 1000000000 };

static const char tables[] =
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, job_id INTEGER NOT NULL,"
    " cluster TEXT NOT NULL, start_time INTEGER NOT NULL, meta_json BLOB NOT NULL, data_json BLOB,"
    " data_compressed BOOLEAN DEFAULT 0, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,"
    " UNIQUE(job_id, cluster, start_time));"
    "CREATE INDEX idx_jobs_cluster ON jobs(cluster);"
    "CREATE INDEX idx_jobs_start_time ON jobs(start_time);"
    "CREATE INDEX idx_jobs_order ON jobs(cluster, start_time);"
    "CREATE INDEX idx_jobs_lookup ON jobs(cluster, job_id, start_time);"
    "CREATE TABLE clusters (name TEXT PRIMARY KEY, config_json BLOB NOT NULL,"
    " updated_at INTEGER NOT NULL);"
    "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);";

enum statement {
    EXISTS,
    META,
    DATA,
    PUT,
    PUT_DATA,
    PUT_META,
    REMOVE,
    CLUSTERS,
    CLUSTER,
    PUT_CLUSTER,
    NEXT,
    VALUE,
    PUT_VALUE,
    STATEMENTS
};

#define THIS_JOB " WHERE cluster = ?1 AND job_id = ?2 AND start_time = ?3"

static const char *const texts[STATEMENTS] = {
    [EXISTS] = "SELECT 1 FROM jobs" THIS_JOB,
    [META] = "SELECT meta_json FROM jobs" THIS_JOB,
    [DATA] = "SELECT id, data_compressed FROM jobs" THIS_JOB " AND data_json IS NOT NULL",
    [PUT] =
        "INSERT INTO jobs (cluster, job_id, start_time, meta_json, data_json, data_compressed,"
        " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"
        " ON CONFLICT (job_id, cluster, start_time) DO UPDATE SET meta_json = excluded.meta_json,"
        " data_json = excluded.data_json, data_compressed = excluded.data_compressed,"
        " updated_at = excluded.updated_at",
    [PUT_DATA] = "UPDATE jobs SET data_json = ?5, data_compressed = ?6, updated_at = ?7" THIS_JOB,
    [PUT_META] = "UPDATE jobs SET meta_json = ?4, updated_at = ?7" THIS_JOB,
    [REMOVE] = "DELETE FROM jobs" THIS_JOB,
    [CLUSTERS] = "SELECT DISTINCT cluster FROM jobs UNION SELECT name FROM clusters",
    [CLUSTER] = "SELECT config_json FROM clusters WHERE name = ?1",
    [PUT_CLUSTER] = "INSERT INTO clusters (name, config_json, updated_at) VALUES (?1, ?2, ?3)"
                    " ON CONFLICT (name) DO UPDATE SET config_json = excluded.config_json,"
                    " updated_at = excluded.updated_at",
    [NEXT] = "SELECT id, job_id, start_time FROM jobs WHERE cluster = ?1 AND id > ?2 ORDER BY id"
             " LIMIT 1",
    [VALUE] = "SELECT value FROM metadata WHERE key = ?1",
    [PUT_VALUE] = "INSERT INTO metadata (key, value) VALUES (?1, ?2)"
                  " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
};

struct database {
    struct ta_backend backend;
    struct ta_alloc *alloc;
    struct ta_clock *clock;
    struct ta_sql sql;
    sqlite3_stmt *statement[STATEMENTS];
    char path[TA_BACKEND_PATH_MAX / 2];
    sqlite3_blob *data; /* open */
    struct ta_source source;
    int64_t at, bytes; /* of it */
};

static struct database *of(struct ta_backend *b)
{
    return TA_CONTAINER(b, struct database, backend);
}

static int fail(struct database *d, int result, const char *what, struct ta_err *err)
{
    int code = ta_sql_fail(&d->sql, result, what, NULL);

    return ta_fail(err, code, "%s: %s: %s", d->path, what, sqlite3_errmsg(d->sql.db));
}

/* Prepared once, without values. */
static int get(struct database *d, enum statement which, sqlite3_stmt **out, struct ta_err *err)
{
    int r = SQLITE_OK;

    if (!d->statement[which])
        r = sqlite3_prepare_v3(d->sql.db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                               &d->statement[which], NULL);
    *out = d->statement[which];
    return r == SQLITE_OK ? TA_OK : fail(d, r, "cannot prepare a statement", err);
}

/* Binding fails only for want of memory or past VALUE_MAX; the step then tells. */
static void bind_str(sqlite3_stmt *s, int at, struct ta_str v)
{
    (void)sqlite3_bind_text64(s, at, v.at, v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_blob(sqlite3_stmt *s, int at, struct ta_str v)
{
    (void)sqlite3_bind_blob64(s, at, v.at ? v.at : "", v.len, SQLITE_STATIC);
}

static void bind_i64(sqlite3_stmt *s, int at, int64_t v)
{
    (void)sqlite3_bind_int64(s, at, v);
}

static void bind_job(sqlite3_stmt *s, const struct ta_job_address *job)
{
    bind_str(s, 1, job->cluster);
    bind_i64(s, 2, job->job_id);
    bind_i64(s, 3, job->start_time);
}

/* 1 = there is a row, 0 = the end. */
static int step(struct database *d, sqlite3_stmt *s, struct ta_err *err)
{
    int r = sqlite3_step(s);

    return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : fail(d, r, "cannot run a statement", err);
}

static void reset(sqlite3_stmt *s)
{
    if (s) {
        (void)sqlite3_reset(s); /* repeats the step's failure */
        (void)sqlite3_clear_bindings(s);
    }
}

/* Runs to its end; a statement alone is a transaction. */
static int run(struct database *d, sqlite3_stmt *s, struct ta_err *err)
{
    int r = step(d, s, err);

    reset(s);
    return r < 0 ? r : TA_OK;
}

/* The first column of the next row, added to `out`. TA_ENOTFOUND without words. */
static int read_value(struct database *d, sqlite3_stmt *s, struct ta_buf *out, const char *what,
                      struct ta_err *err)
{
    int r = step(d, s, err);

    if (r > 0) {
        const void *at = sqlite3_column_blob(s, 0);
        size_t n = (size_t)sqlite3_column_bytes(s, 0);

        r = n && !at ? TA_ENOMEM : ta_buf_add(out, at, n);
        if (r < 0)
            r = ta_fail(err, r, "%s: %s of %zu bytes: %s", d->path, what, n, ta_strerror(r));
    } else if (r == 0) {
        r = ta_fail(err, TA_ENOTFOUND, "%s: no %s", d->path, what);
    }
    reset(s);
    return r < 0 ? r : TA_OK;
}

/* ---- jobs --------------------------------------------------------------------------------------- */

static int exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    sqlite3_stmt *s;
    int r = get(of(b), EXISTS, &s, err);

    if (r < 0)
        return r;
    bind_job(s, job);
    r = step(of(b), s, err);
    reset(s);
    return r;
}

static int read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                     struct ta_err *err)
{
    sqlite3_stmt *s;
    int r = get(of(b), META, &s, err);

    if (r < 0)
        return r;
    bind_job(s, job);
    return read_value(of(b), s, out, "metadata of that job", err);
}

static int64_t read_data(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct database *d = TA_CONTAINER(self, struct database, source);
    int64_t left = d->bytes - d->at;
    int want = (int)(left < (int64_t)n ? left : (int64_t)n);

    if (want == 0)
        return 0;
    int r = sqlite3_blob_read(d->data, buf, want, (int)d->at);
    if (r != SQLITE_OK)
        return fail(d, r, "cannot read data", err);
    d->at += want;
    return want;
}

static void close_data(struct ta_backend *b)
{
    (void)sqlite3_blob_close(of(b)->data); /* only read from */
    of(b)->data = NULL;
}

static int open_data(struct ta_backend *b, const struct ta_job_address *job,
                     struct ta_backend_data *out, struct ta_err *err)
{
    struct database *d = of(b);
    sqlite3_stmt *s;
    int r = get(d, DATA, &s, err);

    if (r < 0)
        return r;
    bind_job(s, job);
    r = step(d, s, err);
    if (r == 0)
        r = ta_fail(err, TA_ENOTFOUND, "%s: no data of that job", d->path);
    int64_t id = r > 0 ? sqlite3_column_int64(s, 0) : 0;
    out->is_gzip = r > 0 && sqlite3_column_int(s, 1) != 0;
    reset(s);
    if (r < 0)
        return r;
    r = sqlite3_blob_open(d->sql.db, "main", "jobs", "data_json", id, 0, &d->data);
    if (r != SQLITE_OK) {
        d->data = NULL;
        return fail(d, r, "cannot open data", err);
    }
    d->at = 0;
    d->bytes = sqlite3_blob_bytes(d->data);
    d->source.read = read_data;
    out->source = &d->source;
    out->bytes = (uint64_t)d->bytes;
    return TA_OK;
}

/* All of it in memory: see the head of this file. */
static int take_data(struct database *d, const struct ta_backend_data *data, struct ta_buf *out,
                     struct ta_err *err)
{
    uint64_t done = 0;
    int64_t n = 1;

    if (data->bytes > VALUE_MAX)
        return ta_fail(err, TA_ERANGE, "%s: data of %" PRIu64 " bytes: a database holds at most %d",
                       d->path, data->bytes, VALUE_MAX);
    ta_buf_init(out, d->alloc, (size_t)data->bytes + 1);
    int r = ta_buf_reserve(out, (size_t)data->bytes + 1);
    if (r < 0)
        return ta_fail(err, r, "%s: data of %" PRIu64 " bytes: %s", d->path, data->bytes,
                       ta_strerror(r));
    while (n > 0) {
        n = ta_backend_piece(data, &done, out->at + out->len, out->cap - out->len, err);
        out->len += n > 0 ? (size_t)n : 0;
    }
    return (int)n;
}

static int write_job(struct database *d, enum statement which, const struct ta_job_address *job,
                     const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    struct ta_buf text = {0};
    sqlite3_stmt *s;
    int r = get(d, which, &s, err);

    if (r >= 0 && data)
        r = take_data(d, data, &text, err);
    if (r >= 0) {
        bind_job(s, job);
        if (which != PUT_DATA)
            bind_blob(s, 4, meta);
        if (data) {
            bind_blob(s, 5, ta_buf_view(&text));
            bind_i64(s, 6, data->is_gzip);
        }
        bind_i64(s, 7, ta_now_s(d->clock));
        r = run(d, s, err);
    }
    ta_buf_done(&text);
    return r;
}

static int put(struct ta_backend *b, const struct ta_job_address *job,
               const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    return write_job(of(b), PUT, job, data, meta, err);
}

static int put_data(struct ta_backend *b, const struct ta_job_address *job,
                    const struct ta_backend_data *data, struct ta_err *err)
{
    return write_job(of(b), PUT_DATA, job, data, TA_STR(""), err);
}

static int put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                    struct ta_err *err)
{
    return write_job(of(b), PUT_META, job, NULL, meta, err);
}

static int remove_job(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    sqlite3_stmt *s;
    int r = get(of(b), REMOVE, &s, err);

    if (r < 0)
        return r;
    bind_job(s, job);
    r = run(of(b), s, err);
    if (r >= 0)
        (void)ta_sql_shrink(&of(b)->sql, NULL); /* what stays free is used again */
    return r;
}

/* ---- listing ------------------------------------------------------------------------------------ */

struct walk {
    struct ta_backend_cursor cursor;
    struct database *d;
    struct ta_str cluster;
    char name[TA_BACKEND_NAME_MAX];
    int64_t id; /* the last one given */
};

/* One row a call, and no transaction in between: the log of the database can be emptied. */
static int next_job(struct ta_backend_cursor *self, struct ta_job_address *out, struct ta_err *err)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);
    sqlite3_stmt *s;
    int r = get(w->d, NEXT, &s, err);

    if (r < 0)
        return r;
    bind_str(s, 1, w->cluster);
    bind_i64(s, 2, w->id);
    r = step(w->d, s, err);
    if (r > 0) {
        w->id = sqlite3_column_int64(s, 0);
        *out = (struct ta_job_address){w->cluster, sqlite3_column_int64(s, 1),
                                       sqlite3_column_int64(s, 2)};
    }
    reset(s);
    return r;
}

static void close_walk(struct ta_backend_cursor *self)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);

    ta_release(w->d->alloc, w, sizeof(*w));
}

static int list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                struct ta_err *err)
{
    struct walk *w = ta_alloc_zero(of(b)->alloc, 1, sizeof(*w));

    if (!w)
        return ta_fail(err, TA_ENOMEM, "no memory to list jobs");
    w->cursor = (struct ta_backend_cursor){next_job, close_walk};
    w->d = of(b);
    memcpy(w->name, cluster.at, cluster.len); /* is_name: it fits */
    w->cluster = (struct ta_str){w->name, cluster.len};
    w->id = INT64_MIN;
    *out = &w->cursor;
    return TA_OK;
}

/* ---- clusters, marks ---------------------------------------------------------------------------- */

static int clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                    struct ta_err *err)
{
    struct ta_backend_names names;
    sqlite3_stmt *s = NULL;
    int r = ta_backend_names_init(&names, arena, err);

    if (r >= 0)
        r = get(of(b), CLUSTERS, &s, err);
    while (r >= 0 && (r = step(of(b), s, err)) > 0) {
        const void *at = sqlite3_column_blob(s, 0);
        struct ta_str name = {at, at ? (size_t)sqlite3_column_bytes(s, 0) : 0};

        /* What is no name cannot be asked for: a job of that cluster is out of reach. */
        if (ta_backend_is_name(name))
            r = ta_backend_names_add(&names, name, err);
    }
    reset(s);
    *out = (struct ta_str_list){names.at, names.n, true};
    return r < 0 ? r : TA_OK;
}

static int read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                        struct ta_err *err)
{
    sqlite3_stmt *s;
    int r = get(of(b), CLUSTER, &s, err);

    if (r < 0)
        return r;
    bind_str(s, 1, cluster);
    return read_value(of(b), s, out, "configuration of that cluster", err);
}

static int put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                       struct ta_err *err)
{
    struct database *d = of(b);
    sqlite3_stmt *s;
    int r = get(d, PUT_CLUSTER, &s, err);

    if (r < 0)
        return r;
    bind_str(s, 1, cluster);
    bind_blob(s, 2, text);
    bind_i64(s, 3, ta_now_s(d->clock));
    return run(d, s, err);
}

static int read_key(struct database *d, const char *key, struct ta_buf *out, struct ta_err *err)
{
    sqlite3_stmt *s;
    int r = get(d, VALUE, &s, err);

    ta_buf_init(out, d->alloc, 64);
    if (r < 0)
        return r;
    bind_str(s, 1, ta_str(key));
    return read_value(d, s, out, key, err);
}

static int put_key(struct database *d, const char *key, int64_t value, struct ta_err *err)
{
    sqlite3_stmt *s;
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);
    int r = get(d, PUT_VALUE, &s, err);

    if (r < 0)
        return r;
    bind_str(s, 1, ta_str(key));
    bind_str(s, 2, (struct ta_str){text, (size_t)n});
    return run(d, s, err);
}

static int read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err)
{
    struct ta_buf text;
    int r = read_key(of(b), "compress_last", &text, err);

    if (r >= 0)
        r = ta_backend_mark_of(b->name, ta_buf_view(&text), out, err);
    ta_buf_done(&text);
    return r;
}

static int put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err)
{
    return put_key(of(b), "compress_last", at_s, err);
}

static int put_version(struct ta_backend *b, struct ta_err *err)
{
    return put_key(of(b), "version", TA_BACKEND_VERSION, err);
}

/* ---- opening ------------------------------------------------------------------------------------ */

static void close_database(struct ta_backend *b)
{
    struct database *d = of(b);

    close_data(b);
    for (unsigned i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(d->statement[i]); /* repeats the step's failure */
    if (d->sql.db)
        ta_sql_done(&d->sql);
    ta_release(d->alloc, d, sizeof(*d));
}

static const struct ta_backend_ops sqlite_ops = {
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
    .close = close_database,
};

static int make_tables(struct database *d, struct ta_err *err)
{
    int r = ta_sql_begin(&d->sql, err);

    if (r >= 0)
        r = ta_sql_run(&d->sql, tables, err);
    if (r >= 0)
        r = put_version(&d->backend, err);
    if (r < 0) {
        ta_sql_rollback(&d->sql);
        return r;
    }
    return ta_sql_commit(&d->sql, err);
}

/* What is in the file: our tables, nothing, or something else. */
static int find_version(struct database *d, const struct ta_backend_options *options,
                        struct ta_err *err)
{
    struct ta_buf text = {0};
    int64_t ours = 0;
    int64_t all = 0;
    int r = ta_sql_i64(&d->sql, "SELECT count(*) FROM sqlite_master", &all, err);

    if (r >= 0)
        r = ta_sql_i64(&d->sql,
                       "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
                       " AND name IN ('jobs', 'clusters', 'metadata')",
                       &ours, err);
    if (r < 0)
        return r;
    if (all == 0 && options->may_create)
        return make_tables(d, err);
    if (ours != 3)
        return all ? ta_fail(err, TA_EFORMAT, "%s: no job archive: tables are missing", d->path)
                   : ta_fail(err, TA_ENOTFOUND, "%s: an empty database and no job archive",
                             d->path);
    r = read_key(d, "version", &text, err);
    if (r >= 0)
        r = ta_backend_version_of(d->path, ta_buf_view(&text), options, &d->backend.version, err);
    ta_buf_done(&text);
    return r == TA_ENOTFOUND ? ta_fail_context(err, TA_EFORMAT, "no job archive: ") : r;
}

int ta_backend_open_sqlite(struct ta_backend **out, const struct ta_sql_options *sql,
                           struct ta_clock *clock, const struct ta_backend_options *options,
                           struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_stat stat;
    int r = options->may_create ? TA_OK : ta_vfs_posix.stat(&ta_vfs_posix, sql->path, &stat, err);

    if (r < 0) /* opening would make the file */
        return r;
    struct database *d = ta_alloc_zero(alloc, 1, sizeof(*d));
    if (!d)
        return ta_fail(err, TA_ENOMEM, "no memory for a job archive");
    d->backend = (struct ta_backend){&sqlite_ops, d->path, TA_BACKEND_VERSION};
    d->alloc = alloc;
    d->clock = clock;
    int n = snprintf(d->path, sizeof(d->path), "%s", sql->path);
    if (n <= 0 || (size_t)n >= sizeof(d->path))
        r = ta_fail(err, TA_EINVAL, "the path of a job archive is %s", n ? "too long" : "empty");
    if (r >= 0)
        r = ta_sql_open(&d->sql, sql, err);
    if (r >= 0) {
        sqlite3_limit(d->sql.db, SQLITE_LIMIT_LENGTH, VALUE_MAX + (64 << 20));
        r = find_version(d, options, err);
    }
    if (r < 0) {
        close_database(&d->backend);
        return r;
    }
    *out = &d->backend;
    return TA_OK;
}
