/* sql.h - one connection to an SQLite database, as the job database wants it.
 *
 * (spec: job-repository 1) WAL, full synchronisation (a commit is durable when it returns), foreign
 * keys enforced, temporary data in files and not in memory, a fixed page cache; a new
 * file is one that can shrink. What a connection
 * holds is the cache plus some hundred KiB, whatever the size of the database.
 *
 * A connection belongs to one thread at a time; threads open one each.
 */
#ifndef TARN_JOBS_SQL_H
#define TARN_JOBS_SQL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sqlite3;

struct ta_sql_options {
    const char *path;
    const char *vfs;     /* a registered SQLite VFS, NULL = the system's; tests fail calls there */
    size_t cache_bytes;  /* 0 = 8 MiB */
    int busy_timeout_ms; /* how long a lock of another connection is waited for; 0 = 60 s */
};

struct ta_sql {
    struct sqlite3 *db;
};

/* Opens or creates the file; the directory must exist. TA_EIO, TA_EFORMAT (no database),
 * TA_ENOMEM, TA_EAGAIN (locked for too long). */
int ta_sql_open(struct ta_sql *out, const struct ta_sql_options *options, struct ta_err *err);
void ta_sql_done(struct ta_sql *sql); /* fine on a zeroed struct and twice */

/* Runs one or more statements and passes over their rows. */
int ta_sql_run(struct ta_sql *sql, const char *text, struct ta_err *err);
/* The first column of the first row; TA_ENOTFOUND when there is no row. */
int ta_sql_i64(struct ta_sql *sql, const char *text, int64_t *out, struct ta_err *err);

/* A write transaction: the lock is taken at its begin, so that it never fails half way for want of
 * it. Rolling back cannot fail in a way that matters: what is not committed is not there. */
int ta_sql_begin(struct ta_sql *sql, struct ta_err *err);
int ta_sql_commit(struct ta_sql *sql, struct ta_err *err); /* rolls back when it fails */
void ta_sql_rollback(struct ta_sql *sql);

/* Pages that deletions have left free go back to the file system, in transactions of at most 512 pages, but for
 * 1,024 that the next rows will use. A database that another program has made keeps them (nothing is done):
 * only copying it whole would give them back. */
int ta_sql_shrink(struct ta_sql *sql, struct ta_err *err);

/* The error that an SQLite result stands for, with SQLite's words behind `what`. */
int ta_sql_fail(struct ta_sql *sql, int result, const char *what, struct ta_err *err);

#endif
