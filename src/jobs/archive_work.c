/* archive_work.c - see archive_work.h. */
#include "jobs/archive_work.h"

#include <inttypes.h>

#include "base/crc32c.h"
#include "io/gzip.h"

enum { PIECE = 16 * 1024 };

/* Passes bytes on and counts them. */
struct tally {
    struct ta_source source;
    struct ta_source *inner;
    uint64_t bytes;
    uint32_t crc;
};

static int64_t read_tallied(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct tally *t = TA_CONTAINER(self, struct tally, source);
    int64_t got = t->inner->read(t->inner, buf, n, err);

    if (got > 0) {
        t->crc = ta_crc32c(t->crc, buf, (size_t)got);
        t->bytes += (uint64_t)got;
    }
    return got;
}

static int drain(struct ta_source *src, struct ta_err *err)
{
    unsigned char piece[PIECE];
    int64_t n;

    while ((n = src->read(src, piece, sizeof(piece), err)) > 0)
        ;
    return (int)n;
}

void ta_archive_work_init(struct ta_archive_work *w, struct ta_data_spool *spool,
                          struct ta_alloc *alloc)
{
    *w = (struct ta_archive_work){.alloc = alloc, .spool = spool};
    ta_buf_init(&w->meta, alloc, TA_BACKEND_META_MAX);
    ta_buf_init(&w->other, alloc, TA_BACKEND_META_MAX);
    ta_arena_init(&w->arena, alloc, TA_BACKEND_META_MAX);
}

void ta_archive_work_done(struct ta_archive_work *w)
{
    if (!w->alloc)
        return;
    ta_buf_done(&w->meta);
    ta_buf_done(&w->other);
    ta_arena_done(&w->arena);
}

int ta_archive_read(struct ta_archive_work *w, struct ta_backend *b,
                    const struct ta_job_address *address, struct ta_job *job, struct ta_err *err)
{
    int r = ta_backend_read_meta(b, address, &w->meta, err);

    ta_arena_reset(&w->arena);
    if (r >= 0)
        r = ta_job_read_text(job, ta_buf_view(&w->meta), false, &w->arena, w->alloc, err);
    return r < 0 ? ta_fail_context(err, r, "metadata: ") : r;
}

int ta_archive_is_of(const struct ta_job *job, const struct ta_job_address *address,
                     struct ta_err *err)
{
    if (job->job_id == address->job_id && job->start_time == address->start_time &&
        ta_str_eq(job->cluster, address->cluster))
        return TA_OK;
    return ta_fail(err, TA_EFORMAT,
                   "metadata: they are of job %" PRId64 " of %.*s that began at %" PRId64,
                   job->job_id, TA_STR_FMT(job->cluster), job->start_time);
}

/* ---- copying ------------------------------------------------------------------------------------ */

/* What was stored is what was put: w->meta and the data with this tally. */
static int compare(struct ta_archive_work *w, struct ta_backend *b,
                   const struct ta_job_address *job, const struct tally *put, bool is_gzip,
                   struct ta_err *err)
{
    struct ta_backend_data data;
    int r = ta_backend_read_meta(b, job, &w->other, err);

    if (r >= 0)
        r = ta_backend_open_data(b, job, &data, err);
    if (r < 0)
        return r;
    struct tally back = {{read_tallied}, data.source, 0, 0};
    r = drain(&back.source, err);
    ta_backend_close_data(b);
    if (r < 0)
        return r;
    if (back.crc == put->crc && back.bytes == put->bytes && data.is_gzip == is_gzip &&
        ta_str_eq(ta_buf_view(&w->meta), ta_buf_view(&w->other)))
        return TA_OK;
    return ta_fail(err, TA_EIO, "%s: job %" PRId64 " of %.*s is not what was written", b->name,
                   job->job_id, TA_STR_FMT(job->cluster));
}

static int put_and_compare(struct ta_archive_work *w, struct ta_backend *to,
                           const struct ta_job_address *job, const struct ta_backend_data *data,
                           bool may_replace, struct ta_err *err)
{
    struct tally put = {{read_tallied}, data->source, 0, 0};
    const struct ta_backend_data tallied = {&put.source, data->bytes, data->is_gzip};
    int r = ta_backend_put(to, job, &tallied, ta_buf_view(&w->meta), may_replace, err);

    return r < 0 ? r : compare(w, to, job, &put, data->is_gzip, err);
}

