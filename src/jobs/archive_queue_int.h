/* archive_queue_int.h - the queue's connection and statements, for the files that it is made of. */
#ifndef TARN_JOBS_ARCHIVE_QUEUE_INT_H
#define TARN_JOBS_ARCHIVE_QUEUE_INT_H

#include "jobs/archive_queue.h"

#include <sqlite3.h>

enum { TA_ARCHIVE_TEXT_MAX = 16 << 20 /* one column of JSON */ };

enum ta_archive_statement {
    TA_ARCHIVE_NEXT,
    TA_ARCHIVE_WAKE,
    TA_ARCHIVE_LOAD,
    TA_ARCHIVE_TAGS,
    TA_ARCHIVE_DONE,
    TA_ARCHIVE_TAG_ADD,
    TA_ARCHIVE_TAG_LINK,
    TA_ARCHIVE_FORGET,
    TA_ARCHIVE_NOTE,
    TA_ARCHIVE_FAIL,
    TA_ARCHIVE_COUNT,
    TA_ARCHIVE_STATE,
    TA_ARCHIVE_AGAIN,
    TA_ARCHIVE_AGAIN_FAILED,
    TA_ARCHIVE_REASON,
    TA_ARCHIVE_RUNNING,
    TA_ARCHIVE_FOOTPRINT,
    TA_ARCHIVE_DURATIONS,
    TA_ARCHIVE_OVERDUE,
    TA_ARCHIVE_NEXT_EDIT,
    TA_ARCHIVE_REVISION,
    TA_ARCHIVE_EDITED,
    TA_ARCHIVE_RETRY_EDIT,
    TA_ARCHIVE_STATEMENTS
};

struct ta_archive_queue {
    struct ta_alloc *alloc;
    struct ta_sql sql;
    sqlite3_stmt *statements[TA_ARCHIVE_STATEMENTS];
};

int ta_archive_fail(struct ta_archive_queue *q, int result, struct ta_err *err);
/* The prepared statement. */
int ta_archive_get(struct ta_archive_queue *q, enum ta_archive_statement which, sqlite3_stmt **out,
                   struct ta_err *err);
/* Ends a statement, whatever came of it: what a failed step said is said. */
void ta_archive_end(sqlite3_stmt *s);
void ta_archive_bind(sqlite3_stmt *s, int i, struct ta_str v);
/* 1 = a row, 0 = none. */
int ta_archive_step(struct ta_archive_queue *q, sqlite3_stmt *s, struct ta_err *err);
/* Runs a change whose values are bound; returns the rows it changed. */
int64_t ta_archive_change(struct ta_archive_queue *q, sqlite3_stmt *s, struct ta_err *err);
/* The same with one value. */
int64_t ta_archive_change_row(struct ta_archive_queue *q, enum ta_archive_statement which,
                              int64_t row, struct ta_err *err);
/* What NOTE or RETRY_EDIT keep of a try that failed. */
int ta_archive_note(struct ta_archive_queue *q, enum ta_archive_statement which, int64_t row,
                    unsigned attempts, int64_t not_before_s, const char *reason,
                    struct ta_err *err);
/* The first row of NEXT or NEXT_EDIT that may be tried and is not busy: 1, or 0. */
int ta_archive_pick(struct ta_archive_queue *q, enum ta_archive_statement which, int64_t now_s,
                    const int64_t *busy, size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                    struct ta_err *err);
/* Ends the transaction as `r` says. */
int ta_archive_finish(struct ta_archive_queue *q, int r, struct ta_err *err);
/* Text and blobs alike: the reference writes JSON as either. Borrowed until the next step. */
struct ta_str ta_archive_text(sqlite3_stmt *s, int i);
int ta_archive_member(struct ta_buf *out, const struct ta_job *job, enum ta_job_key key,
                      struct ta_err *err);

#endif
