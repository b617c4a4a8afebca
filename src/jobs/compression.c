#include "jobs/compression.h"

#include <sqlite3.h>
#include <stdio.h>

enum { NAMES_MAX = 1 << 20 };

struct compressing {
    const struct ta_compression *c;
    struct ta_compressed *out;
    int64_t mark_s; /* what may be remembered in the end */
};

static int one_job(struct compressing *g, const struct ta_job_address *job, struct ta_err *err)
{
    const struct ta_compression *c = g->c;
    struct ta_err why = {0};

    if (c->stop && atomic_load(c->stop))
        return ta_fail(err, TA_ECANCELED, "the compression of jobs was stopped");
    if (job->start_time >= c->before_s)
        return TA_OK;
    int e = ta_archive_compress(c->work, c->archive, job, &why);
    g->out->seen++;
    g->out->compressed += e > 0;
    if (e >= 0 || e == TA_ENOTFOUND) /* in no archive, or without data */
        return TA_OK;
    if (e == TA_ENOMEM || e == TA_ECANCELED)
        return ta_fail(err, e, "%s", why.text);
    if (g->out->failed++ == 0)
        (void)ta_fail(&g->out->first, e, "job %lld of %.*s: %s", (long long)job->job_id,
                      TA_STR_FMT(job->cluster), why.text);
    if (e != TA_EFORMAT && e != TA_EINVAL && job->start_time < g->mark_s)
        g->mark_s = job->start_time;
    return TA_OK;
}

static int all_of_a_cluster(struct compressing *g, struct ta_str cluster, struct ta_err *err)
{
    struct ta_backend_cursor *cursor;
    struct ta_job_address job;
    int e = ta_backend_list(g->c->archive, cluster, &cursor, err);

    if (e < 0)
        return e;
    while ((e = cursor->next(cursor, &job, err)) > 0 && (e = one_job(g, &job, err)) >= 0)
        continue;
    cursor->close(cursor);
    return e;
}

static int all_of_the_archive(struct compressing *g, struct ta_err *err)
{
    struct ta_str_list names = {0};
    struct ta_arena arena;

    ta_arena_init(&arena, g->c->work->alloc, NAMES_MAX);
    int e = ta_backend_clusters(g->c->archive, &arena, &names, err);
    for (size_t i = 0; e >= 0 && i < names.n; i++)
        e = all_of_a_cluster(g, names.at[i], err);
    ta_arena_done(&arena);
    return e;
}

/* Row by row, by keyset, so that no read transaction lasts longer than a step. */
static int jobs_since(struct compressing *g, int64_t from_s, struct ta_err *err)
{
    static const char text[] =
        "SELECT id, job_id, start_time, cluster FROM job WHERE start_time >= ?1 AND start_time < "
        "?2 AND (start_time, id) > (?3, ?4) ORDER BY start_time, id LIMIT 1";
    struct ta_sql *sql = g->c->sql;
    char cluster[TA_BACKEND_NAME_MAX + 1];
    struct ta_job_address job = {.start_time = INT64_MIN};
    sqlite3_stmt *s = NULL;
    int64_t row = 0;
    int step = sqlite3_prepare_v2(sql->db, text, -1, &s, NULL);
    int e = step == SQLITE_OK ? TA_OK : ta_sql_fail(sql, step, "cannot ask for jobs", err);

    while (e >= 0) {
        sqlite3_bind_int64(s, 1, from_s);
        sqlite3_bind_int64(s, 2, g->c->before_s);
        sqlite3_bind_int64(s, 3, job.start_time);
        sqlite3_bind_int64(s, 4, row);
        step = sqlite3_step(s);
        if (step != SQLITE_ROW) {
            e = step == SQLITE_DONE ? TA_OK : ta_sql_fail(sql, step, "cannot read jobs", err);
            break;
        }
        const char *name = (const char *)sqlite3_column_text(s, 3);
        row = sqlite3_column_int64(s, 0);
        job.job_id = sqlite3_column_int64(s, 1);
        job.start_time = sqlite3_column_int64(s, 2);
        /* A name that is too long is no cluster's, nor is its beginning's end. */
        int n = snprintf(cluster, sizeof(cluster), "%s", name ? name : "");
        job.cluster = ta_str(cluster);
        sqlite3_reset(s);
        e = n < (int)sizeof(cluster)
                ? one_job(g, &job, err)
                : ta_fail(err, TA_EFORMAT, "job database: a name of a cluster is too long");
    }
    (void)sqlite3_finalize(s); /* repeats a step's failure */
    return e;
}

int ta_compression_run(const struct ta_compression *c, struct ta_compressed *out,
                       struct ta_err *err)
{
    struct compressing g = {.c = c, .out = out, .mark_s = c->before_s};
    int64_t mark_s = 0;
    struct ta_err why = {0};

    *out = (struct ta_compressed){0};
    int e = ta_backend_read_mark(c->archive, &mark_s, &why);
    if (e < 0 && e != TA_ENOTFOUND)
        return ta_fail(err, e, "%s", why.text);
    e = e >= 0 && c->sql ? jobs_since(&g, mark_s, err) : all_of_the_archive(&g, err);
    if (e < 0)
        return e;
    return g.mark_s > mark_s ? ta_backend_put_mark(c->archive, g.mark_s, err) : TA_OK;
}