/* The rest of a source into the spool, which compresses what is long. */
static int fill_spool(struct ta_archive_work *w, struct ta_source *src, struct ta_err *err)
{
    unsigned char piece[PIECE];
    int64_t n = 0;
    int r = ta_data_spool_begin(w->spool, err);

    while (r >= 0 && (n = src->read(src, piece, sizeof(piece), err)) > 0)
        r = ta_sink_write(&w->spool->sink, piece, (size_t)n, err);
    r = n < 0 ? (int)n : r;
    return r < 0 ? r : ta_data_spool_finish(w->spool, err);
}

int ta_archive_copy(struct ta_archive_work *w, struct ta_backend *from, struct ta_backend *to,
                    const struct ta_job_address *job, bool may_replace, struct ta_err *err)
{
    struct ta_data_spool_source spooled;
    struct ta_backend_data data;
    int r = ta_backend_read_meta(from, job, &w->meta, err);

    if (r >= 0)
        r = ta_backend_open_data(from, job, &data, err);
    if (r < 0)
        return r;
    if (data.is_gzip || data.bytes <= TA_BACKEND_PLAIN_MAX) {
        r = put_and_compare(w, to, job, &data, may_replace, err);
    } else if ((r = fill_spool(w, data.source, err)) >= 0) {
        ta_data_spool_read(w->spool, &spooled);
        data = (struct ta_backend_data){&spooled.source, ta_data_spool_bytes(w->spool), true};
        r = put_and_compare(w, to, job, &data, may_replace, err);
    }
    ta_backend_close_data(from);
    return r;
}

int ta_archive_write_meta(struct ta_archive_work *w, const struct ta_job *job, struct ta_err *err)
{
    struct ta_json_writer json;

    ta_buf_reset(&w->meta);
    ta_json_writer_init(&json, &w->meta);
    int r = ta_job_write(&json, job);
    if (r >= 0)
        r = ta_buf_byte(&w->meta, '\n');
    return r < 0 ? ta_fail(err, r, "metadata of job %" PRId64 ": %s", job->job_id, ta_strerror(r))
                 : TA_OK;
}

int ta_archive_put(struct ta_archive_work *w, struct ta_backend *to, const struct ta_job *job,
                   struct ta_source *plain, bool may_replace, struct ta_err *err)
{
    const struct ta_job_address address = {job->cluster, job->job_id, job->start_time};
    struct ta_data_spool_source spooled;
    int r = ta_archive_write_meta(w, job, err);

    if (r >= 0)
        r = fill_spool(w, plain, err);
    if (r < 0)
        return r;
    ta_data_spool_read(w->spool, &spooled);
    const struct ta_backend_data data = {&spooled.source, ta_data_spool_bytes(w->spool),
                                         ta_data_spool_is_gzip(w->spool)};
    return put_and_compare(w, to, &address, &data, may_replace, err);
}

int ta_archive_store(struct ta_archive_work *w, struct ta_backend *to, const struct ta_job *job,
                     struct ta_str data_gz, bool may_replace, struct ta_err *err)
{
    const struct ta_job_address address = {job->cluster, job->job_id, job->start_time};
    unsigned char plain[TA_BACKEND_PLAIN_MAX + 1];
    struct ta_mem_source packed;
    struct ta_mem_source unpacked;
    struct ta_gzip gzip;

    ta_mem_source_init(&packed, data_gz.at, data_gz.len, 0);
    int r = ta_archive_write_meta(w, job, err);
    if (r >= 0)
        r = ta_gzip_unpack(&gzip, &packed.source, w->alloc, err);
    if (r < 0)
        return r;
    int64_t n = ta_read_full(&gzip.source, plain, sizeof(plain), err);
    ta_gzip_done(&gzip);
    if (n < 0)
        return (int)n;
    struct ta_backend_data data = {&packed.source, data_gz.len, true};
    ta_mem_source_init(&packed, data_gz.at, data_gz.len, 0);
    if (n <= TA_BACKEND_PLAIN_MAX) {
        ta_mem_source_init(&unpacked, plain, (size_t)n, 0);
        data = (struct ta_backend_data){&unpacked.source, (uint64_t)n, false};
    }
    return put_and_compare(w, to, &address, &data, may_replace, err);
}

