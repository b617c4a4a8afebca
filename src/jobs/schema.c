/* schema.c - the statements that make the job database, and the way from version 10 to 11. */
#include "jobs/schema.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

/* The two job tables differ in the declared type of texts and in what SMT may be. */
#define JOB_TABLE(name, text, smt)                                                                 \
    "CREATE TABLE " name " (id INTEGER PRIMARY KEY, job_id BIGINT NOT NULL, cluster " text         \
    " NOT NULL, subcluster " text " NOT NULL, submit_time BIGINT NOT NULL DEFAULT 0, "             \
    "start_time BIGINT NOT NULL DEFAULT 0, hpc_user " text " NOT NULL, project " text              \
    " NOT NULL, cluster_partition " text ", array_job_id BIGINT, duration INT NOT NULL, "          \
    "walltime INT NOT NULL, job_state " text " NOT NULL CHECK (job_state IN ('boot_fail', "        \
    "'cancelled', 'completed', 'deadline', 'failed', 'node_fail', 'out_of_memory', 'pending', "    \
    "'preempted', 'running', 'suspended', 'timeout')), meta_data TEXT, resources TEXT NOT NULL, "  \
    "num_nodes INT NOT NULL, num_hwthreads INT, num_acc INT, smt " smt ", shared TEXT NOT NULL "   \
    "CHECK (shared IN ('none', 'single_user', 'multi_user')), monitoring_status TINYINT NOT NULL " \
    "DEFAULT 1 CHECK (monitoring_status IN (0, 1, 2, 3)), energy REAL NOT NULL DEFAULT 0.0, "      \
    "energy_footprint TEXT DEFAULT NULL, footprint TEXT DEFAULT NULL, "                            \
    "UNIQUE (job_id, cluster, start_time));"

#define JOB_CACHE_TABLE(name)                                                                      \
    JOB_TABLE(name, "VARCHAR(255)", "TINYINT NOT NULL DEFAULT 1 CHECK (smt IN (0, 1))")
#define JOB_MAIN_TABLE(name) JOB_TABLE(name, "TEXT", "INT NOT NULL DEFAULT 1")

static const char *const tables[] = {
    "CREATE TABLE schema_migrations (version uint64, dirty bool);"
    "CREATE UNIQUE INDEX version_unique ON schema_migrations (version);",
    JOB_MAIN_TABLE("job") JOB_CACHE_TABLE("job_cache"),
    "CREATE TABLE tag (id INTEGER PRIMARY KEY, tag_type VARCHAR(255) NOT NULL, tag_name "
    "VARCHAR(255) "
    "NOT NULL, insert_ts TEXT DEFAULT CURRENT_TIMESTAMP, tag_scope TEXT NOT NULL DEFAULT 'global', "
    "UNIQUE (tag_type, tag_name));",
    "CREATE TABLE jobtag (job_id INTEGER, tag_id INTEGER, insert_ts TEXT DEFAULT "
    "CURRENT_TIMESTAMP, "
    "PRIMARY KEY (job_id, tag_id), FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE, "
    "FOREIGN KEY (tag_id) REFERENCES tag (id) ON DELETE CASCADE);",
    "CREATE TABLE hpc_user (username varchar(255) PRIMARY KEY NOT NULL, password varchar(255) "
    "DEFAULT "
    "NULL, ldap tinyint NOT NULL DEFAULT 0, name varchar(255) DEFAULT NULL, roles varchar(255) NOT "
    "NULL DEFAULT '[]', email varchar(255) DEFAULT NULL, projects varchar(255) NOT NULL DEFAULT "
    "'[]');",
    "CREATE TABLE configuration (username varchar(255), confkey varchar(255), value text, PRIMARY "
    "KEY "
    "(username, confkey), FOREIGN KEY (username) REFERENCES hpc_user (username) ON DELETE CASCADE "
    "ON "
    "UPDATE NO ACTION);",
    "CREATE TABLE node (id INTEGER PRIMARY KEY, hostname VARCHAR(255) NOT NULL, cluster "
    "VARCHAR(255) "
    "NOT NULL, subcluster VARCHAR(255) NOT NULL, meta_data TEXT, UNIQUE (hostname, cluster));",
    "CREATE TABLE node_state (id INTEGER PRIMARY KEY, time_stamp INTEGER NOT NULL, jobs_running "
    "INTEGER DEFAULT 0 NOT NULL, cpus_allocated INTEGER DEFAULT 0 NOT NULL, memory_allocated "
    "INTEGER "
    "DEFAULT 0 NOT NULL, gpus_allocated INTEGER DEFAULT 0 NOT NULL, node_state VARCHAR(255) NOT "
    "NULL "
    "CHECK (node_state IN ('allocated', 'reserved', 'idle', 'mixed', 'down', 'unknown')), "
    "health_state VARCHAR(255) NOT NULL CHECK (health_state IN ('full', 'partial', 'failed')), "
    "health_metrics TEXT, node_id INTEGER, FOREIGN KEY (node_id) REFERENCES node (id));",
};

