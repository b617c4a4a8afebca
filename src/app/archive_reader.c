/* archive_reader.c - see archive_reader.h. */
#include "app/archive_reader.h"

#include <stdio.h>
#include <string.h>

void ta_archive_reader_init(struct ta_archive_reader *a, const struct ta_archiving *archiving,
                            const char *spool, size_t bytes_max, struct ta_alloc *alloc)
{
    *a = (struct ta_archive_reader){.archiving = archiving, .alloc = alloc, .spool_name = spool};
    ta_buf_init(&a->meta, alloc, bytes_max);
    ta_arena_init(&a->arena, alloc, bytes_max);
}

void ta_archive_reader_done(struct ta_archive_reader *a)
{
    ta_backend_close(a->backend);
    ta_job_archive_close(&a->bucket);
    ta_buf_done(&a->meta);
    ta_arena_done(&a->arena);
}

static int open_bucket(struct ta_archive_reader *a, const struct ta_backend_options *options,
                       struct ta_err *err)
{
    const struct ta_config *config = a->archiving->config;
    const struct ta_conf_archive *c = &config->archive;

    snprintf(a->address, sizeof(a->address), "s3://%s", c->bucket); /* its length was checked */
    snprintf(a->spool, sizeof(a->spool), "%s/%s", a->archiving->directory, a->spool_name);

    const struct ta_bucket_conf conf = {.address = a->address,
                                        .endpoint = c->endpoint,
                                        .region = c->region,
                                        .access_key = c->access_key,
                                        .secret_key = c->secret_key,
                                        .ca_file = config->tarn.s3.ca_file,
                                        .checkpoints = "",
                                        .stop = &a->archiving->giving_up};
    int r = ta_job_archive_open_bucket(&a->bucket, &conf, a->spool, options, err);

    if (r >= 0) {
        a->backend = a->bucket.backend;
        a->bucket.backend = NULL;
    }
    return r;
}

static int open_archive(struct ta_archive_reader *a, struct ta_err *err)
{
    const struct ta_conf_archive *c = &a->archiving->config->archive;
    const struct ta_backend_options options = {0};
    const struct ta_sql_options sql = {.path = c->db_path};

    if (strcmp(c->kind, "s3") == 0)
        return open_bucket(a, &options, err);
    if (strcmp(c->kind, "sqlite") == 0)
        return ta_backend_open_sqlite(&a->backend, &sql, a->archiving->clock, &options, a->alloc,
                                      err);
    return ta_backend_open_files(&a->backend, &ta_vfs_posix, c->path, &options, a->alloc, err);
}

/* Once, whatever comes of it. */
static int be_open(struct ta_archive_reader *a, struct ta_err *err)
{
    if (!a->backend && !a->failed) {
        int r = open_archive(a, &a->why);

        a->failed = r < 0 ? r : 0;
    }
    return a->failed ? ta_fail(err, a->failed, "%s", a->why.text) : TA_OK;
}

int ta_archive_reader_open_data(struct ta_archive_reader *a, const struct ta_job_address *at,
                                struct ta_backend_data *out, struct ta_err *err)
{
    int r = be_open(a, err);

    return r < 0 ? r : ta_backend_open_data(a->backend, at, out, err);
}

int ta_archive_reader_meta(struct ta_archive_reader *a, const struct ta_job_address *at,
                           struct ta_job *out, struct ta_err *err)
{
    int r = be_open(a, err);

    ta_arena_reset(&a->arena);
    if (r >= 0)
        r = ta_backend_read_meta(a->backend, at, &a->meta, err);
    if (r >= 0)
        r = ta_job_read_text(out, ta_buf_view(&a->meta), false, &a->arena, a->alloc, err);
    return r;
}
