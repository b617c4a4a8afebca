#include "app/job_rebuild.h"

#include "app/archive_place.h"
#include "app/job_desk.h"
#include "jobs/job_figures.h"
#include "jobs/repository_rebuild.h"

#include <inttypes.h>

struct rebuilding {
    struct ta_job_rebuilt *out;
    struct ta_log *log;
    const _Atomic bool *stop;
    struct ta_job_archive archive;
    struct ta_archive_work work;
    struct ta_cluster
        *cluster; /* of the jobs at hand; NULL: the archive has none that can be read */
    struct ta_repository *repository;
    struct ta_rebuild rebuild;
};

/* Only for jobs without a footprint: whatever is wrong with it, jobs do without. */
static void read_cluster(struct rebuilding *b, struct ta_str name)
{
    struct ta_mem_source src;

    ta_cluster_free(b->cluster);
    b->cluster = NULL;
    if (ta_backend_read_cluster(b->archive.backend, name, &b->work.other, NULL) < 0)
        return;
    ta_mem_source_init(&src, b->work.other.at, b->work.other.len, 0);
    (void)ta_cluster_new(&b->cluster, &src.source, &ta_heap, NULL);
}

static int judge(const struct ta_job *job, const struct ta_job_address *address, struct ta_err *err)
{
    enum ta_job_state state;
    enum ta_job_shared shared;

    if (job->job_id != address->job_id || job->start_time != address->start_time ||
        !ta_str_eq(job->cluster, address->cluster))
        return ta_fail(err, TA_EFORMAT, "metadata: they are another job's");
    if (ta_job_state_of(job->state, &state) < 0 || !ta_job_state_is_final(state))
        return ta_fail(err, TA_EFORMAT, "metadata: \"%.*s\" is no state of an archived job",
                       (int)(job->state.len < 40 ? job->state.len : 40), job->state.at);
    if (ta_job_shared_of(job->shared, &shared) < 0)
        return ta_fail(err, TA_EFORMAT, "metadata: 'shared' is none of its words");
    return TA_OK;
}

/* 1 = put, 0 = the row is newer. */
static int put_job(struct rebuilding *b, const struct ta_job_address *address, struct ta_err *err)
{
    struct ta_job job;
    int r = ta_archive_read(&b->work, b->archive.backend, address, &job, err);

    if (r >= 0)
        r = judge(&job, address, err);
    if (r < 0)
        return r;
    job.monitoring_status = TA_JOB_ARCHIVED;
    if (!ta_job_has(&job, TA_JOB_SMT))
        job.smt = 1;
    if (!job.footprint.at && b->cluster &&
        ta_job_set_footprint(&job, b->cluster, &b->work.arena) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's footprint");
    return ta_rebuild_put(&b->rebuild, &job, err);
}

static int visit(void *data, const struct ta_job_address *address, struct ta_err *err)
{
    struct rebuilding *b = data;
    struct ta_err why = {0};

    if (!b->cluster || !ta_str_eq(b->cluster->name, address->cluster))
        read_cluster(b, address->cluster);
    int r = put_job(b, address, &why);
    b->out->put += r > 0;
    b->out->newer += r == 0;
    if (r >= 0)
        return TA_OK;
    if (r != TA_EFORMAT && r != TA_EINVAL && r != TA_ERANGE && r != TA_ENOTFOUND)
        return ta_fail(err, r, "%s", why.text); /* of the disk, or of memory */
    b->out->failed++;
    ta_logf(b->log, TA_LOG_ERROR, "-init-db: job %" PRId64 " of %.*s that began at %" PRId64 ": %s",
            address->job_id, TA_STR_FMT(address->cluster), address->start_time, why.text);
    return TA_OK;
}

static int rebuild(struct rebuilding *b, struct ta_err *err)
{
    const struct ta_job_walk all = {.stop = b->stop, .visit = visit, .data = b};
    int r = ta_rebuild_begin(&b->rebuild, b->repository, err);

    if (r >= 0)
        r = ta_job_archive_walk(b->archive.backend, &all, err);
    if (r < 0 || b->out->failed) {
        int kept = ta_rebuild_abort(&b->rebuild, r < 0 ? NULL : err);
        return r < 0 ? r : kept;
    }
    int64_t gone = ta_rebuild_finish(&b->rebuild, err);
    b->out->gone = gone < 0 ? 0 : (uint64_t)gone;
    return gone < 0 ? (int)gone : TA_OK;
}

int ta_job_rebuild(const struct ta_config *config, const _Atomic bool *stop, struct ta_log *log,
                   struct ta_job_rebuilt *out, struct ta_err *err)
{
    const struct ta_sql_options sql = {.path = config->main.db};
    const struct ta_job_schema_options schema = {.has_all_indexes = config->tarn.all_job_indexes};
    struct rebuilding b = {.out = out, .log = log, .stop = stop};
    struct ta_archive_place place;

    *out = (struct ta_job_rebuilt){0};
    if (!config->main.db[0] || !config->has_archive)
        return ta_fail(err, TA_EINVAL, "-init-db: main.db and the section archive must be set");
    int r = ta_archive_place_init(&place, config, err);
    if (r >= 0)
        r = ta_archive_place_open(&place.conf, 0, false, stop, &b.archive, err);
    if (r >= 0)
        r = ta_job_desk_prepare(config->main.db, &schema, err);
    if (r >= 0)
        r = ta_repository_open(&b.repository, &sql, &ta_heap, err);
    ta_archive_work_init(&b.work, NULL, &ta_heap);
    if (r >= 0)
        r = rebuild(&b, err);
    ta_cluster_free(b.cluster);
    ta_repository_close(b.repository);
    ta_archive_work_done(&b.work);
    ta_job_archive_close(&b.archive);
    return r;
}
