#include "app/archive_place.h"

#include <stdio.h>
#include <string.h>

static int set_address(struct ta_archive_place *p, const char *scheme, const char *rest,
                       struct ta_err *err)
{
    int n = snprintf(p->address, sizeof(p->address), "%s%s", scheme, rest);

    if (n < 0 || (size_t)n >= sizeof(p->address))
        return ta_fail(err, TA_ERANGE, "archive or retention: a path is too long");
    p->conf.address = p->address;
    return TA_OK;
}

int ta_archive_place_init(struct ta_archive_place *p, const struct ta_config *config,
                          struct ta_err *err)
{
    const struct ta_conf_archive *c = &config->archive;

    *p = (struct ta_archive_place){.conf = {.endpoint = c->endpoint,
                                            .region = c->region,
                                            .access_key = c->access_key,
                                            .secret_key = c->secret_key,
                                            .ca_file = config->tarn.s3.ca_file}};
    if (!config->has_archive)
        return TA_OK;
    if (strcmp(c->kind, "s3") == 0)
        return set_address(p, "s3://", c->bucket, err);
    return strcmp(c->kind, "sqlite") == 0 ? set_address(p, "sqlite:", c->db_path, err)
                                          : set_address(p, "file:", c->path, err);
}

int ta_archive_place_target(struct ta_archive_place *p, const struct ta_config *config,
                            const struct ta_conf_target *target, bool is_archive,
                            struct ta_err *err)
{
    *p = (struct ta_archive_place){.conf = {.endpoint = target->endpoint,
                                            .region = target->region,
                                            .access_key = target->access_key,
                                            .secret_key = target->secret_key,
                                            .ca_file = config->tarn.s3.ca_file}};
    if (strcmp(target->kind, "s3") == 0)
        return set_address(p, "s3://", target->bucket, err);
    return set_address(p, is_archive ? "file:" : "", target->path, err);
}

int ta_archive_place_open(const struct ta_bucket_conf *where, unsigned number, bool may_create,
                          const _Atomic bool *stop, struct ta_job_archive *out, struct ta_err *err)
{
    const struct ta_backend_options options = {.may_create = may_create};
    const struct ta_sql_options sql = {.path = where->address};
    struct ta_stat st;
    char spool[128];

    if (ta_bucket_is_address(where->address)) {
        struct ta_bucket_conf conf = *where;

        conf.checkpoints = "";
        conf.stop = stop;
        int e = ta_job_archive_temporary(spool, sizeof(spool), "upload", number, err);
        return e < 0 ? e : ta_job_archive_open_bucket(out, &conf, spool, &options, err);
    }
    int e = ta_vfs_posix.stat(&ta_vfs_posix, where->address, &st, NULL);
    return e >= 0 && st.kind == TA_KIND_FILE
               ? ta_backend_open_sqlite(&out->backend, &sql, &ta_clock_system, &options, &ta_heap,
                                        err)
               : ta_job_archive_open(out, where->address, number, &options, err);
}