int ta_archive_compress(struct ta_archive_work *w, struct ta_backend *b,
                        const struct ta_job_address *job, struct ta_err *err)
{
    struct ta_data_spool_source spooled;
    struct ta_backend_data data;
    int r = ta_backend_open_data(b, job, &data, err);

    if (r < 0)
        return r;
    bool is_due = !data.is_gzip && data.bytes > TA_BACKEND_PLAIN_MAX;
    if (is_due)
        r = fill_spool(w, data.source, err);
    ta_backend_close_data(b);
    if (r < 0 || !is_due)
        return r < 0 ? r : 0;
    ta_data_spool_read(w->spool, &spooled);
    data = (struct ta_backend_data){&spooled.source, ta_data_spool_bytes(w->spool), true};
    r = ta_backend_put_data(b, job, &data, err);
    return r < 0 ? r : 1;
}

/* ---- migrating ---------------------------------------------------------------------------------- */

/* What an old document has that the model passes over. */
struct old {
    bool has_exclusive, has_dropped;
    int64_t exclusive;
};

static bool is_dropped(struct ta_str key)
{
    static const char *const keys[] = {
        "mem_used_max", "flops_any_avg",      "mem_bw_avg",  "load_avg",
        "net_bw_avg",   "net_data_vol_total", "file_bw_avg", "file_data_vol_total",
    };

    for (size_t i = 0; i < TA_COUNT(keys); i++)
        if (ta_str_is(key, keys[i]))
            return true;
    return false;
}

static int read_exclusive(struct ta_json_reader *json, struct old *old, struct ta_err *err)
{
    struct ta_json_token token;
    int r = ta_json_next(json, &token, err);

    if (r < 0)
        return r;
    old->has_exclusive = true;
    if (token.kind != TA_JSON_NUMBER || ta_json_i64(&token, &old->exclusive) < 0 ||
        old->exclusive < 0 || old->exclusive > 2)
        return ta_json_expected(&token, "\"exclusive\" to be 0, 1 or 2", err);
    return TA_OK;
}

static int read_old(struct ta_archive_work *w, struct old *old, struct ta_err *err)
{
    struct ta_mem_source src;
    struct ta_json_reader *json;
    struct ta_json_token token;

    *old = (struct old){0};
    ta_mem_source_init(&src, w->meta.at, w->meta.len, 0);
    if (ta_json_reader_new(&json, &src.source,
                           &(struct ta_json_limits){.buffer = 2 * w->meta.len + 4096},
                           w->alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to read metadata");
    int r = ta_json_next(json, &token, err); /* '{': the model read it before */
    while (r >= 0 && (r = ta_json_next(json, &token, err)) > 0 && token.kind == TA_JSON_KEY) {
        old->has_dropped |= is_dropped(token.text);
        r = ta_str_is(token.text, "exclusive") ? read_exclusive(json, old, err)
                                               : ta_json_skip(json, err);
    }
    ta_json_reader_free(json);
    return r < 0 ? ta_fail_context(err, r, "metadata: ") : TA_OK;
}

int ta_archive_migrate(struct ta_archive_work *w, struct ta_backend *b,
                       const struct ta_job_address *address, bool dry, struct ta_err *err)
{
    static const enum ta_job_shared by_exclusive[] = {TA_JOB_SHARED_MULTI_USER, TA_JOB_SHARED_NONE,
                                                      TA_JOB_SHARED_SINGLE_USER};
    struct ta_job job;
    struct old old;
    int r = ta_archive_read(w, b, address, &job, err);

    if (r >= 0)
        r = read_old(w, &old, err);
    if (r < 0)
        return r;
    bool is_old = old.has_exclusive || old.has_dropped || !job.shared.len ||
                  !ta_job_has(&job, TA_JOB_SUBMIT_TIME) || !ta_job_has(&job, TA_JOB_ENERGY);
    if (!is_old || dry)
        return is_old;
    if (old.has_exclusive)
        job.shared = ta_str(ta_job_shared_word(by_exclusive[old.exclusive]));
    else if (!job.shared.len)
        job.shared = ta_str(ta_job_shared_word(TA_JOB_SHARED_NONE));
    if (!ta_job_has(&job, TA_JOB_SUBMIT_TIME))
        job.submit_time = job.start_time;
    r = ta_archive_write_meta(w, &job, err);
    if (r >= 0)
        r = ta_backend_put_meta(b, address, ta_buf_view(&w->meta), err);
    return r < 0 ? r : 1;
}
