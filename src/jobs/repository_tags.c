/* repository_tags.c - tags of jobs. A type and name are one tag, whatever the scope. */
#include "jobs/repository_int.h"

static bool is_shared_scope(struct ta_str scope)
{
    return ta_str_is(scope, "global") || ta_str_is(scope, "admin");
}

static int make_tag(struct ta_repository *r, const struct ta_job_tag *tag, struct ta_err *err)
{
    static const enum repo_statement steps[] = {REPO_TAG_MAKE, REPO_TAG_FIND};
    int e = TA_OK;

    for (size_t i = 0; i < TA_COUNT(steps) && e >= 0; i++) {
        sqlite3_stmt *s = NULL;

        e = repo_statement(r, steps[i], &s, err);
        if (e < 0)
            return e;
        repo_bind(s, 1, tag->type);
        repo_bind(s, 2, tag->name);
        repo_bind(s, 3, tag->scope);
        e = repo_step(r, s, err);
        if (e > 0 && !sqlite3_column_int(s, 0))
            e = ta_fail(err, TA_EEXIST, "the tag %.*s: %.*s exists with another scope",
                        TA_STR_FMT(tag->type), TA_STR_FMT(tag->name));
        repo_reset(s);
    }
    return e < 0 ? e : TA_OK;
}

int repo_add_tags(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                  struct ta_err *err)
{
    int e = TA_OK;

    for (size_t i = 0; i < tags->n && e >= 0; i++) {
        sqlite3_stmt *s = NULL;

        e = make_tag(r, &tags->at[i], err);
        if (e >= 0)
            e = repo_statement(r, REPO_TAG_LINK, &s, err);
        if (e < 0)
            return e;
        (void)sqlite3_bind_int64(s, 1, row);
        repo_bind(s, 2, tags->at[i].type);
        repo_bind(s, 3, tags->at[i].name);
        e = repo_finish(r, s, err);
    }
    return e;
}

int ta_repository_tag(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                      struct ta_err *err)
{
    int e = ta_sql_begin(&r->sql, err);

    if (e < 0)
        return e;
    e = repo_must_exist(r, row, err);
    if (e >= 0)
        e = repo_add_tags(r, row, tags, err);
    if (e >= 0)
        e = repo_mark_edited(r, row, err);
    return repo_end(r, e, err);
}

static int unlink_tags(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                       struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_must_exist(r, row, err);

    if (e >= 0)
        e = repo_statement(r, REPO_TAG_UNLINK, &s, err);
    for (size_t i = 0; i < tags->n && e >= 0; i++) {
        if (!is_shared_scope(tags->at[i].scope))
            continue;
        (void)sqlite3_bind_int64(s, 1, row);
        repo_bind(s, 2, tags->at[i].type);
        repo_bind(s, 3, tags->at[i].name);
        repo_bind(s, 4, tags->at[i].scope);
        e = repo_finish(r, s, err);
    }
    return e < 0 ? e : repo_mark_edited(r, row, err);
}

int ta_repository_untag(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                        struct ta_err *err)
{
    int e = ta_sql_begin(&r->sql, err);

    return e < 0 ? e : repo_end(r, unlink_tags(r, row, tags, err), err);
}

/* Of one tag; the rows that it changed. */
static int64_t run_of_tag(struct ta_repository *r, enum repo_statement which,
                          const struct ta_job_tag *tag, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, which, &s, err);

    if (e < 0)
        return e;
    repo_bind(s, 1, tag->type);
    repo_bind(s, 2, tag->name);
    repo_bind(s, 3, tag->scope);
    e = repo_finish(r, s, err);
    return e < 0 ? e : sqlite3_changes(r->sql.db);
}

/* In one transaction: the links to some jobs, and the tag with the last of them. How many links went. */
static int64_t drop_some(struct ta_repository *r, const struct ta_job_tag *tag, int64_t *tags,
                         struct ta_err *err)
{
    int64_t links = 0, gone = 0;
    int64_t e = ta_sql_begin(&r->sql, err);

    if (e < 0)
        return e;
    e = run_of_tag(r, REPO_TAG_MARK_SOME, tag, err);
    if (e >= 0)
        e = links = run_of_tag(r, REPO_TAG_DROP_SOME, tag, err);
    if (e == 0)
        e = gone = run_of_tag(r, REPO_TAG_DROP, tag, err);
    e = repo_end(r, (int)(e < 0 ? e : TA_OK), err);
    *tags += e < 0 ? 0 : gone;
    return e < 0 ? e : links;
}

int64_t ta_repository_drop_tags(struct ta_repository *r, const struct ta_job_tags *tags,
                                struct ta_err *err)
{
    int64_t n = 0, e = TA_OK;

    for (size_t i = 0; i < tags->n && e >= 0; i++) {
        if (!is_shared_scope(tags->at[i].scope))
            continue;
        do
            e = drop_some(r, &tags->at[i], &n, err);
        while (e > 0);
    }
    return e < 0 ? e : n;
}