struct index {
    const char *name, *table, *columns;
    const char *where; /* NULL: every row */
    bool is_needed;    /* by our own statements; the others by the reference's views only */
};

static const struct index indexes[] = {
    {"tarn_jobs_unarchived", "job", "id", "WHERE monitoring_status = 1 AND job_state != 'running'",
     true},
    {"tarn_jobs_running", "job", "id", "WHERE job_state = 'running'", true},
    {"jobs_cluster_user", "job", "cluster, hpc_user", NULL, false},
    {"jobs_cluster_project", "job", "cluster, project", NULL, false},
    {"jobs_cluster_subcluster", "job", "cluster, subcluster", NULL, false},
    {"jobs_cluster_numnodes", "job", "cluster, num_nodes", NULL, false},
    {"jobs_cluster_numhwthreads", "job", "cluster, num_hwthreads", NULL, false},
    {"jobs_cluster_numacc", "job", "cluster, num_acc", NULL, false},
    {"jobs_cluster_energy", "job", "cluster, energy", NULL, false},
    {"jobs_cluster_duration_starttime", "job", "cluster, duration, start_time", NULL, false},
    {"jobs_cluster_starttime_duration", "job", "cluster, start_time, duration", NULL, false},
    {"jobs_cluster_partition_user", "job", "cluster, cluster_partition, hpc_user", NULL, false},
    {"jobs_cluster_partition_project", "job", "cluster, cluster_partition, project", NULL, false},
    {"jobs_cluster_partition_jobstate", "job", "cluster, cluster_partition, job_state", NULL,
     false},
    {"jobs_cluster_partition_shared", "job", "cluster, cluster_partition, shared", NULL, false},
    {"jobs_cluster_partition_duration_starttime", "job",
     "cluster, cluster_partition, duration, start_time", NULL, false},
    {"jobs_cluster_partition_starttime_duration", "job",
     "cluster, cluster_partition, start_time, duration", NULL, false},
    {"jobs_cluster_jobstate_starttime_duration", "job", "cluster, job_state, start_time, duration",
     NULL, false},
    {"jobs_cluster_jobstate_duration_starttime", "job", "cluster, job_state, duration, start_time",
     NULL, false},
    {"jobs_cluster_shared_user", "job", "cluster, shared, hpc_user", NULL, false},
    {"jobs_cluster_shared_project", "job", "cluster, shared, project", NULL, false},
    {"jobs_cluster_shared_starttime_duration", "job", "cluster, shared, start_time, duration", NULL,
     false},
    {"jobs_cluster_shared_duration_starttime", "job", "cluster, shared, duration, start_time", NULL,
     false},
    {"jobs_user_starttime_duration", "job", "hpc_user, start_time, duration", NULL, false},
    {"jobs_user_duration_starttime", "job", "hpc_user, duration, start_time", NULL, false},
    {"jobs_project_user", "job", "project, hpc_user", NULL, false},
    {"jobs_project_starttime_duration", "job", "project, start_time, duration", NULL, false},
    {"jobs_project_duration_starttime", "job", "project, duration, start_time", NULL, false},
    {"jobs_jobstate_user", "job", "job_state, hpc_user", NULL, false},
    {"jobs_jobstate_project", "job", "job_state, project", NULL, false},
    {"jobs_jobstate_starttime_duration", "job", "job_state, start_time, duration", NULL, true},
    {"jobs_jobstate_duration_starttime", "job", "job_state, duration, start_time", NULL, false},
    {"jobs_shared_user", "job", "shared, hpc_user", NULL, false},
    {"jobs_shared_project", "job", "shared, project", NULL, false},
    {"jobs_shared_starttime_duration", "job", "shared, start_time, duration", NULL, false},
    {"jobs_shared_duration_starttime", "job", "shared, duration, start_time", NULL, false},
    {"jobs_arrayjobid_starttime", "job", "array_job_id, start_time", NULL, false},
    {"jobs_duration_starttime", "job", "duration, start_time", NULL, false},
    {"jobs_numnodes_starttime", "job", "num_nodes, start_time", NULL, false},
    {"jobs_numhwthreads_starttime", "job", "num_hwthreads, start_time", NULL, false},
    {"jobs_numacc_starttime", "job", "num_acc, start_time", NULL, false},
    {"jobs_energy_starttime", "job", "energy, start_time", NULL, false},
    {"jobs_starttime_duration", "job", "start_time, duration", NULL, false},
    {"jobs_numnodes_duration", "job", "num_nodes, duration", NULL, false},
    {"jobs_numhwthreads_duration", "job", "num_hwthreads, duration", NULL, false},
    {"jobs_numacc_duration", "job", "num_acc, duration", NULL, false},
    {"jobs_energy_duration", "job", "energy, duration", NULL, false},
    {"jobs_starttime", "job", "start_time", NULL, true},
    {"nodes_cluster", "node", "cluster", NULL, true},
    {"nodes_cluster_subcluster", "node", "cluster, subcluster", NULL, true},
    {"nodestates_timestamp", "node_state", "time_stamp", NULL, true},
    {"nodestates_state_timestamp", "node_state", "node_state, time_stamp", NULL, true},
    {"nodestates_health_timestamp", "node_state", "health_state, time_stamp", NULL, true},
    {"nodestates_nodeid_state", "node_state", "node_id, node_state", NULL, true},
    {"nodestates_nodeid_health", "node_state", "node_id, health_state", NULL, true},
    {"nodestates_nodeid_timestamp", "node_state", "node_id, time_stamp DESC", NULL, true},
    {"tags_jobid", "jobtag", "job_id", NULL, true},
    {"tags_tagid", "jobtag", "tag_id", NULL, true},
    {"jobs_cluster_user_starttime_stats", "job",
     "cluster, hpc_user, start_time, duration, job_state, num_nodes, num_hwthreads, num_acc", NULL,
     false},
    {"jobs_cluster_project_starttime_stats", "job",
     "cluster, project, start_time, duration, job_state, num_nodes, num_hwthreads, num_acc", NULL,
     false},
    {"jobs_cluster_jobstate_user_stats", "job",
     "cluster, job_state, hpc_user, duration, start_time, num_nodes, num_hwthreads, num_acc", NULL,
     false},
    {"jobs_cluster_jobstate_project_stats", "job",
     "cluster, job_state, project, duration, start_time, num_nodes, num_hwthreads, num_acc", NULL,
     false},
    {"jobs_cluster_jobstate_subcluster_stats", "job",
     "cluster, job_state, subcluster, duration, start_time, num_nodes, num_hwthreads, num_acc",
     NULL, false},
    {"jobs_running_user_stats", "job",
     "cluster, hpc_user, num_nodes, num_hwthreads, num_acc, duration, start_time",
     "WHERE job_state = 'running'", false},
    {"jobs_running_project_stats", "job",
     "cluster, project, num_nodes, num_hwthreads, num_acc, duration, start_time",
     "WHERE job_state = 'running'", false},
    {"jobs_running_subcluster_stats", "job",
     "cluster, subcluster, num_nodes, num_hwthreads, num_acc, duration, start_time",
     "WHERE job_state = 'running'", false},
};

