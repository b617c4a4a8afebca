/* backend.c - what all job archives have in common: names, and the order of things. */
#include "jobs/backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

bool ta_backend_is_name(struct ta_str cluster)
{
    if (cluster.len == 0 || cluster.len > TA_BACKEND_NAME_MAX || cluster.at[0] == '.')
        return false;
    for (size_t i = 0; i < cluster.len; i++)
        if (cluster.at[i] == '/' || (unsigned char)cluster.at[i] < 0x20 || cluster.at[i] == 0x7f)
            return false;
    return true;
}

static int check_name(struct ta_str cluster, struct ta_err *err)
{
    return ta_backend_is_name(cluster)
               ? TA_OK
               : ta_fail(err, TA_EINVAL, "\"%.*s\" is no name of a cluster", TA_STR_FMT(cluster));
}

static int check(const struct ta_job_address *job, struct ta_err *err)
{
    if (job->job_id < 0 || job->start_time < 0)
        return ta_fail(err, TA_EINVAL, "job %" PRId64 " of time %" PRId64 ": negative", job->job_id,
                       job->start_time);
    return check_name(job->cluster, err);
}

int ta_backend_job_path(const struct ta_job_address *job, char *out, size_t room)
{
    int n = snprintf(out, room, "%.*s/%" PRId64 "/%03" PRId64 "/%" PRId64, TA_STR_FMT(job->cluster),
                     job->job_id / 1000, job->job_id % 1000, job->start_time);

    return n >= 0 && (size_t)n < room ? TA_OK : TA_ERANGE;
}

/* Decimal without sign, and without a leading zero unless it has exactly `digits`. */
static bool number_of(struct ta_str s, size_t digits, int64_t *out)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
    if (digits ? s.len != digits : s.len == 0 || (s.len > 1 && s.at[0] == '0'))
        return false;
    return ta_parse_i64(s, out) == TA_OK;
}

int ta_backend_job_of_path(struct ta_str thousands, struct ta_str rest, struct ta_str start,
                           struct ta_job_address *out)
{
    int64_t high, low, at;

    if (!number_of(thousands, 0, &high) || !number_of(rest, 3, &low) || !number_of(start, 0, &at) ||
        high > (INT64_MAX - 999) / 1000)
        return TA_EFORMAT;
    out->job_id = high * 1000 + low;
    out->start_time = at;
    return TA_OK;
}

void ta_backend_close(struct ta_backend *b)
{
    if (b)
        b->ops->close(b);
}

int ta_backend_exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    int r = check(job, err);

    return r < 0 ? r : b->ops->exists(b, job, err);
}

int ta_backend_read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                         struct ta_err *err)
{
    int r = check(job, err);

    ta_buf_reset(out);
    return r < 0 ? r : b->ops->read_meta(b, job, out, err);
}

int ta_backend_open_data(struct ta_backend *b, const struct ta_job_address *job,
                         struct ta_backend_data *out, struct ta_err *err)
{
    int r = check(job, err);

    return r < 0 ? r : b->ops->open_data(b, job, out, err);
}

void ta_backend_close_data(struct ta_backend *b)
{
    b->ops->close_data(b);
}

static int missing(const struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    return ta_fail(err, TA_ENOTFOUND, "%s: no job %" PRId64 " of %.*s that began at %" PRId64,
                   b->name, job->job_id, TA_STR_FMT(job->cluster), job->start_time);
}

int ta_backend_put(struct ta_backend *b, const struct ta_job_address *job,
                   const struct ta_backend_data *data, struct ta_str meta, bool may_replace,
                   struct ta_err *err)
{
    int r = check(job, err);

    if (r >= 0 && !may_replace)
        r = b->ops->exists(b, job, err);
    if (r > 0)
        return ta_fail(err, TA_EEXIST,
                       "%s: job %" PRId64 " of %.*s that began at %" PRId64 " is there", b->name,
                       job->job_id, TA_STR_FMT(job->cluster), job->start_time);
    return r < 0 ? r : b->ops->put(b, job, data, meta, err);
}

static int must_exist(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    int r = ta_backend_exists(b, job, err);

    return r == 0 ? missing(b, job, err) : r;
}

int ta_backend_put_data(struct ta_backend *b, const struct ta_job_address *job,
                        const struct ta_backend_data *data, struct ta_err *err)
{
    int r = must_exist(b, job, err);

    return r < 0 ? r : b->ops->put_data(b, job, data, err);
}

int ta_backend_put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                        struct ta_err *err)
{
    int r = must_exist(b, job, err);

    return r < 0 ? r : b->ops->put_meta(b, job, meta, err);
}

int ta_backend_remove(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    int there = ta_backend_exists(b, job, err);
    struct ta_err why = {0};

    if (there < 0)
        return there;
    int r = b->ops->remove(b, job, &why);
    if (r < 0 && (there || r != TA_ENOTFOUND))
        return ta_fail(err, r, "%s", why.text);
    return there ? TA_OK : missing(b, job, err);
}

static int by_name(const void *a, const void *b)
{
    const struct ta_str *left = a, *right = b;

    return ta_str_cmp(*left, *right);
}

int ta_backend_clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                        struct ta_err *err)
{
    int r = b->ops->clusters(b, arena, out, err);

    if (r >= 0 && out->n)
        qsort((struct ta_str *)(uintptr_t)out->at, out->n, sizeof(*out->at), by_name);
    return r;
}

int ta_backend_read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                            struct ta_err *err)
{
    int r = check_name(cluster, err);

    ta_buf_reset(out);
    return r < 0 ? r : b->ops->read_cluster(b, cluster, out, err);
}

int ta_backend_put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                           struct ta_err *err)
{
    int r = check_name(cluster, err);

    return r < 0 ? r : b->ops->put_cluster(b, cluster, text, err);
}

int ta_backend_list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                    struct ta_err *err)
{
    int r = check_name(cluster, err);

    return r < 0 ? r : b->ops->list(b, cluster, out, err);
}

int ta_backend_read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err)
{
    return b->ops->read_mark(b, out, err);
}

int ta_backend_put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err)
{
    return b->ops->put_mark(b, at_s, err);
}

int ta_backend_put_version(struct ta_backend *b, struct ta_err *err)
{
    int r = b->ops->put_version(b, err);

    if (r >= 0)
        b->version = TA_BACKEND_VERSION;
    return r;
}
