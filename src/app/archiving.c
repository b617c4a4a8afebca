/* archiving.c - see archiving.h. */
#include "app/archiving.h"

#include <stdio.h>
#include <string.h>

#include "jobs/schema.h"

static const int64_t NS = 1000000000, MS_NS = 1000000;

/* The client of a bucket lives as long as the archiver; backends are closed by those who opened them. */
static int open_bucket(struct ta_archiving *a, struct ta_backend **out,
                       const struct ta_backend_options *options, struct ta_err *err)
{
    const struct ta_conf_archive *c = &a->config->archive;
    char spool[sizeof(a->directory) + 32];

    if (!a->buckets) {
        a->room = TA_ARCHIVE_WORKERS_MAX + 1;
        a->buckets = ta_alloc_zero(&ta_heap, a->room, sizeof(*a->buckets));
        if (!a->buckets)
            return ta_fail(err, TA_ENOMEM, "no memory for the archive's buckets");
    }
    if (a->n_buckets == a->room || (size_t)snprintf(a->address, sizeof(a->address), "s3://%s",
                                                    c->bucket) >= sizeof(a->address))
        return ta_fail(err, TA_ERANGE, "archive.bucket: the name is too long");
    snprintf(spool, sizeof(spool), "%s/.archive-upload-%zu", a->directory, a->n_buckets);
    struct ta_job_archive *bucket = &a->buckets[a->n_buckets++];
    const struct ta_bucket_conf conf = {.address = a->address,
                                        .endpoint = c->endpoint,
                                        .region = c->region,
                                        .access_key = c->access_key,
                                        .secret_key = c->secret_key,
                                        .ca_file = a->config->tarn.s3.ca_file,
                                        .checkpoints = "",
                                        .stop = &a->giving_up};
    int r = ta_job_archive_open_bucket(bucket, &conf, spool, options, err);
    if (r >= 0) {
        *out = bucket->backend;
        bucket->backend = NULL;
    }
    return r < 0 ? ta_fail_context(err, r, "archive: %s: ", a->address) : r;
}

static int open_backend(void *self, struct ta_backend **out, struct ta_alloc *alloc,
                        struct ta_err *err)
{
    struct ta_archiving *a = self;
    const struct ta_conf_archive *c = &a->config->archive;
    const struct ta_backend_options options = {.may_create = true};

    if (strcmp(c->kind, "s3") == 0)
        return open_bucket(a, out, &options, err);
    if (strcmp(c->kind, "sqlite") == 0) {
        const struct ta_sql_options sql = {.path = c->db_path};
        return ta_backend_open_sqlite(out, &sql, a->clock, &options, alloc, err);
    }
    return ta_backend_open_files(out, &ta_vfs_posix, c->path, &options, alloc, err);
}

static bool is_ready(void *self)
{
    const struct ta_archiving *a = self;

    return !a->safe || ta_safe_is_ready(a->safe);
}

/* The tables are made, or brought up to date by a command and not in passing. */
static int ready_database(const char *path, struct ta_err *err)
{
    const struct ta_sql_options options = {.path = path};
    const struct ta_job_schema_options schema = {0};
    struct ta_sql sql = {0};
    int r = ta_sql_open(&sql, &options, err);

    if (r >= 0)
        r = ta_job_schema_ready(&sql, &schema, err);
    ta_sql_done(&sql);
    return r < 0 ? ta_fail_context(err, r, "main.db: ") : TA_OK;
}

static int read_rules(struct ta_archiving *a, const char *path, struct ta_err *err)
{
    struct ta_file_source src;
    struct ta_file *file = NULL;

    if (!path[0])
        return TA_OK;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);
    if (r >= 0) {
        ta_file_source_init(&src, file);
        r = ta_tag_rules_new(&a->rules, &src.source, &ta_heap, err);
        (void)ta_close(&file, NULL); /* only read */
    }
    return r < 0 ? ta_fail_context(err, r, "tarn.archiver.tag-rules: %.200s: ", path) : TA_OK;
}

static int read_cluster(struct ta_archiving *a, struct ta_backend *backend, struct ta_str name,
                        struct ta_buf *text, struct ta_err *err)
{
    struct ta_cluster *cluster = NULL;
    struct ta_mem_source src;
    int r = ta_backend_read_cluster(backend, name, text, err);

