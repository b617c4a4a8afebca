#include "jobs/copied_jobs.h"

#include <sqlite3.h>

static int attach(struct ta_sql *sql, const char *path, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int step = sqlite3_prepare_v2(sql->db, "ATTACH DATABASE ?1 AS copied", -1, &s, NULL);

    if (step == SQLITE_OK)
        step = sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
    if (step == SQLITE_OK)
        step = sqlite3_step(s);
    int e = step == SQLITE_DONE ? TA_OK : ta_sql_fail(sql, step, "cannot open", err);
    (void)sqlite3_finalize(s); /* repeats the step's failure */
    return e;
}

int ta_copied_jobs_open(struct ta_copied_jobs *c, struct ta_sql *sql, const char *path,
                        struct ta_err *err)
{
    static const char table[] =
        "PRAGMA copied.journal_mode = WAL; PRAGMA copied.synchronous = FULL;"
        "PRAGMA copied.cache_size = -1024;"
        "CREATE TABLE IF NOT EXISTS copied.job (cluster TEXT NOT NULL, start_time INTEGER NOT "
        "NULL, "
        "job_id INTEGER NOT NULL, PRIMARY KEY (cluster, start_time, job_id)) WITHOUT ROWID;";

    *c = (struct ta_copied_jobs){0};
    int e = attach(sql, path, err);
    if (e >= 0) {
        c->sql = sql;
        e = ta_sql_run(sql, table, err);
    }
    if (e >= 0) {
        int found = sqlite3_prepare_v2(
            sql->db,
            "INSERT OR IGNORE INTO copied.job (cluster, start_time, job_id) VALUES (?1, ?2, ?3)",
            -1, &c->add, NULL);
        e = found == SQLITE_OK ? TA_OK : ta_sql_fail(sql, found, "cannot note copies", err);
    }
    return e < 0 ? ta_fail_context(err, e, "the list of copied jobs %.200s: ", path) : TA_OK;
}

int ta_copied_jobs_add(struct ta_copied_jobs *c, const struct ta_job_address *job,
                       struct ta_err *err)
{
    int step = sqlite3_bind_text(c->add, 1, job->cluster.at, (int)job->cluster.len, SQLITE_STATIC);

    sqlite3_bind_int64(c->add, 2, job->start_time);
    sqlite3_bind_int64(c->add, 3, job->job_id);
    if (step == SQLITE_OK)
        step = sqlite3_step(c->add);
    int e = step == SQLITE_DONE ? TA_OK : ta_sql_fail(c->sql, step, "cannot note copies", err);
    sqlite3_reset(c->add);
    return e;
}

void ta_copied_jobs_done(struct ta_copied_jobs *c)
{
    if (!c->sql)
        return;
    (void)sqlite3_finalize(c->add);
    (void)ta_sql_run(c->sql, "DETACH DATABASE copied",
                     NULL); /* closing the connection does it, too */
    *c = (struct ta_copied_jobs){0};
}
