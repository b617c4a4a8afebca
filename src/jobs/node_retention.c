#include "jobs/node_retention.h"

#include "jobs/node_parquet.h"

#include <sqlite3.h>
#include <stdio.h>

#define FILE_BYTES_DEFAULT (UINT64_C(128) << 20)

static int stopped(const struct ta_node_retention *conf, struct ta_err *err)
{
    return conf->stop && atomic_load(conf->stop)
               ? ta_fail(err, TA_ECANCELED, "the retention of node states was stopped")
               : TA_OK;
}

static int prepare(struct ta_sql *sql, const char *text, sqlite3_stmt **out, struct ta_err *err)
{
    int found = sqlite3_prepare_v2(sql->db, text, -1, out, NULL);

    return found == SQLITE_OK ? TA_OK
                              : ta_sql_fail(sql, found, "cannot delete states of nodes", err);
}

/* Runs a bound statement without rows; the number of rows it changed. */
static int64_t run(struct ta_sql *sql, sqlite3_stmt *statement, struct ta_err *err)
{
    int step = sqlite3_step(statement);

    sqlite3_reset(statement);
    return step == SQLITE_DONE ? sqlite3_changes(sql->db)
                               : ta_sql_fail(sql, step, "cannot delete states of nodes", err);
}

/* Deletes the next rows of the list in one transaction; 0 = the list is at its end. */
static int delete_batch(const struct ta_node_retention *conf, struct ta_moved_rows *moved,
                        sqlite3_stmt *statement, uint64_t *deleted, struct ta_err *err)
{
    uint32_t left = conf->batch_rows ? conf->batch_rows : TA_NODE_BATCH_ROWS;
    struct ta_moved_row row;
    int64_t changed = 0;
    uint64_t sum = 0;

    int r = ta_sql_begin(conf->sql, err);
    if (r < 0)
        return r;
    r = 1;
    while (r > 0 && left--) {
        r = ta_moved_rows_next(moved, &row, err);
        if (r <= 0)
            break;
        sqlite3_bind_int64(statement, 1, row.id);
        sqlite3_bind_int64(statement, 2, row.time_s);
        changed = run(conf->sql, statement, err);
        if (changed < 0)
            r = (int)changed;
        else
            sum += (uint64_t)changed;
    }
    if (r < 0) {
        ta_sql_rollback(conf->sql);
        return r;
    }
    int committed = ta_sql_commit(conf->sql, err);
    if (committed < 0)
        return committed;
    *deleted += sum;
    return r;
}

static int delete_moved(const struct ta_node_retention *conf, struct ta_moved_rows *moved,
                        struct ta_node_retained *out, struct ta_err *err)
{
    sqlite3_stmt *statement = NULL;
    int r = prepare(conf->sql, "DELETE FROM node_state WHERE id = ?1 AND time_stamp = ?2",
                    &statement, err);

    ta_moved_rows_rewind(moved);
    while (r >= 0) {
        r = stopped(conf, err);
        if (r >= 0)
            r = delete_batch(conf, moved, statement, &out->deleted, err);
        if (r == 0)
            break;
    }
    (void)sqlite3_finalize(statement); /* repeats a step's failure */
    return r;
}

/* From the record on: the same after a crash as at once. */
static int complete(const struct ta_node_retention *conf, struct ta_moved_rows *moved,
                    struct ta_node_retained *out, struct ta_err *err)
{
    int r = delete_moved(conf, moved, out, err);

    return r < 0 ? r : ta_moved_rows_forget(moved, err);
}

/* Completes what an earlier run recorded. */
static int resume(const struct ta_node_retention *conf, const struct ta_export_conf *export,
                  unsigned *number, struct ta_node_retained *out, struct ta_err *err)
{
    struct ta_moved_rows moved;

    int r = ta_moved_rows_open(&moved, conf->vfs, conf->state, conf->alloc, err);
    if (r > 0) {
        r = ta_moved_rows_settle(&moved, export, number, err);
        if (r >= 0)
            r = r > 0 ? complete(conf, &moved, out, err) : ta_moved_rows_forget(&moved, err);
    }
    ta_moved_rows_done(&moved);
    return r < 0 ? r : TA_OK;
}

/* One file: 1 = there is more, 0 = that was all. */
static int move_file(const struct ta_node_retention *conf, const struct ta_export_conf *export,
                     unsigned *number, struct ta_node_retained *out, struct ta_err *err)
{
    struct ta_moved_rows moved = {0};
    struct ta_export_file file = {0};
    char name[TA_EXPORT_NAME];
    int more = 0;

    int r = ta_export_begin(&file, export, err);
    if (r >= 0)
        r = ta_moved_rows_begin(&moved, conf->vfs, conf->state, conf->alloc, err);
    if (r < 0)
        goto out;
    struct ta_node_export e = {.sql = conf->sql,
                               .writer = file.writer,
                               .moved = &moved,
                               .cutoff_s = conf->cutoff_s,
                               .bytes_max =
                                   conf->file_bytes ? conf->file_bytes : FILE_BYTES_DEFAULT,
                               .stop = conf->stop};
    r = more = ta_node_export(&e, err);
    if (more == 0)
        out->odd = e.odd; /* the last walk meets all that stay */
    if (r < 0 || e.rows == 0)
        goto out;
    r = ta_export_finish(&file, err);
    if (r >= 0)
        r = ta_moved_rows_seal(&moved, err);
    if (r >= 0)
        r = ta_export_name(export, number, name, err);
    if (r >= 0)
        r = ta_moved_rows_commit(&moved, name, err);
    if (r < 0)
        goto out;
    file.is_there = false; /* it belongs to the record now */
    r = ta_moved_rows_publish(&moved, export, number, err);
    if (r < 0)
        goto out;
    out->exported += file.rows;
    out->bytes += file.bytes;
    out->files++;
    r = complete(conf, &moved, out, err);
out:
    ta_export_end(&file);
    ta_moved_rows_done(&moved);
    return r < 0 ? r : more;
}