    if (r >= 0) {
        ta_mem_source_init(&src, text->at, text->len, 0);
        r = ta_cluster_new(&cluster, &src.source, &ta_heap, err);
    }
    if (r < 0)
        return ta_fail_context(err, r, "archive: cluster %.*s: ", TA_STR_FMT(name));
    a->clusters.at[a->clusters.n++] = cluster;
    return TA_OK;
}

/* Without cluster files the archive's own say what a job's cluster is. */
static int read_clusters(struct ta_archiving *a, struct ta_err *err)
{
    struct ta_backend *backend = NULL;
    struct ta_str_list names = {0};
    struct ta_arena arena;
    struct ta_buf text;
    int r = open_backend(a, &backend, &ta_heap, err);

    ta_arena_init(&arena, &ta_heap, 1 << 20);
    ta_buf_init(&text, &ta_heap, TA_BACKEND_CLUSTER_MAX);
    if (r >= 0)
        r = ta_backend_clusters(backend, &arena, &names, err);
    if (r >= 0 && names.n > 0) {
        a->clusters.at = ta_alloc_zero(&ta_heap, names.n, sizeof(*a->clusters.at));
        a->clusters.alloc = &ta_heap;
        a->clusters.cap = a->clusters.at ? names.n : 0;
        if (!a->clusters.at)
            r = ta_fail(err, TA_ENOMEM, "no memory for the clusters of the archive");
    }
    for (size_t i = 0; r >= 0 && i < names.n; i++)
        r = read_cluster(a, backend, names.at[i], &text, err);
    ta_backend_close(backend);
    ta_buf_done(&text);
    ta_arena_done(&arena);
    return r;
}

static void find_directory(struct ta_archiving *a)
{
    const char *path = a->config->main.db, *slash = strrchr(path, '/');

    if (!slash)
        snprintf(a->directory, sizeof(a->directory), ".");
    else
        snprintf(a->directory, sizeof(a->directory), "%.*s", slash > path ? (int)(slash - path) : 1,
                 path);
}

static struct ta_archiver_conf make_conf(struct ta_archiving *a)
{
    const struct ta_conf_archiver *c = &a->config->tarn.archiver;
    int64_t workers = c->workers < TA_ARCHIVE_WORKERS_MAX ? c->workers : TA_ARCHIVE_WORKERS_MAX;

    return (struct ta_archiver_conf){
        .database = ta_conf_database(&a->config->main, TA_CONF_DB_PARTS * (workers + 1)),
        .open_backend = open_backend,
        .is_ready = is_ready,
        .self = a,
        .giving_up = &a->giving_up,
        .vfs = &ta_vfs_posix,
        .spool_dir = a->directory,
        .rules = {.load = {c->core_nodes, c->compat},
                  .resolution_s = c->resolution_ns / NS,
                  .timeout_ms = c->timeout_ns / MS_NS,
                  .tags = a->rules},
        .hook = {.command = c->hook_command,
                 .url = c->hook_url,
                 .timeout_ms = c->hook_timeout_ns / MS_NS},
        .workers = (unsigned)workers,
        .attempts = (unsigned)(c->attempts < 1000 ? c->attempts : 1000),
        .retry_s = c->retry_ns / NS,
        .retention_s = ta_archiving_retention_s(a),
        .duration_s = c->durations_ns / NS,
        .footprint_s = c->footprints_ns / NS,
        .walltime_grace_s = a->config->main.walltime_grace_s,
        .clock = a->clock,
        .alloc = &ta_heap};
}

