/* repository_change.c - the life of a job: started, stopped, described, deleted. */
#include "jobs/repository_int.h"

#include <inttypes.h>
#include <string.h>

enum { MEMBER_MAX = 16 << 20, JSON_MEMBERS = REPO_MEMBERS };

/* ---- start -------------------------------------------------------------------------------------- */

static const enum ta_job_key member_keys[JSON_MEMBERS] = {
    TA_JOB_META_DATA, TA_JOB_RESOURCES, TA_JOB_ENERGY_FOOTPRINT, TA_JOB_FOOTPRINT};

int repo_write_members(struct repo_members *m, struct ta_alloc *alloc, const struct ta_job *job,
                       struct ta_err *err)
{
    int e = TA_OK;

    ta_buf_init(&m->text, alloc, MEMBER_MAX);
    for (size_t i = 0; i < JSON_MEMBERS && e >= 0; i++) {
        struct ta_json_writer w;

        ta_json_writer_init(&w, &m->text);
        e = ta_job_write_member(&w, job, member_keys[i]);
        m->ends[i] = m->text.len;
    }
    return e < 0 ? ta_fail(err, e, "a job's nodes and metadata are too large") : TA_OK;
}

static void bind_member(sqlite3_stmt *s, int at, const struct repo_members *m, size_t i)
{
    size_t begin = i ? m->ends[i - 1] : 0;

    repo_bind(s, at, (struct ta_str){m->text.at + begin, m->ends[i] - begin});
}

void repo_bind_job(sqlite3_stmt *s, const struct ta_job *job, const struct repo_members *m)
{
    const struct ta_str words[] = {job->cluster, job->subcluster};
    int at = 0;

    (void)sqlite3_bind_int64(s, ++at, job->job_id);
    for (size_t i = 0; i < TA_COUNT(words); i++)
        repo_bind(s, ++at, words[i]);
    (void)sqlite3_bind_int64(s, ++at, job->start_time);
    repo_bind(s, ++at, job->user);
    repo_bind(s, ++at, job->project);
    repo_bind(s, ++at, job->partition);
    (void)sqlite3_bind_int64(s, ++at, job->array_job_id);
    (void)sqlite3_bind_int64(s, ++at, job->duration);
    (void)sqlite3_bind_int64(s, ++at, job->walltime);
    repo_bind(s, ++at, job->state);
    bind_member(s, ++at, m, 0);
    bind_member(s, ++at, m, 1);
    (void)sqlite3_bind_int64(s, ++at, job->num_nodes);
    (void)sqlite3_bind_int64(s, ++at, job->num_hwthreads);
    (void)sqlite3_bind_int64(s, ++at, job->num_acc);
    (void)sqlite3_bind_int64(s, ++at, job->smt);
    repo_bind(s, ++at, job->shared);
    (void)sqlite3_bind_int64(s, ++at, job->monitoring_status);
    (void)sqlite3_bind_double(s, ++at, job->energy);
    ++at; /* null before archiving, as in the reference */
    if (job->energy_footprint.at)
        bind_member(s, at, m, 2);
    bind_member(s, ++at, m, 3);
    (void)sqlite3_bind_int64(s, ++at, job->submit_time);
}

/* TA_EEXIST with the row when there is one. */
static int refuse_same(struct ta_repository *r, const struct ta_job *job, int64_t *out_row,
                       struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_SAME, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, job->job_id);
    repo_bind(s, 2, job->cluster);
    (void)sqlite3_bind_int64(s, 3, job->start_time - TA_JOB_SAME_S);
    (void)sqlite3_bind_int64(s, 4, job->start_time + TA_JOB_SAME_S);
    e = repo_step(r, s, err);
    if (e > 0) {
        *out_row = sqlite3_column_int64(s, 0);
        e = ta_fail(err, TA_EEXIST,
                    "a job with that jobId, cluster and startTime already exists: dbid: %" PRId64
                    ", jobid: %" PRId64,
                    *out_row, job->job_id);
    }
    repo_reset(s);
    return e;
}

static int insert(struct ta_repository *r, const struct ta_job *job, const struct repo_members *m,
                  int64_t *out_row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = refuse_same(r, job, out_row, err);

    if (e >= 0)
        e = repo_statement(r, REPO_START, &s, err);
    if (e < 0)
        return e;
    repo_bind_job(s, job, m);
    e = repo_finish(r, s, err);
    if (e < 0)
        return e == TA_EEXIST ? TA_EINVAL
                              : e; /* a value that the table forbids, not a repetition */

    int64_t row = sqlite3_last_insert_rowid(r->sql.db);

    e = repo_add_tags(r, row, &job->tags, err);
    if (e >= 0)
        *out_row = row;
    return e;
}

int ta_repository_start(struct ta_repository *r, const struct ta_job *job, int64_t *out_row,
                        struct ta_err *err)
{
    struct repo_members m;

    *out_row = 0;
    if (job->start_time < INT64_MIN + TA_JOB_SAME_S || job->start_time > INT64_MAX - TA_JOB_SAME_S)
        return ta_fail(err, TA_EINVAL, "startTime is out of range");

    int e = repo_write_members(&m, r->alloc, job, err);

