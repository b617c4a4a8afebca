/* archive_queue.c - see archive_queue.h. Statements are prepared when they are first used. */
#include "jobs/archive_queue_int.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

/* Text or blob, as the reference writes it. */
#define JSON_TEXT "CAST(meta_data AS TEXT)"
#define MISSING   "'$.\"tarn.missingMetrics\"'"
#define WAITS     "monitoring_status = 1 AND job_state != 'running'"

static const char *const texts[TA_ARCHIVE_STATEMENTS] = {
    [TA_ARCHIVE_NEXT] =
        "SELECT job.id, coalesce(attempts, 0) FROM job LEFT JOIN tarn_archive ON "
        "tarn_archive.job = job.id WHERE " WAITS
        " AND job.id > ?1 AND coalesce(not_before, 0) <= ?2 ORDER BY job.id LIMIT 1",
    [TA_ARCHIVE_WAKE] =
        "SELECT min(not_before) FROM tarn_archive JOIN job ON job.id = tarn_archive.job "
        "WHERE " WAITS " AND not_before > ?1",
    [TA_ARCHIVE_LOAD] =
        "SELECT job_id, cluster, subcluster, submit_time, start_time, hpc_user, project, "
        "cluster_partition, array_job_id, duration, walltime, job_state, num_nodes, "
        "num_hwthreads, num_acc, smt, shared, monitoring_status, energy, meta_data, resources, "
        "footprint, energy_footprint FROM job WHERE id = ?1",
    [TA_ARCHIVE_TAGS] =
        "SELECT tag_type, tag_name, tag_scope, tag.id FROM jobtag JOIN tag ON tag.id = "
        "jobtag.tag_id WHERE jobtag.job_id = ?1 ORDER BY tag_type, tag_name",
    [TA_ARCHIVE_DONE] =
        "UPDATE job SET footprint = ?2, energy_footprint = ?3, energy = ?4, monitoring_status "
        "= 3, meta_data = CASE WHEN ?5 != '' THEN json_set(CASE WHEN " JSON_TEXT
        " LIKE '{%' THEN " JSON_TEXT " ELSE '{}' END, " MISSING ", ?5) WHEN instr(" JSON_TEXT
        ", 'tarn.missingMetrics') > 0 THEN json_remove(" JSON_TEXT ", " MISSING
        ") ELSE meta_data END WHERE id = ?1 AND " WAITS,
    [TA_ARCHIVE_TAG_ADD] =
        "INSERT OR IGNORE INTO tag (tag_type, tag_name, tag_scope) VALUES (?1, ?2, ?3)",
    [TA_ARCHIVE_TAG_LINK] =
        "INSERT OR IGNORE INTO jobtag (job_id, tag_id) SELECT ?1, id FROM tag WHERE "
        "tag_type = ?2 AND tag_name = ?3",
    [TA_ARCHIVE_FORGET] = "DELETE FROM tarn_archive WHERE job = ?1",
    [TA_ARCHIVE_NOTE] = "INSERT OR REPLACE INTO tarn_archive (job, attempts, not_before, reason) "
                        "SELECT id, ?2, ?3, ?4 FROM job WHERE id = ?1",
    [TA_ARCHIVE_FAIL] = "UPDATE job SET monitoring_status = 2 WHERE id = ?1 AND " WAITS,
    [TA_ARCHIVE_COUNT] = "SELECT count(*), min(start_time + duration), (SELECT count(*) FROM "
                         "tarn_edit) FROM job WHERE " WAITS,
    [TA_ARCHIVE_STATE] = "SELECT job_state, monitoring_status, start_time FROM job WHERE id = ?1",
    [TA_ARCHIVE_AGAIN] =
        "UPDATE job SET monitoring_status = 1 WHERE id = ?1 AND monitoring_status IN (2, 3) "
        "AND job_state != 'running'",
    [TA_ARCHIVE_AGAIN_FAILED] =
        "UPDATE job SET monitoring_status = 1 WHERE id IN (SELECT id FROM job WHERE "
        "monitoring_status = 2 AND job_state != 'running' LIMIT ?1)",
    [TA_ARCHIVE_REASON] = "SELECT reason, attempts FROM tarn_archive WHERE job = ?1",
    [TA_ARCHIVE_RUNNING] =
        "SELECT id FROM job WHERE job_state = 'running' AND monitoring_status = 1 AND id > "
        "?1 AND start_time < ?2 ORDER BY id LIMIT 1",
    [TA_ARCHIVE_FOOTPRINT] =
        "UPDATE job SET footprint = ?2 WHERE id = ?1 AND job_state = 'running'",
    [TA_ARCHIVE_DURATIONS] =
        "UPDATE job SET duration = max(0, ?1 - start_time) WHERE id IN (SELECT id FROM job WHERE "
        "job_state = 'running' AND id > ?2 ORDER BY id LIMIT ?3) RETURNING id",
    [TA_ARCHIVE_OVERDUE] =
        "UPDATE job SET job_state = 'failed', duration = walltime WHERE id IN (SELECT id FROM job "
        "WHERE job_state = 'running' AND walltime > 0 AND start_time < ?1 - walltime LIMIT ?2)",
    [TA_ARCHIVE_NEXT_EDIT] =
        "SELECT job.id, attempts FROM tarn_edit JOIN job ON job.id = tarn_edit.job WHERE "
        "monitoring_status = 3 AND job.id > ?1 AND not_before <= ?2 ORDER BY job.id LIMIT 1",
    [TA_ARCHIVE_REVISION] = "SELECT revision FROM tarn_edit WHERE job = ?1",
    [TA_ARCHIVE_EDITED] = "DELETE FROM tarn_edit WHERE job = ?1 AND revision = ?2",
    [TA_ARCHIVE_RETRY_EDIT] =
        "UPDATE tarn_edit SET attempts = ?2, not_before = ?3, reason = ?4 WHERE job = ?1",
};