int ta_archiving_start(struct ta_archiving *a, const struct ta_config *config,
                       struct ta_store *store, const struct ta_clusters *clusters,
                       struct ta_safe *safe, struct ta_clock *clock, struct ta_log *log,
                       struct ta_err *err)
{
    *a = (struct ta_archiving){.config = config, .safe = safe, .clock = clock};
    if (config->main.db[0])
        find_directory(a);
    if (!config->main.db[0] || !config->has_archive)
        return TA_OK;
    int r = ready_database(config->main.db, err);
    if (r >= 0)
        r = read_rules(a, config->tarn.archiver.tag_rules, err);
    if (r >= 0 && clusters->n == 0)
        r = read_clusters(a, err);
    if (r >= 0) {
        struct ta_archiver_conf conf = make_conf(a);

        conf.store = store;
        conf.clusters = clusters->n ? clusters->at : a->clusters.at;
        conf.n_clusters = clusters->n ? clusters->n : a->clusters.n;
        if (clusters->n)
            conf.cluster_files = (const char *const *)config->tarn.cluster_files.at;
        conf.log = log;
        r = ta_archiver_start(&a->archiver, &conf, err);
    }
    if (r < 0)
        ta_archiving_stop(a);
    return r;
}

void ta_archiving_wake(struct ta_archiving *a)
{
    if (a->archiver)
        ta_archiver_wake(a->archiver);
}

int ta_archiving_open_queue(struct ta_archiving *a, struct ta_archive_queue **out,
                            struct ta_err *err)
{
    const struct ta_sql_options options = {.path = a->config->main.db, .cache_bytes = 1 << 20};

    return ta_archive_queue_open(out, &options, &ta_heap, err);
}

int64_t ta_archiving_retention_s(const struct ta_archiving *a)
{
    return a->config->store.retention_ns > 0 ? a->config->store.retention_ns / NS : 0;
}

void ta_archiving_stop(struct ta_archiving *a)
{
    if (a->archiver)
        (void)ta_archiver_stop(a->archiver, a->config->tarn.archiver.stop_timeout_ns / MS_NS);
    for (size_t i = 0; i < a->n_buckets; i++)
        ta_job_archive_close(&a->buckets[i]);
    ta_release(&ta_heap, a->buckets, a->room * sizeof(*a->buckets));
    ta_tag_rules_free(a->rules);
    ta_clusters_done(&a->clusters);
    a->archiver = NULL;
    a->buckets = NULL;
    a->n_buckets = 0;
    a->rules = NULL;
}

void ta_archiving_put(struct ta_archiving *a, struct ta_exposition *e)
{
    struct ta_archiver_counts c = {0};

    if (a->archiver)
        ta_archiver_counts(a->archiver, &c);
    ta_expo_gauge(e, "tarn_jobs_waiting", "Ended jobs that wait to be archived.",
                  (double)c.waiting);
    ta_expo_gauge(e, "tarn_jobs_waiting_oldest_seconds",
                  "How long ago the one ended that waits longest.", (double)c.oldest_age_s);
    ta_expo_gauge(e, "tarn_jobs_archiving", "Jobs being archived.", (double)c.working);
    ta_expo_counter(e, "tarn_jobs_archived_total", "Jobs archived.", c.archived);
    ta_expo_counter(e, "tarn_jobs_failed_total", "Jobs given up.", c.failed);
    ta_expo_counter(e, "tarn_jobs_retried_total", "Failed tries that are repeated.", c.retried);
    ta_expo_counter(e, "tarn_jobs_hooks_failed_total", "Hooks of archived jobs that failed.",
                    c.hooks_failed);
    ta_expo_gauge(
        e, "tarn_jobs_edits_waiting",
        "Archived jobs whose tags or metadata have changed and are not in the archive yet.",
        (double)c.edits_waiting);
    ta_expo_counter(e, "tarn_jobs_edits_total",
                    "Changes of archived jobs written into the archive.", c.edits_written);
    ta_expo_counter(e, "tarn_jobs_edits_failed_total",
                    "Failed tries to write changes of archived jobs into the archive.",
                    c.edits_failed);
    ta_expo_counter(e, "tarn_jobs_archived_bytes_total",
                    "Bytes of data and metadata put into the archive.", c.bytes);
    ta_expo_family(e, "tarn_jobs_archive_seconds_total", "counter",
                   "Time that workers have spent on jobs.");
    ta_expo_f64(e, "", NULL, NULL, (double)c.work_ns / 1e9);
    ta_expo_gauge(e, "tarn_jobs_archive_peak_bytes", "The most memory that a worker has had.",
                  (double)c.peak_bytes);
}
