/* repository.c - opening, and the text of every fixed statement. */
#include "jobs/archive_queue.h"
#include "jobs/repository_int.h"

enum { ROW_BYTES_MAX = 64 << 20 };

#define COLUMNS                                                                                    \
    "id, job_id, cluster, subcluster, submit_time, start_time, hpc_user, project, "                \
    "cluster_partition, array_job_id, duration, walltime, job_state, num_nodes, num_hwthreads, "   \
    "num_acc, smt, shared, monitoring_status, energy, resources, footprint, meta_data"

const char repo_columns[] = COLUMNS;

#define JOB_VALUES                                                                                 \
    "job_id, cluster, subcluster, start_time, hpc_user, project, cluster_partition, "              \
    "array_job_id, duration, walltime, job_state, meta_data, resources, num_nodes, "               \
    "num_hwthreads, num_acc, smt, shared, monitoring_status, energy, energy_footprint, footprint"

#define DELETE_SOME(rule)                                                                          \
    "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE start_time < ?1 AND job_state != "      \
    "'running' AND monitoring_status != 1" rule " LIMIT 1000)"

#define HOSTS                                                                                      \
    "SELECT cluster, json_extract(value, '$.hostname') FROM job, json_each(CAST(resources AS "     \
    "TEXT)) WHERE start_time < ?1 AND "

/* Jobs of the row or rows that `which` names, of which the archive has metadata or is about to. */
#define MARK(which)                                                                                \
    "INSERT INTO tarn_edit (job, revision) SELECT id, 1 FROM job WHERE id " which                  \
    " AND job_state != 'running' AND monitoring_status IN (1, 3) ON CONFLICT (job) DO UPDATE SET " \
    "revision = revision + 1, attempts = 0, not_before = 0, reason = ''"

/* The links of a tag to at most 1,000 jobs, always the same ones while nothing changes. */
#define SOME_LINKS                                                                                 \
    "IN (SELECT jobtag.job_id FROM jobtag JOIN tag ON tag.id = jobtag.tag_id WHERE tag_type = ?1 " \
    "AND tag_name = ?2 AND tag_scope = ?3 ORDER BY jobtag.job_id LIMIT 1000)"