/* ---- statements --------------------------------------------------------------------------------- */

int ta_archive_fail(struct ta_archive_queue *q, int result, struct ta_err *err)
{
    return ta_sql_fail(&q->sql, result, "archive queue", err);
}

int ta_archive_get(struct ta_archive_queue *q, enum ta_archive_statement which, sqlite3_stmt **out,
                   struct ta_err *err)
{
    if (!q->statements[which]) {
        int r = sqlite3_prepare_v3(q->sql.db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                   &q->statements[which], NULL);
        if (r != SQLITE_OK)
            return ta_archive_fail(q, r, err);
    }
    *out = q->statements[which];
    return TA_OK;
}

/* Ends a statement, whatever came of it: what a failed step said is said. */
void ta_archive_end(sqlite3_stmt *s)
{
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
}

void ta_archive_bind(sqlite3_stmt *s, int i, struct ta_str v)
{
    (void)sqlite3_bind_text(s, i, v.len ? v.at : "", (int)v.len, SQLITE_STATIC);
}

/* 1 = a row, 0 = none. */
int ta_archive_step(struct ta_archive_queue *q, sqlite3_stmt *s, struct ta_err *err)
{
    int r = sqlite3_step(s);

    return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : ta_archive_fail(q, r, err);
}

/* Runs a change whose values are bound; returns the rows it changed. */
int64_t ta_archive_change(struct ta_archive_queue *q, sqlite3_stmt *s, struct ta_err *err)
{
    int r = ta_archive_step(q, s, err);

    ta_archive_end(s);
    return r < 0 ? r : sqlite3_changes64(q->sql.db);
}

int64_t ta_archive_change_row(struct ta_archive_queue *q, enum ta_archive_statement which,
                              int64_t row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, which, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    return ta_archive_change(q, s, err);
}

/* Ends the transaction as `r` says. */
int ta_archive_finish(struct ta_archive_queue *q, int r, struct ta_err *err)
{
    if (r >= 0)
        return ta_sql_commit(&q->sql, err);
    ta_sql_rollback(&q->sql);
    return r;
}

/* ---- life --------------------------------------------------------------------------------------- */