static int make_indexes(struct ta_sql *sql, bool all, struct ta_err *err)
{
    char text[512];
    int e = TA_OK;

    for (size_t i = 0; i < TA_COUNT(indexes) && e == TA_OK; i++) {
        const struct index *index = &indexes[i];

        if (!all && !index->is_needed)
            continue;
        snprintf(text, sizeof text, "CREATE INDEX IF NOT EXISTS %s ON %s (%s) %s", index->name,
                 index->table, index->columns, index->where ? index->where : "");
        e = ta_sql_run(sql, text, err);
    }
    return e;
}

static int make_all(struct ta_sql *sql, bool all_indexes, struct ta_err *err)
{
    int e = TA_OK;

    for (size_t i = 0; i < TA_COUNT(tables) && e == TA_OK; i++)
        e = ta_sql_run(sql, tables[i], err);
    if (e == TA_OK)
        e = make_indexes(sql, all_indexes, err);
    if (e == TA_OK)
        e = ta_sql_run(sql, "INSERT INTO schema_migrations VALUES (11, 0)", err);
    return e;
}

#define JOB_COLUMNS                                                                                \
    "id, job_id, cluster, subcluster, submit_time, start_time, hpc_user, project, "                \
    "cluster_partition, array_job_id, duration, walltime, "
