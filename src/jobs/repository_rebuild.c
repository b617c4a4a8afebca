#include "jobs/repository_rebuild.h"

#include "jobs/repository_int.h"

enum { JOBS_MAX = 100 }; /* of a transaction, as the reference */

int ta_rebuild_begin(struct ta_rebuild *b, struct ta_repository *r, struct ta_err *err)
{
    *b = (struct ta_rebuild){.r = r};
    return ta_sql_run(&r->sql,
                      "CREATE TEMP TABLE IF NOT EXISTS rebuilt (row INTEGER PRIMARY KEY);"
                      "DELETE FROM temp.rebuilt",
                      err);
}

static int commit(struct ta_rebuild *b, struct ta_err *err)
{
    bool is_open = b->n_open > 0;

    b->n_open = 0;
    return is_open ? ta_sql_commit(&b->r->sql, err) : TA_OK;
}

static int find_row(struct ta_repository *r, const struct ta_job *job, int64_t *out,
                    struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_ROW_OF, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, job->job_id);
    repo_bind(s, 2, job->cluster);
    (void)sqlite3_bind_int64(s, 3, job->start_time);
    e = repo_step(r, s, err);
    if (e > 0)
        *out = sqlite3_column_int64(s, 0);
    repo_reset(s);
    return e == 0 ? ta_fail(err, TA_EFORMAT, "a job that was put is not there") : e;
}

static int note_row(struct ta_repository *r, int64_t row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_REBUILT, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    return repo_finish(r, s, err);
}

/* The tag of that type and name, whatever its scope. */
static int add_tag(struct ta_repository *r, int64_t row, const struct ta_job_tag *tag,
                   struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_TAG_MAKE, &s, err);

    if (e < 0)
        return e;
    repo_bind(s, 1, tag->type);
    repo_bind(s, 2, tag->name);
    repo_bind(s, 3, tag->scope.len ? tag->scope : TA_STR("global"));
    e = repo_finish(r, s, err);
    if (e >= 0)
        e = repo_statement(r, REPO_TAG_LINK, &s, err);
    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    repo_bind(s, 2, tag->type);
    repo_bind(s, 3, tag->name);
    return repo_finish(r, s, err);
}

static int put(struct ta_repository *r, const struct ta_job *job, const struct repo_members *m,
               struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int64_t row = 0;
    int e = repo_statement(r, REPO_REBUILD, &s, err);

    if (e < 0)
        return e;
    repo_bind_job(s, job, m);
    e = repo_finish(r, s, err);
    if (e < 0)
        return e == TA_EEXIST ? TA_EINVAL : e; /* a value that the table forbids */
    bool is_put = sqlite3_changes(r->sql.db) > 0;
    e = find_row(r, job, &row, err);
    if (e >= 0)
        e = note_row(r, row, err);
    for (size_t i = 0; e >= 0 && is_put && i < job->tags.n; i++)
        e = add_tag(r, row, &job->tags.at[i], err);
    return e < 0 ? e : is_put;
}

int ta_rebuild_put(struct ta_rebuild *b, const struct ta_job *job, struct ta_err *err)
{
    struct ta_repository *r = b->r;
    struct repo_members m;
    int put_it = 0;
    int e = repo_write_members(&m, r->alloc, job, err);

    if (e >= 0 && b->n_open == 0)
        e = ta_sql_begin(&r->sql, err);
    if (e >= 0) {
        b->n_open++;
        e = ta_sql_run(&r->sql, "SAVEPOINT one", err);
        if (e >= 0)
            e = put_it = put(r, job, &m, err);
        /* A job that the table refuses takes none of the others with it. */
        int ended = ta_sql_run(&r->sql, e < 0 ? "ROLLBACK TO one; RELEASE one" : "RELEASE one",
                               e < 0 ? NULL : err);
        e = e < 0 ? e : ended;
    }
    ta_buf_done(&m.text);
    if (e >= 0 && b->n_open >= JOBS_MAX)
        e = commit(b, err);
    return e < 0 ? e : put_it;
}

int64_t ta_rebuild_finish(struct ta_rebuild *b, struct ta_err *err)
{
    struct ta_repository *r = b->r;
    sqlite3_stmt *s = NULL;
    int64_t all = 0, gone = 1;
    int e = commit(b, err);

    while (e >= 0 && gone > 0) {
        e = repo_statement(r, REPO_DELETE_UNBUILT, &s, err);
        if (e >= 0)
            e = ta_sql_begin(&r->sql, err);
        if (e < 0)
            break;
        e = repo_finish(r, s, err);
        gone = e < 0 ? 0 : sqlite3_changes(r->sql.db);
        e = repo_end(r, e, err);
        all += e < 0 ? 0 : gone;
    }
    return e < 0 ? e : all;
}

int ta_rebuild_abort(struct ta_rebuild *b, struct ta_err *err)
{
    return b->r ? commit(b, err) : TA_OK;
}