static const char *const texts[REPO_STATEMENTS] = {
    [REPO_GET] = "SELECT " COLUMNS " FROM job WHERE id = ?1",
    [REPO_FIND] = "SELECT " COLUMNS " FROM job WHERE job_id = ?1 AND (?2 IS NULL OR cluster = ?2) "
                  "AND (?3 IS NULL OR start_time = ?3) ORDER BY id DESC LIMIT 1",
    [REPO_TAGS] = "SELECT tag_type, tag_name, tag_scope, tag.id FROM jobtag JOIN tag ON tag.id = "
                  "jobtag.tag_id WHERE jobtag.job_id = ?1 AND (tag_scope = 'global' OR tag_scope "
                  "= ?2 OR (?3 AND tag_scope = 'admin')) ORDER BY tag.id",
    /* The cache too: another program may work on the same database. */
    [REPO_SAME] = "SELECT id FROM job WHERE job_id = ?1 AND cluster = ?2 AND start_time > ?3 AND "
                  "start_time < ?4 UNION ALL SELECT id FROM job_cache WHERE job_id = ?1 AND "
                  "cluster = ?2 AND start_time > ?3 AND start_time < ?4 LIMIT 1",
    [REPO_START] = "INSERT INTO job (" JOB_VALUES ", submit_time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
                   "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, "
                   "?23)",
    /* What waits to be archived, or to be told to the archive, is newer than what the archive has. */
    [REPO_REBUILD] =
        "INSERT INTO job (" JOB_VALUES ", submit_time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23) ON CONFLICT "
        "(job_id, "
        "cluster, start_time) DO UPDATE SET subcluster = excluded.subcluster, hpc_user = "
        "excluded.hpc_user, project = excluded.project, cluster_partition = "
        "excluded.cluster_partition, array_job_id = excluded.array_job_id, duration = "
        "excluded.duration, walltime = excluded.walltime, job_state = excluded.job_state, "
        "meta_data "
        "= excluded.meta_data, resources = excluded.resources, num_nodes = excluded.num_nodes, "
        "num_hwthreads = excluded.num_hwthreads, num_acc = excluded.num_acc, smt = excluded.smt, "
        "shared = excluded.shared, monitoring_status = excluded.monitoring_status, energy = "
        "excluded.energy, energy_footprint = excluded.energy_footprint, footprint = "
        "excluded.footprint, submit_time = excluded.submit_time WHERE (job.monitoring_status <> 1 "
        "OR job.job_state = 'running') AND NOT EXISTS (SELECT 1 FROM tarn_edit WHERE tarn_edit.job "
        "= job.id)",
    [REPO_ROW_OF] = "SELECT id FROM job WHERE job_id = ?1 AND cluster = ?2 AND start_time = ?3",
    [REPO_REBUILT] = "INSERT OR IGNORE INTO temp.rebuilt (row) VALUES (?1)",
    /* A job that is said to be archived, and is not. */
    [REPO_DELETE_UNBUILT] =
        "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE monitoring_status = 3 "
        "AND "
        "job_state NOT IN ('running', 'pending', 'suspended') AND NOT EXISTS (SELECT 1 FROM "
        "temp.rebuilt WHERE temp.rebuilt.row = job.id) ORDER BY id LIMIT 1000)",
    [REPO_STOP] = "UPDATE job SET job_state = ?2, duration = ?3 WHERE id = ?1 AND job_state = "
                  "'running'",
    [REPO_EXISTS] = "SELECT 1 FROM job WHERE id = ?1",
    [REPO_SET_META] = "UPDATE job SET meta_data = ?2 WHERE id = ?1",
    [REPO_DELETE] = "DELETE FROM job WHERE id = ?1",
    [REPO_DELETE_SOME] = DELETE_SOME(""),
    [REPO_DELETE_SOME_UNTAGGED] =
        DELETE_SOME(" AND NOT EXISTS (SELECT 1 FROM jobtag WHERE jobtag.job_id = job.id)"),
    [REPO_DELETE_SOME_NOT_BY_USER] =
        DELETE_SOME(" AND NOT EXISTS (SELECT 1 FROM jobtag JOIN tag ON tag.id = jobtag.tag_id "
                    "WHERE jobtag.job_id = job.id AND tag_type NOT IN ('app', 'jobClass'))"),
    [REPO_TAG_MAKE] = "INSERT INTO tag (tag_type, tag_name, tag_scope) VALUES (?1, ?2, ?3) ON "
                      "CONFLICT DO NOTHING",
    [REPO_TAG_FIND] = "SELECT tag_scope = ?3 FROM tag WHERE tag_type = ?1 AND tag_name = ?2",
    [REPO_TAG_LINK] = "INSERT INTO jobtag (job_id, tag_id) SELECT ?1, id FROM tag WHERE tag_type = "
                      "?2 AND tag_name = ?3 ON CONFLICT DO NOTHING",
    [REPO_TAG_UNLINK] = "DELETE FROM jobtag WHERE job_id = ?1 AND tag_id IN (SELECT id FROM tag "
                        "WHERE tag_type = ?2 AND tag_name = ?3 AND tag_scope = ?4)",
    [REPO_TAG_DROP] = "DELETE FROM tag WHERE tag_type = ?1 AND tag_name = ?2 AND tag_scope = ?3",
    [REPO_TAG_DROP_SOME] =
        "DELETE FROM jobtag WHERE tag_id = (SELECT id FROM tag WHERE tag_type = ?1 AND tag_name = "
        "?2 AND tag_scope = ?3) AND job_id " SOME_LINKS,
    [REPO_TAG_MARK_SOME] = MARK(SOME_LINKS),
    [REPO_MARK] = MARK("= ?1"),
    [REPO_MANAGES] = "SELECT ?2 IN (" REPO_MANAGED "?1)",
    [REPO_USED_NODES] = HOSTS "job_state = 'running' UNION " HOSTS
                              "monitoring_status = 1 AND job_state != 'running' ORDER BY 1, 2",
    [REPO_NODE_MAKE] = "INSERT INTO node (hostname, cluster, subcluster) VALUES (?1, ?2, ?3) ON "
                       "CONFLICT (hostname, cluster) DO NOTHING",
    [REPO_NODE_REPORT] =
        "INSERT INTO node_state (time_stamp, jobs_running, cpus_allocated, memory_allocated, "
        "gpus_allocated, node_state, health_state, health_metrics, node_id) SELECT ?3, ?4, ?5, "
        "?6, ?7, ?8, ?9, ?10, id FROM node WHERE hostname = ?1 AND cluster = ?2",
};

