/* archive_edits.c - archive_queue.h: archived jobs whose tags or metadata have changed since. */
#include "jobs/archive_queue_int.h"

int ta_archive_queue_next_edit(struct ta_archive_queue *q, int64_t now_s, const int64_t *busy,
                               size_t n_busy, int64_t *out_row, unsigned *out_attempts,
                               struct ta_err *err)
{
    return ta_archive_pick(q, TA_ARCHIVE_NEXT_EDIT, now_s, busy, n_busy, out_row, out_attempts,
                           err);
}

int ta_archive_queue_revision(struct ta_archive_queue *q, int64_t row, int64_t *out,
                              struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_REVISION, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    r = ta_archive_step(q, s, err);
    if (r >= 0)
        *out = r > 0 ? sqlite3_column_int64(s, 0) : 0;
    ta_archive_end(s);
    return r < 0 ? r : TA_OK;
}

int ta_archive_queue_edited(struct ta_archive_queue *q, int64_t row, int64_t revision,
                            struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int r = ta_archive_get(q, TA_ARCHIVE_EDITED, &s, err);

    if (r < 0)
        return r;
    (void)sqlite3_bind_int64(s, 1, row);
    (void)sqlite3_bind_int64(s, 2, revision);
    int64_t n = ta_archive_change(q, s, err);
    return n < 0 ? (int)n : TA_OK;
}

int ta_archive_queue_retry_edit(struct ta_archive_queue *q, int64_t row, unsigned attempts,
                                int64_t not_before_s, const char *reason, struct ta_err *err)
{
    return ta_archive_note(q, TA_ARCHIVE_RETRY_EDIT, row, attempts, not_before_s, reason, err);
}
