/* job_call_data.c - one job together with its archived data (spec: archiver 2.10, 3.1).
 *
 * A document may be larger than memory: it is unpacked, checked and laid down in a file without a name, from
 * which the answer is sent. Samples are those of the archive, at every scope it has, not thinned out.
 */
#include "app/archive_reader.h"
#include "app/job_call_int.h"

#include "io/gzip.h"
#include "io/json_write.h"
#include "jobs/data_check.h"

#include <inttypes.h>
#include <stdio.h>

enum { ANSWERS_MAX = 16 }; /* files at once: clients that are slow to take them hold up no more */

static const uint64_t BYTES_MAX = 1ULL << 30; /* of one answer: all threads of 64 nodes for a day */

/* A source that keeps what passes through it. */
struct copy {
    struct ta_source source;
    struct ta_source *from;
    struct ta_file *to;
    uint64_t at;
};

static int64_t read_copy(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct copy *c = TA_CONTAINER(self, struct copy, source);
    int64_t got = c->from->read(c->from, buf, n, err);

    if (got <= 0)
        return got;
    if (c->at + (uint64_t)got > BYTES_MAX)
        return ta_fail(err, TA_ERANGE, "the data are more than %" PRIu64 " bytes", BYTES_MAX);
    int r = ta_pwrite_full(c->to, buf, (size_t)got, c->at, err);
    c->at += (uint64_t)got;
    return r < 0 ? r : got;
}

static int add_text(struct copy *c, struct ta_str text, struct ta_err *err)
{
    int r = ta_pwrite_full(c->to, text.at, text.len, c->at, err);

    c->at += text.len;
    return r;
}

static int add_data(struct ta_job_call *c, struct copy *to, const struct ta_backend_data *data,
                    struct ta_err *err)
{
    struct ta_data_counts counts;
    struct ta_gzip gzip = {0};
    int r = TA_OK;

    to->from = data->source;
    if (data->is_gzip) {
        r = ta_gzip_unpack(&gzip, data->source, c->place->alloc, err);
        to->from = &gzip.source;
    }
    if (r >= 0)
        r = ta_data_check(&to->source, &counts, c->place->alloc, err);
    ta_gzip_done(&gzip);
    return r;
}

/* A file that is gone when the answer is, or the process. One thread makes them. */
static int open_file(struct ta_job_call *c, struct ta_err *err)
{
    char path[4096 + 32];

    snprintf(path, sizeof(path), "%s/.job-answer", c->place->archiving->directory);
    int r =
        ta_open(&ta_vfs_posix, path,
                TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE | TA_OPEN_NOFOLLOW,
                0600, &c->file, err);
    return r < 0 ? r : ta_vfs_posix.unlink(&ta_vfs_posix, path, err);
}

static int write_answer(struct ta_job_call *c, const struct ta_job *job,
                        const struct ta_backend_data *data, struct ta_err *err)
{
    struct copy to = {.source = {read_copy}};
    struct ta_json_writer w;

    ta_json_writer_init(&w, &c->answer);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "Meta");
    if (ta_job_write(&w, job) < 0 || ta_json_put_key(&w, "Data") < 0)
        return ta_fail(err, TA_ERANGE, "the job is too large for an answer");
    int r = open_file(c, err);
    to.to = c->file;
    if (r >= 0)
        r = add_text(&to, ta_buf_view(&c->answer), err);
    if (r >= 0)
        r = add_data(c, &to, data, err);
    if (r >= 0)
        r = add_text(&to, TA_STR("}\n"), err);
    c->file_bytes = to.at;
    return r;
}

static int answer(struct ta_job_call *c, struct ta_archive_reader *archive,
                  const struct ta_job *job, struct ta_err *err)
{
    const struct ta_job_address at = {job->cluster, job->job_id, job->start_time};
    struct ta_backend_data data;
    int r = ta_archive_reader_open_data(archive, &at, &data, err);

    if (r < 0)
        return r;
    r = write_answer(c, job, &data, err);
    ta_backend_close_data(archive->backend);
    return r;
}

void job_call_data(struct ta_job_call *c, const struct ta_job *job)
{
    struct ta_archiving *archiving = c->place->archiving;
    struct ta_archive_reader archive;
    struct ta_err why = {0};

    if (job->monitoring_status != TA_JOB_ARCHIVED || !archiving || !archiving->archiver) {
        job_refuse(c, 501, "the data of this job are not in an archive: ask /api/load");
        return;
    }
    if (atomic_fetch_add(&archiving->n_answers, 1) >= ANSWERS_MAX) {
        atomic_fetch_sub(&archiving->n_answers, 1);
        job_refuse(c, 503, "too many answers with data are under way: try again");
        return;
    }
    c->answers = &archiving->n_answers; /* counted until the call is freed */
    ta_archive_reader_init(&archive, archiving, c->place->bytes_max, c->place->alloc);
    int e = answer(c, &archive, job, &why);
    ta_archive_reader_done(&archive);
    if (e < 0) {
        c->file_bytes = 0;
        job_fail(c, e, "reading the job's data failed", &why);
        return;
    }
    ta_buf_reset(&c->answer);
    c->status = 200;
    c->content_type = "application/json";
}
