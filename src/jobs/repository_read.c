/* repository_read.c - rows as jobs: one, and lists of them. */
#include "jobs/repository_int.h"

#include <stdio.h>

/* The columns in their order, and where they go. */
static const struct {
    enum { TEXT, INTEGER, REAL, JSON } kind;
    size_t offset;
    enum ta_job_key key; /* of JSON */
} columns[] = {
    {INTEGER, offsetof(struct ta_job, id), 0},
    {INTEGER, offsetof(struct ta_job, job_id), 0},
    {TEXT, offsetof(struct ta_job, cluster), 0},
    {TEXT, offsetof(struct ta_job, subcluster), 0},
    {INTEGER, offsetof(struct ta_job, submit_time), 0},
    {INTEGER, offsetof(struct ta_job, start_time), 0},
    {TEXT, offsetof(struct ta_job, user), 0},
    {TEXT, offsetof(struct ta_job, project), 0},
    {TEXT, offsetof(struct ta_job, partition), 0},
    {INTEGER, offsetof(struct ta_job, array_job_id), 0},
    {INTEGER, offsetof(struct ta_job, duration), 0},
    {INTEGER, offsetof(struct ta_job, walltime), 0},
    {TEXT, offsetof(struct ta_job, state), 0},
    {INTEGER, offsetof(struct ta_job, num_nodes), 0},
    {INTEGER, offsetof(struct ta_job, num_hwthreads), 0},
    {INTEGER, offsetof(struct ta_job, num_acc), 0},
    {INTEGER, offsetof(struct ta_job, smt), 0},
    {TEXT, offsetof(struct ta_job, shared), 0},
    {INTEGER, offsetof(struct ta_job, monitoring_status), 0},
    {REAL, offsetof(struct ta_job, energy), 0},
    {JSON, 0, TA_JOB_RESOURCES},
    {JSON, 0, TA_JOB_FOOTPRINT},
    {JSON, 0, TA_JOB_META_DATA},
};

static int read_column(struct ta_repository *r, sqlite3_stmt *s, int i, struct ta_job *job,
                       struct ta_arena *arena, struct ta_err *err)
{
    void *member = (char *)job + columns[i].offset;
    struct ta_str copy;

    switch (columns[i].kind) {
    case TEXT:
        copy = ta_arena_copy(arena, repo_text(s, i));
        if (!copy.at)
            return ta_fail(err, TA_ENOMEM, "no memory for a job");
        *(struct ta_str *)member = copy;
        return TA_OK;
    case INTEGER:
        *(int64_t *)member = sqlite3_column_int64(s, i);
        return TA_OK;
    case REAL:
        *(double *)member = sqlite3_column_double(s, i);
        return TA_OK;
    default:
        return ta_job_read_member(job, columns[i].key, repo_text(s, i), arena, r->alloc, err);
    }
}

/* One more place at the end of a list in the arena. */
static int grow_tags(struct ta_job_tags *tags, struct ta_arena *arena, size_t *cap)
{
    size_t more = *cap ? *cap * 2 : 4;
    struct ta_job_tag *at;

    if (tags->n < *cap)
        return TA_OK;
    at = ta_resize(&arena->alloc, tags->at, *cap * sizeof(*at), more * sizeof(*at));
    if (!at)
        return TA_ENOMEM;
    tags->at = at;
    *cap = more;
    return TA_OK;
}

static int read_tags(struct ta_repository *r, const struct ta_job_viewer *viewer,
                     struct ta_arena *arena, struct ta_job *job, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    size_t cap = 0;
    int e = repo_statement(r, REPO_TAGS, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, job->id);
    if (viewer->user.at)
        repo_bind(s, 2, viewer->user);
    (void)sqlite3_bind_int(s, 3, viewer->sees_admin);
    while ((e = repo_step(r, s, err)) > 0) {
        struct ta_job_tag tag = {ta_arena_copy(arena, repo_text(s, 0)),
                                 ta_arena_copy(arena, repo_text(s, 1)),
                                 ta_arena_copy(arena, repo_text(s, 2)), sqlite3_column_int64(s, 3)};

        if (!tag.type.at || !tag.name.at || !tag.scope.at ||
            grow_tags(&job->tags, arena, &cap) < 0) {
            e = ta_fail(err, TA_ENOMEM, "no memory for a job's tags");
            break;
        }
        job->tags.at[job->tags.n++] = tag;
    }
    repo_reset(s);
    return e;
}

int repo_read_row(struct ta_repository *r, sqlite3_stmt *s, const struct ta_job_wish *wish,
                  struct ta_arena *arena, struct ta_job *out, struct ta_err *err)
{
    struct ta_job job = {0};
    size_t n = TA_COUNT(columns) - !wish->meta_data; /* that column is the last */
    int e = TA_OK;

    for (size_t i = 0; i < n && e >= 0; i++)
        e = read_column(r, s, (int)i, &job, arena, err);
    if (e < 0)
        return ta_fail_context(err, e, "job %lld: ", (long long)job.id);
    if (wish->now_s > job.start_time && ta_str_is(job.state, ta_job_state_word(TA_JOB_RUNNING)))
        job.duration = wish->now_s - job.start_time;
    if (wish->viewer)
        e = read_tags(r, wish->viewer, arena, &job, err);
    if (e >= 0)
        *out = job;
    return e < 0 ? e : TA_OK;
}

static int read_one(struct ta_repository *r, sqlite3_stmt *s, const struct ta_job_wish *wish,
                    struct ta_arena *arena, struct ta_job *out, struct ta_err *err)
{
    int e = repo_step(r, s, err);

