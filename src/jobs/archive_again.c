/* archive_again.c - archive_queue.h: jobs to be archived once more, and jobs that still run. */
#include "jobs/archive_queue_int.h"

#include <inttypes.h>
#include <string.h>

enum { SOME_ROWS = 1000 }; /* of one transaction */

/* ---- again -------------------------------------------------------------------------------------- */

static int check_again(struct ta_archive_queue *q, int64_t row, int64_t archived_from_s,
                       struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_STATE, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    r = ta_archive_step(q, s, err);
    if (r == 0)
        r = ta_fail(err, TA_ENOTFOUND, "there is no job with id %" PRId64, row);
    else if (r > 0 && ta_str_is(ta_archive_text(s, 0), "running"))
        r = ta_fail(err, TA_ESTATE, "job %" PRId64 " is running", row);
    else if (r > 0 && sqlite3_column_int(s, 1) == TA_JOB_UNMONITORED)
        r = ta_fail(err, TA_ESTATE, "job %" PRId64 " is not monitored", row);
    else if (r > 0 && sqlite3_column_int(s, 1) == TA_JOB_ARCHIVED &&
             sqlite3_column_int64(s, 2) < archived_from_s)
        r = ta_fail(err, TA_ESTATE,
                    "job %" PRId64 " is archived, and the store does not have all of its data any "
                    "more",
                    row);
    ta_archive_end(s);
    return r;
}

int ta_archive_queue_again(struct ta_archive_queue *q, int64_t row, int64_t archived_from_s,
                           struct ta_err *err)
{
    int r = ta_sql_begin(&q->sql, err);

    if (r < 0)
        return r;
    r = check_again(q, row, archived_from_s, err);
    if (r >= 0)
        r = (int)ta_archive_change_row(q, TA_ARCHIVE_AGAIN, row, err);
    if (r >= 0)
        r = (int)ta_archive_change_row(q, TA_ARCHIVE_FORGET, row, err);
    return ta_archive_finish(q, r, err);
}

int64_t ta_archive_queue_again_failed(struct ta_archive_queue *q, struct ta_err *err)
{
    int64_t all = 0, n = 1;

    while (n > 0) {
        sqlite3_stmt *s = NULL;
        int r = ta_archive_get(q, TA_ARCHIVE_AGAIN_FAILED, &s, err);

        if (r < 0)
            return r;
        (void)sqlite3_bind_int64(s, 1, SOME_ROWS);
        n = ta_archive_change(q, s, err);
        all += n > 0 ? n : 0;
    }
    return n < 0 ? n : all;
}

int ta_archive_queue_reason(struct ta_archive_queue *q, int64_t row, char *out, size_t room,
                            unsigned *out_attempts, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_REASON, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    r = ta_archive_step(q, s, err);
    if (r > 0) {
        struct ta_str text = ta_archive_text(s, 0);
        size_t n = text.len < room - 1 ? text.len : room - 1;

        memcpy(out, text.len ? text.at : "", n);
        out[n] = 0;
        *out_attempts = (unsigned)sqlite3_column_int(s, 1);
    }
    ta_archive_end(s);
    return r == 0 ? ta_fail(err, TA_ENOTFOUND, "job %" PRId64 " has not failed", row)
                  : (r < 0 ? r : TA_OK);
}

/* ---- running jobs ------------------------------------------------------------------------------- */

int ta_archive_queue_running(struct ta_archive_queue *q, int64_t after, int64_t before_s,
                             int64_t *out_row, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_RUNNING, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, after);
    (void)sqlite3_bind_int64(s, 2, before_s);
    r = ta_archive_step(q, s, err);
    if (r > 0)
        *out_row = sqlite3_column_int64(s, 0);
    ta_archive_end(s);
    return r;
}

int ta_archive_queue_footprint(struct ta_archive_queue *q, const struct ta_job *job,
                               struct ta_err *err)
{
    struct ta_buf text;
    sqlite3_stmt *s = NULL;

    ta_buf_init(&text, q->alloc, TA_ARCHIVE_TEXT_MAX);
    int r = ta_archive_member(&text, job, TA_JOB_FOOTPRINT, err);
    if (r >= 0)
        r = ta_archive_get(q, TA_ARCHIVE_FOOTPRINT, &s, err);
    if (r >= 0) {
        (void)sqlite3_bind_int64(s, 1, job->id);
        ta_archive_bind(s, 2, ta_buf_view(&text));
        int64_t n = ta_archive_change(q, s, err);
        r = n < 0 ? (int)n : TA_OK;
    }
    ta_buf_done(&text);
    return r;
}

/* Some of the rows behind *last, in one transaction; how many, *last being the highest of them. */
static int64_t some_durations(struct ta_archive_queue *q, int64_t now_s, int64_t *last,
                              struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int64_t n = 0;
    int r = ta_archive_get(q, TA_ARCHIVE_DURATIONS, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, now_s);
    (void)sqlite3_bind_int64(s, 2, *last);
    (void)sqlite3_bind_int(s, 3, SOME_ROWS);
    for (int64_t row; (r = ta_archive_step(q, s, err)) > 0; n++) {
        row = sqlite3_column_int64(s, 0);
        *last = row > *last ? row : *last;
    }
    ta_archive_end(s);
    return r < 0 ? r : n;
}

int ta_archive_queue_durations(struct ta_archive_queue *q, int64_t now_s, struct ta_err *err)
{
    int64_t last = INT64_MIN, n;

    do
        n = some_durations(q, now_s, &last, err);
    while (n == SOME_ROWS);
    return n < 0 ? (int)n : TA_OK;
}

int64_t ta_archive_queue_overdue(struct ta_archive_queue *q, int64_t now_s, int64_t grace_s,
                                 struct ta_err *err)
{
    int64_t all = 0, n = 1;

    while (n > 0) {
        sqlite3_stmt *s = NULL;
        int r = ta_archive_get(q, TA_ARCHIVE_OVERDUE, &s, err);

        if (r < 0)
            return r;
        (void)sqlite3_bind_int64(s, 1, now_s - grace_s);
        (void)sqlite3_bind_int(s, 2, SOME_ROWS);
        n = ta_archive_change(q, s, err);
        all += n > 0 ? n : 0;
    }
    return n < 0 ? n : all;
}