int ta_archive_queue_tables(struct ta_sql *sql, struct ta_err *err)
{
    return ta_sql_run(
        sql,
        "CREATE TABLE IF NOT EXISTS tarn_archive (job INTEGER PRIMARY KEY "
        "REFERENCES job (id) ON DELETE CASCADE, attempts INTEGER NOT NULL, "
        "not_before INTEGER NOT NULL, reason TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS tarn_edit (job INTEGER PRIMARY KEY REFERENCES job (id) ON "
        "DELETE CASCADE, revision INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, "
        "not_before INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '')",
        err);
}

int ta_archive_queue_open(struct ta_archive_queue **out, const struct ta_sql_options *options,
                          struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_archive_queue *q = ta_alloc_zero(alloc, 1, sizeof(*q));

    if (!q)
        return ta_fail(err, TA_ENOMEM, "no memory for the archive queue");
    q->alloc = alloc;
    int r = ta_sql_open(&q->sql, options, err);
    if (r >= 0)
        r = ta_archive_queue_tables(&q->sql, err);
    if (r < 0) {
        ta_archive_queue_close(q);
        return r;
    }
    *out = q;
    return TA_OK;
}

void ta_archive_queue_close(struct ta_archive_queue *q)
{
    if (!q)
        return;
    for (int i = 0; i < TA_ARCHIVE_STATEMENTS; i++)
        (void)sqlite3_finalize(q->statements[i]); /* repeats the last step's failure */
    ta_sql_done(&q->sql);
    ta_release(q->alloc, q, sizeof(*q));
}

/* ---- the work list ------------------------------------------------------------------------------ */

static bool is_busy(int64_t row, const int64_t *busy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (busy[i] == row)
            return true;
    return false;
}

static int next_wake(struct ta_archive_queue *q, int64_t now_s, int64_t *out, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_WAKE, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, now_s);
    r = ta_archive_step(q, s, err);
    if (r > 0)
        *out = sqlite3_column_type(s, 0) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 0);
    ta_archive_end(s);
    return r < 0 ? r : 0;
}

int ta_archive_pick(struct ta_archive_queue *q, enum ta_archive_statement which, int64_t now_s,
                    const int64_t *busy, size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                    struct ta_err *err)
{
    int64_t row = INT64_MIN;
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, which, &s, err);

    while (r >= 0) {
        (void)sqlite3_bind_int64(s, 1, row);
        (void)sqlite3_bind_int64(s, 2, now_s);
        r = ta_archive_step(q, s, err);
        if (r > 0) {
            row = sqlite3_column_int64(s, 0);
            *out_attempts = (unsigned)sqlite3_column_int(s, 1);
        }
        ta_archive_end(s);
        if (r == 0)
            break;
        if (r > 0 && !is_busy(row, busy, n_busy)) {
            *out_row = row;
            return 1;
        }
    }
    return r;
}

int ta_archive_queue_next(struct ta_archive_queue *q, int64_t now_s, const int64_t *busy,
                          size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                          struct ta_err *err)
{
    int r = ta_archive_pick(q, TA_ARCHIVE_NEXT, now_s, busy, n_busy, out_row, out_attempts, err);

    return r == 0 ? next_wake(q, now_s, out_row, err) : r;
}

/* ---- a job -------------------------------------------------------------------------------------- */

/* Columns of TA_ARCHIVE_LOAD in order, and where they go. */
static const struct {
    enum { TEXT, INTEGER, REAL, JSON } kind;
    size_t offset;
    enum ta_job_key key; /* of JSON */
} columns[] = {
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
    {JSON, 0, TA_JOB_META_DATA},
    {JSON, 0, TA_JOB_RESOURCES},
    {JSON, 0, TA_JOB_FOOTPRINT},
    {JSON, 0, TA_JOB_ENERGY_FOOTPRINT},
};

struct ta_str ta_archive_text(sqlite3_stmt *s, int i)
{
    /* Text and blobs alike: the reference writes JSON as either. */
    const void *at = sqlite3_column_blob(s, i);

    return (struct ta_str){at, at ? (size_t)sqlite3_column_bytes(s, i) : 0};
}

