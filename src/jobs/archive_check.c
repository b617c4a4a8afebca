/* archive_check.c - see archive_check.h. */
#include "jobs/archive_check.h"

#include <stdio.h>

#include "io/gzip.h"
#include "jobs/document_check.h"
#include "query/cluster.h"

enum { NAME = TA_BACKEND_NAME_MAX + 128 };

/* ---- sound -------------------------------------------------------------------------------------- */

/* The document of an open job, unpacked. */
static int unpack(struct ta_archive_work *w, const struct ta_backend_data *data,
                  struct ta_gzip *gzip, struct ta_source **out, struct ta_err *err)
{
    *out = data->is_gzip ? &gzip->source : data->source;
    return data->is_gzip ? ta_gzip_unpack(gzip, data->source, w->alloc, err) : TA_OK;
}

int ta_archive_check(struct ta_archive_work *w, struct ta_backend *b,
                     const struct ta_job_address *address, struct ta_data_counts *counts,
                     struct ta_err *err)
{
    struct ta_backend_data data;
    struct ta_gzip gzip = {0};
    struct ta_source *source;
    struct ta_job job;
    int r = ta_archive_read(w, b, address, &job, err);

    if (r >= 0)
        r = ta_archive_is_of(&job, address, err);
    if (r < 0)
        return r;
    r = ta_backend_open_data(b, address, &data, err);
    if (r < 0)
        return r;
    r = unpack(w, &data, &gzip, &source, err);
    if (r >= 0)
        r = ta_data_check(source, counts, w->alloc, err);
    ta_gzip_done(&gzip);
    ta_backend_close_data(b);
    return r < 0 ? ta_fail_context(err, r, "data: ") : r;
}

int ta_archive_check_cluster(struct ta_archive_work *w, struct ta_backend *b, struct ta_str cluster,
                             struct ta_err *err)
{
    struct ta_mem_source source;
    struct ta_cluster *read = NULL;
    int r = ta_backend_read_cluster(b, cluster, &w->other, err);

    if (r < 0)
        return r;
    ta_mem_source_init(&source, w->other.at, w->other.len, 0);
    r = ta_cluster_new(&read, &source.source, w->alloc, err);
    ta_cluster_free(r < 0 ? NULL : read);
    return r;
}

/* ---- rules -------------------------------------------------------------------------------------- */

/* A document in memory: its strings may be as long as it is. */
static int hold(struct ta_archive_work *w, const struct ta_buf *text, const char *name,
                const struct ta_rule *rule, struct ta_buf *lines, uint64_t *n, struct ta_err *err)
{
    struct ta_mem_source source;
    uint64_t more = 0;

    ta_mem_source_init(&source, text->at, text->len, 0);
    int r = ta_document_check(&source.source, 2 * text->len + 4 * KiB, name, rule, lines, &more,
                              w->alloc, err);
    *n += more;
    return r < 0 ? ta_fail_context(err, r, "%s: ", name) : r;
}

static int hold_data(struct ta_archive_work *w, const struct ta_backend_data *data, const char *job,
                     struct ta_buf *lines, uint64_t *n, struct ta_err *err)
{
    char name[NAME + 16];
    struct ta_gzip gzip = {0};
    struct ta_source *source;
    uint64_t more = 0;

    snprintf(name, sizeof(name), "%s/data.json%s", job, data->is_gzip ? ".gz" : "");
    int r = unpack(w, data, &gzip, &source, err);
    if (r >= 0)
        r = ta_document_check(source, 0, name, &ta_rules_of_data, lines, &more, w->alloc, err);
    ta_gzip_done(&gzip);
    *n += more;
    return r < 0 ? ta_fail_context(err, r, "%s: ", name) : r;
}

int ta_archive_rules(struct ta_archive_work *w, struct ta_backend *b,
                     const struct ta_job_address *job, struct ta_buf *lines, uint64_t *n,
                     struct ta_err *err)
{
    char path[NAME];
    char name[NAME + 16];
    struct ta_backend_data data;
    int r = ta_backend_read_meta(b, job, &w->meta, err);

    if (r >= 0)
        r = ta_backend_job_path(job, path, sizeof(path));
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%s/meta.json", path);
    r = hold(w, &w->meta, name, &ta_rules_of_meta, lines, n, err);
    if (r >= 0)
        r = ta_backend_open_data(b, job, &data, err);
    if (r < 0)
        return r;
    r = hold_data(w, &data, path, lines, n, err);
    ta_backend_close_data(b);
    return r;
}

int ta_archive_cluster_rules(struct ta_archive_work *w, struct ta_backend *b, struct ta_str cluster,
                             struct ta_buf *lines, uint64_t *n, struct ta_err *err)
{
    char name[NAME];
    int r = ta_backend_read_cluster(b, cluster, &w->other, err);

    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%.*s/cluster.json", TA_STR_FMT(cluster));
    return hold(w, &w->other, name, &ta_rules_of_cluster, lines, n, err);
}