#define JOB_COLUMNS_AFTER_STATE                                                                    \
    "meta_data, resources, num_nodes, num_hwthreads, num_acc, smt, shared, monitoring_status, "    \
    "energy, energy_footprint, footprint"

/* Some databases of version 10 spell one state with dashes. A CHECK cannot be altered: the table is
 * copied. Tags refer to it by name and id, which both stay. */
#define RESPELL(table, make)                                                                       \
    make("job_respelled") "INSERT INTO job_respelled (" JOB_COLUMNS                                \
                          "job_state, " JOB_COLUMNS_AFTER_STATE ") SELECT " JOB_COLUMNS            \
                          "CASE job_state WHEN 'out-of-memory' THEN 'out_of_memory' ELSE "         \
                          "job_state END, " JOB_COLUMNS_AFTER_STATE " FROM " table                 \
                          ";DROP TABLE " table ";ALTER TABLE job_respelled RENAME TO " table ";"

/* A step of the upgrade, taken when its question counts something. */
struct step {
    const char *question, *text;
};

static const struct step steps[] = {
    {"SELECT count(*) FROM sqlite_master WHERE name = 'job' AND sql LIKE '%out-of-memory%'",
     RESPELL("job", JOB_MAIN_TABLE)},
    {"SELECT count(*) FROM sqlite_master WHERE name = 'job_cache' AND sql LIKE '%out-of-memory%'",
     RESPELL("job_cache", JOB_CACHE_TABLE)},
    {"SELECT count(*) = 0 FROM pragma_table_info('node_state') WHERE name = 'health_metrics'",
     "ALTER TABLE node_state ADD COLUMN health_metrics TEXT;"},
    /* What version 11 has no more. */
    {"SELECT 1", "DROP INDEX IF EXISTS jobs_cluster_submittime;"
                 "DROP INDEX IF EXISTS jobs_cluster_partition_submittime;"
                 "DROP INDEX IF EXISTS jobs_cluster_partition_jobstate_submittime;"
                 "DROP INDEX IF EXISTS jobs_cluster_jobstate_submittime;"
                 "DROP INDEX IF EXISTS nodestates_state;"
                 "DROP INDEX IF EXISTS nodestates_health;"
                 "UPDATE schema_migrations SET version = 11;"},
};

