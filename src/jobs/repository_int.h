/* repository_int.h - the statements of a repository, prepared when they are first used. */
#ifndef TARN_JOBS_REPOSITORY_INT_H
#define TARN_JOBS_REPOSITORY_INT_H

#include "jobs/repository.h"

#include <sqlite3.h>

enum repo_statement {
    REPO_GET,
    REPO_FIND,
    REPO_TAGS,
    REPO_SAME,
    REPO_START,
    REPO_REBUILD,
    REPO_ROW_OF,
    REPO_STOP,
    REPO_EXISTS,
    REPO_SET_META,
    REPO_DELETE,
    REPO_DELETE_SOME,
    REPO_DELETE_SOME_UNTAGGED,
    REPO_DELETE_SOME_NOT_BY_USER,
    REPO_TAG_MAKE,
    REPO_TAG_FIND,
    REPO_TAG_LINK,
    REPO_REBUILT,
    REPO_DELETE_UNBUILT,
    REPO_TAG_UNLINK,
    REPO_TAG_DROP,
    REPO_TAG_DROP_SOME,
    REPO_TAG_MARK_SOME,
    REPO_MARK,
    REPO_MANAGES,
    REPO_USED_NODES,
    REPO_NODE_MAKE,
    REPO_NODE_REPORT,
    REPO_STATEMENTS
};

struct ta_repository {
    struct ta_sql sql;
    struct ta_alloc *alloc;
    struct ta_arena row; /* of a list's current job */
    sqlite3_stmt *statements[REPO_STATEMENTS];
};

/* The projects that a user manages, by name; a list that cannot be read is empty. */
#define REPO_MANAGED                                                                               \
    "SELECT value FROM hpc_user, json_each(CASE WHEN json_valid(CAST(projects AS TEXT)) THEN "     \
    "CAST(projects AS TEXT) ELSE '[]' END) WHERE username = "

/* The columns that repo_read_row() reads, from column 0 on. */
extern const char repo_columns[];

int repo_statement(struct ta_repository *r, enum repo_statement which, sqlite3_stmt **out,
                   struct ta_err *err);
/* 1 = a row, 0 = no more. */
int repo_step(struct ta_repository *r, sqlite3_stmt *s, struct ta_err *err);
/* Runs to the end and makes the statement ready for its next use. */
int repo_finish(struct ta_repository *r, sqlite3_stmt *s, struct ta_err *err);
void repo_reset(sqlite3_stmt *s);
/* Empty text rather than null. The bytes must stay until the reset. */
void repo_bind(sqlite3_stmt *s, int at, struct ta_str text);
/* Text and blobs alike: the reference writes JSON as either. */
struct ta_str repo_text(sqlite3_stmt *s, int column);
/* Commits after success, else rolls back; returns the first failure. */
int repo_end(struct ta_repository *r, int result, struct ta_err *err);

/* The members that columns keep as JSON, one after the other in one buffer; its done is due in any case. */
enum { REPO_MEMBERS = 4 };
struct repo_members {
    struct ta_buf text;
    size_t ends[REPO_MEMBERS];
};
int repo_write_members(struct repo_members *m, struct ta_alloc *alloc, const struct ta_job *job,
                       struct ta_err *err);
/* Parameters 1 to 23, in the order of REPO_START's columns. */
void repo_bind_job(sqlite3_stmt *s, const struct ta_job *job, const struct repo_members *m);

int repo_read_row(struct ta_repository *r, sqlite3_stmt *s, const struct ta_job_wish *wish,
                  struct ta_arena *arena, struct ta_job *out, struct ta_err *err);
/* Within a transaction. */
int repo_add_tags(struct ta_repository *r, int64_t row, const struct ta_job_tags *tags,
                  struct ta_err *err);
/* Within a transaction that changes what the archive has of a job: it is to be told (archive_queue.h). */
int repo_mark_edited(struct ta_repository *r, int64_t row, struct ta_err *err);
/* Within a transaction: TA_ENOTFOUND when there is no such job. */
int repo_must_exist(struct ta_repository *r, int64_t row, struct ta_err *err);

#endif