static int load_column(struct ta_archive_queue *q, sqlite3_stmt *s, int i, struct ta_job *job,
                       struct ta_arena *arena, struct ta_err *err)
{
    void *member = (char *)job + columns[i].offset;
    struct ta_str copy;

    switch (columns[i].kind) {
    case TEXT:
        copy = ta_arena_copy(arena, ta_archive_text(s, i));
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
        return ta_job_read_member(job, columns[i].key, ta_archive_text(s, i), arena, q->alloc, err);
    }
}

/* Room for one more; the list before is left to the arena. */
static int grow_tags(struct ta_job_tags *tags, size_t *cap, struct ta_arena *arena)
{
    size_t more = *cap ? 2 * *cap : 16;
    struct ta_job_tag *at = ta_arena_get(arena, more * sizeof(*at));

    if (!at)
        return TA_ENOMEM;
    if (tags->n)
        memcpy(at, tags->at, tags->n * sizeof(*at));
    tags->at = at;
    *cap = more;
    return TA_OK;
}

static int add_tag(sqlite3_stmt *s, struct ta_job_tags *tags, struct ta_arena *arena)
{
    const struct ta_job_tag tag = {
        ta_arena_copy(arena, ta_archive_text(s, 0)), ta_arena_copy(arena, ta_archive_text(s, 1)),
        ta_arena_copy(arena, ta_archive_text(s, 2)), sqlite3_column_int64(s, 3)};

    if (!tag.type.at || !tag.name.at || !tag.scope.at)
        return TA_ENOMEM;
    tags->at[tags->n++] = tag;
    return TA_OK;
}

static int load_tags(struct ta_archive_queue *q, int64_t row, struct ta_arena *arena,
                     struct ta_job *job, struct ta_err *err)
{
    struct ta_job_tags tags = {0};
    sqlite3_stmt *s = NULL;
    size_t cap = 0;
    int r = ta_archive_get(q, TA_ARCHIVE_TAGS, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    while ((r = ta_archive_step(q, s, err)) > 0)
        if ((tags.n == cap && grow_tags(&tags, &cap, arena) < 0) || add_tag(s, &tags, arena) < 0) {
            r = ta_fail(err, TA_ENOMEM, "no memory for a job's tags");
            break;
        }
    ta_archive_end(s);
    job->tags = tags;
    return r < 0 ? r : TA_OK;
}

int ta_archive_queue_load(struct ta_archive_queue *q, int64_t row, struct ta_arena *arena,
                          struct ta_job *out, struct ta_err *err)
{
    struct ta_job job = {.id = row};
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_LOAD, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    r = ta_archive_step(q, s, err);
    if (r == 0)
        r = ta_fail(err, TA_ENOTFOUND, "there is no job with id %" PRId64, row);
    for (size_t i = 0; r >= 0 && i < TA_COUNT(columns); i++)
        r = load_column(q, s, (int)i, &job, arena, err);
    ta_archive_end(s);
    if (r >= 0)
        r = load_tags(q, row, arena, &job, err);
    if (r >= 0)
        *out = job;
    return r < 0 ? r : TA_OK;
}

/* ---- what has come of it ------------------------------------------------------------------------ */

static int add_tags(struct ta_archive_queue *q, const struct ta_job *job, size_t first,
                    struct ta_err *err)
{
    sqlite3_stmt *add = NULL, *link = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_TAG_ADD, &add, err);

    if (r >= 0)
        r = ta_archive_get(q, TA_ARCHIVE_TAG_LINK, &link, err);
    for (size_t i = first; r >= 0 && i < job->tags.n; i++) {
        const struct ta_job_tag *tag = &job->tags.at[i];

        ta_archive_bind(add, 1, tag->type);
        ta_archive_bind(add, 2, tag->name);
        ta_archive_bind(add, 3, tag->scope);
        int64_t n = ta_archive_change(q, add, err);
        if (n >= 0) {
            (void)sqlite3_bind_int64(link, 1, job->id);
            ta_archive_bind(link, 2, tag->type);
            ta_archive_bind(link, 3, tag->name);
            n = ta_archive_change(q, link, err);
        }
        r = n < 0 ? (int)n : TA_OK;
    }
    return r;
}