static int lock(const struct ta_node_retention *conf, struct ta_file **out, struct ta_err *err)
{
    char path[TA_EXPORT_PATH];
    int n = snprintf(path, sizeof(path), "%s/lock", conf->state);

    if (n < 0 || n >= TA_EXPORT_PATH)
        return ta_fail(err, TA_ERANGE, "%s: path too long", conf->state);
    int r = ta_open(conf->vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, out, err);
    return r < 0 ? r : (*out)->ops->lock(*out, err);
}

int ta_node_states_move(const struct ta_node_retention *conf, struct ta_node_retained *out,
                        struct ta_err *err)
{
    const struct ta_export_conf export = {.vfs = conf->vfs,
                                          .alloc = conf->alloc,
                                          .place = conf->place,
                                          .state = conf->state,
                                          .under = "",
                                          .prefix = "cc-nodestate",
                                          .date = conf->date,
                                          .file_mode = conf->file_mode,
                                          .schema = &ta_node_parquet_schema,
                                          .parquet = ta_node_parquet_options};
    struct ta_file *held = NULL;
    unsigned number = 0;

    *out = (struct ta_node_retained){0};
    int r = lock(conf, &held, err);
    if (r >= 0)
        r = resume(conf, &export, &number, out, err);
    if (r >= 0)
        r = 1;
    while (r > 0) {
        r = stopped(conf, err);
        if (r >= 0)
            r = move_file(conf, &export, &number, out, err);
    }
    (void)ta_close(&held, NULL); /* only a lock */
    return r;
}

static const char next_node[] = "SELECT min(id) FROM node WHERE id > ?1";
static const char delete_states[] =
    "DELETE FROM node_state WHERE id IN (SELECT id FROM node_state WHERE node_id = ?1 AND "
    "time_stamp < min(?2, (SELECT max(time_stamp) FROM node_state WHERE node_id = ?1)) LIMIT ?3)";
static const char delete_strays[] =
    "DELETE FROM node_state WHERE id IN (SELECT id FROM node_state WHERE node_id IS NULL AND "
    "time_stamp < ?2 LIMIT ?3)";

/* The walk over the nodes: `node` 0 are the states without one. */
struct walk {
    sqlite3_stmt *next, *states, *strays;
    int64_t node;
};

/* 1 = walk->node is the next one, 0 = there is none. */
static int step_node(struct ta_sql *sql, struct walk *w, struct ta_err *err)
{
    sqlite3_bind_int64(w->next, 1, w->node);
    int step = sqlite3_step(w->next);
    bool is_one = step == SQLITE_ROW && sqlite3_column_type(w->next, 0) != SQLITE_NULL;

    if (is_one)
        w->node = sqlite3_column_int64(w->next, 0);
    sqlite3_reset(w->next);
    return step == SQLITE_ROW ? is_one : ta_sql_fail(sql, step, "cannot read nodes", err);
}

/* Deletes in one transaction, over as many nodes as it takes; 0 = nothing is left. */
static int delete_some(const struct ta_node_retention *conf, struct walk *w, uint64_t *deleted,
                       struct ta_err *err)
{
    int64_t left = conf->batch_rows ? conf->batch_rows : TA_NODE_BATCH_ROWS;
    uint64_t sum = 0;
    int r = ta_sql_begin(conf->sql, err);

    if (r < 0)
        return r;
    for (r = 1; r > 0 && left > 0;) {
        sqlite3_stmt *statement = w->node ? w->states : w->strays;
        sqlite3_bind_int64(statement, 1, w->node);
        sqlite3_bind_int64(statement, 2, conf->cutoff_s);
        sqlite3_bind_int64(statement, 3, left);
        int64_t changed = run(conf->sql, statement, err);
        if (changed < 0) {
            r = (int)changed;
            break;
        }
        sum += (uint64_t)changed;
        left -= changed;
        if (left > 0)
            r = step_node(conf->sql, w, err);
    }
    if (r < 0) {
        ta_sql_rollback(conf->sql);
        return r;
    }
    int committed = ta_sql_commit(conf->sql, err);
    if (committed < 0)
        return committed;
    *deleted += sum;
    return r;
}

int ta_node_states_delete(const struct ta_node_retention *conf, struct ta_node_retained *out,
                          struct ta_err *err)
{
    struct walk w = {0};
    int r = prepare(conf->sql, next_node, &w.next, err);

    *out = (struct ta_node_retained){0};
    if (r >= 0)
        r = prepare(conf->sql, delete_states, &w.states, err);
    if (r >= 0)
        r = prepare(conf->sql, delete_strays, &w.strays, err);
    if (r >= 0)
        r = 1;
    while (r > 0) {
        r = stopped(conf, err);
        if (r >= 0)
            r = delete_some(conf, &w, &out->deleted, err);
    }
    /* They repeat a step's failure. */
    (void)sqlite3_finalize(w.next);
    (void)sqlite3_finalize(w.states);
    (void)sqlite3_finalize(w.strays);
    return r;
}
