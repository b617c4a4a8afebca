#include "app/job_import.h"

#include "app/archive_place.h"
#include "app/clusters.h"
#include "app/job_desk.h"
#include "io/gzip.h"
#include "jobs/data_check.h"
#include "jobs/job_admit.h"
#include "jobs/job_figures.h"

#include <stdio.h>
#include <string.h>

enum { PATH = 4096 };

struct importing {
    struct ta_job_archive archive;
    struct ta_data_spool spool;
    struct ta_archive_work work;
    struct ta_clusters clusters; /* of the configuration */
    struct ta_cluster *cluster;  /* of the archive, for the job at hand */
    struct ta_repository *repository;
    struct ta_arena arena; /* the job's */
    struct ta_buf text;
    char meta[PATH], data[PATH];
};

/* ---- files -------------------------------------------------------------------------------------- */

/* A data document, unpacked when it is gzip. */
struct document {
    struct ta_file *file;
    struct ta_file_source raw;
    struct ta_gzip gzip;
    bool is_gzip;
    struct ta_source *source;
};

static int open_document(struct document *d, const char *path, struct ta_err *err)
{
    unsigned char magic[2] = {0};

    *d = (struct document){0};
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &d->file, err);
    int64_t n = r < 0 ? r : ta_pread_full(d->file, magic, sizeof(magic), 0, err);
    if (n < 0)
        return (int)n;
    ta_file_source_init(&d->raw, d->file);
    d->source = &d->raw.source;
    d->is_gzip = magic[0] == 0x1f && magic[1] == 0x8b;
    if (!d->is_gzip)
        return TA_OK;
    r = ta_gzip_unpack(&d->gzip, &d->raw.source, &ta_heap, err);
    d->source = &d->gzip.source;
    return r;
}

static void close_document(struct document *d)
{
    if (d->is_gzip)
        ta_gzip_done(&d->gzip);
    (void)ta_close(&d->file, NULL); /* it was only read */
}

static int read_meta(struct importing *m, struct ta_job *job, struct ta_err *err)
{
    struct document d;
    int64_t n = 0;
    int r = open_document(&d, m->meta, err);

    ta_buf_reset(&m->text);
    while (r >= 0) {
        r = ta_buf_reserve(&m->text, 64 * KiB);
        if (r < 0)
            (void)ta_fail(err, r, "more than %d bytes", TA_BACKEND_META_MAX);
        n = r < 0 ? r : d.source->read(d.source, m->text.at + m->text.len, 64 * KiB, err);
        r = n < 0 ? (int)n : r;
        if (n <= 0)
            break;
        m->text.len += (size_t)n;
    }
    close_document(&d);
    ta_arena_reset(&m->arena);
    return r < 0 ? r : ta_job_read_text(job, ta_buf_view(&m->text), true, &m->arena, &ta_heap, err);
}

static int check_data(struct importing *m, struct ta_err *err)
{
    struct ta_data_counts counts;
    struct document d;
    int r = open_document(&d, m->data, err);

    if (r >= 0)
        r = ta_data_check(d.source, &counts, &ta_heap, err);
    close_document(&d);
    return r < 0 ? ta_fail_context(err, r, "%.200s: ", m->data) : TA_OK;
}

/* ---- a job -------------------------------------------------------------------------------------- */

/* The configuration's, or else the archive's. NULL: nobody knows it. */
static const struct ta_cluster *find_cluster(struct importing *m, struct ta_str name)
{
    struct ta_mem_source src;

    for (size_t i = 0; i < m->clusters.n; i++)
        if (ta_str_eq(m->clusters.at[i]->name, name))
            return m->clusters.at[i];
    ta_cluster_free(m->cluster);
    m->cluster = NULL;
    if (ta_backend_read_cluster(m->archive.backend, name, &m->work.other, NULL) >= 0) {
        ta_mem_source_init(&src, m->work.other.at, m->work.other.len, 0);
        (void)ta_cluster_new(&m->cluster, &src.source, &ta_heap, NULL);
    }
    return m->cluster;
}

static int complete(struct importing *m, struct ta_job *job, struct ta_err *err)
{
    const struct ta_cluster *cluster = find_cluster(m, job->cluster);
    enum ta_job_state state;

    if (!job->shared.len)
        job->shared = TA_STR("none");
    if (!ta_job_has(job, TA_JOB_SMT))
        job->smt = 1;
    int r = ta_job_admit(job, cluster, err);
    if (r >= 0 && (ta_job_state_of(job->state, &state) < 0 || !ta_job_state_is_final(state)))
        r = ta_fail(err, TA_EINVAL, "'jobState' is no state in which a job can have ended");
    if (r >= 0 && (job->job_id < 0 || job->start_time < 0 || job->duration < 0))
        r = ta_fail(err, TA_EINVAL, "'jobId', 'startTime' or 'duration' is negative");
    if (r < 0)
        return r;
    job->id = 0;
    job->monitoring_status = TA_JOB_ARCHIVED;
    for (size_t i = 0; i < job->tags.n; i++)
        if (!job->tags.at[i].scope.len)
            job->tags.at[i].scope = TA_STR("global");
    return ta_job_set_footprint(job, cluster, &m->arena) < 0
               ? ta_fail(err, TA_ENOMEM, "no memory for a job's footprint")
               : TA_OK;
}