    if (e > 0)
        e = repo_read_row(r, s, wish, arena, out, err);
    else if (e == 0)
        e = ta_fail(err, TA_ENOTFOUND, "sql: no rows in result set");
    repo_reset(s);
    return e;
}

int ta_repository_get(struct ta_repository *r, int64_t row, const struct ta_job_wish *wish,
                      struct ta_arena *arena, struct ta_job *out, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_GET, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    return read_one(r, s, wish, arena, out, err);
}

int ta_repository_find(struct ta_repository *r, const struct ta_job_match *match,
                       const struct ta_job_wish *wish, struct ta_arena *arena, struct ta_job *out,
                       struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_FIND, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, match->job_id);
    if (match->cluster.at)
        repo_bind(s, 2, match->cluster);
    if (match->has_start_time)
        (void)sqlite3_bind_int64(s, 3, match->start_time);
    return read_one(r, s, wish, arena, out, err);
}

/* ---- lists -------------------------------------------------------------------------------------- */

/* "?, ?, ?" */
static int add_marks(struct ta_buf *text, size_t n)
{
    int e = TA_OK;

    for (size_t i = 0; i < n && e >= 0; i++)
        e = ta_buf_z(text, i ? ", ?" : "?");
    return e;
}

/* The conditions in the order in which bind_filter() gives their values. */
static int write_filter(const struct ta_job_filter *f, struct ta_buf *text)
{
    int e = ta_buf_printf(text, "SELECT %s FROM job WHERE 1", repo_columns);

    if (e >= 0 && f->cluster.at)
        e = ta_buf_z(text, " AND cluster = ?");
    if (e >= 0 && f->project.at)
        e = ta_buf_z(text, " AND project = ?");
    if (e >= 0 && f->n_states) {
        e = ta_buf_z(text, " AND job_state IN (");
        if (e >= 0)
            e = add_marks(text, f->n_states);
        if (e >= 0)
            e = ta_buf_z(text, ")");
    }
    if (e >= 0 && f->to_s)
        e = ta_buf_z(text, " AND start_time BETWEEN ? AND ?");
    if (e >= 0 && f->user.at)
        e = ta_buf_z(text, f->managed_too ? " AND (hpc_user = ? OR project IN (" REPO_MANAGED "?))"
                                          : " AND hpc_user = ?");
    if (e >= 0 && f->before_row)
        e = ta_buf_z(text, " AND (start_time, id) < (?, ?)");
    return e < 0 ? e : ta_buf_z(text, " ORDER BY start_time DESC, id DESC LIMIT ? OFFSET ?");
}

static void bind_filter(const struct ta_job_filter *f, sqlite3_stmt *s)
{
    int at = 0;

    if (f->cluster.at)
        repo_bind(s, ++at, f->cluster);
    if (f->project.at)
        repo_bind(s, ++at, f->project);
    for (size_t i = 0; i < f->n_states; i++)
        repo_bind(s, ++at, ta_str(ta_job_state_word(f->states[i])));
    if (f->to_s) {
        (void)sqlite3_bind_int64(s, ++at, f->from_s);
        (void)sqlite3_bind_int64(s, ++at, f->to_s);
    }
    if (f->user.at) {
        repo_bind(s, ++at, f->user);
        if (f->managed_too)
            repo_bind(s, ++at, f->user);
    }
    if (f->before_row) {
        (void)sqlite3_bind_int64(s, ++at, f->before_start);
        (void)sqlite3_bind_int64(s, ++at, f->before_row);
    }
    (void)sqlite3_bind_int64(s, ++at, f->limit);
    (void)sqlite3_bind_int64(s, ++at, f->skip);
}

static int prepare_list(struct ta_repository *r, const struct ta_job_filter *filter,
                        sqlite3_stmt **out, struct ta_err *err)
{
    struct ta_buf text;

    if (filter->n_states > TA_JOB_STATES)
        return ta_fail(err, TA_ERANGE, "too many states to list jobs by");
    ta_buf_init(&text, r->alloc, 4 * KiB);

    int e = write_filter(filter, &text);

    if (e < 0)
        ta_fail(err, e, "no memory to list jobs");
    if (e >= 0) {
        e = sqlite3_prepare_v2(r->sql.db, text.at, (int)text.len, out, NULL);
        e = e == SQLITE_OK ? TA_OK : ta_sql_fail(&r->sql, e, "cannot list jobs", err);
    }
    ta_buf_done(&text);
    return e;
}

int ta_repository_list(struct ta_repository *r, const struct ta_job_filter *filter,
                       const struct ta_job_wish *wish, ta_job_each each, void *self,
                       struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = prepare_list(r, filter, &s, err);

    if (e < 0)
        return e;
    bind_filter(filter, s);
    while ((e = repo_step(r, s, err)) > 0) {
        struct ta_job job;

        ta_arena_reset(&r->row);
        e = repo_read_row(r, s, wish, &r->row, &job, err);
        if (e >= 0)
            e = each(self, &job, err);
        if (e < 0)
            break;
    }
    (void)sqlite3_finalize(s); /* repeats the step's failure */
    ta_arena_reset(&r->row);
    return e < 0 ? e : TA_OK;
}

int ta_repository_manages(struct ta_repository *r, struct ta_str user, struct ta_str project,
                          struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_MANAGES, &s, err);

    if (e < 0)
        return e;
    repo_bind(s, 1, user);
    repo_bind(s, 2, project);
    e = repo_step(r, s, err);
    if (e > 0)
        e = sqlite3_column_int(s, 0);
    repo_reset(s);
    return e;
}