static int update_done(struct ta_archive_queue *q, const struct ta_job *job,
                       struct ta_str footprint, struct ta_str energy_footprint,
                       struct ta_str missing, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_DONE, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, job->id);
    ta_archive_bind(s, 2, footprint);
    ta_archive_bind(s, 3, energy_footprint);
    (void)sqlite3_bind_double(s, 4, job->energy);
    ta_archive_bind(s, 5, missing);
    int64_t n = ta_archive_change(q, s, err);
    if (n < 0)
        return (int)n;
    return n == 1 ? TA_OK : ta_fail(err, TA_ESTATE, "the job does not wait any more");
}

int ta_archive_member(struct ta_buf *out, const struct ta_job *job, enum ta_job_key key,
                      struct ta_err *err)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    int r = ta_job_write_member(&w, job, key);
    return r < 0 ? ta_fail(err, r, "no memory for a job's footprint") : TA_OK;
}

int ta_archive_queue_done(struct ta_archive_queue *q, const struct ta_job *job, size_t first_tag,
                          struct ta_str missing, struct ta_err *err)
{
    struct ta_buf footprint, energy;

    ta_buf_init(&footprint, q->alloc, TA_ARCHIVE_TEXT_MAX);
    ta_buf_init(&energy, q->alloc, TA_ARCHIVE_TEXT_MAX);
    int r = ta_archive_member(&footprint, job, TA_JOB_FOOTPRINT, err);
    if (r >= 0)
        r = ta_archive_member(&energy, job, TA_JOB_ENERGY_FOOTPRINT, err);
    if (r >= 0 && (r = ta_sql_begin(&q->sql, err)) >= 0) {
        r = update_done(q, job, ta_buf_view(&footprint), ta_buf_view(&energy), missing, err);
        if (r >= 0)
            r = add_tags(q, job, first_tag, err);
        if (r >= 0)
            r = (int)ta_archive_change_row(q, TA_ARCHIVE_FORGET, job->id, err);
        r = ta_archive_finish(q, r, err);
    }
    ta_buf_done(&footprint);
    ta_buf_done(&energy);
    return r;
}

int ta_archive_note(struct ta_archive_queue *q, enum ta_archive_statement which, int64_t row,
                    unsigned attempts, int64_t not_before_s, const char *reason, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, which, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    (void)sqlite3_bind_int64(s, 2, attempts);
    (void)sqlite3_bind_int64(s, 3, not_before_s);
    ta_archive_bind(s, 4, ta_str(reason));
    int64_t n = ta_archive_change(q, s, err);
    return n < 0 ? (int)n : TA_OK;
}

int ta_archive_queue_retry(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                           int64_t not_before_s, const char *reason, struct ta_err *err)
{
    return ta_archive_note(q, TA_ARCHIVE_NOTE, row, attempts, not_before_s, reason, err);
}

int ta_archive_queue_fail(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                          const char *reason, struct ta_err *err)
{
    int r = ta_sql_begin(&q->sql, err);

    if (r < 0)
        return r;
    int64_t n = ta_archive_change_row(q, TA_ARCHIVE_FAIL, row, err);
    r = n < 0 ? (int)n : TA_OK;
    if (r >= 0)
        r = ta_archive_note(q, TA_ARCHIVE_NOTE, row, attempts, 0, reason, err);
    return ta_archive_finish(q, r, err);
}

int ta_archive_queue_count(struct ta_archive_queue *q, struct ta_archive_waiting *out,
                           struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_COUNT, &s, err);

    if (r < 0)
        return r;
    r = ta_archive_step(q, s, err);
    if (r > 0)
        *out = (struct ta_archive_waiting){.n = (uint64_t)sqlite3_column_int64(s, 0),
                                           .n_edits = (uint64_t)sqlite3_column_int64(s, 2),
                                           .oldest_end_s = sqlite3_column_int64(s, 1)};
    ta_archive_end(s);
    return r < 0 ? r : TA_OK;
}