static int upgrade(struct ta_sql *sql, bool all_indexes, struct ta_err *err)
{
    int e = TA_OK;

    for (size_t i = 0; i < TA_COUNT(steps) && e == TA_OK; i++) {
        int64_t is_needed = 0;

        e = ta_sql_i64(sql, steps[i].question, &is_needed, err);
        if (e == TA_OK && is_needed)
            e = ta_sql_run(sql, steps[i].text, err);
    }
    return e == TA_OK ? make_indexes(sql, all_indexes, err) : e;
}

/* 0 = the database is empty, else its version. */
static int find_version(struct ta_sql *sql, int64_t *out, struct ta_err *err)
{
    int64_t n_tables = 0, n_versions = 0, n_dirty = 0;
    int e = ta_sql_i64(sql, "SELECT count(*) FROM sqlite_master", &n_tables, err);

    *out = 0;
    if (e < 0 || n_tables == 0)
        return e;
    e = ta_sql_i64(sql, "SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'",
                   &n_versions, err);
    if (e == TA_OK && n_versions)
        e = ta_sql_i64(sql, "SELECT count(*) FROM schema_migrations", &n_versions, err);
    if (e == TA_OK && n_versions != 1)
        return ta_fail(err, TA_EFORMAT, "job database: the file is another program's: no version");
    if (e == TA_OK)
        e = ta_sql_i64(sql, "SELECT dirty != 0 FROM schema_migrations", &n_dirty, err);
    if (e == TA_OK && n_dirty)
        return ta_fail(err, TA_ESTATE,
                       "job database: a migration was left half done: restore it from a copy");
    if (e == TA_OK)
        e = ta_sql_i64(sql, "SELECT version FROM schema_migrations", out, err);
    if (e == TA_OK && *out < 1)
        return ta_fail(err, TA_EFORMAT, "job database: version %" PRId64 " is none", *out);
    return e;
}

static int make_ready(struct ta_sql *sql, const struct ta_job_schema_options *options,
                      struct ta_err *err)
{
    int64_t version;
    int e = find_version(sql, &version, err);

    if (e < 0)
        return e;
    if (version == 0)
        return make_all(sql, options->has_all_indexes, err);
    if (version > TA_JOB_SCHEMA_VERSION)
        return ta_fail(err, TA_ESTATE,
                       "job database: version %" PRId64 " is newer than this tarn knows (%d)",
                       version, TA_JOB_SCHEMA_VERSION);
    if (version < TA_JOB_SCHEMA_OLDEST)
        return ta_fail(err, TA_ESTATE,
                       "job database: version %" PRId64
                       " is too old: bring it to %d with the program "
                       "that made it",
                       version, TA_JOB_SCHEMA_OLDEST);
    if (version == TA_JOB_SCHEMA_VERSION)
        return make_indexes(sql, options->has_all_indexes, err);
    if (!options->may_upgrade)
        return ta_fail(err, TA_ESTATE,
                       "job database: version %" PRId64 " must be brought to %d first: -migrate-db",
                       version, TA_JOB_SCHEMA_VERSION);
    return upgrade(sql, options->has_all_indexes, err);
}

int ta_job_schema_ready(struct ta_sql *sql, const struct ta_job_schema_options *options,
                        struct ta_err *err)
{
    /* Dropping a table that others refer to would else delete their rows; SQLite takes this switch
     * outside of transactions only. */
    int e = ta_sql_run(sql, "PRAGMA foreign_keys = OFF", err);

    if (e == TA_OK)
        e = ta_sql_begin(sql, err);
    if (e == TA_OK) {
        e = make_ready(sql, options, err);
        if (e == TA_OK)
            e = ta_sql_commit(sql, err);
        else
            ta_sql_rollback(sql);
    }

    int on = ta_sql_run(sql, "PRAGMA foreign_keys = ON", e < 0 ? NULL : err);

    return e < 0 ? e : on;
}