/* Before the archive is touched; the table itself refuses what slips through. */
static int must_be_new(struct importing *m, const struct ta_job *job, struct ta_err *err)
{
    const struct ta_job_match match = {.job_id = job->job_id, .cluster = job->cluster};
    const struct ta_job_wish wish = {0};
    struct ta_err why = {0};
    struct ta_job found;
    int r = ta_repository_find(m->repository, &match, &wish, &m->arena, &found, &why);

    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    int64_t apart = found.start_time - job->start_time;
    return apart > -TA_JOB_SAME_S && apart < TA_JOB_SAME_S
               ? ta_fail(err, TA_EEXIST, "the job is in the database already, dbid: %lld",
                         (long long)found.id)
               : TA_OK;
}

/* 1 = stored now, 0 = the archive has this very job, as a run that died may have left it. */
static int store(struct importing *m, const struct ta_job *job, struct ta_err *err)
{
    const struct ta_job_address address = {job->cluster, job->job_id, job->start_time};
    struct document d;
    int there = ta_backend_exists(m->archive.backend, &address, err);

    if (there < 0)
        return there;
    if (there) {
        int r = ta_archive_write_meta(&m->work, job, err);
        if (r >= 0)
            r = ta_backend_read_meta(m->archive.backend, &address, &m->work.other, err);
        if (r < 0)
            return r;
        return ta_str_eq(ta_buf_view(&m->work.meta), ta_buf_view(&m->work.other))
                   ? 0
                   : ta_fail(err, TA_EEXIST, "the archive has another job of this id and start");
    }
    int r = open_document(&d, m->data, err);
    if (r >= 0)
        r = ta_archive_put(&m->work, m->archive.backend, job, d.source, false, err);
    close_document(&d);
    return r < 0 ? r : 1;
}

static int import_one(struct importing *m, struct ta_err *err)
{
    struct ta_job job;
    int64_t row = 0;
    int r = read_meta(m, &job, err);

    if (r >= 0)
        r = complete(m, &job, err);
    if (r >= 0)
        r = check_data(m, err);
    if (r >= 0)
        r = must_be_new(m, &job, err);
    int stored = r < 0 ? r : store(m, &job, err);
    if (stored < 0)
        return stored;
    r = ta_repository_start(m->repository, &job, &row, err);
    if (r < 0 && stored) {
        const struct ta_job_address address = {job.cluster, job.job_id, job.start_time};
        (void)ta_backend_remove(m->archive.backend, &address, NULL); /* the first error counts */
    }
    return r < 0 ? r : TA_OK;
}

/* ---- all ---------------------------------------------------------------------------------------- */

/* "META:DATA" up to a comma. */
static int take_pair(struct importing *m, const char **list, struct ta_err *err)
{
    size_t n = strcspn(*list, ",");
    size_t colon = strcspn(*list, ":,");

    if (colon >= n || colon == 0 || colon + 1 == n || n >= PATH)
        return ta_fail(err, TA_EINVAL, "\"%.*s\" is no META:DATA", (int)(n < 200 ? n : 200), *list);
    snprintf(m->meta, PATH, "%.*s", (int)colon, *list);
    snprintf(m->data, PATH, "%.*s", (int)(n - colon - 1), *list + colon + 1);
    *list += n + ((*list)[n] == ',');
    return TA_OK;
}

static int open_all(struct importing *m, const struct ta_config *config,
                    struct ta_archive_place *place, struct ta_err *err)
{
    const struct ta_sql_options sql = {.path = config->main.db};
    const struct ta_job_schema_options schema = {.has_all_indexes = config->tarn.all_job_indexes};
    int r = ta_archive_place_init(place, config, err);

    if (r >= 0)
        r = ta_archive_place_open(&place->conf, 0, true, NULL, &m->archive, err);
    if (r >= 0)
        r = ta_job_archive_spool(&m->spool, err);
    if (r >= 0)
        r = ta_clusters_load(&m->clusters, config, &ta_vfs_posix, &ta_heap, err);
    if (r >= 0)
        r = ta_job_desk_prepare(config->main.db, &schema, err);
    return r < 0 ? r : ta_repository_open(&m->repository, &sql, &ta_heap, err);
}

int ta_job_import(const struct ta_config *config, const char *list, unsigned *out_n,
                  struct ta_err *err)
{
    struct importing *m = ta_alloc_zero(&ta_heap, 1, sizeof(*m));
    struct ta_archive_place place;
    int r = TA_OK;

    *out_n = 0;
    if (!m)
        return ta_fail(err, TA_ENOMEM, "-import-job: no memory");
    ta_arena_init(&m->arena, &ta_heap, TA_BACKEND_META_MAX);
    ta_buf_init(&m->text, &ta_heap, TA_BACKEND_META_MAX);
    ta_archive_work_init(&m->work, &m->spool, &ta_heap);
    if (!config->main.db[0] || !config->has_archive)
        r = ta_fail(err, TA_EINVAL, "main.db and the section archive must be set");
    if (r >= 0)
        r = open_all(m, config, &place, err);
    while (r >= 0 && *list) {
        r = take_pair(m, &list, err);
        if (r < 0)
            break;
        r = import_one(m, err);
        if (r < 0)
            (void)ta_fail_context(err, r, "%.200s: ", m->meta);
        *out_n += r >= 0;
    }
    ta_repository_close(m->repository);
    ta_cluster_free(m->cluster);
    ta_clusters_done(&m->clusters);
    ta_archive_work_done(&m->work);
    ta_data_spool_done(&m->spool);
    ta_job_archive_close(&m->archive);
    ta_buf_done(&m->text);
    ta_arena_done(&m->arena);
    ta_release(&ta_heap, m, sizeof(*m));
    return r < 0 ? ta_fail_context(err, r, "-import-job: ") : TA_OK;
}