    if (e >= 0)
        e = ta_sql_begin(&r->sql, err);
    if (e >= 0)
        e = repo_end(r, insert(r, job, &m, out_row, err), err);
    ta_buf_done(&m.text);
    return e;
}

/* ---- stop, delete ------------------------------------------------------------------------------- */

int repo_must_exist(struct ta_repository *r, int64_t row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_EXISTS, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    e = repo_step(r, s, err);
    repo_reset(s);
    return e == 0 ? ta_fail(err, TA_ENOTFOUND, "sql: no rows in result set") : e < 0 ? e : TA_OK;
}

int repo_mark_edited(struct ta_repository *r, int64_t row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_MARK, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    return repo_finish(r, s, err);
}

int ta_repository_stop(struct ta_repository *r, int64_t row, enum ta_job_state state,
                       int64_t duration_s, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_STOP, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    repo_bind(s, 2, ta_str(ta_job_state_word(state)));
    (void)sqlite3_bind_int64(s, 3, duration_s);
    e = repo_finish(r, s, err);
    if (e < 0 || sqlite3_changes(r->sql.db) == 1)
        return e;
    e = repo_must_exist(r, row, err);
    return e < 0 ? e : ta_fail(err, TA_ESTATE, "the job does not run");
}

int ta_repository_delete(struct ta_repository *r, int64_t row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_DELETE, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, row);
    return repo_finish(r, s, err);
}

int64_t ta_repository_delete_before(struct ta_repository *r, int64_t before_s,
                                    enum ta_job_tagged tagged, struct ta_err *err)
{
    static const enum repo_statement by_rule[] = {
        [TA_TAGGED_TOO] = REPO_DELETE_SOME,
        [TA_TAGGED_NOT] = REPO_DELETE_SOME_UNTAGGED,
        [TA_TAGGED_BY_USER_NOT] = REPO_DELETE_SOME_NOT_BY_USER,
    };
    sqlite3_stmt *s = NULL;
    int64_t n = 0;
    int e = repo_statement(r, by_rule[tagged], &s, err);

    while (e >= 0) {
        (void)sqlite3_bind_int64(s, 1, before_s);
        e = repo_finish(r, s, err);

        int gone = e < 0 ? 0 : sqlite3_changes(r->sql.db);

        n += gone;
        if (gone == 0)
            break;
    }
    if (n > 0)
        (void)ta_sql_shrink(&r->sql, NULL); /* what stays free is used again */
    return e < 0 ? e : n;
}

/* ---- metadata ----------------------------------------------------------------------------------- */

/* Where the key stands or belongs among the sorted ones. */
static size_t place_of(const struct ta_job_texts *texts, struct ta_str key)
{
    size_t i = 0;

    while (i < texts->n && ta_str_cmp(texts->at[i].key, key) < 0)
        i++;
    return i;
}

static int put_text(struct ta_job *job, struct ta_arena *arena, struct ta_str key,
                    struct ta_str value)
{
    struct ta_job_texts *old = &job->meta_data;
    size_t at = place_of(old, key);
    bool has = at < old->n && ta_str_eq(old->at[at].key, key);
    struct ta_job_text *next = ta_arena_get(arena, (old->n + 1) * sizeof(*next));

    if (!next)
        return TA_ENOMEM;
    if (at)
        memcpy(next, old->at, at * sizeof(*next));
    next[at] = (struct ta_job_text){key, value};
    if (old->n > at + has)
        memcpy(next + at + 1, old->at + at + has, (old->n - at - has) * sizeof(*next));
    *old = (struct ta_job_texts){next, old->n + !has};
    return TA_OK;
}

static int rewrite_meta(struct ta_repository *r, int64_t row, struct ta_str key,
                        struct ta_str value, struct ta_buf *text, struct ta_err *err)
{
    const struct ta_job_wish wish = {.meta_data = true};
    struct ta_json_writer w;
    struct ta_job job;
    sqlite3_stmt *s = NULL;
    int e;

    ta_arena_reset(&r->row);
    e = ta_repository_get(r, row, &wish, &r->row, &job, err);
    if (e >= 0)
        e = repo_statement(r, REPO_SET_META, &s, err);
    if (e < 0)
        return e;
    e = put_text(&job, &r->row, key, value);
    ta_json_writer_init(&w, text);
    if (e >= 0)
        e = ta_job_write_member(&w, &job, TA_JOB_META_DATA);
    if (e < 0)
        return ta_fail(err, e, "the job's metadata are too large");
    (void)sqlite3_bind_int64(s, 1, row);
    repo_bind(s, 2, ta_buf_view(text));
    e = repo_finish(r, s, err);
    return e < 0 ? e : repo_mark_edited(r, row, err);
}

int ta_repository_set_meta(struct ta_repository *r, int64_t row, struct ta_str key,
                           struct ta_str value, struct ta_err *err)
{
    struct ta_buf text;
    int e = ta_sql_begin(&r->sql, err);

    if (e < 0)
        return e;
    ta_buf_init(&text, r->alloc, MEMBER_MAX);
    e = repo_end(r, rewrite_meta(r, row, key, value, &text, err), err);
    ta_buf_done(&text);
    ta_arena_reset(&r->row);
    return e;
}