/* ---- statements --------------------------------------------------------------------------------- */

int repo_statement(struct ta_repository *r, enum repo_statement which, sqlite3_stmt **out,
                   struct ta_err *err)
{
    if (!r->statements[which]) {
        int e = sqlite3_prepare_v3(r->sql.db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                   &r->statements[which], NULL);

        if (e != SQLITE_OK)
            return ta_sql_fail(&r->sql, e, "cannot prepare a statement", err);
    }
    *out = r->statements[which];
    return TA_OK;
}

int repo_step(struct ta_repository *r, sqlite3_stmt *s, struct ta_err *err)
{
    int e = sqlite3_step(s);

    if (e == SQLITE_ROW)
        return 1;
    return e == SQLITE_DONE ? 0 : ta_sql_fail(&r->sql, e, "a statement failed", err);
}

void repo_reset(sqlite3_stmt *s)
{
    (void)sqlite3_reset(s); /* repeats the last step's failure */
    (void)sqlite3_clear_bindings(s);
}

int repo_finish(struct ta_repository *r, sqlite3_stmt *s, struct ta_err *err)
{
    int e = repo_step(r, s, err);

    repo_reset(s);
    return e < 0 ? e : TA_OK;
}

void repo_bind(sqlite3_stmt *s, int at, struct ta_str text)
{
    (void)sqlite3_bind_text64(s, at, text.at ? text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

struct ta_str repo_text(sqlite3_stmt *s, int column)
{
    const void *at = sqlite3_column_blob(s, column);

    return (struct ta_str){at, at ? (size_t)sqlite3_column_bytes(s, column) : 0};
}

int repo_end(struct ta_repository *r, int result, struct ta_err *err)
{
    if (result >= 0)
        return ta_sql_commit(&r->sql, err);
    ta_sql_rollback(&r->sql);
    return result;
}

/* ---- life --------------------------------------------------------------------------------------- */

/* What violates a rule of the other table stays where it is. */
static int adopt_cache(struct ta_repository *r, struct ta_err *err)
{
    int64_t n = 0;
    int e = ta_sql_i64(&r->sql, "SELECT EXISTS (SELECT 1 FROM job_cache)", &n, err);

    if (e < 0 || n == 0)
        return e;
    e = ta_sql_begin(&r->sql, err);
    if (e < 0)
        return e;
    e = ta_sql_run(&r->sql,
                   "INSERT OR IGNORE INTO job (" JOB_VALUES ") SELECT " JOB_VALUES
                   " FROM job_cache; DELETE FROM job_cache WHERE EXISTS (SELECT 1 FROM job WHERE "
                   "job.job_id = job_cache.job_id AND job.cluster = job_cache.cluster AND "
                   "job.start_time = job_cache.start_time)",
                   err);
    return repo_end(r, e, err);
}

int ta_repository_open(struct ta_repository **out, const struct ta_sql_options *options,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_repository *r = ta_alloc_zero(alloc, 1, sizeof(*r));

    if (!r)
        return ta_fail(err, TA_ENOMEM, "no memory for the job database");
    r->alloc = alloc;
    ta_arena_init(&r->row, alloc, ROW_BYTES_MAX);

    int e = ta_sql_open(&r->sql, options, err);

    if (e >= 0)
        e = ta_archive_queue_tables(&r->sql, err);
    if (e >= 0)
        e = adopt_cache(r, err);
    if (e < 0) {
        ta_repository_close(r);
        return e;
    }
    *out = r;
    return TA_OK;
}

void ta_repository_close(struct ta_repository *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < REPO_STATEMENTS; i++)
        (void)sqlite3_finalize(r->statements[i]); /* repeats the last step's failure */
    ta_sql_done(&r->sql);
    ta_arena_done(&r->row);
    ta_release(r->alloc, r, sizeof(*r));
}
