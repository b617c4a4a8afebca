/* sql.c - opening, running, ending transactions; SQLite's results as our errors. */
#include "jobs/sql.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

enum { CACHE_DEFAULT = 8 << 20, BUSY_DEFAULT_MS = 60000 };

/* No value of a job is larger than a request may be; SQLite's own limit is 1 GB. */
enum { VALUE_BYTES_MAX = 64 << 20 };

static int code_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_NOMEM:
        return TA_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return TA_EAGAIN;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:
        return TA_EFORMAT;
    case SQLITE_CONSTRAINT:
        return TA_EEXIST;
    case SQLITE_TOOBIG:
        return TA_ERANGE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return TA_EDENIED;
    default:
        return TA_EIO;
    }
}

int ta_sql_fail(struct ta_sql *sql, int result, const char *what, struct ta_err *err)
{
    return ta_fail(err, code_of(result), "job database: %s: %s", what,
                   sql->db ? sqlite3_errmsg(sql->db) : sqlite3_errstr(result));
}

/* Before the first page is written, or never. In a database that is there it would be a write at each opening. */
static int choose_vacuum(struct ta_sql *sql, struct ta_err *err)
{
    int64_t pages = 0;
    int e = ta_sql_i64(sql, "PRAGMA page_count", &pages, err);

    return e < 0 || pages ? e : ta_sql_run(sql, "PRAGMA auto_vacuum = INCREMENTAL", err);
}

int ta_sql_open(struct ta_sql *out, const struct ta_sql_options *options, struct ta_err *err)
{
    struct ta_sql sql = {0};
    size_t cache = options->cache_bytes ? options->cache_bytes : CACHE_DEFAULT;
    char pragmas[256];
    int r = sqlite3_open_v2(options->path, &sql.db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                            options->vfs);
    int e = r == SQLITE_OK ? TA_OK : ta_sql_fail(&sql, r, "cannot open", err);

    if (e == TA_OK) {
        sqlite3_extended_result_codes(sql.db, 1);
        sqlite3_limit(sql.db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
        sqlite3_busy_timeout(sql.db,
                             options->busy_timeout_ms ? options->busy_timeout_ms : BUSY_DEFAULT_MS);
        snprintf(pragmas, sizeof pragmas,
                 "PRAGMA temp_store = FILE; PRAGMA cache_size = -%zu; PRAGMA foreign_keys = ON;"
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
                 cache / KiB);
        e = choose_vacuum(&sql, err);
        if (e >= 0)
            e = ta_sql_run(&sql, pragmas, err);
    }
    if (e < 0) {
        ta_sql_done(&sql);
        return e;
    }
    *out = sql;
    return TA_OK;
}

void ta_sql_done(struct ta_sql *sql)
{
    /* Its only complaint is a statement left open, which would be our own bug. */
    (void)sqlite3_close_v2(sql->db);
    sql->db = NULL;
}

int ta_sql_run(struct ta_sql *sql, const char *text, struct ta_err *err)
{
    int r = sqlite3_exec(sql->db, text, NULL, NULL, NULL);

    return r == SQLITE_OK ? TA_OK : ta_sql_fail(sql, r, "cannot run a statement", err);
}

int ta_sql_i64(struct ta_sql *sql, const char *text, int64_t *out, struct ta_err *err)
{
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL);
    int e = TA_OK;

    if (r == SQLITE_OK)
        r = sqlite3_step(statement);
    if (r == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else if (r == SQLITE_DONE)
        e = ta_fail(err, TA_ENOTFOUND, "job database: no row");
    else
        e = ta_sql_fail(sql, r, "cannot ask", err);
    (void)sqlite3_finalize(statement); /* repeats the step's failure */
    return e;
}

int ta_sql_begin(struct ta_sql *sql, struct ta_err *err)
{
    return ta_sql_run(sql, "BEGIN IMMEDIATE", err);
}

int ta_sql_commit(struct ta_sql *sql, struct ta_err *err)
{
    int e = ta_sql_run(sql, "COMMIT", err);

    if (e < 0)
        ta_sql_rollback(sql);
    return e;
}

void ta_sql_rollback(struct ta_sql *sql)
{
    /* Some failures have rolled back already; then there is nothing to end. */
    if (!sqlite3_get_autocommit(sql->db))
        (void)ta_sql_run(sql, "ROLLBACK", NULL);
}

int ta_sql_shrink(struct ta_sql *sql, struct ta_err *err)
{
    enum { INCREMENTAL = 2, KEPT_PAGES = 1024 };
    int64_t mode = 0, n = 0, before = INT64_MAX;
    int e = ta_sql_i64(sql, "PRAGMA auto_vacuum", &mode, err);

    while (e >= 0 && mode == INCREMENTAL &&
           (e = ta_sql_i64(sql, "PRAGMA freelist_count", &n, err)) >= 0 && n > KEPT_PAGES &&
           n < before) {
        before = n;
        e = ta_sql_run(sql, "PRAGMA incremental_vacuum(512)", err);
    }
    return e < 0 ? e : TA_OK;
}
